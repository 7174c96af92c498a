"""The writer of one process's event log: segments, each a mapped file, handed out in chunks."""

from __future__ import annotations

import mmap
import os
import sys
import time
from _thread import RLock
from json import dumps
from typing import Any

from workbench.scopes import _layout as layout

Buffer = mmap.mmap

# Before 3.13 a mapping keeps a duplicate of its descriptor, closed on exec.
_MAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}

FIRST_SEGMENT = 1 << 18
LARGEST_SEGMENT = 1 << 24
LONGEST_TEXT = 1 << 14


class LogWriter:
    """Hands out chunks of mapped memory, and keeps the table of texts.

    The blocks of a segment are allocated before it is mapped: a full disk is an `OSError` here, and never
    a signal in the middle of a store.
    """

    def __init__(self, folder: str, recording_id: str) -> None:
        self.folder = folder
        self.recording_id = recording_id
        self.start_ns = time.perf_counter_ns()
        self._number = 0
        self._segments: list[Buffer] = []
        self._lock = RLock()  # a signal handler may open a guard while its own thread holds the lock
        self._segment: Buffer
        self._free = 0
        self._end = 0
        self._text_free = 0
        self._text_end = 0
        self._text_buffer: Buffer | None = None
        self._new_segment(FIRST_SEGMENT)

    def chunk(self, kind: int, track: int, size: int) -> tuple[Buffer, int]:
        """Return (buffer, offset) of `size` zeroed bytes. Raises `OSError` when there is no room."""
        with self._lock:
            return self._chunk(kind, track, size)

    def text(self, kind: int, number: int, text: str) -> None:
        """Append an entry to the table of texts; its length is written last, which commits it."""
        data = text.encode("utf-8", "surrogatepass")[:LONGEST_TEXT]
        size = layout.TEXT.size + len(data) + -len(data) % 8
        with self._lock:
            if self._text_buffer is None or self._text_end - self._text_free < size:
                room = max(4096, size)
                buffer, at = self._chunk(layout.CHUNK_TEXT, 0, room)
                self._text_buffer, self._text_free, self._text_end = buffer, at, at + room
            buffer, at = self._text_buffer, self._text_free
            self._text_free = at + size
            layout.TEXT.pack_into(buffer, at, 0, kind, number)
            buffer[at + layout.TEXT.size : at + layout.TEXT.size + len(data)] = data
            layout.TEXT_COMMIT.pack_into(buffer, at, len(data) + 1)

    def end(self) -> None:
        """Write the time at which recording ended into every segment."""
        now = time.perf_counter_ns()
        for segment in self._segments:
            layout.HEADER_END_NS.pack_into(segment, layout.HEADER_END_NS_AT, now)

    def _chunk(self, kind: int, track: int, size: int) -> tuple[Buffer, int]:
        whole = layout.CHUNK.size + size + -size % 8
        while self._end - self._free < whole:
            wanted = min(2 * self._end, LARGEST_SEGMENT)
            self._new_segment(max(wanted, layout.HEADER_SIZE + whole))
        # Reserved before it is written, with no call in between: a signal handler may take the next.
        segment, at = self._segment, self._free
        self._free = at + whole
        # The size comes first in the bytes and last in time: it is what makes the chunk exist.
        layout.CHUNK.pack_into(segment, at, 0, kind, track, 0, 0)
        layout.TEXT_COMMIT.pack_into(segment, at, whole)
        return segment, at + layout.CHUNK.size

    def _new_segment(self, size: int) -> None:
        number = self._number
        self._number = number + 1
        path = f"{self.folder}/{os.getpid()}-{self.start_ns:x}-{number:04d}{layout.SUFFIX}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _allocate(handle, size)
            segment = mmap.mmap(handle, size, **_MAP_OPTIONS)
        except OSError:
            os.unlink(path)  # noqa: PTH108  pathlib takes 8 ms to import
            raise
        finally:
            os.close(handle)
        self._write_header(segment, size, number)
        self._segments.append(segment)
        self._segment, self._free, self._end = segment, layout.HEADER_SIZE, size

    def _write_header(self, segment: Buffer, size: int, number: int) -> None:
        facts = self._facts()
        info = dumps(facts).encode()
        if len(info) > layout.HEADER_SIZE - layout.HEADER_INFO_AT:
            info = dumps(facts | {"command": []}).encode()
        segment[layout.HEADER_INFO_AT : layout.HEADER_INFO_AT + len(info)] = info
        layout.HEADER_INFO_SIZE.pack_into(segment, layout.HEADER_INFO_SIZE_AT, len(info))
        layout.HEADER.pack_into(
            segment,
            0,
            b"",
            layout.VERSION,
            layout.HEADER_SIZE,
            size,
            number,
            os.getpid(),
            os.getppid(),
            0,
            time.perf_counter_ns(),
            time.time_ns(),
        )
        segment[: len(layout.MAGIC)] = layout.MAGIC  # last: it makes the segment exist

    def _facts(self) -> dict[str, object]:
        command = [argument[:200] for argument in (sys.orig_argv[:1] + sys.argv)[:8]]
        return {
            "recording": self.recording_id,
            "host": os.uname().nodename,
            "boot_id": _boot_id(),
            "command": command,
            "python": sys.version.split()[0],
        }


def _allocate(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:  # macOS
        for _ in range(0, size, 1 << 16):
            os.write(handle, bytes(min(1 << 16, size)))
        os.ftruncate(handle, size)


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123  pathlib takes 8 ms to import
            return file.read().strip()
    except OSError:
        return ""
