"""What a fit is asked for: checked, and brought into the form that the fit works with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import _checks
from workbench.trainer.checkpoint import Checkpoint, refuse_unfinished
from workbench.trainer.history import Progress
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import SGD, Adam, LevenbergMarquardt, Optimizer
from workbench.trainer.rows.row_sources import ArrayRows, JoinedRows
from workbench.trainer.rows.splits import Own, Shares, Split
from workbench.trainer.training import Limits, Rows

Array = NDArray[np.float64]

STARTS_WARN: ContextVar[bool] = ContextVar("starts_warn", default=False)
"""Whether `fit_starts` warns of constant columns, once for all its fits."""


@dataclass(frozen=True)
class Asked:
    """What a fit was asked for, apart from its rows."""

    optimizer: Optimizer
    limits: Limits
    shares: Shares
    seed: int
    clock: Callable[[], float]
    callback: Callable[[Progress], object] | None
    checkpoint: str | PathLike[str] | None
    checkpoint_seconds: float
    checkpoint_note: str

    def check_place(self) -> None:
        """Raise InvalidInputError where the checkpoint would overwrite what is not to be."""
        if self.checkpoint is not None:
            refuse_unfinished(self.checkpoint)


def warn_of_constant(scaling: Scaling) -> None:
    """Warn of constant input columns, in one line for all of them."""
    if scaling.constant and not STARTS_WARN.get():
        columns = ", ".join(f"{column} ({scaling.low[column]:g})" for column in scaling.constant)
        warnings.warn(
            f"constant in the training rows: x column {columns}; it is kept, scaled to 0, and has no effect",
            UserWarning,
            stacklevel=3,
        )


def parts_of(
    inputs: Array, targets: Array, split: Split, input_scaling: Scaling, output_scaling: Scaling
) -> dict[str, Rows]:
    """Return the rows of each part in scaled units."""
    x, y = input_scaling.scale(inputs), output_scaling.scale(targets)
    return {
        name: Rows(np.ascontiguousarray(x[rows].T), np.ascontiguousarray(y[rows].T))
        for name, rows in vars(split).items()
    }


def joined(rows: ArrayRows, own: Own) -> ArrayRows | JoinedRows:
    """Return rows with validation rows of one's own behind them."""
    return rows if own is None else JoinedRows(rows, ArrayRows(*own))


def check_fingerprint(path: str | PathLike[str], found: str, kept: Checkpoint) -> None:
    """Raise InvalidInputError unless the rows are those that a fit was begun with."""
    if found != kept.fit.fingerprint:
        raise InvalidInputError(
            f"x or y are not the rows that {path} was fitted to: give the same rows in the same order"
        )


def optimizer_of(given: Optimizer | None) -> Optimizer:
    """Return the optimiser's options, or those of the default; InvalidInputError where they are something else."""
    optimizer = LevenbergMarquardt() if given is None else given
    if not isinstance(optimizer, LevenbergMarquardt | SGD | Adam):
        raise InvalidInputError(
            f"optimizer is {optimizer!r}: give LevenbergMarquardt(...), SGD(...) or Adam(...)"
        )
    return optimizer


def limits_of(epochs: int, target_mse: float, patience: int | None, shares: Shares) -> Limits:
    """Return when to stop; InvalidInputError where that contradicts itself, or the shares."""
    _checks.whole("epochs", epochs)
    _checks.real("target_mse", target_mse, at_least=0.0)
    if patience is not None:
        _checks.whole("patience", patience)
        if shares.validation == shares.own == 0:
            raise InvalidInputError(
                f"patience={patience} needs validation rows: give validation above 0, or leave patience out"
            )
    return Limits(epochs, target_mse, patience)
