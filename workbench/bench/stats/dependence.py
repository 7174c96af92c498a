"""Whether rounds are what the intervals take them for: independent of their neighbours, and the same all along."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from workbench.bench.stats.intervals import Estimate, Floats, median_interval, min_count

LARGE = 0.2
"""Autocorrelation that is acted on, where it is no chance. Below it, an interval of 95 % still holds about 94 % of the
time (docs/statistics.md), above it no longer."""
LEVEL = 0.05
WIDEST = 1 - 1e-15
"""A confidence that only the extremes are offered for."""


def autocorrelation(values: Sequence[float] | Floats) -> float | None:
    """Return the lag-1 autocorrelation of the values' ranks; None where they do not vary, or are fewer than three.

    Of ranks, so that it does not hang on the largest value alone (Wald and Wolfowitz 1943, Ann. Math. Stat. 14, 378).
    """
    array = np.asarray(values, dtype=float)
    if len(array) < 3:
        return None
    from scipy import stats  # half a second, which only an analysis is worth

    ranks = stats.rankdata(array) - (len(array) + 1) / 2
    total = float(ranks @ ranks)
    return float(ranks[1:] @ ranks[:-1]) / total if total > 0 else None


def autocorrelation_limit(count: int, level: float = LEVEL) -> float:
    """Return what the autocorrelation of independent values exceeds with this probability, about.

    Its mean is -1/n; its variance over all orders of n ranks is exact (Dufour and Roy 1986, Comm. Stat. A 15, 2953,
    at lag 1), the shape taken as normal.
    """
    n = float(count)
    variance = (5 * n**4 - 14 * n**3 - 9 * n**2 + 26 * n + 16) / (5 * (n - 1) ** 2 * n**2 * (n + 1))
    return -1 / n + float(special.ndtri(1 - level)) * math.sqrt(variance)


def is_dependent(values: Sequence[float] | Floats) -> bool:
    """Return whether neighbours are alike: an autocorrelation above 0.2 that chance gives 1 time in 20."""
    found = autocorrelation(values)
    return found is not None and found > max(LARGE, autocorrelation_limit(len(values)))


def merge_neighbours(values: Sequence[float] | Floats, size: int) -> Floats:
    """Return the means of so many neighbours each; what is left over joins the last ones.

    Means of neighbours depend less on one another than the values do: the batch means of simulation (Law and Kelton,
    Simulation Modeling and Analysis, 9.5.3). The median of such means is the same as of the values where their
    distribution is symmetric, which that of two runs with alike noise is.

    Raises:
        ValueError: There are fewer values than that, or size is below one.
    """
    array = np.asarray(values, dtype=float)
    groups = len(array) // size if size > 0 else 0
    if groups == 0:
        raise ValueError(f"{len(array)} values make no group of {size}")
    starts = np.arange(groups) * size
    return np.add.reduceat(array, starts) / np.diff(np.append(starts, len(array)))


@dataclass(frozen=True)
class Independent:
    """Differences from round to round as their interval takes them."""

    values: Floats
    size: int
    """Neighbouring rounds that were merged into one value; 1 where none had to be."""
    is_alike: bool
    """Whether neighbours are still alike, and merging more of them would leave too few."""

    def interval(self, confidence: float) -> Estimate:
        """Return the median with its interval: its whole range where neighbours are still alike."""
        return median_interval(self.values, WIDEST if self.is_alike else confidence)


def independent(d: Sequence[float] | Floats, confidence: float) -> Independent:
    """Return differences in the order of time, with neighbours merged by twos until they are not alike.

    Args:
        d: Finite differences, one for each round.
        confidence: Of the interval that is to be made of them: enough values are left for it.
    """
    values, size, least = np.asarray(d, dtype=float), 1, min_count(confidence)
    merged = values
    while is_dependent(merged):
        if len(values) // (2 * size) < least:
            return Independent(merged, size, is_alike=True)
        size *= 2
        merged = merge_neighbours(values, size)
    return Independent(merged, size, is_alike=False)


def drifts(d: Sequence[float] | Floats, confidence: float = 0.95) -> bool:
    """Return whether differences change over the session: Kendall's τ with the order of rounds (Mann 1945).

    Neighbours that are alike for a while can look like a drift; both are said, neither is dropped.
    """
    array = np.asarray(d, dtype=float)
    if len(array) < 3 or np.all(array == array[0]):
        return False
    from scipy import stats

    return bool(stats.kendalltau(np.arange(len(array)), array).pvalue < 1 - confidence)
