"""Scaling of each column to the range that the network works in.

Inputs are scaled to [−1, 1], targets to the range that the output's activation has. The ranges come from the
training rows only: what is held out must not leak into what is fitted. Held-out values may therefore fall a little
outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.errors import InvalidInputError
from workbench.trainer.arrays import Array


@dataclass(frozen=True)
class Scaling:
    """The affine map of each column from [low, high] to the range `to`; `low` and `high` have shape (columns,).

    A constant column, of which low and high are equal, is scaled to 0.
    """

    low: Array
    high: Array
    to: tuple[float, float] = (-1.0, 1.0)

    @classmethod
    def identity(cls, columns: int) -> Scaling:
        """Return the scaling which changes nothing."""
        return cls(np.full(columns, -1.0), np.ones(columns))

    @classmethod
    def of_inputs(cls, rows: Array) -> Scaling:
        """Return the scaling by the least and largest value of each column of rows, shape (rows, columns)."""
        return cls(rows.min(axis=0), rows.max(axis=0))

    @classmethod
    def of_targets(cls, rows: Array, to: tuple[float, float]) -> Scaling:
        """Return the same for targets, to a range of the output's, see `activations.target_range`.

        Raises:
            InvalidInputError: a column is constant, so it has no range.
        """
        found = cls(rows.min(axis=0), rows.max(axis=0), to)
        if found.constant:
            column = found.constant[0]
            raise InvalidInputError(
                f"y column {column} is constant ({found.low[column]:g}) in the training rows and cannot be "
                "scaled: leave it out, or give rows in which it varies"
            )
        return found

    @property
    def constant(self) -> list[int]:
        """The columns that are constant."""
        return [int(column) for column in np.flatnonzero(self.low == self.high)]

    def scale(self, rows: Array) -> Array:
        """Return rows, shape (rows, columns), in scaled units."""
        constant = self.low == self.high
        span = np.where(constant, 1.0, self.high - self.low)
        start, stop = self.to
        with np.errstate(over="ignore"):  # a held-out value may lie any number of ranges away
            scaled: Array = (stop - start) * ((rows - self.low) / span) + start
        scaled[:, constant] = 0.0
        return scaled

    def unscale(self, rows: Array) -> Array:
        """Return scaled rows in the data's units."""
        start, stop = self.to
        unscaled: Array = self.low + (rows - start) * ((self.high - self.low) / (stop - start))
        return unscaled
