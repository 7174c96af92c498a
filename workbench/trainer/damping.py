"""The search: how the damping μ follows from accepted and rejected steps. The damped step is in `system`.

* `marquardt` (Marquardt 1963, with the factors of MATLAB's trainlm): μ/10 when accepted, 10·μ when rejected.
* `delayed` (Transtrum & Sethna, arXiv 1201.5885, section 5.2): μ/5 when accepted, 2·μ when rejected. It falls
  slower than it would have to, so that the path does not run into a narrow canyon too early.
* `nielsen` (H. B. Nielsen, Damping Parameter in Marquardt's Method, IMM-REP-1999-05): accepted:
  μ · max(1/3, 1 − (2ρ − 1)³) and ν = 2; rejected: μ·ν, and ν doubles. ρ is the gain ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.errors import unknown_name


@dataclass(frozen=True)
class Damping:
    """The damping μ, and Nielsen's growth factor ν (which `marquardt` carries along unused)."""

    value: float
    growth: float = 2.0


@dataclass(frozen=True)
class DampingRule:
    """What becomes of the damping after a step: `accepted(damping, gain_ratio)`, `rejected(damping)`."""

    accepted: Callable[[Damping, float], Damping]
    rejected: Callable[[Damping], Damping]


def _nielsen_accepted(damping: Damping, gain_ratio: float) -> Damping:
    # ρ is bounded first: far above 1 the cube says nothing more, and it must not overflow.
    cube = (2.0 * min(gain_ratio, 2.0) - 1.0) ** 3
    return Damping(damping.value * max(1.0 / 3.0, 1.0 - cube), 2.0)


_RULES = {
    "marquardt": DampingRule(
        accepted=lambda damping, _gain_ratio: Damping(damping.value * 0.1),
        rejected=lambda damping: Damping(damping.value * 10.0),
    ),
    "delayed": DampingRule(
        accepted=lambda damping, _gain_ratio: Damping(damping.value / 5.0),
        rejected=lambda damping: Damping(damping.value * 2.0),
    ),
    "nielsen": DampingRule(
        accepted=_nielsen_accepted,
        rejected=lambda damping: Damping(damping.value * damping.growth, damping.growth * 2.0),
    ),
}
NAMES = tuple(_RULES)


def damping_rule(name: str) -> DampingRule:
    """Return the rule of that name, or raise InvalidInputError with the nearest one."""
    if name not in _RULES:
        raise unknown_name("damping rule", str(name), _RULES)
    return _RULES[name]
