"""Times to targets: a miss is infinite, never a number that is made up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from workbench.bench.analysis.targets import steps_to_target, target_figures, time_to_target
from workbench.bench.results.lines import Run

INF = math.inf


def run(*values: float, step: float = 1.0, start: bool = False, steps: bool = True) -> Run:
    """Return a run whose curve has a value at the end of each step, and one before where it starts with it."""
    first = 0 if start else 1
    count = len(values) - (1 - first)
    curve = [(step * (i + first), value) for i, value in enumerate(values)]
    return made(step, curve, [step] * count if steps else [])


def made(value_s: float, curve: Sequence[tuple[float, float]], steps_s: Sequence[float]) -> Run:
    fields = {"value_s": value_s, "curve": tuple(curve), "steps_s": tuple(steps_s)}
    return Run(round=0, attempt=0, name="a", error=None, **fields)


def test_the_time_is_that_of_the_first_point_that_is_there() -> None:
    """A curve that comes back up has been there; one that never was, and a run that failed, take for ever."""
    assert time_to_target(run(1.0, 0.1, 0.9, 0.05), 0.1) == 2.0
    assert time_to_target(run(1.0, 0.2), 0.1) == INF
    assert time_to_target(run(), 0.1) == INF
    assert time_to_target(None, 0.1) == INF


def test_steps_are_counted_however_the_curve_is_sampled() -> None:
    """Points at the end of each step, with one before them, or at any other times give the same count."""
    values = (1.0, 0.5, 0.1, 0.01)
    assert steps_to_target(run(*values), 0.1) == 3
    assert steps_to_target(run(*values, start=True), 0.1) == 2
    assert steps_to_target(run(*values, start=True), 2.0) == 0
    thinned = made(1.0, [(1.0, 1.0), (3.0, 0.1)], [1.0] * 4)
    assert steps_to_target(thinned, 0.1) == 3
    within = made(1.0, [(0.0, 9.0), (2.5, 0.1), (4.0, 0.1)], [1.0] * 4)
    assert steps_to_target(within, 0.1) == 3
    assert steps_to_target(within, 10.0) == 0
    assert steps_to_target(run(*values, steps=False), 0.1) == INF
    assert steps_to_target(run(1.0), 0.1) == INF
    assert steps_to_target(None, 0.1) == INF


def test_misses_on_one_side_count_and_on_both_do_not() -> None:
    """One-sided misses are infinite in the ratio, two-sided ones are left out of it and in the rates."""
    hit, miss, slow = run(1.0, 0.1), run(1.0, 1.0), run(1.0, 1.0, 1.0, 0.1)
    variant = [slow, miss, hit, miss, None, slow, slow]
    baseline = [hit, hit, miss, miss, hit, hit, hit]
    figures = target_figures(0.1, variant, baseline, 0.95)
    assert figures.times == (4.0, INF, 2.0, INF, INF, 4.0, 4.0)
    assert (figures.hits, figures.rounds) == (4, 7)
    assert 0 < figures.hit_low < 4 / 7 < figures.hit_high < 1
    assert figures.seconds is not None
    assert (figures.seconds.value, figures.seconds.high) == (4.0, INF)
    assert figures.ratio is not None
    assert figures.ratio.count == 6
    assert figures.ratio.value == pytest.approx(2.0)
    assert (figures.ratio.low, figures.ratio.high) == (0.0, INF)


def test_a_target_that_nobody_reached() -> None:
    """There is no ratio, a median time of for ever, and a rate of none."""
    figures = target_figures(1e-9, [run(1.0)] * 6, [run(1.0)] * 6, 0.95)
    assert (figures.ratio, figures.hits, figures.hit_low) == (None, 0, 0.0)
    assert figures.seconds is not None
    assert figures.seconds.value == INF
    assert target_figures(1.0, [run(1.0)], None, 0.95).ratio is None


def test_a_start_on_the_target_takes_no_time() -> None:
    """Where both begin below the target neither is faster; zero seconds break nothing."""
    there = run(0.01, start=True)
    figures = target_figures(0.1, [there] * 6, [there] * 6, 0.95)
    assert figures.ratio is not None
    assert (figures.ratio.value, figures.ratio.low) == (1.0, 1.0)
