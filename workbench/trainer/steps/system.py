"""The linear system of the damped step, in any form.

The objective is F(w) = ½‖r(w)‖² + ½·l2·‖w‖². With r(w + δ) ≈ r + Jδ its model is F(w) + gᵀδ + ½ δᵀHδ, where
H = JᵀJ + l2·I and g = Jᵀr + l2·w. The damped step solves (H + μD) δ = −g (Levenberg 1944, Marquardt 1963).
Since Hδ = −g − μDδ, the model's reduction is ½ δᵀ(μDδ − g).

A `System` is either the normal equations of P parameters (`normal`) or, where there are fewer residuals than
parameters, their dual (`dual`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from workbench.trainer.arrays import Array, aligned, unbuffered
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.steps.factor import ShiftedCholesky
from workbench.trainer.workers import blas


@dataclass(frozen=True)
class Step:
    """A step δ, shape (parameters,), and the reduction of the objective that the model predicts for it."""

    delta: Array
    predicted_reduction: float


class System(ABC):
    """The objective at trial points, and its linear system at accepted ones."""

    residuals: int
    """Rows · outputs: the number of squares in the sum."""
    jacobian_passes: int
    """Forward passes over all rows that `form` makes."""

    def __init__(self, gram: ShiftedCholesky, parameters: int, l2: float) -> None:
        self.l2 = l2
        """The weight of ½‖w‖²; may be changed between two `form`."""
        self.gradient = np.empty(parameters)
        """g at the point last formed, shape (parameters,)."""
        self._gram = gram
        self._of_data = np.empty(parameters)
        self._at = self.gradient

    @abstractmethod
    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""

    @abstractmethod
    def form(self, parameters: Array) -> None:
        """Linearise at `parameters`; they are not to be written to until the next `form`.

        Opens the scopes "compute jacobian" and "forming …", with their operations.
        """

    def weigh(self, l2: float) -> None:
        """Change l2 at the point last formed: the gradient follows."""
        self.l2 = l2
        np.multiply(self._at, l2, out=self.gradient)
        self.gradient += self._of_data

    @property
    def finite(self) -> bool:
        """Whether matrix and g are finite (an infinite or NaN entry of J shows on the matrix's diagonal)."""
        return bool(np.isfinite(self.gradient).all() and np.isfinite(self._gram.diagonal).all())

    @property
    @abstractmethod
    def curvature(self) -> Array:
        """The diagonal of JᵀJ, shape (parameters,), for Moré's scaling."""

    @abstractmethod
    def solve(self, damping: float, scale: Array | None) -> Step | None:
        """Return the damped step, or None where the matrix is not positive definite in floating point.

        `scale` is the diagonal of D, shape (parameters,), or None for the identity. Opens the scope "solve".
        """

    @abstractmethod
    def accelerate(self, velocity: Array) -> Array:
        """Return the geodesic acceleration a = −(H + μD)⁻¹ Jᵀr″ of the step just solved; see `levenberg_marquardt`."""

    @abstractmethod
    def effective_parameters(self) -> float:
        """Return γ = P − l2 · tr H⁻¹ at the point last formed; needs l2 > 0. See `bayesian`."""


class AcceptedPoint:
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
        with blas.one_thread():
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
