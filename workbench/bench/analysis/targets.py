"""Time to a common target: when each variant's error first came down to a value that is the same for all.

A miss is infinite: order statistics take it in. A run that failed has reached nothing, so it is a miss, too. A miss on
both sides says nothing on time, and counts for the success rates alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from workbench.bench.results.lines import Run
from workbench.bench.stats.intervals import Estimate, log_ratio, median_interval, success_interval

SURE = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TargetFigures:
    """One target, for one variant."""

    target: float
    seconds: Estimate | None
    """Median time to the target over all rounds, a miss infinite, with 95 % of its own."""
    ratio: Estimate | None
    """To the baseline's time, paired by round; None for the baseline, and where no round has a hit."""
    hits: int
    rounds: int
    hit_low: float
    hit_high: float
    """The success rate's interval by Clopper and Pearson, 95 %."""
    times: tuple[float, ...]
    """Seconds in each round, infinite for a miss."""


def time_to_target(run: Run | None, target: float) -> float:
    """Return the seconds until the run's curve was first at the target or below; infinite where it never was."""
    curve = run.curve if run is not None else ()
    return next((seconds for seconds, value in curve if value <= target), math.inf)


def steps_to_target(run: Run | None, target: float) -> float:
    """Return how many steps it took until the curve was first at the target; infinite where it never was.

    Where the curve has a point for each step, or one more for the start, they are counted; else steps are those that
    had ended, by their own seconds, and the one under way.
    """
    if run is None or not run.steps_s:
        return math.inf
    curve, steps = run.curve, run.steps_s
    place = next((i for i, (_, value) in enumerate(curve) if value <= target), None)
    if place is None:
        return math.inf
    if len(curve) in (len(steps), len(steps) + 1):
        return float(place + 1 - (len(curve) - len(steps)))
    seconds = curve[place][0] * (1 - _ROUNDING)
    return float(min(1 + sum(end < seconds for end in accumulate(steps)), len(steps))) if seconds > 0 else 0.0


def paired_target_ratio(
    times: Sequence[float], baseline: Sequence[float], confidence: float
) -> Estimate | None:
    """Return the median ratio of figures that may be infinite; rounds that are so on both sides are left out."""
    d = [
        log_ratio(t, b) for t, b in zip(times, baseline, strict=True) if math.isfinite(t) or math.isfinite(b)
    ]
    return median_interval(d, confidence).exp() if d else None


def target_figures(
    target: float, runs: Sequence[Run | None], baseline: Sequence[Run | None] | None, confidence: float
) -> TargetFigures:
    """Return one target's figures.

    Args:
        target: The value of the curve to reach.
        runs: The variant's, by round.
        baseline: The baseline's in the same rounds; None for the baseline itself.
        confidence: Of the interval of the ratio.
    """
    times = [time_to_target(run, target) for run in runs]
    hits = sum(math.isfinite(time) for time in times)
    ratio = None
    if baseline is not None:
        ratio = paired_target_ratio(times, [time_to_target(run, target) for run in baseline], confidence)
    seconds = median_interval(times, SURE) if times else None
    return TargetFigures(
        target, seconds, ratio, hits, len(times), *success_interval(hits, len(times), SURE), tuple(times)
    )
