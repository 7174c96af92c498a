"""Function-fitting problems by name, each with its true function.

Samples are seeded: the same name and seed give the same rows. `dense_grid` gives rows for judging a fit which
no training row touches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.errors import unknown_name
from workbench.trainer import checks
from workbench.trainer.arrays import Array

Function = Callable[[Array], Array]
"""From x, shape (rows, inputs), to y, shape (rows, outputs)."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A function to fit, and samples of it; the arrays are read-only."""

    name: str
    description: str
    x: Array
    """Shape (rows, inputs)."""
    y: Array
    """Shape (rows, outputs): the true function, and the noise."""
    truth: Function
    """The true function, without noise, of rows of any number."""
    noise: float
    """Standard deviation of the noise in y, in y's units."""


@dataclass(frozen=True)
class _Recipe:
    description: str
    truth: Function
    sample: Callable[[np.random.Generator], Array]
    noise: float = 0.0


def _multimodal(x: Array) -> Array:
    return -x * np.sin(10.0 * x)


def _ripple(x: Array) -> Array:
    squared = np.sum(x**2, axis=1, keepdims=True)
    ripple: Array = np.cos(6.0 * np.sqrt(squared)) * np.exp(-squared)
    return ripple


def _spiral(t: Array) -> Array:
    return np.hstack([t * np.cos(2.0 * np.pi * t), t * np.sin(2.0 * np.pi * t)])


def _damped_sine(x: Array) -> Array:
    decay: Array = np.exp(-2.0 * x) * np.sin(4.0 * np.pi * x)
    return decay


def _step(x: Array) -> Array:
    return np.where(x < 0.5, 0.2 * x, 1.0 - 0.2 * x)


def _friedman(x: Array) -> Array:
    a, b, c, d, e = x.T
    y: Array = 10.0 * np.sin(np.pi * a * b) + 20.0 * (c - 0.5) ** 2 + 10.0 * d + 5.0 * e
    return y[:, np.newaxis]


def _regular(rows: int) -> Callable[[np.random.Generator], Array]:
    """Sample at k/rows for k = 1..rows, whatever the generator."""
    return lambda _rng: np.arange(1.0, rows + 1.0)[:, np.newaxis] / rows


def _uniform(rows: int, inputs: int, low: float, high: float) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.uniform(low, high, (rows, inputs))


_RECIPES = {
    "multimodal_1d": _Recipe(
        "−x·sin(10x) at x = 0.001, 0.002, …, 1.000: the reference problem", _multimodal, _regular(1000)
    ),
    "ripple_2d": _Recipe(
        "two inputs: cos(6r)·exp(−r²) of the radius r, on [−1, 1]²", _ripple, _uniform(1000, 2, -1.0, 1.0)
    ),
    "spiral": _Recipe("two outputs: one turn of a spiral, (t·cos 2πt, t·sin 2πt)", _spiral, _regular(500)),
    "noisy_sine": _Recipe(
        "noise: exp(−2x)·sin(4πx) on [0, 1], standard deviation 0.05",
        _damped_sine,
        _uniform(600, 1, 0.0, 1.0),
        0.05,
    ),
    "step_1d": _Recipe("a step: 0.2x below 0.5, and 1 − 0.2x from there on", _step, _regular(400)),
    "friedman": _Recipe(
        "five inputs, noise: 10·sin(πab) + 20(c − ½)² + 10d + 5e on [0, 1]⁵, deviation 1 (Friedman 1991)",
        _friedman,
        _uniform(800, 5, 0.0, 1.0),
        1.0,
    ),
}


def problem_names() -> tuple[str, ...]:
    """Return the names of the problems, the reference problem first."""
    return tuple(_RECIPES)


def problem(name: str, seed: int = 0) -> Problem:
    """Return a problem by name; `seed` draws the random samples and the noise.

    Raises:
        InvalidInputError: there is none of that name; the message names the nearest.
    """
    if name not in _RECIPES:
        raise unknown_name("problem", str(name), _RECIPES)
    recipe = _RECIPES[name]
    rng = np.random.default_rng(checks.whole("seed", seed, at_least=0))
    x = recipe.sample(rng)
    y = recipe.truth(x)
    if recipe.noise:
        y = y + rng.normal(0.0, recipe.noise, y.shape)
    x.setflags(write=False)
    y.setflags(write=False)
    return Problem(name, recipe.description, x, y, recipe.truth, recipe.noise)


def dense_grid(given: Problem, points: int = 4001) -> tuple[Array, Array]:
    """Return x, shape (points, inputs), inside the samples' range, and the true function there.

    With one input the points are evenly spaced, at cell centres; with more they are seeded uniform draws,
    since a regular grid of many inputs is never dense.
    """
    checks.whole("points", points)
    low, high = given.x.min(axis=0), given.x.max(axis=0)
    inputs = given.x.shape[1]
    if inputs == 1:
        unit = (np.arange(points) + 0.5)[:, np.newaxis] / points
    else:
        unit = np.random.default_rng(points).random((points, inputs))
    x = low + unit * (high - low)
    return x, given.truth(x)
