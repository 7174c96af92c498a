"""The error of a recording that cannot be made."""


class RecordingError(RuntimeError):
    """A recording cannot be made where it was asked for; the message says why and what to do."""

    __module__ = "workbench"  # as users know it: tracebacks show this name
    refused = False
    """Whether the folder is another's: somebody writes to it, or what it holds is not ours."""
