"""The one family of errors that the workbench raises for bad input.

The command line prints any of them as one line and exits with `exit_code`; a library user catches
`WorkbenchError`, or `ValueError` where a value was wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import Enum


class Remedy(Enum):
    """What the user can do about an error; the command line names its own option for it."""

    ANOTHER_FOLDER = "choose another folder"
    WAIT_OR_ANOTHER_FOLDER = "wait for its end, or choose another folder"
    LOWER_RATE = "use a lower rate"
    ANOTHER_RATE = "try another rate"
    NO_NATIVE = "sample without native frames"
    SAMPLE_IN_PROCESS = "use the in-process sampler"
    SAMPLE_BY_PY_SPY = "use py-spy"
    SAMPLE_BY_PYINSTRUMENT = "use pyinstrument"
    CALIBRATE = "calibrate this machine"
    MEASURE_COST = "measure the cost of a program"


class WorkbenchError(Exception):
    """An error that the user can correct; the message has the value that was wrong, and the remedy."""

    exit_code = 1

    def __init__(self, text: object = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(text if remedy is None else f"{text}; {remedy.value}")
        self.problem, self.remedy = str(text), remedy


class InvalidInputError(WorkbenchError, ValueError):
    """A value that cannot be used: data, an option, a name, a file's content."""

    exit_code = 2


class InvalidOptionError(InvalidInputError):
    """An option of a call that cannot be used; the command line names it as its own flag."""

    def __init__(self, option: str, value: object, advice: str) -> None:
        super().__init__(f"{option} {value}: {advice}")
        self.option, self.value, self.advice = option, value, advice


def unknown_name(what: str, name: str, valid: Iterable[str]) -> InvalidInputError:
    """Return the error for a name that is not among `valid`, with the nearest valid one."""
    names = sorted(valid)
    if not names:
        return InvalidInputError(f"unknown {what} {name!r}: there is no {what}, so leave it out")
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return InvalidInputError(f"unknown {what} {name!r}: {hint}choose one of {', '.join(names)}")
