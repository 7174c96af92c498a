"""What is planned comes true: noise, widths, and how many rounds decide."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.bench.analysis.power import (
    MAX_ROUNDS,
    chance_clear,
    detectable_effect,
    mad_sigma,
    pilot_sigmas,
    rounds_for_half_width,
    rounds_to_decide,
    width_factor,
)
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.stats.intervals import family_confidence, interval_rank, min_count

BAND = math.log1p(0.02)


def clear(values: np.ndarray[Any, Any], limit: float, confidence: float) -> float:
    """Return how often the lower end of each row's interval is above a limit."""
    count = values.shape[1]
    r, _ = interval_rank(count, confidence)
    return float(np.mean(np.sort(values, axis=1)[:, r - 1] > limit))


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 8, 9, 10, 16, 40])
def test_the_noise_of_few_rounds_is_right_on_average(count: int) -> None:
    """The scale of normal values comes out as it is, from three values as from many."""
    rows = np.random.default_rng(count).normal(5.0, 2.0, size=(2500, count))
    assert np.mean([mad_sigma(row) for row in rows]) == pytest.approx(2.0, rel=0.03)


def test_outliers_do_not_move_the_noise() -> None:
    """One round a thousand times off leaves the noise about as it was; half of them infinite leave none."""
    values = [-0.02, -0.01, 0.0, 0.0, 0.01, 0.02, 0.03]
    assert mad_sigma([*values, 1e3]) < 2 * mad_sigma(values)
    assert mad_sigma([*values, math.inf]) < 2 * mad_sigma(values)
    assert mad_sigma([0.0, math.inf]) == math.inf
    assert mad_sigma([1.0]) == math.inf
    assert mad_sigma([1.0, 1.0, 1.0]) == 0.0


@pytest.mark.parametrize(("variants", "factor"), [(2, 2.46), (3, 2.81), (9, 3.43), (14, 3.62)])
def test_more_comparisons_take_a_larger_quantile(variants: int, factor: float) -> None:
    """The factor is 2.46 for two variants, and grows with their number by the quantile of their confidence."""
    found = width_factor(family_confidence(variants - 1))
    quantile = NormalDist().inv_cdf(1 - 0.05 / (2 * (variants - 1)))
    assert found == pytest.approx(quantile * math.sqrt(math.pi / 2), rel=1e-9)
    assert round(found, 2) == factor


@pytest.mark.parametrize("variants", [2, 9])
def test_so_many_rounds_give_the_half_width_that_was_wanted(variants: int) -> None:
    """Intervals of the planned number of normal rounds have about the wanted half-width on average."""
    confidence, sigma, wanted = family_confidence(variants - 1), 0.06, 0.01
    count = rounds_for_half_width(sigma, wanted, confidence)
    assert count == math.ceil((width_factor(confidence) * sigma / wanted) ** 2)
    r, _ = interval_rank(count, confidence)
    rows = np.sort(np.random.default_rng(1).normal(0, sigma, size=(400, count)), axis=1)
    assert np.mean(rows[:, count - r] - rows[:, r - 1]) / 2 == pytest.approx(wanted, rel=0.05)


def test_never_fewer_rounds_than_an_interval_takes() -> None:
    """Without noise it still takes the least number of rounds; nonsense is refused."""
    assert rounds_for_half_width(0.0, 0.01) == 6
    assert rounds_for_half_width(0.001, 0.1, family_confidence(8)) == 9
    for sigma, half_width in ((0.1, 0.0), (0.1, math.nan), (math.inf, 0.1), (-1.0, 0.1)):
        with pytest.raises(ValueError, match=r"half-width|sigma"):
            rounds_for_half_width(sigma, half_width)


@pytest.mark.parametrize("count", [6, 9, 18, 40])
@pytest.mark.parametrize("distance", [-0.3, 0.0, 0.5, 1.5])
def test_the_chance_that_an_interval_is_clear_is_exact(count: int, distance: float) -> None:
    """For normal values the chance is the one that simulation finds."""
    rows = np.random.default_rng(count).normal(distance, 1.0, size=(20_000, count))
    assert chance_clear(count, distance, 0.95) == pytest.approx(clear(rows, 0.0, 0.95), abs=0.012)


def test_too_few_rounds_are_never_clear() -> None:
    """Where no interval reaches the confidence nothing is detectable."""
    assert chance_clear(5, 100.0, 0.95) == 0.0
    assert detectable_effect(5, 0.01, BAND, 0.95) == math.inf
    assert detectable_effect(6, math.inf, BAND, 0.95) == math.inf


@pytest.mark.parametrize("variants", [2, 9])
@pytest.mark.parametrize("count", [10, 24, 60])
def test_the_detectable_effect_is_detected_nine_times_in_ten(count: int, variants: int) -> None:
    """An effect of that size is beyond the band in 90 % of runs; without noise it is the band itself."""
    confidence = family_confidence(variants - 1)
    effect = detectable_effect(count, 0.05, BAND, confidence)
    rows = np.random.default_rng(count).normal(effect, 0.05, size=(10_000, count))
    assert clear(rows, BAND, confidence) == pytest.approx(0.9, abs=0.012)
    assert detectable_effect(count, 0.0, BAND, confidence) == pytest.approx(BAND)


@pytest.mark.parametrize("variants", [2, 9])
@pytest.mark.parametrize("median", [-0.08, -0.035, 0.0, 0.008, 0.03, 0.1])
def test_as_many_rounds_as_are_said_to_decide_do(median: float, variants: int) -> None:
    """The number decides nine times in ten, and half of it clearly less often, whichever the verdict is."""
    confidence, sigma = family_confidence(variants - 1), 0.05
    count = rounds_to_decide(median, sigma, (-BAND, BAND), confidence)
    assert count is not None

    def decided(rounds: int) -> float:
        r, _ = interval_rank(rounds, confidence)
        rows = np.random.default_rng(7).normal(median, sigma, size=(3000, rounds))
        low, high = np.partition(rows, [r - 1, rounds - r], axis=1)[:, [r - 1, rounds - r]].T
        return float(np.mean((high < -BAND) | (low > BAND) | ((low >= -BAND) & (high <= BAND))))

    assert 0.88 < decided(count) < (0.95 if count > 20 else 1)
    if count // 2 >= min_count(confidence):
        assert decided(count // 2) < 0.8


@given(st.floats(-1, 1), st.floats(1e-6, 10), st.sampled_from([0.95, 0.99375]))
def test_what_would_decide_is_a_number_or_cannot_be_told(
    median: float, sigma: float, confidence: float
) -> None:
    """The answer is never below the least number of rounds nor beyond what is worth saying."""
    count = rounds_to_decide(median, sigma, (-BAND, BAND), confidence)
    assert count is None or min_count(confidence) <= count <= MAX_ROUNDS


def test_a_difference_on_the_edge_cannot_be_told() -> None:
    """Where the truth seems to be on the edge of the band, or nothing is known of it, no number decides."""
    assert rounds_to_decide(BAND, 0.05, (-BAND, BAND), 0.95) is None
    assert rounds_to_decide(BAND + 1e-9, 0.05, (-BAND, BAND), 0.95) is None
    assert rounds_to_decide(math.inf, 0.05, (-BAND, BAND), 0.95) is None
    assert rounds_to_decide(0.0, math.inf, (-BAND, BAND), 0.95) is None
    assert rounds_to_decide(0.5, 0.0, (-BAND, BAND), 0.95) == 6


def run(value: float | None) -> Run:
    return Run(round=0, attempt=0, name="", error="boom" if value is None else None, value_s=value)


def test_the_pilot_says_how_each_variant_varies() -> None:
    """Noise is that of the ratios, so that what rounds share drops out; failures and too few rounds are left out."""
    scales = [1.0, 5.0, 2.0, 9.0]
    ratios = [1.0, 1.1, 1.2, 1.3]
    rounds = [
        {
            "base": run(scale),
            AA_CONTROL: run(scale),
            "steady": run(3 * scale),
            "noisy": run(ratio * scale),
            "failing": run(None if i else scale),
        }
        for i, (scale, ratio) in enumerate(zip(scales, ratios, strict=True))
    ]
    sigmas = pilot_sigmas("base", rounds)
    assert list(sigmas) == ["steady", "noisy"]
    assert sigmas["steady"] == pytest.approx(0.0, abs=1e-12)
    assert sigmas["noisy"] == pytest.approx(mad_sigma(np.log(ratios)))


def test_a_pilot_of_the_baseline_alone_varies_as_its_copy_does() -> None:
    """Where there is no other variant the noise of the second copy plans the run."""
    rounds = [{"base": run(1.0), AA_CONTROL: run(value)} for value in (1.0, 1.1, 0.9)]
    assert list(pilot_sigmas("base", rounds)) == [AA_CONTROL]
    assert pilot_sigmas("base", []) == {}
