"""Files that a user names: a new one, or one that was written like this before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from workbench.outputs.files import Files, InTheWayError, prefix
from workbench.scopes import locks

ANOTHER_FILE = "choose another name, or delete it"


def check_export(path: Path) -> Path:
    """Return the file that a user's name stands for: a new one, one of ours, or a device or a pipe. Links are followed.

    Raises:
        InTheWayError: It was not written by workbench.
    """
    path = Path(os.path.realpath(path))
    if path.is_file() and not Files.read(path.parent).owns(path.name):
        raise InTheWayError(f"{path.name} in {path.parent} was not written by workbench: {ANOTHER_FILE}")
    return path


def export(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that a user names, whole or not at all; its mode is as the user's umask says.

    Args:
        path: Where to: a new file, one that was written like this before, or a device or a pipe.
        write: Writes to the file that it is given.

    Raises:
        InTheWayError: The file that is there is not ours.
        OSError: It cannot be written.
    """
    target = check_export(path)
    if target.is_dir():
        raise IsADirectoryError(21, os.strerror(21))
    if target.exists() and not target.is_file():
        write(target)
        return
    part = target.with_name(f"{prefix(os.urandom(8).hex())}{target.name}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        write(part)
        with locks.changing(str(target.parent)):
            check_export(target)
            Files.read(target.parent).place(part, target.name)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
