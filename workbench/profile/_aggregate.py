"""Totals over time: the stack tree with self and total times, and the table of scopes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import ROOT, FrameKind, Int64, Profile, Spans


@dataclass(frozen=True)
class StackTree:
    """A profile's stacks with their times, merged over tracks.

    Invariant: `total_ns[i]` is `self_ns[i]` plus the totals of the children of `i`.
    """

    profile: Profile
    self_ns: Int64
    """(stacks,) time with this stack on top."""
    total_ns: Int64
    """(stacks,) time with this stack on top or below."""
    count: Int64
    """(stacks,) how often it was entered (spans) or seen on top (samples)."""

    @property
    def all_ns(self) -> int:
        """All time in the tree: the totals of the stacks of one frame."""
        return int(self.total_ns[self.profile.stacks.parent == ROOT].sum())


def aggregate(profile: Profile, *, of: str) -> StackTree:
    """Return the stack tree of a profile's spans (`of="spans"`) or samples (`of="samples"`)."""
    size = len(profile.stacks)
    self_ns = np.zeros(size, dtype=np.int64)
    count = np.zeros(size, dtype=np.int64)
    for track in profile.tracks:
        if of == "spans" and track.spans is not None:
            _add_spans(profile, track.spans, self_ns, count)
        elif of == "samples" and track.samples is not None:
            seen = track.samples.stack != ROOT
            np.add.at(self_ns, track.samples.stack[seen], track.samples.weight_ns[seen])
            np.add.at(count, track.samples.stack[seen], 1)
    total_ns = self_ns.copy()
    parents = profile.stacks.parent
    for stack in range(size - 1, -1, -1):  # children stand after their parents
        if parents[stack] != ROOT:
            total_ns[parents[stack]] += total_ns[stack]
    return StackTree(profile, self_ns, total_ns, count)


def _add_spans(profile: Profile, spans: Spans, self_ns: Int64, count: Int64) -> None:
    """Add a track's self times and calls. A carried span has no time of its own: its sender's has."""
    size = len(profile.stacks)
    duration = spans.end_ns - spans.start_ns
    counted = np.ones(len(spans), dtype=np.bool_) if spans.carried is None else ~spans.carried
    inner = counted & ((profile.stacks.parent[spans.stack] != ROOT) & ~_on_carried(profile, spans))
    # `bincount` adds in float64, which is exact up to 2⁵³ ns: a hundred days on one stack.
    self_ns += _sum_by(spans.stack[counted], duration[counted], size)
    self_ns -= _sum_by(profile.stacks.parent[spans.stack[inner]], duration[inner], size)
    count += np.bincount(spans.stack[counted], minlength=size)


def _sum_by(index: NDArray[np.int32], values: Int64, size: int) -> Int64:
    return np.bincount(index, weights=values, minlength=size).astype(np.int64)


def _on_carried(profile: Profile, spans: Spans) -> NDArray[np.bool_]:
    """Return which spans stand directly on a carried one."""
    on = np.zeros(len(spans), dtype=np.bool_)
    if spans.carried is None or not spans.carried.any():
        return on
    carried = np.flatnonzero(spans.carried)
    stacks = np.unique(spans.stack[carried])
    before = np.searchsorted(spans.start_ns[carried], spans.start_ns, side="right") - 1
    inside = (before >= 0) & (spans.end_ns[carried[before]] >= spans.end_ns)
    return inside & np.isin(profile.stacks.parent[spans.stack], stacks) & ~spans.carried


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
    """Return the totals of every scope by name, the longest first."""
    tree = aggregate(profile, of="spans")
    names = [frame.name for frame in profile.frames]
    totals: dict[str, list[int]] = {}
    for stack in np.flatnonzero(tree.count):
        frame = int(profile.stacks.frame[stack])
        if profile.frames[frame].kind is not FrameKind.SCOPE:
            continue
        entry = totals.setdefault(names[frame], [0, 0, 0])
        entry[0] += int(tree.count[stack])
        entry[2] += int(tree.self_ns[stack])
        if frame not in profile.stacks.path(int(profile.stacks.parent[stack])):
            entry[1] += int(tree.total_ns[stack])
    ranked = sorted(totals.items(), key=lambda item: -item[1][1])
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
    for stack in range(len(profile.stacks)):
        path = [scope_names[frame] for frame in profile.stacks.path(stack)]
        below = path[:-1]
        if path[-1] in enclosing and not enclosing.intersection(filter(None, below)):
            outermost_enclosing[stack] = True
        first = next((i for i, scope in enumerate(path) if scope in enclosing), None)
        if path[-1] == name and first is not None and name not in below[first:]:
            outermost_name[stack] = True
    for track in profile.tracks:
        if track.spans is not None:
            duration = track.spans.end_ns - track.spans.start_ns
            if track.spans.carried is not None:
                duration = np.where(track.spans.carried, 0, duration)
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
            if spans.carried is not None:
                chosen &= ~spans.carried
            found.append((spans.end_ns - spans.start_ns)[chosen])
    return np.concatenate(found)
