"""Writing a profile to a file or a pipe, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.formats.registry import Format, format_of
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

    A file appears, or changes, only when all of it is written.

    Raises:
        InvalidInputError: The profile cannot be written in this format.
        WorkbenchError: The file cannot be written.
        OSError: Standard output cannot be written.
    """
    assert format_.write is not None
    if target == PIPE:
        format_.write(profile, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            format_.write(profile, path)  # a device, or a named pipe
            return
        path = path.resolve()  # a link stays one
        part = path.with_name(f".{os.getpid()}.part.{path.name}")
        try:
            format_.write(profile, part)
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except OSError as error:
        raise WorkbenchError(f"cannot write {target}: {error.strerror}") from None
