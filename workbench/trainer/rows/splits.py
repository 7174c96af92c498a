"""Which rows are for training, for validation and for test: by chance, by their order, or rows of one's own.

Rows in memory are all shuffled at once; those in chunks block by block, see `block_split`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import _checks

Array = NDArray[np.float64]
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
        _checks.whole("own", self.own, at_least=0)
        _checks.fraction("validation", self.validation)
        _checks.fraction("test", self.test)
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
    rng = np.random.default_rng(_checks.whole("seed", seed, at_least=0))
    return split_rows(Shares(validation, test, split), _checks.whole("rows", rows), rng)
