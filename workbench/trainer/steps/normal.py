"""The normal equations: JᵀJ in one buffer, and a factor for every trial.

JᵀJ and Jᵀr come from a source: all rows at once by any Jacobian strategy (`WholeRows`), or sums over chunks of rows
(`rows.chunked`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.linalg.blas import dgemv

from workbench.scopes import scope
from workbench.trainer.arrays import Array
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.backprop import Backprop
from workbench.trainer.jacobians.cost_model import StepCost
from workbench.trainer.jacobians.jacobian import Jacobian, flatten
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.steps.factor import ShiftedCholesky
from workbench.trainer.steps.system import AcceptedPoint, Step, System
from workbench.trainer.workers import blas
from workbench.trainer.workers.thread_pool import BlasThreadPool


class NormalSource(Protocol):
    """A source of JᵀJ and Jᵀr: all rows at once, in chunks, or in other processes."""

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


class NormalSystem(System):
    """JᵀJ, Jᵀr and their solutions; the methods are described in `system.System`."""

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


class WholeRows:
    """A `NormalSource` whose rows and Jacobian are in memory; its scopes state the operations of `work`."""

    def __init__(
        self, problem: TrainingProblem, jacobian: Jacobian, tanh: str, work: StepCost, pool: BlasThreadPool
    ) -> None:
        self.residuals = problem.target.size
        self._problem = problem
        self._jacobian = jacobian
        self._accepted = AcceptedPoint(problem, tanh)
        self._second = SecondDerivative(problem.architecture, problem.x.shape[1])
        self._work = work
        self._pool = pool
        self._J = np.empty((0, 0))
        # The forward pass of the accepted trial serves the Jacobian too, where both have one kernel.
        self._shared = jacobian if isinstance(jacobian, Backprop) and jacobian.tanh == tanh else None
        self.forward_passes = 0 if self._shared is not None else jacobian.forward_passes

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""
        return self._accepted.evaluate(parameters)

    def accumulate(self, parameters: Array, matrix: Array, gradient: Array) -> None:
        """Write JᵀJ and Jᵀr."""
        self._accepted.accept(parameters)
        with scope("compute jacobian", flops=self._work.jacobian_flops, bytes=self._work.jacobian_bytes):
            if self._shared is not None:
                self._J = self._shared.after(self._accepted.forward, parameters)
            else:
                self._J = self._jacobian(parameters)
        with scope("forming normal equations", flops=self._work.matrix_flops, bytes=self._work.matrix_bytes):
            self._pool.gram(self._J, matrix)
            gradient[...] = self._times_transposed(self._accepted.residuals)

    def second_order(self, parameters: Array, velocity: Array) -> Array:
        """Return Jᵀr″ at the point last accumulated."""
        with blas.one_thread():
            second = self._second(self._accepted.forward, parameters, velocity, self._problem.x)
            return self._times_transposed(second)

    def _times_transposed(self, values: Array) -> Array:
        """Return Jᵀ·values, shape (parameters,); values have shape (outputs, rows)."""
        if self._shared is not None:
            return self._shared.times_transposed(values)
        product: Array = dgemv(1.0, self._J, flatten(values), trans=1)
        return product
