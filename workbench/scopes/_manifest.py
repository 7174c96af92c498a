"""The manifest of a recording: its id, by which processes join, its limits, and whether it has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from json import dumps, loads
from time import perf_counter_ns
from typing import NamedTuple

from workbench.scopes import _layout as layout
from workbench.scopes._error import RecordingError
from workbench.scopes._log import MAX_BYTES, Limits, boot_id

LEAST_BYTES = 1 << 20
WHEN_FULL = ("stop", "newest")


class Manifest(NamedTuple):
    """What a recording says of itself."""

    identity: str
    limits: Limits
    ended_ns: int = 0
    """When the block that recorded was left, on this boot's monotonic clock; 0: it was not, or is not a block."""
    boot_id: str = ""
    """The boot whose clock that is."""


def create(folder: str, *, replace: bool = False, limits: tuple[int, str] = (MAX_BYTES, "stop")) -> Manifest:
    """Make an empty recording in a folder.

    Raises:
        RecordingError: The folder holds a recording and `replace` is false, it cannot be written, or the
            limits cannot be used.
    """
    max_bytes, when_full = limits
    if max_bytes < LEAST_BYTES:
        raise RecordingError(
            f"max_bytes={max_bytes} is too little for a recording: give {LEAST_BYTES} or more"
        )
    if when_full not in WHEN_FULL:
        raise RecordingError(f"when_full={when_full!r}: choose one of {', '.join(WHEN_FULL)}")
    manifest = Manifest(os.urandom(8).hex(), Limits(max_bytes, when_full))
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103  pathlib takes 8 ms to import
        if replace:
            _delete(folder)
        handle = os.open(
            f"{folder}/{layout.MANIFEST}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644
        )
        with os.fdopen(handle, "w") as file:
            file.write(text(manifest))
    except FileExistsError:
        if not os.path.isdir(folder):  # noqa: PTH112
            raise RecordingError(f"cannot record into {folder}: it is a file; name a folder") from None
        raise RecordingError(
            f"{folder} already holds a recording: choose another folder, delete it, or give replace=True"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(
            f"cannot record into {folder}: {reason}; choose a folder that you may write"
        ) from None
    return manifest


def text(manifest: Manifest) -> str:
    """Return a manifest as it stands in its file."""
    content = {
        "format": "workbench recording",
        "version": layout.VERSION,
        "id": manifest.identity,
        "max_bytes": manifest.limits.max_bytes,
        "when_full": manifest.limits.when_full,
    }
    if manifest.ended_ns:
        content |= {"ended_ns": manifest.ended_ns, "boot_id": manifest.boot_id}
    return dumps(content)


def read(folder: str) -> Manifest | None:
    """Return the manifest of the recording in a folder, or None where there is none."""
    try:
        with open(f"{folder}/{layout.MANIFEST}") as file:  # noqa: PTH123
            content = loads(file.read())
        limits = Limits(int(content.get("max_bytes", MAX_BYTES)), str(content.get("when_full", "stop")))
        ended_ns, boot_id = int(content.get("ended_ns", 0)), str(content.get("boot_id", ""))
        return Manifest(str(content.get("id")), limits, ended_ns, boot_id)
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def end(folder: str, identity: str) -> None:
    """Say that a recording has ended, so that processes which inherited it and live on record no more into it."""
    manifest = read(folder)
    if manifest is None or manifest.identity != identity:
        return  # it was deleted, or replaced
    with suppress(OSError):
        unfinished = f"{folder}/.{layout.MANIFEST}.{os.getpid()}"
        with open(unfinished, "w") as file:  # noqa: PTH123
            file.write(text(manifest._replace(ended_ns=perf_counter_ns(), boot_id=boot_id())))
        os.replace(unfinished, f"{folder}/{layout.MANIFEST}")  # noqa: PTH105  whole, or as it was


def has_ended(folder: str) -> bool:
    """Return whether the recording in a folder was ended by the block that began it."""
    manifest = read(folder)
    return manifest is not None and manifest.ended_ns != 0


def _delete(folder: str) -> None:
    for name in os.listdir(folder):  # noqa: PTH208
        if name == layout.MANIFEST or name.endswith(layout.SUFFIX):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
