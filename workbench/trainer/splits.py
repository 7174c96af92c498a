"""Which rows are for training, for validation and for test: by chance, by their order, or rows of one's own.

Rows in memory are all shuffled at once. Those in chunks are shuffled block by block: no permutation of all rows, and
memory does not grow. Each block of 4,096 rows has a generator of its own, seeded by the fit's seed and the block's
number; so a row's part depends on neither the size of chunks nor the number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import checks
from workbench.trainer.arrays import Array

Validation = float | tuple[ArrayLike, ArrayLike]
"""A fraction of the rows, or validation rows of one's own: x and y."""
Own = tuple[Array, Array] | None

NAMES = ("random", "ordered")


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, each in increasing order; together every row, once."""

    training: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


@dataclass(frozen=True)
class Shares:
    """How rows are divided: fractions for validation and test, and how these rows are chosen.

    "random" draws them. "ordered" leaves the rows in their order: training, then validation, then test. The last
    `own` rows are validation rows of one's own, and the fractions are of the rows before them.
    """

    validation: float
    test: float
    split: str = "random"
    own: int = 0

    def __post_init__(self) -> None:
        if self.split not in NAMES:
            raise unknown_name("split", str(self.split), NAMES)
        checks.whole("own", self.own, at_least=0)
        checks.fraction("validation", self.validation)
        checks.fraction("test", self.test)
        if self.validation + self.test >= 1.0:
            raise InvalidInputError(
                f"validation={self.validation} and test={self.test} leave no training rows: their sum must be "
                "under 1"
            )

    def check(self, rows: int, n_validation: int, n_test: int) -> None:
        """Raise InvalidInputError if of `rows` rows a part that was asked for has none, or training fewer than two."""
        for name, fraction, count in (
            ("validation", self.validation, n_validation),
            ("test", self.test, n_test),
        ):
            if fraction > 0 and count == 0:
                raise InvalidInputError(
                    f"{name}={fraction} of {rows} rows is no row: give more rows or {name}=0"
                )
        if rows - n_validation - n_test < 2:  # one row has no range to scale by
            raise InvalidInputError(
                f"{rows} rows with validation={self.validation} and test={self.test} leave "
                f"{rows - n_validation - n_test} for training: give at least 2 training rows"
            )

    def edges(self, rows: int) -> tuple[int, int, int]:
        """Return, in the order of the rows, where training, validation and test end; then rows of one's own follow."""
        divided = rows - self.own
        n_test = round(divided * self.test)
        return divided - n_test - round(divided * self.validation), divided - n_test, divided


def split_rows(shares: Shares, rows: int, rng: np.random.Generator) -> Split:
    """Return the parts of `rows` rows, those of one's own among them: round(rows · fraction) of each.

    Raises:
        InvalidInputError: a part that was asked for would have no row, or training fewer than two.
    """
    training, validation, divided = shares.edges(rows)
    n_validation, n_test = validation - training, divided - validation
    shares.check(divided, n_validation, n_test)
    # The last of the rows are for test, so that of ordered rows they are the latest.
    order = np.arange(divided)[::-1] if shares.split == "ordered" else rng.permutation(divided)
    parts = np.split(order, [n_test, n_test + n_validation])
    own = np.arange(divided, rows)
    return Split(
        training=np.sort(parts[2]),
        validation=np.concatenate([np.sort(parts[1]), own]),
        test=np.sort(parts[0]),
    )


def split_of(
    rows: int, *, validation: float = 0.2, test: float = 0.1, split: str = "random", seed: int = 0
) -> Split:
    """Return the row numbers that `Sequential.fit` uses for each part, given the same arguments."""
    rng = np.random.default_rng(checks.whole("seed", seed, at_least=0))
    return split_rows(Shares(validation, test, split), checks.whole("rows", rows), rng)


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

    def max_training(self, rows: int) -> int:
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
