"""The loop over epochs: measures, remembers, and decides when to stop. The steps are the optimisers'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer import kernels
from workbench.trainer._run import Run, StepOutcome, TrainingProblem
from workbench.trainer.architecture import Architecture
from workbench.trainer.first_order import FirstOrderRun
from workbench.trainer.forward import mean_squared_error
from workbench.trainer.history import EpochRecord, History, Progress, StopReason
from workbench.trainer.levenberg_marquardt import LevenbergMarquardtRun
from workbench.trainer.open_system import open_system
from workbench.trainer.options import LevenbergMarquardt, Optimizer

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Some rows in scaled units: x (inputs, rows), target (outputs, rows)."""

    x: Array
    target: Array


@dataclass(frozen=True)
class Limits:
    """When to stop, apart from the optimiser's own reasons."""

    epochs: int
    target_mse: float
    patience: int | None


@contextmanager
def _open_run(
    optimizer: Optimizer, problem: TrainingProblem, parameters: Array, rng: np.random.Generator
) -> Iterator[Run]:
    """Give the optimiser's run; workers of a parallel Jacobian live as long as the context."""
    if not isinstance(optimizer, LevenbergMarquardt):
        yield FirstOrderRun(optimizer, problem, parameters, rng)
        return
    with open_system(optimizer, problem) as system:
        yield LevenbergMarquardtRun(optimizer, system, parameters)


class Training:
    """One fit in progress. After `run`, `parameters` are the fitted ones.

    Parameters and records change together, after each epoch, so an interrupt leaves both at the last
    epoch that was completed.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Array,
        parts: dict[str, Rows],
        optimizer: Optimizer,
        limits: Limits,
        rng: np.random.Generator,
        clock: Callable[[], float],
        callback: Callable[[Progress], object] | None,
    ) -> None:
        self._architecture = architecture
        self._parts = parts
        self._optimizer = optimizer
        self._limits = limits
        self._rng = rng
        self._clock = clock
        self._callback = callback
        self._records: list[EpochRecord] = []
        self._initial_train_mse = float("nan")
        self._best_validation: tuple[float, int, Array] = (float("inf"), 0, parameters)
        self.parameters = parameters

    def run(self, seed: int) -> History:
        """Run to a stop, and return the history; Ctrl-C is one of the stop reasons, not an exception."""
        try:
            # Overflow in a wild trial is no accident: the step is rejected, or the fit ends "not finite".
            with np.errstate(over="ignore", invalid="ignore"), scope("fit"):
                stop_reason = self._epochs()
        except KeyboardInterrupt:
            stop_reason = StopReason.INTERRUPTED
        if self._limits.patience is not None:
            self.parameters = self._best_validation[2]
        return self._history(stop_reason, seed)

    def _epochs(self) -> StopReason:
        training = self._parts["training"]
        problem = TrainingProblem(self._architecture, training.x, training.target)
        with _open_run(self._optimizer, problem, self.parameters, self._rng) as run:
            self._initial_train_mse = run.train_mse
            if run.train_mse <= self._limits.target_mse:
                return StopReason.TARGET_REACHED
            self._best_validation = (self._error("validation", self.parameters), 0, self.parameters)
            for epoch in range(1, self._limits.epochs + 1):
                with scope("epoch"):
                    stop = self._epoch(epoch, run)
                if stop is not None:
                    return stop
        return StopReason.EPOCHS_USED_UP

    def _epoch(self, epoch: int, run: Run) -> StopReason | None:
        """Do one epoch and record it; return the reason to stop after it, if there is one."""
        started = self._clock()
        outcome = run.step()
        seconds = self._clock() - started
        record = self._record(epoch, seconds, run, outcome)
        self._records.append(record)
        self.parameters = run.best_parameters if outcome.stop is StopReason.NOT_FINITE else run.parameters
        if record.validation_mse < self._best_validation[0]:
            self._best_validation = (record.validation_mse, epoch, self.parameters)
        if self._callback is not None:
            self._callback(
                Progress(epoch, self._limits.epochs, record.train_mse, record.validation_mse, record.damping)
            )
        return outcome.stop or self._reached_limit(record)

    def _reached_limit(self, record: EpochRecord) -> StopReason | None:
        if record.train_mse <= self._limits.target_mse:
            return StopReason.TARGET_REACHED
        patience = self._limits.patience
        if patience is not None and record.epoch - self._best_validation[1] >= patience:
            return StopReason.NO_VALIDATION_PROGRESS
        return None

    def _record(self, epoch: int, seconds: float, run: Run, outcome: StepOutcome) -> EpochRecord:
        return EpochRecord(
            epoch=epoch,
            seconds=seconds,
            train_mse=outcome.train_mse,
            validation_mse=self._error("validation", run.parameters),
            test_mse=self._error("test", run.parameters),
            damping=outcome.damping,
            gain_ratio=outcome.gain_ratio,
            trials=outcome.trials,
            gradient_norm=outcome.gradient_norm,
            effective_parameters=outcome.effective_parameters,
            **asdict(run.counts),
        )

    def _error(self, part: str, parameters: Array) -> float:
        rows = self._parts[part]
        return mean_squared_error(self._architecture, parameters, rows.x, rows.target, self._optimizer.tanh)

    def _history(self, stop_reason: StopReason, seed: int) -> History:
        optimizer = self._optimizer
        roles = {
            "tanh": optimizer.tanh,
            "jacobian_tanh": getattr(optimizer, "kernel_of_jacobian", optimizer.tanh),
        }
        return History(
            records=tuple(self._records),
            stop_reason=stop_reason,
            parameters=self._architecture.parameters,
            seed=seed,
            optimizer={"name": type(optimizer).__name__} | asdict(optimizer),
            kernels={
                role: {"name": name, "implementation": kernels.implementation(name)}
                for role, name in roles.items()
            },
            rows={name: part.x.shape[1] for name, part in self._parts.items()},
            initial_train_mse=self._initial_train_mse,
        )
