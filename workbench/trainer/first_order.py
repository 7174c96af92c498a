"""SGD with momentum, and Adam. One epoch is one pass over the training rows, in batches if asked for.

Both descend the mean objective (½‖r‖² + ½·l2·‖w‖²) / residuals; of a batch the data term is the batch's mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer import _blas
from workbench.trainer._run import Counts, StepOutcome, TrainingProblem
from workbench.trainer.backprop import loss_gradient
from workbench.trainer.forward import ForwardPass, mean_squared_error
from workbench.trainer.history import StopReason
from workbench.trainer.options import SGD, Adam

Array = NDArray[np.float64]
Update = Callable[[Array], Array]
"""Takes the gradient, returns what to add to the parameters; keeps its own moments."""


def _sgd(options: SGD, size: int) -> Update:
    velocity = np.zeros(size)

    def update(gradient: Array) -> Array:
        nonlocal velocity
        velocity = options.momentum * velocity - options.learning_rate * gradient
        return velocity

    return update


def _adam(options: Adam, size: int) -> Update:
    first, second, count = np.zeros(size), np.zeros(size), 0

    def update(gradient: Array) -> Array:
        nonlocal first, second, count
        count += 1
        first = options.beta1 * first + (1.0 - options.beta1) * gradient
        second = options.beta2 * second + (1.0 - options.beta2) * gradient**2
        mean = first / (1.0 - options.beta1**count)
        deviation = np.sqrt(second / (1.0 - options.beta2**count))
        change: Array = -options.learning_rate * mean / (deviation + options.epsilon)
        return change

    return update


class FirstOrderRun:
    """The state of one run of SGD or Adam; the generator shuffles the rows into batches."""

    def __init__(
        self, options: SGD | Adam, problem: TrainingProblem, parameters: Array, rng: np.random.Generator
    ) -> None:
        self._options = options
        self._problem = problem
        self._rng = rng
        size = parameters.size
        self._update = _sgd(options, size) if isinstance(options, SGD) else _adam(options, size)
        self.counts = Counts()
        self.parameters = self.best_parameters = parameters
        self.train_mse = self._best_mse = self._measure(parameters)

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
                parameters = parameters + self._update(gradient)
        self.train_mse = self._measure(parameters)
        self.parameters = parameters
        if not math.isfinite(self.train_mse):
            return StepOutcome(self.train_mse, trials, norm, stop=StopReason.NOT_FINITE)
        if self.train_mse <= self._best_mse:
            self._best_mse, self.best_parameters = self.train_mse, parameters
        return StepOutcome(self.train_mse, trials, norm)

    def gradient(self, parameters: Array, rows: NDArray[np.intp] | slice) -> Array:
        """Return the mean objective's gradient, shape (parameters,), with the data term of these rows."""
        problem = self._problem
        x, target = problem.x[:, rows], problem.target[:, rows]
        forward = ForwardPass(problem.architecture, x.shape[1], self._options.tanh)
        with _blas.one_thread():
            outputs = forward(problem.architecture.layer_views(parameters), x)
            by_output = (outputs - target) / target.size
            gradient = loss_gradient(forward, problem.architecture, parameters, x, by_output)
        self.counts = self.counts.plus(forward_passes=1)
        gradient += self._options.l2 / problem.target.size * parameters
        return gradient

    def _measure(self, parameters: Array) -> float:
        """Return the error over all training rows."""
        problem = self._problem
        self.counts = self.counts.plus(forward_passes=1)
        return mean_squared_error(
            problem.architecture, parameters, problem.x, problem.target, self._options.tanh
        )

    def _batches(self) -> Iterator[NDArray[np.intp] | slice]:
        rows, size = self._problem.x.shape[1], self._options.batch_size
        if size is None or size >= rows:
            yield slice(None)
            return
        order = self._rng.permutation(rows)
        for start in range(0, rows, size):
            yield order[start : start + size]
