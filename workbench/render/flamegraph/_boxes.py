"""From stacks to boxes: in order of name, and without those too narrow to see.

What grows with the profile is done by array operations; only boxes that stay are visited one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workbench.render.flamegraph._forest import (
    UNKNOWN,
    BoxLabel,
    Column,
    Forest,
    Rule,
    merge_equal_paths,
    without_overflow,
)

ROOT_NAME = "all"
MAX_BOXES = 30_000
"""More boxes than this nobody looks at, and they would make the file large and slow."""


@dataclass
class Boxes:
    """Boxes in depth-first order; the first stands for all. Amounts are in the unit of the tree.

    Invariant: the children of a box lie side by side inside it, and together are at most as wide.
    """

    labels: list[BoxLabel] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    total: list[int] = field(default_factory=list)
    """How wide each is."""
    columns: dict[str, list[int]] = field(default_factory=dict)
    """What else is known of each, by the names of the forest's columns; `UNKNOWN` where it is not."""
    cut: int = 0
    """How many boxes were too narrow."""
    cut_amount: int = 0
    """Their amount, the outermost of them counted."""
    too_many: bool = False
    """Whether some were left out though they are wide enough, the narrowest of them."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def rows(self) -> int:
        """The number of rows that the boxes need."""
        return max(self.depth, default=-1) + 1

    def rows_wider_than(self, share: float) -> int:
        """The number of rows up to the last that has a box wider than a share of all."""
        wide = (d for d, total in zip(self.depth, self.total, strict=True) if total >= share * self.total[0])
        return max(wide, default=-1) + 1


def lay_out(forest: Forest, minimum_share: float, most: int = MAX_BOXES) -> Boxes:
    """Return the boxes of a forest, the children of each in order of name.

    The order by name, not by time, keeps a function in its place from one run to the next. Siblings
    narrower than `minimum_share` of all become one box at the end of their row, where together they are
    wide enough, and a gap otherwise; both are counted in `cut`. At most `most` stacks are kept, the widest.
    """
    forest = merge_equal_paths(without_overflow(forest))
    everything = forest.width[forest.parent < 0].sum().item() if len(forest) else 0
    if everything <= 0:
        return Boxes()
    kept = np.flatnonzero(forest.width >= minimum_share * everything)
    narrowest = minimum_share * everything
    too_many = len(kept) > most
    if too_many:
        # Stable: of equals the first stay, and a parent stands before its children.
        kept = np.sort(kept[np.argsort(-forest.width[kept], kind="stable")[:most]])
        narrowest = max(narrowest, forest.width[kept].min().item())
    small = _left_out(forest, kept)
    boxes = _place(_candidates(forest, kept, small, narrowest))
    boxes.cut, boxes.cut_amount = int(small.count.sum()), small.width.sum().item()
    boxes.too_many = too_many
    return boxes


@dataclass(frozen=True)
class _Small:
    """What is left out right above each kept stack: `kept + 1` entries, the last for no stack."""

    count: NDArray[np.int64]
    """How many, with all above them."""
    width: Column
    columns: Mapping[str, Column]


def _left_out(forest: Forest, kept: NDArray[np.int64]) -> _Small:
    size = len(kept) + 1
    place = np.full(len(forest) + 1, size - 1, dtype=np.int64)  # the last one is for the parent -1
    place[kept] = np.arange(len(kept))
    is_kept = np.zeros(len(forest) + 1, dtype=np.bool_)
    is_kept[kept] = is_kept[-1] = True
    gone = np.flatnonzero(~is_kept)
    outermost = gone[is_kept[forest.parent[gone]]]
    # The nearest kept stack below each: the way there doubles with each step.
    below = np.append(forest.parent, -1)
    below[kept] = kept
    while not is_kept[below[gone]].all():
        below[gone] = below[below[gone]]

    def summed(values: Column, which: NDArray[np.int64]) -> Column:
        sums = np.zeros(size, dtype=values.dtype)
        np.add.at(sums, place[below[which]], values[which])
        return sums

    columns: dict[str, Column] = {}
    for name, column in forest.columns.items():
        match forest.rules[name]:
            case Rule.TOTAL:
                columns[name] = summed(column, outermost)
            case Rule.SELF:
                columns[name] = summed(column, gone)
            case _:
                columns[name] = np.full(size, UNKNOWN, dtype=np.int64)
    return _Small(np.bincount(place[below[gone]], minlength=size), summed(forest.width, outermost), columns)


@dataclass(frozen=True)
class _Candidates:
    """Boxes before they have a place: kept stacks, then the one for all, then those that stand for small ones."""

    labels: list[BoxLabel]
    label: NDArray[np.int64]
    """Index into `labels`, in whose order siblings stand."""
    parent: NDArray[np.int64]
    """Index of the box below, or -1."""
    width: Column
    columns: Mapping[str, Column]
    root: int


def _candidates(forest: Forest, kept: NDArray[np.int64], small: _Small, narrowest: float) -> _Candidates:
    root = len(kept)
    merged = np.flatnonzero((small.count > 0) & (small.width >= narrowest))
    used, index = np.unique(forest.label[kept], return_inverse=True)
    of_frames = [BoxLabel(*forest.labels[i]) for i in used.tolist()]
    labels = sorted(set(of_frames))  # frames that say the same are one
    rank = {label: i for i, label in enumerate(labels)}
    words = ["(1 small box)" if n == 1 else f"({n} small boxes)" for n in small.count[merged].tolist()]
    place = np.full(len(forest) + 1, root, dtype=np.int64)
    place[kept] = np.arange(root)
    is_root = forest.parent < 0

    def of_all(name: str) -> Column:
        column = forest.columns[name]
        if forest.rules[name] is Rule.TOTAL:
            return np.atleast_1d(column[is_root].sum())
        return np.array([0 if forest.rules[name] is Rule.SELF else UNKNOWN], dtype=column.dtype)

    return _Candidates(
        labels=[*labels, BoxLabel(ROOT_NAME), *map(BoxLabel, words)],
        label=np.concatenate(
            [
                np.array([rank[label] for label in of_frames], dtype=np.int64)[index],
                len(labels) + np.arange(1 + len(merged)),
            ]
        ),
        parent=np.concatenate([place[forest.parent[kept]], [-1], merged]),
        width=np.concatenate(
            [forest.width[kept], forest.width[is_root].sum(keepdims=True), small.width[merged]]
        ),
        columns={
            name: np.concatenate([column[kept], of_all(name), small.columns[name][merged]])
            for name, column in forest.columns.items()
        },
        root=root,
    )


def _place(boxes: _Candidates) -> Boxes:
    """Return the boxes side by side, depth first."""
    children: list[list[int]] = [[] for _ in range(len(boxes.parent))]
    parents = boxes.parent.tolist()
    for i in np.lexsort((boxes.label, boxes.parent)).tolist():
        if parents[i] >= 0:
            children[parents[i]].append(i)
    width = boxes.width.tolist()
    order: list[int] = []
    depths: list[int] = []
    starts: list[int] = []
    pending = [(boxes.root, 0, 0)]
    while pending:
        i, depth, start = pending.pop()
        order.append(i)
        depths.append(depth)
        starts.append(start)
        above: list[tuple[int, int, int]] = []
        for child in children[i]:
            above.append((child, depth + 1, start))
            start += width[child]
        pending.extend(reversed(above))
    used: dict[int, int] = {}
    label = [used.setdefault(i, len(used)) for i in boxes.label[order].tolist()]
    return Boxes(
        labels=[boxes.labels[i] for i in used],
        label=label,
        depth=depths,
        start=starts,
        total=boxes.width[order].tolist(),
        columns={name: column[order].tolist() for name, column in boxes.columns.items()},
    )
