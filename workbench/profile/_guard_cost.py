"""What the guards themselves cost, and the profile without it.

A recording states two constants for each process: `inside_ns`, what a guard adds to its own interval, and
`parent_ns`, what it adds to whatever is around it, its own interval included. The difference is spent outside of
the interval, about one half before it and one half behind; so are the halves of what is inside. `chunk_ns`, what it
took to get room in the log, is added to what is outside: it comes in lumps, so that this is right for sums only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import ROOT, Int64, Profile, Spans, Track
from workbench.profile._scopes import scope_totals
from workbench.profile._stacks import outermost

PARTS = 1024
MOST_GAP_NS = 1_000_000
"""So much of a gap is looked at, so that sums of parts stay in range."""
MOST_NS = 1_000_000_000
"""A guard that takes longer than a second was not measured but made up."""


class GuardCost(NamedTuple):
    """Nanoseconds that one guard takes."""

    inside_ns: float
    """within its own interval"""
    parent_ns: float
    """within whatever is around it, its own interval included"""


def guard_costs(profile: Profile) -> dict[int | None, GuardCost]:
    """Return what a guard costs in each process, by its id; under None the median over all of them.

    Each process measures at the start and, where it was not killed, at the end; the mean of both counts.
    Empty where the profile states none: it is of a sampler alone, or of an old recording.
    """
    stated = profile.facts.get("guard_costs")
    found: dict[int | None, list[GuardCost]] = {}
    chunks: dict[object, float] = {}
    for cost in stated if isinstance(stated, list) else []:
        if not isinstance(cost, Mapping):
            continue
        inside, parent = cost.get("inside_ns"), cost.get("parent_ns")
        if not isinstance(inside, (int, float)) or not isinstance(parent, (int, float)):
            continue
        chunk = cost.get("chunk_ns", 0.0)
        if isinstance(chunk, (int, float)) and 0 <= chunk < MOST_NS:
            chunks[cost.get("pid")] = chunk  # what it ends with holds for all of it
        if 0 <= inside <= parent < MOST_NS:
            found.setdefault(None, []).append(GuardCost(inside, parent))
            found.setdefault(cost.get("pid"), []).append(GuardCost(inside, parent))
    means = {
        pid: GuardCost(*(np.median if pid is None else np.mean)(np.array(costs), axis=0).tolist())
        for pid, costs in found.items()
    }
    return {
        pid: GuardCost(cost.inside_ns, cost.parent_ns + chunks.get(pid, 0.0)) for pid, cost in means.items()
    }


@dataclass(frozen=True)
class GuardOverhead:
    """What guards add to the times of one scope, over all calls and tracks."""

    self_ns: float
    """in the scope, and in no scope below it: its own guard's part inside, the outer parts of those within"""
    total_ns: float
    """in the scope: also all of the guards below it"""


def guard_overhead(profile: Profile) -> dict[str, GuardOverhead]:
    """Return by the name of a scope what guards add to `ScopeTotals.self_ns` and `total_ns` of it."""
    costs = guard_costs(profile)
    if not costs:
        return {}
    size = len(profile.stacks)
    own, within = np.zeros(size), np.zeros(size)
    for track in profile.tracks:
        if track.spans is not None and len(track.spans):
            cost = costs.get(track.pid, costs[None])
            calls = np.bincount(_real(track.spans).stack, minlength=size)
            own += calls * cost.inside_ns
            outside = calls * (cost.parent_ns - cost.inside_ns)
            below = profile.stacks.parent != ROOT
            within += np.bincount(profile.stacks.parent[below], weights=outside[below], minlength=size)
    overhead = own + within
    totals = overhead.copy()
    parents = profile.stacks.parent.tolist()
    for stack in range(size - 1, -1, -1):
        if parents[stack] != ROOT:
            totals[parents[stack]] += totals[stack]
    return _by_name(profile, overhead, totals)


def _real(spans: Spans) -> Spans:
    """Return the spans that had a guard here: not those that stand for a scope elsewhere."""
    if spans.carried is None:
        return spans
    here = ~spans.carried
    return Spans(spans.stack[here], spans.start_ns[here], spans.end_ns[here], spans.unfinished[here])


def without_guard_cost(profile: Profile) -> Profile:
    """Return the profile as it would be if guards took no time.

    Between any two instants at which a track's scopes open or close, the time that their guards take is left out;
    where there is less than that, the rest is taken from what follows. So on each track the order of all instants
    and the nesting stay as they are, the first instant stays where it is, and every interval becomes shorter, or
    stays. Tracks shrink by different amounts: afterwards times are to be compared within a track only. A profile
    that states no costs stays as it is.
    """
    costs = guard_costs(profile)
    if not costs:
        return profile
    tracks = tuple(_shrunk(track, costs.get(track.pid, costs[None])) for track in profile.tracks)
    starts = [int(t.spans.start_ns[0]) for t in tracks if t.spans is not None and len(t.spans)]
    ends = [int(t.spans.end_ns.max()) for t in tracks if t.spans is not None and len(t.spans)]
    facts = {**profile.facts, "guard_costs": [], "guard_costs_subtracted": True}
    untouched = len(starts) < len(tracks)
    return replace(
        profile,
        tracks=tracks,
        start_ns=profile.start_ns if untouched else min(starts, default=profile.start_ns),
        end_ns=profile.end_ns if untouched else max(ends, default=profile.end_ns),
        facts=facts,
    )


def _shrunk(track: Track, cost: GuardCost) -> Track:
    spans = track.spans
    if spans is None or not len(spans):
        return track
    # In whole parts of a nanosecond: sums of floats are now and then rounded across an instant.
    inner = round(cost.inside_ns / 2 * PARTS)
    outer = round((cost.parent_ns - cost.inside_ns) / 2 * PARTS)
    at = np.concatenate([spans.start_ns, spans.end_ns])
    # A scope that was carried along had its guard where it was sent.
    here = np.ones(len(spans), dtype=np.int64) if spans.carried is None else (~spans.carried).astype(np.int64)
    left = np.where(spans.unfinished, 0, here)  # a guard that has not ended yet has taken no time for it
    before = np.concatenate([here * outer, left * inner])
    after = np.concatenate([here * inner, left * outer])
    order = np.argsort(at, kind="stable")
    taken = after[order][:-1] + before[order][1:]
    gaps = np.minimum(np.diff(at[order]), MOST_GAP_NS) * PARTS
    # What does not fit into one gap is taken out of the next: single costs scatter around their mean.
    there, wanted = np.cumsum(gaps), np.cumsum(taken)
    removed = there + np.minimum(np.minimum.accumulate(wanted - there), 0)
    shift = np.zeros(len(at), dtype=np.int64)
    shift[order[1:]] = removed // PARTS
    moved = at - shift
    times = _Times(at[order], moved[order])
    samples, marks = track.samples, track.marks
    if samples is not None:
        begin, until = times(samples.at_ns), times(samples.at_ns + samples.weight_ns)
        samples = replace(samples, at_ns=begin, weight_ns=until - begin)
    return replace(
        track,
        spans=replace(spans, start_ns=moved[: len(spans)], end_ns=moved[len(spans) :]),
        samples=samples,
        counters=tuple(replace(counter, at_ns=times(counter.at_ns)) for counter in track.counters),
        marks=None if marks is None else replace(marks, at_ns=times(marks.at_ns)),
    )


@dataclass(frozen=True)
class _Times:
    """Where the instants of a track are afterwards; those between two that are known move evenly."""

    before: Int64
    after: Int64

    def __call__(self, at: Int64) -> Int64:
        first, last = self.before[0], self.before[-1]
        inside = np.interp((at - first).astype(np.float64), (self.before - first), (self.after - first))
        moved = np.rint(inside).astype(np.int64) + first
        moved = np.where(at < first, at, moved)
        return np.where(at > last, at - last + self.after[-1], moved)


def _by_name(
    profile: Profile, own: NDArray[np.float64], total: NDArray[np.float64]
) -> dict[str, GuardOverhead]:
    names = [frame.name for frame in profile.frames]
    first = outermost(profile.stacks, [names[frame] for frame in profile.stacks.frame.tolist()])
    found: dict[str, list[float]] = {name: [0.0, 0.0] for name in scope_totals(profile)}
    for stack, frame in enumerate(profile.stacks.frame.tolist()):
        entry = found.get(profile.frames[frame].name)
        if entry is not None:
            entry[0] += own[stack]
            entry[1] += total[stack] if first[stack] else 0.0
    return {name: GuardOverhead(*both) for name, both in found.items()}
