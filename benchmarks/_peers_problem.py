"""The reference problem as every library is given it, and the watch that times each one's steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from workbench.trainer import Architecture, Scaling, Sequential, problem

Array = NDArray[np.float64]

TARGET = 1e-8
"""Of the mean squared error over all 1000 rows, in [−1, 1] units."""
INITIALS = ("xavier", "nguyen-widrow")


@dataclass(frozen=True)
class Start:
    """One set of initial weights, and the rows: all of them are training rows."""

    seed: int
    initial: str

    def network(self) -> Sequential:
        """Return the network 1-20-20-10-1 with these weights."""
        builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
        return builder.dense(1, "linear").build(seed=self.seed, initial=self.initial)


@dataclass(frozen=True)
class Rows:
    """The rows in their units, shape (rows, 1), and scaled to [−1, 1] as the network sees them, (1, rows)."""

    x: Array
    y: Array
    scaled_x: Array
    scaled_y: Array


def reference_rows() -> Rows:
    """Return y = −x·sin(10x) at 1000 places."""
    given = problem("multimodal_1d")
    scaled = [
        np.ascontiguousarray(Scaling.from_rows(name, values).scale(values).T)
        for name, values in (("x", given.x), ("y", given.y))
    ]
    return Rows(given.x, given.y, *scaled)


ROWS = reference_rows()
ARCHITECTURE: Architecture = Start(0, "xavier").network().architecture


@dataclass
class Watch:
    """Is told the training error after each step, and says when to stop: at the target, the cap, or enough steps."""

    seconds: float
    """The most that a run may take."""
    steps: int = 1_000_000
    target: float = TARGET
    began: float = 0.0
    at: list[float] = field(default_factory=list)
    mse: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Begin: what is made ready or compiled before this is in no figure."""
        self.began = perf_counter()

    def __call__(self, mse: float) -> bool:
        """Note a step that ended now with this error; return whether to stop."""
        self.at.append(perf_counter())
        self.mse.append(mse)
        return self.reached or self.at[-1] - self.began >= self.seconds or len(self.at) >= self.steps

    @property
    def reached(self) -> bool:
        """Whether the last step's error is at the target."""
        return bool(self.mse) and self.mse[-1] <= self.target

    @property
    def step_ms(self) -> list[float]:
        """Milliseconds of each step after the first, which may find cold caches."""
        return [1e3 * (after - before) for before, after in pairwise(self.at)]

    @property
    def seconds_to_target(self) -> float:
        """Seconds to the target; the cap for a run that did not reach it, however early it gave up."""
        return min(self.at[-1] - self.began, self.seconds) if self.reached else self.seconds


Solve = Callable[[Start, Watch], None]
"""Starts the watch, runs from a start's weights, tells the watch of each step, and ends when the watch says so."""
