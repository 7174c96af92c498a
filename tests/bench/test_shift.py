"""Two samples that are not paired: intervals that hold, and a family of them of which none is clear by chance."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from workbench.bench.stats.intervals import success_interval
from workbench.bench.stats.shift import Comparand, compare_family, independent_shift, sampled_shift

SHARES = np.array([0.2, 0.15, 0.12, 0.1, 0.1, 0.08, 0.06, 0.05, 0.04, 0.03, 0.03, 0.02, 0.02])
"""Of a run, by scope: the first is the one that changes."""
DEVIATION = 0.02
"""Of each scope from run to run."""
PROFILES = 8


@pytest.mark.parametrize("sizes", [(1, 1), (2, 5), (6, 6), (7, 9)])
def test_the_interval_has_the_confidence_that_it_says(sizes: tuple[int, int]) -> None:
    """Over all orders of two samples of one distribution, zero is in the interval as often as is said."""
    first, second = sizes
    ranks = [math.exp(rank) for rank in range(first + second)]
    held = sure = 0.0
    for chosen in itertools.combinations(ranks, first):
        estimate = independent_shift(chosen, [rank for rank in ranks if rank not in chosen], 0.9)
        held += estimate.low <= 0 <= estimate.high
        sure = estimate.confidence
    share = held / math.comb(first + second, first)
    assert share == pytest.approx(sure)


def test_the_test_of_mann_and_whitney_agrees() -> None:
    """An interval leaves zero out just where scipy's exact test does, at the confidence that the interval has."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        base, new = np.exp(rng.normal(size=6)).tolist(), np.exp(rng.normal(1.0, size=8)).tolist()
        estimate = independent_shift(base, new, 0.95)
        p = stats.mannwhitneyu(base, new, method="exact").pvalue
        assert (not estimate.low <= 0 <= estimate.high) == (p <= 1 - estimate.confidence + 1e-9)
        assert estimate.confidence >= 0.95


def family(rng: np.random.Generator, change: float = 1.0) -> list[Comparand]:
    """Return the scopes of two sets of profiles that are equal but for the change of the first scope."""
    sides = [SHARES * np.exp(rng.normal(0.0, DEVIATION, size=(PROFILES, len(SHARES)))) for _ in range(2)]
    sides[1][:, 0] *= change
    weights = np.concatenate(sides).mean(axis=0)
    return [
        Comparand(sides[0][:, i].tolist(), sides[1][:, i].tolist(), float(weight))
        for i, weight in enumerate(weights)
    ]


def test_a_planted_five_per_cent_is_found() -> None:
    """5 % more in a scope with a fifth of the run is found in nine of ten sets of eight."""
    rng = np.random.default_rng(20)
    found = [compare_family(family(rng, 1.05), 0.95)[0] for _ in range(600)]
    assert np.mean([clear and estimate.value > 0 for estimate, clear in found]) >= 0.9


def test_of_equal_programs_nothing_is_clear() -> None:
    """In nineteen of twenty pairs of sets of one program no scope at all is said to differ."""
    rng = np.random.default_rng(20)
    alarms = [any(clear for _, clear in compare_family(family(rng), 0.95)) for _ in range(600)]
    assert np.mean(alarms) <= 0.05


def test_clear_is_what_leaves_zero_out() -> None:
    """Exactly what is said to differ has an interval that excludes zero, however many others are."""
    rng = np.random.default_rng(3)
    for change in (1.0, 1.03, 1.1, 2.0):
        for estimate, clear in compare_family(family(rng, change), 0.95):
            assert clear == (not estimate.low <= 0 <= estimate.high)


def test_it_is_holm_where_all_weigh_the_same() -> None:
    """With equal weights the method finds what Holm's steps find on exact p-values."""
    rng = np.random.default_rng(4)
    for _ in range(60):
        rows = rng.normal(0.0, 1.0, size=(5, 2, 8))
        rows[:, 1] += np.array([0.0, 0.5, 1.5, 2.5, 3.5])[:, None]
        found = compare_family([Comparand(*np.exp(row).tolist(), 0.2) for row in rows], 0.95)
        p: Any = [stats.mannwhitneyu(*row, method="exact").pvalue for row in rows]
        order = np.argsort(p)
        expected = [False] * 5
        for step, i in enumerate(order):
            if p[i] > 0.05 / (5 - step):
                break
            expected[i] = True
        assert [clear for _, clear in found] == expected


def test_new_and_gone_are_clear() -> None:
    """What only one side has differs, with a ratio without end."""
    some = [1.0 + 0.01 * i for i in range(6)]
    (new, is_new), (gone, is_gone) = compare_family(
        [Comparand([0.0] * 6, some, 0.5), Comparand(some, [0.0] * 6, 0.5)], 0.95
    )
    assert (new.value, new.low, is_new) == (math.inf, math.inf, True)
    assert (gone.value, gone.high, is_gone) == (-math.inf, -math.inf, True)


def test_few_profiles_are_never_clear() -> None:
    """Three of a side cannot differ at 95 %, whatever they are."""
    ((estimate, clear),) = compare_family([Comparand([1.0, 1.1, 1.2], [5.0, 5.1, 5.2], 1.0)], 0.95)
    assert estimate.confidence == pytest.approx(0.9)
    assert not clear


@pytest.mark.proof
def test_sampled_estimates_hold() -> None:
    """The interval of the ratio of two sampled shares holds it in 95 of 100 pairs of samples."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(1000):
        base, new = int(rng.binomial(1000, 0.1)), int(rng.binomial(1000, 0.12))
        estimate = sampled_shift(*((x / 1000, *success_interval(x, 1000)) for x in (base, new)), 0.95)
        held += estimate.low <= math.log(1.2) <= estimate.high
    assert held >= 940


def test_what_was_never_sampled_may_be_anything_small() -> None:
    """With nothing seen on one side the ratio is infinite, and its interval begins at what may have been missed."""
    estimate = sampled_shift((0.0, 0.0, 0.01), (0.2, 0.15, 0.25), 0.95)
    assert (estimate.value, estimate.high) == (math.inf, math.inf)
    assert estimate.low == pytest.approx(math.log(15))
