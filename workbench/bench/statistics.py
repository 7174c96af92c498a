"""Paired comparisons without assumptions on the distribution: medians and their order-statistic intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A median with its interval."""

    value: float
    low: float
    high: float
    confidence: float
    """The interval's exact confidence, from the binomial distribution; 0 for a single value."""
    count: int


def median_interval(differences: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the median of independent values and the narrowest order-statistic interval that is sure enough.

    The interval from the r-th smallest to the r-th largest of n values holds the median with probability
    1 - 2·P(Binomial(n, 1/2) < r), whatever their distribution. Where even the extremes do not reach the
    wanted confidence they are returned, and `confidence` says what they reach. Infinite values are allowed:
    a miss counts as larger than anything.

    Raises:
        ValueError: There are no values.
    """
    ordered = np.sort(np.asarray(differences, dtype=float))
    n = len(ordered)
    if n == 0:
        raise ValueError("no values to estimate from")
    if np.isnan(ordered).any():
        raise ValueError("a value is NaN: it has no place in an order; leave it out, or count it as infinite")
    outside = 2 * stats.binom.cdf(np.arange((n + 1) // 2), n, 0.5)
    # The allowance is for rounding in 1 - confidence, where an interval reaches it exactly.
    r = max(1, int(np.count_nonzero(outside <= (1 - confidence) * (1 + _ROUNDING))))
    reached = max(0.0, 1 - float(outside[r - 1]))
    return Estimate(_median(ordered), float(ordered[r - 1]), float(ordered[n - r]), reached, n)


def _median(ordered: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    n = len(ordered)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    if low == high:
        return low
    if math.isinf(low) and math.isinf(high):
        return 0.0  # every number is a median; this one does not change sides when the signs do
    return low + (high - low) / 2 if math.isfinite(high - low) else low + high


def paired_ratio(variant: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the median ratio of positive values paired by block, with its interval.

    Worked out on d = ln(variant / baseline), so that twice as slow and twice as fast weigh the same, and
    exchanging the two gives the reciprocals. An infinite value is a miss; a miss on both sides says nothing
    and must be left out.

    Raises:
        ValueError: There are no values, the lengths differ, or a value is not positive.
    """
    d = [math.log(v) - math.log(b) for v, b in zip(variant, baseline, strict=True)]
    estimate = median_interval(d, confidence)
    return Estimate(
        math.exp(estimate.value),
        math.exp(estimate.low),
        math.exp(estimate.high),
        estimate.confidence,
        estimate.count,
    )


def reaches(reached: float, wanted: float) -> bool:
    """Return whether an interval's confidence is what is wanted, but for rounding."""
    return 1 - reached <= (1 - wanted) * (1 + _ROUNDING)


def least_count(confidence: float) -> int:
    """Return the least number of values whose extremes hold the median with this confidence: 6 for 95 %."""
    return math.ceil(1 - math.log2((1 - confidence) * (1 + _ROUNDING)))


def family_confidence(comparisons: int, confidence: float = 0.95) -> float:
    """Return the confidence of each interval that makes all of them together hold (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, comparisons)
