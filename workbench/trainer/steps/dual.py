"""The damped step from n residuals instead of P parameters, where n is smaller; J is never formed.

With K = JJᵀ, σ = l2 + μ and any v, (JᵀJ + σI)⁻¹Jᵀv = Jᵀ(K + σI)⁻¹v, and (JᵀJ + σI)⁻¹w = (w − Jᵀ(K + σI)⁻¹Jw)/σ.
So the step δ = −(JᵀJ + σI)⁻¹(Jᵀr + l2·w) is −Jᵀu − (l2/σ)·w with u = (K + σI)⁻¹(r − (l2/σ)·Jw).

K follows from the layers alone. Entry (s, t) of layer l's part is the product of two scalar products: that of
the layer's inputs ã (with a 1 for the bias) at s and t, and that of the sensitivities Δ, see `backprop`; for each
parameter's column of J is one of ã times one of Δ. Hence K = Σ_l (ÃᵀÃ) ∘ (ΔᵀΔ), a Hadamard product.

μ must weigh all parameters alike: with Moré's scaling D, K would be J(l2·I + μD)⁻¹Jᵀ, another at each trial, and
the identity would not hold.
"""

from __future__ import annotations

import numpy as np

from workbench.errors import InvalidInputError
from workbench.scopes import scope
from workbench.trainer.arrays import Array, aligned
from workbench.trainer.fits import TrainingProblem
from workbench.trainer.jacobians.backprop import Sensitivities, derivative_along, loss_gradient
from workbench.trainer.jacobians.cost_model import MAX_RESIDUALS, cost
from workbench.trainer.jacobians.jacobian import flatten, unscaled
from workbench.trainer.jacobians.second_derivative import SecondDerivative
from workbench.trainer.network.forward import ForwardPass
from workbench.trainer.steps.factor import ShiftedCholesky
from workbench.trainer.steps.system import AcceptedPoint, Step, System
from workbench.trainer.workers import blas
from workbench.trainer.workers.thread_pool import BlasThreadPool

PANEL = 64
"""Columns of K made at once."""


class DualSystem(System):
    """K = JJᵀ and its solutions; the methods are described in `system.System`.

    `tanh` is the kernel of the residuals, `jacobian_tanh` that of J.

    Raises:
        InvalidInputError: more residuals than K can reasonably be formed for.
    """

    def __init__(
        self,
        problem: TrainingProblem,
        tanh: str,
        jacobian_tanh: str,
        l2: float,
        pool: BlasThreadPool | None = None,
    ) -> None:
        self.residuals = problem.target.size
        if self.residuals > MAX_RESIDUALS:
            raise InvalidInputError(
                f"jacobian='dual' with {self.residuals} residuals: its matrix is {self.residuals} squared, and "
                f"{MAX_RESIDUALS} is the most; choose jacobian='auto'"
            )
        self.jacobian_passes = 1
        super().__init__(ShiftedCholesky(self.residuals, pool), problem.architecture.parameters, l2)
        self._problem = problem
        self._accepted = AcceptedPoint(problem, tanh)
        own_pass = jacobian_tanh != tanh
        self._own = ForwardPass(problem.architecture, problem.x.shape[1], jacobian_tanh) if own_pass else None
        self._sensitivities = Sensitivities(problem.architecture, problem.x.shape[1])
        self._work = cost(problem.architecture, problem.x.shape[1], "dual")
        self._second = SecondDerivative(problem.architecture, problem.x.shape[1])

    def evaluate(self, parameters: Array) -> float:
        """Return ‖r‖² at `parameters`."""
        return self._accepted.evaluate(parameters)

    def form(self, parameters: Array) -> None:
        """Linearise at `parameters`."""
        architecture, x = self._problem.architecture, self._problem.x
        self._at = parameters
        self._accepted.accept(parameters)
        with blas.one_thread():
            with scope("compute jacobian"):
                if self._own is not None:
                    self._own(architecture.layer_views(parameters), x)
                with scope("backward"):
                    self._sensitivities(architecture, parameters, self._forward, x)
            with scope("forming dual matrix", flops=self._work.matrix_flops, bytes=self._work.matrix_bytes):
                self._form_matrix()
        self._of_data = self._transposed_times(self._accepted.residuals)
        self.weigh(self.l2)

    @property
    def curvature(self) -> Array:
        """Not to be had: scaling by it is what the dual cannot do."""
        raise unscaled()

    def solve(self, damping: float, scale: Array | None) -> Step | None:
        """Return the damped step, or None where K + σI is not positive definite in floating point."""
        if scale is not None:
            raise unscaled()
        with scope("solve", flops=self._gram.flops, bytes=self._gram.bytes):
            return self._solve(damping)

    def _solve(self, damping: float) -> Step | None:
        shift = self.l2 + damping
        if not self._gram.factorise(shift):
            return None
        right = self._accepted.residuals
        if self.l2:
            right = right - (self.l2 / shift) * self._times(self._at)
        delta = -self._transposed_solution(right)
        if self.l2:
            delta -= (self.l2 / shift) * self._at
        if not np.isfinite(delta).all():
            return None
        predicted = 0.5 * float(np.dot(delta, damping * delta - self.gradient))
        return Step(delta, predicted) if predicted > 0.0 else None

    def accelerate(self, velocity: Array) -> Array:
        """Return the geodesic acceleration of the step just solved."""
        with scope("second order"), blas.one_thread():
            second = self._second(self._accepted.forward, self._at, velocity, self._problem.x)
        return -self._transposed_solution(second)

    def effective_parameters(self) -> float:
        """Return γ = P − l2·tr H⁻¹ = n − l2·tr (K + l2·I)⁻¹ at the point last formed."""
        if not self._gram.factorise(self.l2):
            return float(min(self._gram.size, self.gradient.size))
        return self._gram.size - self.l2 * self._gram.trace_of_inverse()

    @property
    def _forward(self) -> ForwardPass:
        """The forward pass, at the point last formed, that J is the derivative of."""
        return self._accepted.forward if self._own is None else self._own

    def _form_matrix(self) -> None:
        """Write K's lower triangle, panel after panel, so that what a panel needs stays in cache."""
        size = self.residuals
        rows_of_lower = self._gram.matrix.T  # row s holds K[s:, s]
        products, others = aligned(PANEL * size), aligned(PANEL * size)
        layers = list(zip(self._sensitivities.inputs, self._sensitivities.deltas, strict=True))
        for start in range(0, size, PANEL):
            stop = min(start + PANEL, size)
            shape = (stop - start, size - start)
            panel = rows_of_lower[start:stop, start:]
            product = products[: shape[0] * shape[1]].reshape(shape)
            other = others[: shape[0] * shape[1]].reshape(shape)
            for index, (inputs, delta) in enumerate(layers):
                np.dot(inputs[:, start:stop].T, inputs[:, start:], out=product)
                product += 1.0
                np.dot(delta[:, start:stop].T, delta[:, start:], out=other)
                np.multiply(product, other, out=product if index else panel)
                if index:
                    panel += product

    def _transposed_solution(self, right: Array) -> Array:
        """Return Jᵀ(K + σI)⁻¹·right, shape (parameters,), by the last factor; right has shape (outputs, rows)."""
        solution = self._gram.solve(flatten(right))
        return self._transposed_times(solution.reshape(right.shape[::-1]).T)

    def _transposed_times(self, seed: Array) -> Array:
        """Return Jᵀ·seed, shape (parameters,); seed has shape (outputs, rows)."""
        with blas.one_thread():
            return loss_gradient(self._forward, self._problem.architecture, self._at, self._problem.x, seed)

    def _times(self, direction: Array) -> Array:
        """Return J·direction, shape (outputs, rows)."""
        with blas.one_thread():
            return derivative_along(
                self._forward, self._problem.architecture, self._at, direction, self._problem.x
            )
