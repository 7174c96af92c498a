"""What cannot be recorded: an exception, or one line on standard error if the program continues unrecorded."""

import sys


class RecordingError(RuntimeError):
    """A recording cannot be made; the message says why and what to do."""

    __module__ = "workbench"  # tracebacks show the public name
    refused = False
    """Whether the folder belongs to another writer, or has files that are not of a recording."""


def log_line(text: str) -> None:
    """Write one line to standard error if it is open. It never raises, because scopes must not."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"workbench: {text}\n")  # in one call: other processes write there too
    except (OSError, ValueError):  # closed, or nobody reads it
        pass
