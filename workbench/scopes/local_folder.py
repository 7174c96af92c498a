"""Folders on this host for logs of recordings whose own folder is not reachable from here.

They stand under the directory for temporary files, in which others may write too. So the one that holds them is
private, and one that is not this user's alone is refused: nobody else can plant a log there, or read one.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from workbench.scopes import layout, manifests
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
    """Make the folder and its manifest, where they are not there yet; return it.

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
        handle, unfinished = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "w") as file:
            file.write(manifests.text(manifests.Manifest(identity, limits)))
        Path(unfinished).rename(f"{folder}/{layout.MANIFEST}")  # whole, or not there
    return folder


def check_private(path: str) -> None:
    """Raise `RecordingError` unless a path is a directory of this user in which nobody else may look or write."""
    facts = Path(path).lstat()
    mine = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    if not mine or facts.st_mode & 0o077:
        raise RecordingError(
            f"{path} is not private to user {os.getuid()} (owner {facts.st_uid}, "
            f"mode {stat.S_IMODE(facts.st_mode):o}): remove it, or set TMPDIR to a directory of your own"
        )


def check_parent(path: str) -> None:
    """Raise `RecordingError` where others could put a directory in the place of one that stands in a path."""
    facts = Path(path).stat()
    if facts.st_mode & 0o022 and not facts.st_mode & stat.S_ISVTX:
        raise RecordingError(
            f"others may replace what is in {path} (mode {stat.S_IMODE(facts.st_mode):o}): set its sticky bit, "
            "or set TMPDIR to a directory of your own"
        )


def _base() -> str:
    return f"{tempfile.gettempdir()}/workbench-{os.getuid()}"
