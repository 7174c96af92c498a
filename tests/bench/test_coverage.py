"""What intervals and verdicts promise, by simulation with a known truth.

Each test runs small in `make test`, and with 10,000 runs in `make proof`; what docs/statistics.md says of coverage and
error rates is what the long ones assert.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from workbench.bench.analysis.memory import MemoryVerdict, judge_memory
from workbench.bench.analysis.power import mad_sigma, rounds_to_decide
from workbench.bench.analysis.verdict import check_session, judge_quality, judge_speed
from workbench.bench.run.plan import for_precision, orders, pilot_rounds
from workbench.bench.stats.dependence import independent
from workbench.bench.stats.intervals import (
    family_confidence,
    interval_rank,
    median_interval,
    min_count,
)

Floats = NDArray[np.float64]
Sampler = Callable[[np.random.Generator, tuple[int, ...]], Floats]

DISTRIBUTIONS: dict[str, tuple[Sampler, float]] = {
    "normal": (lambda rng, shape: rng.normal(size=shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(size=shape), math.log(2)),
    "lognormal": (lambda rng, shape: rng.lognormal(size=shape), 1.0),
    "t, two degrees of freedom": (lambda rng, shape: rng.standard_t(2, size=shape), 0.0),
    "Cauchy": (lambda rng, shape: rng.standard_cauchy(size=shape), 0.0),
}
"""How to draw values, and the true median."""
FULL = 10_000
DELTA, MARGIN = 0.02, 0.1


def trials_of(quick: int) -> pytest.MarkDecorator:
    """Parametrise a test by its number of trials: few, and 10,000 where promises are proved."""
    full = pytest.param(FULL, marks=[pytest.mark.proof, pytest.mark.timeout(1800)])
    return pytest.mark.parametrize("trials", [quick, full])


def slack(trials: int, rate: float) -> float:
    """Return three standard errors of a rate for a quick test; a full one has none."""
    return 0.0 if trials >= FULL else 3 * math.sqrt(rate * (1 - rate) / trials)


def rng_of(*seed: object) -> np.random.Generator:
    """Return a generator for one case of a test."""
    return np.random.default_rng(list(repr(seed).encode()))


def share(found: list[bool]) -> float:
    return float(np.mean(found))


def holds(rows: Floats, truth: float, confidence: float = 0.95) -> float:
    """Return how often the interval of a run's rounds holds the truth, with neighbours merged as in an analysis."""
    intervals = [independent(row, confidence).interval(confidence) for row in rows]
    return share([each.low <= truth <= each.high for each in intervals])


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> Floats:
    """Return rows of normal values of which each hangs on the one before."""
    noise = rng.normal(size=shape)
    for i in range(1, shape[1]):
        noise[:, i] = correlation * noise[:, i - 1] + math.sqrt(1 - correlation**2) * noise[:, i]
    return noise


@trials_of(300)
@pytest.mark.parametrize("rounds", [6, 12, 18, 40])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_hold_the_truth(name: str, rounds: int, trials: int) -> None:
    """Of independent rounds, the 95 % interval holds the true median in 94 % of runs or more, whatever they vary by."""
    draw, truth = DISTRIBUTIONS[name]
    assert holds(draw(rng_of(name, rounds), (trials, rounds)), truth) >= 0.94 - slack(trials, 0.94)


@trials_of(100)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_of_eight_comparisons_hold_together(name: str, trials: int) -> None:
    """All eight intervals against one baseline hold in 94 % of runs or more, though they share the baseline."""
    draw, _ = DISTRIBUTIONS[name]
    runs = draw(rng_of(name, "together"), (trials, 9, 10))
    confidence = family_confidence(8)
    held = [
        all(
            (found := independent(run - of_run[0], confidence).interval(confidence)).low <= 0 <= found.high
            for run in of_run[1:]
        )
        for of_run in runs
    ]
    assert share(held) >= 0.94 - slack(trials, 0.94)


@trials_of(300)
@pytest.mark.parametrize("trend", [0.5, 2.0, 8.0])
def test_intervals_hold_while_the_ratio_drifts(trend: float, trials: int) -> None:
    """Where a ratio drifts by up to eight times its noise, the interval holds the median over the session."""
    rounds = 18
    noise = rng_of("drift", trend).normal(size=(trials, rounds))
    assert holds(noise + trend * np.linspace(-0.5, 0.5, rounds), 0.0) >= 0.94 - slack(trials, 0.94)


@trials_of(300)
@pytest.mark.parametrize("variants", [2, 9])
def test_a_machine_that_drifts_favours_no_run(variants: int, trials: int) -> None:
    """Where the machine slows down run by run, whole squares of orders leave intervals that hold."""
    runs = variants + 1
    rounds = pilot_rounds(runs) * (2 if variants == 2 else 1)
    rng = rng_of("machine", variants)
    d = np.empty((trials, rounds))
    for trial in range(trials):
        order = orders(runs, rng)
        for number in range(rounds):
            turn = next(order)
            d[trial, number] = turn.index(1) - turn.index(0)
    assert holds(0.5 * d + rng.normal(size=d.shape), 0.0) >= 0.94 - slack(trials, 0.94)


@trials_of(200)
@pytest.mark.parametrize("rounds", [48, 96])
@pytest.mark.parametrize("correlation", [0.2, 0.3, 0.5])
def test_merging_neighbours_makes_up_for_dependence(correlation: float, rounds: int, trials: int) -> None:
    """Where rounds hang on their neighbours, merging holds the truth more often than not merging, and 90 % at least."""
    rows = autoregressive(rng_of("dependent", correlation, rounds), (trials, rounds), correlation)
    bare = share([(found := median_interval(row)).low <= 0 <= found.high for row in rows])
    merged = holds(rows, 0.0)
    assert merged >= bare
    assert merged >= 0.90 - slack(trials, 0.90)


def false_speed(log_times: Floats, confidence: float) -> bool:
    """Return whether any run is called faster or slower than the first, by rounds in the last direction."""
    d = log_times[1:] - log_times[0]
    return any(judge_speed(row, DELTA, confidence).kind in ("faster", "slower") for row in d)


@trials_of(30)
@pytest.mark.parametrize(
    ("variants", "rounds"),
    [(2, 6), (2, 18), *(pytest.param(9, rounds, marks=pytest.mark.proof) for rounds in (10, 20))],
)
@pytest.mark.parametrize("name", ["normal", "exponential", "t, two degrees of freedom"])
def test_equal_runs_are_seldom_called_different(name: str, variants: int, rounds: int, trials: int) -> None:
    """Among equal runs any is called faster or slower in 5 % of sessions or fewer, with two variants or nine."""
    draw, _ = DISTRIBUTIONS[name]
    sessions = draw(rng_of("equal", name, variants, rounds), (trials, variants, rounds))
    confidence = family_confidence(variants - 1)
    wrong = share([false_speed(session, confidence) for session in sessions])
    assert wrong <= 0.05 + slack(trials, 0.05)


def peaks(rng: np.random.Generator, shape: tuple[int, ...], more: int = 0) -> Floats:
    """Return bytes of processes as they are measured: in pages, with a tail of some that have more."""
    pages = 11_000 + rng.normal(0, 25, shape) + rng.exponential(15, shape)
    return 4096.0 * (np.round(pages) + more)


@trials_of(60)
@pytest.mark.parametrize(("variants", "rounds"), [(2, 6), (2, 18), (9, 10)])
def test_equal_peaks_are_seldom_called_different(variants: int, rounds: int, trials: int) -> None:
    """Among equal variants any is called larger or smaller in 5 % of sessions or fewer, without help of the band."""
    sessions = peaks(rng_of("peaks", variants, rounds), (trials, variants, rounds))
    confidence = family_confidence(variants - 1)
    wrong = [any(memory_of(row, runs[0], 1e-6, confidence).differs for row in runs[1:]) for runs in sessions]
    assert share(wrong) <= 0.05 + slack(trials, 0.05)


@trials_of(200)
@pytest.mark.parametrize("rounds", [6, 18])
def test_a_planted_allocation_is_in_the_interval_of_bytes(rounds: int, trials: int) -> None:
    """64 MiB more are in the interval in 94 % of sessions or more, are always larger, and right within 2 %."""
    rng, more = rng_of("planted", rounds), 64 << 8
    found = [
        memory_of(peaks(rng, (rounds,), more), peaks(rng, (rounds,)), DELTA, 0.95) for _ in range(trials)
    ]
    assert {each.kind for each in found} == {"larger"}
    held = share([each.difference.low <= more << 12 <= each.difference.high for each in found])
    assert held >= 0.94 - slack(trials, 0.94)
    assert max(abs(each.difference.value / (more << 12) - 1) for each in found) < 0.02


def memory_of(own: Floats, base: Floats, delta: float, confidence: float) -> MemoryVerdict:
    found = judge_memory(list(zip(own.astype(int), base.astype(int), strict=True)), delta, confidence, None)
    assert found is not None
    return found


@trials_of(300)
@pytest.mark.parametrize("rounds", [6, 18])
def test_runs_at_the_edge_are_seldom_called_equivalent_or_different(rounds: int, trials: int) -> None:
    """Where the true ratio is at the end of the band, either verdict is given in 5 % of sessions or fewer."""
    rows = math.log1p(DELTA) + 0.004 * rng_of("edge", rounds).normal(size=(trials, rounds))
    kinds = [judge_speed(row, DELTA, 0.95).kind for row in rows]
    assert share([kind == "equivalent" for kind in kinds]) <= 0.05 + slack(trials, 0.05)
    assert share([kind == "slower" for kind in kinds]) <= 0.05 + slack(trials, 0.05)


@trials_of(300)
@pytest.mark.parametrize("rounds", [6, 18])
def test_quality_at_the_margin_is_seldom_called_not_worse(rounds: int, trials: int) -> None:
    """Where the true loss is the margin, "not worse" and "worse" are given in 5 % of sessions or fewer each."""
    changes = MARGIN + 0.2 * rng_of("margin", rounds).standard_t(2, size=(trials, rounds))
    kinds = [
        judge_quality([(float(10**change), 1.0) for change in row], MARGIN, 0.95).kind for row in changes
    ]
    assert share([kind in ("not worse", "better") for kind in kinds]) <= 0.05 + slack(trials, 0.05)
    assert share([kind == "worse" for kind in kinds]) <= 0.05 + slack(trials, 0.05)


@trials_of(60)
@pytest.mark.parametrize("variants", [2, 9])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_number_of_rounds_from_a_pilot_leaves_coverage_as_it_is(
    name: str, variants: int, trials: int
) -> None:
    """Where the first square fixes how many rounds there are, intervals hold the truth in 94 % of runs still."""
    draw, truth = DISTRIBUTIONS[name]
    runs, confidence, rng = variants + 1, family_confidence(variants - 1), rng_of("pilot", name, variants)
    pilot, most = pilot_rounds(runs), 12 * pilot_rounds(runs)
    held, counts = [], set()
    for _ in range(trials):
        d = 0.03 * draw(rng, (variants - 1, most))
        sigmas = {f"variant {i}": mad_sigma(row[:pilot]) for i, row in enumerate(d)}
        rounds, _ = for_precision(runs, most, sigmas, 0.03, confidence)
        counts.add(rounds)
        intervals = [independent(row[:rounds], confidence).interval(confidence) for row in d]
        held.append(all(each.low <= 0.03 * truth <= each.high for each in intervals))
    assert len(counts) > 2  # the pilot did decide
    assert share(held) >= 0.94 - slack(trials, 0.94)


@trials_of(300)
@pytest.mark.parametrize("variants", [2, 9])
@pytest.mark.parametrize("ratio", [1.05, 0.93, 1.003])
def test_as_many_rounds_as_are_said_to_decide_decide(ratio: float, variants: int, trials: int) -> None:
    """With the number of rounds that is said to decide, the right verdict is given about nine times in ten."""
    band, confidence, sigma = math.log1p(DELTA), family_confidence(variants - 1), 0.04
    rounds = rounds_to_decide(math.log(ratio), sigma, (-band, band), confidence)
    assert rounds is not None
    rows = rng_of("power", ratio, variants).normal(math.log(ratio), sigma, size=(trials, rounds))
    expected = "equivalent" if ratio == 1.003 else "slower" if ratio > 1 else "faster"
    right = share([judge_speed(row, DELTA, confidence).kind == expected for row in rows])
    assert 0.87 - slack(trials, 0.9) <= right <= 0.95 + slack(trials, 0.9)


@trials_of(400)
@pytest.mark.parametrize("pilot", [6, 12])
def test_noise_of_a_pilot_plans_rounds_of_about_the_right_number(pilot: int, trials: int) -> None:
    """The number that a pilot's noise plans is right in the middle of many pilots, to a third."""
    rows = rng_of("noise", pilot).normal(size=(trials, pilot))
    planned = np.median([mad_sigma(row) ** 2 for row in rows])
    assert 0.65 <= planned <= 1.35


@trials_of(60)
@pytest.mark.parametrize("rounds", [6, 18])
def test_sound_sessions_pass_over_time(rounds: int, trials: int) -> None:
    """Over forty sound sessions each, the test of exclusions is alarmed in 5 % or fewer, and 5 % or fewer are void."""
    rng = rng_of("sessions", rounds)
    r, _ = interval_rank(rounds, 0.95)
    ordered = np.sort(rng.standard_t(3, size=(trials, 40, rounds)), axis=2)
    excluded = (ordered[..., r - 1] > 0) | (ordered[..., rounds - r] < 0)
    alarms = share((stats.binom.sf(excluded.sum(axis=1) - 1, 40, 0.05) < 0.05).tolist())
    assert alarms <= 0.05 + slack(trials, 0.05)
    checks = [check_session(row, DELTA) for row in rng.standard_t(3, size=(trials, rounds))]
    assert share([check.void for check in checks]) <= 0.05 + slack(trials, 0.05)
    assert share([check.excludes_one for check in checks]) <= 0.05 + slack(trials, 0.05)


def test_a_difference_that_is_there_is_found() -> None:
    """With the least number of rounds, a difference of six times their noise is found in nearly all sessions."""
    for variants in (2, 9):
        confidence = family_confidence(variants - 1)
        rows = rng_of("clear", variants).normal(0.6, 0.1, size=(200, min_count(confidence)))
        assert share([judge_speed(row, DELTA, confidence).kind == "slower" for row in rows]) > 0.97
