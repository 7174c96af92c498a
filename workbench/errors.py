"""The one family of errors that the workbench raises for bad input.

The command line prints any of them as one line and exits with `exit_code`; a library user catches
`WorkbenchError`, or `ValueError` where a value was wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkbenchError(Exception):
    """Something the user can put right; the message says what was wrong, with the value, and the remedy."""

    exit_code = 1


class InvalidInputError(WorkbenchError, ValueError):
    """A value that cannot be used: data, an option, a name, a file's content."""

    exit_code = 2


class InvalidOptionError(InvalidInputError):
    """An option of a call that cannot be used; the command line names it as its own flag."""

    def __init__(self, option: str, value: object, remedy: str) -> None:
        super().__init__(f"{option} {value}: {remedy}")
        self.option, self.value, self.remedy = option, value, remedy


def unknown_name(what: str, name: str, valid: Iterable[str]) -> InvalidInputError:
    """Return the error for a name that is not among `valid`, with the nearest valid one."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return InvalidInputError(f"unknown {what} {name!r}: {hint}choose one of {', '.join(names)}")
