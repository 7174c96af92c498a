"""The normal equations: JᵀJ in one buffer, formed at once or summed over chunks of rows; a factor for every trial."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer.steps.factor import ShiftedCholesky
from workbench.trainer.steps.system import Formed, Step
from workbench.trainer.workers.thread_pool import BlasThreadPool

Array = NDArray[np.float64]


class NormalSource(Protocol):
    """Where JᵀJ and Jᵀr come from: all rows at once, in chunks, or from other processes."""

    residuals: int
    forward_passes: int
    """Forward passes over all rows that `accumulate` makes."""

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""
        ...

    def accumulate(self, parameters: Array, matrix: Array, gradient: Array) -> None:
        """Write JᵀJ into the lower triangle of `matrix` (Fortran order) and Jᵀr into `gradient`.

        Opens the scopes "compute jacobian" and "forming normal equations" around its parts.
        """
        ...

    def second_order(self, parameters: Array, velocity: Array) -> Array:
        """Return Jᵀr″, r″ being the second derivative of r along `velocity`; shape (parameters,)."""
        ...


class NormalSystem(Formed):
    """JᵀJ, Jᵀr and their solutions; what each method does is told in `system.System`."""

    def __init__(
        self, source: NormalSource, parameters: int, l2: float, pool: BlasThreadPool | None = None
    ) -> None:
        super().__init__(ShiftedCholesky(parameters, pool), parameters, l2)
        self.residuals = source.residuals
        self.jacobian_passes = source.forward_passes
        self._source = source

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""
        return self._source.evaluate(parameters)

    def form(self, parameters: Array) -> None:
        """Linearise at `parameters`."""
        self._source.accumulate(parameters, self._gram.matrix, self._of_data)
        self._at = parameters
        self.weigh(self.l2)

    @property
    def curvature(self) -> Array:
        """The diagonal of JᵀJ, shape (parameters,)."""
        return self._gram.diagonal

    def solve(self, damping: float, scale: Array | None) -> Step | None:
        """Return the damped step, or None where H + μD is not positive definite in floating point."""
        with scope("solve", flops=self._gram.flops, bytes=self._gram.bytes):
            return self._solve(damping if scale is None else damping * scale)

    def _solve(self, damped: float | Array) -> Step | None:
        if not self._gram.factorise(self.l2 + damped, self.gradient):
            return None
        delta = -self._gram.solution()
        if not np.isfinite(delta).all():
            return None
        predicted = 0.5 * float(np.dot(delta, damped * delta - self.gradient))
        return Step(delta, predicted) if predicted > 0.0 else None

    def accelerate(self, velocity: Array) -> Array:
        """Return the geodesic acceleration of the step just solved."""
        with scope("second order"):
            right = self._source.second_order(self._at, velocity)
        return -self._gram.solve(right)

    def effective_parameters(self) -> float:
        """Return γ at the point last formed."""
        if not self._gram.factorise(self.l2):
            return float(self._gram.size)
        return self._gram.size - self.l2 * self._gram.trace_of_inverse()
