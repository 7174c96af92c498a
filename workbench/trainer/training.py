"""The loop over epochs: it measures, records and decides when to stop. The optimisers do the steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace

import numpy as np

from workbench.scopes import counter, scope
from workbench.system import usable_cores
from workbench.trainer import kernels
from workbench.trainer.arrays import Array
from workbench.trainer.fits import (
    Best,
    Checkpoint,
    FitSettings,
    OptimizerRun,
    Snapshot,
    StepOutcome,
    TrainingProblem,
)
from workbench.trainer.history import EpochRecord, History, Progress, StopReason
from workbench.trainer.jacobians.jacobian import WITH_WORKERS
from workbench.trainer.options import LevenbergMarquardt, Optimizer
from workbench.trainer.rows.fit_rows import Part, StreamedRows
from workbench.trainer.steps.first_order import FirstOrderRun, FirstOrderState
from workbench.trainer.steps.levenberg_marquardt import LevenbergMarquardtRun, LevenbergMarquardtState
from workbench.trainer.steps.open_system import choose_strategy, open_system
from workbench.trainer.workers import blas
from workbench.trainer.workers.executor import SERIAL, resolve_backend

Keep = Callable[[Snapshot, Sequence[EpochRecord], bool], None]
"""Called with a snapshot and the records so far: when a fit begins, after each epoch and, with True, at its end."""


@contextmanager
def _open_run(
    optimizer: Optimizer,
    problem: Part,
    parameters: Array,
    rng: np.random.Generator,
    resumed: Snapshot | None,
) -> Iterator[OptimizerRun]:
    """Yield the optimiser's run; workers of a parallel Jacobian live as long as the context."""
    state = None if resumed is None else resumed.run_state
    if not isinstance(optimizer, LevenbergMarquardt):
        assert state is None or isinstance(state, FirstOrderState)
        assert isinstance(problem, TrainingProblem), (
            "rows of a source are checked to have the other optimiser"
        )
        yield FirstOrderRun(optimizer, problem, parameters, rng, state)
        return
    assert state is None or isinstance(state, LevenbergMarquardtState)
    with open_system(optimizer, problem) as system:
        yield LevenbergMarquardtRun(optimizer, system, parameters, state)


class TrainingLoop:
    """One fit in progress. After `run`, `parameters` are the fitted ones.

    All that an epoch changes is replaced at once when it is completed, see `Snapshot`: an interrupt leaves
    the fit at the last completed epoch, and so does every checkpoint. From a checkpoint, `resumed`, it continues
    as if it had never stopped.
    """

    def __init__(
        self,
        fit: FitSettings,
        parameters: Array,
        parts: Mapping[str, Part],
        rng: np.random.Generator,
        clock: Callable[[], float],
        callback: Callable[[Progress], object] | None,
        keep: Keep | None = None,
        resumed: Checkpoint | None = None,
    ) -> None:
        self._fit = fit
        self._parts = parts
        self._rng = rng
        self._clock = clock
        self._callback = callback
        self._keep: Keep = (lambda snapshot, records, ended: None) if keep is None else keep
        self._resumed = self._snapshot = None if resumed is None else resumed.snapshot
        self._records = [] if resumed is None else list(resumed.records)
        self.parameters = parameters

    def run(self) -> History:
        """Run to a stop, and return the history; Ctrl-C is one of the stop reasons, not an exception."""
        strategy = self._jacobian().get("strategy")
        used = _used_by(self._fit.optimizer, strategy)
        try:
            # Overflow in a wild trial is no accident: the step is rejected, or the fit ends "not finite".
            with np.errstate(over="ignore", invalid="ignore"), scope("fit"), _limited(strategy):
                stop_reason = self._epochs()
        except KeyboardInterrupt:
            stop_reason = StopReason.INTERRUPTED
        finally:
            snapshot = self._snapshot
            if snapshot is not None:
                self._keep(snapshot, self._records[: snapshot.epoch], True)
        if snapshot is not None:
            stop_reason = snapshot.stop or stop_reason
            patient = self._fit.limits.patience is not None
            self.parameters = snapshot.best.parameters if patient else snapshot.parameters
        return replace(self._history(stop_reason), threads=used)

    def _epochs(self) -> StopReason:
        rows = self._parts["training"]
        with _open_run(self._fit.optimizer, rows, self.parameters, self._rng, self._resumed) as run:
            snapshot = self._begin(run)
            while snapshot.stop is None and snapshot.epoch < self._fit.limits.epochs:
                self._keep(snapshot, self._records, False)
                with scope("epoch"):
                    snapshot = self._epoch(snapshot, run)
        return snapshot.stop or StopReason.EPOCHS_USED_UP

    def _begin(self, run: OptimizerRun) -> Snapshot:
        """Return the snapshot to continue from: that of the checkpoint, or the one before the first epoch."""
        if self._resumed is not None:
            run.counts = self._resumed.counts
            self._rng.bit_generator.state = self._resumed.generator
            return self._resumed
        reached = run.train_mse <= self._fit.limits.target_mse
        best = Best(self._error("validation", self.parameters), 0, self.parameters)
        return self._take_snapshot(
            run, 0, self.parameters, best, run.train_mse, StopReason.TARGET_REACHED if reached else None
        )

    def _take_snapshot(
        self,
        run: OptimizerRun,
        epoch: int,
        parameters: Array,
        best: Best,
        initial_train_mse: float,
        stop: StopReason | None,
    ) -> Snapshot:
        """Replace the snapshot, and return it."""
        self._snapshot = Snapshot(
            epoch=epoch,
            parameters=parameters,
            best=best,
            run_state=run.state,
            counts=run.counts,
            generator=self._rng.bit_generator.state,
            initial_train_mse=initial_train_mse,
            stop=stop,
        )
        return self._snapshot

    def _epoch(self, before: Snapshot, run: OptimizerRun) -> Snapshot:
        """Do one epoch and record it; return the snapshot after it."""
        epoch = before.epoch + 1
        started = self._clock()
        outcome = run.step()
        seconds = self._clock() - started
        record = self._record(epoch, seconds, run, outcome)
        parameters = run.best_parameters if outcome.stop is StopReason.NOT_FINITE else run.parameters
        counter("epoch", epoch)
        counter("epochs at most", self._fit.limits.epochs)
        counter("train mse", record.train_mse)
        if math.isfinite(record.validation_mse):
            counter("validation mse", record.validation_mse)
        improved = record.validation_mse < before.best.mse
        best = Best(record.validation_mse, epoch, parameters) if improved else before.best
        self._records.append(record)
        stop = outcome.stop or self._reached_limit(record, best)
        snapshot = self._take_snapshot(run, epoch, parameters, best, before.initial_train_mse, stop)
        if self._callback is not None:
            self._callback(
                Progress(
                    epoch, self._fit.limits.epochs, record.train_mse, record.validation_mse, record.damping
                )
            )
        return snapshot

    def _reached_limit(self, record: EpochRecord, best: Best) -> StopReason | None:
        if record.train_mse <= self._fit.limits.target_mse:
            return StopReason.TARGET_REACHED
        patience = self._fit.limits.patience
        if patience is not None and record.epoch - best.epoch >= patience:
            return StopReason.NO_VALIDATION_PROGRESS
        return None

    def _record(self, epoch: int, seconds: float, run: OptimizerRun, outcome: StepOutcome) -> EpochRecord:
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
            **vars(run.counts),
        )

    def _error(self, part: str, parameters: Array) -> float:
        return self._parts[part].error(parameters, self._fit.optimizer.tanh)

    def _jacobian(self) -> dict[str, str]:
        optimizer, rows = self._fit.optimizer, self._parts["training"]
        if not isinstance(optimizer, LevenbergMarquardt):
            return {}
        streamed = isinstance(rows, StreamedRows)
        choice = choose_strategy(optimizer, self._fit.architecture, rows.count, streamed=streamed)
        return {"strategy": choice.strategy, "reason": choice.reason}

    def _history(self, stop_reason: StopReason) -> History:
        optimizer, snapshot = self._fit.optimizer, self._snapshot
        roles = {
            "tanh": optimizer.tanh,
            "jacobian_tanh": getattr(optimizer, "kernel_of_jacobian", optimizer.tanh),
        }
        return History(
            records=tuple(self._records[: snapshot.epoch] if snapshot is not None else ()),
            stop_reason=stop_reason,
            parameters=self._fit.architecture.parameters,
            seed=self._fit.seed,
            optimizer={"name": type(optimizer).__name__} | asdict(optimizer),
            kernels={
                role: {"name": name, "implementation": kernels.implementation(name)}
                for role, name in roles.items()
            },
            rows={name: part.count for name, part in self._parts.items()},
            initial_train_mse=float("nan") if snapshot is None else snapshot.initial_train_mse,
            jacobian=self._jacobian(),
        )


def blas_threads(strategy: str | None) -> int:
    """Return the BLAS threads of a fit's linear algebra, here and now; None is a first-order optimiser's.

    They are all usable cores, with two exceptions. With jacobian="columns" it is one thread, wherever the columns are
    computed: the bits of a product depend on the number of its threads, and threads that spin after it would take the
    workers' cores. And what runs in a worker takes one thread.
    """
    return 1 if strategy == "columns" else min(blas.threads(), usable_cores())


@contextmanager
def _limited(strategy: str | None) -> Iterator[None]:
    """Limit BLAS to `blas_threads`: it counted cores when it was loaded, without a container's quota."""
    with blas.restored(), blas.at_most(blas_threads(strategy)):
        yield


def _used_by(optimizer: Optimizer, strategy: str | None) -> Mapping[str, int | str]:
    """Return the `History.threads` of a fit with these options and Jacobian strategy, here and now."""
    backend = SERIAL
    if strategy in WITH_WORKERS:
        backend = resolve_backend(getattr(optimizer, "n_jobs", 1), getattr(optimizer, "backend", "loky"))
    own = blas_threads(strategy)
    return {
        "blas": own,
        "workers": backend.workers,
        "backend": backend.name,
        "blas_in_worker": own if backend == SERIAL else 1,
    }
