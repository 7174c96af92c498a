"""What a larger budget would add to an experiment: from its plan, and from how long its rounds took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.results.results import Results
from workbench.bench.run.plan import for_budget
from workbench.report.bench.rows import round_seconds
from workbench.text import as_duration, as_rounds, printable

LARGER = {"1h": 3_600.0, "4h": 4 * 3_600.0, "12h": 12 * 3_600.0, "48h": 48 * 3_600.0}
"""Budgets that are offered, as `--budget` takes them: the first that holds twice the rounds and more."""
_TWICE = 2


@dataclass(frozen=True)
class Larger:
    """What a larger budget would give."""

    budget: str
    rounds: int
    narrower: float
    """How many times narrower the intervals would be, by the square root of the rounds."""


@dataclass(frozen=True)
class Budget:
    """What an experiment's budget gave, and what a larger one would."""

    measured: str
    """How many rounds there are, in what time."""
    why: str
    """The plan's reason for their number."""
    cut: int
    """Rounds that were planned, where fewer are complete; else 0."""
    fixed: str
    """What held their number down besides the budget, if anything: an option."""
    larger: Larger | None


def budget_of(analysis: Analysis) -> Budget | None:
    """Return what a larger budget would add; None where the runs do not say how long its rounds took."""
    results = analysis.results
    took = round_seconds(results)
    if not took:
        return None
    runs, planned = len(results.head.runs), results.planned
    return Budget(
        measured=f"{as_rounds(analysis.rounds)} in {as_duration(sum(took))}",
        why=printable(results.plan.why) if results.plan is not None and planned else "",
        cut=planned if planned > analysis.rounds else 0,
        fixed=_fixed(results, runs, took[0], planned),
        larger=_larger(analysis.rounds, runs, fmean(took)),
    )


def _larger(rounds: int, runs: int, round_s: float) -> Larger | None:
    for budget, seconds in LARGER.items():
        would = for_budget(runs, seconds, round_s)[0]
        if would * round_s <= seconds and would >= _TWICE * rounds:
            return Larger(budget, _about(would), math.sqrt(would / rounds))
    return None


def _about(count: int) -> int:
    """Return a number with two digits that count, and not above what it was."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return count // unit * unit


def _fixed(results: Results, runs: int, first_s: float, planned: int) -> str:
    """Return the option that fixed the number of rounds where the budget did not."""
    head = results.head
    if head.rounds is not None:
        return "--rounds"
    budget = head.budget_s
    if head.precision is None or budget is None:
        return ""
    # Where as many rounds were planned as the budget holds, it is the budget that a precision waits for.
    if planned >= for_budget(runs, float(budget), first_s)[0]:
        return ""
    return "--fail-slower" if head.sides else "--precision"
