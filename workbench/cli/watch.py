"""`workbench watch`: what a program that is being recorded does, live in the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli._progress import say, terminal_width
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError

if TYPE_CHECKING:
    from workbench.eventlog.live import LiveRecording, LiveState

EPILOG = """\b
Examples:
  workbench watch profiles/fit        a program that workbench profile runs; also a folder of record()
  workbench watch 4321                the program with this process id
  workbench watch 4321 --once         the present state as text, once
  workbench watch profiles/fit --json the same as JSON, for programs

It shows the open scopes of each thread with their age, how often scopes were closed and which lines ran in the last
5 seconds, counters, marks, and the epochs of workbench train. It reads the files of the recording alone: the program
is not stopped and does nothing for it. q or Ctrl-C ends it, and the program continues. If the program ends, it prints
the last state. Without a terminal, and with TERM=dumb, it does what --once does.
"""
EVERY_SECONDS = 0.25
MAX_BUSY = 0.05
"""The part of its time for which it may use a processor: where a refresh takes long, the next one is later."""
TEXT_WIDTH = 80


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("--once", is_flag=True, help="Print the present state as text, and exit.")
@click.option("--json", "as_json", is_flag=True, help="Print the present state as JSON, and exit.")
@click.argument("target", metavar="FOLDER|PID")
def command(once: bool, as_json: bool, target: str) -> None:
    """Show live what the program that is recorded into FOLDER does, or the process PID."""
    from workbench.eventlog.live import LiveRecording
    from workbench.report import live

    folder, pid = _find(target)
    recording = LiveRecording(folder, first=pid)
    state = recording.refresh()
    if as_json:
        click.echo(json.dumps(live.as_json(state), indent=1))
        return
    on_screen = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if once or not on_screen or state.ended:
        _print(state, folder, target)
        return
    with contextlib.suppress(KeyboardInterrupt):
        state = _follow(recording)
    if state.ended:
        _print(state, folder, target)
    else:
        say("no longer watching; the program continues")


def _follow(recording: LiveRecording) -> LiveState:
    """Draw the state until a key is pressed or the recording ends; return the last one."""
    from workbench.cli._terminal import terminal
    from workbench.report.live import screen

    wait = EVERY_SECONDS  # also after the first refresh, which reads more than the others
    with terminal() as display:
        while True:
            begin = time.process_time()
            state = recording.refresh()
            display.draw(screen(state, *display.size(), keys="q quits"))
            if state.ended or "q" in display.key(wait).lower():
                return state
            wait = max(EVERY_SECONDS, (time.process_time() - begin) / MAX_BUSY)


def _print(state: LiveState, folder: Path, target: str) -> None:
    from workbench.report.live import screen

    for line in screen(state, terminal_width(sys.stdout) or TEXT_WIDTH):
        click.echo(line.text)
    if state.ended:
        named = folder if target.isdecimal() else target
        say(f"the recording has ended: workbench show {named} says where the time went")


def _find(target: str) -> tuple[Path, int]:
    """Return the recording's folder, and the process that was named; 0: none."""
    from workbench.cli._recorded import recorded_process, recording_in

    if not target.isdecimal():
        return recording_in(Path(target)), 0
    found = recorded_process(int(target))
    if found is None:
        raise InvalidInputError(
            f"process {target} is not being recorded: run workbench profile --pid {target}, "
            "or start it by workbench profile"
        )
    return found[1], found[0]
