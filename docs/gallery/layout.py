"""Chooses features by the lasso, with coordinate descent: one column of the matrix at a time.

workbench profile --summary docs/gallery/layout.py
"""

import sys

import numpy as np

from workbench import scope


def data(rows=20_000, columns=300, seed=1):
    """Return features, and a target that depends on ten of them."""
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(rows, columns))
    X /= np.sqrt((X * X).sum(axis=0))
    return X, X[:, :10].sum(axis=1) + 0.001 * draw.normal(size=rows)


def lasso(X, y, *, penalty=0.1, sweeps=20):
    w, r = np.zeros(X.shape[1]), y.copy()
    for _ in range(sweeps):
        with scope("sweep", flops=4 * X.size, bytes=4 * X.nbytes):
            for j in range(X.shape[1]):
                w[j], r = descend(X[:, j], w[j], r, penalty)
    return w


def descend(column, old, r, penalty):
    pull = column @ r + old
    new = np.sign(pull) * max(abs(pull) - penalty, 0)
    return new, r + column * (old - new)


if __name__ == "__main__":
    with scope("make data"):
        X, y = data()
    w = lasso(X, y, sweeps=int(sys.argv[1]) if len(sys.argv) > 1 else 60)
    print(f"{np.count_nonzero(w)} features of {len(w)} chosen")
