"""The plan of a run: its arms, and how many blocks there will be, fixed before they are looked at.

Blocks come in whole Williams squares where the budget holds one. Their number follows from the time that the first
block took and, where a precision is wanted, from the noise of a pilot: of the widest differences between blocks, and
never from which variant they favour, so that intervals keep what they promise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from workbench.bench.analysis.power import blocks_for_half_width
from workbench.bench.design.suite import AGAIN
from workbench.bench.run.order import williams_square
from workbench.bench.stats.intervals import family_confidence, least_count

LEAST_PILOT = 6


def arms_of(variants: Sequence[str]) -> list[str]:
    """Return the arms of a block: each variant, and the baseline again."""
    return [*variants, AGAIN]


def square_blocks(arms: int) -> int:
    """Return the blocks of one whole square."""
    return len(williams_square(arms))


def pilot_blocks(arms: int) -> int:
    """Return the blocks of the pilot: whole squares, and at least six blocks."""
    square = square_blocks(arms)
    return square * math.ceil(LEAST_PILOT / square)


def for_budget(arms: int, budget_s: float, block_s: float) -> tuple[int, str]:
    """Return how many blocks a budget holds, in whole squares, and why."""
    square = square_blocks(arms)
    holds = int(budget_s / block_s)
    squares = holds // square
    took = f"a block takes {as_duration(block_s)}"
    if squares:
        plural = "s" if squares > 1 else ""
        return (
            squares * square,
            f"{took}; {as_duration(budget_s)} hold {squares} whole square{plural} of {square} blocks",
        )
    return max(1, holds), (
        f"{took}; {as_duration(budget_s)} hold no whole square of {square} blocks, so the order is balanced in "
        "part only"
    )


def for_precision(
    arms: int, most: int, sigmas: Mapping[str, float], precision: float, confidence: float
) -> tuple[int, str]:
    """Return how many blocks a wanted half-width needs by the pilot's noise, in whole squares, and why.

    Args:
        arms: Arms of a block.
        most: Blocks that the budget holds.
        sigmas: The pilot's standard deviation of ln(ratio) for each variant.
        precision: Wanted half-width of the interval of ln(ratio).
        confidence: Of each interval.
    """
    square = square_blocks(arms)
    name = max(sigmas, key=lambda each: sigmas[each])
    if math.isinf(sigmas[name]):
        return most, f"{name} varies too much from block to block to say how many are enough"
    needed = blocks_for_half_width(sigmas[name], precision, confidence)
    blocks = square * math.ceil(needed / square)
    noise = f"{name} varies by {sigmas[name]:.1%} from block to block"
    if blocks > most:
        return most, f"{noise}: ±{precision:.1%} would need {blocks} blocks, the budget holds {most}"
    return blocks, f"{noise}: ±{precision:.1%} needs {needed} blocks, {blocks} in whole squares"


def least_blocks(arms: int) -> int:
    """Return the fewest blocks that give a verdict on each variant."""
    return least_count(family_confidence(arms - 2))


def over_budget(arms: int, budget_s: float, left_s: float, block_s: float, least_s: float) -> str:
    """Return in a line that a budget holds too few blocks for a verdict on each variant; nothing where it does not.

    Args:
        arms: Arms of a block.
        budget_s: The budget.
        left_s: What is left of it.
        block_s: About how long a block takes.
        least_s: How long one takes in which every run counts.
    """
    least = least_blocks(arms)
    if least * block_s <= left_s:
        return ""
    fits = int(left_s / least_s)
    measured = f"{fits} {'are' if fits > 1 else 'is'} measured" if fits else "one is measured if it fits"
    return (
        f"{least} blocks, the fewest for a verdict, need about {as_duration(least * block_s)}; the budget is "
        f"{as_duration(budget_s)}: {measured}, and no scopes are recorded"
    )


def as_duration(value: float) -> str:
    """Return seconds as people read them: minutes from 90 s on."""
    return f"{value / 60:.3g} min" if value >= 90 else f"{value:.3g} s"
