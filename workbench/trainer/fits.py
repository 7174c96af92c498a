"""The records of a fit: its settings, the problem of the optimiser, and a snapshot after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from workbench.trainer.arrays import Array
from workbench.trainer.history import EpochRecord, StopReason
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.network.forward import predict
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.options import Optimizer
from workbench.trainer.splits import Shares


@dataclass(frozen=True)
class StopLimits:
    """When to stop, apart from the optimiser's own reasons."""

    epochs: int
    target_mse: float
    patience: int | None


@dataclass(frozen=True)
class FitSettings:
    """What to fit, and when to stop."""

    architecture: Architecture
    optimizer: Optimizer
    limits: StopLimits
    shares: Shares
    seed: int
    input_scaling: Scaling
    output_scaling: Scaling
    fingerprint: str = ""
    """Of the rows; empty without a checkpoint."""
    note: str = ""
    """A text of the caller, kept in the checkpoint."""


@dataclass(frozen=True)
class TrainingProblem:
    """Rows in scaled units, and the network that is fitted to them: x (inputs, rows), target (outputs, rows)."""

    architecture: Architecture
    x: Array
    target: Array

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.x.shape[1])

    def residuals(self, parameters: Array, tanh: str) -> Array:
        """Return prediction − target, shape (outputs, rows)."""
        return predict(self.architecture, parameters, self.x, tanh) - self.target

    def error(self, parameters: Array, tanh: str) -> float:
        """Return the mean of squared residuals over rows and outputs, NaN for no rows."""
        if not self.count:
            return float("nan")
        residuals = self.residuals(parameters, tanh)
        return float(np.vdot(residuals, residuals)) / residuals.size


@dataclass(frozen=True)
class Counts:
    """Work done since the start of the fit."""

    forward_passes: int = 0
    jacobians: int = 0
    factorisations: int = 0

    def plus(self, forward_passes: int = 0, jacobians: int = 0, factorisations: int = 0) -> Counts:
        """Return the counts with these added."""
        return Counts(
            self.forward_passes + forward_passes,
            self.jacobians + jacobians,
            self.factorisations + factorisations,
        )


@dataclass(frozen=True)
class StepOutcome:
    """The result of one epoch. `stop` is the optimiser's own reason to end, if it has one."""

    train_mse: float
    trials: int
    gradient_norm: float | None = None
    damping: float | None = None
    gain_ratio: float | None = None
    effective_parameters: float | None = None
    stop: StopReason | None = None


@dataclass(frozen=True)
class Best:
    """The epoch with the least validation error so far; 0 is before the first."""

    mse: float
    epoch: int
    parameters: Array


@dataclass(frozen=True)
class Snapshot:
    """The state of a fit after an epoch.

    It is replaced as a whole and never written to: an interrupt finds one epoch or the next, never a mixture.
    """

    epoch: int
    """Epochs done."""
    parameters: Array
    best: Best
    run_state: object
    """`OptimizerRun.state`."""
    counts: Counts
    generator: Mapping[str, Any]
    """The state of the generator that shuffles batches."""
    initial_train_mse: float
    stop: StopReason | None
    """Why the fit ends here, if it does."""


@dataclass(frozen=True)
class Checkpoint:
    """A fit and its snapshot, as a checkpoint file holds them."""

    fit: FitSettings
    snapshot: Snapshot
    records: tuple[EpochRecord, ...]
    elapsed: float
    """Seconds that the fit took so far, over all its runs."""


class OptimizerRun(Protocol):
    """An optimiser at work on one problem."""

    parameters: Array
    """The accepted parameters; replaced by a new array when a step is accepted, never written to."""
    counts: Counts

    @property
    def state(self) -> object:
        """All that the run needs to resume, besides parameters and counts; read between epochs."""
        ...

    @property
    def best_parameters(self) -> Array:
        """Those with the least training error so far, for when it stops being finite."""
        ...

    @property
    def train_mse(self) -> float:
        """Mean squared residual at the parameters."""
        ...

    def step(self) -> StepOutcome:
        """Do one epoch."""
        ...
