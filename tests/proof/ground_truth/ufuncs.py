"""NumPy ufuncs: long calls of native code that holds no Python frame of its own."""

import numpy as np
from work import SECONDS, turns

from workbench import scope

x = np.random.default_rng(1).normal(size=3_000_000)
out = np.empty_like(x)


def in_tanh():
    np.tanh(x, out=out)


def in_exp():
    np.exp(x, out=out)


def in_sort():
    out[:] = x
    out[:400_000].sort()


def main():
    for _ in turns(SECONDS):
        with scope("tanh"):
            in_tanh()
        with scope("exp"):
            in_exp()
            in_exp()
        with scope("sort"):
            in_sort()


main()
