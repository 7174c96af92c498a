"""Totals over time: the stack tree with self and total times, and exact percentiles of many groups of calls at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile._record import Profile, Spans
from workbench.profile.stacks import MAX_NS, ROOT, Int32, Int64, around, depths, summed_up


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
    p50_ns: Int64 | None = None
    """(stacks,) what half of its calls did not exceed, -1 where that is unknown; None: it is for all."""
    p95_ns: Int64 | None = None
    """(stacks,) what 95 % of its calls did not exceed, -1 where that is unknown; None: it is for all."""

    @property
    def all_ns(self) -> int:
        """All time in the tree: the totals of the stacks of one frame."""
        return int(self.total_ns[self.profile.stacks.parent == ROOT].sum())


def aggregate(profile: Profile, *, of: str, percentiles: bool = False) -> StackTree:
    """Return the stack tree of a profile's spans (`of="spans"`) or samples (`of="samples"`).

    With `percentiles`, also those of the calls of each stack, by the nearest rank; a call that had not ended
    counts with the time it had taken. Samples know no calls, and have none. They count nothing where a file has
    merged them without saying how many there were.

    Raises:
        InvalidInputError: `of` is neither.
    """
    if of not in ("spans", "samples"):
        raise InvalidInputError(f"a tree is of spans or of samples, not of {of!r}")
    size = len(profile.stacks)
    self_ns = np.zeros(size, dtype=np.int64)
    count = np.zeros(size, dtype=np.int64)
    depth: Int32 | None = None
    for track in profile.tracks:
        if of == "spans" and track.spans is not None and len(track.spans):
            below = profile.stacks.parent[track.spans.stack]
            if track.spans.propagated is not None and track.spans.propagated.any():
                depth = depths(profile.stacks) if depth is None else depth
                below = _real_below(track.spans, depth, track.spans.propagated)
            _add_spans(track.spans, below, self_ns, count)
        elif of == "samples" and track.samples is not None:
            seen = track.samples.stack != ROOT
            stack = track.samples.stack[seen]
            self_ns += _sum_by(stack, track.samples.weight_ns[seen], size)
            if profile.counts_samples:
                count += _sum_by(stack, track.samples.count[seen], size)
    p50 = p95 = None
    if of == "spans" and percentiles:
        p50, p95 = nearest_ranks(
            [calls(track.spans) for track in profile.tracks if track.spans is not None], size, (50, 95)
        )
    return StackTree(profile, self_ns, summed_up(profile.stacks, self_ns), count, p50, p95)


def calls(spans: Spans) -> tuple[Int32, Int64]:
    """Return the stack and the duration of each span that is a call here, and not one of a sender."""
    duration = spans.end_ns - spans.start_ns
    if spans.propagated is None:
        return spans.stack, duration
    return spans.stack[~spans.propagated], duration[~spans.propagated]


def _add_spans(spans: Spans, below: Int32, self_ns: Int64, count: Int64) -> None:
    """Add a track's self times and calls. A propagated span has no self time: its sender's has.

    What runs inside a propagated span is taken from the real scope around it on this track, if there is one.
    `below` is (spans,) the stack of that.
    """
    size = len(self_ns)
    stack, duration = calls(spans)
    below = below if spans.propagated is None else below[~spans.propagated]
    inner = below != ROOT
    self_ns += _sum_by(stack, duration, size)
    self_ns -= _sum_by(below[inner], duration[inner], size)
    count += np.bincount(stack, minlength=size)


def _sum_by(index: NDArray[np.int32], values: Int64, size: int) -> Int64:
    # `bincount` adds in float64, which is exact up to 2⁵³ ns: a hundred days on one stack.
    sums = np.bincount(index, weights=values, minlength=size)
    return np.clip(sums, -MAX_NS, MAX_NS).astype(np.int64)


def _real_below(spans: Spans, depth: Int32, propagated: NDArray[np.bool_]) -> Int32:
    """Return the stack of the innermost span around each span that is not propagated, or `ROOT`."""
    outer = around(depth[spans.stack])
    while True:  # each turn goes twice as far
        stands_in = (outer >= 0) & propagated[outer]
        if not stands_in.any():
            break
        outer = np.where(stands_in, outer[outer], outer)
    return np.where(outer >= 0, spans.stack[outer], ROOT).astype(np.int32)


def nearest_ranks(parts: Sequence[tuple[Int32, Int64]], groups: int, shares: Sequence[int]) -> list[Int64]:
    """Return for each share, in per cent, the percentiles of every group of durations; -1 for an empty one.

    By the nearest rank: the least duration of the group that so many per cent of it do not exceed. It is one
    that occurred, and 100 gives the longest.

    Args:
        parts: Pairs of (n,) groups and (n,) nanoseconds, none negative.
        groups: How many there are; a group is a number below it.
        shares: Whole per cent, in 1..100.
    """
    count = np.zeros(groups, dtype=np.int64)
    for group, _ in parts:
        count += np.bincount(group, minlength=groups)
    in_order = _sorted_by_group(parts, groups)
    before = np.cumsum(count) - count
    there = np.flatnonzero(count)
    found = []
    for share in shares:
        column = np.full(groups, -1, dtype=np.int64)
        column[there] = in_order[before[there] + (count[there] * share + 99) // 100 - 1]
        found.append(column)
    return found


def _sorted_by_group(parts: Sequence[tuple[Int32, Int64]], groups: int) -> Int64:
    """Return all durations, those of a group together and from short to long."""
    bits = max((int(duration.max(initial=0)) for _, duration in parts), default=0).bit_length()
    if groups.bit_length() + bits > 63:
        group = np.concatenate([group for group, _ in parts])
        duration = np.concatenate([duration for _, duration in parts])
        return duration[np.lexsort((duration, group))]
    # Both in one number: sorting numbers is many times as quick as sorting indices, and takes a third of the room.
    keys = np.empty(sum(len(group) for group, _ in parts), dtype=np.int64)
    done = 0
    for group, duration in parts:
        part = keys[done : done + len(group)]
        part[:] = group
        part <<= bits
        part |= duration
        done += len(group)
    keys.sort()
    keys &= (1 << bits) - 1
    return keys
