"""Paired comparisons without assumptions on the distribution: medians and their order-statistic intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-9
LARGEST_EXPONENT = math.log(np.finfo(float).max)


@dataclass(frozen=True)
class Estimate:
    """A median with its interval."""

    value: float
    low: float
    high: float
    confidence: float
    """The interval's exact confidence, from the binomial distribution; 0 for a single value."""
    count: int

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval; None for a single value, which has none."""
        return (self.low, self.high) if self.confidence > 0 else None

    def to_json(self) -> dict[str, float | None]:
        """Return it by names; what is infinite is null, and so are the ends of a single value."""
        found = vars(self) if self.ends is not None else vars(self) | {"low": math.nan, "high": math.nan}
        return {name: value if math.isfinite(value) else None for name, value in found.items()}

    def exp(self) -> Estimate:
        """Return the estimate of a ratio, of which this is the logarithm; what is too large is infinite."""
        value, low, high = (
            math.exp(each) if each <= LARGEST_EXPONENT else math.inf
            for each in (self.value, self.low, self.high)
        )
        return Estimate(value, low, high, self.confidence, self.count)


def median_interval(differences: Sequence[float] | Floats, confidence: float = 0.95) -> Estimate:
    """Return the median of independent values and the narrowest order-statistic interval that is sure enough.

    The interval from the r-th smallest to the r-th largest of n values holds the median with probability
    1 - 2·P(Binomial(n, 1/2) < r), whatever their distribution (David and Nagaraja, Order Statistics, 2003, 7.1).
    Where even the extremes do not reach the wanted confidence they are returned, and `confidence` says what they
    reach. Infinite values are allowed: a miss counts as larger than anything.

    Raises:
        ValueError: There are no values, or one is NaN.
    """
    ordered = np.sort(np.asarray(differences, dtype=float))
    n = len(ordered)
    if n == 0:
        raise ValueError("no values to estimate from")
    if np.isnan(ordered).any():
        raise ValueError("a value is NaN: it has no place in an order; leave it out, or count it as infinite")
    r, reached = interval_rank(n, confidence)
    return Estimate(_median(ordered), float(ordered[r - 1]), float(ordered[n - r]), reached, n)


@lru_cache(maxsize=4096)
def interval_rank(count: int, confidence: float) -> tuple[int, float]:
    """Return the rank r from which, at either end, the interval for the median of so many values runs.

    It is the largest whose confidence 1 - 2·P(Binomial(n, 1/2) < r) is wanted or more, and 1 where none is.

    Returns:
        The rank, and the confidence that it reaches.
    """
    from scipy import special  # a tenth of a second, which only an analysis is worth

    missed = 2 * special.bdtr(np.arange(count), count, 0.5)  # by the interval of rank 1, 2, …
    # The allowance is for rounding in 1 - confidence, where an interval reaches it exactly.
    r = max(1, int(np.searchsorted(missed, (1 - confidence) * (1 + _ROUNDING), side="right")))
    return r, max(0.0, 1 - float(missed[r - 1]))


def _median(ordered: Floats) -> float:
    n = len(ordered)
    low, high = float(ordered[(n - 1) // 2]), float(ordered[n // 2])
    if low == high:
        return low
    if math.isinf(low) and math.isinf(high):
        return 0.0  # every number is a median; this one does not change sides when the signs do
    return low + (high - low) / 2 if math.isfinite(high - low) else low + high


def log_ratio(variant: float, baseline: float) -> float:
    """Return ln(variant / baseline) of two figures of zero or more, at most one of them infinite.

    A miss is infinite, so the ratio is infinite where the variant missed and its logarithm minus infinity where the
    baseline did. Equal figures differ by nothing, also where both are zero.

    Raises:
        ValueError: A figure is negative, or both are infinite, which says nothing.
    """
    if variant < 0 or baseline < 0:
        raise ValueError(f"a ratio needs figures of zero or more, not {variant:g} and {baseline:g}")
    if math.isinf(variant) and math.isinf(baseline):
        raise ValueError("a miss on both sides says nothing of their ratio: leave it out")
    if variant == baseline:
        return 0.0
    return _log(variant) - _log(baseline)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def paired_ratio(variant: Sequence[float], baseline: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Return the median ratio of values paired by round, with its interval.

    Worked out on d = ln(variant / baseline), so that twice as slow and twice as fast weigh the same, and
    exchanging the two gives the reciprocals. An infinite value is a miss; a miss on both sides says nothing
    and must be left out.

    Raises:
        ValueError: There are no values, the lengths differ, a value is negative, or a pair is infinite on both sides.
    """
    return median_interval(
        [log_ratio(v, b) for v, b in zip(variant, baseline, strict=True)], confidence
    ).exp()


def is_equivalent(difference: Estimate, band: float, wanted: float) -> bool:
    """Return whether an interval that is sure enough lies inside ±band, its ends included.

    Two one-sided tests, each at half of what the interval leaves out: more cautious than the usual rule, which
    takes a 90 % interval for a test at 5 % (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657).
    """
    return reaches(difference.confidence, wanted) and -band <= difference.low and difference.high <= band


def is_below(estimate: Estimate, limit: float, wanted: float) -> bool:
    """Return whether an interval that is sure enough is below a limit."""
    return reaches(estimate.confidence, wanted) and estimate.high < limit


def is_above(estimate: Estimate, limit: float, wanted: float) -> bool:
    """Return whether an interval that is sure enough is above a limit."""
    return reaches(estimate.confidence, wanted) and estimate.low > limit


def reaches(reached: float, wanted: float) -> bool:
    """Return whether an interval's confidence is what is wanted, but for rounding."""
    return 1 - reached <= (1 - wanted) * (1 + _ROUNDING)


def min_count(confidence: float) -> int:
    """Return the least number of values whose extremes hold the median with this confidence: 6 for 95 %."""
    return max(1, math.ceil(1 - math.log2((1 - confidence) * (1 + _ROUNDING))))


def family_confidence(comparisons: int, confidence: float = 0.95) -> float:
    """Return the confidence of each interval that makes all of them together hold (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, comparisons)


def success_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a success rate (Clopper and Pearson 1934, Biometrika 26, 404); all of it for no trial.

    It holds the rate with the confidence or more, however few the trials.
    """
    if trials == 0:
        return 0.0, 1.0
    from scipy import stats

    low, high = stats.binomtest(successes, trials).proportion_ci(confidence)
    return float(low), float(high)
