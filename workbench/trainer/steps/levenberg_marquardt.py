"""Levenberg-Marquardt: one epoch is one linearisation, and trials until a step is accepted.

A trial is accepted by the gain ratio ρ = actual / predicted reduction of the *training* objective: ρ > 0.
The linear system is formed once per epoch; a rejected trial only changes the damping and factorises again. A
failed Cholesky, or an objective that is not finite, is a rejected trial. Facts and further reading: Marquardt
1963; Nielsen 1999; Transtrum & Sethna, arXiv 1201.5885.

Geodesic acceleration corrects the step by its second order. With the damped step v as velocity, the acceleration is
a = −(H + μD)⁻¹ Jᵀr″, where r″ is the second derivative of the residuals along v (see `second_derivative`). The step is
v + ½a as long as ‖a‖ / ‖v‖ ≤ 0.75, and v alone beyond (eq. 18 and 22 there; they reject the step instead, which took
more trials on the reference problem). It costs one more solve with the same factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from workbench.scopes import scope
from workbench.trainer.arrays import Array
from workbench.trainer.damping import Damping, damping_rule
from workbench.trainer.fits import Counts, StepOutcome
from workbench.trainer.history import StopReason
from workbench.trainer.options import LevenbergMarquardt
from workbench.trainer.steps.bayesian import Evidence
from workbench.trainer.steps.system import Step, System

MAX_ACCELERATION = 0.75
"""The largest ‖a‖ / ‖v‖ with which the acceleration is used."""


@dataclass(frozen=True)
class LevenbergMarquardtState:
    """All that a run needs to resume with the same bits, besides its parameters and counts."""

    damping: float
    growth: float
    l2: float
    effective_parameters: float
    largest_curvature: Array
    formed: int
    """Systems formed so far."""


class LevenbergMarquardtRun:
    """The state of one run: accepted parameters, their objective, and the damping."""

    def __init__(
        self,
        options: LevenbergMarquardt,
        system: System,
        parameters: Array,
        resumed: LevenbergMarquardtState | None = None,
    ) -> None:
        self._options = options
        self._system = system
        self._rule = damping_rule(options.rule)
        self._evidence = Evidence(parameters.size)
        self._damping = Damping(options.damping)
        # Moré's scale: the largest curvature seen so far of each parameter, 1 where there was none
        # (J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978, section 6).
        self._largest = np.zeros(parameters.size)
        self._scale: Array | None = None
        self._formed = 0
        self.counts = Counts()
        self.parameters = parameters
        if resumed is not None:
            self._resume(resumed)
        self._squares = self._evaluate(parameters)

    @property
    def state(self) -> LevenbergMarquardtState:
        """The state that `resumed` takes."""
        return LevenbergMarquardtState(
            self._damping.value,
            self._damping.growth,
            self._system.l2,
            self._evidence.effective_parameters,
            self._largest,
            self._formed,
        )

    def _resume(self, state: LevenbergMarquardtState) -> None:
        self._damping = Damping(state.damping, state.growth)
        self._largest, self._formed = state.largest_curvature, state.formed
        self._system.l2 = state.l2
        self._evidence.effective_parameters = state.effective_parameters

    @property
    def best_parameters(self) -> Array:
        """The accepted parameters: the training objective never rises."""
        return self.parameters

    @property
    def train_mse(self) -> float:
        """The mean squared residual at the accepted parameters."""
        return self._squares / self._system.residuals

    def step(self) -> StepOutcome:
        """Do one epoch; without an accepted trial it says why the run must end."""
        self._system.form(self.parameters)
        self.counts = self.counts.plus(forward_passes=self._system.jacobian_passes, jacobians=1)
        if self._options.bayesian and self._system.finite:
            with scope("evidence"):
                self._weigh()
        if self._options.scaling == "more":
            self._largest = np.maximum(self._largest, self._system.curvature)
            self._scale = np.where(self._largest > 0.0, self._largest, 1.0)
        self._formed += 1
        with scope("check gradient"):
            norm = float(np.linalg.norm(self._system.gradient))
            finite = self._system.finite and math.isfinite(self._squares)
        if not finite:
            return self._outcome(0, norm, stop=StopReason.NOT_FINITE)
        if norm < self._options.min_gradient:
            return self._outcome(0, norm, stop=StopReason.GRADIENT_SMALL)
        return self._search(norm)

    def _weigh(self) -> None:
        first = self._formed == 0
        l2 = self._evidence.weight(self._system, self._squares, self.parameters, first=first)
        self.counts = self.counts.plus(factorisations=0 if first else 1)
        self._system.weigh(l2)

    def _search(self, gradient_norm: float) -> StepOutcome:
        """Try steps with rising damping until one is accepted or the damping is exhausted."""
        trials, tried = 0, self._damping.value
        while self._damping.value <= self._options.damping_max:
            trials += 1
            tried = self._damping.value
            step = self._system.solve(tried, self._scale)
            self.counts = self.counts.plus(factorisations=1)
            gain_ratio = None if step is None else self._try(step)
            if gain_ratio is not None:
                lowered = self._rule.accepted(self._damping, gain_ratio)
                self._damping = replace(lowered, value=max(lowered.value, self._options.damping_min))
                return self._outcome(trials, gradient_norm, tried, gain_ratio)
            self._damping = self._rule.rejected(self._damping)
        return self._outcome(trials, gradient_norm, tried, stop=StopReason.DAMPING_EXHAUSTED)

    def _try(self, step: Step) -> float | None:
        """Accept the step and return its gain ratio, or return None and change nothing."""
        delta = step.delta
        if self._options.geodesic:
            with scope("acceleration"):
                delta = corrected(delta, self._system.accelerate(delta))
        with scope("update weights"):
            candidate = self.parameters + delta
            squares = self._evaluate(candidate)
            reduction = self._objective(self.parameters, self._squares) - self._objective(candidate, squares)
            gain_ratio = reduction / step.predicted_reduction
            if not (math.isfinite(gain_ratio) and gain_ratio > 0.0):
                return None
            self._squares = squares
            self.parameters = candidate
        return gain_ratio

    def _evaluate(self, parameters: Array) -> float:
        """Return ‖r‖²."""
        self.counts = self.counts.plus(forward_passes=1)
        return self._system.evaluate(parameters)

    def _objective(self, parameters: Array, squares: float) -> float:
        """Return ½‖r‖² + ½·l2·‖w‖²."""
        return 0.5 * (squares + self._system.l2 * float(np.dot(parameters, parameters)))

    def _outcome(
        self,
        trials: int,
        gradient_norm: float,
        damping: float | None = None,
        gain_ratio: float | None = None,
        stop: StopReason | None = None,
    ) -> StepOutcome:
        used = self._damping.value if damping is None else damping
        effective = self._evidence.effective_parameters if self._options.bayesian else None
        return StepOutcome(self.train_mse, trials, gradient_norm, used, gain_ratio, effective, stop)


def corrected(velocity: Array, acceleration: Array) -> Array:
    """Return v + ½a, or v where the acceleration is too large to be trusted or not finite."""
    if not np.linalg.norm(acceleration) <= MAX_ACCELERATION * np.linalg.norm(velocity):
        return velocity
    step: Array = velocity + 0.5 * acceleration
    return step
