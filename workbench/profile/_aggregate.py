"""Totals over time: the stack tree with self and total times, and the table of scopes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import ROOT, FrameKind, Int64, Profile, Spans

MOST_NS = 1 << 60
"""Thirty-six years: larger sums are of times that were made up, and must not overflow."""


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
    totals = self_ns.tolist()
    parents = profile.stacks.parent.tolist()
    for stack in range(size - 1, -1, -1):  # children stand after their parents
        if parents[stack] != ROOT:
            totals[parents[stack]] += totals[stack]
    total_ns = np.array([max(-MOST_NS, min(MOST_NS, total)) for total in totals], dtype=np.int64)
    return StackTree(profile, self_ns, total_ns, count)


def _add_spans(profile: Profile, spans: Spans, self_ns: Int64, count: Int64) -> None:
    """Add a track's self times and calls. A carried span has no time of its own: its sender's has.

    What runs inside a carried span is taken from the real scope around it on this track, if there is one.
    """
    size = len(profile.stacks)
    duration = spans.end_ns - spans.start_ns
    counted = np.ones(len(spans), dtype=np.bool_) if spans.carried is None else ~spans.carried
    below = profile.stacks.parent[spans.stack]
    if spans.carried is not None and spans.carried.any():
        below = _real_below(profile, spans, spans.carried)
    inner = counted & (below != ROOT)
    # `bincount` adds in float64, which is exact up to 2⁵³ ns: a hundred days on one stack.
    self_ns += _sum_by(spans.stack[counted], duration[counted], size)
    self_ns -= _sum_by(below[inner], duration[inner], size)
    count += np.bincount(spans.stack[counted], minlength=size)


def _sum_by(index: NDArray[np.int32], values: Int64, size: int) -> Int64:
    sums = np.bincount(index, weights=values, minlength=size)
    return np.clip(sums, -MOST_NS, MOST_NS).astype(np.int64)


def _real_below(profile: Profile, spans: Spans, carried: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the stack of the innermost span around each span that is not carried, or `ROOT`."""
    parents = profile.stacks.parent
    depth = np.zeros(len(parents), dtype=np.int64)
    for stack in np.flatnonzero(parents != ROOT):  # parents stand before their children
        depth[stack] = depth[parents[stack]] + 1
    # The span around one is the last before it that is one level less deep: they nest.
    of_span = depth[spans.stack]
    order = np.argsort(of_span, kind="stable")
    edges = np.searchsorted(of_span[order], np.arange(int(of_span.max()) + 2))
    around = np.full(len(spans), -1, dtype=np.int64)
    for level in np.unique(of_span[of_span > 0]).tolist():
        here = order[edges[level] : edges[level + 1]]
        above = order[edges[level - 1] : edges[level]]
        around[here] = above[np.searchsorted(above, here) - 1]
    while True:
        stands_in = (around >= 0) & carried[around]
        if not stands_in.any():
            break
        around = np.where(stands_in, around[around], around)
    return np.where(around >= 0, spans.stack[around], ROOT).astype(np.int32)


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
    outermost = outermost_stacks(profile)
    totals: dict[str, list[int]] = {}
    for stack in np.flatnonzero(tree.count):
        frame = int(profile.stacks.frame[stack])
        if profile.frames[frame].kind is not FrameKind.SCOPE:
            continue
        entry = totals.setdefault(names[frame], [0, 0, 0])
        entry[0] += int(tree.count[stack])
        entry[2] += int(tree.self_ns[stack])
        if outermost[stack]:
            entry[1] += int(tree.total_ns[stack])
    ranked = sorted(totals.items(), key=lambda item: -item[1][1])
    return {name: ScopeTotals(name, calls, total, own) for name, (calls, total, own) in ranked}


def outermost_stacks(profile: Profile) -> list[bool]:
    """Return of each stack whether its frame stands nowhere below in it. Stacks may be as deep as a recursion."""
    children: dict[int, list[int]] = {}
    parents, frames = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    for stack, parent in enumerate(parents):
        children.setdefault(parent, []).append(stack)
    outermost = [False] * len(parents)
    opened = [0] * len(profile.frames)
    todo = list(children.get(ROOT, []))
    while todo:
        stack = todo.pop()
        if stack < 0:  # left again
            opened[frames[~stack]] -= 1
            continue
        outermost[stack] = not opened[frames[stack]]
        opened[frames[stack]] += 1
        todo.append(~stack)
        todo += children.get(stack, [])
    return outermost


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
