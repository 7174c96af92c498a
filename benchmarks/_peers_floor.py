"""What the machine needs at least for a step: JᵀJ at the rate of gemm, one Cholesky factor, one write of J."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import median
from time import perf_counter

import numpy as np
from _peers_problem import ARCHITECTURE, ROWS, Array
from scipy.linalg.blas import dgemm, dsyrk
from scipy.linalg.lapack import dpotrf

SIDE = 2000
"""Of the matrices whose product tells the rate."""
PARAMETERS = ARCHITECTURE.parameters


def syrk_flops(rows: int) -> float:
    """Return the operations of one triangle of JᵀJ: half of the full product's 2·P²·N."""
    return float(PARAMETERS) ** 2 * rows


def gemm_rate(times: int) -> float:
    """Return operations a second of a product of two square matrices, by the median of some."""
    a, b, c = _squares()
    return 2.0 * SIDE**3 / _median_of(times, lambda: dgemm(1.0, a, b, c=c, overwrite_c=1))


def floor() -> dict[str, float]:
    """Return milliseconds of each part and of their sum, medians of a few times, measured now."""
    J, product, matrix = _step_arrays()
    factor = np.empty_like(matrix)
    rate = gemm_rate(3)
    parts = {
        "syrk at gemm's rate": syrk_flops(ROWS.y.size) / rate,
        "dpotrf": _median_of(
            5, lambda: dpotrf(factor, lower=1, clean=0, overwrite_a=1), _refill(factor, matrix)
        ),
        "write of J": _median_of(5, lambda: J.fill(0.5)),
    }
    plain = _median_of(5, lambda: dsyrk(1.0, J, trans=1, lower=1, c=product, overwrite_c=1))
    found = {name: 1e3 * seconds for name, seconds in parts.items()}
    return found | {"floor": sum(found.values()), "dsyrk": 1e3 * plain, "gemm": rate / 1e9}


def _refill(factor: Array, matrix: Array) -> Callable[[], None]:
    return lambda: np.copyto(factor, matrix)


def _median_of(times: int, work: Callable[[], object], before: Callable[[], object] | None = None) -> float:
    taken = []
    for turn in range(times + 1):
        if before is not None:
            before()
        started = perf_counter()
        work()
        if turn:  # the first wakes threads and fills caches
            taken.append(perf_counter() - started)
    return median(taken)


@cache
def _squares() -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(0)
    a, b = (np.asfortranarray(rng.random((SIDE, SIDE))) for _ in range(2))
    return a, b, np.zeros((SIDE, SIDE), order="F")


@cache
def _step_arrays() -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(0)
    J = np.asfortranarray(rng.normal(size=(ROWS.y.size, PARAMETERS)))
    product = np.zeros((PARAMETERS, PARAMETERS), order="F")
    matrix = np.asfortranarray(J.T @ J + np.eye(PARAMETERS))
    return J, product, matrix
