"""How far the trainer comes on many problems, beside SciPy's trust-region method from the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares
from threadpoolctl import threadpool_limits

from workbench.bench.stats.intervals import Estimate, paired_ratio
from workbench.trainer import History, LevenbergMarquardt, Scaling, Sequential, problem, problem_names
from workbench.trainer.jacobians.jacobian import flatten, open_jacobian
from workbench.trainer.network.forward import predict

pytestmark = pytest.mark.proof

Array = NDArray[np.float64]

STARTS = 25
EPOCHS = 100
ROWS = 200
FLOOR = 1e-10
"""Mean squared error in [−1, 1] units: below it, and below the noise, both count as arrived."""
TOLERANCE = 1.02
RANDOM = {"random 1": (1, 1), "random 2": (2, 1), "random 3": (3, 1), "random 4": (1, 2), "random 5": (2, 1)}
"""Inputs and outputs of the random functions."""


@dataclass(frozen=True)
class Task:
    """Rows in their units, shape (rows, inputs) and (rows, outputs), and the error that nobody needs to beat."""

    x: Array
    y: Array
    floor: float


def task_of(name: str) -> Task:
    """Return some rows of a problem that ships, or of a random function."""
    if name in RANDOM:
        return random_task(*RANDOM[name], seed=int(name[-1]))
    given = problem(name)
    chosen = np.linspace(0, len(given.x) - 1, ROWS).astype(int)
    y = given.y[chosen]
    noise = float(np.mean((2.0 * given.noise / np.ptp(y, axis=0)) ** 2))
    return Task(given.x[chosen], y, max(FLOOR, noise))


def random_task(inputs: int, outputs: int, seed: int) -> Task:
    """Return a smooth random function: for each output six waves of random direction, phase and height."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, (ROWS, inputs))
    directions = rng.normal(0.0, 3.0, (inputs, 6, outputs))
    phases, heights = rng.uniform(0.0, 2.0 * np.pi, (6, outputs)), rng.normal(size=(6, outputs))
    waves = np.sin(np.einsum("ri,iko->rko", x, directions) + phases)
    return Task(x, np.einsum("rko,ko->ro", waves, heights), FLOOR)


def fitted(task: Task, seed: int) -> tuple[Sequential, Array, History]:
    """Return a network after our fit, its weights before it, and the history."""
    builder = Sequential.builder(inputs=task.x.shape[1]).dense(10, "tanh").dense(8, "tanh")
    network = builder.dense(task.y.shape[1], "linear").build(seed=seed)
    before = network.parameters.copy()
    history = network.fit(
        task.x, task.y, optimizer=LevenbergMarquardt(), epochs=EPOCHS, validation=0.0, test=0.0
    )
    return network, before, history


def error_of_scipy(task: Task, network: Sequential, parameters: Array, evaluations: int) -> float:
    """Return the mean squared error that trf comes to from these weights, with our analytic Jacobian."""
    x, target = (
        np.ascontiguousarray(Scaling.of_inputs(values).scale(values).T) for values in (task.x, task.y)
    )
    architecture = network.architecture

    def residuals(at: Array) -> Array:
        return flatten(predict(architecture, at, x, "exact") - target)

    with open_jacobian(architecture, x, "backprop") as jacobian:
        found = least_squares(
            residuals,
            parameters,
            jac=lambda at: jacobian(at).copy(),
            method="trf",
            ftol=None,
            xtol=None,
            gtol=1e-10,
            max_nfev=evaluations,
        )
    return 2.0 * float(found.cost) / target.size


def compared(name: str) -> tuple[Estimate, list[float], list[float]]:
    """Return the ratio of our final error to SciPy's over all starts, and the errors."""
    task = task_of(name)
    ours, theirs = [], []
    for seed in range(STARTS):
        network, before, history = fitted(task, seed)
        # A trial of ours evaluates the residuals, and their second derivative along the step: twice a trial of theirs.
        evaluations = max(EPOCHS, 2 * sum(history.trials))
        ours.append(max(history.train_mse[-1], task.floor))
        theirs.append(max(error_of_scipy(task, network, before, evaluations), task.floor))
    return paired_ratio(ours, theirs), ours, theirs


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [*problem_names(), *RANDOM])
def test_no_worse_than_a_trust_region(name: str, record_property: Callable[[str, object], None]) -> None:
    """From 25 shared starts our fit's error is no larger than SciPy's trf, which may evaluate as often."""
    with threadpool_limits(1):  # the matrices are small: a second thread would only wait
        ratio, ours, theirs = compared(name)
    record_property("our error / SciPy's", f"{ratio.value:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]")
    record_property("median errors", f"{np.median(ours):.2g} and {np.median(theirs):.2g}")
    record_property("starts that came to the floor", f"{at_floor(name, ours)} and {at_floor(name, theirs)}")
    assert ratio.high <= TOLERANCE, (ratio, ours, theirs)


def at_floor(name: str, errors: list[float]) -> int:
    """Return how many of these are at the floor of their task."""
    floor = task_of(name).floor
    return sum(error <= floor for error in errors)
