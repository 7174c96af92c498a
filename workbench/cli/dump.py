"""`workbench dump`: once, what each thread of a running program does and which scopes are open."""

from __future__ import annotations

import json
import sys

import click

from workbench.cli._progress import say, terminal_width
from workbench.cli._settings import HELP

EPILOG = """\b
Examples:
  workbench dump 4321             each thread's open scopes, and its stack, innermost first
  workbench dump 4321 --json      the same as JSON, for programs
  workbench dump $(pgrep -f fit.py | head -1)

Of a program that is recorded, the scopes are those of its log, with their age. The stacks are the latest samples of
the in-process sampler; without it, py-spy reads them, which holds the program for some milliseconds and needs the
permission to trace it. Of a program that is not recorded, scopes are those with statements whose lines are on a stack.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.argument("pid", type=click.IntRange(min=1), metavar="PID")
def command(as_json: bool, pid: int) -> None:
    """Print what each thread of the process PID does, and which scopes are open there."""
    from workbench.capture.dump import dump
    from workbench.cli._recorded import recorded_process
    from workbench.report import thread_dump

    found = recorded_process(pid)
    dumped = dump(*found) if found is not None else dump(pid, None)
    if dumped.refused:
        say(f"no stacks: {dumped.refused}")
    if as_json:
        click.echo(json.dumps(thread_dump.as_json(dumped), indent=1))
        return
    for line in thread_dump.as_text(dumped, terminal_width(sys.stdout)):
        click.echo(line)
