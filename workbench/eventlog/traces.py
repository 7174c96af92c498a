"""Snapshots of traced memory in a recording: what a process that traces its memory has in segments of their own."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from workbench.eventlog.log_files import ProcessLog, chunks, content_of, with_header
from workbench.records import Count
from workbench.scopes import layout


class _Content(msgspec.Struct, frozen=True):
    """The JSON of a chunk, as docs/event-log.md describes it."""

    kind: str
    traced: Count
    peak: Count
    files: list[str]
    frames: list[tuple[int, int]]
    stacks: list[tuple[Count, Count, Count, int]]
    rest: tuple[Count, Count, Count]

    def __post_init__(self) -> None:
        """Check that frames are of files that are there."""
        if not all(0 <= file < len(self.files) and line >= 0 for file, line in self.frames):
            raise ValueError("a frame is of no file")


class TracedStack(NamedTuple):
    """Blocks that were allocated with one stack."""

    frames: list[int]
    """Numbers in `MemorySnapshot.frames`, outermost first."""
    size: int
    """Bytes of all of them."""
    blocks: int
    is_cut: bool
    """Whether there are more frames, outside of these."""


@dataclass(frozen=True)
class MemorySnapshot:
    """All traced blocks of a process at one moment, by stack."""

    pid: int
    rank: int | None
    command: str
    kind: str
    """`end`: of the process's end; `last`: of an earlier moment; `peak`: near its largest memory."""
    traced: int
    """Traced memory then, in bytes."""
    peak: int
    """The largest until then."""
    frames: list[tuple[str, int]]
    """The file and the line of each frame."""
    stacks: list[TracedStack]
    rest: tuple[int, int, int]
    """Bytes, blocks and number of the stacks that were left out, because there were too many."""


def has_snapshots(folder: Path) -> bool:
    """Return whether a recording has any snapshot."""
    return any(folder.glob(f"*-m*{layout.SUFFIX}"))


def read_snapshots(folder: Path, *, rank: int | None = None) -> list[MemorySnapshot]:
    """Return the snapshots of a recording; those that are damaged or unfinished are left out.

    Raises:
        InvalidInputError: A segment is of another version.
    """
    found: dict[tuple[str, str], MemorySnapshot] = {}
    for path in sorted(folder.glob(f"*-m*{layout.SUFFIX}")):
        key = path.stem.rpartition("-")[0]
        data = content_of(path)
        if len(data) < layout.HEADER_SIZE or not data.startswith(layout.MAGIC):
            continue
        log = with_header(None, key, data, path)
        if rank is not None and log.facts.get("rank") != rank:
            continue
        for kind, _, start, stop in chunks(data, log):
            if kind == layout.CHUNK_TRACES and (snapshot := _snapshot(data[start:stop], log)) is not None:
                found[key, snapshot.kind] = snapshot  # a newer one replaces the one before it
    return list(found.values())


def _snapshot(content: bytes, log: ProcessLog) -> MemorySnapshot | None:
    start = layout.TRACES.size
    try:
        (size,) = layout.TRACES.unpack_from(content)
        head = msgspec.json.decode(content[start : start + size], type=_Content)
        numbers = np.frombuffer(content, "<u4", offset=start + size + -size % 8)
    except (ValueError, struct.error):
        return None
    stops = np.cumsum([depth for depth, *_ in head.stacks], dtype=np.int64).tolist()
    if stops and (stops[-1] > len(numbers) or int(numbers.max(initial=0)) >= max(len(head.frames), 1)):
        return None
    stacks = [
        TracedStack(numbers[stop - depth : stop][::-1].tolist(), size, blocks, bool(is_cut))
        for stop, (depth, size, blocks, is_cut) in zip(stops, head.stacks, strict=True)
    ]
    frames = [(head.files[file], line) for file, line in head.frames]
    return MemorySnapshot(
        log.pid,
        log.facts.get("rank"),
        log.command,
        head.kind,
        head.traced,
        head.peak,
        frames,
        stacks,
        head.rest,
    )
