"""The group of the subcommands, and the one place that turns an exception into a line and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import click

import workbench
from workbench.cli._progress import say, say_error
from workbench.errors import WorkbenchError, unknown_name

COMMANDS = {
    "agent-guide": "Print a short guide for AI coding agents.",
    "bench": "Time the variants of a suite against each other, and what each costs in quality.",
    "compare": "Judge a revision against another, measured side by side: a gate for CI.",
    "diff": "Compare two profiles: what takes more time, and what takes less.",
    "convert": "Convert a profile from any format to any other.",
    "doctor": "Say what is installed and what can be used here.",
    "dump": "Print once what each thread of a running program does, and which scopes are open.",
    "export": "Export an experiment for pyperf, Bencher, GitHub or a table.",
    "profile": "Run any Python program with its scopes recorded and sampled.",
    "report": "Write the page of a profile or an experiment again, or of stored experiments.",
    "show": "Show where the time of a profile goes, or what an experiment found, as text.",
    "train": "Fit a function with a small network by Levenberg-Marquardt.",
    "view": "Show a folder or a profile in the browser, from a server on loopback.",
    "watch": "Show live what a program does that is being recorded.",
}


class _InterruptedError(Exception):
    """Ctrl-C, on its way to `main`."""


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let a first Ctrl-C wait for the end: what it interrupts during an import may come out as any other error."""
    held: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            signal.default_int_handler(number, frame)
        held.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        raise KeyboardInterrupt


class _Lazy(click.Group):
    """A group that imports a subcommand when it is called: `--help` and errors stay instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with _interrupts_held():
            command: click.Command = importlib.import_module(
                f"workbench.cli.{cmd_name.replace('-', '_')}"
            ).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _InterruptedError from None  # click would print an empty line on its own

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: workbench profile SCRIPT.py, or make profile in a checkout.",
)
@click.version_option(workbench.__version__, prog_name="workbench")
def cli() -> None:
    """Where does the time go, which change helps, and what does it cost in quality?"""


def run() -> NoReturn:
    """Run the command line and exit: 0 fine, 1 failed, 2 bad input, 3 inconclusive, 75 no samples, 130 interrupted."""
    try:
        code = cli.main(prog_name="workbench", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        code = 2
    except click.UsageError as error:
        say(f"{error.format_message().rstrip('.')} (see {_help_of(error)})")
        code = 2
    except click.ClickException as error:
        say(error.format_message())
        code = error.exit_code
    except (_InterruptedError, click.Abort, KeyboardInterrupt):
        say("interrupted; what was finished is kept")
        code = 130
    except WorkbenchError as error:
        say_error(error)
        code = error.exit_code
    except MemoryError:
        say("there is not enough memory for this: choose a smaller problem")
        code = 1
    except OSError as error:
        code = _output_failed(error)
    sys.exit(code if isinstance(code, int) else 0)


def _output_failed(error: OSError) -> int:
    """Take an error of standard output, which has no file name; any other is an accident and goes on."""
    if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    if error.errno != errno.EPIPE:  # where the reader went away nobody listens
        say(f"cannot write the output: {error.strerror}")
    # Python would complain again when it flushes.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _help_of(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "workbench"
    return f"{path} --help"
