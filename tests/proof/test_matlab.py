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

STARTS = 25
LIMITS = FitLimits(epochs=10, seconds=1000.0, target=0.0)
IN_ANOTHER_ORDER = replace(PLAIN, jacobian="backprop-chunked", chunk_rows=64)
"""The same method, but JᵀJ is summed in another order: what rounding does to it."""


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_octave_takes_the_same_ten_steps(
    record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 25 starts Octave accepts the same trials in ten steps, with errors within 1e-6 or what rounding does."""
    reason = OCTAVE.missing()
    if reason is not None:
        pytest.skip(f"Octave: {reason}")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with threadpool_limits(1):
        within, largest, rounding = differences()
    record_property("starts with errors within 1e-6", f"{within} of {STARTS}")
    record_property("largest difference, relative", f"{max(largest):.1e}")
    record_property("the same in another order of summation", f"{max(rounding):.1e}")


def differences() -> tuple[int, list[float], list[float]]:
    """Return how many starts agree, and of each the largest difference of errors: to Octave, and by rounding alone."""
    within, largest, rounding = 0, [], []
    for seed in range(STARTS):
        theirs = OCTAVE.fit(Start(seed), LIMITS)
        ours, other = (fit_case(how, epochs=10, seed=seed).run() for how in (PLAIN, IN_ANOTHER_ORDER))
        assert list(theirs.trials) == ours.trials
        assert theirs.damping == pytest.approx(ours.damping, rel=1e-12)
        largest.append(float(np.max(np.abs(np.array(theirs.mse) / ours.train_mse - 1.0))))
        rounding.append(float(np.max(np.abs(np.array(other.train_mse) / ours.train_mse - 1.0))))
        within += largest[-1] < 1e-6
        assert largest[-1] < max(1e-6, 10.0 * rounding[-1]), seed
    return within, largest, rounding
