"""The seeded split of rows into parts, block by block: no permutation of all rows, and memory does not grow.

Each block of 4,096 rows is shuffled by a generator of its own, seeded by the fit's seed and the block's number.
So a row's part depends on neither the size of chunks nor the number of workers. `Sequential.fit` on rows in memory
shuffles all rows at once: its parts are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.trainer.rows.splits import Shares

BLOCK = 4096
PARTS = ("training", "validation", "test")
_VALIDATION, _TEST = 1, 2


@dataclass(frozen=True)
class BlockSplit:
    """Which part each of `rows` rows belongs to."""

    rows: int
    shares: Shares
    seed: int

    def check(self) -> None:
        """Raise InvalidInputError if a part that was asked for has no row, or training fewer than two."""
        counts, own = self.counts, self.shares.own
        self.shares.check(self.rows - own, counts["validation"] - own, counts["test"])

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are in each part."""
        training, validation, test = (int(part.sum()) for part in self._blocks())
        return dict(zip(PARTS, (training, validation, test), strict=True))

    def most_training(self, rows: int) -> int:
        """Return the most training rows among `rows` rows, whole blocks, from a multiple of `rows` on."""
        training, _, _ = self._blocks()
        return int(np.add.reduceat(training, np.arange(0, len(training), rows // BLOCK)).max())

    def _blocks(self) -> list[NDArray[np.intp]]:
        """Return how many rows of each block are for training, validation and test."""
        starts = np.arange(0, self.rows, BLOCK)
        stops = np.minimum(starts + BLOCK, self.rows)
        divided = self.rows - self.shares.own
        validation, test = self._held_out(np.minimum(starts, divided), np.minimum(stops, divided))
        validation = validation + _shared(starts, stops, divided, self.rows)
        return [stops - starts - validation - test, validation, test]

    def labels(self, start: int, stop: int) -> NDArray[np.int8] | None:
        """Return the place in `PARTS` of each row from `start` to `stop`, or None where all are for training."""
        if self.shares.validation == self.shares.test == self.shares.own == 0:
            return None
        first = start // BLOCK
        blocks = [self._block(block) for block in range(first, -(-stop // BLOCK))]
        return np.concatenate(blocks)[start - first * BLOCK : stop - first * BLOCK]

    def _block(self, block: int) -> NDArray[np.int8]:
        start, stop = block * BLOCK, min((block + 1) * BLOCK, self.rows)
        divided = min(max(self.rows - self.shares.own, start), stop)
        validation, test = (int(part) for part in self._held_out(np.array(start), np.array(divided)))
        labels = np.zeros(stop - start, np.int8)
        order = self._order(block, divided - start)
        labels[order[:test]] = _TEST
        labels[order[test : test + validation]] = _VALIDATION
        labels[divided - start :] = _VALIDATION
        return labels

    def _order(self, block: int, rows: int) -> NDArray[np.intp]:
        """Return the rows of a block, those for test first, and then those for validation."""
        if self.shares.split == "ordered":
            return np.arange(rows)[::-1]
        return np.random.default_rng([self.seed, block]).permutation(rows)

    def _held_out(self, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Return how many rows of each block are for validation and for test: in sum round(rows · fraction)."""
        if self.shares.split == "ordered":
            first, second, divided = self.shares.edges(self.rows)
            return [_shared(starts, stops, first, second), _shared(starts, stops, second, divided)]
        test, validation = (
            (np.rint(stops * fraction) - np.rint(starts * fraction)).astype(np.intp)
            for fraction in (self.shares.test, self.shares.validation)
        )
        return [np.minimum(validation, stops - starts - test), test]


def _shared(starts: NDArray[np.intp], stops: NDArray[np.intp], begin: int, end: int) -> NDArray[np.intp]:
    """Return how many rows of each range lie between `begin` and `end`."""
    shared: NDArray[np.intp] = np.maximum(np.minimum(stops, end) - np.maximum(starts, begin), 0)
    return shared
