"""Nesting closed scopes by array operations: from closing order to spans on a stack tree.

A scope closes after the scopes inside it. So in closing order the parent of a scope at depth d is the next scope at
depth d - 1, and one search in a sorted array finds all parents of one depth.
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
"""Combinations of stack and frame up to which a table is faster than sorting."""
MAX_LANES = 8
"""Tracks for scopes that do not nest: the builder cuts those that fit into none."""
MAX_TIED = 256
"""Scopes with the same start: more are nested by time, because ordering them is quadratic."""
MIN_PER_LEVEL = 20
"""Scopes per level of nesting above which it is faster to take a whole level at once."""


@dataclass(frozen=True)
class Scopes:
    """The scopes of one track in closing order; those that never closed are last, the innermost first."""

    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    depth: NDArray[Any]
    """(scopes,) how many scopes were open around each"""
    name: NDArray[Any]
    """(scopes,) number of each one's name"""
    unfinished: int | NDArray[np.bool_] = 0
    """number of scopes at the end that never closed, or (scopes,) whether each did not"""
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
            paths: By index of a scope: the frames of its path, at lowest one.
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
        """Return by how much each scope becomes deeper when the ones around it become paths."""
        by_start = np.argsort(self.start_ns[index], kind="stable")
        outer = index[by_start]
        at = np.searchsorted(self.start_ns[outer], self.start_ns, side="right") - 1
        around = outer[at]
        inside = (at >= 0) & (self.end_ns <= self.end_ns[around]) & (self.depth > self.depth[around])
        return np.where(inside, lengths[by_start][at] - 1, 0)


def nested_spans(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> list[Spans]:
    """Return the scopes of one track as nested spans, on several lanes if they do not nest.

    `frames` has the builder's frame for each number of a name.
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
    """Return the spans; None if depths and times contradict each other."""
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
    """Return the stack of each scope, level by level; None if depths and times contradict each other."""
    stack = np.empty(len(scopes.start_ns), dtype=np.int32)
    by_level = np.argsort(scopes.depth, kind="stable")
    sizes = np.bincount(scopes.depth)
    above = above_start = above_end = np.empty(0, dtype=np.int64)
    below = np.full(int(sizes[0]), ROOT, dtype=np.int64)
    done = 0
    for level, size in enumerate(sizes.tolist()):
        if not size:
            return None  # deeper scopes without one around them
        here = by_level[done : done + size]
        done += size
        start, end = scopes.start_ns[here], scopes.end_ns[here]
        if np.any(end[:-1] > start[1:]):
            return None  # one begins inside another of its own depth
        if level:
            parent = np.searchsorted(above, here)
            if parent[-1] == len(above):
                return None  # a scope without the one around it
            if np.any(above_start[parent] > start) or np.any(above_end[parent] < end):
                return None
            below = stack[above[parent]].astype(np.int64)
        stack[here] = _intern(builder, below, scopes.name[here], frames)
        above, above_start, above_end = here, start, end
    return stack


def _opening_order(scopes: Scopes) -> NDArray[np.int64] | None:
    """Return the order in which the scopes opened; None if too many began at one instant."""
    start = scopes.start_ns
    order = np.argsort(start, kind="stable")
    ordered = start[order]
    if not np.any(ordered[1:] == ordered[:-1]):
        return order
    # Of scopes with the same start, the one that closed later comes first, because it is the outer one.
    return _break_ties(
        start, scopes.end_ns, scopes.depth, len(start) - 1 - np.argsort(start[::-1], kind="stable")
    )


def _break_ties(
    start: NDArray[np.int64], end: NDArray[np.int64], depth: NDArray[Any], order: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Return an order by start in which scopes of the same start are ordered as they nest."""
    tied = np.flatnonzero(start[order[1:]] == start[order[:-1]])
    begins = tied[np.concatenate([[True], np.diff(tied) > 1])]
    ends = tied[np.concatenate([np.diff(tied) > 1, [True]])] + 2
    if np.any(ends - begins > MAX_TIED):
        return None
    for begin, stop in zip(begins.tolist(), ends.tolist(), strict=True):
        group = order[begin:stop]
        if np.any(np.diff(depth[group].astype(np.int64)) <= 0):
            # Scopes of no length come before the next one that lasts, with all that is inside them.
            by_close = np.sort(group)
            lasting = by_close[end[by_close] > start[by_close]]
            instant = by_close[end[by_close] == start[by_close]]
            order[begin:stop] = _instants(instant, lasting[::-1], depth)
    return order


def _instants(
    instant: NDArray[np.int64], lasting: NDArray[np.int64], depth: NDArray[Any]
) -> NDArray[np.int64]:
    """Return scopes of no length, and those that last, in the order in which they opened.

    In closing order a scope follows what is inside it; the next one at a lesser depth is around it.
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
    """Return the stack of each pair (stack below, name); each distinct pair is interned once."""
    width = len(frames)
    lowest = int(below.min(initial=0))
    key = below - lowest
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
        [builder.stack(k // width + lowest, int(frames[k % width])) for k in distinct.tolist()],
        dtype=np.int32,
    )
    if dense:
        table[distinct] = interned
        return table[key]
    return interned[inverse]


def _by_time(builder: ProfileBuilder, scopes: Scopes, frames: NDArray[np.int64]) -> list[Spans]:
    """Return spans nested by their times, on as few lanes as possible.

    A scope that closed after the one it began in so keeps its interval; on the last lane the builder cuts it.
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
