"""The writer of one process's event log: segments, each a memory-mapped file, handed out in chunks."""

from __future__ import annotations

import mmap
import os
import sys
import time
from _thread import RLock
from contextlib import contextmanager, suppress
from errno import EAGAIN, EFAULT, EINVAL, ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM
from json import dumps
from typing import TYPE_CHECKING, Any

from workbench.scopes import engine, layout, manifests
from workbench.scopes.environment import member
from workbench.scopes.manifests import DEFAULT, RecordingLimits, boot_id

if TYPE_CHECKING:
    from collections.abc import Iterator

Buffer = mmap.mmap

if engine.name == "native":
    from workbench.scopes._native import map_file
else:

    def map_file(handle: int, size: int, /) -> mmap.mmap:
        """Return a mapped file; before 3.13 it keeps a duplicate of its descriptor, closed on exec."""
        options: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
        return mmap.mmap(handle, size, **options)


FIRST_SEGMENT = 1 << 13
"""Bytes of the first segment; each further one has twice as many, so that a short process leaves a few KiB."""
TEXT_CHUNK = 1 << 11
"""Bytes of a chunk of texts: with the first events, half of the first segment."""
MAX_SEGMENT_BYTES = 1 << 24
SAMPLES_PART = 8
"""Where the newest is kept and samples are taken, events leave them at least one part in so many of the room."""
MAX_TEXT_BYTES = 1 << 14
_FIRST_FREE = 3
"""The first descriptor after the standard streams."""
_POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE of Linux, which the module mmap does not name."""
_UNSUPPORTED = frozenset((EAGAIN, EINVAL, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM))


class FullError(OSError):
    """The recording has reached its `max_bytes`."""


class EndedError(OSError):
    """The recording has ended, here or in the process that began it."""


class LogWriter:
    """Hands out chunks of mapped memory, and writes the table of texts.

    The blocks of a segment are allocated before it is mapped, so a full disk is an `OSError` here and not a signal
    during a store. Events have segments of their own, because only they are deleted when the recording is full; names,
    tracks and open scopes must stay. Segments grow from 8 KiB, so a killed process leaves little unused space.
    """

    def __init__(self, folder: str, recording_id: str, limits: RecordingLimits = DEFAULT) -> None:
        self.folder = folder
        self.recording_id = recording_id
        self.limits = limits
        self.start_ns = time.perf_counter_ns()
        self.pid = os.getpid()
        self.key = f"{self.pid}-{self.start_ns:x}"
        """Prefix of the names of this process's files."""
        self._info = self._facts()
        self._number = 0
        self._lock = RLock()  # a signal handler may open a scope while its thread holds the lock
        self._events = _FreeSpace()
        self._texts = _FreeSpace()
        self._text_free = 0
        self._text_end = 0
        self._text_buffer: Buffer | None = None
        self._first: Buffer | None = None
        """The first segment: other processes read there whether this one has ended its log."""
        self.ended = False
        self.inherited = False
        """Whether another process began the recording; recording stops when that process ends it."""
        self._new_segment(self._texts, FIRST_SEGMENT)

    def chunk(self, kind: int, track: int, size: int) -> tuple[Buffer, int]:
        """Return (buffer, offset) of `size` zeroed bytes. Raises `OSError` without space."""
        with self._lock:
            return self._chunk(kind, track, size)

    def text(self, kind: int, number: int, text: str) -> None:
        """Append an entry to the table of texts; its length is written last, which commits it.

        Raises:
            OSError: There is no space, or the log has ended, so that no event refers to a missing text.
        """
        data = text.encode("utf-8", "surrogatepass")[:MAX_TEXT_BYTES]
        length = len(data)
        size = layout.TEXT.size + length + -length % 8
        with self._lock:
            if self.ended:
                raise EndedError("the recording has ended")
            if self._text_buffer is None or self._text_end - self._text_free < size:
                length_of_chunk = max(TEXT_CHUNK, size)
                buffer, at = self._chunk(layout.CHUNK_TEXT, 0, length_of_chunk)
                if self.ended:
                    raise EndedError("the recording has ended")
                self._text_buffer, self._text_free, self._text_end = buffer, at, at + length_of_chunk
            # Reserved before it is written, without a call in between: a signal handler may run after a call.
            buffer, at = self._text_buffer, self._text_free
            self._text_free = at + size
            try:
                memoryview(buffer)[at + layout.TEXT.size : at + layout.TEXT.size + length] = data
                layout.TEXT.pack_into(buffer, at, 0, kind, number)
            finally:  # else a reader would not find the texts that follow
                layout.TEXT_COMMIT.pack_into(buffer, at, length + 1)

    def end(self, stopped: int = 0) -> None:
        """Write when the log ended, and why if it ended early; unmap the segments."""
        now = time.perf_counter_ns()
        with self._lock:
            self.ended = True
            self._text_buffer = None
            segments = self._first, self._texts.segment, self._events.segment
            self._first = self._texts.segment = self._events.segment = None
            for segment in segments:
                if segment is not None:
                    layout.HEADER_STOPPED.pack_into(segment, layout.HEADER_STOPPED_AT, stopped)
                    layout.HEADER_END_NS.pack_into(segment, layout.HEADER_END_NS_AT, now)

    def _chunk(self, kind: int, track: int, size: int) -> tuple[Buffer, int]:
        if self.ended:
            raise EndedError("the recording has ended")
        whole = layout.CHUNK.size + size + -size % 8
        space = self._space(kind, whole)
        while space.end - space.free < whole:
            wanted = min(2 * space.end or FIRST_SEGMENT, MAX_SEGMENT_BYTES, self.limits.max_bytes >> 4)
            self._new_segment(space, max(wanted, layout.HEADER_SIZE + whole + -whole % mmap.PAGESIZE))
        # Reserved before it is written, without a call in between: a signal handler may take the next chunk.
        segment, at = space.segment, space.free
        space.free = at + whole
        if segment is None:
            raise EndedError("the recording has ended")
        # The size is written last: a chunk without it does not exist for a reader.
        try:
            layout.CHUNK.pack_into(segment, at, 0, kind, track, 0, 0)
        finally:
            layout.TEXT_COMMIT.pack_into(segment, at, whole)
        if kind == layout.CHUNK_EVENTS:
            _populate(segment, at, at + whole)
        return segment, at + layout.CHUNK.size

    def _space(self, kind: int, size: int) -> _FreeSpace:
        """Return where a chunk goes. The first events go among the texts, so that a short process has one segment."""
        if kind != layout.CHUNK_EVENTS:
            return self._texts
        may_stay = self.limits.when_full == "stop"  # else events must stay deletable
        is_first = self._texts.segment is self._first and not self._events.end
        if may_stay and is_first and size <= self._texts.end - self._texts.free:
            return self._texts
        return self._events

    def _new_segment(self, space: _FreeSpace, size: int) -> None:
        if self._over():
            raise EndedError(f"the recording in {self.folder} has ended")
        number = self._number
        self._number = number + 1
        self._make_space(size)
        kind = "e" if space is self._events else "t"
        path = f"{self.folder}/{self.key}-{kind}{number:04d}{layout.SUFFIX}"
        with _streams_taken():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _allocate(handle, size)
                segment = map_file(handle, size)
                os.pwrite(handle, self.header(size, number)[len(layout.MAGIC) :], len(layout.MAGIC))
                os.pwrite(handle, layout.MAGIC, 0)  # last, so that a reader finds no half-made segment
            except BaseException:
                os.unlink(path)  # noqa: PTH108  pathlib takes 8 ms to import
                raise
            finally:
                os.close(handle)
        if self.ended:  # meanwhile, on this thread: nothing may keep the segment mapped
            raise EndedError("the recording has ended")
        space.segment, space.free, space.end = segment, layout.HEADER_SIZE, size
        self._first = self._first or segment

    def _over(self) -> bool:
        """Return whether the process that began an inherited recording has ended it; checked for each segment."""
        return self.inherited and manifests.has_ended(self.folder, self.recording_id)

    def _make_space(self, size: int) -> None:
        """Keep the recording within its limit with a new segment of `size` bytes, or raise `FullError`."""
        if self._first is None:  # every process may write its first segment
            return
        segments = self._all_segments()
        excess = sum(bytes_ for _, _, bytes_ in segments) + size - self.limits.max_bytes
        if self.limits.when_full == "newest":
            sampled = [bytes_ for _, name, bytes_ in segments if _kind(name) == "s"]
            left = self.limits.max_bytes // SAMPLES_PART - sum(sampled)
            excess += (kept_free := max(0, left) if sampled else 0)
            # The newest events of each process stay, as do names, tracks and open scopes.
            newest = {name.rsplit("-", 1)[0]: name for _, name, _ in sorted(segments) if _kind(name) == "e"}
            for _, name, bytes_ in sorted(segments):
                if excess > 0 and _kind(name) == "e" and name not in newest.values():
                    excess -= self._delete_events(name, bytes_)
            excess -= kept_free
        if excess > 0:
            raise FullError(f"the recording has reached max_bytes={self.limits.max_bytes}")

    def _all_segments(self) -> list[tuple[int, str, int]]:
        """Return (time of the last change, name, bytes) of the segments of all processes."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(layout.SUFFIX):
                    with suppress(FileNotFoundError):  # another process has just deleted it
                        facts = entry.stat()
                        found.append((facts.st_ctime_ns, entry.name, facts.st_size))
        return found

    def _delete_events(self, name: str, size: int) -> int:
        """Delete a segment of events; return the bytes that it had."""
        try:
            os.unlink(f"{self.folder}/{name}")  # noqa: PTH108
        except FileNotFoundError:
            return size  # another process was faster, and has written it
        self.text(layout.TEXT_FULL, size, name)
        return size

    def header(self, size: int, number: int) -> memoryview:
        header = bytearray(layout.HEADER_SIZE)
        clocks = time.perf_counter_ns(), time.time_ns()
        fixed = (b"", layout.VERSION, layout.HEADER_SIZE, size, number, os.getpid(), os.getppid(), 0, *clocks)
        layout.HEADER.pack_into(header, 0, *fixed)
        info = self._info
        layout.HEADER_INFO_SIZE.pack_into(header, layout.HEADER_INFO_SIZE_AT, len(info))
        header[layout.HEADER_INFO_AT : layout.HEADER_INFO_AT + len(info)] = info
        return memoryview(header)

    def _facts(self) -> bytes:
        """Return the facts of the process that every segment's header has, as JSON."""
        words = getattr(sys, "orig_argv", None)  # a program may have put anything there
        command = [_as_text(word)[:200] for word in (words if isinstance(words, list) else [])[:8]]
        facts: dict[str, object] = {
            "recording": self.recording_id,
            "host": os.uname().nodename,
            "boot_id": boot_id(),
            "command": command,
            "python": sys.version.split()[0],
        }
        if (of_job := member()) is not None:
            facts["rank"] = of_job.rank
        info = dumps(facts).encode()
        if len(info) > layout.HEADER_SIZE - layout.HEADER_INFO_AT:
            info = dumps(facts | {"command": []}).encode()
        return info


class _FreeSpace:
    """The free part of the newest segment of one kind."""

    __slots__ = ("end", "free", "segment")

    def __init__(self) -> None:
        self.segment: Buffer | None = None
        self.free = 0
        self.end = 0


@contextmanager
def _streams_taken() -> Iterator[None]:
    """Occupy closed descriptors 0 to 2, so that what a program writes there does not go into a segment."""
    taken = []
    try:
        try:
            while (handle := os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)) < _FIRST_FREE:
                taken.append(handle)
            os.close(handle)
        except OSError as error:
            if error.filename != os.devnull:  # raised by a signal handler of the program
                raise
        yield
    finally:
        for handle in taken:
            os.close(handle)


def _allocate(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
    else:  # macOS
        for _ in range(0, size, 1 << 16):
            os.write(handle, bytes(min(1 << 16, size)))
        os.ftruncate(handle, size)


def _kind(name: str) -> str:
    """Return the letter of a segment's kind: e of events, s of samples (docs/event-log.md)."""
    return name.rpartition("-")[2][:1]  # the part before may have such letters of its own


def _populate(segment: Buffer, start: int, stop: int) -> None:
    """Make the kernel map all pages of a chunk at once, instead of one by one at the first store of a scope.

    The first store to a mapped page takes microseconds; all pages of a chunk together take a fraction of that each.
    On file systems that copy on write, a later store cannot fail for want of disk space either.

    Raises:
        OSError: The disk is full, whatever was allocated.
    """
    try:
        segment.madvise(_POPULATE_WRITE, start & -mmap.PAGESIZE, stop - (start & -mmap.PAGESIZE))
    except OSError as error:
        if error.errno == EFAULT:
            raise OSError(ENOSPC, os.strerror(ENOSPC)) from None
        # Linux before 5.14 and other systems do not support it. Any other OSError is a signal handler's.
        if error.errno not in _UNSUPPORTED:
            raise


def _as_text(argument: object) -> str:
    """Return a word of a command as text."""
    try:
        return str(argument)
    except Exception:  # noqa: BLE001  the argument's own code
        return f"<{type(argument).__name__}>"
