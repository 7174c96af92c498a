"""The manifest of a recording: its id, its limits, and whether it has ended."""

from __future__ import annotations

import os
from contextlib import suppress
from json import dumps, loads
from time import perf_counter_ns
from typing import NamedTuple

from workbench.scopes import layout

FORMAT = "workbench recording"
MAX_SIZE = 1 << 20
"""Bytes of a manifest that are read: one with 100,000 ranks has about as many."""
MAX_BYTES = 1 << 30
"""Default limit of a recording."""
INITIAL_TIME_NAMESPACE = "time:[4026531834]"  # the same number on every Linux machine


class RecordingLimits(NamedTuple):
    """The largest size of a recording over all its processes, and what happens when it is reached."""

    max_bytes: int = MAX_BYTES
    when_full: str = "stop"
    """`stop` recording, or keep the `newest` segments of events."""


DEFAULT = RecordingLimits()


class Manifest(NamedTuple):
    """The content of a recording's manifest."""

    identity: str
    limits: RecordingLimits
    ended_ns: int = 0
    """When the `record()` block was left, in monotonic time of the boot `boot_id`; 0: not yet, or no block began it."""
    boot_id: str = ""
    job: str = ""
    """The parallel job whose ranks record here together."""
    ranks: tuple[int, ...] = ()
    """The ranks that have begun."""


def text(manifest: Manifest) -> str:
    """Return the text of a manifest's file."""
    content = {
        "format": FORMAT,
        "version": layout.VERSION,
        "id": manifest.identity,
        "max_bytes": manifest.limits.max_bytes,
        "when_full": manifest.limits.when_full,
    }
    if manifest.ended_ns:
        content |= {"ended_ns": manifest.ended_ns, "boot_id": manifest.boot_id}
    if manifest.job:
        content |= {"job": manifest.job, "ranks": list(manifest.ranks)}
    return dumps(content)


def is_ours(content: bytes) -> bool:
    """Return whether a file's content is a manifest."""
    try:
        found = loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is twice in one object")
    return found


def read(folder: str) -> Manifest | None:
    """Return the manifest of the recording in a folder; None if there is none."""
    try:
        with open(f"{folder}/{layout.MANIFEST}", encoding="utf-8") as file:  # noqa: PTH123
            content = loads(file.read(MAX_SIZE + 1), object_pairs_hook=_unique)
        limits = RecordingLimits(
            int(content.get("max_bytes", MAX_BYTES)), str(content.get("when_full", "stop"))
        )
        ended_ns, boot_id = int(content.get("ended_ns", 0)), str(content.get("boot_id", ""))
        ranks = tuple(int(rank) for rank in content.get("ranks", ()))
        job = str(content.get("job", ""))
        return Manifest(str(content.get("id")), limits, ended_ns, boot_id, job, ranks)
    except (OSError, ValueError, OverflowError, AttributeError, TypeError, RecursionError):
        return None


def end(folder: str, identity: str) -> None:
    """Write that a recording has ended, so that processes that inherited it stop recording."""
    manifest = read(folder)
    if manifest is None or manifest.identity != identity:
        return  # it was deleted or replaced
    with suppress(OSError):
        write(folder, manifest._replace(ended_ns=perf_counter_ns(), boot_id=boot_id()))


def write(folder: str, manifest: Manifest | bytes, *, is_new: bool = False) -> None:
    """Write a manifest, or its bytes, in one step; a new one (`is_new`) never replaces another.

    Raises:
        OSError: It cannot be written.
    """
    path = f"{folder}/{layout.MANIFEST}"
    unfinished = path if is_new else f"{folder}/.{layout.MANIFEST}.{os.urandom(8).hex()}"
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(manifest if isinstance(manifest, bytes) else text(manifest).encode())
        if not is_new:
            os.replace(unfinished, path)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)  # noqa: PTH108
        raise


def has_ended(folder: str, identity: str) -> bool:
    """Return whether the block that began a recording has ended it, or another recording has replaced it."""
    manifest = read(folder)
    return manifest is not None and (manifest.ended_ns != 0 or manifest.identity != identity)


def boot_id() -> str:
    """Return a text that is the same for all processes that share a clock; empty if unknown.

    It is the system's boot id and, in a time namespace of its own, that namespace.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123  pathlib takes 8 ms to import
            boot = file.read().strip()
    except OSError:
        return ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/time")  # noqa: PTH115
        if namespace != INITIAL_TIME_NAMESPACE:
            return f"{boot} {namespace}"
    return boot
