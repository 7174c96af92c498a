"""Tracks of a profile from the threads of a trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.formats._json import shown
from workbench.formats._numbers import nanosecond_column, nanoseconds, unquoted, whole_number
from workbench.profile import ROOT, Counter, Marks, Spans, StackTable, Track

MAX_WORK = 1 << 27
"""Numbers of spans, in all their columns together."""
_WORK = ("flops", "bytes")
"""Arguments that are numbers of work in any program's file."""


@dataclass
class Lane:
    """One thread of the file: columns of its spans as they were written, and its points."""

    pid: Any
    tid: Any
    name: str = ""
    process: str = ""
    frame: list[int] = field(default_factory=list)
    start: list[Any] = field(default_factory=list)
    duration: list[Any] = field(default_factory=list)
    """None where begin and end are events of their own."""
    until: dict[int, Any] = field(default_factory=dict)
    opened: list[tuple[int, Any]] = field(default_factory=list)
    arguments: dict[int, dict[str, Any]] = field(default_factory=dict)
    counters: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    marks: list[tuple[int, str]] = field(default_factory=list)

    @property
    def who(self) -> str:
        """What the lane is called in an error."""
        return f"thread {shown(self.tid)} of process {shown(self.pid)}"


@dataclass
class Nested:
    """A lane's spans on the tree of stacks."""

    spans: Spans
    depth: NDArray[np.int32]
    cut: int = 0
    """Spans that did not nest, and were cut."""
    cut_ns: int = 0
    """By how much, together."""


def in_nanoseconds(lane: Lane) -> None:
    """Make a lane's columns nanoseconds: of starts, and in the place of durations of ends.

    Raises:
        ValueError: A time is invalid, or out of range.
    """
    backwards = ""
    try:
        start = nanosecond_column([*map(unquoted, lane.start)], 1000)
        duration = nanosecond_column([0 if each is None else unquoted(each) for each in lane.duration], 1000)
        end = start + duration
        for span, at in lane.until.items():
            end[span] = nanoseconds(unquoted(at), 1000)
            if end[span] < start[span] and not backwards:
                backwards = f"an event ends at {shown(at)}, before it begins at {shown(lane.start[span])}"
    except ValueError as error:
        raise ValueError(f"on {lane.who}, {error}") from None
    if backwards:
        raise ValueError(f"on {lane.who}, {backwards}")
    lane.start, lane.duration = start, end  # type: ignore[assignment]


def last_of(lane: Lane) -> int:
    """Return the last instant of a lane in nanoseconds."""
    ends = [int(np.asarray(lane.duration).max(initial=0)), *(at for at, _ in lane.marks)]
    return max(*ends, *(at for points in lane.counters.values() for at, _ in points), 0)


def nested(lane: Lane, table: StackTable, last: int, *, exact: bool = False) -> Nested:
    """Put a lane's spans into one another by their times.

    Of two that overlap and do not nest, the longer keeps its time: where the first is the shorter it ends as the second
    begins, else the second ends with the first.

    Args:
        lane: In nanoseconds.
        table: For its stacks.
        last: Where what is still open ends.
        exact: Whether it is as we wrote it: spans in their order, and some with their depths.
    """
    start, end = np.asarray(lane.start), np.asarray(lane.duration)
    unfinished = np.zeros(len(start), dtype=np.bool_)
    for span, _ in lane.opened:
        unfinished[span] = True
        end[span] = last
    order = np.argsort(start, kind="stable") if exact else np.lexsort((-end, start))
    depths_given = {
        row: arguments["depth"] for row, arguments in lane.arguments.items() if exact and "depth" in arguments
    }
    index, frames = table.index, lane.frame
    stacks: list[int] = []
    starts, ends = start[order].tolist(), end[order].tolist()
    depth: list[int] = []
    open_ends: list[int] = []
    open_spans: list[int] = []
    cut = cut_ns = 0
    for i, row in enumerate(order.tolist()):
        begin, until = starts[i], ends[i]
        while (
            open_ends
            and open_ends[-1] <= begin
            and not (
                row in depths_given
                and len(open_ends) <= whole_number(depths_given[row])
                and open_ends[-1] == begin
            )
        ):
            open_ends.pop()
            open_spans.pop()
        while open_ends and until > open_ends[-1]:
            cut += 1
            first = open_spans[-1]
            if open_ends[-1] - starts[first] >= until - begin:
                cut_ns += until - open_ends[-1]
                until = open_ends[-1]
            else:
                cut_ns += open_ends.pop() - begin
                ends[open_spans.pop()] = begin
        top = stacks[open_spans[-1]] if open_spans else ROOT
        depth.append(len(open_ends))
        stacks.append(index.setdefault((top + 1) << 32 | frames[row], len(index)))
        ends[i] = until
        open_ends.append(until)
        open_spans.append(i)
    spans = Spans(
        np.array(stacks, dtype=np.int32), start[order], np.array(ends, dtype=np.int64), unfinished[order]
    )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    spans = _with_arguments(
        spans, {int(place[row]): each for row, each in lane.arguments.items()}, exact=exact
    )
    return Nested(spans, np.array(depth, dtype=np.int32), cut, cut_ns)


def _with_arguments(spans: Spans, arguments: dict[int, dict[str, Any]], *, exact: bool) -> Spans:
    """Return the spans with the numbers that their events stated."""
    work: dict[str, NDArray[np.float64]] = {}
    carried = np.zeros(len(spans), dtype=np.bool_)
    for row, stated in arguments.items():
        numbers = (
            stated.get("work", {}) if exact else {name: stated[name] for name in _WORK if name in stated}
        )
        if not isinstance(numbers, dict):
            raise ValueError(f"the work of an event is {shown(numbers)}")  # noqa: TRY004  a value in a file
        if exact:
            carried[row] = stated.get("carried") is True
            spans.unfinished[row] |= stated.get("unfinished") is True
        for name, number in numbers.items():
            if type(number) not in (int, float) or abs(number) > 1e300:
                continue
            if name not in work:
                if (len(work) + 1) * len(spans) > MAX_WORK:
                    raise ValueError(f"its events state more than {len(work)} kinds of work")
                work[name] = np.full(len(spans), math.nan)
            work[name][row] = float(number)
    return replace(spans, work=work, propagated=carried if carried.any() else None)


def tracks_of(lanes: Sequence[Lane], parts: Sequence[Nested]) -> list[Track]:
    """Return a track for each lane that has something, with ids that are numbers."""
    processes: dict[Any, str] = {}
    for lane in lanes:
        if lane.process:
            processes[lane.pid] = lane.process
    ids: dict[Any, int] = {}
    found = []
    for lane, part in zip(lanes, parts, strict=True):
        spans = part.spans
        if not (len(spans) or lane.counters or lane.marks):
            continue
        name = lane.name or (lane.tid if isinstance(lane.tid, str) else f"Thread {lane.tid}")
        process = processes.get(lane.pid, lane.pid if isinstance(lane.pid, str) else "")
        track = Track(name, _number(lane.pid, ids), _number(lane.tid, ids), process)
        found.append(with_points(replace(track, spans=spans if len(spans) else None), lane, 0))
    return found


def _number(identity: Any, ids: dict[Any, int]) -> int:
    """Return an id as a number; a text that is not a number gets one below zero."""
    if not isinstance(identity, str):
        return whole_number(int(identity))
    digits = identity.strip().lower()
    try:
        return whole_number(int(digits, 16 if digits.startswith("0x") else 10))
    except ValueError:
        return ids.setdefault(identity, -1 - len(ids))


def with_points(track: Track, lane: Lane, start_ns: int, order: Sequence[str] = ()) -> Track:
    """Return a track with its lane's counters and marks; counters named in `order` are first."""
    counters = []
    for name in [*order, *(name for name in lane.counters if name not in order)]:
        points = sorted(lane.counters.get(name, []), key=lambda point: point[0])
        at = np.array([at for at, _ in points], dtype=np.int64) + start_ns
        counters.append(Counter(name, at, np.array([value for _, value in points], dtype=np.float64)))
    marks = sorted(lane.marks, key=lambda mark: mark[0])
    found = Marks(
        np.array([at for at, _ in marks], dtype=np.int64) + start_ns, tuple(name for _, name in marks)
    )
    return replace(track, counters=tuple(counters), marks=found if marks else track.marks)
