"""The Jacobian strategies beside each other, and the dual beside the normal equations, on one BLAS thread.

    python benchmarks/jacobians.py              half a minute; writes docs/measured/jacobians.{md,json}

The reference network (681 parameters). Each round has every strategy once, one after the other, so that what one works
on is no longer in cache when its turn comes again.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from contextlib import ExitStack
from time import perf_counter

import numpy as np
from measured import Row, finish, median, options_of, ratio

from workbench.trainer import LevenbergMarquardt, Sequential
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.jacobian import WHOLE, open_jacobian
from workbench.trainer.steps.open_system import open_system

ROUNDS, QUICK_ROUNDS = 25, 3
ROWS = 1000
KERNELS = ("exact", "1e-12", "1e-7", "1e-4")
FEWER = (20, 40, 100, 227, 340, 500, 680)
LIMITS = {"columns-rank-one": 1 / 6, "backprop": 1 / 60}
"""With the exact tanh: fast kernels make columns quicker."""
RUNS = 3


def network() -> Sequential:
    """Return the reference network."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=7)


def strategies(kernel: str, rounds: int) -> list[Row]:
    """Return milliseconds of each whole Jacobian with a kernel, and their ratios to plain columns."""
    model = network()
    x = np.linspace(-1.0, 1.0, ROWS)[np.newaxis]
    found: dict[str, list[float]] = {name: [] for name in WHOLE}
    with ExitStack() as stack:
        jacobians = {
            name: stack.enter_context(open_jacobian(model.architecture, x, name, tanh=kernel))
            for name in WHOLE
        }
        for turn in range(rounds + 1):
            for name, jacobian in jacobians.items():
                seconds = []
                for _ in range(RUNS):  # the first finds the caches full of another's arrays
                    began = perf_counter()
                    jacobian(model.parameters)
                    seconds.append(perf_counter() - began)
                if turn:
                    found[name].append(1e3 * min(seconds))
    others = [name for name in WHOLE if name != "columns"]
    limits = LIMITS if kernel == "exact" else {}
    return [
        *(median(name, values, "ms") for name, values in found.items()),
        *(ratio(f"{name} / columns", found[name], found["columns"], limits.get(name)) for name in others),
    ]


def systems(rows: int, rounds: int) -> list[Row]:
    """Return milliseconds to linearise and solve once with so many rows, fewer than parameters."""
    model = network()
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (1, rows))
    problem = TrainingProblem(model.architecture, x, np.sin(5.0 * x))
    found: dict[str, list[float]] = {"backprop": [], "dual": []}
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(open_system(LevenbergMarquardt(jacobian=name), problem))
            for name in found
        }
        for turn in range(rounds + 1):
            for name, system in opened.items():
                parameters = model.parameters.copy()
                system.evaluate(parameters)
                began = perf_counter()
                system.form(parameters)
                system.solve(1e-2, None)
                if turn:
                    found[name].append(1e3 * (perf_counter() - began))
    return [
        median(f"normal equations, {rows} residuals", found["backprop"], "ms"),
        median(f"dual, {rows} residuals", found["dual"], "ms"),
        ratio(f"dual / normal equations, {rows} residuals", found["dual"], found["backprop"]),
    ]


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    sections = {f"A Jacobian of {ROWS} rows, tanh {kernel}": strategies(kernel, rounds) for kernel in KERNELS}
    sections["Fewer residuals than parameters: linearise, and solve once"] = [
        row for rows in FEWER for row in systems(rows, rounds)
    ]
    notes = [
        (
            f"681 parameters; one BLAS thread; medians of {rounds} rounds, in each of which every strategy had one "
            f"turn, the least of {RUNS} calls; linearising and solving has one call."
        )
    ]
    finish("jacobians", "What a Jacobian costs", sections, notes, options)


if __name__ == "__main__":
    main()
