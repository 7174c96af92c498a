"""The writer of one process's event log: segments, each a mapped file, handed out in chunks."""

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

from workbench.scopes import layout, manifests
from workbench.scopes.environment import member
from workbench.scopes.manifests import DEFAULT, RecordingLimits, boot_id

if TYPE_CHECKING:
    from collections.abc import Iterator

Buffer = mmap.mmap

# Before 3.13 a mapping keeps a duplicate of its descriptor, closed on exec.
_MAP_OPTIONS: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}

FIRST_SEGMENT = 1 << 13  # twice as large each time: a short process leaves a few KB
TEXT_CHUNK = 1 << 11  # with the first events, half of the first segment
MAX_SEGMENT_BYTES = 1 << 24
MAX_TEXT_BYTES = 1 << 14
FIRST_FREE = 3  # the first descriptor that is no standard stream
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of Linux; the module mmap has no name for it
_NOT_TO_BE_HAD = frozenset((EAGAIN, EINVAL, ENOMEM, ENOSYS, EOPNOTSUPP, EPERM))


class FullError(OSError):
    """The recording has reached its `max_bytes`."""


class EndedError(OSError):
    """The recording has ended, or the one that this process inherited."""


class LogWriter:
    """Hands out chunks of mapped memory, and keeps the table of texts.

    The blocks of a segment are allocated before it is mapped: a full disk is an `OSError` here, and never
    a signal in the middle of a store. Events have segments of their own, because they alone may be given up
    when the recording is full: names, tracks and open scopes must outlive them. Segments grow from 8 KiB on, so that
    a process that is killed leaves little more than what it has written.
    """

    def __init__(self, folder: str, recording_id: str, limits: RecordingLimits = DEFAULT) -> None:
        self.folder = folder
        self.recording_id = recording_id
        self.limits = limits
        self.start_ns = time.perf_counter_ns()
        self.pid = os.getpid()
        self.key = f"{self.pid}-{self.start_ns:x}"
        """What tells this process's files from others'."""
        self._info = self._facts()
        self._number = 0
        self._lock = RLock()  # a signal handler may open a guard while its own thread holds the lock
        self._events = _FreeSpace()
        self._texts = _FreeSpace()
        self._text_free = 0
        self._text_end = 0
        self._text_buffer: Buffer | None = None
        self._first: Buffer | None = None
        """the first segment, in which others look up whether this process has ended its recording"""
        self.ended = False
        self.inherited = False
        """Whether the recording is another process's, to be left when that ends it."""
        self._new_segment(self._texts, FIRST_SEGMENT)

    def chunk(self, kind: int, track: int, size: int) -> tuple[Buffer, int]:
        """Return (buffer, offset) of `size` zeroed bytes. Raises `OSError` when there is no room."""
        with self._lock:
            return self._chunk(kind, track, size)

    def text(self, kind: int, number: int, text: str) -> None:
        """Append an entry to the table of texts; its length is written last, which commits it.

        Raises:
            OSError: There is no room, or the log has ended: nothing may refer to a text that is not there.
        """
        data = text.encode("utf-8", "surrogatepass")[:MAX_TEXT_BYTES]
        length = len(data)
        size = layout.TEXT.size + length + -length % 8
        with self._lock:
            if self.ended:
                raise EndedError("the recording has ended")
            if self._text_buffer is None or self._text_end - self._text_free < size:
                room = max(TEXT_CHUNK, size)
                buffer, at = self._chunk(layout.CHUNK_TEXT, 0, room)
                self._text_buffer, self._text_free, self._text_end = buffer, at, at + room
            # Reserved before it is written, with no call in between, after which a signal's handler may raise.
            buffer, at = self._text_buffer, self._text_free
            self._text_free = at + size
            try:
                buffer[at + layout.TEXT.size : at + layout.TEXT.size + length] = data
                layout.TEXT.pack_into(buffer, at, 0, kind, number)
            finally:  # even then: what stands behind must be found
                layout.TEXT_COMMIT.pack_into(buffer, at, length + 1)

    def end(self, stopped: int = 0) -> None:
        """Write the time at which recording ended, and why if that was before its time; let the segments go."""
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
        room = self._room(kind, whole)
        while room.end - room.free < whole:
            wanted = min(2 * room.end or FIRST_SEGMENT, MAX_SEGMENT_BYTES, self.limits.max_bytes >> 4)
            self._new_segment(room, max(wanted, layout.HEADER_SIZE + whole + -whole % mmap.PAGESIZE))
        # Reserved before it is written, with no call in between: a signal handler may take the next.
        segment, at = room.segment, room.free
        room.free = at + whole
        if segment is None:
            raise EndedError("the recording has ended")
        # The size comes first in the bytes and last in time: it is what makes the chunk exist.
        try:
            layout.CHUNK.pack_into(segment, at, 0, kind, track, 0, 0)
        finally:
            layout.TEXT_COMMIT.pack_into(segment, at, whole)
        if kind == layout.CHUNK_EVENTS:
            _populate(segment, at, at + whole)
        return segment, at + layout.CHUNK.size

    def _room(self, kind: int, size: int) -> _FreeSpace:
        """Return where a chunk goes. The first events are among the texts, so that a short process has one segment."""
        if kind != layout.CHUNK_EVENTS:
            return self._texts
        may_stay = self.limits.when_full == "stop"  # else they are to be given up one day
        is_first = self._texts.segment is self._first and not self._events.end
        if may_stay and is_first and size <= self._texts.end - self._texts.free:
            return self._texts
        return self._events

    def _new_segment(self, room: _FreeSpace, size: int) -> None:
        if self._over():
            raise EndedError(f"the recording in {self.folder} has ended")
        number = self._number
        self._number = number + 1
        self._make_way(size)
        kind = "e" if room is self._events else "t"
        path = f"{self.folder}/{self.key}-{kind}{number:04d}{layout.SUFFIX}"
        with _streams_taken():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _allocate(handle, size)
                segment = mmap.mmap(handle, size, **_MAP_OPTIONS)
                os.pwrite(handle, self.header(size, number)[len(layout.MAGIC) :], len(layout.MAGIC))
                os.pwrite(handle, layout.MAGIC, 0)  # last: it makes the segment exist
            except BaseException:
                os.unlink(path)  # noqa: PTH108  pathlib takes 8 ms to import
                raise
            finally:
                os.close(handle)
        room.segment, room.free, room.end = segment, layout.HEADER_SIZE, size
        self._first = self._first or segment

    def _over(self) -> bool:
        """Return whether whoever began the recording has ended it: looked up for each further segment."""
        if not self.inherited:
            return False
        return manifests.has_ended(self.folder, self.recording_id)

    def _make_way(self, size: int) -> None:
        """See to it that a segment of `size` bytes keeps the recording within its limit, or raise."""
        if self._first is None:  # every process may say what it is
            return
        segments = self._all_segments()
        excess = sum(bytes_ for _, _, bytes_ in segments) + size - self.limits.max_bytes
        if excess <= 0:
            return
        if self.limits.when_full == "newest":
            # What a process wrote last is kept, and so are names, tracks and open scopes.
            newest = {name.rsplit("-", 1)[0]: name for _, name, _ in sorted(segments) if _is_of_events(name)}
            for _, name, bytes_ in sorted(segments):
                if excess > 0 and _is_of_events(name) and name not in newest.values():
                    excess -= self._give_up(name, bytes_)
        if excess > 0:
            raise FullError(f"the recording has reached max_bytes={self.limits.max_bytes}")

    def _all_segments(self) -> list[tuple[int, str, int]]:
        """Return (time of the last change, name, bytes) of the segments of all processes."""
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(layout.SUFFIX):
                    with suppress(FileNotFoundError):  # another process gave it up just now
                        facts = entry.stat()
                        found.append((facts.st_ctime_ns, entry.name, facts.st_size))
        return found

    def _give_up(self, name: str, size: int) -> int:
        """Delete a segment of events; return the bytes that it had."""
        try:
            os.unlink(f"{self.folder}/{name}")  # noqa: PTH108
        except FileNotFoundError:
            return size  # another process was faster, and says so
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
        """Return what every segment's header says of the process."""
        words = getattr(sys, "orig_argv", None)  # a program may put anything there
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
    """Take descriptors 0 to 2 where they are closed: what a program writes there must not go into a file of ours."""
    taken = []
    try:
        try:
            while (handle := os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)) < FIRST_FREE:
                taken.append(handle)
            os.close(handle)
        except OSError as error:
            if error.filename != os.devnull:  # what a signal's handler raised here is the program's
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


def _is_of_events(name: str) -> bool:
    return name.rpartition("-")[2].startswith("e")  # what stands before may have an e of its own


def _populate(segment: Buffer, start: int, stop: int) -> None:
    """Let the file system ready the pages of a chunk at once, which it would do one by one in the middle of guards.

    The first store to a mapped page takes some microseconds; all pages of a chunk together, a fraction of that each.
    Nor can such a store fail any more, where a file system takes the blocks of a page anew when it is written.

    Raises:
        OSError: There is no room on the disk, whatever was allocated.
    """
    try:
        segment.madvise(_POPULATE_WRITE, start & -mmap.PAGESIZE, stop - (start & -mmap.PAGESIZE))
    except OSError as error:
        if error.errno == EFAULT:
            raise OSError(ENOSPC, os.strerror(ENOSPC)) from None
        # Linux before 5.14 and other systems do not know it: then each store pays for its page. What a signal's
        # handler raises here may be an OSError too, and is the program's.
        if error.errno not in _NOT_TO_BE_HAD:
            raise


def _as_text(argument: object) -> str:
    """Return a word of a command as text."""
    try:
        return str(argument)
    except Exception:  # noqa: BLE001  the argument's own code
        return f"<{type(argument).__name__}>"
