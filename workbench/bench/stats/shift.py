"""Two samples that are not paired, such as two sets of profiles: by how much one is longer.

Sets of profiles are not paired: profile 3 of one side has nothing to do with profile 3 of the other. So the interval is
that of Mann and Whitney, on logarithms of times. Welch's t on the same logarithms would find slightly more if they
were normal (with eight a side, 95 of 100 where this finds 92), but times of runs are not: they have a long right tail,
and one slow run widens Welch's interval without limit. This interval holds for any distribution, a time of zero has its
place in it, and it is the one that stored experiments are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from workbench.bench.stats.intervals import Estimate, log_ratio, median_interval, reaches


def independent_shift(base: Sequence[float], new: Sequence[float], confidence: float) -> Estimate:
    """Return ln(new / base) of two samples that are not paired, with the Mann-Whitney interval.

    Equal values differ by nothing, also where both are zero. The estimate is the median of all differences; the
    interval runs from the c-th smallest to the c-th largest of them, by the exact distribution of how many pairs are
    in order (Hodges and Lehmann 1963, Ann. Math. Stat. 34, 598). It holds where the two distributions differ by a
    shift. Where all differences do not reach the wanted confidence, `confidence` says what they reach.
    """
    differences = sorted(log_ratio(n, b) for n in new for b in base)
    ways = _rank_sum_ways(len(base), len(new))
    total = math.comb(len(base) + len(new), len(base))
    below, cut, reached = 0, 0, 0.0
    for pairs, count in enumerate(ways):
        below += count
        sure = 1 - 2 * below / total
        if pairs and sure < confidence:
            break
        cut, reached = pairs, max(0.0, sure)
    return Estimate(
        median_interval(differences).value,
        differences[cut],
        differences[-1 - cut],
        reached,
        min(len(base), len(new)),
    )


@lru_cache(maxsize=64)
def _rank_sum_ways(first: int, second: int) -> tuple[int, ...]:
    """Return in how many orders of two samples so many pairs are in order: the Mann-Whitney distribution, counted.

    They are the coefficients of the Gaussian binomial, the product of (1 - q^(second + i)) / (1 - q^i).
    """
    size = first * second + 1
    ways = [1] + [0] * (size - 1)
    for i in range(1, first + 1):
        for power in range(size - 1, second + i - 1, -1):
            ways[power] -= ways[power - second - i]
        for power in range(i, size):
            ways[power] += ways[power - i]
    return tuple(ways)


@dataclass(frozen=True)
class Comparand:
    """One thing that is compared, such as a scope: its values on both sides, and its part of the error rate."""

    base: Sequence[float]
    new: Sequence[float]
    weight: float
    """Above zero. It must not depend on which value is of which side: a share of both together does not."""


def compare_family(family: Sequence[Comparand], confidence: float) -> list[tuple[Estimate, bool]]:
    """Return of each ln(new / base) with its interval, and whether that excludes zero.

    With this confidence no interval excludes zero where there is no difference, by the method of Holm (1979, Scand. J.
    Stat. 6, 65) in its weighted form: each interval may miss with the probability 1 - confidence times its part of the
    weight of all that are not yet known to differ, so once one is, the others share what it had. All intervals are
    those of the last step, so that exactly those that exclude zero are known to differ.
    """
    found: list[tuple[Estimate, bool]] = []
    left = sum(each.weight for each in family)
    while True:
        found = [_compared(each, 1 - (1 - confidence) * min(1.0, each.weight / left)) for each in family]
        still = sum(each.weight for each, (_, clear) in zip(family, found, strict=True) if not clear)
        if still <= 0 or still >= left:
            return found
        left = still


def _compared(each: Comparand, wanted: float) -> tuple[Estimate, bool]:
    estimate = independent_shift(each.base, each.new, wanted)
    return estimate, reaches(estimate.confidence, wanted) and (estimate.low > 0 or estimate.high < 0)


def sampled_shift(
    base: tuple[float, float, float], new: tuple[float, float, float], confidence: float
) -> Estimate:
    """Return ln(new / base) of two independent estimates, each with the ends of its interval of this confidence.

    On either side the distances of both to their ends are added as squares (Zou and Donner 2008, Stat. Med. 27, 1693).
    """
    value, low, high = log_ratio(new[0], base[0]), -math.inf, math.inf
    if base[0] > 0 and new[0] > 0:
        low = value - math.hypot(log_ratio(new[0], new[1]), log_ratio(base[2], base[0]))
        high = value + math.hypot(log_ratio(new[2], new[0]), log_ratio(base[0], base[1]))
    elif value:  # one of them was never seen: the other end is what both may be
        low = log_ratio(new[1], base[2]) if math.isinf(value) and value > 0 else low
        high = log_ratio(new[2], base[1]) if math.isinf(value) and value < 0 else high
    return Estimate(value, low, high, confidence, 1)
