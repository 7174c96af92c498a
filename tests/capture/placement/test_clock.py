"""A sampler's clock on the recording's: found from what both saw, to within the error that is stated."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.capture.placement import Clock
from workbench.capture.placement.clock import UNKNOWN_NS, exceeded_by, from_pulses

MS = 1_000_000


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gap_ms", [2, 5, 10])
@pytest.mark.parametrize("regular", [False, True])
def test_the_offset_is_found(run, sampler, regular, gap_ms, seed):
    """Whatever a sampler's phase and gaps, four in five looks are within what is stated, and the others near it."""
    seen = run(sampler(gap_ns=gap_ms * MS, seed=seed, regular=regular), seed=seed + 10)
    assert seen.clock.is_known
    assert seen.clock.changes > 20
    assert seen.clock.error_ns < MS
    assert inside(seen) >= 0.8
    assert inside(seen, 0.5) >= 0.95


def inside(seen, more_ms=0.0):
    """Return the share of looks that were taken when the clock says, within its error and a bit more."""
    more = more_ms * MS
    return np.mean((seen.off_ns <= seen.clock.late_ns + more) & (seen.off_ns >= -seen.clock.early_ns - more))


@pytest.mark.parametrize("changing", [True, False])
@pytest.mark.parametrize("late_ms", [0, 0.2, 1, 4])
@pytest.mark.parametrize("gap_ms", [5, 10])
@pytest.mark.parametrize("regular", [False, True])
def test_the_stated_error_covers_the_differences(run, sampler, regular, gap_ms, late_ms, changing):
    """At least 95 % of the first looks behind a change are no later, and no earlier, than the clock states."""
    made = sampler(gap_ns=gap_ms * MS, late_ns=round(late_ms * MS), regular=regular, seed=3)
    seen = run(made, seconds=20, changing=changing)
    differences = seen.differences()
    assert len(differences) > 100
    assert np.mean(np.abs(differences) <= seen.clock.change_ns) >= 0.95
    # No more is stated than the wait for a look, which is four gaps at random times, what is late, what is unknown.
    wait = 1.3 if regular else 4.5
    assert seen.clock.change_ns <= (wait * gap_ms + 5 * late_ms) * MS + 2 * seen.clock.early_ns


@pytest.mark.parametrize("late_ms", [0.5, 1, 2])
def test_lateness_is_found(run, sampler, late_ms):
    """From looks that show what was open before, how late most of them are is found to within a third."""
    seen = run(sampler(late_ns=round(late_ms * MS), seed=4), seconds=40)
    spread = np.quantile(seen.off_ns, 0.9) - np.quantile(seen.off_ns, 0.1)
    assert seen.clock.late_ns + seen.clock.early_ns == pytest.approx(spread, rel=0.35)


@pytest.mark.parametrize("drift", [50e-6, -50e-6])
@pytest.mark.parametrize("regular", [False, True])
def test_drift_is_found(run, sampler, drift, regular):
    """A clock that loses or wins 50 ppm over a minute, 3 ms, is followed: late looks are as near as early ones."""
    seen = run(sampler(drift=drift, seed=2, regular=regular), seconds=60)
    assert seen.clock.drift == pytest.approx(drift, abs=12e-6)
    assert inside(seen, 0.5) >= 0.95


def test_no_drift_is_made_up(run, sampler):
    """Where the clocks run alike, no drift is stated."""
    assert run(sampler(seed=5), seconds=40).clock.drift == 0


@pytest.mark.parametrize("seed", range(8))
def test_pulses_alone(run, sampler, seed):
    """Where too few changes were seen, pulses tell: no look is earlier than is stated, and most are as late at most."""
    seen = run(sampler(seed=seed), seconds=0.2, shortest_ms=100, longest_ms=120, pulses=8, seed=seed + 20)
    assert seen.clock.is_known
    assert 1 < seen.clock.changes <= 8
    assert seen.clock.early_ns < seen.clock.gap_ns
    assert np.mean(seen.off_ns >= -seen.clock.early_ns - MS) >= 0.95
    assert np.mean(np.abs(seen.off_ns) <= seen.clock.change_ns) >= 0.95


def test_pulses_without_scopes(run, sampler):
    """A program without scopes has the pulses' clock."""
    assert 1 < run(sampler(), scopes=False, seconds=1).clock.changes <= 5


def test_no_pulses(run, sampler):
    """Without any pulse nothing is known of the clock, and it says so."""
    clock = run(sampler(), pulses=0, seconds=1).clock
    assert not clock.is_known
    assert (clock.late_ns, clock.early_ns) == (UNKNOWN_NS, UNKNOWN_NS)


def test_from_pulses():
    """Of pulses that are seen 1, 3 and 2 ms late the first gives the offset; what is missing is no harm."""
    clock = from_pulses(
        [100 * MS, 200 * MS, 300 * MS, 400 * MS], {0: 1 * MS, 1: 103 * MS, 3: 302 * MS}, 5 * MS
    )
    assert clock.offset_ns == 99 * MS
    assert clock.changes == 3
    assert clock.at(np.array([1 * MS])).tolist() == [100 * MS]
    assert from_pulses([1, 2], {}, 5 * MS) == Clock.unknown(5 * MS)
    assert from_pulses([1], {7: 5}, 5 * MS) == Clock.unknown(5 * MS)  # a pulse that was never given


def test_at_with_drift():
    """A clock that loses one in a thousand is a millisecond further on after a second."""
    clock = Clock(5 * MS, 0, 0, MS, drift=1e-3, origin_ns=1000 * MS)
    assert clock.at(np.array([1000 * MS, 2000 * MS])).tolist() == [1005 * MS, 2006 * MS]


@pytest.mark.parametrize("mean_ms", [0.5, 2])
def test_what_nine_in_ten_do_not_exceed(mean_ms):
    """From the samples that show the past, the lateness that one in ten exceeds is found to within a quarter."""
    random = np.random.default_rng(7)
    gap, changes = 5 * MS, 20_000
    behind = random.uniform(0, 4 * gap, 4 * changes)  # of each change: a sample in every gap behind it
    past = behind[random.exponential(mean_ms * MS, len(behind)) > behind].astype(np.int64)
    found = exceeded_by(past, gap / changes, 0.1)
    assert found == pytest.approx(np.log(10) * mean_ms * MS, rel=0.25)


def test_few_that_are_far_off_say_nothing():
    """No lateness is stated where no sample shows the past, or so few that they are fewer than one in ten."""
    assert exceeded_by(np.zeros(0, dtype=np.int64), 5 * MS / 100, 0.1) == 0
    assert exceeded_by(np.array([40 * MS]), 5 * MS / 100, 0.1) == 0
    assert exceeded_by(np.full(50, 2 * MS), 5 * MS / 100, 0.1) == 2 * MS
