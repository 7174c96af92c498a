"""What each scope took: totals, single calls, what instrumentation adds to it, and the table of all of it.

A recording states two constants for each process: `inside_ns`, what a scope adds to its own interval, and
`parent_ns`, what it adds to whatever is around it, its own interval included. `chunk_ns`, what it took to get room in
the log, is added to what is outside: it comes in lumps, so that this is right for sums only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile._aggregate import StackTree, aggregate, calls, nearest_ranks
from workbench.profile._record import FrameKind, Profile
from workbench.profile.stacks import ROOT, Int32, Int64, outermost


@dataclass(frozen=True)
class ScopeTotals:
    """What one scope took, over all tracks it ran on."""

    name: str
    calls: int
    total_ns: int
    """Time inside the scope; a scope inside itself is counted once."""
    self_ns: int
    """Time inside the scope and in no scope below it."""


def scope_totals(profile: Profile) -> dict[str, ScopeTotals]:
    """Return the totals of every scope that was entered, by name, the longest first."""
    return totals_by_name(aggregate(profile, of="spans"), scopes_only=True)


def totals_by_name(tree: StackTree, *, scopes_only: bool = False) -> dict[str, ScopeTotals]:
    """Return the totals of every name that was entered in a tree, the longest first."""
    frames, stacks = tree.profile.frames, tree.profile.stacks
    counts = [not scopes_only or frame.kind is FrameKind.SCOPE for frame in frames]
    first = outermost(stacks, [(frames[i].name, counts[i]) for i in stacks.frame.tolist()])
    found: dict[str, list[int]] = {}
    # Of a stack that was only propagated along, the calls are elsewhere; what ran inside it is here.
    for stack in np.flatnonzero((tree.count != 0) | (tree.total_ns != 0)).tolist():
        frame = stacks.frame[stack]
        if not counts[frame]:
            continue
        entry = found.setdefault(frames[frame].name, [0, 0, 0])
        entry[0] += int(tree.count[stack])
        entry[1] += int(tree.total_ns[stack]) if first[stack] else 0
        entry[2] += int(tree.self_ns[stack])
    ranked = sorted((item for item in found.items() if item[1][0]), key=lambda item: -item[1][1])
    return {name: ScopeTotals(name, calls, total, own) for name, (calls, total, own) in ranked}


def time_inside(profile: Profile, name: str, *, within: Iterable[str]) -> tuple[int, int]:
    """Return nanoseconds (inside scope `name` and within one of `within`, inside one of `within`).

    Summed over all tracks. On each, the outermost of the enclosing scopes counts, so that nothing is
    counted twice; so does the outermost `name` in it.
    """
    enclosing = frozenset(within)
    scope_names = [f.name if f.kind is FrameKind.SCOPE else None for f in profile.frames]
    inside = 0
    all_of_it = 0
    outermost_name = np.zeros(len(profile.stacks), dtype=np.bool_)
    outermost_enclosing = np.zeros(len(profile.stacks), dtype=np.bool_)
    within_one: list[bool] = []
    within_both: list[bool] = []
    parents, frames = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    for stack, (parent, frame) in enumerate(zip(parents, frames, strict=True)):  # parents come first
        scope = scope_names[frame]
        was_within = parent != ROOT and within_one[parent]
        had_name = parent != ROOT and within_both[parent]
        is_within = was_within or scope in enclosing
        outermost_enclosing[stack] = is_within and not was_within
        outermost_name[stack] = scope == name and is_within and not had_name
        within_one.append(is_within)
        within_both.append(is_within and (had_name or scope == name))
    for track in profile.tracks:
        if track.spans is not None:
            duration = track.spans.end_ns - track.spans.start_ns
            if track.spans.propagated is not None:
                duration = np.where(track.spans.propagated, 0, duration)
            inside += int(duration[outermost_name[track.spans.stack]].sum())
            all_of_it += int(duration[outermost_enclosing[track.spans.stack]].sum())
    return inside, all_of_it


def durations(profile: Profile, name: str) -> Int64:
    """Return the nanoseconds of every call of a scope, over all tracks, in order of track and start."""
    wanted = np.array([f.kind is FrameKind.SCOPE and f.name == name for f in profile.frames], dtype=np.bool_)
    found = [np.zeros(0, dtype=np.int64)]
    for track in profile.tracks:
        if track.spans is not None and len(track.spans):
            spans = track.spans
            chosen = wanted[profile.stacks.frame[spans.stack]]
            if spans.propagated is not None:
                chosen &= ~spans.propagated
            found.append((spans.end_ns - spans.start_ns)[chosen])
    return np.concatenate(found)


class ScopeCost(NamedTuple):
    """Nanoseconds that one scope takes."""

    inside_ns: float
    """within its own interval"""
    parent_ns: float
    """within whatever is around it, its own interval included"""


def scope_costs(profile: Profile) -> dict[int | None, ScopeCost]:
    """Return what a scope costs in each process, by its id; under None the median over all of them.

    Each process measures at the start and, where it was not killed, at the end; the mean of both counts.
    Empty where the profile states none: it is of a sampler alone, or of an old recording.
    """
    found: dict[int | None, list[ScopeCost]] = {}
    chunks: dict[int | None, float] = {}
    for cost in profile.recording.scope_costs:
        chunks[cost.pid] = cost.chunk_ns  # the last one of a process holds for all of it
        for pid in (None, cost.pid):
            found.setdefault(pid, []).append(ScopeCost(cost.inside_ns, cost.parent_ns))
    means = {
        pid: ScopeCost(*(np.median if pid is None else np.mean)(np.array(costs), axis=0).tolist())
        for pid, costs in found.items()
    }
    return {
        pid: ScopeCost(cost.inside_ns, cost.parent_ns + chunks.get(pid, 0.0)) for pid, cost in means.items()
    }


def scope_overhead(profile: Profile) -> dict[str, float]:
    """Return by the name of a scope what instrumentation adds to its `ScopeTotals.total_ns`, for all scopes in it."""
    costs = scope_costs(profile)
    if not costs:
        return {}
    size, parents = len(profile.stacks), profile.stacks.parent
    added = np.zeros(size)
    for track in profile.tracks:
        if track.spans is not None and len(track.spans):
            cost = costs.get(track.pid, costs[None])
            count = np.bincount(calls(track.spans)[0], minlength=size)
            added += count * cost.inside_ns
            outside = count * (cost.parent_ns - cost.inside_ns)
            below = parents != ROOT
            added += np.bincount(parents[below], weights=outside[below], minlength=size)
    totals = added.tolist()
    for stack, parent in reversed(list(enumerate(parents.tolist()))):
        if parent != ROOT:
            totals[parent] += totals[stack]
    names = [profile.frames[frame].name for frame in profile.stacks.frame.tolist()]
    found = dict.fromkeys(scope_totals(profile), 0.0)
    for name, total, is_first in zip(names, totals, outermost(profile.stacks, names), strict=True):
        if is_first and name in found:
            found[name] += total
    return found


FLOPS, BYTES = "flops", "bytes"
"""The names of the numbers that rates are made of."""


@dataclass(frozen=True)
class ScopeRow:
    """What one scope took. Its calls include those that had not ended, with the time they had taken."""

    name: str
    calls: int
    total_ns: int
    """Time inside the scope, over all tracks; a scope inside itself is counted once."""
    self_ns: int
    """Time inside the scope and in none below it."""
    mean_ns: float
    """Of its calls, as are the percentiles: with recursion it is not `total_ns / calls`."""
    p50_ns: int
    p95_ns: int
    p99_ns: int
    max_ns: int
    gflops: float | None
    """10⁹ operations a second in the calls that state `flops`; None where none does, or they took no time."""
    gbytes_per_s: float | None
    """10⁹ bytes a second in the calls that state `bytes`."""
    overhead_ns: float | None
    """What instrumentation adds to `total_ns`; None where the profile states no cost."""
    unfinished: int
    """How many of the calls had not ended."""
    wall_ns: int
    """How long any thread was inside the scope, or worked for it; `total_ns` sums up threads that were so at once."""


def scope_table(profile: Profile) -> list[ScopeRow]:
    """Return a row for each name that spans stand for, the longest total first.

    Percentiles are by the nearest rank: durations that occurred. Scopes that were propagated along with work
    count where they ran, not again on the tracks of those who worked for them.
    """
    totals = totals_by_name(aggregate(profile, of="spans"))
    size = len(totals)
    number = {name: i for i, name in enumerate(totals)}
    of_frame = np.array([number.get(frame.name, size) for frame in profile.frames], dtype=np.int32)
    of_stack = of_frame[profile.stacks.frame]
    parts: list[tuple[Int32, NDArray[np.int64]]] = []
    unfinished, spent = np.zeros(size, dtype=np.int64), np.zeros(size)
    rates = {FLOPS: np.zeros((2, size)), BYTES: np.zeros((2, size))}
    for spans in (track.spans for track in profile.tracks if track.spans is not None):
        stack, duration = calls(spans)
        name = of_stack[stack]
        here = slice(None) if spans.propagated is None else ~spans.propagated
        parts.append((name, duration))
        unfinished += np.bincount(name[spans.unfinished[here]], minlength=size)
        spent += np.bincount(name, weights=duration, minlength=size)
        for column, sums in rates.items():
            if column in spans.work:
                amount = spans.work[column][here]
                stated = np.isfinite(amount)
                sums[0] += np.bincount(name[stated], weights=amount[stated], minlength=size)
                sums[1] += np.bincount(name[stated], weights=duration[stated], minlength=size)
    p50, p95, p99, longest = nearest_ranks(parts, size, (50, 95, 99, 100))
    overhead = scope_overhead(profile)
    wall = wall_ns(profile, of_stack, [row.total_ns for row in totals.values()])
    return [
        ScopeRow(
            name,
            row.calls,
            row.total_ns,
            row.self_ns,
            float(spent[i]) / row.calls,
            int(p50[i]),
            int(p95[i]),
            int(p99[i]),
            int(longest[i]),
            gflops=_rate(rates[FLOPS][:, i]),
            gbytes_per_s=_rate(rates[BYTES][:, i]),
            overhead_ns=overhead.get(name),
            unfinished=int(unfinished[i]),
            wall_ns=wall[i],
        )
        for i, (name, row) in enumerate(totals.items())
    ]


def wall_ns(profile: Profile, of_stack: NDArray[np.integer], total_ns: list[int]) -> list[int]:
    """Return of each group of scopes how long any track was inside one; of a group on one track that is its total.

    Args:
        profile: Has the spans.
        of_stack: (stacks,) the number of each stack's group, or another number for none.
        total_ns: The total of each group.
    """
    unknown = len(total_ns)
    of_stack = np.where((of_stack >= 0) & (of_stack < unknown), of_stack, unknown)
    tracks = [track.spans for track in profile.tracks if track.spans is not None and len(track.spans)]
    names = [of_stack[spans.stack] for spans in tracks]
    on = np.zeros(unknown + 1, dtype=np.int64)
    for name in names:
        on[np.unique(name)] += 1
    found = list(total_ns)
    on[unknown] = 0
    shared = on > 1
    if not shared.any():
        return found
    kept = [shared[name] for name in names]
    name = np.concatenate([each[keep] for each, keep in zip(names, kept, strict=True)])
    start = np.concatenate([spans.start_ns[keep] for spans, keep in zip(tracks, kept, strict=True)])
    end = np.concatenate([spans.end_ns[keep] for spans, keep in zip(tracks, kept, strict=True)])
    order = np.lexsort((start, name))
    for rows in np.split(order, np.flatnonzero(np.diff(name[order])) + 1):
        reach = np.maximum.accumulate(end[rows])
        gaps = np.maximum(start[rows][1:] - reach[:-1], 0).sum()
        found[int(name[rows[0]])] = int(reach[-1] - start[rows[0]] - gaps)
    return found


def _rate(sums: NDArray[np.float64]) -> float | None:
    """Return amounts for each nanosecond, which is 10⁹ a second."""
    amount, duration = sums.tolist()
    return amount / duration if duration > 0 else None
