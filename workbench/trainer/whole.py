"""JᵀJ and Jᵀr of all training rows at once, from a whole Jacobian by any strategy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemv, dsyrk

from workbench.scopes import scope
from workbench.trainer import _blas
from workbench.trainer._run import TrainingProblem
from workbench.trainer.accepted import Accepted
from workbench.trainer.backprop import Backprop
from workbench.trainer.cost_model import Cost
from workbench.trainer.geodesic import SecondDerivative
from workbench.trainer.jacobian import Jacobian, flatten

Array = NDArray[np.float64]


class WholeRows:
    """A `normal.NormalSource` whose rows and Jacobian are in memory; `work` is what its guards state."""

    def __init__(self, problem: TrainingProblem, jacobian: Jacobian, tanh: str, work: Cost) -> None:
        self.residuals = problem.target.size
        self._problem = problem
        self._jacobian = jacobian
        self._accepted = Accepted(problem, tanh)
        self._second = SecondDerivative(problem.architecture, problem.x.shape[1])
        self._work = work
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
        with scope("compute jacobian", flops=self._work.jacobian_flops):
            if self._shared is not None:
                self._J = self._shared.after(self._accepted.forward, parameters)
            else:
                self._J = self._jacobian(parameters)
        with scope("forming normal equations", flops=self._work.matrix_flops):
            dsyrk(1.0, self._J, trans=1, lower=1, c=matrix, overwrite_c=1)
            # SciPy's product, and not NumPy's: see `_blas` on what two BLAS libraries do to each other.
            dgemv(1.0, self._J, flatten(self._accepted.residuals), trans=1, y=gradient, overwrite_y=1)

    def second_order(self, parameters: Array, velocity: Array) -> Array:
        """Return Jᵀr″ at the point last accumulated."""
        with _blas.one_thread():
            second = self._second(self._accepted.forward, parameters, velocity, self._problem.x)
        product: Array = dgemv(1.0, self._J, flatten(second), trans=1)
        return product
