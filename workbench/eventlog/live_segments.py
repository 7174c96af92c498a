"""The segments of a log while they are written: the chunks that have been added since the last time, and no more.

A segment may grow, be compressed, or be deleted at any moment. It is read by `pread`, because a mapped file that
somebody shortens would end this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.compression import MAX_SEGMENT, expanded
from workbench.eventlog.log_files import EVENT
from workbench.scopes import layout

FIRST_READ, LARGEST_READ = 64 * EVENT.itemsize, 1 << 20
"""Bytes: a chunk that is filled slowly is read in small pieces, one that is full in large ones."""


class Segment:
    """A file of a log, read in pieces. It is open from the first piece on until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header = b""
        self.damaged = False
        self._size = self._next = 0
        self._handle: int | None = None
        self._content: bytes | None = None
        """What was in a compressed file; empty where the file is gone."""

    def read(self, at: int, size: int) -> bytes:
        """Return some bytes; fewer where there are no more."""
        if self._handle is None and self._content is None:
            self._open()
        if self._content is not None:
            return self._content[at : at + size]
        try:
            return os.pread(self._handle or 0, size, at)
        except OSError:
            return b""

    def _open(self) -> None:
        self._content = b""
        try:
            if not self.path.is_file():
                return
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            if os.pread(handle, len(layout.GZIP), 0) != layout.GZIP:
                self._handle, self._content = handle, None
                return
            with os.fdopen(handle, "rb") as file:
                self._content = expanded(file.read(MAX_SEGMENT))
        except OSError:
            return

    def close(self) -> None:
        """Close the file until it is read again."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = self._content = None

    def has_header(self) -> bool:
        """Read the header anew; return whether it is there."""
        self.header = self.read(0, layout.HEADER_SIZE)
        if len(self.header) < layout.HEADER_SIZE or self.header[:8] != layout.MAGIC:
            self.damaged = any(self.header[:8])
            return False
        self._size = min(layout.HEADER.unpack_from(self.header)[3], MAX_SEGMENT)
        self._next = self._next or layout.HEADER_SIZE
        return True

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks that were added since the last call."""
        while self._next + layout.CHUNK.size <= self._size:
            head = self.read(self._next, layout.CHUNK.size)
            size, kind, track, _, _ = layout.CHUNK.unpack(head.ljust(layout.CHUNK.size, b"\0"))
            if size == 0:
                return
            if size < layout.CHUNK.size or size % 8 or self._next + size > self._size:
                self.damaged, self._next = True, self._size
                return
            yield Chunk(self, kind, track, self._next + layout.CHUNK.size, self._next + size)
            self._next += size


@dataclass
class Chunk:
    """A chunk's content, from the first byte on that has not been read."""

    segment: Segment
    kind: int
    track: int
    at: int
    stop: int

    def rest(self) -> bytes:
        """Return what has not been read, without taking it as read."""
        return self.segment.read(self.at, self.stop - self.at)

    def has_event(self) -> bool:
        """Return whether an event has been written where reading has stopped."""
        return any(self.segment.read(self.at, EVENT.itemsize)[-8:])

    def has_more(self) -> bool:
        """Return whether a record of samples has been written where reading has stopped."""
        return any(self.segment.read(self.at, 4))

    def events(self) -> list[NDArray[np.void]]:
        """Return the events that were written since the last call."""
        found = []
        size = FIRST_READ
        while self.stop - self.at >= EVENT.itemsize:
            data = self.segment.read(self.at, min(size, self.stop - self.at))
            rows = np.frombuffer(data, EVENT, len(data) // EVENT.itemsize)
            written = np.flatnonzero(rows["end"])
            if not len(written):
                break
            used = int(written[-1]) + 1
            found.append(rows[:used])
            self.at += used * EVENT.itemsize
            if used < len(rows) or len(data) < size:
                break
            size = min(4 * size, LARGEST_READ)
        return found
