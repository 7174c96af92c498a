"""Bayesian regularisation: how strong the penalty is to be follows from the data (Foresee & Hagan 1997).

MacKay's evidence for β·‖r‖² + α·‖w‖² is largest at α = γ / (2‖w‖²) and β = (n − γ) / (2‖r‖²), for n residuals
and γ = P − 2α·tr(2βJᵀJ + 2αI)⁻¹, the effective number of parameters. Only the ratio matters to the step: with
l2 = α/β the objective is ½‖r‖² + ½·l2·‖w‖², and γ = P − l2·tr(JᵀJ + l2·I)⁻¹. It is estimated anew wherever the
Jacobian is.
"""

from __future__ import annotations

import numpy as np

from workbench.trainer.arrays import Array
from workbench.trainer.steps.system import System

_LEAST = 1e-9
"""Of the parameters, or of the residuals: γ stays so far from none and from all of them."""
_SMALLEST = np.finfo(np.float64).tiny


class Evidence:
    """The penalty of a run that follows the data, and γ as last estimated."""

    def __init__(self, parameters: int) -> None:
        self.effective_parameters = float(parameters)

    def weight(self, system: System, squares: float, parameters: Array, *, first: bool) -> float:
        """Return l2 for the point that the system was formed at; `squares` is ‖r‖² there.

        At the first point γ is all parameters, as nothing is known yet.
        """
        residuals = system.residuals
        if not first:
            # Far from what the data say γ is a difference of nearly equal numbers: rounding must not turn its sign.
            most = float(min(parameters.size, residuals)) * (1.0 - _LEAST)
            self.effective_parameters = min(max(system.effective_parameters(), _LEAST * most), most)
        gamma = self.effective_parameters
        alpha = gamma / max(float(np.dot(parameters, parameters)), _SMALLEST)
        # More parameters than residuals at the first point: β is 1/2, as in MATLAB's trainbr.
        beta = (residuals - gamma) / max(squares, _SMALLEST) if residuals > gamma else 1.0
        return alpha / beta
