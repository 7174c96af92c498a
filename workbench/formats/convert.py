"""Writing a profile to a file or a pipe, whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.formats.registry import Format, format_of
from workbench.outputs import export
from workbench.profile import Profile

PIPE = "-"


def target_format(target: str, given: str | None = None) -> Format:
    """Return the format to write: the one that is given, or what the suffix says.

    Raises:
        InvalidInputError: It is not known, or cannot be written.
    """
    if target == PIPE and given is None:
        raise InvalidInputError(
            "a pipe has no name to tell its format: give one with --to, such as --to folded"
        )
    return format_of(target, given, reading=False)


def write_profile(profile: Profile, target: str, format_: Format) -> None:
    """Write a profile to a file, or to standard output for "-".

    A file appears, or changes, only when all of it is written. One that workbench did not write is never replaced.

    Raises:
        InvalidInputError: The profile cannot be written in this format, or a file that is not ours is in the way.
        WorkbenchError: The file cannot be written.
        OSError: Standard output cannot be written.
    """
    assert format_.write is not None
    if target == PIPE:
        format_.write(profile, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    write = format_.write
    try:
        export(Path(target), lambda path: write(profile, path))
    except OSError as error:
        raise WorkbenchError(f"cannot write {target}: {error.strerror}") from None
