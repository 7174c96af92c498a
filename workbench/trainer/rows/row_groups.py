"""Rows in groups of a fixed make-up, the unit of work that is sent away, and how a group fills a chunk.

The groups follow from the number of rows alone, never from the number of workers: sums over a group are added up
in the groups' order, so any number of workers gives the same bits. What a group sends back, the lower half of JᵀJ,
is as large for a long one as for a short one: with more rows both their number and their length grow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.trainer.network.scaling import Scaling
from workbench.trainer.rows.block_split import BLOCK, PARTS, BlockSplit
from workbench.trainer.rows.row_sources import Chunk, RowSource

Array = NDArray[np.float64]

FEWEST_BLOCKS = 2
"""Blocks in a group at least: 8,192 rows, which take 70 ms on the reference network."""


def group_rows(rows: int) -> int:
    """Return how many rows a group has, of so many in all: whole blocks, so that a block's parts are drawn once.

    With b blocks about 4·√b groups: from 80 for a million rows to 2,000 for a billion.
    """
    return BLOCK * max(FEWEST_BLOCKS, math.isqrt(-(-rows // BLOCK)) // 4)


@dataclass(frozen=True)
class Group:
    """Rows `start` to `stop` of a source."""

    source: RowSource
    start: int
    stop: int


def groups(source: RowSource, begin: int = 0) -> Iterator[Group]:
    """Give the groups of a source in their order, from the one with number `begin`."""
    size = group_rows(source.rows)
    if source.divisible:
        for start in range(begin * size, source.rows, size):
            yield Group(source, start, min(start + size, source.rows))
    else:
        for first, x, y in source.chunks(size, begin * size, source.rows):
            yield Group(_Read(first, x, y), first, first + len(x))


class _Read:
    """Rows of a source that only this process can read, to be sent away."""

    divisible = True

    def __init__(self, first: int, x: Array, y: Array) -> None:
        self._first, self._x, self._y = first, x, y
        self.inputs, self.outputs = x.shape[1], y.shape[1]

    @property
    def rows(self) -> int:
        return len(self._x)

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        for first in range(start, stop, size):
            rows = slice(first - self._first, min(first + size, stop) - self._first)
            yield first, self._x[rows], self._y[rows]


@dataclass(frozen=True)
class View:
    """How a source's rows are seen: in which part each is, and in scaled units; None changes nothing."""

    split: BlockSplit | None = None
    scalings: tuple[Scaling, Scaling] | None = None

    def of_part(self, part: str, x: Array, y: Array, first: int) -> tuple[Array, Array]:
        """Return those of consecutive rows, the first of which has number `first`, that are of a part."""
        labels = None if self.split is None else self.split.labels(first, first + len(x))
        if labels is None:
            return (x, y) if part == "training" else (x[:0], y[:0])
        chosen = labels == PARTS.index(part)
        return x[chosen], y[chosen]

    def most_training(self, rows: int) -> int:
        """Return the most training rows of a group, where a source has so many rows in all."""
        size = group_rows(rows)
        return min(size, rows) if self.split is None else self.split.most_training(size)

    def fill(self, group: Group, part: str, x: Array, target: Array) -> Iterator[int]:
        """Fill x, shape (inputs, size), and target, shape (outputs, size), with a part's rows; give their number.

        They are full each time but the last. What is beyond the number is left as it was.
        """
        size, have = x.shape[1], 0
        for first, read_x, read_y in group.source.chunks(BLOCK, group.start, group.stop):
            rows, targets = self.of_part(part, read_x, read_y, first)
            if self.scalings is not None:
                rows, targets = self.scalings[0].scale(rows), self.scalings[1].scale(targets)
            taken = 0
            while taken < len(rows):
                n = min(size - have, len(rows) - taken)
                x[:, have : have + n] = rows[taken : taken + n].T
                target[:, have : have + n] = targets[taken : taken + n].T
                have, taken = have + n, taken + n
                if have == size:
                    yield have
                    have = 0
        if have:
            yield have
