"""Matrix products and a factorisation, in BLAS and LAPACK."""

import numpy as np
from work import SECONDS, turns

from workbench import scope

a = np.random.default_rng(1).normal(size=(500, 500))
square = a @ a.T + np.eye(500)


def in_product():
    return a @ a.T


def in_factor():
    return np.linalg.cholesky(square)


def main():
    for _ in turns(SECONDS):
        with scope("product"):
            for _ in range(6):
                in_product()
        with scope("factor"):
            for _ in range(6):
                in_factor()


main()
