"""Bands of the Mandelbrot set in Python on two threads or one, or in NumPy, which works without Python's lock."""

import numpy as np
from lock import ITERATIONS, band, mandelbrot, points

from workbench.bench import Case, Suite, axis

suite = Suite("lock", baseline={"code": "Python", "threads": "2"})


def band_of_arrays(rows):
    counts, z = np.full(rows.shape, ITERATIONS), np.zeros_like(rows)
    inside = np.ones(rows.shape, bool)
    for count in range(ITERATIONS):
        escaped = inside & (z.real * z.real + z.imag * z.imag > 4)
        counts[escaped] = count
        inside &= ~escaped
        z = np.where(inside, z * z + rows, 0)
    return counts


@suite.workload(code=axis("Python", "NumPy"), threads=axis("2", "1"))
def lock(code, threads, *, seed):
    grid = points(400) + 1e-4 * np.random.default_rng(seed).normal()
    exact = np.concatenate([band(grid)])
    count = {"Python": band, "NumPy": band_of_arrays}[code]
    return Case(
        run=lambda: mandelbrot(grid, count=count, threads=int(threads)),
        quality=lambda counts: {"points that differ": int(np.sum(counts != exact))},
    )
