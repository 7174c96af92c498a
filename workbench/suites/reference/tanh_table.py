"""The tanh kernels beside each other: what each errs by, and what an element costs."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from workbench.bench import Table
from workbench.trainer import kernels
from workbench.trainer.jacobians.columns import DEFAULT_STEPS

REACH, POINTS = 10.0, 200_001
UNITS, ROWS = 20, 1000
"""The values of a layer: as many elements as the trainer evaluates at once, 160 kB."""
ROUNDS, LOOPS = 30, 5


def tanh_table() -> Table:
    """Return the table. Times are the least of many, taken in turns, so that all kernels meet the same machine."""
    seconds = _shortest_times()
    exact = seconds["exact"]
    rows: list[list[str | float | None]] = [
        [
            name,
            kernels.implementation(name),
            _error(name),
            _slope_error(name),
            1e9 * seconds[name] / (UNITS * ROWS),
            seconds[name] / exact,
        ]
        for name in kernels.names()
    ]
    return Table(
        "tanh kernels",
        ["kernel", "runs as", "error", "slope error", "ns an element", "time by exact"],
        rows,
        f"Largest absolute errors on [−{REACH:g}, {REACH:g}]; the slope as the Jacobian's finite differences see it, "
        f"with each kernel's own step. Time on {UNITS} × {ROWS} values in the cache, one thread.",
    )


def _error(name: str) -> float:
    x = np.linspace(-REACH, REACH, POINTS)
    return float(np.abs(kernels.kernel(name)(x) - np.tanh(x)).max())


def _slope_error(name: str) -> float:
    x, step = np.linspace(-REACH, REACH, POINTS), DEFAULT_STEPS[name]
    there = x + step
    evaluate = kernels.kernel(name)
    slope = (evaluate(there) - evaluate(x)) / (there - x)
    return float(np.abs(slope - (1.0 - np.tanh(x) ** 2)).max())


def _shortest_times() -> dict[str, float]:
    z = np.random.default_rng(1).normal(size=(UNITS, ROWS))
    out = np.empty_like(z)
    least = dict.fromkeys(kernels.names(), float("inf"))
    for _ in range(ROUNDS):
        for name in least:
            evaluate = kernels.kernel(name)
            began = perf_counter()
            for _ in range(LOOPS):
                evaluate(z, out=out)
            least[name] = min(least[name], (perf_counter() - began) / LOOPS)
    return least
