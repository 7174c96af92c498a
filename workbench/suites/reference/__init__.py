"""The reference problem: a 1-20-20-10-1 network fitted to −x·sin(10x) by Levenberg-Marquardt, in nine variants.

`make profile` and `make bench-report` share this one list. The baseline is what the original Rust version began
with: exact tanh, and one finite-difference column of the Jacobian after the other.
"""

from __future__ import annotations

import os
from typing import Any

from workbench.bench import Case, Suite
from workbench.suites.reference.case import TARGETS, draw, fit_case, residuals
from workbench.suites.reference.commentary import COMMENTARY, SCALING
from workbench.suites.reference.tanh_table import tanh_table
from workbench.trainer import LevenbergMarquardt

EPOCHS = int(os.environ.get("WORKBENCH_REFERENCE_EPOCHS", "20"))
"""Epochs of every training, the same for all variants."""
DAMPING = 0.01
WORKERS = 2
BASELINE: dict[str, Any] = {
    "tanh": "exact",
    "jacobian_tanh": None,
    "jacobian": "columns",
    "n_jobs": 1,
    "backend": "loky",
}
_DIFFERENCES: dict[str, dict[str, Any]] = {
    "exact": {},
    "fast": {"tanh": "fast"},
    "faster": {"tanh": "faster"},
    "float32": {"tanh": "float32"},
    "faster, residuals only": {"tanh": "faster", "jacobian_tanh": "exact"},
    "faster, Jacobian only": {"jacobian_tanh": "faster"},
    "exact, 2 processes": {"n_jobs": WORKERS},
    "exact, 2 threads": {"n_jobs": WORKERS, "backend": "threading"},
    "exact, backpropagation": {"jacobian": "backprop"},
}
VARIANTS = {name: BASELINE | options for name, options in _DIFFERENCES.items()}

DESCRIPTIONS = {
    "exact": "np.tanh everywhere, one column after the other: the baseline",
    "fast": "fastapprox's fast tanh everywhere",
    "faster": "fastapprox's faster tanh everywhere",
    "float32": "np.tanh in single precision everywhere",
    "faster, residuals only": "faster tanh in the forward pass, exact in the Jacobian (the original: “forward only”)",
    "faster, Jacobian only": "faster tanh in what the Jacobian evaluates, exact in the forward pass",
    "exact, 2 processes": "columns in batches on two loky worker processes",
    "exact, 2 threads": "columns in batches on two threads",
    "exact, backpropagation": "the analytic Jacobian, by backpropagation of each sample",
}


suite = Suite(
    "reference",
    baseline="exact",
    variants=VARIANTS,
    descriptions=DESCRIPTIONS,
    draw=draw,
    residuals=residuals,
    quality="training MSE",
    targets=TARGETS,
    target_of="training MSE",
    scaling=SCALING,
    commentary=COMMENTARY,
    tables=lambda: [tanh_table()],
)


@suite.workload
def fit(
    tanh: str,
    jacobian_tanh: str | None,
    jacobian: str,
    n_jobs: int,
    backend: str,
    *,
    seed: int,
) -> Case:
    """Set one training up; the same data and initial weights for every variant of a seed."""
    optimizer = LevenbergMarquardt(
        damping=DAMPING,
        rule="marquardt",  # as in the original Rust version, and no geodesic correction
        geodesic=False,
        jacobian=jacobian,
        n_jobs=n_jobs,
        backend=backend,
        tanh=tanh,
        jacobian_tanh=jacobian_tanh,
    )
    return fit_case(optimizer, epochs=EPOCHS, seed=seed)
