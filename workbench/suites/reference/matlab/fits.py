"""A fit of the reference problem by any solver: where it starts, what is noted of each step, and how it is judged."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.suites.reference.case import PROBLEM, TARGETS, TEST, VALIDATION, grid_mse, network
from workbench.trainer import Scaling, Sequential, problem, split_of

Array = NDArray[np.float64]

DAMPING = 0.01
"""μ of the first step, wherever a solver lets it be chosen."""


@dataclass(frozen=True)
class FitLimits:
    """When a fit ends."""

    epochs: int = 300
    seconds: float = 5.0
    target: float = TARGETS[-1]


@dataclass(frozen=True, eq=False)
class Fit:
    """What a solver gave."""

    seconds: tuple[float, ...]
    """Since the start of the fit, at the end of each step."""
    mse: tuple[float, ...]
    """Error of the training rows after each step, in scaled units."""
    parameters: Array
    """The last ones, in the order of `Architecture`."""
    damping: tuple[float, ...] = ()
    """μ of each accepted step, and how many trials it took, where the solver says so."""
    trials: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check that there is a step.

        Raises:
            InvalidInputError: There is none.
        """
        if not self.seconds:
            raise InvalidInputError("no step was accepted, so there is nothing to time")

    @property
    def step_seconds(self) -> list[float]:
        """Seconds of each step."""
        return [after - before for before, after in pairwise((0.0, *self.seconds))]

    @property
    def curve(self) -> list[tuple[float, float]]:
        """The error at the end of each step, by seconds."""
        return list(zip(self.seconds, self.mse, strict=True))


@dataclass(frozen=True)
class Start:
    """The rows and initial weights of a seed, the same as in every suite of the reference problem."""

    seed: int

    @cached_property
    def model(self) -> Sequential:
        """The network with its initial weights, and the scaling of its training rows."""
        given, first = problem(PROBLEM), network(self.seed)
        x, y = given.x[self.rows], given.y[self.rows]
        scalings = Scaling.of_inputs(x), Scaling.of_targets(y, (-1.0, 1.0))
        return Sequential(first.architecture, first.parameters, *scalings)

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Numbers of the training rows."""
        return self._split["training"]

    @cached_property
    def x(self) -> Array:
        """Inputs of the training rows in scaled units, shape (1, rows)."""
        return np.ascontiguousarray(self.model.input_scaling.scale(problem(PROBLEM).x[self.rows]).T)

    @cached_property
    def y(self) -> Array:
        """Their targets in scaled units, shape (1, rows)."""
        return np.ascontiguousarray(self.model.output_scaling.scale(problem(PROBLEM).y[self.rows]).T)

    def quality(self, fit: Fit) -> dict[str, float]:
        """Return the errors of a fit, by the names that the reference suite gives them."""
        model, given = self._fitted(fit), problem(PROBLEM)
        errors = {
            f"{part} MSE": model.evaluate(given.x[rows], given.y[rows]).scaled_mse
            for part, rows in self._split.items()
        }
        return errors | {"grid MSE": grid_mse(model)}

    def keep(self, fit: Fit, folder: Path) -> None:
        """Save the fitted network and its history, from which the suite draws it."""
        self._fitted(fit).save(folder / "net.npz")
        history = {"seed": self.seed, "seconds": fit.step_seconds, "train_mse": list(fit.mse)}
        (folder / "history.json").write_text(json.dumps(history), encoding="utf-8")

    def _fitted(self, fit: Fit) -> Sequential:
        model = self.model
        return Sequential(model.architecture, fit.parameters, model.input_scaling, model.output_scaling)

    @cached_property
    def _split(self) -> dict[str, NDArray[np.intp]]:
        split = split_of(len(problem(PROBLEM).x), validation=VALIDATION, test=TEST, seed=self.seed)
        return {"training": split.training, "validation": split.validation, "test": split.test}


class EnoughError(Exception):
    """Leaves a solver that has no other way out."""


@dataclass
class Watch:
    """Gets the error after each step of a solver in Python, and says when to stop."""

    limits: FitLimits
    began: float = 0.0
    seconds: list[float] = field(default_factory=list)
    mse: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start the clock: what is made ready or compiled before this is not in the time."""
        self.began = perf_counter()

    def step(self, mse: float) -> bool:
        """Note a step that ended now with this error; return whether to stop."""
        self.seconds.append(perf_counter() - self.began)
        self.mse.append(float(mse))
        limits = self.limits
        return (
            self.mse[-1] <= limits.target
            or self.seconds[-1] >= limits.seconds
            or len(self.mse) >= limits.epochs
        )

    def fit(self, parameters: Array) -> Fit:
        """Return what was noted, with the last parameters."""
        return Fit(tuple(self.seconds), tuple(self.mse), np.array(parameters, np.float64))
