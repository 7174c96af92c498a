"""The optimisers' options: frozen, and checked where they are made.

`tanh` names the kernel of the residuals (and of predictions), `jacobian_tanh` the one of whatever the
Jacobian evaluates; None means the same. `l2` weighs ½·l2·‖w‖² against ½‖r‖² summed over all training
residuals, in scaled units, for every optimiser alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer import checks, kernels
from workbench.trainer.damping import damping_rule
from workbench.trainer.jacobians.jacobian import check_jacobian_options, unscaled

SCALINGS = ("identity", "more")


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Levenberg-Marquardt on the training objective; steps in `system`, damping rules in `damping`.

    `jacobian` names a strategy of `jacobian`; "auto" lets `cost_model` choose, and the history says what and
    why. `scaling` is the diagonal that μ multiplies: "identity", or "more" for the largest curvature so far.
    With `geodesic` each step is corrected by its second order, with `bayesian` the penalty's weight follows from
    the data. `chunk_rows` are the rows whose Jacobian is in memory at once, for strategies
    that take rows in chunks.

    The fit ends with "damping exhausted" when μ must rise above `damping_max`, and with "gradient small" when
    the Euclidean norm of the objective's gradient is below `min_gradient`. μ never falls below `damping_min`:
    far under the rounding of JᵀJ it has no effect, and it would take many rejected trials to come back.
    """

    damping: float = 1e-3
    rule: str = "nielsen"
    scaling: str = "identity"
    geodesic: bool = True
    bayesian: bool = False
    jacobian: str = "auto"
    chunk_rows: int | None = None
    n_jobs: int = 1
    backend: str = "loky"
    step: float | None = None
    tanh: str = "exact"
    jacobian_tanh: str | None = None
    l2: float = 0.0
    damping_max: float = 1e10
    damping_min: float = 1e-15
    min_gradient: float = 1e-7

    def __post_init__(self) -> None:
        checks.real("damping", self.damping, above=0.0)
        checks.real("damping_min", self.damping_min, above=0.0)
        checks.real("damping_max", self.damping_max, above=0.0)
        if not self.damping_min <= self.damping <= self.damping_max:
            raise InvalidInputError(
                f"damping {self.damping:g} is not between damping_min {self.damping_min:g} and damping_max "
                f"{self.damping_max:g}: give a value between them"
            )
        damping_rule(self.rule)
        if self.scaling not in SCALINGS:
            raise unknown_name("scaling", str(self.scaling), SCALINGS)
        if self.scaling == "more" and self.jacobian == "dual":
            raise unscaled()
        if self.bayesian and self.l2:
            raise InvalidInputError(
                f"l2={self.l2:g} with bayesian=True: leave l2 out, its weight follows from the data"
            )
        kernels.kernel(self.tanh)
        check_jacobian_options(
            self.jacobian, self.kernel_of_jacobian, self.n_jobs, self.backend, self.step, self.chunk_rows
        )
        checks.real("l2", self.l2, at_least=0.0)
        checks.real("min_gradient", self.min_gradient, at_least=0.0)

    @property
    def kernel_of_jacobian(self) -> str:
        """The name of the kernel that the Jacobian evaluates."""
        return self.tanh if self.jacobian_tanh is None else self.jacobian_tanh


def _check_first_order(options: SGD | Adam) -> None:
    checks.real("learning_rate", options.learning_rate, above=0.0)
    checks.real("l2", options.l2, at_least=0.0)
    if options.clip_norm is not None:
        checks.real("clip_norm", options.clip_norm, above=0.0)
    if options.batch_size is not None:
        checks.whole("batch_size", options.batch_size)
    kernels.kernel(options.tanh)


@dataclass(frozen=True)
class SGD:
    """Gradient descent with momentum on the mean objective (the sum above, per training residual).

    `batch_size` rows a step, None for all; `clip_norm` bounds the gradient's Euclidean norm.
    """

    learning_rate: float = 0.05
    momentum: float = 0.9
    l2: float = 0.0
    clip_norm: float | None = None
    batch_size: int | None = None
    tanh: str = "exact"

    def __post_init__(self) -> None:
        _check_first_order(self)
        checks.fraction("momentum", self.momentum)


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) on the same objective as `SGD`, with the same options."""

    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.0
    clip_norm: float | None = None
    batch_size: int | None = None
    tanh: str = "exact"

    def __post_init__(self) -> None:
        _check_first_order(self)
        checks.fraction("beta1", self.beta1)
        checks.fraction("beta2", self.beta2)
        checks.real("epsilon", self.epsilon, above=0.0)


Optimizer = LevenbergMarquardt | SGD | Adam
