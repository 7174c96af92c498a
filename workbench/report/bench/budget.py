"""What a larger budget would add to a run: from its plan, and from how long its rounds took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.results.results import Results
from workbench.bench.run.plan import for_budget, square_rounds
from workbench.report.bench.rows import round_seconds
from workbench.text import as_duration, as_rounds, printable, rounded_up

MIN_STARTS = 25
"""Rounds from which on success rates and distributions say something: each round is one start."""
LARGER = (3_600.0, 4 * 3_600.0, 12 * 3_600.0, 48 * 3_600.0)
"""Budgets that are offered: the first that holds twice the rounds and more."""
_TWICE = 2
_LATE = 1.1
"""A first round that took so many times the mean is worth naming: it is what a plan goes by."""


@dataclass(frozen=True)
class Larger:
    """What a larger budget would give."""

    budget: str
    """As `--budget` takes it."""
    rounds: int
    narrower: float
    """How many times narrower the intervals would be, by the square root of the rounds."""


@dataclass(frozen=True)
class Budget:
    """What a run's budget gave, and what a larger one would."""

    measured: str
    """How many rounds there are, in what time."""
    why: str
    """The plan's reason for their number."""
    rounds: int
    cut: int
    """Rounds that were planned, where fewer are complete; else 0."""
    fixed: str
    """What held their number down besides the budget, if anything: an option."""
    has_starts: bool
    """Whether there is anything that differs by start: an error, or targets."""
    larger: Larger | None
    starts: Larger | None
    """What gives enough starts for distributions; None where there are enough."""
    first: str
    """How long the first round took, where that is well above the mean."""


def budget_of(analysis: Analysis) -> Budget | None:
    """Return what a larger budget would add; None where the run does not say how long its rounds took."""
    results = analysis.results
    took = round_seconds(results)
    if not took:
        return None
    runs, mean = len(results.head.runs), fmean(took)
    slow = max(mean, took[0])
    planned = int(results.plan.rounds) if results.plan is not None else 0
    return Budget(
        measured=f"{as_rounds(analysis.rounds)} in {as_duration(sum(took))}, {_squares(analysis.rounds, runs)}",
        why=printable(str(results.plan.why)) if results.plan is not None and planned else "",
        rounds=analysis.rounds,
        cut=planned if planned > analysis.rounds else 0,
        fixed=_fixed(results, runs, took[0], planned),
        has_starts=results.quality is not None or bool(results.head.targets),
        larger=_larger(analysis.rounds, runs, mean),
        starts=_starts(analysis.rounds, runs, slow),
        first=as_duration(took[0]) if took[0] > _LATE * mean else "",
    )


def _larger(rounds: int, runs: int, round_s: float) -> Larger | None:
    for budget in LARGER:
        would = for_budget(runs, budget, round_s)[0]
        if would * round_s <= budget and would >= _TWICE * rounds:
            return Larger(_option(budget), _about(would), math.sqrt(would / rounds))
    return None


def _about(count: int) -> int:
    """Return a number with two digits that count, and not above what it was."""
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return count // unit * unit


def _starts(rounds: int, runs: int, round_s: float) -> Larger | None:
    """Return the least budget, in minutes, whose whole squares are enough starts."""
    if rounds >= MIN_STARTS:
        return None
    square = square_rounds(runs)
    enough = square * math.ceil(MIN_STARTS / square)
    budget = 60.0 * math.ceil(enough * round_s / 60)
    return Larger(_option(budget), enough, math.sqrt(enough / rounds))


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


def _squares(rounds: int, runs: int) -> str:
    square = square_rounds(runs)
    count, rest = divmod(rounds, square)
    if not count:
        return f"not yet a whole square of {square}"
    words = "one whole square" if count == 1 else f"{count:,} whole squares of {square}"
    return f"{words} and {rest} more" if rest else words


def _option(seconds: float) -> str:
    """Return a time as `--budget` takes it."""
    return f"{seconds / 3600:.0f}h" if seconds % 3600 == 0 else f"{rounded_up(round(seconds / 60))}m"
