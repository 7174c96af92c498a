"""Folders on this host for logs of recordings whose own folder is not reachable from here.

They are in the directory for temporary files, where other users may write. So their parent is private to this user;
a parent that is not is refused. No other user can plant or read a log there.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from workbench.scopes import manifests
from workbench.scopes.error import RecordingError
from workbench.scopes.manifests import RecordingLimits


def local_folder(identity: str) -> str:
    """Return the folder on this host for logs of a recording whose own folder is not reachable from here.

    Raises:
        RecordingError: The id is not one of a recording.
    """
    if not identity or len(identity) > 64 or set(identity) - set("0123456789abcdef"):
        raise RecordingError(f"{identity!r} is no id of a recording")
    return f"{_base()}/{identity}"


def make(identity: str, limits: RecordingLimits) -> str:
    """Make the folder and its manifest if they do not exist; return the folder.

    Raises:
        RecordingError: It is not private to this user.
        OSError: It cannot be made.
    """
    folder = local_folder(identity)
    check_parent(tempfile.gettempdir())
    for path in (_base(), folder):
        with suppress(FileExistsError):
            Path(path).mkdir(0o700)
        check_private(path)
    if manifests.read(folder) is None:
        manifests.write(folder, manifests.Manifest(identity, limits))
    return folder


def check_private(path: str) -> None:
    """Raise `RecordingError` unless a path is a directory that only this user may read and write."""
    facts = Path(path).lstat()
    mine = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    if not mine or facts.st_mode & 0o077:
        raise RecordingError(
            f"{path} is not private to user {os.getuid()} (owner {facts.st_uid}, "
            f"mode {stat.S_IMODE(facts.st_mode):o}): remove it, or set TMPDIR to a directory of your own"
        )


def check_parent(path: str) -> None:
    """Raise `RecordingError` if other users could replace a directory inside a path."""
    facts = Path(path).stat()
    if facts.st_mode & 0o022 and not facts.st_mode & stat.S_ISVTX:
        raise RecordingError(
            f"others may replace what is in {path} (mode {stat.S_IMODE(facts.st_mode):o}): set its sticky bit, "
            "or set TMPDIR to a directory of your own"
        )


def _base() -> str:
    return f"{tempfile.gettempdir()}/workbench-{os.getuid()}"
