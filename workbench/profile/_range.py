"""A part of a profile: a time range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile._record import Profile, Samples, Spans, Track
from workbench.profile.row_selection import counter_rows, mark_rows, sample_rows, span_rows
from workbench.profile.stacks import Int64, around, depths

FURTHEST_NS = 1 << 62
"""No event is further away; times beyond it would not fit into a column."""


def between(profile: Profile, start_ns: int, end_ns: int) -> Profile:
    """Return what happened from `start_ns` to before `end_ns`, on the profile's clock.

    Invariants: the time of each stack is the sum of what its spans and its samples have inside the range; so
    ranges side by side sum up to the whole. Stacks, names and tracks stay, also tracks without anything left.
    Spans that reach over an edge are cut there; their numbers (flops, bytes) are of the whole and become NaN.
    What takes no time, samples, counters, marks and readings too, is inside from `start_ns` on and not at `end_ns`.

    Raises:
        InvalidInputError: The range ends before it starts.
    """
    if end_ns < start_ns:
        raise InvalidInputError(
            f"a range from {start_ns} to {end_ns} ns ends before it starts: swap its ends"
        )
    start_ns, end_ns = (max(-FURTHEST_NS, min(FURTHEST_NS, at)) for at in (start_ns, end_ns))
    depth = depths(profile.stacks)
    return replace(
        profile,
        tracks=tuple(
            replace(
                _points_in(track, start_ns, end_ns),
                spans=None if track.spans is None else _cut(track.spans, depth, start_ns, end_ns),
                samples=None if track.samples is None else _samples_in(track.samples, start_ns, end_ns),
            )
            for track in profile.tracks
        ),
        resources=tuple(
            each.rows((each.at_ns >= start_ns) & (each.at_ns < end_ns)) for each in profile.resources
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
        for span, other in zip(instants.tolist(), outer, strict=True):  # the outer ones come first
            inside[span] = other < 0 or inside[other]
    kept = span_rows(spans, inside)
    cut = (kept.start_ns < start_ns) | (kept.end_ns > end_ns)
    return replace(
        kept,
        start_ns=np.maximum(kept.start_ns, start_ns),
        end_ns=np.minimum(kept.end_ns, end_ns),
        work={name: np.where(cut, np.nan, column) for name, column in kept.work.items()},
    )


def _samples_in(samples: Samples, start_ns: int, end_ns: int) -> Samples:
    """Return the parts of samples that are in a range."""
    until = samples.at_ns + samples.weight_ns
    lasts = np.where(samples.weight_ns > 0, until > start_ns, samples.at_ns >= start_ns)
    row = np.flatnonzero((samples.at_ns < end_ns) & lasts & (start_ns < end_ns))
    at = np.maximum(samples.at_ns[row], start_ns)
    parts = sample_rows(samples, row)
    weight = np.minimum(until[row], end_ns) - at
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


def _points_in(track: Track, start_ns: int, end_ns: int) -> Track:
    """Return the track with those counters and marks that are in a range."""

    def inside(at: Int64) -> NDArray[np.bool_]:
        return (at >= start_ns) & (at < end_ns)

    counters = tuple(counter_rows(counter, inside(counter.at_ns)) for counter in track.counters)
    marks = None if track.marks is None else mark_rows(track.marks, inside(track.marks.at_ns))
    return replace(
        track,
        counters=tuple(counter for counter in counters if len(counter.at_ns)),
        marks=marks if marks is not None and len(marks.at_ns) else None,
    )
