"""Intervals hold what they say, whatever the distribution."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from workbench.bench.stats.intervals import (
    Estimate,
    family_confidence,
    interval_rank,
    is_equivalent,
    log_ratio,
    median_interval,
    min_count,
    paired_ratio,
    reaches,
    success_interval,
)

times = st.floats(1e-6, 1e6)


def exact_coverage(n: int, r: int) -> float:
    """Return by counting all 2^n sides how often the median lies between the r-th smallest and largest."""
    held = sum(r <= sum(sides) <= n - r for sides in itertools.product((0, 1), repeat=n))
    return held / 2**n


@pytest.mark.parametrize("n", range(1, 13))
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_interval_is_the_narrowest_that_is_sure_enough(n: int, confidence: float) -> None:
    """The confidence is the one that counting gives, and no narrower interval reaches what is wanted."""
    estimate = median_interval(range(n), confidence)
    r = int(estimate.low) + 1
    assert estimate.high == n - r
    assert estimate.confidence == pytest.approx(exact_coverage(n, r) if n > 1 else 0.0)
    sure = [k for k in range(1, (n + 1) // 2 + 1) if exact_coverage(n, k) >= confidence]
    assert r == max(sure, default=1)


def test_an_interval_that_just_reaches_the_confidence_is_taken() -> None:
    """Where a narrower interval has exactly the wanted confidence, rounding does not hide it."""
    estimate = median_interval(range(8), 1 - 2 * 9 / 256)
    assert (estimate.low, estimate.high) == (1, 6)


def test_six_rounds_reach_95_percent_with_their_extremes() -> None:
    """Six values give 96.9 % from the smallest to the largest, and five do not reach 95 %."""
    six = median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    assert (six.value, six.low, six.high, six.count) == (3.5, 1.0, 6.0, 6)
    assert six.confidence == pytest.approx(0.96875)
    assert not reaches(median_interval(range(5)).confidence, 0.95)


@pytest.mark.parametrize(("variants", "least"), [(2, 6), (3, 7), (4, 7), (7, 8), (9, 9), (14, 10)])
def test_least_rounds_grow_with_the_variants(variants: int, least: int) -> None:
    """The table of least rounds: intervals that hold together need more rounds for more variants."""
    wanted = family_confidence(variants - 1)
    assert min_count(wanted) == least
    assert reaches(median_interval(range(least), wanted).confidence, wanted)
    assert not reaches(median_interval(range(least - 1), wanted).confidence, wanted)


def test_one_value_says_nothing_for_sure() -> None:
    """A single value is its own interval, with no confidence."""
    estimate = median_interval([2.5])
    assert (estimate.value, estimate.low, estimate.high, estimate.confidence) == (2.5, 2.5, 2.5, 0.0)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_nothing_and_not_a_number_are_refused(values: list[float]) -> None:
    """There is no median of no values, and NaN has no place in an order."""
    with pytest.raises(ValueError, match=r"no values|NaN"):
        median_interval(values)


def test_infinite_values_take_their_place() -> None:
    """A miss counts as larger than anything; the median stays finite while most values are."""
    estimate = median_interval([1.0, 2.0, 3.0, 4.0, math.inf, math.inf, 2.0])
    assert estimate.value == 3.0
    assert estimate.high == math.inf
    assert median_interval([-math.inf, math.inf]).value == 0.0
    assert median_interval([1.0, math.inf]).value == math.inf
    assert paired_ratio([math.inf, 1.0, 1.0], [1.0, 1.0, 1.0]).high == math.inf


@pytest.mark.parametrize(
    ("variant", "baseline", "d"),
    [
        (2.0, 1.0, math.log(2)),
        (math.inf, 1.0, math.inf),
        (1.0, math.inf, -math.inf),
        (0.0, 1.0, -math.inf),
        (1.0, 0.0, math.inf),
        (0.0, 0.0, 0.0),
    ],
)
def test_a_miss_and_a_zero_have_their_place_on_either_side(variant: float, baseline: float, d: float) -> None:
    """A miss of the variant is infinitely slower, one of the baseline infinitely faster; zeros the other way round."""
    assert log_ratio(variant, baseline) == d


@pytest.mark.parametrize(("variant", "baseline"), [(math.inf, math.inf), (-1.0, 1.0), (1.0, -1.0)])
def test_what_has_no_ratio_is_refused(variant: float, baseline: float) -> None:
    """A miss on both sides says nothing, and a negative figure has no ratio."""
    with pytest.raises(ValueError, match=r"leave it out|zero or more"):
        log_ratio(variant, baseline)


def test_a_ratio_too_large_for_a_number_is_infinite() -> None:
    """Logarithms that no number is the ratio of become infinite or zero, without a warning or an error."""
    assert Estimate(0.0, -800.0, 800.0, 0.95, 6).exp() == Estimate(1.0, 0.0, math.inf, 0.95, 6)


@given(st.integers(1, 2000), st.floats(0.01, 0.9999))
def test_the_rank_is_the_largest_that_is_sure_enough(count: int, confidence: float) -> None:
    """The interval's rank reaches the confidence where any does, and the next one does not."""
    r, reached = interval_rank(count, confidence)
    assert 1 <= r <= (count + 1) // 2
    assert reached == pytest.approx(1 - 2 * stats.binom.cdf(r - 1, count, 0.5), abs=1e-9)
    assert r == 1 or reaches(reached, confidence)
    if r + 1 <= (count + 1) // 2:
        assert not reaches(1 - 2 * float(stats.binom.cdf(r, count, 0.5)), confidence)


@pytest.mark.parametrize(
    ("low", "high", "confidence", "inside"),
    [
        (-0.01, 0.01, 0.97, True),
        (-0.02, 0.02, 0.97, True),
        (-0.03, 0.01, 0.97, False),
        (-0.01, 0.03, 0.97, False),
        (-0.01, 0.01, 0.9, False),
    ],
)
def test_equivalent_takes_the_whole_interval(
    low: float, high: float, confidence: float, inside: bool
) -> None:
    """Two are equivalent where an interval that is sure enough lies inside the band, its ends included."""
    assert is_equivalent(Estimate(0.0, low, high, confidence, 6), 0.02, 0.95) is inside


@pytest.mark.parametrize(("successes", "trials"), [(0, 6), (6, 6), (3, 6), (1, 40), (39, 40)])
def test_the_interval_of_a_rate_is_clopper_and_pearsons(successes: int, trials: int) -> None:
    """At each end, what was seen or anything more extreme has a chance of exactly 2.5 %; no trial says nothing."""
    low, high = success_interval(successes, trials)
    assert low == 0 if successes == 0 else stats.binom.sf(successes - 1, trials, low) == pytest.approx(0.025)
    assert (
        high == 1 if successes == trials else stats.binom.cdf(successes, trials, high) == pytest.approx(0.025)
    )
    assert success_interval(0, 0) == (0.0, 1.0)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=30))
def test_exchanging_variant_and_baseline_gives_reciprocals(pairs: list[tuple[float, float]]) -> None:
    """Twice as slow and twice as fast weigh the same: the exchanged ratio and interval are the reciprocals."""
    a, b = zip(*pairs, strict=True)
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert there.value * back.value == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1)
    assert there.high * back.low == pytest.approx(1)
    assert there.low <= there.value <= there.high


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=40), st.floats(0.0, 0.999))
def test_interval_holds_the_median(values: list[float], confidence: float) -> None:
    """The median is never outside its interval, infinite values and ties included."""
    estimate = median_interval(values, confidence)
    assert estimate.low <= estimate.value <= estimate.high
    assert 0 <= estimate.confidence < 1


@pytest.mark.parametrize("n", [6, 9, 15])
@pytest.mark.parametrize("distribution", ["normal", "skewed", "heavy-tailed"])
def test_simulated_coverage_is_what_is_promised(n: int, distribution: str) -> None:
    """Over many simulated runs the interval holds the true median at least as often as it says."""
    rng = np.random.default_rng([n, len(distribution)])
    runs = 2000
    d, median = {
        "normal": (rng.normal(size=(runs, n)), 0.0),
        "skewed": (rng.exponential(size=(runs, n)), math.log(2)),
        "heavy-tailed": (rng.standard_cauchy(size=(runs, n)), 0.0),
    }[distribution]
    estimates = [median_interval(row) for row in d]
    held = np.mean([e.low <= median <= e.high for e in estimates])
    assert held >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs)
    assert held == pytest.approx(estimates[0].confidence, abs=0.015)
