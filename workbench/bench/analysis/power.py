"""How many rounds an answer needs, from the noise of the rounds so far.

The noise is assumed normal near the median, with a scale that is robust to outliers. Only planning uses this
assumption; the interval of a verdict holds for any distribution.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.stats.intervals import Floats, interval_rank, log_ratio, min_count

POWER = 0.9
"""How often what is called detectable is found, and what is called enough decides."""
MAX_ROUNDS = 100_000
"""Beyond this, how many would be needed is not worth saying."""
_SMALL = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}
_MIN_ROUNDS_FOR_SIGMA = 3


def mad_sigma(values: Sequence[float] | Floats) -> float:
    """Return the standard deviation of normal values by their median absolute deviation, 1.4826·MAD.

    The MAD of few values is too small on average; the factors that correct it are those of Croux and Rousseeuw
    (1992, COMPSTAT 1, 411): 1.2 for six values, n / (n - 0.8) above nine. Infinite where it is unknown: from
    one value, or where half of them are infinite.
    """
    array = np.asarray(values, dtype=float)
    n = len(array)
    if n < 2 or 2 * np.count_nonzero(np.isinf(array)) >= n:
        return math.inf
    spread = float(np.median(np.abs(array - np.median(array)))) / float(special.ndtri(0.75))
    return spread * (_SMALL[n] if n in _SMALL else n / (n - 0.8))


def pilot_sigmas(baseline: str, rounds: Sequence[Mapping[str, Run]]) -> dict[str, float]:
    """Return the noise of ln(variant / baseline) from round to round, by variant, where it is known.

    The second copy of the baseline counts only where there is no other variant. Variants without noise are kept;
    those of which fewer than three rounds worked are left out.

    Args:
        baseline: The baseline's name.
        rounds: The pilot: what each run gave in each round, by the run's name.
    """
    names = list(dict.fromkeys(run for each in rounds for run in each if run not in (baseline, AA_CONTROL)))
    found = {}
    for name in names or [AA_CONTROL]:
        d = [
            log_ratio(each[name].seconds, each[baseline].seconds)
            for each in rounds
            if all(run in each and each[run].error is None for run in (name, baseline))
        ]
        if len(d) >= _MIN_ROUNDS_FOR_SIGMA:
            found[name] = mad_sigma(d)
    return found


def width_factor(confidence: float) -> float:
    """Return the half-width of a median's interval in units of σ/√n: z·√(π/2), 2.46 for 95 %.

    The median of n normal values varies by σ·√(π/(2n)) (David and Nagaraja 2003, 10.3); z is the normal quantile at
    (1 + confidence) / 2, which grows with the number of comparisons: 3.43 for the 99.4 % of eight.
    """
    return float(special.ndtri((1 + confidence) / 2)) * math.sqrt(math.pi / 2)


def rounds_for_half_width(sigma: float, half_width: float, confidence: float = 0.95) -> int:
    """Return how many rounds give an interval of this half-width on average, and never too few for the confidence.

    n = (z·√(π/2)·σ / half_width)², of `width_factor`. That a pilot's noise fixes the number leaves the interval's
    coverage as it is, since the noise says nothing of which side of the truth the rounds fall on
    (Wittes and Brittain 1990, Stat. Med. 9, 65: the internal pilot).

    Args:
        sigma: Of ln(ratio), from round to round.
        half_width: Of the interval of ln(ratio).
        confidence: Of the interval.

    Raises:
        ValueError: The half-width is not above zero, or sigma is not a finite number of zero or more.
    """
    if not half_width > 0:
        raise ValueError(f"a half-width of {half_width:g} is never reached: give one above zero")
    if not 0 <= sigma < math.inf:
        raise ValueError(f"sigma is {sigma:g}: give a finite number of zero or more")
    exact = (width_factor(confidence) * sigma / half_width) ** 2
    return max(math.ceil(exact * (1 - 1e-12)), min_count(confidence))


def chance_clear(count: int, distance: float, confidence: float) -> float:
    """Return the chance that an end of a median's interval is on one side of a limit `distance` σ from the true median.

    The interval is clear where all but r - 1 of the values are on the right side of the limit, each with
    probability Φ(distance): the power of the sign test (Dixon 1953, Ann. Math. Stat. 24, 467), whose binomial sum is a
    beta distribution.
    """
    if count < min_count(confidence):
        return 0.0
    r, _ = interval_rank(count, confidence)
    return float(special.betainc(count - r + 1, r, special.ndtr(distance)))


def detectable_effect(
    count: int, sigma: float, band: float, confidence: float, power: float = POWER
) -> float:
    """Return the least |d| that so many rounds show to be beyond ±band, with this power: `chance_clear` solved for d.

    Infinite where there are too few rounds for an interval of the confidence.
    """
    if count < min_count(confidence) or math.isinf(sigma):
        return math.inf
    r, _ = interval_rank(count, confidence)
    side = float(special.betaincinv(count - r + 1, r, power))
    return band + sigma * float(special.ndtri(side))


def rounds_to_decide(
    median: float, sigma: float, limits: Sequence[float], confidence: float, power: float = POWER
) -> int | None:
    """Return about how many rounds would put the interval on one side of all limits, if the estimate is the truth.

    Args:
        median: Of the rounds so far.
        sigma: Of the rounds so far.
        limits: The limits that the interval must not contain: two for a band, one for a margin.
        confidence: Of the interval.
        power: How likely the rounds decide.

    Returns:
        The number; None where it is unknown, or would be beyond `MAX_ROUNDS`.
    """
    if not math.isfinite(median) or not math.isfinite(sigma):
        return None
    below = [median - limit for limit in limits if limit < median]
    above = [limit - median for limit in limits if limit > median]
    nearest = [min(side) for side in (below, above) if side]
    if not nearest or any(limit == median for limit in limits):
        return None
    least = min_count(confidence)
    if sigma == 0:
        return least
    distances = [each / sigma for each in nearest]
    if _chance_decided(MAX_ROUNDS, distances, confidence) < power:
        return None
    short, enough = least - 1, least
    while _chance_decided(enough, distances, confidence) < power:
        short, enough = enough, min(2 * enough, MAX_ROUNDS)
    while enough - short > 1:
        middle = (short + enough) // 2
        if _chance_decided(middle, distances, confidence) < power:
            short = middle
        else:
            enough = middle
    return enough


def _chance_decided(count: int, distances: Sequence[float], confidence: float) -> float:
    """Return a lower bound of the chance that every end is on its side of its limit."""
    return 1 - sum(1 - chance_clear(count, distance, confidence) for distance in distances)
