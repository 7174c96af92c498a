"""JᵀJ and Jᵀr of all training rows at once, from a whole Jacobian by any strategy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemv

from workbench.scopes import scope
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.backprop import Backprop
from workbench.trainer.jacobians.cost_model import StepCost
from workbench.trainer.jacobians.jacobian import Jacobian, flatten
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.steps.system import Accepted
from workbench.trainer.workers import blas
from workbench.trainer.workers.thread_pool import BlasThreadPool

Array = NDArray[np.float64]


class WholeRows:
    """A `normal.NormalSource` whose rows and Jacobian are in memory; `work` is what its scopes state."""

    def __init__(
        self, problem: TrainingProblem, jacobian: Jacobian, tanh: str, work: StepCost, pool: BlasThreadPool
    ) -> None:
        self.residuals = problem.target.size
        self._problem = problem
        self._jacobian = jacobian
        self._accepted = Accepted(problem, tanh)
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
