"""What is said where something cannot be recorded: an error, or one line where a program goes on without."""

import sys


class RecordingError(RuntimeError):
    """A recording cannot be made where it was asked for; the message says why and what to do."""

    __module__ = "workbench"  # as users know it: tracebacks show this name
    refused = False
    """Whether the folder is another's: somebody writes to it, or what it holds is not ours."""


def log_line(text: str) -> None:
    """Say one line on standard error, if there is one: a guard must not raise."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"workbench: {text}\n")  # at once: other processes write there, too
    except (OSError, ValueError):  # closed, or nobody reads it
        pass
