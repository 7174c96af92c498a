"""The Jacobian strategies against each other, with the exact tanh and with approximate ones.

    workbench bench jacobians --plan one-at-a-time --budget 5m

The baseline is what the reference suite begins with. All take the same steps but for rounding, and for what the
kernel does to them.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.bench import Case, Suite, axis
from workbench.suites.reference.case import TARGETS, draw, fit_case, residuals
from workbench.suites.reference.commentary import COMMENTARY, SCALING
from workbench.trainer import LevenbergMarquardt

EPOCHS = 10

suite = Suite(
    "jacobians",
    baseline={"jacobian": "columns", "tanh": "exact"},
    draw=draw,
    residuals=residuals,
    quality="training MSE",
    targets=TARGETS,
    target_of="training MSE",
    scaling=SCALING,
    commentary=replace(COMMENTARY, quotes=None),
)


@suite.workload(
    jacobian=axis("columns", "columns-cached", "columns-rank-one", "backprop", "backprop-chunked"),
    tanh=axis("exact", "1e-12", "1e-7", "1e-4", "fast"),
)
def fit(jacobian: str, tanh: str, *, seed: int) -> Case:
    """Set one training up; the same data and initial weights for every variant of a seed."""
    return fit_case(LevenbergMarquardt(jacobian=jacobian, tanh=tanh), epochs=EPOCHS, seed=seed)
