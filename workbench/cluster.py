"""Logs of workers on other hosts, brought back through the engine that sent them their work."""

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
    """One segment of a log, on its way."""

    name: str
    checksum: int
    content: bytes
    """compressed: much of a segment is zeros"""


def gather(engine: Any, recording: Recording | str | os.PathLike[str]) -> list[Path]:
    """Bring the logs of workers that could not reach a recording's folder into it; return the new files.

    To be called when the work is done. What has arrived is deleted where it came from, so a second call brings
    what is new. Workers that reached the folder have nothing to bring.

    Args:
        engine: A dask `Client`, or a function that is given a function without arguments, runs it at least once on
            every host and returns the results.
        recording: The recording, or its folder.

    Raises:
        RecordingError: The folder holds no recording, or a worker sent what is no log.
    """
    folder = Path(recording.path if isinstance(recording, Recording) else recording)
    manifest = manifests.read(str(folder))
    if manifest is None:
        raise RecordingError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
    run = _runner(engine)
    written: list[Path] = []
    brought: dict[str, int] = {}
    for parcels in run(partial(collect, manifest.identity, os.urandom(8).hex())):
        for parcel in map(Parcel._make, parcels or ()):
            written.append(_write(folder, parcel))
            brought[parcel.name] = parcel.checksum
    if brought:
        list(run(partial(clear, manifest.identity, brought)))
    return written


def collect(identity: str, claim: str) -> list[tuple[str, int, bytes]]:
    """Return this host's logs of a recording, on a worker; of all that are asked on one host, one answers."""
    folder = Path(local_folder.local_folder(identity))
    try:
        local_folder.check_private(str(folder.parent))
        local_folder.check_private(str(folder))
        (folder / f"{_CLAIM}{claim}").touch(0o600, exist_ok=False)
    except (FileNotFoundError, FileExistsError):
        return []  # nothing here, or another process of this host was first
    parcels = []
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name):
            content = path.read_bytes()
            parcels.append((path.name, zlib.crc32(content), zlib.compress(content, 1)))
    return parcels


def clear(identity: str, brought: dict[str, int]) -> None:
    """Delete this host's logs of a recording that have arrived and not changed since, on a worker."""
    folder = Path(local_folder.local_folder(identity))
    try:
        local_folder.check_private(str(folder.parent))
        # Without a manifest the next call to come begins a new log, and does not go on with one that is deleted.
        (folder / layout.MANIFEST).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.name.startswith(_CLAIM) or zlib.crc32(path.read_bytes()) == brought.get(path.name):
                path.unlink(missing_ok=True)
        folder.rmdir()
    except OSError:
        return  # nothing here; something is left for the next time; or another process of this host was first


def _runner(engine: Any) -> Run:
    if hasattr(engine, "run") and hasattr(engine, "scheduler"):  # a dask client
        if getattr(engine, "asynchronous", False):
            raise RecordingError(
                "gather() waits for its workers: give it a dask Client that is not asynchronous"
            )
        return lambda function: engine.run(function).values()
    if not callable(engine):
        raise RecordingError(f"gather() takes a dask Client or a function that runs one, not {engine!r}")
    run: Run = engine
    return run


def _write(folder: Path, parcel: Parcel) -> Path:
    """Write a segment that arrived. Nothing in it is trusted: it is bytes, for the reader to check."""
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
        more += 1  # two hosts gave their processes the same number at the same time
        path = folder / f"{name[1]}{more:x}{name[2]}"
    unfinished = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return unfinished.replace(path)


def _origin(content: bytes) -> tuple[bytes, bytes]:
    """Return what a segment's header says of where it is from: all but the time of its end, which comes later."""
    end = layout.HEADER_END_NS_AT
    return content[:end], content[end + layout.HEADER_END_NS.size : layout.HEADER_SIZE]
