"""`perf script`: the samples of Linux's perf as text, with the names of CPython's perf trampoline where it was on.

A sample is a line with the command, the thread, the time, the period and the event, then a line for each frame, the
innermost first, and an empty line. The trampoline (`python -X perf`) names a Python function `py::name:file`. The
period of a clock event is nanoseconds; of others it is a count, not a time.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.formats._json import shown
from workbench.formats._numbers import MAX_NS
from workbench.formats.source import Source, check_tracks, reading
from workbench.profile import FileFacts, Frame, FrameKind, Profile, Samples, StackTable, Track, profile_of
from workbench.profile.row_selection import side_by_side

CLOCKS = ("cpu-clock", "task-clock")
USUAL_NS = 1_000_000
"""Nanoseconds of a sample where the file has no period and no neighbours."""
_TIME = re.compile(rb"\s(\d{1,9})\.(\d{1,9}):\s")
_THREAD = re.compile(rb"(-?\d{1,18})(?:/(-?\d{1,18}))?")
_ADDRESS = re.compile(rb"[0-9a-fA-F]{1,16}")
_UNKNOWN = "[unknown]"
_PYTHON = "py::"


class _SampleLine(NamedTuple):
    """The first line of a sample."""

    command: str
    pid: int
    tid: int
    at_ns: int
    period: int | None
    event: str
    rest: bytes
    """A frame, where call chains were not recorded."""


@dataclass
class _EventThread:
    """The samples of one thread and event."""

    command: str
    stacks: list[int] = field(default_factory=list)
    at_ns: list[int] = field(default_factory=list)
    periods: list[int | None] = field(default_factory=list)


def looks_like_perf(data: bytes) -> bool:
    """Return whether text begins with a sample as `perf script` prints it."""
    lines = [line for line in data[:65536].split(b"\n") if line.strip() and not line.startswith(b"#")]
    return bool(lines) and _head(lines[0]) is not None


def read_perf(source: str | Path | Source) -> Profile:
    """Read what `perf script` printed: a track of samples for each thread.

    Samples of the first event alone are read. A sample of a clock event has its period; of another the median time
    between neighbours of a thread, and the fact `warnings` says so.

    Raises:
        InvalidInputError: It cannot be read or is no such text.
    """
    with reading(source, "the output of perf script") as source:
        return _read(source)


def _read(source: Source) -> Profile:
    table, frames = StackTable(), _FrameLines()
    threads: dict[tuple[int, int], _EventThread] = {}
    events: Counter[str] = Counter()
    for head, lines in _samples(source):
        events[head.event] += 1
        if head.event != next(iter(events)):
            continue
        thread = threads.setdefault((head.pid, head.tid), _EventThread(head.command))
        thread.command = head.command
        check_tracks(len(threads))
        thread.stacks.append(table.path(frames.path(lines or [head.rest])))
        thread.at_ns.append(head.at_ns)
        thread.periods.append(head.period)
    if not events:
        raise ValueError("it holds no sample")
    return _profile(source, table, list(frames.numbers), threads, events)


def _profile(
    source: Source,
    table: StackTable,
    frames: list[Frame],
    threads: dict[tuple[int, int], _EventThread],
    events: Counter[str],
) -> Profile:
    event, count = next(iter(events.items()))
    lines = []
    is_clock = event.partition(":")[0] in CLOCKS
    usual = _between(list(threads.values()))
    if not is_clock or any(None in thread.periods for thread in threads.values()):
        lines.append(
            f"the event {shown(event)} states no times: each of its samples stands for {usual / 1e6:.6g} ms, "
            "the median time between neighbours of a thread"
        )
    if len(events) > 1:
        others = [f"{number:,} of {shown(name)}" for name, number in list(events.items())[1:9]]
        lines.append(
            f"samples of other events were left out: {', '.join(others)}; read were {count:,} of {shown(event)}"
        )
    tracks = []
    for (pid, tid), thread in sorted(threads.items()):
        weights = [period if is_clock and period is not None else usual for period in thread.periods]
        if max(thread.at_ns) + sum(weights) > MAX_NS:
            raise ValueError("its times together are too large")
        weight = np.array(weights, dtype=np.int64)
        seen = np.array(thread.at_ns, dtype=np.int64)
        order = np.argsort(seen, kind="stable")
        # A sample is taken at the end of its time.
        at = side_by_side(seen[order] - weight[order], weight[order])
        at -= min(int(at[0]), 0)
        samples = Samples(np.array(thread.stacks, dtype=np.int32)[order], at, weight[order])
        tracks.append(Track(thread.command, pid, tid, samples=samples))
    first = min(int(t.samples.at_ns[0]) for t in tracks if t.samples is not None)
    last = max(int(t.samples.at_ns[-1] + t.samples.weight_ns[-1]) for t in tracks if t.samples is not None)
    return profile_of(table, source.stem, frames, tracks, (first, last), FileFacts("perf", tuple(lines)))


def _between(threads: list[_EventThread]) -> int:
    """Return the median time between neighbouring samples of a thread, in nanoseconds."""
    steps = [np.diff(np.sort(np.array(thread.at_ns, dtype=np.int64))) for thread in threads]
    steps = [step[step > 0] for step in steps]
    return int(np.median(np.concatenate(steps))) if sum(map(len, steps)) else USUAL_NS


def _samples(source: Source) -> Iterator[tuple[_SampleLine, list[bytes]]]:
    """Yield the first line of each sample, and the lines of its frames."""
    head: _SampleLine | None = None
    frames: list[bytes] = []
    for number, line in enumerate(io.BytesIO(source.data), start=1):
        if line[:1] in b" \t" and head is not None and _time(line) is None and line.strip():
            frames.append(line)
            continue
        if not line.strip() or line.startswith(b"#"):
            continue
        if head is not None:
            yield head, frames
        head, frames = _head(line), []
        if head is None:
            raise ValueError(f"line {number} should begin a sample: {shown(line[:40])}")
        if head.event.startswith("PERF_RECORD_"):  # of --show-mmap-events and the like
            head = None
    if head is not None:
        yield head, frames


def _time(line: bytes) -> re.Match[bytes] | None:
    """Return the match of the time in the first line of a sample; None: the line is a frame's."""
    return None if _ADDRESS.fullmatch(line.split(None, 1)[0] if line.strip() else b"") else _TIME.search(line)


def _head(line: bytes) -> _SampleLine | None:
    match = _TIME.search(line)
    if match is None:
        return None
    before = line[: match.start()].split()
    if len(before) > 1 and before[-1].startswith(b"[") and before[-1].endswith(b"]"):  # the processor
        before.pop()
    thread = _THREAD.fullmatch(before[-1]) if len(before) > 1 else None
    if thread is None:
        return None
    pid, tid = (int(thread[1]), int(thread[2])) if thread[2] else (0, int(thread[1]))
    at_ns = int(match[1]) * 1_000_000_000 + int(match[2].ljust(9, b"0"))
    rest = line[match.end() :].lstrip()
    first, _, behind = rest.partition(b" ")
    period = int(first) if first.isdigit() and len(first) < 19 else None
    event, _, frame = (rest if period is None else behind.lstrip()).rstrip(b"\r\n").partition(b": ")
    event = event.strip().removesuffix(b":")
    return _SampleLine(_text(b" ".join(before[:-1])), pid, tid, at_ns, period, _text(event), frame)


class _FrameLines:
    """Frames of lines, each distinct one once."""

    def __init__(self) -> None:
        self.numbers: dict[Frame, int] = {}
        self._of_line: dict[bytes, int | None] = {}

    def path(self, lines: list[bytes]) -> list[int]:
        """Return the numbers of the frames of a sample, root first; of neighbours that are not known, one."""
        found: list[int] = []
        for line in reversed(lines):
            if line not in self._of_line:
                frame = _frame(line)
                self._of_line[line] = (
                    None if frame is None else self.numbers.setdefault(frame, len(self.numbers))
                )
            number = self._of_line[line]
            if number is None or (found and found[-1] == number == self.numbers.get(_NOT_KNOWN)):
                continue
            found.append(number)
        return found


_NOT_KNOWN = Frame(_UNKNOWN, kind=FrameKind.NATIVE)


def _frame(line: bytes) -> Frame | None:
    """Return the frame of "address name+0x12 (file)"; None where the line is of something else, as a source line is."""
    address, _, rest = line.strip().partition(b" ")
    if not _ADDRESS.fullmatch(address):
        return None
    symbol, file = _text(rest.strip()), ""
    if symbol.endswith(")"):
        cut = symbol.rfind(" (", 0, -len(" (deleted))") if symbol.endswith(" (deleted))") else None)
        if cut >= 0 or symbol.startswith("("):
            symbol, file = symbol[: max(cut, 0)], symbol[cut + 2 : -1].removesuffix(" (deleted)").lstrip("(")
    symbol = re.sub(r"\+0x[0-9a-fA-F]{1,16}$", "", symbol)
    if symbol.startswith(_PYTHON):
        name, _, path = symbol.removeprefix(_PYTHON).partition(":")
        return Frame(name, path)
    file = "" if file in (_UNKNOWN, "inlined") else file
    if symbol in ("", _UNKNOWN):
        return Frame(f"[{Path(file).name}]" if file else _UNKNOWN, file, kind=FrameKind.NATIVE)
    return Frame(symbol, file, kind=FrameKind.NATIVE)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
