"""The gate: an answer where an interval is outside its limit, and no pass where none is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.bench_runs import write_experiment
from workbench.bench.compare.gate import FINE, INCONCLUSIVE, REGRESSION, Limits, judge, worst

LIMITS = Limits(slower=0.05, worse=0.1)
PAIRS = {"one": ("base", "new")}


def runs(seconds: Sequence[float], error: float | None = 1.0) -> list[tuple[float, float | None]]:
    return [(value, error) for value in seconds]


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.2, 1.21, 1.22, 1.2, 1.19, 1.2], REGRESSION),
        ([1.0, 1.01, 0.99, 1.0, 1.02, 1.0], FINE),
        ([0.5] * 6, FINE),
        ([1.04, 1.06, 1.04, 1.04, 1.04, 1.04], INCONCLUSIVE),
        ([1.0, 1.2, 1.0, 1.2, 1.0, 1.2], INCONCLUSIVE),
        ([1.05] * 6, INCONCLUSIVE),
        ([1.5] * 5, INCONCLUSIVE),
        ([1.0] * 5, INCONCLUSIVE),
    ],
)
def test_speed_is_judged_by_its_interval(tmp_path: Path, ratios: list[float], verdict: str) -> None:
    """A regression is an interval above the limit, fine one below; across it, or of too few rounds, is neither."""
    run = write_experiment(tmp_path / "run", {"base": runs([1.0] * len(ratios)), "new": runs(ratios)})
    found = judge(run, PAIRS, LIMITS)
    assert found.verdict == verdict
    assert found.exit_code == {FINE: 0, REGRESSION: 1, INCONCLUSIVE: 3}[verdict]


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        (1.0, 1.0, FINE),
        (1.0, 1.2, FINE),
        (1.0, 1.3, REGRESSION),
        (1.0, 0.1, FINE),
        (0.0, 0.0, FINE),
        (0.0, 1e-30, REGRESSION),
        (1e-30, 0.0, FINE),
        (-1.0, -1.0, FINE),
        (-1.0, -2.0, INCONCLUSIVE),
        (1.0, None, INCONCLUSIVE),
        (None, None, FINE),
    ],
)
def test_quality_is_judged_beside_speed(
    tmp_path: Path, base: float | None, new: float | None, verdict: str
) -> None:
    """The figure may grow by the margin; zero is the best, and what has no ratio is no pass."""
    run = write_experiment(
        tmp_path / "run", {"base": runs([1.0] * 6, base), "new": runs([1.0] * 6, new)}, quality=None
    )
    found = judge(run, PAIRS, LIMITS)
    assert found.verdict == verdict
    assert (found.pairs[0].quality is None) == (base is None)


def test_speed_makes_up_for_no_quality(tmp_path: Path) -> None:
    """Twice as fast at ten times the error does not pass."""
    run = write_experiment(tmp_path / "run", {"base": runs([1.0] * 6), "new": runs([0.5] * 6, 10.0)})
    assert judge(run, PAIRS, LIMITS).verdict == REGRESSION


def test_a_void_session_says_nothing_of_speed(tmp_path: Path) -> None:
    """Where the base differs from itself no speed is judged, and quality is as ever."""
    slow = write_experiment(
        tmp_path / "a", {"base": runs([1.0] * 6), "new": runs([2.0] * 6)}, again=runs([1.2] * 6)
    )
    found = judge(slow, PAIRS, LIMITS)
    assert found.verdict == INCONCLUSIVE
    assert found.note is not None
    assert "void" in found.note
    worse = write_experiment(
        tmp_path / "b", {"base": runs([1.0] * 6), "new": runs([1.0] * 6, 9.0)}, again=runs([1.2] * 6)
    )
    assert judge(worse, PAIRS, LIMITS).verdict == REGRESSION


def test_a_side_that_fails_at_times_is_no_pass(tmp_path: Path) -> None:
    """What failed is in no interval, and so counts by itself: some rounds are inconclusive, all are a regression.

    Rounds in which the base failed as well say nothing.
    """
    base = runs([1.0] * 8)
    some = write_experiment(tmp_path / "a", {"base": base, "new": [*runs([1.0] * 7), "it broke"]})
    assert judge(some, PAIRS, LIMITS).verdict == INCONCLUSIVE
    assert "failed in 1 of 8 rounds" in judge(some, PAIRS, LIMITS).pairs[0].words
    every = write_experiment(tmp_path / "b", {"base": base, "new": ["it broke"] * 8})
    assert judge(every, PAIRS, LIMITS).verdict == REGRESSION
    both = write_experiment(tmp_path / "d", {"base": ["seed", *base], "new": ["seed", *base]})
    assert judge(both, PAIRS, LIMITS).verdict == FINE
    once = write_experiment(tmp_path / "e", {"base": runs([1.0]), "new": ["it broke"]})
    assert judge(once, PAIRS, LIMITS).verdict == INCONCLUSIVE
    others = write_experiment(tmp_path / "c", {"base": ["it broke", *base], "new": runs([1.0] * 9)})
    assert judge(others, PAIRS, LIMITS).verdict == FINE


def test_more_pairs_take_wider_intervals(tmp_path: Path) -> None:
    """With two pairs the intervals hold together: six rounds are enough for one, and not for two."""
    both = {"a base": [1.0] * 6, "a new": [2.0] * 6, "b base": [1.0] * 6, "b new": [1.0] * 6}
    pairs = {"a": ("a base", "a new"), "b": ("b base", "b new")}
    six = write_experiment(tmp_path / "six", {name: runs(values) for name, values in both.items()})
    assert judge(six, pairs, LIMITS).verdict == INCONCLUSIVE
    assert "in 6 values, and 7 are needed" in judge(six, pairs, LIMITS).pairs[0].words
    seven = write_experiment(
        tmp_path / "seven", {name: runs([*values, values[0]]) for name, values in both.items()}
    )
    assert [pair.verdict for pair in judge(seven, pairs, LIMITS).pairs] == [REGRESSION, FINE]
    assert judge(seven, pairs, LIMITS).verdict == REGRESSION


def test_the_verdict_in_json_has_finite_numbers_alone(tmp_path: Path) -> None:
    """An infinite change of quality is null for machines, with its words."""
    run = write_experiment(tmp_path / "run", {"base": runs([1.0] * 6, 0.0), "new": runs([1.0] * 6, 1.0)})
    found = json.loads(json.dumps(judge(run, PAIRS, LIMITS).to_json(), allow_nan=False))
    assert (found["verdict"], found["exit_code"]) == ("regression", 1)
    quality = found["pairs"][0]["quality"]
    assert quality["estimate"]["value"] is None
    assert quality["words"] == "∞× larger error (limit 1.26×) [∞, ∞]"
    assert found["pairs"][0]["speed"]["estimate"]["value"] == 1.0


@given(st.lists(st.sampled_from([FINE, REGRESSION, INCONCLUSIVE]), max_size=5))
def test_several_verdicts_are_as_bad_as_the_worst(verdicts: list[str]) -> None:
    """It is fine only where all are and there is one; one regression is a regression."""
    found = worst(verdicts)
    assert (found == FINE) == (bool(verdicts) and set(verdicts) == {FINE})
    assert (found == REGRESSION) == (REGRESSION in verdicts)
