"""The parts of a Levenberg-Marquardt step against each other: damping rule, scaling, geodesic acceleration.

    workbench bench steps --plan one-at-a-time --budget 5m

All have the analytic Jacobian, so that a training is short, and start from Xavier weights, from where the way to
the target is long. What counts is the time until a target is reached; each training ends at the last of them.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.bench import Case, Suite, axis
from workbench.suites.reference.case import TARGETS, draw, fit_case, residuals
from workbench.suites.reference.commentary import COMMENTARY, SCALING
from workbench.trainer import LevenbergMarquardt

EPOCHS = 300
"""Of a training that does not reach the last target."""

suite = Suite(
    "steps",
    baseline={"rule": "marquardt", "scaling": "identity", "geodesic": "off"},
    draw=draw,
    residuals=residuals,
    quality="training MSE",
    targets=TARGETS,
    target_of="training MSE",
    scaling=SCALING,
    commentary=replace(COMMENTARY, quotes=None),
)


@suite.workload(
    rule=axis("marquardt", "nielsen", "delayed"),
    scaling=axis("identity", "more"),
    geodesic=axis("off", "on"),
)
def fit(rule: str, scaling: str, geodesic: str, *, seed: int) -> Case:
    """Set one training up; the same data and initial weights for every variant of a seed."""
    optimizer = LevenbergMarquardt(rule=rule, scaling=scaling, geodesic=geodesic == "on", jacobian="backprop")
    return fit_case(optimizer, epochs=EPOCHS, seed=seed, initial="xavier", target_mse=TARGETS[-1])
