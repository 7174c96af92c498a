"""The matrix in C order, so that a column is spread over all of it, or in Fortran order, so that it is in one place."""

import numpy as np
from layout import data, lasso

from workbench.bench import Case, Suite, axis

suite = Suite("layout", baseline={"order": "C"})


@suite.workload(order=axis("C", "F"))
def layout(order, *, seed):
    X, y = data(seed=seed)
    return Case(
        run=lambda: lasso(np.asarray(X, order=order), y, sweeps=4),  # the copy is timed
        quality=lambda w: {"error": float(abs(w[:10] - 1).max())},
    )
