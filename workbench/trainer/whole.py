"""JᵀJ and Jᵀr of all training rows at once, from a whole Jacobian by any strategy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemv, dsyrk

from workbench.scopes import scope
from workbench.trainer._run import TrainingProblem
from workbench.trainer.geodesic import second_order
from workbench.trainer.jacobian import Jacobian, flatten

Array = NDArray[np.float64]


class WholeRows:
    """A `normal.NormalSource` whose rows and Jacobian are in memory."""

    def __init__(self, problem: TrainingProblem, jacobian: Jacobian, tanh: str) -> None:
        self.residuals = problem.target.size
        self.forward_passes = jacobian.forward_passes
        self._problem = problem
        self._jacobian = jacobian
        self._tanh = tanh
        self._values = problem.target
        self._evaluated: Array | None = None

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`; the residuals are kept, for the point is often accepted."""
        self._values = self._problem.residuals(parameters, self._tanh)
        self._evaluated = parameters
        return float(np.vdot(self._values, self._values))

    def accumulate(self, parameters: Array, matrix: Array, gradient: Array) -> None:
        """Write JᵀJ and Jᵀr."""
        if self._evaluated is not parameters:
            self.evaluate(parameters)
        with scope("compute jacobian"):
            J = self._jacobian(parameters)
        with scope("forming normal equations"):
            dsyrk(1.0, J, trans=1, lower=1, c=matrix, overwrite_c=1)
            # SciPy's product, and not NumPy's: see `_blas` on what two BLAS libraries do to each other.
            dgemv(1.0, J, flatten(self._values), trans=1, y=gradient, overwrite_y=1)

    def second_order(self, parameters: Array, velocity: Array) -> Array:
        """Return Jᵀr″."""
        return second_order(self._problem.architecture, parameters, velocity, self._problem.x, self._tanh)
