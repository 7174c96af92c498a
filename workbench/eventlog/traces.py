"""Snapshots of traced memory in a recording: what a process that traces its memory has in segments of their own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from workbench.eventlog.log_files import ProcessLog, chunks, content_of, with_header
from workbench.records import Count
from workbench.scopes import layout


class _Content(msgspec.Struct, frozen=True):
    """The content of a chunk, as docs/event-log.md describes it."""

    kind: str
    traced: Count
    peak: Count
    files: list[str]
    frames: list[tuple[int, int]]
    nodes: list[tuple[int, int]]
    stacks: list[tuple[int, Count, Count, int]]
    rest: tuple[Count, Count, Count]

    def __post_init__(self) -> None:
        """Check that numbers are those of what is there, so that nodes come before what is on top of them."""
        if not all(0 <= file < len(self.files) and line >= 0 for file, line in self.frames):
            raise ValueError("a frame is of no file")
        if not all(-1 <= below < i and 0 <= f < len(self.frames) for i, (below, f) in enumerate(self.nodes)):
            raise ValueError("a node is on none")
        if not all(-1 <= node < len(self.nodes) for node, *_ in self.stacks):
            raise ValueError("a stack ends in no node")


class MemorySnapshot(msgspec.Struct, frozen=True):
    """All traced blocks of a process at one moment, by stack."""

    pid: int
    rank: int | None
    command: str
    content: _Content

    @property
    def kind(self) -> str:
        """`end`: of the process's end; `last`: of an earlier moment; `peak`: near its largest memory."""
        return self.content.kind


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
    try:
        parsed = msgspec.json.decode(content.rstrip(b"\0"), type=_Content)
    except ValueError:
        return None
    return MemorySnapshot(log.pid, log.facts.get("rank"), log.command, parsed)
