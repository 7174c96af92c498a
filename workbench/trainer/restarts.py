"""Restarts: one fit from each of several initial weights, of which the best is kept.

The restarts run in parallel on joblib's workers. Each has one BLAS thread, since the bits of a product depend on the
number of its threads. So any number of workers and every back end give the same bits, on one kind of machine.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.errors import InvalidInputError
from workbench.trainer import checks
from workbench.trainer.arrays import Array
from workbench.trainer.history import History, StopReason
from workbench.trainer.model import RESTARTS_WARN, Sequential, SequentialBuilder, warn_of_constant
from workbench.trainer.options import Optimizer
from workbench.trainer.workers import blas
from workbench.trainer.workers.executor import SERIAL, Backend, open_executor, resolve_backend

Build = Callable[[int], Sequential] | SequentialBuilder

_OWN = ("checkpoint", "checkpoint_seconds", "checkpoint_note", "seed", "optimizer")


@dataclass(frozen=True)
class Restarts:
    """The finished fits of several restarts, in the order of their seeds."""

    seeds: tuple[int, ...]
    """The seed of each model."""
    models: tuple[Sequential, ...]
    histories: tuple[History, ...]
    by_validation: bool
    """Whether the least validation error is the best, and not the least training error."""
    interrupted: bool
    """Whether Ctrl-C ended it before all were done."""
    threads: Mapping[str, int | str]
    """The "workers" that the restarts ran on, their "backend", and BLAS threads in each restart ("blas")."""

    @property
    def errors(self) -> list[float]:
        """Each restart's error in scaled units; infinite where it ended "not finite".

        With `patience` it is the least validation error, whose parameters the fit left in the model; without
        it, the last training error.
        """
        return [_error(history, self.by_validation) for history in self.histories]

    @property
    def best_index(self) -> int:
        """The index of the restart with the least error; the first of equals."""
        errors = self.errors
        return errors.index(min(errors))

    @property
    def best(self) -> Sequential:
        """The model with the least error."""
        return self.models[self.best_index]

    @property
    def best_seed(self) -> int:
        """The seed of the model with the least error."""
        return self.seeds[self.best_index]


def fit_restarts(
    build: Build,
    x: ArrayLike,
    y: ArrayLike,
    *,
    restarts: int = 8,
    seed: int = 0,
    n_jobs: int = 1,
    backend: str = "loky",
    optimizer: Optimizer | None = None,
    progress: Callable[[int, int], object] | None = None,
    **fit_options: Any,
) -> Restarts:
    """Fit models built with the seeds seed, seed + 1, … to the same rows, and return all of them.

    `build` is a `SequentialBuilder`, or a function from a seed to a `Sequential`. x, y and `fit_options` are
    those of `Sequential.fit`, and `seed` is each fit's too: the split into parts is the same for all. `n_jobs`
    and `backend` are those of `LevenbergMarquardt`; functions go to processes by cloudpickle. `progress` is
    called with the number of restarts that are done, and of all.

    A restart that ends "not finite" is kept with an infinite error. Ctrl-C keeps the finished ones.

    Raises:
        InvalidInputError: data or options cannot be used.
        KeyboardInterrupt: Ctrl-C before any restart was finished.
        WorkbenchError: workers were lost again and again.
    """
    restarts = checks.whole("restarts", restarts)
    seed = checks.whole("seed", seed, at_least=0)
    if not (isinstance(build, SequentialBuilder) or callable(build)):
        raise InvalidInputError(
            f"build is {checks.shown(build)}: give a builder, or a function from a seed to a Sequential"
        )
    if progress is not None and not callable(progress):
        raise InvalidInputError(f"progress is {checks.shown(progress)}: give a function of (done, restarts)")
    _check_options(fit_options)
    resolved = resolve_backend(checks.jobs(n_jobs), backend)
    if resolved.workers > 1 and getattr(optimizer, "n_jobs", 1) != 1:
        raise InvalidInputError(
            f"n_jobs={n_jobs} restarts at a time, and n_jobs={getattr(optimizer, 'n_jobs', 1)} workers in each: "
            "give one of them 1, there are no cores for both"
        )
    options = fit_options | {"optimizer": optimizer, "seed": seed}
    seeds = range(seed, seed + restarts)
    done: dict[int, tuple[Sequential, History]] = {}
    interrupted = False
    try:
        with closing(_fits(resolved, build, _rows("x", x), _rows("y", y), seeds, options)) as fits:
            for number, fitted in fits:
                interrupted = fitted[1].stop_reason is StopReason.INTERRUPTED  # Ctrl-C reaches processes too
                if interrupted:
                    break
                done[seeds[number]] = fitted
                if progress is not None:
                    progress(len(done), restarts)
    except KeyboardInterrupt:
        interrupted = True
    if interrupted and not done:
        raise KeyboardInterrupt
    kept = sorted(done)
    warn_of_constant(done[kept[0]][0].input_scaling)
    return Restarts(
        seeds=tuple(kept),
        models=tuple(done[one][0] for one in kept),
        histories=tuple(done[one][1] for one in kept),
        by_validation=fit_options.get("patience") is not None,
        interrupted=interrupted,
        threads={"workers": resolved.workers, "backend": resolved.name, "blas": 1},
    )


def _rows(name: str, values: ArrayLike) -> Array:
    return values if isinstance(values, np.ndarray) else checks.table(name, values)


def _check_options(fit_options: Mapping[str, Any]) -> None:
    for name in fit_options:
        if name.startswith("checkpoint"):
            raise InvalidInputError(f"{name} is for one fit: leave it out, or fit each restart by itself")
    known = [name for name in inspect.signature(Sequential.fit).parameters if name not in ("self", "x", "y")]
    for name in fit_options:
        if name not in known:
            raise InvalidInputError(
                f"{name} is no option of a fit: give {', '.join(sorted(set(known) - {*_OWN}))}"
            )


def _fits(
    backend: Backend, build: Build, x: Array, y: Array, seeds: range, options: Mapping[str, Any]
) -> Generator[tuple[int, tuple[Sequential, History]], None, None]:
    """Yield each restart's number, model and history as it is done."""
    # The limit is set here too: it belongs to the process, and the restarts may be threads of it.
    with blas.one_thread():
        if backend == SERIAL:
            for number, seed in enumerate(seeds):
                yield number, _fit(build, x, y, seed, options)
            return
        with open_executor(backend, "as done") as executor:
            sent_x, sent_y = executor.send(x), executor.send(y)
            batches = [(build, sent_x, sent_y, seed, options) for seed in seeds]
            yield from executor.results(
                _fit,
                lambda done: ((number, batch) for number, batch in enumerate(batches) if number not in done),
            )


def _fit(
    build: Build, x: Array, y: Array, seed: int, options: Mapping[str, Any]
) -> tuple[Sequential, History]:
    """Do one restart in the current process or thread."""
    with blas.one_thread():
        model = build.build(seed) if isinstance(build, SequentialBuilder) else build(seed)
        if not isinstance(model, Sequential):
            raise InvalidInputError(
                f"build({seed}) returned {checks.shown(model)}: let it return a Sequential"
            )
        token = RESTARTS_WARN.set(True)
        try:
            return model, model.fit(x, y, **options)
        finally:
            RESTARTS_WARN.reset(token)


def _error(history: History, by_validation: bool) -> float:
    if history.stop_reason is StopReason.NOT_FINITE:
        return math.inf
    series = history.validation_mse if by_validation else history.train_mse[-1:]
    finite = [error for error in series or [history.initial_train_mse] if math.isfinite(error)]
    return min(finite, default=math.inf)
