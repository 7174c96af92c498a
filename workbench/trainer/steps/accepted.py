"""The residuals at trial points, and the forward pass of the accepted one.

A point is evaluated as a trial first and linearised only when it was accepted, so its forward pass is at hand
already. Two passes are kept, one for trials and one for the accepted point, and they change places when a trial
is accepted: what later trials write leaves the accepted one alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.trainer._arrays import aligned, unbuffered
from workbench.trainer._run import TrainingProblem
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.workers import _blas

Array = NDArray[np.float64]


class Accepted:
    """Evaluates trial points, and keeps the accepted one; parameters are never written to once given here."""

    def __init__(self, problem: TrainingProblem, tanh: str) -> None:
        rows = problem.x.shape[1]
        self._problem = problem
        self._trial = ForwardPass(problem.architecture, rows, tanh)
        self._trial_residuals = aligned(*problem.target.shape)
        self._tried: Array | None = None
        self._at: Array | None = None
        self.forward = ForwardPass(problem.architecture, rows, tanh)
        """The pass at the accepted point."""
        self.residuals = aligned(*problem.target.shape)
        """Prediction − target there, shape (outputs, rows)."""

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at a trial point."""
        self._tried = None
        with _blas.one_thread():
            with unbuffered():
                outputs = self._trial(self._problem.architecture.layer_views(parameters), self._problem.x)
                np.subtract(outputs, self._problem.target, out=self._trial_residuals)
            squares = float(np.vdot(self._trial_residuals, self._trial_residuals))
        self._tried = parameters
        return squares

    def accept(self, parameters: Array) -> None:
        """Make this the accepted point; it is evaluated unless it was the last trial."""
        if self._at is parameters:
            return
        if self._tried is not parameters:
            self.evaluate(parameters)
        self.forward, self._trial = self._trial, self.forward
        self.residuals, self._trial_residuals = self._trial_residuals, self.residuals
        self._at, self._tried = parameters, None
