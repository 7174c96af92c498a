"""Where the time of a Levenberg-Marquardt step goes, by its own scopes, beside the hardware's floor.

    python benchmarks/step.py                   a minute; writes docs/measured/step.{md,json}
    python benchmarks/step.py --quick           a few fits; writes nothing

The reference network (681 parameters) on 1000 rows, analytic Jacobian, default steps. Fits and floors take turns in
one process, so that both meet the same machine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from measured import Row, finish, median, options_of, ratio
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm, dsyrk
from scipy.linalg.lapack import dpotrf

import workbench
from workbench import record
from workbench.profile import scope_table
from workbench.trainer import LevenbergMarquardt, Sequential, problem

ROWS, PARAMETERS, GEMM = 1000, 681, 2000
EPOCHS = 30
PARTS = (
    "compute jacobian",
    "forming normal equations",
    "check gradient",
    "solve",
    "acceleration",
    "update weights",
    "held-out errors",
)
FLOOR_OF = {
    "compute jacobian": "one write of J",
    "forming normal equations": "syrk at gemm rate",
    "solve": "potrf",
}


@dataclass
class Found:
    """What the rounds measured, one value a round."""

    parts: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of each part, the median of a fit's calls."""
    rates: dict[str, list[float]] = field(default_factory=dict)
    """GFLOP/s of the parts that state their operations."""
    uncovered: list[float] = field(default_factory=list)
    """The share of "epoch" outside its inner scopes."""
    epoch: list[float] = field(default_factory=list)
    trials: list[float] = field(default_factory=list)
    floors: dict[str, list[float]] = field(default_factory=dict)


def network(seed: int) -> Sequential:
    """Return the reference network from Xavier weights: the way to the target is long."""
    builder = Sequential.builder(inputs=1).dense(20, "tanh").dense(20, "tanh").dense(10, "tanh")
    return builder.dense(1, "linear").build(seed=seed, initial="xavier")


def fit(found: Found, seed: int) -> None:
    """Record one fit and take its scopes apart."""
    data = problem("multimodal_1d")
    model = network(seed)
    with tempfile.TemporaryDirectory() as folder:
        with record(folder + "/run"):
            history = model.fit(
                data.x,
                data.y,
                optimizer=LevenbergMarquardt(jacobian="backprop"),
                epochs=EPOCHS,
                validation=0,
                test=0,
            )
        rows = {row.name: row for row in scope_table(workbench.load(folder + "/run"))}
    epoch = rows["epoch"]
    found.epoch.append(1e-6 * epoch.p50_ns)
    found.uncovered.append(epoch.self_ns / epoch.total_ns)
    found.trials.append(sum(history.trials) / history.epochs)
    for name in PARTS:
        if name in rows:
            found.parts.setdefault(name, []).append(1e-6 * rows[name].p50_ns)
            rate = rows[name].gflops
            if rate is not None:
                found.rates.setdefault(name, []).append(rate)


class Floors:
    """What the hardware needs for the same operations, on the same BLAS threads."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._A = np.asfortranarray(rng.normal(size=(GEMM, GEMM)))
        self._C = np.zeros((GEMM, GEMM), order="F")
        self._J = np.asfortranarray(rng.normal(size=(ROWS, PARAMETERS)))
        self._H = np.zeros((PARAMETERS, PARAMETERS), order="F")
        self._spd = np.asfortranarray(self._J.T @ self._J + ROWS * np.eye(PARAMETERS))
        self._factor = np.empty_like(self._spd)
        self._write = np.empty((PARAMETERS, ROWS))

    def measure(self, found: Found) -> None:
        """Add one value each: the least of a few."""
        gemm = _least(lambda: dgemm(1.0, self._A, self._A, c=self._C, overwrite_c=1), 2)
        syrk_flops = ROWS * PARAMETERS * (PARAMETERS + 1)
        values = {
            "gemm rate": 2e-9 * GEMM**3 / gemm,
            "syrk at gemm rate": 1e3 * syrk_flops * gemm / (2.0 * GEMM**3),
            "syrk": 1e3 * _least(lambda: dsyrk(1.0, self._J, trans=1, lower=1, c=self._H, overwrite_c=1), 5),
            "potrf": 1e3 * _least(self._cholesky, 5, self._copy),
            "one write of J": 1e3 * _least(lambda: self._write.fill(1.0), 5),
        }
        for name, value in values.items():
            found.floors.setdefault(name, []).append(value)

    def _copy(self) -> None:
        np.copyto(self._factor, self._spd)

    def _cholesky(self) -> NDArray[np.float64]:
        factor, _ = dpotrf(self._factor, lower=1, clean=0, overwrite_a=1)
        return factor  # type: ignore[no-any-return]  # SciPy's wrapper states no type


def _least(work: Callable[[], object], times: int, before: Callable[[], None] | None = None) -> float:
    seconds = []
    for _ in range(times):
        if before is not None:
            before()
        began = perf_counter()
        work()
        seconds.append(perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Measure, print, and write unless quick."""
    options = options_of(__doc__).parse_args()
    found, floors = Found(), Floors()
    for seed in range(5 if options.quick else 25):
        floors.measure(found)
        fit(found, seed)
    notes = [
        (
            f"{ROWS} training rows, {PARAMETERS} parameters, {EPOCHS} epochs a fit, {len(found.epoch)} fits from "
            f"Xavier weights, default steps, analytic Jacobian; {np.median(found.trials):.2f} trials an epoch."
        ),
        (
            "Times are medians over the epochs of a fit, by the scopes’ own recording: solve, acceleration and "
            "update weights come once for each trial, the others once in an epoch; most epochs have one trial."
        ),
        (
            "GFLOP/s are what the scopes state by their time; “solve” includes copying the "
            "matrix and the two triangular solves."
        ),
        (
            "The floor is syrk's operations at the rate of a 2000 × 2000 gemm, one Cholesky factor, and one "
            "write of J, measured between the fits."
        ),
    ]
    finish("step", "Where the time of a step goes", _sections(found), notes, options)


def _sections(found: Found) -> dict[str, list[Row]]:
    floor = [sum(values) for values in zip(*(found.floors[name] for name in FLOOR_OF.values()), strict=True)]
    return {
        "An epoch": [
            median("an epoch", found.epoch, "ms"),
            median("trials of an epoch", found.trials, "", note="the mean of a fit"),
            median("floor", floor, "ms", note="syrk at gemm rate, potrf, one write of J"),
            ratio("an epoch / floor", found.epoch, floor, 1.6),
            median("outside any scope", [100.0 * share for share in found.uncovered], "%", 3.0),
        ],
        "Its parts": [median(name, values, "ms") for name, values in found.parts.items()],
        "Rates": [
            median("gemm", found.floors["gemm rate"], "GFLOP/s", note=f"{GEMM} × {GEMM}"),
            *(median(name, values, "GFLOP/s") for name, values in found.rates.items()),
        ],
        "Floors": [
            median(name, values, "ms", note=_part_of(name))
            for name, values in found.floors.items()
            if name != "gemm rate"
        ],
    }


def _part_of(floor: str) -> str:
    return next((f"of “{part}”" for part, name in FLOOR_OF.items() if name == floor), "")


if __name__ == "__main__":
    main()
