"""Counts the iterations of the Mandelbrot set on two threads, in plain Python.

workbench profile --summary docs/gallery/lock.py
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from workbench import carry, scope

ITERATIONS = 60


def points(size):
    x, y = np.linspace(-2.1, 0.9, size), np.linspace(-1.5, 1.5, size)
    return x[None, :] + 1j * y[:, None]


def escape(c):
    z = 0j
    for count in range(ITERATIONS):
        if z.real * z.real + z.imag * z.imag > 4:
            return count
        z = z * z + c
    return ITERATIONS


@scope("band")
def band(rows):
    return [[escape(c) for c in row] for row in rows.tolist()]


def mandelbrot(grid, *, count=band, threads=2):
    """Return how many iterations each point stays near 0."""
    with scope("mandelbrot"), ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(carry(count), np.array_split(grid, 8))))


if __name__ == "__main__":
    counts = mandelbrot(points(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
    print(f"{np.mean(counts == ITERATIONS):.1%} of the points stay")
