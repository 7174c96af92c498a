"""Nesting closed scopes by array operations: from the order in which they closed to spans on a stack tree.

A scope closes after the scopes inside it. So in closing order the parent of a scope at depth d is the first one
behind it at depth d - 1, and all parents of one depth are found by one search in a sorted array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Frame, ProfileBuilder, SpanRecord, Spans
from workbench.scopes import layout

MAX_DENSE = 1 << 22
"""Combinations of stack and frame up to which a table is quicker than sorting."""
MAX_LANES = 8
MAX_TIED = 256
MIN_PER_LEVEL = 20
"""Scopes for each level of nesting above which it is quicker to take a whole level at once."""


@dataclass(frozen=True)
class Scopes:
    """The scopes of one track in closing order; those that never closed stand last, the innermost first."""

    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    depth: NDArray[Any]
    """(scopes,) how many scopes were open around each"""
    name: NDArray[Any]
    """(scopes,) a number for each one's name"""
    unfinished: int | NDArray[np.bool_] = 0
    """how many of the last were still open, or (scopes,) whether each was"""
    out_of_order: bool = False
    work: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    propagated: NDArray[np.bool_] | None = None

    def rows(self, index: NDArray[np.int64]) -> Scopes:
        """Return some of the scopes, in the order of the index."""
        left = self.unfinished
        return replace(
            self,
            start_ns=self.start_ns[index],
            end_ns=self.end_ns[index],
            depth=self.depth[index],
            name=self.name[index],
            unfinished=index >= len(self.start_ns) - left if isinstance(left, int) else left[index],
            work={name: column[index] for name, column in self.work.items()},
            propagated=None if self.propagated is None else self.propagated[index],
        )

    def with_paths(self, paths: Mapping[int, list[int]]) -> Scopes:
        """Return the scopes with some replaced by a path of scopes, outermost first, marked as propagated.

        Args:
            paths: By index of a scope: the frames of its path, at least one.
        """
        index = np.array(sorted(paths), dtype=np.int64)
        lengths = np.array([len(paths[i]) for i in index.tolist()], dtype=np.int64)
        depth = self.depth.astype(np.int64) + self._shift(index, lengths)
        repeats = np.ones(len(self.start_ns), dtype=np.int64)
        repeats[index] = lengths
        longer = replace(self, depth=depth).rows(np.repeat(np.arange(len(repeats)), repeats))
        propagated = np.zeros(len(longer.start_ns), dtype=np.bool_)
        first = (np.cumsum(repeats) - repeats)[index]
        for place, i in zip(first.tolist(), index.tolist(), strict=True):
            path = paths[i]
            rows = slice(place, place + len(path))
            longer.name[rows] = path[::-1]  # the innermost closes first
            longer.depth[rows] += np.arange(len(path))[::-1]
            propagated[rows] = True
        return replace(longer, propagated=propagated)

    def _shift(self, index: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return by how much each scope is deeper once the ones around it have become paths."""
        by_start = np.argsort(self.start_ns[index], kind="stable")
        outer = index[by_start]
        at = np.searchsorted(self.start_ns[outer], self.start_ns, side="right") - 1
        around = outer[at]
        inside = (at >= 0) & (self.end_ns <= self.end_ns[around]) & (self.depth > self.depth[around])
        return np.where(inside, lengths[by_start][at] - 1, 0)


def nested_spans(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> list[Spans]:
    """Return the scopes of one track as spans that nest; on several lanes where they do not.

    `frames` has the builder's frame for the number of each name.
    """
    count = len(scopes.start_ns)
    if not count:
        return []
    levels = int(scopes.depth.max()) + 1
    spans = None
    if not scopes.out_of_order and levels < layout.MAX_DEPTH and levels * MIN_PER_LEVEL < count + 1000:
        spans = _by_depth(builder, scopes, frames)
    return [spans] if spans is not None else _by_time(builder, scopes, frames)


def _by_depth(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> Spans | None:
    """Return the spans, or None where depths and times contradict each other."""
    order = _opening_order(scopes)
    stack = _stacks(builder, scopes, frames) if order is not None else None
    if order is None or stack is None:
        return None
    left, count = scopes.unfinished, len(order)
    return Spans(
        stack[order],
        scopes.start_ns[order],
        scopes.end_ns[order],
        order >= count - left if isinstance(left, int) else left[order],
        None if scopes.propagated is None else scopes.propagated[order],
        {name: column[order] for name, column in scopes.work.items()},
    )


def _stacks(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> NDArray[np.int32] | None:
    """Return the stack of each scope, level by level; None where depths and times contradict each other."""
    stack = np.empty(len(scopes.start_ns), dtype=np.int32)
    by_level = np.argsort(scopes.depth, kind="stable")
    sizes = np.bincount(scopes.depth)
    above = above_start = above_end = np.empty(0, dtype=np.int64)
    below = np.full(int(sizes[0]), ROOT, dtype=np.int64)
    done = 0
    for level, size in enumerate(sizes.tolist()):
        if not size:
            return None  # deeper scopes, and none around them
        here = by_level[done : done + size]
        done += size
        start, end = scopes.start_ns[here], scopes.end_ns[here]
        if np.any(end[:-1] > start[1:]):
            return None  # one begins inside another of its own depth
        if level:
            place = np.searchsorted(above, here)
            if place[-1] == len(above):
                return None  # a scope without the one around it
            if np.any(above_start[place] > start) or np.any(above_end[place] < end):
                return None
            below = stack[above[place]].astype(np.int64)
        stack[here] = _intern(builder, below, scopes.name[here], frames)
        above, above_start, above_end = here, start, end
    return stack


def _opening_order(scopes: Scopes) -> NDArray[np.int64] | None:
    """Return the order in which the scopes opened; None where too many began at one instant."""
    start = scopes.start_ns
    order = np.argsort(start, kind="stable")
    ordered = start[order]
    if not np.any(ordered[1:] == ordered[:-1]):
        return order
    # Later closed first, so that of scopes which start at the same instant the outer one stands first; of
    # two at the same depth, the one without length.
    return _break_ties(
        start, scopes.end_ns, scopes.depth, len(start) - 1 - np.argsort(start[::-1], kind="stable")
    )


def _break_ties(
    start: NDArray[np.int64], end: NDArray[np.int64], depth: NDArray[Any], order: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Return an order by start in which scopes of the same start stand as they nested in time."""
    tied = np.flatnonzero(start[order[1:]] == start[order[:-1]])
    begins = tied[np.concatenate([[True], np.diff(tied) > 1])]
    ends = tied[np.concatenate([np.diff(tied) > 1, [True]])] + 2
    if np.any(ends - begins > MAX_TIED):
        return None
    for begin, stop in zip(begins.tolist(), ends.tolist(), strict=True):
        group = order[begin:stop]
        if np.any(np.diff(depth[group].astype(np.int64)) <= 0):
            # In closing order whatever is over before the next begins comes first, with all that is in it.
            by_close = np.sort(group)
            lasting = by_close[end[by_close] > start[by_close]]
            instant = by_close[end[by_close] == start[by_close]]
            order[begin:stop] = _instants(instant, lasting[::-1], depth)
    return order


def _instants(
    instant: NDArray[np.int64], lasting: NDArray[np.int64], depth: NDArray[Any]
) -> NDArray[np.int64]:
    """Return scopes of no length, and those that last, in the order in which they opened.

    In closing order a scope stands behind what is inside it; the first behind at a lesser depth is around it.
    """
    both = np.sort(np.concatenate([instant, lasting])).tolist()
    children: dict[int, list[int]] = {-1: []}
    for place, i in enumerate(both):
        around = next((j for j in both[place + 1 :] if depth[j] < depth[i]), -1)
        children.setdefault(around, []).append(i)
    opened: list[int] = []
    waiting = children[-1][::-1]
    while waiting:
        i = waiting.pop()
        opened.append(i)
        waiting += children.get(i, [])[::-1]
    return np.array(opened, dtype=np.int64)


def _intern(
    builder: ProfileBuilder, below: NDArray[np.int64], name: NDArray[Any], frames: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Return the stack of each pair (stack below, name), each distinct pair interned once."""
    width = len(frames)
    least = int(below.min(initial=0))
    key = below - least
    key *= width
    key += name
    size = int(key.max(initial=0)) + 1
    dense = size <= max(1024, min(MAX_DENSE, 4 * len(key)))
    if dense:
        table = np.zeros(size, dtype=np.int32)
        table[key] = 1
        distinct = np.flatnonzero(table)
    else:
        distinct, inverse = np.unique(key, return_inverse=True)
    interned = np.array(
        [builder.stack(k // width + least, int(frames[k % width])) for k in distinct.tolist()], dtype=np.int32
    )
    if dense:
        table[distinct] = interned
        return table[key]
    return interned[inverse]


def _by_time(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> list[Spans]:
    """Return spans nested by their times, on as few lanes as it takes for each lane's to nest.

    A scope that was closed after the one it began in keeps its interval in this way; past the last lane
    the builder cuts it.
    """
    every = builder.frames()
    framed = [every[i] for i in frames.tolist()]
    lanes: list[list[int]] = [[] for _ in range(MAX_LANES)]
    ends: list[list[int]] = [[] for _ in range(MAX_LANES)]
    start, end, depth = scopes.start_ns.tolist(), scopes.end_ns.tolist(), scopes.depth.tolist()
    for row in sorted(range(len(start)), key=lambda i: (start[i], depth[i])):
        for lane, opened in enumerate(ends):
            while opened and opened[-1] <= start[row]:
                opened.pop()
            if not opened or end[row] <= opened[-1] or lane == MAX_LANES - 1:
                lanes[lane].append(row)
                opened.append(end[row])
                break
    return [_lane(builder, scopes, framed, rows) for rows in lanes if rows]


def _lane(builder: ProfileBuilder, scopes: Scopes, frames: list[Frame], rows: list[int]) -> Spans:
    ordered = scopes.rows(np.array(rows, dtype=np.int64))
    spans = builder.spans(
        SpanRecord(*row)
        for row in zip(
            ordered.start_ns.tolist(),
            ordered.end_ns.tolist(),
            ordered.depth.tolist(),
            [frames[i] for i in ordered.name.tolist()],
            np.asarray(ordered.unfinished).tolist(),
            strict=True,
        )
    )
    return replace(spans, propagated=ordered.propagated, work=ordered.work)
