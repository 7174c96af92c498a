"""Collecting logs of workers on other hosts, through the engine that sent them their work."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from workbench.scopes import Recording, RecordingError, layout, local_folder, manifests

__all__ = ["gather"]

MAX_LOG_BYTES = 1 << 30
_CLAIM = "claim-"
_NAME = re.compile(rf"([0-9]{{1,10}}-[0-9a-f]{{1,16}})(-[ets][0-9]{{4,9}}{re.escape(layout.SUFFIX)})")

Run = Callable[[Callable[[], object]], Iterable[Any]]


class Parcel(NamedTuple):
    """One segment of a log in transit."""

    name: str
    checksum: int
    content: bytes
    """compressed, because much of a segment is zeros"""


def gather(engine: Any, recording: Recording | str | os.PathLike[str]) -> list[Path]:
    """Copy the logs of workers that could not reach a recording's folder into it; return the new files.

    Call it when the work is done. Logs that have arrived are deleted on their host, so a second call copies only new
    ones. Workers that reached the folder have none.

    Args:
        engine: A dask `Client`, or a function that takes a function without arguments, runs it at least once on
            every host and returns the results.
        recording: The recording, or its folder.

    Raises:
        RecordingError: The folder holds no recording, or a worker sent something else than a log.
    """
    folder = Path(recording.path if isinstance(recording, Recording) else recording)
    manifest = manifests.read(str(folder))
    if manifest is None:
        raise RecordingError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
    run = _runner(engine)
    written: list[Path] = []
    arrived: dict[str, int] = {}
    for parcels in run(partial(collect, manifest.identity, os.urandom(8).hex())):
        for parcel in map(Parcel._make, parcels or ()):
            written.append(_write(folder, parcel))
            arrived[parcel.name] = parcel.checksum
    if arrived:
        list(run(partial(clear, manifest.identity, arrived)))
    return written


def collect(identity: str, claim: str) -> list[tuple[str, int, bytes]]:
    """Return this host's logs of a recording, on a worker; only one worker of each host answers."""
    folder = Path(local_folder.local_folder(identity))
    try:
        local_folder.check_private(str(folder.parent))
        local_folder.check_private(str(folder))
        (folder / f"{_CLAIM}{claim}").touch(0o600, exist_ok=False)
    except (FileNotFoundError, FileExistsError):
        return []  # no logs here, or another process of this host was first
    parcels = []
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name):
            content = path.read_bytes()
            parcels.append((path.name, zlib.crc32(content), zlib.compress(content, 1)))
    return parcels


def clear(identity: str, arrived: dict[str, int]) -> None:
    """Delete this host's logs that have arrived and not changed since, on a worker."""
    folder = Path(local_folder.local_folder(identity))
    try:
        local_folder.check_private(str(folder.parent))
        # Without a manifest the next propagated call begins a new log.
        (folder / layout.MANIFEST).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.name.startswith(_CLAIM) or zlib.crc32(path.read_bytes()) == arrived.get(path.name):
                path.unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        return  # no logs here, some not yet collected, or another process of this host was first


def _runner(engine: Any) -> Run:
    if hasattr(engine, "run") and hasattr(engine, "scheduler"):  # a dask client
        if getattr(engine, "asynchronous", False):
            raise RecordingError("gather() needs a dask Client that is not asynchronous")
        return lambda function: engine.run(function).values()
    if not callable(engine):
        raise RecordingError(f"gather() takes a dask Client or a function that runs one, not {engine!r}")
    run: Run = engine
    return run


def _write(folder: Path, parcel: Parcel) -> Path:
    """Write a segment that arrived. Its content is not trusted; the reader checks it."""
    name = _NAME.fullmatch(parcel.name)
    unpack = zlib.decompressobj()
    try:
        content = unpack.decompress(parcel.content, MAX_LOG_BYTES)
    except zlib.error as error:
        raise RecordingError(f"a worker sent a damaged log, {parcel.name!r}: {error}") from None
    if name is None or unpack.unconsumed_tail or zlib.crc32(content) != parcel.checksum:
        raise RecordingError(f"a worker sent what is no log of this recording: {parcel.name!r}")
    path = folder / parcel.name
    more = 0
    while path.exists() and _origin(path.read_bytes()) != _origin(content):
        more += 1  # two hosts gave a process the same pid at the same time
        path = folder / f"{name[1]}{more:x}{name[2]}"
    unfinished = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return unfinished.replace(path)


def _origin(content: bytes) -> tuple[bytes, bytes]:
    """Return the parts of a segment's header that identify it: all but its end time, which is written later."""
    end = layout.HEADER_END_NS_AT
    return content[:end], content[end + layout.HEADER_END_NS.size : layout.HEADER_SIZE]
