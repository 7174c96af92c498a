"""Totals over time: the stack tree with self and total times, and the table of scopes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workbench.profile._record import ROOT, FrameKind, Int64, Profile


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
            spans = track.spans
            duration = spans.end_ns - spans.start_ns
            np.add.at(self_ns, spans.stack, duration)
            np.add.at(count, spans.stack, 1)
            parent = profile.stacks.parent[spans.stack]
            inner = parent != ROOT
            np.subtract.at(self_ns, parent[inner], duration[inner])
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
            inside += int(duration[outermost_name[track.spans.stack]].sum())
            all_of_it += int(duration[outermost_enclosing[track.spans.stack]].sum())
    return inside, all_of_it
