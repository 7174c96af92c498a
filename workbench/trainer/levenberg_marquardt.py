"""Levenberg-Marquardt: one epoch is one Jacobian, and trials until a step is accepted.

A trial is accepted by the gain ratio ρ = actual / predicted reduction of the *training* objective: ρ > 0.
JᵀJ and Jᵀr are formed once per epoch; a rejected trial only changes the damping and factorises again. A
failed Cholesky, or an objective that is not finite, is a rejected trial. Facts and further reading: Marquardt
1963; Nielsen 1999; Transtrum & Sethna, arXiv 1201.5885.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import scope
from workbench.trainer._run import Counts, StepOutcome, TrainingProblem
from workbench.trainer.damping import Damping, damping_rule
from workbench.trainer.descent import NormalEquations, Step
from workbench.trainer.history import StopReason
from workbench.trainer.jacobian import Jacobian, flatten
from workbench.trainer.options import LevenbergMarquardt

Array = NDArray[np.float64]


class LevenbergMarquardtRun:
    """The state of one run: accepted parameters, their residuals, and the damping."""

    def __init__(
        self, options: LevenbergMarquardt, problem: TrainingProblem, parameters: Array, jacobian: Jacobian
    ) -> None:
        self._options = options
        self._problem = problem
        self._jacobian = jacobian
        self._rule = damping_rule(options.rule)
        self._damping = Damping(options.damping)
        self._equations = NormalEquations(parameters.size, options.l2)
        self.counts = Counts()
        self.parameters = parameters
        self._residuals, self._objective = self._evaluate(parameters)

    @property
    def best_parameters(self) -> Array:
        """The accepted parameters: the training objective never rises."""
        return self.parameters

    @property
    def train_mse(self) -> float:
        """The mean squared residual at the accepted parameters."""
        return float(np.vdot(self._residuals, self._residuals)) / self._residuals.size

    def step(self) -> StepOutcome:
        """Do one epoch; without an accepted trial it says why the run must end."""
        with scope("compute jacobian"):
            J = self._jacobian(self.parameters)
        self.counts = self.counts.plus(forward_passes=self._jacobian.forward_passes, jacobians=1)
        with scope("forming normal equations"):
            self._equations.form(J, flatten(self._residuals), self.parameters)
        norm = float(np.linalg.norm(self._equations.gradient))
        if not (self._equations.finite and math.isfinite(self._objective)):
            return self._outcome(0, norm, stop=StopReason.NOT_FINITE)
        if norm < self._options.min_gradient:
            return self._outcome(0, norm, stop=StopReason.GRADIENT_SMALL)
        return self._search(norm)

    def _search(self, gradient_norm: float) -> StepOutcome:
        """Try steps with rising damping until one is accepted or the damping is exhausted."""
        trials = 0
        while self._damping.value <= self._options.damping_max:
            trials += 1
            tried = self._damping.value
            with scope("solve"):
                step = self._equations.solve(tried)
            self.counts = self.counts.plus(factorisations=1)
            gain_ratio = None if step is None else self._try(step)
            if gain_ratio is not None:
                lowered = self._rule.accepted(self._damping, gain_ratio)
                self._damping = replace(lowered, value=max(lowered.value, self._options.damping_min))
                return self._outcome(trials, gradient_norm, tried, gain_ratio)
            self._damping = self._rule.rejected(self._damping)
        return self._outcome(trials, gradient_norm, stop=StopReason.DAMPING_EXHAUSTED)

    def _try(self, step: Step) -> float | None:
        """Accept the step and return its gain ratio, or return None and change nothing."""
        with scope("update weights"):
            candidate = self.parameters + step.delta
            residuals, objective = self._evaluate(candidate)
            gain_ratio = (self._objective - objective) / step.predicted_reduction
            if not (math.isfinite(gain_ratio) and gain_ratio > 0.0):
                return None
            self._residuals, self._objective = residuals, objective
            self.parameters = candidate
        return gain_ratio

    def _evaluate(self, parameters: Array) -> tuple[Array, float]:
        """Return the residuals, shape (outputs, rows), and the objective ½‖r‖² + ½·l2·‖w‖²."""
        residuals = self._problem.residuals(parameters, self._options.tanh)
        self.counts = self.counts.plus(forward_passes=1)
        penalty = self._options.l2 * float(np.dot(parameters, parameters))
        return residuals, 0.5 * (float(np.vdot(residuals, residuals)) + penalty)

    def _outcome(
        self,
        trials: int,
        gradient_norm: float,
        damping: float | None = None,
        gain_ratio: float | None = None,
        stop: StopReason | None = None,
    ) -> StepOutcome:
        used = self._damping.value if damping is None else damping
        return StepOutcome(self.train_mse, trials, gradient_norm, used, gain_ratio, stop)
