"""SGD with momentum, and Adam. One epoch is one pass over the training rows, in batches if asked for.

Both descend the mean objective (½‖r‖² + ½·l2·‖w‖²) / residuals; of a batch the data term is the batch's mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer.arrays import Array
from workbench.trainer.fits import Counts, StepOutcome, TrainingProblem
from workbench.trainer.history import StopReason
from workbench.trainer.jacobians.backprop import loss_gradient
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.options import SGD, Adam
from workbench.trainer.workers import blas


@dataclass(frozen=True)
class FirstOrderState:
    """All that a run needs to resume with the same bits, besides its parameters, counts and generator."""

    moments: Array
    """Shape (1, parameters) for SGD: the velocity; (2, parameters) for Adam: first and second moment."""
    updates: int
    best_mse: float
    best_parameters: Array


Update = Callable[[Array, Array, int], tuple[Array, Array]]
"""From the gradient, the moments, and the number of updates with this one: what to add, and new moments."""


def _sgd(options: SGD) -> Update:
    def update(gradient: Array, moments: Array, _updates: int) -> tuple[Array, Array]:
        velocity = options.momentum * moments[0] - options.learning_rate * gradient
        return velocity, velocity[np.newaxis]

    return update


def _adam(options: Adam) -> Update:
    def update(gradient: Array, moments: Array, updates: int) -> tuple[Array, Array]:
        first = options.beta1 * moments[0] + (1.0 - options.beta1) * gradient
        second = options.beta2 * moments[1] + (1.0 - options.beta2) * gradient**2
        mean = first / (1.0 - options.beta1**updates)
        deviation = np.sqrt(second / (1.0 - options.beta2**updates))
        change: Array = -options.learning_rate * mean / (deviation + options.epsilon)
        return change, np.stack([first, second])

    return update


def moments_of(options: SGD | Adam) -> int:
    """Return how many moments the optimiser keeps for each parameter."""
    return 1 if isinstance(options, SGD) else 2


class FirstOrderRun:
    """The state of one run of SGD or Adam; the generator shuffles the rows into batches."""

    def __init__(
        self,
        options: SGD | Adam,
        problem: TrainingProblem,
        parameters: Array,
        rng: np.random.Generator,
        resumed: FirstOrderState | None = None,
    ) -> None:
        self._options = options
        self._problem = problem
        self._rng = rng
        self._update = _sgd(options) if isinstance(options, SGD) else _adam(options)
        self._moments = np.zeros((moments_of(options), parameters.size))
        self._updates = 0
        self.counts = Counts()
        self.parameters = self.best_parameters = parameters
        self.train_mse = self._best_mse = self._measure(parameters)
        if resumed is not None:
            self._moments, self._updates = resumed.moments, resumed.updates
            self._best_mse, self.best_parameters = resumed.best_mse, resumed.best_parameters

    @property
    def state(self) -> FirstOrderState:
        """The state that `resumed` takes, after a whole epoch; its arrays are never written to."""
        return FirstOrderState(self._moments, self._updates, self._best_mse, self.best_parameters)

    def step(self) -> StepOutcome:
        """Do one epoch: one update per batch."""
        parameters, norm, trials = self.parameters, 0.0, 0
        for rows in self._batches():
            with scope("gradient"):
                gradient = self.gradient(parameters, rows)
            batch_norm = float(np.linalg.norm(gradient))
            norm = batch_norm if trials == 0 else norm
            trials += 1
            with scope("update weights"):
                clip = self._options.clip_norm
                if clip is not None and batch_norm > clip:
                    gradient *= clip / batch_norm
                self._updates += 1
                change, self._moments = self._update(gradient, self._moments, self._updates)
                parameters = parameters + change
        self.train_mse = self._measure(parameters)
        self.parameters = parameters
        # Moments that overflowed stay so, and the error may well be finite: every step to come is zero.
        if not (math.isfinite(self.train_mse) and np.isfinite(self._moments).all()):
            return StepOutcome(self.train_mse, trials, norm, stop=StopReason.NOT_FINITE)
        if not self._best_mse < self.train_mse:  # the best may be NaN, where the fit began there
            self._best_mse, self.best_parameters = self.train_mse, parameters
        return StepOutcome(self.train_mse, trials, norm)

    def gradient(self, parameters: Array, rows: NDArray[np.intp] | slice) -> Array:
        """Return the mean objective's gradient, shape (parameters,), with the data term of these rows."""
        problem = self._problem
        x, target = problem.x[:, rows], problem.target[:, rows]
        forward = ForwardPass(problem.architecture, x.shape[1], self._options.tanh)
        with blas.one_thread():
            outputs = forward(problem.architecture.layer_views(parameters), x)
            by_output = (outputs - target) / target.size
            gradient = loss_gradient(forward, problem.architecture, parameters, x, by_output)
        self.counts = self.counts.plus(forward_passes=1)
        gradient += self._options.l2 / problem.target.size * parameters
        return gradient

    def _measure(self, parameters: Array) -> float:
        """Return the error over all training rows."""
        self.counts = self.counts.plus(forward_passes=1)
        return self._problem.error(parameters, self._options.tanh)

    def _batches(self) -> Iterator[NDArray[np.intp] | slice]:
        rows, size = self._problem.x.shape[1], self._options.batch_size
        if size is None or size >= rows:
            yield slice(None)
            return
        order = self._rng.permutation(rows)
        for start in range(0, rows, size):
            yield order[start : start + size]
