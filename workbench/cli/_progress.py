"""Messages on standard error, and a progress display: on a terminal, and nothing where output is piped."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from workbench.errors import InvalidOptionError, Remedy, WorkbenchError

if TYPE_CHECKING:
    from workbench.capture.warnings import CaptureWarning

OPTIONS = {
    Remedy.ANOTHER_FOLDER: "choose another folder with -o",
    Remedy.WAIT_OR_ANOTHER_FOLDER: "wait for its end, or choose another folder with -o",
    Remedy.LOWER_RATE: "use a lower --rate",
    Remedy.ANOTHER_RATE: "try another --rate",
    Remedy.NO_NATIVE: "use --no-native",
    Remedy.SAMPLE_IN_PROCESS: "use --sampler in-process",
    Remedy.SAMPLE_BY_PY_SPY: "use --sampler py-spy",
    Remedy.SAMPLE_BY_PYINSTRUMENT: "use --sampler pyinstrument",
    Remedy.CALIBRATE: "measure again with workbench doctor --calibrate",
    Remedy.MEASURE_COST: "run workbench profile --cost and the program",
}
"""Remedies in the words of the command line."""


MIN_WIDTH = 40
"""Columns of a terminal, below which rows are not cut any more."""


class Advance(Protocol):
    """Moves the display: what is done of how much, and what comes now."""

    def __call__(self, done: float, total: float | None, now: str) -> None: ...


def say(text: str) -> None:
    """Print a message as one line on standard error."""
    print(f"workbench: {' '.join(text.split())}", file=sys.stderr)


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal that a stream goes to, at least 40; None: it is none, or does not say."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return None
    return max(columns, MIN_WIDTH) if columns else None


def say_error(error: WorkbenchError) -> None:
    """Print an error as one line, with the option that helps."""
    say(error_text(error))


def error_text(error: WorkbenchError) -> str:
    """Return an error as one line, with the option that helps."""
    text = str(error) if error.remedy is None else f"{error.problem}; {OPTIONS[error.remedy]}"
    if isinstance(error, InvalidOptionError):
        text = f"--{error.option} {error.value}: {error.advice}"
    return " ".join(text.split())


def say_warning(warning: CaptureWarning) -> None:
    """Print a warning of a capture as one line, with the options that help."""
    from workbench.capture.warnings import warning_text

    say(warning_text(warning, lambda remedy: OPTIONS[remedy]))


def say_all(lines: Iterable[str]) -> None:
    """Print what the reader of a profile left out or took for something, a line each."""
    for line in lines:
        say(line)


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total, now: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[now]}"), console=Console(stderr=True)) as display:
        task = display.add_task(what, total=None, now="")

        def advance(done: float, total: float | None, now: str) -> None:
            display.update(task, completed=done, total=total, now=now)

        yield advance
