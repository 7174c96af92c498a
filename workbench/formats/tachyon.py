"""Tachyon's binary files: what `python -m profiling.sampling run --binary` writes, from CPython 3.15 on.

Written from CPython's InternalDocs/profiling_binary_format.md. A header, the samples (plain or as Zstandard data), a
table of texts, a table of frames, and a footer. Samples follow each other in the order of time; each states its thread,
and its stack by what differs from the stack before of the same thread. Numbers of a fixed size have the byte order of
the machine that wrote them, which the first four bytes show.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.formats._numbers import MAX_NS
from workbench.formats.source import PIECE, Source, check_tracks, max_expanded, reading
from workbench.profile import (
    ROOT,
    WAITING_FOR_GIL,
    FileFacts,
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    Samples,
    StackTable,
    Track,
    is_own,
    profile_of,
)
from workbench.profile.row_selection import side_by_side

MAGIC = 0x54414348
STARTS = (struct.pack("<I", MAGIC), struct.pack(">I", MAGIC))
"""What a file begins with, by the byte order of its machine."""
VERSION = 1
MAX_SAMPLES = 1 << 25
HEADER, FOOTER, STATISTICS = "IIBBBBQQQIQQII", "IIQ16s", "ddddII8sII"
_REPEAT, _FULL, _SUFFIX, _POP_PUSH = range(4)
_HAS_GIL, _WAITS_FOR_GIL, _IS_MAIN = 1, 8, 32
_HAS_FAILED, _HAS_MISSED = 1, 2
_PLAIN, _ZSTD = range(2)
_MODES = {1: "wall", 2: "cpu", 3: "gil", 5: "exception"}
_NOTEWORTHY = 1.0
"""Per cent of samples that failed or were missed."""


class _TachyonHead(NamedTuple):
    """The fields of the header and the footer that are used."""

    order: str
    python: tuple[int, int, int]
    start_us: int
    interval_us: int
    samples: int
    texts_at: int
    frames_at: int
    compression: int
    mode: int
    texts: int
    frames: int


@dataclass
class _TachyonThread:
    """The samples of one thread so far, and the stack of the last one."""

    now_us: int
    path: list[int] = field(default_factory=list)
    """Stacks, root first, each with one frame more."""
    lines: list[int] = field(default_factory=list)
    """Their stacks of lines."""
    is_main: bool = False
    at_us: array[int] = field(default_factory=lambda: array("q"))
    stack: array[int] = field(default_factory=lambda: array("i"))
    line: array[int] = field(default_factory=lambda: array("i"))


class _TachyonBytes:
    """Bytes, and how far they have been read."""

    def __init__(self, data: bytes, at: int, end: int, what: str) -> None:
        self.data, self.at, self.end, self.what = data, at, end, what

    def take(self, size: int) -> bytes:
        at = self.at
        self.at = at + size
        if self.at > self.end:
            raise ValueError(f"{self.what} end at byte {self.end}, inside an entry")
        return self.data[at : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number of seven bits a byte, the lowest first."""
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 127) << shift
            if byte < 128:
                if found >= 1 << 64:
                    break
                return found
            shift += 7
            if shift > 63:
                break
        raise ValueError(f"{self.what} have a number of more than 64 bits before byte {self.at}")

    def signed(self) -> int:
        """Return a number of which the lowest bit is the sign."""
        found = self.number()
        return found >> 1 ^ -(found & 1)


def read_tachyon(source: str | Path | Source) -> Profile:
    """Read samples, a track for each thread; each covers one interval of the profiler.

    Frames are functions, and `Samples.line` has the lines of the program's own. A thread that waited for the
    interpreter's lock has a frame on top with that name. Names of threads are not in the file.

    Raises:
        InvalidInputError: It cannot be read, was not finished, is damaged or of another version.
    """
    with reading(source, "a binary file of profiling.sampling") as source:
        return _read(source)


def _read(source: Source) -> Profile:
    head = _head(source.data)
    texts = _texts(source.data, head)
    frames, of_frame, line_of_frame = _frames(source.data, head, texts)
    table, builder = StackTable(), ProfileBuilder(source.stem)
    place_of_frame = [
        builder.place(frames[i]._replace(line=line)) if is_own(frames[i].file) else ROOT
        for i, line in zip(of_frame, line_of_frame, strict=True)
    ]
    tables = table, builder.line_stacks
    threads = _samples(_sample_data(source, head), head, tables, of_frame, place_of_frame, len(frames) - 1)
    tracks = _tracks(threads, head.interval_us * 1000)
    facts = _facts(source.data, head)
    ends = [track.samples for track in tracks if track.samples is not None]
    bounds = (
        min((int(each.at_ns[0]) for each in ends), default=0),
        max((int(each.at_ns[-1] + each.weight_ns[-1]) for each in ends), default=0),
    )
    profile = profile_of(table, source.stem, frames, tracks, bounds, facts)
    return replace(profile, lines=builder.build().lines)


def _head(data: bytes) -> _TachyonHead:
    if not any(data[:64]):
        raise ValueError("it was not finished, as the profiler writes its header at the end")
    if data[:4] not in STARTS:
        raise ValueError(f"it begins with {data[:4]!r}")
    order = "<>"[STARTS.index(data[:4])]
    size = struct.calcsize(order + FOOTER)
    if len(data) < 64 + size:
        raise ValueError(f"it ends at byte {len(data)}")
    _, version, *python, _, start, interval, count, _, texts_at, frames_at, compression, mode = (
        struct.unpack_from(order + HEADER, data)
    )
    if version != VERSION:
        raise ValueError(
            f"its format is version {version}, of Python {python[0]}.{python[1]}, and {VERSION} is known"
        )
    texts, frames, whole, _ = struct.unpack_from(order + FOOTER, data, len(data) - size)
    if whole != len(data):
        raise ValueError(f"it has {len(data)} bytes and states {whole}")
    if not 64 <= texts_at <= frames_at <= len(data) - size:
        raise ValueError(f"its tables begin at bytes {texts_at} and {frames_at} of {len(data)}")
    if max(start, interval) > MAX_NS // 1000:
        raise ValueError(f"its time {max(start, interval)} µs is too large")
    if count > MAX_SAMPLES:
        raise ValueError(f"it has {count} samples, more than {MAX_SAMPLES}: record less")
    major, minor, micro = python
    # The three lowest bits alone are the mode: newer files have settings above them.
    return _TachyonHead(
        order,
        (major, minor, micro),
        start,
        interval,
        count,
        texts_at,
        frames_at,
        compression,
        mode & 7,
        texts,
        frames,
    )


def _texts(data: bytes, head: _TachyonHead) -> list[str]:
    rest = _TachyonBytes(data, head.texts_at, head.frames_at, "its texts")
    return [rest.take(rest.number()).decode("utf-8", "replace") for _ in range(head.texts)]


def _frames(data: bytes, head: _TachyonHead, texts: list[str]) -> tuple[list[Frame], list[int], list[int]]:
    """Return the distinct functions, a frame for waiting at the end, and of each frame its function and line."""
    rest = _TachyonBytes(data, head.frames_at, len(data) - struct.calcsize(head.order + FOOTER), "its frames")
    distinct: dict[Frame, int] = {}
    of_frame: list[int] = []
    line_of_frame: list[int] = []
    for number in range(head.frames):
        file, name, line = rest.number(), rest.number(), rest.signed()
        for _ in range(3):  # where the expression ends
            rest.signed()
        rest.byte()
        if max(file, name) >= len(texts):
            raise ValueError(f"frame {number} has text {max(file, name)} of {len(texts)}")
        # What is no Python function has no line: <native>, <GC>.
        frame = Frame(texts[name], texts[file]) if line >= 0 else Frame(texts[name], kind=FrameKind.NATIVE)
        of_frame.append(distinct.setdefault(frame, len(distinct)))
        line_of_frame.append(line if 0 < line < 1 << 31 else 0)
    return [*distinct, WAITING_FOR_GIL], of_frame, line_of_frame


def _sample_data(source: Source, head: _TachyonHead) -> bytes:
    data = source.data[64 : head.texts_at]
    if head.compression == _PLAIN:
        return data
    if head.compression != _ZSTD:
        raise ValueError(f"its compression is number {head.compression}, and 0 and 1 are known")
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise ValueError(
            "its samples are compressed, and this Python has no Zstandard: record with --compression none"
        ) from None
    most = max_expanded(len(data))
    stream = zstd.ZstdDecompressor()
    pieces: list[bytes] = []
    size = 0
    try:
        while not stream.eof:
            pieces.append(stream.decompress(data if stream.needs_input else b"", PIECE))
            data = b""
            size += len(pieces[-1])
            if size > most:
                raise ValueError(
                    f"{head.texts_at} bytes become more than {most}: record with --compression none"
                )
            if stream.needs_input and not stream.eof:
                raise ValueError(f"its samples are cut off: their Zstandard data end after byte {size}")
    except zstd.ZstdError as error:
        raise ValueError(f"its samples are damaged: {error} (Zstandard, after byte {size})") from None
    return b"".join(pieces)


def _samples(
    data: bytes,
    head: _TachyonHead,
    tables: tuple[StackTable, StackTable],
    of_frame: list[int],
    place_of_frame: list[int],
    waiting: int,
) -> dict[tuple[int, int], _TachyonThread]:
    """Return the samples by (thread, interpreter)."""
    table, line_table = tables
    threads: dict[tuple[int, int], _TachyonThread] = {}
    rest = _TachyonBytes(data, 0, len(data), "its samples")
    fixed = struct.Struct(head.order + "QIB")
    left = head.samples
    while rest.at < rest.end:
        tid, interpreter, encoding = fixed.unpack(rest.take(fixed.size))
        thread = threads.get((tid, interpreter))
        if thread is None:
            thread = threads[tid, interpreter] = _TachyonThread(head.start_us)
            check_tracks(len(threads))
        path, lines = thread.path, thread.lines
        count = rest.number() if encoding == _REPEAT else 1
        left -= count
        if left < 0:
            raise ValueError(f"it has more samples than the {head.samples} that it states")
        for _ in range(count):
            thread.now_us += rest.number()
            status = rest.byte()
            if encoding != _REPEAT:
                kept, new = _kept(encoding, len(path), rest)
                del path[kept:], lines[kept:]
                frames = [rest.number() for _ in range(new)]
                stack = path[-1] if path else ROOT
                for frame in reversed(frames):  # the innermost is first
                    if frame >= len(of_frame):
                        raise ValueError(f"a stack holds frame {frame}, and there are {len(of_frame)} frames")
                    stack = table.add(stack, of_frame[frame])
                    path.append(stack)
                    line, place = lines[-1] if lines else ROOT, place_of_frame[frame]
                    lines.append(line if place == ROOT else line_table.add(line, place))
            stack = path[-1] if path else ROOT
            if status & _WAITS_FOR_GIL and not status & _HAS_GIL:
                stack = table.add(stack, waiting)
            if thread.now_us > MAX_NS // 1000:
                raise ValueError(f"its time {thread.now_us} µs is too large")
            thread.is_main |= bool(status & _IS_MAIN)
            thread.at_us.append(thread.now_us)
            thread.stack.append(stack)
            thread.line.append(lines[-1] if lines else ROOT)
    if left:
        raise ValueError(f"it has {head.samples - left} samples and states {head.samples}")
    return threads


def _kept(encoding: int, depth: int, rest: _TachyonBytes) -> tuple[int, int]:
    """Return how many outer frames of the stack before stay, and how many new ones are inside them."""
    if encoding == _FULL:
        return 0, rest.number()
    if encoding not in (_SUFFIX, _POP_PUSH):
        raise ValueError(f"a sample before byte {rest.at} is of kind {encoding}, and 0 to 3 are known")
    number = rest.number()
    kept = number if encoding == _SUFFIX else max(depth - number, 0)
    if kept > depth:
        raise ValueError(f"a sample before byte {rest.at} keeps {kept} of {depth} frames")
    return kept, rest.number()


def _tracks(threads: dict[tuple[int, int], _TachyonThread], interval_ns: int) -> list[Track]:
    tracks = []
    for (tid, interpreter), thread in threads.items():
        count = len(thread.at_us)
        if not count:
            continue
        if thread.now_us * 1000 + count * interval_ns > MAX_NS:
            raise ValueError("its times together are too large")
        weight = np.full(count, interval_ns, dtype=np.int64)
        at = side_by_side(np.array(thread.at_us, dtype=np.int64) * 1000, weight)
        at -= min(int(at[0]), 0)
        samples = Samples(
            np.array(thread.stack, dtype=np.int32), at, weight, line=np.array(thread.line, dtype=np.int32)
        )
        name = "MainThread" if thread.is_main else f"Thread {tid}"
        tracks.append(
            Track(f"{name} (interpreter {interpreter})" if interpreter else name, 0, tid, samples=samples)
        )
    return tracks


def _facts(data: bytes, head: _TachyonHead) -> FileFacts:
    facts = FileFacts("tachyon", mode=_MODES.get(head.mode, "unknown"))
    size = struct.calcsize(head.order + STATISTICS)
    at = len(data) - struct.calcsize(head.order + FOOTER) - size
    if at < head.frames_at:
        return facts
    _, _, failed, missed, there, _, mark, version, own_size = struct.unpack_from(
        head.order + STATISTICS, data, at
    )
    if (mark, version, own_size) != (b"TACHSTAT", 1, size):
        return facts
    lines = tuple(
        f"{share:.1f} % of the samples {what}: their time is in no stack"
        for share, flag, what in ((failed, _HAS_FAILED, "failed"), (missed, _HAS_MISSED, "were missed"))
        if there & flag and math.isfinite(share) and _NOTEWORTHY <= share <= 100
    )
    return replace(facts, warnings=lines)
