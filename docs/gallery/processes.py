"""Bootstraps a slope on two worker processes; each task gets the whole table.

workbench profile --summary docs/gallery/processes.py
"""

import sys

import joblib
import numpy as np

from workbench import carry, scope


def table(rows, seed=1):
    """Return records (x, y), as a file reader would."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, size=rows)
    return list(zip(x.tolist(), (0.7 * x + draw.normal(size=rows)).tolist(), strict=True))


def slope(records, seed):
    with scope("to arrays"):
        x, y = np.array(records).T
    with scope("resample"):
        rows = np.random.default_rng(seed).integers(len(x), size=len(x))
        x, y = x[rows], y[rows]
    with scope("fit"):
        return np.polyfit(x, y, 1)[0]


def bootstrap(records, tasks):
    with scope("bootstrap"):
        task = joblib.delayed(
            carry(slope)
        )  # here, where the scope is open: joblib takes tasks on other threads, too
        return np.array(joblib.Parallel(n_jobs=2)(task(records, seed) for seed in range(tasks)))


if __name__ == "__main__":
    with scope("read"):
        records = table(20_000)
    slopes = bootstrap(records, int(sys.argv[1]) if len(sys.argv) > 1 else 500)
    print(f"slope {slopes.mean():.3f} ± {slopes.std():.3f}")
