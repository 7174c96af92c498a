"""Stacks ready to be laid out: those of one tree, of several side by side, or of two on top of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile import Frame, StackTree, TreeDifference
from workbench.render.colours import MERGED, THREAD

Column = NDArray[Any]
"""(stacks,) int64; float64 where the sums are beyond what 64 bits hold."""

_LARGEST = float(1 << 62)


class BoxLabel(NamedTuple):
    """What a box says of itself: a frame's own columns, or the name of a thread. Ordered by name."""

    name: str
    file: str = ""
    line: int = 0
    kind: int = MERGED


class Rule(Enum):
    """What becomes of a column where stacks share a box."""

    TOTAL = auto()
    """Amounts that include what is above: they add up."""
    SELF = auto()
    """Amounts without what is above: they add up."""
    CALLS = auto()
    """Numbers of one frame: equal paths add up, different frames share none."""
    SINGLE = auto()
    """What can be said of one path alone."""


UNKNOWN = -1


@dataclass(frozen=True)
class Forest:
    """Stacks with their widths. Parents stand before children; no width is zero.

    Invariant: the children of a stack are together at most as wide as it is.
    """

    labels: Sequence[Frame | BoxLabel]
    parent: NDArray[np.int64]
    """(stacks,) the stack below, or -1."""
    label: NDArray[np.int64]
    """(stacks,) index into `labels`."""
    width: Column
    """(stacks,) with all that is above."""
    columns: Mapping[str, Column]
    """(stacks,) each, by the name that the flame graph's script knows."""
    rules: Mapping[str, Rule]

    def __len__(self) -> int:
        return len(self.parent)


_TREE_RULES = {"self": Rule.SELF, "calls": Rule.CALLS, "p50": Rule.SINGLE, "p95": Rule.SINGLE}


def forest_of_tree(tree: StackTree) -> Forest:
    """Return the stacks of a tree that took any time."""
    own = np.maximum(tree.self_ns, 0)
    below_zero = bool((tree.self_ns < 0).any())
    stacks = tree.profile.stacks
    width = _sum_up(stacks.parent, own) if below_zero else tree.total_ns
    unknown = np.full(len(stacks), UNKNOWN, dtype=np.int64)
    columns = {
        "self": own,
        "calls": tree.count,
        "p50": unknown if tree.p50_ns is None else tree.p50_ns,
        "p95": unknown if tree.p95_ns is None else tree.p95_ns,
    }
    return _alive(tree, width, columns, _TREE_RULES)


def forest_of_threads(threads: Sequence[tuple[str, StackTree]]) -> Forest:
    """Return the stacks of several trees, each on a stack of its own that bears its name."""
    labels: list[Frame | BoxLabel] = []
    first_label: dict[int, int] = {}  # trees of one profile share its frames
    parts: list[tuple[Column, ...]] = []
    size = 0
    names = list(_TREE_RULES)
    for name, tree in threads:
        forest = forest_of_tree(tree)
        width = forest.width[forest.parent < 0].sum(keepdims=True)
        if not width[0] > 0:
            continue
        if id(tree.profile.frames) not in first_label:
            first_label[id(tree.profile.frames)] = len(labels)
            labels.extend(forest.labels)
        of_frames = first_label[id(tree.profile.frames)]
        head = {"self": np.zeros(1, dtype=np.int64)} | {n: np.array([UNKNOWN]) for n in names if n != "self"}
        parts.append(
            (
                np.append(-1, np.where(forest.parent < 0, size, forest.parent + size + 1)),
                np.append(len(labels), forest.label + of_frames),
                np.append(width, forest.width),
                *(np.append(head[n], forest.columns[n]) for n in names),
            )
        )
        labels.append(BoxLabel(name, kind=THREAD))
        size += 1 + len(forest)
    nothing = tuple(np.zeros(0, dtype=np.int64) for _ in range(3 + len(names)))
    parent, label, width, *columns = (np.concatenate(c) for c in zip(nothing, *parts, strict=True))
    return Forest(labels, parent, label, width, dict(zip(names, columns, strict=True)), _TREE_RULES)


def forest_of_difference(difference: TreeDifference) -> Forest:
    """Return the stacks that either side has, as wide as the larger of both.

    A stack's own width is the larger of its two self times, so that widths add up and nothing is lost:
    where one side has more in one child and less in another, the parent is wider than either side.
    """
    before, after = difference.before, difference.after
    own = np.maximum(np.maximum(before.self_ns, after.self_ns), 0)
    columns = {
        "before": before.total_ns,
        "after": after.total_ns,
        "beforeSelf": before.self_ns,
        "afterSelf": after.self_ns,
    }
    rules = {"before": Rule.TOTAL, "after": Rule.TOTAL, "beforeSelf": Rule.SELF, "afterSelf": Rule.SELF}
    return _alive(after, _sum_up(after.profile.stacks.parent, own), columns, rules)


def _alive(
    tree: StackTree, width: Column, columns: Mapping[str, Column], rules: Mapping[str, Rule]
) -> Forest:
    """Return the stacks that are wider than nothing."""
    stacks = tree.profile.stacks
    alive = np.flatnonzero(width > 0)
    place = np.full(len(stacks) + 1, -1, dtype=np.int64)  # the last one is for the parent -1
    place[alive] = np.arange(len(alive))
    return Forest(
        tree.profile.frames,
        place[stacks.parent[alive]],
        stacks.frame[alive].astype(np.int64),
        width[alive],
        {name: column[alive] for name, column in columns.items()},
        rules,
    )


def _sum_up(parent: NDArray[np.int32], own: Column) -> Column:
    """Return own amounts with those of all that is above; Python's integers cannot overflow."""
    totals, parents = own.tolist(), parent.tolist()
    for stack in range(len(parents) - 1, -1, -1):
        if parents[stack] >= 0:
            totals[parents[stack]] += totals[stack]
    return np.array(totals, dtype=np.float64 if max(totals, default=0) > _LARGEST else np.int64)


def without_overflow(forest: Forest) -> Forest:
    """Return the forest with columns that can be added up: as float64 where the sum is beyond 64 bits."""
    if float(np.sum(forest.width[forest.parent < 0], dtype=np.float64)) <= _LARGEST:
        return forest
    columns = {name: column.astype(np.float64) for name, column in forest.columns.items()}
    return replace(forest, width=forest.width.astype(np.float64), columns=columns)


def merge_equal_paths(forest: Forest) -> Forest:
    """Return the forest with one stack for each path: a tree joined from two runs may hold one twice."""
    keys = np.sort((forest.parent + 1) * len(forest.labels) + forest.label)
    if not len(keys) or np.all(keys[1:] > keys[:-1]):
        return forest
    first: dict[tuple[int, int], int] = {}
    same: list[int] = []
    for stack, (parent, label) in enumerate(zip(forest.parent.tolist(), forest.label.tolist(), strict=True)):
        same.append(first.setdefault((same[parent] if parent >= 0 else -1, label), stack))
    into = np.array(same)
    kept = np.flatnonzero(into == np.arange(len(forest)))
    place = np.full(len(forest) + 1, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    target = place[into]
    shared = np.bincount(target, minlength=len(kept)) > 1

    def merged(name: str) -> Column:
        if forest.rules[name] is Rule.SINGLE:
            return np.where(shared, UNKNOWN, forest.columns[name][kept])
        return _add_up(target, forest.columns[name], len(kept))

    return replace(
        forest,
        parent=place[np.where(forest.parent[kept] < 0, -1, into[forest.parent[kept]])],
        label=forest.label[kept],
        width=_add_up(target, forest.width, len(kept)),
        columns={name: merged(name) for name in forest.columns},
    )


def _add_up(target: NDArray[np.int64], values: Column, size: int) -> Column:
    sums = np.zeros(size, dtype=values.dtype)
    np.add.at(sums, target, values)
    return sums
