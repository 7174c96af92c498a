"""The descent: normal equations of the damped step, formed once per accepted point and solved per trial.

The objective is F(w) = ½‖r(w)‖² + ½·l2·‖w‖². With r(w + δ) ≈ r + Jδ its model is
F(w) + gᵀδ + ½ δᵀHδ, where H = JᵀJ + l2·I and g = Jᵀr + l2·w. The damped step solves (H + μI) δ = −g
(Levenberg 1944, Marquardt 1963). Since Hδ = −g − μδ, the model's reduction is ½ δᵀ(μδ − g).

BLAS uses as many threads here as it was given. Two help on an idle machine (7.5 instead of 11.3 ms an epoch
of the reference problem) and do harm on a busy one (84 instead of 23 ms), where each waits for the other:
set OPENBLAS_NUM_THREADS=1 to measure there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemv, dsyrk
from scipy.linalg.lapack import dpotrf, dpotrs

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """A step δ, shape (parameters,), and the reduction of the objective that the model predicts for it."""

    delta: Array
    predicted_reduction: float


class NormalEquations:
    """H and g at one point, in buffers that are used again for the next point."""

    def __init__(self, parameters: int, l2: float) -> None:
        self._l2 = l2
        self._hessian = np.zeros((parameters, parameters), order="F")  # only the lower triangle is used
        self._factor = np.empty((parameters, parameters), order="F")
        self._diagonal = np.empty(parameters)
        self.gradient = np.empty(parameters)

    def form(self, J: Array, residuals: Array, parameters: Array) -> None:
        """Form H and g from J, shape (rows, parameters) in Fortran order, and r, shape (rows,)."""
        self._hessian = dsyrk(1.0, J, trans=1, lower=1, c=self._hessian, overwrite_c=1)
        # SciPy's product, and not NumPy's: see `_blas` on what two BLAS libraries do to each other.
        self.gradient = dgemv(1.0, J, residuals, trans=1) + self._l2 * parameters
        self._diagonal[:] = np.diagonal(self._hessian)
        self._diagonal += self._l2

    @property
    def finite(self) -> bool:
        """Whether H and g hold finite values (an infinite or NaN entry of J shows on H's diagonal)."""
        return bool(np.isfinite(self.gradient).all() and np.isfinite(self._diagonal).all())

    def solve(self, damping: float) -> Step | None:
        """Return the damped step, or None where H + μI is not positive definite in floating point."""
        np.copyto(self._factor, self._hessian)
        np.einsum("ii->i", self._factor)[:] = self._diagonal + damping
        factor, failed = dpotrf(self._factor, lower=1, clean=0, overwrite_a=1)
        if failed:
            return None
        delta, failed = dpotrs(factor, -self.gradient, lower=1)
        if failed or not np.isfinite(delta).all():
            return None
        predicted = 0.5 * float(np.dot(delta, damping * delta - self.gradient))
        return Step(delta, predicted) if predicted > 0.0 else None
