"""That Octave's plain code and the trainer take the same steps, from many starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from workbench.suites.reference.case import fit_case
from workbench.suites.reference.matlab import PLAIN
from workbench.suites.reference.matlab.fits import FitLimits, Start
from workbench.suites.reference.matlab.programs import OCTAVE
from workbench.trainer.jacobians.jacobian import flatten
from workbench.trainer.steps.normal import NormalSystem, WholeRows
from workbench.trainer.steps.system import Step

STARTS = 25
LIMITS = FitLimits(epochs=10, seconds=1000.0, target=0.0)
IN_ANOTHER_ORDER = replace(PLAIN, jacobian="backprop-chunked", chunk_rows=64)
"""The same method, but JᵀJ is summed in another order: what rounding does to it."""


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_octave_takes_the_same_ten_steps(
    record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 25 starts Octave accepts the same trials in ten steps; with refined steps, errors are within 1e-6."""
    reason = OCTAVE.missing()
    if reason is not None:
        pytest.skip(f"Octave: {reason}")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with threadpool_limits(1):
        plain, rounding = differences(refinements=0)
        monkeypatch.setattr(NormalSystem, "_solve", refined)
        exact, _ = differences(refinements=1)
    record_property("starts with errors within 1e-6", f"{sum(each < 1e-6 for each in plain)} of {STARTS}")
    record_property("largest difference, relative", f"{max(plain):.1e}")
    record_property("the same in another order of summation", f"{max(rounding):.1e}")
    record_property("largest difference with refined steps", f"{max(exact):.1e}")
    assert all(each < max(1e-6, 10.0 * limit) for each, limit in zip(plain, rounding, strict=True))
    assert max(exact) < 1e-6


def differences(refinements: int) -> tuple[list[float], list[float]]:
    """Return of each start the largest relative difference of errors: to Octave, and by another order of summation."""
    largest, rounding = [], []
    for seed in range(STARTS):
        theirs = OCTAVE.fit(Start(seed), LIMITS, refinements=refinements)
        ours, other = (fit_case(how, epochs=10, seed=seed).run() for how in (PLAIN, IN_ANOTHER_ORDER))
        assert list(theirs.trials) == ours.trials
        assert theirs.damping == pytest.approx(ours.damping, rel=1e-12)
        largest.append(float(np.max(np.abs(np.array(theirs.mse) / ours.train_mse - 1.0))))
        rounding.append(float(np.max(np.abs(np.array(other.train_mse) / ours.train_mse - 1.0))))
    return largest, rounding


def refined(system: NormalSystem, damping: float) -> Step | None:
    """Solve, and once more for what is left of the gradient of ‖r + Jδ‖² + μ‖δ‖² (Björck 1987), where J is at hand."""
    if not system._gram.factorise(damping, system.gradient):
        return None
    delta, source = -system._gram.solution(), system._source
    if isinstance(source, WholeRows):
        residuals = flatten(source._accepted.residuals) + source._J @ delta
        delta -= system._gram.solve(source._J.T @ residuals + damping * delta)
    predicted = 0.5 * float(np.dot(delta, damping * delta - system.gradient))
    return Step(delta, predicted) if predicted > 0.0 else None
