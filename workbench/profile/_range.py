"""A part of a profile: a time range, or what ran inside a scope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError, unknown_name
from workbench.profile._parts import counter_rows, extent, mark_rows, sample_rows, span_rows
from workbench.profile._record import ROOT, FrameKind, Int64, Profile, Samples, Spans, Stacks, Track
from workbench.profile._stacks import StackTable, around, depths

FURTHEST_NS = 1 << 62
"""No event is further away; times beyond it would not fit into a column."""


def between(profile: Profile, start_ns: int, end_ns: int) -> Profile:
    """Return what happened from `start_ns` to before `end_ns`, on the profile's clock.

    Invariants: the time of each stack is the sum of what its spans and its samples have inside the range; so
    ranges side by side sum up to the whole. Stacks, names and tracks stay, also tracks without anything left.
    Spans that reach over an edge are cut there; their numbers (flops, bytes) are of the whole and become NaN.
    What takes no time, samples, counters and marks too, is inside from `start_ns` on and not at `end_ns`.

    Raises:
        InvalidInputError: The range ends before it starts.
    """
    if end_ns < start_ns:
        raise InvalidInputError(
            f"a range from {start_ns} to {end_ns} ns ends before it starts: swap its ends"
        )
    start_ns, end_ns = (max(-FURTHEST_NS, min(FURTHEST_NS, at)) for at in (start_ns, end_ns))
    depth = depths(profile.stacks)
    intervals = np.array([start_ns], dtype=np.int64), np.array([end_ns], dtype=np.int64)
    return replace(
        profile,
        tracks=tuple(
            replace(
                _points_in(track, *intervals),
                spans=None if track.spans is None else _cut(track.spans, depth, start_ns, end_ns),
                samples=None if track.samples is None else _samples_in(track.samples, *intervals),
            )
            for track in profile.tracks
        ),
        start_ns=min(max(profile.start_ns, start_ns), end_ns),
        end_ns=max(min(profile.end_ns, end_ns), start_ns),
    )


def _cut(spans: Spans, stack_depth: NDArray[np.int32], start_ns: int, end_ns: int) -> Spans:
    inside = (spans.start_ns < end_ns) & (spans.end_ns > start_ns)
    # Spans without length on the first instant are inside, unless one around them ends there.
    instants = np.flatnonzero((spans.start_ns == start_ns) & (spans.end_ns == start_ns) & (start_ns < end_ns))
    if len(instants):
        outer = around(stack_depth[spans.stack])[instants].tolist()
        for span, other in zip(instants.tolist(), outer, strict=True):  # the outer ones stand first
            inside[span] = other < 0 or inside[other]
    kept = span_rows(spans, inside)
    cut = (kept.start_ns < start_ns) | (kept.end_ns > end_ns)
    return replace(
        kept,
        start_ns=np.maximum(kept.start_ns, start_ns),
        end_ns=np.minimum(kept.end_ns, end_ns),
        work={name: np.where(cut, np.nan, column) for name, column in kept.work.items()},
    )


def _samples_in(samples: Samples, starts: Int64, ends: Int64) -> Samples:
    """Return the parts of samples that are in intervals, which are in order and apart."""
    starts, ends = starts[starts < ends], ends[starts < ends]
    until = samples.at_ns + samples.weight_ns
    first = np.searchsorted(ends, samples.at_ns, side="right")
    last = np.searchsorted(starts, until, side="left")
    last = np.where(samples.weight_ns == 0, np.searchsorted(starts, samples.at_ns, side="right"), last)
    times = np.maximum(last - first, 0)
    row = np.repeat(np.arange(len(samples)), times)
    interval = np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times) + first[row]
    at = np.maximum(samples.at_ns[row], starts[interval])
    parts = sample_rows(samples, row)
    weight = np.minimum(until[row], ends[interval]) - at
    if samples.ticks is None:
        return replace(parts, at_ns=at, weight_ns=weight)
    before, behind = (_ticks_before(samples, row, edge) for edge in (at, at + weight))
    cpu = samples.cpu_ns
    return replace(
        parts,
        at_ns=at,
        weight_ns=weight,
        ticks=(behind - before).astype(np.int32),
        cpu_ns=None
        if cpu is None
        else _part_of(cpu, samples, row, behind) - _part_of(cpu, samples, row, before),
    )


def _ticks_before(samples: Samples, row: Int64, edge: Int64) -> Int64:
    """Return how many of the ticks of samples come before an instant: each begins its period."""
    ticks = samples.count[row]
    period = np.maximum(samples.weight_ns[row] // np.maximum(ticks, 1), 1)
    before: Int64 = np.minimum(-(-(edge - samples.at_ns[row]) // period), ticks)
    return before


def _part_of(amount: Int64, samples: Samples, row: Int64, ticks: Int64) -> Int64:
    """Return what the first so many ticks of samples have of an amount, which is shared out evenly."""
    whole = np.maximum(samples.count[row], 1)
    each, rest = np.divmod(amount[row], whole)  # multiplied first, large amounts would overflow
    return each * ticks + np.where(ticks == samples.count[row], rest, 0)


def _points_in(track: Track, starts: Int64, ends: Int64) -> Track:
    """Return the track with those counters and marks that are in intervals, which are in order and apart."""

    def inside(at: Int64) -> NDArray[np.bool_]:
        place = np.searchsorted(starts, at, side="right") - 1
        return (place >= 0) & (at < ends[place]) if len(ends) else np.zeros(len(at), dtype=np.bool_)

    counters = tuple(counter_rows(counter, inside(counter.at_ns)) for counter in track.counters)
    marks = None if track.marks is None else mark_rows(track.marks, inside(track.marks.at_ns))
    return replace(
        track,
        counters=tuple(counter for counter in counters if len(counter.at_ns)),
        marks=marks if marks is not None and len(marks.at_ns) else None,
    )


def inside_scope(profile: Profile, name: str) -> Profile:
    """Return what ran inside a scope, with the outermost scope of that name at the root.

    Frames of kind scope count, or, where none has the name, all that spans stand for. Samples, counters and
    marks are those of the thread while it was inside; tracks on which nothing of it ran are left out.

    Invariant: all time of the spans' tree is the total of the scope, with all that ran for it on other tracks,
    and each self time inside it stays.

    Raises:
        InvalidInputError: No span has the name.
    """
    top = _outermost(profile, name)
    table, placed = StackTable(), np.full(len(profile.stacks), ROOT, dtype=np.int32)
    columns = zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), top.tolist(), strict=True)
    for stack, (parent, frame, is_top) in enumerate(columns):  # parents come first
        if is_top or (parent != ROOT and placed[parent] != ROOT):
            placed[stack] = table.add(ROOT if is_top else int(placed[parent]), frame)
    intervals = _intervals(profile, top)
    stacks = table.stacks()
    shift = len(stacks)
    if any(track.samples is not None for track in profile.tracks):
        # Samples keep their whole stacks: what they have to do with a scope is not known.
        lower = profile.stacks.parent
        stacks = Stacks(
            np.concatenate([stacks.parent, np.where(lower == ROOT, ROOT, lower + shift)]).astype(np.int32),
            np.concatenate([stacks.frame, profile.stacks.frame]),
        )
    tracks: list[Track] = []
    for track in profile.tracks:
        starts, ends = intervals.get((track.pid, track.tid), (np.zeros(0, np.int64), np.zeros(0, np.int64)))
        kept, spans, samples = _points_in(track, starts, ends), track.spans, track.samples
        if spans is not None:
            spans = span_rows(spans, placed[spans.stack] != ROOT)
            spans = replace(spans, stack=placed[spans.stack])
        if samples is not None:
            samples = _samples_in(samples, starts, ends)
            moved = np.where(samples.stack == ROOT, ROOT, samples.stack + shift)
            samples = replace(samples, stack=moved.astype(np.int32))
        kept = replace(kept, spans=spans, samples=samples)
        if extent([kept]) is not None:
            tracks.append(kept)
    start_ns, end_ns = extent(tracks) or (profile.start_ns, profile.start_ns)
    return replace(profile, stacks=stacks, tracks=tuple(tracks), start_ns=start_ns, end_ns=end_ns)


def _outermost(profile: Profile, name: str) -> NDArray[np.bool_]:
    """Return (stacks,) whether a stack has the name on top, and nowhere below."""
    used = np.zeros(len(profile.stacks), dtype=np.bool_)
    for track in profile.tracks:
        if track.spans is not None:
            used[track.spans.stack] = True
    entered = [profile.frames[i] for i in np.unique(profile.stacks.frame[used]).tolist()]
    kinds = {frame.kind for frame in entered if frame.name == name}
    if not kinds:
        raise unknown_name("scope", name, {frame.name for frame in entered})
    kinds = {FrameKind.SCOPE} if FrameKind.SCOPE in kinds else kinds
    wanted = [frame.name == name and frame.kind in kinds for frame in profile.frames]
    within = [False] * len(used)
    top = np.zeros(len(used), dtype=np.bool_)
    columns = zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True)
    for stack, (parent, frame) in enumerate(columns):
        below = parent != ROOT and within[parent]
        top[stack] = wanted[frame] and not below
        within[stack] = wanted[frame] or below
    return top


def _intervals(profile: Profile, top: NDArray[np.bool_]) -> dict[tuple[int, int], tuple[Int64, Int64]]:
    """Return for each thread the (starts, ends) in which it was inside, in order and apart."""
    found: dict[tuple[int, int], list[Spans]] = {}
    for track in profile.tracks:
        if track.spans is not None:
            chosen = span_rows(track.spans, top[track.spans.stack])
            found.setdefault((track.pid, track.tid), []).append(chosen)
    return {thread: _joined(parts) for thread, parts in found.items()}


def _joined(parts: list[Spans]) -> tuple[Int64, Int64]:
    start = np.concatenate([spans.start_ns for spans in parts])
    end = np.concatenate([spans.end_ns for spans in parts])
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    apart = np.flatnonzero(start[1:] > end[:-1])
    firsts, lasts = np.append(0, apart + 1), np.append(apart, len(end) - 1)
    return (start[firsts], end[lasts]) if len(start) else (start, end)
