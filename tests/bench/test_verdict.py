"""A verdict is given where the interval is clear, and nothing is made of what is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from workbench.bench.analysis.verdict import (
    VOID,
    check_session,
    check_words,
    controlled,
    judge_quality,
    judge_speed,
    quality_words,
    speed_words,
)
from workbench.bench.stats.intervals import family_confidence

DELTA, MARGIN = 0.02, 0.1
SPREAD = np.array([0.3, -0.8, 0.1, 1.0, -0.5, 0.7, -0.2, -1.0])
"""Noise of eight rounds without any order: no neighbours are alike, nothing drifts."""


def speed(middle: float, noise: float, confidence: float = 0.95) -> str:
    return judge_speed(middle + noise * SPREAD, DELTA, confidence).kind


@pytest.mark.parametrize(
    ("middle", "noise", "kind"),
    [
        (-0.4, 0.05, "faster"),
        (0.4, 0.05, "slower"),
        (0.0, 0.01, "equivalent"),
        (0.005, 0.01, "equivalent"),
        (0.0, 0.05, "inconclusive"),
        (-0.03, 0.02, "inconclusive"),
        (-0.4, 0.5, "inconclusive"),
    ],
)
def test_speed_is_judged_against_the_band(middle: float, noise: float, kind: str) -> None:
    """Beyond the band is faster or slower, inside is equivalent, and whatever reaches over an end is neither."""
    assert speed(middle, noise) == kind


@pytest.mark.parametrize(("rounds", "kind"), [(5, "inconclusive"), (6, "faster")])
def test_too_few_rounds_give_no_verdict(rounds: int, kind: str) -> None:
    """Five rounds that all say twice as fast are no evidence at 95 %; six are."""
    verdict = judge_speed([-0.7, -0.8, -0.6, -0.7, -0.9, -0.6][:rounds], DELTA, 0.95)
    assert verdict.kind == kind
    if rounds == 5:
        assert verdict.rounds_needed == 6
        assert speed_words(verdict, DELTA, 0.95).startswith("inconclusive: 2.01× faster in 5 rounds")


def test_more_comparisons_take_more_rounds() -> None:
    """Eight rounds are enough for one comparison and too few for eight together."""
    assert speed(-0.4, 0.05) == "faster"
    assert speed(-0.4, 0.05, family_confidence(8)) == "inconclusive"


def test_of_one_round_nothing_is_known() -> None:
    """A single round is inconclusive, with the least number that would not be."""
    verdict = judge_speed([-2.0], DELTA, 0.95)
    assert (verdict.kind, verdict.rounds_needed, verdict.ratio.count) == ("inconclusive", 6, 1)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.001, 0.5))
def test_exchanging_the_runs_exchanges_the_verdict(d: list[float], delta: float) -> None:
    """What is faster one way round is slower the other, and equivalent or inconclusive both ways."""
    there, back = judge_speed(d, delta, 0.95), judge_speed([-each for each in d], delta, 0.95)
    exchanged = {"faster": "slower", "slower": "faster"}
    # Ranks of ties and negations agree, but what is merged is judged by its rounding.
    if there.merged == back.merged == 1:
        assert back.kind == exchanged.get(there.kind, there.kind)
        assert back.ratio.value * there.ratio.value == pytest.approx(1)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_what_is_inconclusive_needs_more_rounds_than_there_were(d: list[float]) -> None:
    """The number that would decide is above the number that did not, or is unknown."""
    verdict = judge_speed(d, DELTA, 0.95)
    if verdict.kind == "inconclusive":
        assert verdict.rounds_needed is None or verdict.rounds_needed > len(d)
    else:
        assert verdict.rounds_needed is None


def test_alike_neighbours_are_merged_and_it_is_said() -> None:
    """Rounds that come in pairs count as half as many, and the sentence says so."""
    verdict = judge_speed(np.repeat(-0.4 + 0.05 * SPREAD, 2), DELTA, 0.95)
    assert (verdict.kind, verdict.merged, verdict.ratio.count) == ("faster", 2, 8)
    assert "neighbouring rounds are alike, so 2 count as one" in speed_words(verdict, DELTA, 0.95)


def test_a_clear_difference_survives_a_drift() -> None:
    """Where the ratio drifts the whole range counts: a twofold difference stands, one of a few per cent does not."""
    drift = np.linspace(-0.05, 0.05, 16)
    clear, small = judge_speed(drift - 0.7, DELTA, 0.95), judge_speed(drift - 0.04, DELTA, 0.95)
    assert (clear.kind, clear.is_alike) == ("faster", True)
    assert (small.kind, small.is_alike, small.rounds_needed) == ("inconclusive", True, None)
    assert "the interval is the whole range" in speed_words(clear, DELTA, 0.95)
    assert "are unknown" in speed_words(small, DELTA, 0.95)


@pytest.mark.parametrize(
    ("middle", "noise", "words"),
    [
        (-0.4, 0.05, "1.50× faster [1.42, 1.57]"),
        (0.4, 0.05, "1.49× slower [1.42, 1.57]"),
        (0.0, 0.01, "equivalent within 2 %: 1.001× faster [1.010× faster, 1.010× slower]"),
        (0.0, 0.1, "inconclusive: 1.005× faster [1.11× faster, 1.11× slower]; needs about 1,100 rounds"),
        (
            -0.03,
            0.02,
            "inconclusive: 1.031× faster [1.010, 1.051], not clearly by more than 2 %; needs about ",
        ),
    ],
)
def test_speed_in_words(middle: float, noise: float, words: str) -> None:
    """A verdict is one clause with the ratio above 1, its interval, and what would decide where nothing did."""
    found = speed_words(judge_speed(middle + noise * SPREAD, DELTA, 0.99), DELTA, 0.99)
    assert found.startswith(words)


def test_a_void_session_leaves_figures_and_no_verdict() -> None:
    """Of a verdict in a void session the ratio stays, and it says why nothing is concluded."""
    verdict = judge_speed(-0.4 + 0.05 * SPREAD, DELTA, 0.95)
    left = controlled(verdict, check_session(0.4 + 0.05 * SPREAD, DELTA))
    assert (left.kind, left.ratio, left.rounds_needed) == ("inconclusive", verdict.ratio, None)
    assert speed_words(left, DELTA, 0.95).startswith(f"inconclusive, {VOID}: 1.50× faster [")


@pytest.mark.parametrize(("noise", "state"), [(0.01, "passed"), (0.3, "too noisy to tell")])
def test_a_control_that_is_too_noisy_leaves_nothing_firm(noise: float, state: str) -> None:
    """The control passes only where its interval is inside the band; else a verdict is said to be not firm."""
    check = check_session(noise * SPREAD, DELTA)
    verdict = controlled(judge_speed(-0.4 + 0.05 * SPREAD, DELTA, 0.95), check)
    assert (check.state, verdict.kind, verdict.is_firm) == (state, "faster", state == "passed")
    words = speed_words(verdict, DELTA, 0.95)
    assert words.startswith("1.50× faster [1.4")
    assert ("not firm: the A/A control is too noisy to tell" in words) == (state != "passed")


def quality(changes: np.ndarray, confidence: float = 0.95) -> str:
    pairs = [(float(10**change) * 1e-3, 1e-3) for change in changes]
    return judge_quality(pairs, MARGIN, confidence).kind


@pytest.mark.parametrize(
    ("middle", "noise", "kind"),
    [
        (1.5, 0.2, "worse"),
        (-1.5, 0.2, "better"),
        (-0.02, 0.01, "better"),
        (0.0, 0.05, "not worse"),
        (0.05, 0.01, "not worse"),
        (0.0, 0.5, "inconclusive"),
        (0.2, 0.15, "inconclusive"),
        (0.1, 0.001, "inconclusive"),
    ],
)
def test_quality_is_judged_against_the_margin(middle: float, noise: float, kind: str) -> None:
    """Not worse takes an interval below the margin, worse one above it, better one below nothing at all."""
    assert quality(middle + noise * SPREAD) == kind


def test_to_the_bit_is_the_same_and_almost_is_not() -> None:
    """Equal figures in every round are the same, zero and negative ones, too; one bit in one round is a change."""
    for figure in (0.1, 0.0, -3.0):
        assert judge_quality([(figure, figure)] * 6, MARGIN, 0.95).kind == "same"
    almost = judge_quality([(0.1, 0.1)] * 6 + [(math.nextafter(0.1, 1), 0.1)], MARGIN, 0.95)
    assert almost.kind == "not worse"
    assert quality_words(almost, 0.95) == "same error: not worse"


@pytest.mark.parametrize(("pair", "kind"), [((0.0, 1e-3), "better"), ((1e-3, 0.0), "worse")])
def test_a_figure_of_zero_differs_infinitely(pair: tuple[float, float], kind: str) -> None:
    """Against an error of zero any other is worse without limit, and nothing breaks over it."""
    verdict = judge_quality([pair] * 7, MARGIN, 0.95)
    assert verdict.kind == kind
    assert f"∞× {'larger' if kind == 'worse' else 'smaller'} error [∞, ∞]" == quality_words(verdict, 0.95)


def test_zeros_here_and_there_are_inconclusive_without_a_number() -> None:
    """Where half of the changes are infinite both ways, no number of rounds is known."""
    verdict = judge_quality([(0.0, 1.0), (1.0, 0.0)] * 4, MARGIN, 0.95)
    assert (verdict.kind, verdict.rounds_needed) == ("inconclusive", None)
    assert "are unknown" in quality_words(verdict, 0.95)


def test_negative_figures_have_no_verdict() -> None:
    """A figure that can be negative has no ratio: there is no verdict, and it says why."""
    verdict = judge_quality([(-1.0, 1.0), (1.0, 2.0)], MARGIN, 0.95)
    assert (verdict.kind, verdict.change) == ("none", None)
    assert (
        quality_words(verdict, 0.95) == "error not judged: the error is negative in 1 round, and has no ratio"
    )


def test_missing_figures_are_said() -> None:
    """Rounds without a figure are left out of the verdict, and counted in its words; none leave nothing."""
    some = judge_quality([(1.0, 1e-3)] * 6, MARGIN, 0.95, missing=2)
    assert (
        quality_words(some, 0.95)
        == "1.0·10³× larger error [1.0·10³, 1.0·10³] (2 rounds without a figure left out)"
    )
    none = judge_quality([], MARGIN, 0.95, missing=2)
    assert (none.kind, none.change) == ("none", None)


@pytest.mark.parametrize(
    ("middle", "noise", "words"),
    [
        (math.log10(29), 0.01, "29× larger error [28.5, 29.5]"),
        (-math.log10(4), 0.01, "4.00× smaller error [3.93, 4.07]"),
        (0.0, 0.5, "error inconclusive: same error [2.51× smaller, 2.51× larger]; needs about 440 rounds"),
        (-0.33, 1.0, "error inconclusive: 2.14× smaller error [13.5× smaller, 2.95× larger]; needs about "),
    ],
)
def test_quality_in_words(middle: float, noise: float, words: str) -> None:
    """A verdict on quality is the factor and the kind; where inconclusive, the interval and what would decide."""
    symmetric = np.array([0.4, -0.8, 0.0, 0.8, -0.4, 0.6, -0.6])
    pairs = [(float(10**change), 1.0) for change in middle + noise * symmetric]
    assert quality_words(judge_quality(pairs, MARGIN, 0.95), 0.95).startswith(words)


def test_few_rounds_are_inconclusive_on_quality() -> None:
    """A thousandfold error in three rounds is no evidence yet."""
    verdict = judge_quality([(1.0, 1e-3), (1.1, 1e-3), (1.2, 1e-3)], MARGIN, 0.95)
    assert verdict.kind == "inconclusive"
    assert quality_words(verdict, 0.95).startswith(
        "error inconclusive: 1.1·10³× larger error in 3 rounds; needs about "
    )


@pytest.mark.parametrize(
    ("middle", "noise", "void", "excludes", "words"),
    [
        (0.2, 0.05, True, True, "more than 2 % apart, so the experiment is void"),
        (-0.2, 0.05, True, True, "more than 2 % apart, so the experiment is void"),
        (0.01, 0.005, False, True, "within 2 %; it excludes 1, as in up to 1 of 20 sound"),
        (
            0.025,
            0.02,
            False,
            True,
            "too noisy to tell whether that is within 2 %, so no verdict on speed is firm; it ex",
        ),
        (0.0, 0.01, False, False, "within 2 %"),
        (0.0, 0.3, False, False, "too noisy to tell"),
    ],
)
def test_the_baseline_against_itself(
    middle: float, noise: float, void: bool, excludes: bool, words: str
) -> None:
    """Outside the band voids the session; excluding 1 alone is mentioned, and voids nothing."""
    check = check_session(middle + noise * SPREAD, DELTA)
    assert (check.void, check.excludes_one) == (void, excludes)
    assert words in check_words(check)


@pytest.mark.parametrize("d", [[], [0.5] * 5])
def test_too_few_rounds_void_nothing(d: list[float]) -> None:
    """Where there is no interval of 95 % the check says so, whatever the rounds look like."""
    check = check_session(d, DELTA)
    assert (check.void, check.excludes_one) == (False, False)
    assert "6 are needed" in check_words(check) or "no round has both" in check_words(check)


@pytest.mark.parametrize("count", [6, 12, 18])
def test_exclusions_over_sound_sessions_pass_their_own_test(count: int) -> None:
    """Of 400 sound sessions so few exclude 1 that the binomial test finds nothing, and 1 in 20 or fewer are void."""
    rng = np.random.default_rng(count)
    checks = [check_session(rng.standard_t(3, size=count) * 0.05, DELTA) for _ in range(400)]
    exclusions = sum(check.excludes_one for check in checks)
    assert stats.binomtest(exclusions, len(checks), 0.05, alternative="greater").pvalue > 0.05
    assert np.mean([check.void for check in checks]) <= 0.05
