"""Rounds that hang on their neighbours are found, and merged until they do not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.bench.stats.dependence import (
    autocorrelation,
    autocorrelation_limit,
    drifts,
    independent,
    is_dependent,
    merge_neighbours,
)

numbers = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=40)


def autoregressive(rng: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """Return normal values of which each hangs on the one before."""
    noise = rng.normal(size=count)
    values = np.empty(count)
    values[0] = noise[0]
    for i in range(1, count):
        values[i] = correlation * values[i - 1] + math.sqrt(1 - correlation**2) * noise[i]
    return values


@pytest.mark.parametrize("count", [5, 6, 7])
def test_mean_and_variance_over_all_orders_are_exact(count: int) -> None:
    """Over every order of the values, the autocorrelation has the moments that its limit is made of."""
    found = [autocorrelation(order) for order in itertools.permutations(range(count))]
    values = np.array(found, dtype=float)
    assert values.mean() == pytest.approx(-1 / count)
    middle, sigma = autocorrelation_limit(count, 0.5), autocorrelation_limit(count, 0.158655254)
    assert middle == pytest.approx(-1 / count)
    assert values.std() == pytest.approx(sigma - middle, rel=1e-6)


@pytest.mark.parametrize("count", [8, 12, 20, 50])
def test_independent_rounds_are_seldom_taken_for_dependent(count: int) -> None:
    """Of independent runs, heavy-tailed ones among them, about 1 in 20 is called dependent, not more."""
    rows = np.random.default_rng(count).standard_cauchy(size=(2000, count))
    assert np.mean([is_dependent(row) for row in rows]) <= 0.065


def test_dependence_is_found() -> None:
    """Of runs of 48 rounds with a correlation of 0.5, most are called dependent."""
    rng = np.random.default_rng(3)
    assert np.mean([is_dependent(autoregressive(rng, 48, 0.5)) for _ in range(300)]) > 0.8


def test_what_does_not_vary_has_no_autocorrelation() -> None:
    """Equal values, and fewer than three, say nothing of one another; alternating ones avoid one another."""
    assert autocorrelation([1.0] * 8) is None
    assert autocorrelation([1.0, 2.0]) is None
    assert autocorrelation([1.0, 2.0] * 8) == pytest.approx(-15 / 16)
    assert not is_dependent([1.0, 2.0] * 8)


@given(numbers, st.integers(1, 5))
def test_merging_keeps_the_mean_of_whole_groups(values: list[float], size: int) -> None:
    """Each merged value is the mean of its neighbours, what is left over joins the last, and nothing is dropped."""
    if len(values) < size:
        with pytest.raises(ValueError, match="no group"):
            merge_neighbours(values, size)
        return
    merged = merge_neighbours(values, size)
    assert len(merged) == len(values) // size
    weights = [size] * (len(merged) - 1) + [len(values) - size * (len(merged) - 1)]
    assert float(merged @ np.array(weights)) == pytest.approx(sum(values), abs=1e-3)


def test_neighbours_are_merged_until_they_are_not_alike() -> None:
    """Steps of four equal rounds each become one value each; what is independent stays as it is."""
    levels = np.random.default_rng(2).normal(size=24)
    found = independent(np.repeat(levels, 4), 0.95)
    assert (found.size, found.is_alike) == (4, False)
    assert found.values == pytest.approx(levels)
    assert independent(levels, 0.95).size == 1


def test_where_merging_leaves_too_few_the_interval_is_the_whole_range() -> None:
    """Alike neighbours that cannot be merged give the widest interval that there is."""
    slope = np.arange(10.0)
    found = independent(slope, 0.95)
    assert (found.size, found.is_alike) == (1, True)
    estimate = found.interval(0.95)
    assert (estimate.low, estimate.high) == (0.0, 9.0)
    half = independent(np.arange(16.0), 0.95)
    assert (half.size, half.is_alike, len(half.values)) == (2, True, 8)


@pytest.mark.parametrize(
    ("values", "drifting"),
    [
        (list(range(8)), True),
        (list(range(8, 0, -1)), True),
        ([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], False),
        ([1.0] * 8, False),
        ([1.0, 2.0], False),
        ([], False),
    ],
)
def test_drift_is_seen_in_either_direction(values: list[float], drifting: bool) -> None:
    """What rises or falls all along drifts; what merely varies, or does not, does not."""
    assert drifts(values) is drifting


def test_sound_sessions_seldom_drift() -> None:
    """Independent rounds are said to drift in 1 of 20 sessions or fewer."""
    rows = np.random.default_rng(1).standard_t(2, size=(1000, 12))
    assert np.mean([drifts(row) for row in rows]) <= 0.05
