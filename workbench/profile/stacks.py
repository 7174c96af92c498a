"""The prefix tree of stacks: making one, and arithmetic on it by one pass over the distinct stacks; none recurses."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

ROOT = -1
"""The parent of a stack of one frame, and the stack of a track on which nothing ran."""
MAX_NS = 1 << 60
"""Thirty-six years: larger sums are of times that were made up, and must not overflow."""
MAX_FRAMES = 1 << 32
"""Numbers of frames are below it."""


@dataclass(frozen=True)
class Stacks:
    """A prefix tree: stack `i` is stack `parent[i]` with `frame[i]` on top. Parents come before children."""

    parent: Int32
    """(stacks,) index of the stack below, or `ROOT`."""
    frame: Int32
    """(stacks,) index into `Profile.frames`."""

    def __len__(self) -> int:
        return len(self.parent)

    def path(self, stack: int) -> list[int]:
        """Return the frame indices of a stack, root first."""
        frames: list[int] = []
        while stack != ROOT:
            frames.append(int(self.frame[stack]))
            stack = int(self.parent[stack])
        frames.reverse()
        return frames


NO_STACKS = Stacks(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32))


def depths(stacks: Stacks) -> Int32:
    """Return (stacks,) how many frames each stack has below its top."""
    found: list[int] = []
    for parent in stacks.parent.tolist():  # parents come before their children
        found.append(found[parent] + 1 if parent >= 0 else 0)
    return np.array(found, dtype=np.int32)


def with_any(stacks: Stacks, wanted: Sequence[bool]) -> NDArray[np.bool_]:
    """Return (stacks,) whether any frame of each is wanted; `wanted` has one for each frame."""
    found: list[bool] = []
    for parent, frame in zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True):
        found.append(wanted[frame] or (parent != ROOT and found[parent]))
    return np.array(found, dtype=np.bool_)


def summed_up(stacks: Stacks, own: Int64) -> Int64:
    """Return (stacks,) the amount of each stack and of all above it."""
    sums: list[int] = own.tolist()
    parents = stacks.parent.tolist()
    for stack in range(len(sums) - 1, -1, -1):  # children come after their parents
        if parents[stack] != ROOT:
            sums[parents[stack]] += sums[stack]
    if float(np.abs(own).sum(dtype=np.float64)) >= MAX_NS:
        sums = [max(-MAX_NS, min(MAX_NS, each)) for each in sums]
    return np.array(sums, dtype=np.int64)


def children(stacks: Stacks) -> dict[int, list[int]]:
    """Return by stack those above it, in order; those of one frame under `ROOT`."""
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


def sums(index: NDArray[np.integer], values: Int64, size: int) -> Int64:
    """Return the sum of the values of each index, in whole numbers."""
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, index, values)
    return found


class StackTable:
    """Distinct stacks as they are found: each is the stack below it, or `ROOT`, and the number of the frame on top."""

    def __init__(self) -> None:
        # Numbers take half the time of pairs, and are nothing to the garbage collector.
        self.index: dict[int, int] = {}
        """By `(parent + 1) << 32 | frame`. Long loops look up here, and add what is missing as `len(index)`."""
        self._leaves: Int64 | None = None

    def __len__(self) -> int:
        return len(self.index)

    def add(self, parent: int, frame: int) -> int:
        """Return the stack with a frame on top of another, or of `ROOT`."""
        return self.index.setdefault((parent + 1) << 32 | frame, len(self.index))

    def path(self, frames: Sequence[int]) -> int:
        """Return the stack of frames, root first; `ROOT` for none."""
        index, stack = self.index, ROOT
        for frame in frames:
            stack = index.setdefault((stack + 1) << 32 | frame, len(index))
        return stack

    def add_all(self, stacks: Stacks, frames: Sequence[int]) -> Int32:
        """Add all stacks of a tree, with other numbers for its frames; return (stacks + 1,) where each is now.

        Behind the last is `ROOT`, which is what -1 looks up.
        """
        index = self.index
        found: list[int] = []
        for parent, frame in zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True):
            below = found[parent] if parent != ROOT else ROOT
            found.append(index.setdefault((below + 1) << 32 | frames[frame], len(index)))
        return np.array([*found, ROOT], dtype=np.int32)

    def leaves(self, parents: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the stack with each frame on top of each parent; called once, when all else has been added.

        What is new is kept in columns: millions of leaves would take a second to put into the index.

        Args:
            parents: (leaves,) stacks that are here, or `ROOT`.
            frames: (leaves,) numbers below `MAX_FRAMES`.
        """
        pairs, inverse = np.unique((parents + 1 << 32) | frames, return_inverse=True)
        known = self._keys()
        order = np.argsort(known)
        place = np.searchsorted(known, pairs, sorter=order)
        nearest = order[np.minimum(place, max(len(order) - 1, 0))] if len(order) else place
        there = known[nearest] == pairs if len(order) else np.zeros(len(pairs), dtype=np.bool_)
        stack = np.where(there, nearest, len(known) + np.cumsum(~there) - 1)
        self._leaves = pairs[~there]
        return stack.astype(np.int32)[inverse]

    def _keys(self) -> Int64:
        return np.fromiter(self.index, dtype=np.int64, count=len(self.index))

    def stacks(self) -> Stacks:
        """Return what was found as columns."""
        keys = self._keys() if self._leaves is None else np.concatenate([self._keys(), self._leaves])
        return Stacks(((keys >> 32) - 1).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32))
