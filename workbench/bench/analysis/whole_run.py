"""A run with steps as a whole: its verdict is on a step, and the whole may say something else."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from workbench.bench.analysis.targets import TargetFigures, steps_to_target
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import Estimate, log_ratio, median_interval
from workbench.text import as_speed

DIFFERENT = 1.25
"""The ratio of a step by that of the whole run, from which on both are said."""


@dataclass(frozen=True)
class WholeRun:
    """The ratio of a variant's whole run to the baseline's, where the verdict is on a step."""

    ratio: Estimate
    what: str
    """"to 1e-06", or "over the whole run"."""
    why: str = ""
    """What most of the difference to the steps' ratio comes from, where that can be said."""

    def differs(self, step: Estimate, delta: float) -> bool:
        """Return whether it says something else than the ratio of a step."""
        if not all(0 < each.value < math.inf for each in (self.ratio, step)):
            return False
        whole, one, band = math.log(self.ratio.value), math.log(step.value), math.log1p(delta)
        opposite = min(whole, one) < -band and max(whole, one) > band
        return opposite or abs(whole - one) > math.log(DIFFERENT)

    def words(self) -> str:
        """Return it as "1.5× slower [1.4, 1.6] to 1e-06 (workers start)"."""
        words = as_speed(self.ratio.value, self.ratio.ends)
        return f"{words} {self.what}" + (f" ({self.why})" if self.why else "")


def whole_run(
    results: Results,
    variant: str,
    runs: Sequence[Run | None],
    base: Sequence[Run | None],
    targets: Sequence[TargetFigures],
    confidence: float,
) -> WholeRun | None:
    """Return the whole run of a variant; None where runs have no steps, or do not say how long they took.

    It is the time to the hardest target that both sides reach in at least half of the rounds, else all of it.
    """
    both = [(a, b) for a, b in zip(runs, base, strict=True) if a is not None and b is not None]
    if not both or not all(run.steps_s and run.wall_s for pair in both for run in pair):
        return None
    reached = [
        each
        for each in targets
        if each.ratio is not None and 2 * each.hits >= each.rounds and math.isfinite(each.ratio.value)
    ]
    if reached:
        hardest = min(reached, key=lambda each: each.target)
        assert hardest.ratio is not None
        ratio, what = hardest.ratio, f"to {hardest.target:g}"
        steps = [[steps_to_target(run, hardest.target) for run in side] for side in zip(*both, strict=True)]
    else:
        d = [log_ratio(_wall(a), _wall(b)) for a, b in both]
        ratio, what = median_interval(d, confidence).exp(), "over the whole run"
        steps = [[float(len(run.steps_s)) for run in side] for side in zip(*both, strict=True)]
    return WholeRun(ratio, what, _why(results, variant, both, [median(side) for side in steps]))


def _why(
    results: Results,
    variant: str,
    both: Sequence[tuple[Run, Run]],
    steps: list[float],
) -> str:
    """Return what is at least half of what the whole takes more, or less, than its steps' ratio explains."""

    def mean(of: Callable[[Run], float], side: int) -> float:
        return median(of(pair[side]) for pair in both)

    factor = mean(_value, 0) / mean(_value, 1)
    unexplained = mean(_wall, 0) - factor * mean(_wall, 1)
    for words, of in (("outside the steps", _outside), ("the first step", _first)):
        part = mean(of, 0) - factor * mean(of, 1)
        if unexplained and part / unexplained >= 0.5:
            scaling = results.head.scaling
            workers = results.head.variants[variant].get(scaling.option) if scaling else None
            return "workers start" if isinstance(workers, int) and workers > 1 else words
    if all(map(math.isfinite, steps)) and min(steps) > 0 and max(steps) > DIFFERENT * min(steps):
        return "more steps" if steps[0] > steps[1] else "fewer steps"
    return ""


def _value(run: Run) -> float:
    return run.seconds


def _wall(run: Run) -> float:
    return run.wall_s or math.nan


def _outside(run: Run) -> float:
    return max(0.0, _wall(run) - math.fsum(run.steps_s))


def _first(run: Run) -> float:
    return max(0.0, run.steps_s[0] - run.seconds)
