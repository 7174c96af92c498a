"""The plan of an experiment: the runs of a round, their orders, and the number of rounds, which is fixed in advance.

Rounds come in whole Williams squares if the budget holds one. Their number follows from the time of the first round
and, if a precision is wanted, from the noise of a pilot. It never follows from which variant the pilot favours, so
intervals keep their confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from workbench.bench.analysis.power import rounds_for_half_width
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.stats.intervals import family_confidence, min_count

MIN_PILOT_ROUNDS = 6


def runs_of(variants: Sequence[str]) -> list[str]:
    """Return the runs of a round: each variant, and the baseline again."""
    return [*variants, AA_CONTROL]


def williams_square(count: int) -> list[list[int]]:
    """Return the rows of a balanced square of 0 … count-1; twice as many rows if the count is odd.

    Over the whole square every run has every position equally often and follows every other run equally often. So
    neither drift nor what a run leaves behind (heat, caches) favours one (Williams 1949, Aust. J. Sci. Res. 2, 149).
    """
    zigzag = [(i + 1) // 2 if i % 2 else (count - i // 2) % count for i in range(count)]
    rows = [[(start + shift) % count for shift in zigzag] for start in range(count)]
    return rows + [row[::-1] for row in rows] if count % 2 and count > 1 else rows


def orders(count: int, generator: np.random.Generator) -> Iterator[list[int]]:
    """Yield an order for each round, without end: whole squares, each with shuffled names and rows."""
    while True:
        names = generator.permutation(count).tolist()
        rows = williams_square(count)
        for row in generator.permutation(len(rows)).tolist():
            yield [names[place] for place in rows[row]]


def square_rounds(runs: int) -> int:
    """Return the rounds of one whole square."""
    return len(williams_square(runs))


def pilot_rounds(runs: int) -> int:
    """Return the rounds of the pilot: whole squares, and at least six rounds."""
    square = square_rounds(runs)
    return square * math.ceil(MIN_PILOT_ROUNDS / square)


def for_budget(runs: int, budget_s: float, round_s: float) -> tuple[int, str]:
    """Return how many rounds a budget holds, in whole squares, and why."""
    square = square_rounds(runs)
    holds = int(budget_s / round_s)
    squares = holds // square
    took = f"a round takes {as_duration(round_s)}"
    if squares:
        plural = "s" if squares > 1 else ""
        return (
            squares * square,
            f"{took}; {as_duration(budget_s)} hold {squares} whole square{plural} of {square} rounds",
        )
    return max(1, holds), (
        f"{took}; {as_duration(budget_s)} hold no whole square of {square} rounds, so the order is balanced in "
        "part only"
    )


def for_precision(
    runs: int, most: int, sigmas: Mapping[str, float], precision: float, confidence: float
) -> tuple[int, str]:
    """Return how many rounds a wanted half-width needs by the pilot's noise, in whole squares, and why.

    Args:
        runs: Runs of a round.
        most: Rounds that the budget holds.
        sigmas: The pilot's standard deviation of ln(ratio) for each variant.
        precision: Wanted half-width of the interval of ln(ratio).
        confidence: Of each interval.
    """
    square = square_rounds(runs)
    name = max(sigmas, key=lambda each: sigmas[each])
    if math.isinf(sigmas[name]):
        return most, f"{name} varies too much from round to round to say how many are enough"
    needed = rounds_for_half_width(sigmas[name], precision, confidence)
    rounds = square * math.ceil(needed / square)
    noise = f"{name} varies by {sigmas[name]:.1%} from round to round"
    if rounds > most:
        return most, f"{noise}: ±{precision:.1%} would need {rounds} rounds, the budget holds {most}"
    return rounds, f"{noise}: ±{precision:.1%} needs {needed} rounds, {rounds} in whole squares"


def min_rounds(runs: int) -> int:
    """Return the fewest rounds that give a verdict on each variant."""
    return min_count(family_confidence(runs - 2))


def over_budget(runs: int, budget_s: float, left_s: float, round_s: float, min_s: float) -> str:
    """Return in a line that a budget holds too few rounds for a verdict on each variant; nothing where it does not.

    Args:
        runs: Runs of a round.
        budget_s: The budget.
        left_s: What is left of it.
        round_s: About how long a round takes.
        min_s: How long one takes in which every run counts.
    """
    least = min_rounds(runs)
    if least * round_s <= left_s:
        return ""
    fits = int(left_s / min_s)
    measured = f"{fits} {'are' if fits > 1 else 'is'} measured" if fits else "one is measured if it fits"
    return (
        f"{least} rounds, the fewest for a verdict, need about {as_duration(least * round_s)}; the budget is "
        f"{as_duration(budget_s)}: {measured}, and no scopes are recorded"
    )


def as_duration(value: float) -> str:
    """Return seconds as people read them: minutes from 90 s on."""
    return f"{value / 60:.3g} min" if value >= 90 else f"{value:.3g} s"
