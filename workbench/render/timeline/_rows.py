"""From a profile to the rows of a timeline: boxes by track and depth, marks, curves, and numbers of work.

All boxes of a row are in chronological order and do not overlap, so that a viewer finds a box by
binary search. Nothing here loops over spans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile import ROOT, Counter, FrameKind, Marks, Profile, Resources, Samples, Spans, Track
from workbench.render.timeline._resources import (
    MAX_READINGS,
    resource_curves,
    thinned_readings,
    with_processes,
)
from workbench.render.timeline._samples import levels_of, runs_of, stack_depths

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

MAX_DEPTH = 1000
"""Rows of one track, for spans and again for samples: deeper frames are left out, and counted."""
UNFINISHED = 1
PROPAGATED = 2


class RowKind(IntEnum):
    """What the boxes of a row are."""

    SPANS = 0
    SAMPLES = 1
    MARKS = 2


class BoxRow(NamedTuple):
    """One line of boxes; its boxes stand in the columns behind those of the rows before it."""

    track: int
    kind: RowKind
    depth: int
    size: int
    """boxes"""


class SampleMoments(NamedTuple):
    """The samples of a track that have a stack, one by one: rows of the profile's samples."""

    track: int
    at_ns: Int64
    """(samples,) nanoseconds since the origin"""
    weight_ns: Int64
    seen: Int64
    """(samples,) how many samples it stands for, which are evenly apart"""
    depth: Int64
    """(samples,) of the row that has the frame on top"""
    has_periods: bool
    """Whether each of them stands for one period of the sampler, which begins with it"""
    is_counted: bool
    """Whether `seen` is known; else each is a stack that a file has merged"""
    line: Int64 | None
    """(samples,) the number of its lines in the profile; None: unknown"""
    cpu_ns: Int64 | None
    state: Int64 | None
    """(samples,) a `ThreadState`"""


class TrackFacts(NamedTuple):
    """What is said of a track besides its rows."""

    spans: int
    samples: int
    """How often a stack was seen."""
    busy_ns: int
    """Time in outermost spans that are its own, or in samples that did not wait."""
    left_out: int
    """Spans and runs of samples that are deeper than `MAX_DEPTH`."""
    process: int
    """The number of what the system counted of its process, which has its own number; -1: nothing."""


class Values(NamedTuple):
    """Numbers of work of one name: (n,) which box, ascending, and (n,) the value."""

    box: Int64
    value: Float64


class CounterCurve(NamedTuple):
    """A counter of a track: (n,) nanoseconds since the origin and (n,) values, NaN where not finite."""

    track: int
    name: str
    at_ns: Int64
    value: Float64
    end_ns: int
    """Up to here the last value holds."""
    unit: str = ""
    is_more: bool = False
    """Whether it is shown only when it is asked for."""


@dataclass(frozen=True)
class TimelineRows:
    """All that a timeline shows, in columns. Times are nanoseconds since `origin_ns`."""

    origin_ns: int
    total_ns: int
    rows: list[BoxRow]
    shown: list[Track | Resources]
    """What has a heading: tracks, and what the system counted of a process before the first of its tracks."""
    tracks: list[TrackFacts]
    """Of each that is shown."""
    start_ns: Int64
    """(boxes,) never before the end of the box to the left in the row"""
    duration_ns: Int64
    frame: Int64
    """(boxes,) index into the profile's frames, or behind them into `marks`"""
    parent: Int64
    """(boxes,) which box of the row above it stands on, counted in that row; 0 in a topmost row"""
    flags: NDArray[np.uint8]
    marks: list[str]
    curves: list[CounterCurve]
    samples: list[SampleMoments]
    work: Mapping[str, Values]


@dataclass
class _RowColumns:
    """Columns on their way: one array for each row."""

    rows: list[BoxRow] = field(default_factory=list)
    start: list[Int64] = field(default_factory=list)
    end: list[Int64] = field(default_factory=list)
    frame: list[Int64] = field(default_factory=list)
    parent: list[Int64] = field(default_factory=list)
    flags: list[NDArray[np.uint8]] = field(default_factory=list)
    boxes: int = 0

    def add(
        self,
        row: BoxRow,
        start: Int64,
        end: Int64,
        frame: Int64 | NDArray[np.int32],
        parent: Int64 | None = None,
        flags: NDArray[np.uint8] | None = None,
    ) -> None:
        self.rows.append(row)
        self.start.append(start)
        self.end.append(end)
        self.frame.append(frame.astype(np.int64, copy=False))
        self.parent.append(np.zeros(row.size, dtype=np.int64) if parent is None else np.maximum(parent, 0))
        self.flags.append(np.zeros(row.size, dtype=np.uint8) if flags is None else flags)
        self.boxes += row.size


def rows_of(profile: Profile) -> TimelineRows:
    """Return the rows of a profile, track by track: curves, marks, spans by depth, samples by depth.

    Neighbouring samples that share a stack up to some depth are one box in that depth's row.

    Raises:
        InvalidInputError: Spans of one depth overlap, so that the profile contradicts itself.
    """
    depth_of = stack_depths(profile.stacks.parent)
    columns = _RowColumns()
    facts: list[TrackFacts] = []
    marks: dict[str, int] = {}
    curves: list[tuple[int, Counter | Resources]] = []
    moments: list[SampleMoments] = []
    work: dict[str, list[Values]] = {}
    shown = with_processes(profile.tracks, profile.resources)
    processes = {each.pid: number for number, each in enumerate(shown) if isinstance(each, Resources)}
    for number, track in enumerate(shown):
        if isinstance(track, Resources):
            curves.append((number, track))
            facts.append(TrackFacts(0, 0, 0, 0, number))
            continue
        curves += [(number, counter) for counter in track.counters if len(counter.at_ns)]
        if track.marks is not None and len(track.marks.at_ns):
            _add_marks(columns, number, track.marks, marks, len(profile.frames))
        if track.samples is not None and np.any(track.samples.stack != ROOT):
            moments.append(_moments(number, track.samples, depth_of, is_counted=profile.counts_samples))
        boxes = _add_boxes(columns, profile, number, track, depth_of, work)
        facts.append(TrackFacts(*boxes, processes.get(track.pid, -1)))
    return _assembled(profile, columns, shown, facts, list(marks), curves, moments, work)


def _moments(track: int, samples: Samples, depth_of: Int64, *, is_counted: bool) -> SampleMoments:
    seen = samples.stack != ROOT
    depth = np.minimum(depth_of[samples.stack[seen]], MAX_DEPTH - 1)
    at, weight, count = (column[seen] for column in (samples.at_ns, samples.weight_ns, samples.count))
    line, cpu, state = (
        None if column is None else column[seen].astype(np.int64)
        for column in (samples.line, samples.cpu_ns, samples.state)
    )
    has_periods = samples.ticks is not None
    return SampleMoments(track, at, weight, count, depth, has_periods, is_counted, line, cpu, state)


def _add_marks(columns: _RowColumns, track: int, marks: Marks, known: dict[str, int], frames: int) -> None:
    number = np.array([frames + known.setdefault(name, len(known)) for name in marks.name], dtype=np.int64)
    columns.add(BoxRow(track, RowKind.MARKS, 0, len(number)), marks.at_ns, marks.at_ns, number)


def _add_boxes(
    columns: _RowColumns,
    profile: Profile,
    number: int,
    track: Track,
    depth_of: Int64,
    work: dict[str, list[Values]],
) -> tuple[int, int, int, int]:
    """Add the rows of a track; return the first of its `TrackFacts`."""
    spans, samples, busy, left_out = 0, 0, 0, 0
    if track.spans is not None and len(track.spans):
        spans = len(track.spans)
        busy, left_out = _add_spans(columns, profile, number, track.spans, depth_of, work)
    if track.samples is not None and len(track.samples):
        samples = int(track.samples.count[track.samples.stack != ROOT].sum())
        worked, deep = _add_samples(columns, profile, number, track.samples, depth_of)
        busy, left_out = max(busy, worked), left_out + deep
    return spans, samples, busy, left_out


def _add_spans(
    columns: _RowColumns,
    profile: Profile,
    track: int,
    spans: Spans,
    depth_of: Int64,
    work: dict[str, list[Values]],
) -> tuple[int, int]:
    """Add a row for each depth; return the time in outermost spans of its own, and how many are too deep."""
    depth = np.minimum(depth_of[spans.stack], MAX_DEPTH).astype(np.uint16)
    order = np.argsort(depth, kind="stable")
    counts = np.bincount(depth, minlength=1)
    left_out = int(counts[MAX_DEPTH:].sum())
    order = order[: len(spans) - left_out]
    flags = spans.unfinished.astype(np.uint8) * np.uint8(UNFINISHED)
    if spans.propagated is not None:
        flags |= spans.propagated.astype(np.uint8) * np.uint8(PROPAGATED)
    place = np.full(len(spans), -1, dtype=np.int64)
    place[order] = columns.boxes + np.arange(len(order))
    frames = profile.stacks.frame[spans.stack]
    length = spans.end_ns - spans.start_ns
    first, above, busy = 0, order[:0], 0
    for level, count in enumerate(counts[:MAX_DEPTH].tolist()):
        here = order[first : first + count]
        first += count
        # Spans are ordered by start and then by depth: the last one above that stands before it is the parent.
        parent = np.searchsorted(above, here) - 1 if level else None
        row = BoxRow(track, RowKind.SPANS, level, count)
        columns.add(row, spans.start_ns[here], spans.end_ns[here], frames[here], parent, flags[here])
        # Its own are those that are not propagated and stand on nothing else of the track.
        own = (flags[here] & PROPAGATED) == 0
        if parent is not None:
            own &= (flags[above[np.maximum(parent, 0)]] & PROPAGATED) != 0
        busy += int(length[here][own].sum())
        above = here
    for name, column in spans.work.items():
        given = np.flatnonzero(~np.isnan(column) & (place >= 0))
        given = given[np.argsort(place[given], kind="stable")]
        work.setdefault(name, []).append(Values(place[given], column[given].astype(np.float64)))
    return busy, left_out


def _add_samples(
    columns: _RowColumns, profile: Profile, track: int, samples: Samples, depth_of: Int64
) -> tuple[int, int]:
    """Add a row for each depth; return the time that was not waited, and how many runs are too deep."""
    runs = runs_of(samples)
    if not len(runs.stack):
        return 0, 0
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    works = kinds[profile.stacks.frame[runs.stack]] != FrameKind.IDLE
    above = runs.stack[:0]
    for depth, (first, last, stack) in enumerate(levels_of(profile.stacks, runs, depth_of, MAX_DEPTH)):
        parent = np.searchsorted(above, first, side="right") - 1 if depth else None
        row = BoxRow(track, RowKind.SAMPLES, depth, len(first))
        columns.add(row, runs.start[first], runs.end[last], profile.stacks.frame[stack], parent)
        above = first
    left_out = int((depth_of[runs.stack] >= MAX_DEPTH).sum())
    return int((runs.end - runs.start)[works].sum()), left_out


def _assembled(
    profile: Profile,
    columns: _RowColumns,
    shown: list[Track | Resources],
    facts: list[TrackFacts],
    marks: list[str],
    curves: list[tuple[int, Counter | Resources]],
    samples: list[SampleMoments],
    work: Mapping[str, list[Values]],
) -> TimelineRows:
    start, end = _joined(columns.start), _joined(columns.end)
    moments = [np.array([profile.start_ns, profile.end_ns], dtype=np.int64), start, end]
    moments += [counter.at_ns for _, counter in curves]
    origin = min(int(at.min()) for at in moments if len(at))
    latest = max(int(at.max()) for at in moments if len(at))
    start, end = start - origin, end - origin
    _check_order(shown, columns.rows, start, end)
    return TimelineRows(
        origin_ns=origin,
        total_ns=max(latest - origin, 1),
        rows=columns.rows,
        shown=shown,
        tracks=facts,
        start_ns=start,
        duration_ns=end - start,
        frame=_joined(columns.frame),
        parent=_joined(columns.parent),
        flags=np.concatenate([np.zeros(0, dtype=np.uint8), *columns.flags]),
        marks=marks,
        curves=_curves(curves, origin, latest - origin),
        samples=[each._replace(at_ns=each.at_ns - origin) for each in samples],
        work={
            name: Values(_joined([p.box for p in parts]), np.concatenate([p.value for p in parts]))
            for name, parts in work.items()
        },
    )


def _curves(found: list[tuple[int, Counter | Resources]], origin: int, total_ns: int) -> list[CounterCurve]:
    """Return the curves of counters and of processes; those of a process have their times in common."""
    curves: list[CounterCurve] = []
    most = MAX_READINGS // max(sum(isinstance(each, Resources) for _, each in found), 1)
    for track, each in found:
        if isinstance(each, Counter):
            value = np.where(np.isfinite(each.value), each.value, np.nan)
            curves.append(CounterCurve(track, each.name, each.at_ns - origin, value, total_ns))
            continue
        readings = thinned_readings(each, most)
        at_ns = each.at_ns[readings] - origin
        curves += [
            CounterCurve(track, curve.name, at_ns, curve.value, int(at_ns[-1]), curve.unit, curve.is_more)
            for curve in resource_curves(each, readings)
        ]
    return curves


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _check_order(shown: list[Track | Resources], rows: list[BoxRow], start: Int64, end: Int64) -> None:
    """Raise where a box ends before it starts, or starts before the one to its left ends."""
    wrong = end < start
    left = np.zeros_like(end)
    left[1:] = end[:-1]
    edges = np.cumsum([row.size for row in rows], dtype=np.int64)
    firsts = np.concatenate([np.zeros(1, dtype=np.int64), edges[:-1]])
    left[firsts[firsts < len(left)]] = 0
    wrong |= start < left
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        row = rows[int(np.searchsorted(edges, at, side="right"))]
        track = shown[row.track]
        name = track.name if isinstance(track, Track) else track.pid
        raise InvalidInputError(
            f"track {name!r}: two {row.kind.name.lower()} of depth {row.depth} overlap at "
            f"{int(start[at])} ns, or one ends before it starts: Profile.check() says what is wrong"
        )
