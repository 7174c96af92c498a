"""Arithmetic on the prefix tree of stacks. One pass over the distinct stacks each; none recurses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import ROOT, Int32, Int64, Stacks

MOST_NS = 1 << 60
"""Thirty-six years: larger sums are of times that were made up, and must not overflow."""


def depths(stacks: Stacks) -> Int32:
    """Return (stacks,) how many frames each stack has below its top."""
    found: list[int] = []
    for parent in stacks.parent.tolist():  # parents stand before their children
        found.append(found[parent] + 1 if parent >= 0 else 0)
    return np.array(found, dtype=np.int32)


def summed_up(stacks: Stacks, own: Int64) -> Int64:
    """Return (stacks,) the amount of each stack and of all that stand on it."""
    sums: list[int] = own.tolist()
    parents = stacks.parent.tolist()
    for stack in range(len(sums) - 1, -1, -1):  # children stand after their parents
        if parents[stack] != ROOT:
            sums[parents[stack]] += sums[stack]
    if float(np.abs(own).sum(dtype=np.float64)) >= MOST_NS:
        sums = [max(-MOST_NS, min(MOST_NS, each)) for each in sums]
    return np.array(sums, dtype=np.int64)


def children(stacks: Stacks) -> dict[int, list[int]]:
    """Return by stack those that stand on it, in order; those of one frame under `ROOT`."""
    found: dict[int, list[int]] = {}
    for stack, parent in enumerate(stacks.parent.tolist()):
        found.setdefault(parent, []).append(stack)
    return found


def preorder(stacks: Stacks) -> Int64:
    """Return (stacks,) the place of each in an order in which all that stands on a stack follows it at once."""
    below = children(stacks)
    rank = np.empty(len(stacks), dtype=np.int64)
    todo = below.get(ROOT, [])[::-1]
    place = 0
    while todo:
        stack = todo.pop()
        rank[stack] = place
        place += 1
        todo += below.get(stack, [])[::-1]
    return rank


def outermost(stacks: Stacks, group: Sequence[Hashable]) -> list[bool]:
    """Return of each stack whether no stack below it is of the same group. `group` has one for each stack."""
    below = children(stacks)
    first = [False] * len(stacks)
    opened = dict.fromkeys(group, 0)
    todo = list(below.get(ROOT, []))
    while todo:
        stack = todo.pop()
        if stack < 0:  # left again
            opened[group[~stack]] -= 1
            continue
        first[stack] = not opened[group[stack]]
        opened[group[stack]] += 1
        todo.append(~stack)
        todo += below.get(stack, [])
    return first


def around(depth: NDArray[np.signedinteger]) -> Int64:
    """Return (spans,) the index of the span around each, -1 for none, from the depths of spans that nest.

    A span that is one deeper than the one before it is its first child. So in the order of depths, each is
    inside the one before the last first child.
    """
    few = int(depth.max(initial=0)) < 1 << 16
    order = np.argsort(depth.astype(np.uint16) if few else depth, kind="stable")  # 16 bits: in linear time
    opens = depth[order - 1] < depth[order]
    opens[depth[order] == 0] = False
    place = np.maximum.accumulate(np.where(opens, np.arange(len(order)), 0))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = order[place] - 1
    found[depth == 0] = -1
    return found


def sums(index: NDArray[np.intp], values: Int64, size: int) -> Int64:
    """Return the sum of the values of each index, in whole numbers."""
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, index, values)
    return found


class StackTable:
    """Distinct stacks as they are found."""

    def __init__(self) -> None:
        # Numbers take half the time of pairs, and are nothing to the garbage collector.
        self._index: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._index)

    def add(self, parent: int, frame: int) -> int:
        """Return the index of the stack with `frame` on top of `parent`."""
        return self._index.setdefault((parent - ROOT) << 32 | frame, len(self._index))

    def stacks(self) -> Stacks:
        """Return what was found as columns."""
        keys = np.fromiter(self._index, dtype=np.int64, count=len(self._index))
        parent, frame = (keys >> 32) + ROOT, keys & 0xFFFFFFFF
        return Stacks(parent.astype(np.int32), frame.astype(np.int32))
