"""From a trace's threads, as its events gave them, to the tracks of a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.formats._json import shown
from workbench.formats._numbers import nanosecond_column, nanoseconds, whole_number
from workbench.formats._sampled_spans import samples_of_spans
from workbench.formats._stack_table import StackTable
from workbench.profile import ROOT, Counter, Frame, Marks, Profile, Spans, Track

MOST_WORK = 1 << 27
"""Numbers of spans, in all their columns together."""
_WORK = ("flops", "bytes")
"""Arguments that are numbers of work whoever wrote them."""


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


@dataclass
class _Nested:
    """A thread's spans on the tree of stacks."""

    spans: Spans
    depth: NDArray[np.int32]
    misnested: int


def profile_of(
    name: str, frames: Sequence[Frame], lanes: list[Lane], ours: Any, facts: dict[str, object]
) -> Profile:
    """Return the profile of a trace's threads.

    Raises:
        ValueError: Something in it is out of range, or our own member contradicts the rest.
    """
    member = _Ours.of(ours)
    table = StackTable()
    last = max((_last(lane) for lane in lanes), default=0)
    nested = {(lane.pid, lane.tid): _nested(lane, table, last, exact=member is not None) for lane in lanes}
    misnested = sum(each.misnested for each in nested.values())
    if misnested:
        facts["misnested"] = misnested
    if member is not None:
        tracks = _our_tracks(member, lanes, nested)
        start, end = member.start_ns, max(member.end_ns, member.start_ns + last)
        return table.profile(member.name, frames, tracks, (start, end), facts)
    tracks = _tracks(lanes, nested)
    starts = [int(t.spans.start_ns[0]) for t in tracks if t.spans is not None and len(t.spans)]
    starts += [int(c.at_ns[0]) for t in tracks for c in t.counters]
    starts += [int(t.marks.at_ns[0]) for t in tracks if t.marks is not None]
    return table.profile(name, frames, tracks, (min(starts, default=0), last), facts)


def _last(lane: Lane) -> int:
    """Return a lane's last instant; its columns become nanoseconds on the way."""
    backwards = ""
    try:
        start = nanosecond_column(lane.start, 1000)
        duration = nanosecond_column([0 if each is None else each for each in lane.duration], 1000)
        end = start + duration
        for span, at in lane.until.items():
            end[span] = nanoseconds(at, 1000)
            if end[span] < start[span] and not backwards:
                backwards = f"an event ends at {shown(at)}, before it begins at {shown(lane.start[span])}"
    except ValueError as error:
        raise ValueError(f"on thread {shown(lane.tid)} of process {shown(lane.pid)}, {error}") from None
    if backwards:
        raise ValueError(f"on thread {shown(lane.tid)} of process {shown(lane.pid)}, {backwards}")
    lane.start, lane.duration = start, end  # type: ignore[assignment]
    ends = [int(end.max(initial=0)), *(at for at, _ in lane.marks)]
    ends += [at for points in lane.counters.values() for at, _ in points]
    return max(ends)


def _nested(lane: Lane, table: StackTable, last: int, *, exact: bool) -> _Nested:
    """Put a lane's spans into one another by their times; with `exact`, in the order in which they were written."""
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
    ends: list[int] = []
    depth: list[int] = []
    open_ends: list[int] = []
    open_stacks: list[int] = []
    misnested = 0
    rows = zip(order.tolist(), start[order].tolist(), end[order].tolist(), strict=True)
    for row, begin, until in rows:
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
            open_stacks.pop()
        if open_ends and until > open_ends[-1]:
            misnested += 1
            until = open_ends[-1]  # noqa: PLW2901
        top = open_stacks[-1] if open_stacks else ROOT
        stack = index.setdefault((top, frames[row]), len(index))
        depth.append(len(open_ends))
        stacks.append(stack)
        ends.append(until)
        open_ends.append(until)
        open_stacks.append(stack)
    spans = Spans(
        np.array(stacks, dtype=np.int32), start[order], np.array(ends, dtype=np.int64), unfinished[order]
    )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    spans = _with_arguments(
        spans, {int(place[row]): each for row, each in lane.arguments.items()}, exact=exact
    )
    return _Nested(spans, np.array(depth, dtype=np.int32), misnested)


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
                if (len(work) + 1) * len(spans) > MOST_WORK:
                    raise ValueError(f"its events state more than {len(work)} kinds of work")
                work[name] = np.full(len(spans), math.nan)
            work[name][row] = float(number)
    return replace(spans, work=work, carried=carried if carried.any() else None)


def _tracks(lanes: list[Lane], nested: dict[tuple[Any, Any], _Nested]) -> list[Track]:
    """Return a track for each lane that has something, with ids that are numbers."""
    processes: dict[Any, str] = {}
    for lane in lanes:
        if lane.process:
            processes[lane.pid] = lane.process
    ids: dict[Any, int] = {}
    found = []
    for lane in lanes:
        spans = nested[lane.pid, lane.tid].spans
        if not (len(spans) or lane.counters or lane.marks):
            continue
        name = lane.name or (lane.tid if isinstance(lane.tid, str) else f"Thread {lane.tid}")
        process = processes.get(lane.pid, lane.pid if isinstance(lane.pid, str) else "")
        track = Track(name, _number(lane.pid, ids), _number(lane.tid, ids), process)
        found.append(_with_points(replace(track, spans=spans if len(spans) else None), lane, 0))
    return found


def _number(identity: Any, ids: dict[Any, int]) -> int:
    """Return an id as a number; a text that is none gets one below zero, which no system gives."""
    if not isinstance(identity, str):
        return whole_number(int(identity))
    digits = identity.strip().lower()
    try:
        return whole_number(int(digits, 16 if digits.startswith("0x") else 10))
    except ValueError:
        return ids.setdefault(identity, -1 - len(ids))


def _with_points(track: Track, lane: Lane, start_ns: int, order: Sequence[str] = ()) -> Track:
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


@dataclass(frozen=True)
class _Ours:
    """Our own member of a trace of ours."""

    name: str
    start_ns: int
    end_ns: int
    lanes: list[tuple[Any, Any, int, str]]
    tracks: list[dict[str, Any]]

    @classmethod
    def of(cls, member: Any) -> _Ours | None:
        """Return it, or None where there is none.

        Raises:
            ValueError: It contradicts itself.
        """
        if not isinstance(member, dict) or "lanes" not in member:
            return None
        try:
            tracks = [dict(track) for track in member["tracks"]]
            for track in tracks:
                _track(track)
            lanes = [
                (lane["pid"], lane["tid"], whole_number(lane["track"]), lane["of"])
                for lane in member["lanes"]
            ]
            start = whole_number(member["start_ns"], most=1 << 61)
            end = max(whole_number(member["end_ns"], most=1 << 62), start)
            damaged = not all(
                0 <= number < len(tracks) and of in ("spans", "samples") for _, _, number, of in lanes
            )
            damaged |= len({(pid, tid) for pid, tid, _, _ in lanes}) < len(lanes)
            found = cls(str(member["name"]), start, end, lanes, tracks)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"its member 'workbench' is damaged: {shown(str(error))}; delete it") from None
        if damaged:
            raise ValueError(
                "its member 'workbench' is damaged: its lanes are not those of its tracks; delete it"
            )
        return found


def _track(stated: dict[str, Any]) -> Track:
    names = stated["counters"]
    if not all(isinstance(name, str) for name in (*names, *stated["work"])):
        raise ValueError("a counter's name is no text")
    return Track(
        str(stated["name"]), whole_number(stated["pid"]), whole_number(stated["tid"]), str(stated["process"])
    )


def _our_tracks(member: _Ours, lanes: list[Lane], nested: dict[tuple[Any, Any], _Nested]) -> list[Track]:
    """Return the tracks that were written, put together from their lanes."""
    tracks = [_track(stated) for stated in member.tracks]
    by_id = {(lane.pid, lane.tid): lane for lane in lanes}
    start = member.start_ns
    for pid, tid, number, of in member.lanes:
        stated, lane = member.tracks[number], by_id.get((pid, tid), Lane(pid, tid))
        found = nested.get((pid, tid)) or _nested_of_nothing()
        if of == "samples":
            samples = samples_of_spans(found.spans, found.depth)
            tracks[number] = replace(tracks[number], samples=replace(samples, at_ns=samples.at_ns + start))
            continue
        track = tracks[number]
        if stated["spans"]:
            track = replace(track, spans=_as_stated(found.spans, stated, start))
        if stated["marks"]:
            track = replace(track, marks=Marks(np.zeros(0, dtype=np.int64), ()))
        tracks[number] = _with_points(track, lane, start, stated["counters"])
    return tracks


def _as_stated(spans: Spans, stated: dict[str, Any], start_ns: int) -> Spans:
    nothing = np.zeros(len(spans), dtype=np.bool_)
    if len(stated["work"]) * len(spans) > MOST_WORK:
        raise ValueError("its member 'workbench' states more kinds of work than there are")
    missing = {name: np.full(len(spans), math.nan) for name in stated["work"] if name not in spans.work}
    carried = spans.carried if spans.carried is not None else nothing if stated["carried"] else None
    return replace(
        spans,
        start_ns=spans.start_ns + start_ns,
        end_ns=spans.end_ns + start_ns,
        carried=carried,
        work={name: {**missing, **spans.work}[name] for name in stated["work"]}
        | {name: values for name, values in spans.work.items() if name not in stated["work"]},
    )


def _nested_of_nothing() -> _Nested:
    return _nested(Lane(0, 0), StackTable(), 0, exact=True)
