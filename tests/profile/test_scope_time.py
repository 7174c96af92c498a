"""What threads did inside a scope: on a processor, waiting for Python's lock, asleep; with intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.profile import Frame, FrameKind, ProfileBuilder, Samples, ThreadState, scope_samples

PERIOD = 1_000_000
A, B = Frame("a", kind=FrameKind.SCOPE), Frame("b", kind=FrameKind.SCOPE)
PYTHON, NATIVE, LOCK, SLEEPS = (
    ThreadState.PYTHON,
    ThreadState.NATIVE,
    ThreadState.WAITING_FOR_GIL,
    ThreadState.SLEEPING,
)


def profile(*threads):
    """Return a profile of threads, each (scope, state, CPU time in periods) for each tick."""
    builder = ProfileBuilder("x")
    for tid, ticks in enumerate(threads, 1):
        stack = []
        for frame, state, _ in ticks:
            stack.append(builder.stack_of([frame, Frame("f", kind=_kind(state))]))
        samples = Samples(
            np.array(stack, dtype=np.int32),
            PERIOD * np.arange(len(ticks)),
            np.full(len(ticks), PERIOD, dtype=np.int64),
            np.ones(len(ticks), dtype=np.int32),
            np.array([round(cpu * PERIOD) for _, _, cpu in ticks], dtype=np.int64),
            np.array([state for _, state, _ in ticks], dtype=np.uint8),
        )
        builder.add_track(f"t{tid}", pid=1, tid=tid, samples=samples)
    return builder.build().check()


def _kind(state):
    return FrameKind.IDLE if state in (LOCK, SLEEPS) else FrameKind.PYTHON


def test_states_of_a_scope():
    """Of a scope's time its threads computed two fifths, waited for the lock one, and slept two."""
    found = scope_samples(
        profile([(A, PYTHON, 1), (A, NATIVE, 1), (A, LOCK, 0), (A, SLEEPS, 0), (A, SLEEPS, 0)] * 20)
    )["a"]
    assert found.on_processor.share == pytest.approx(2 / 5)
    assert found.waiting_for_lock.share == pytest.approx(1 / 5)
    assert (found.on_processor.samples, found.waiting_for_lock.samples) == (40, 20)
    assert found.waiting_for_lock.low < 1 / 5 < found.waiting_for_lock.high < 2 / 5


def test_where_cpu_time_was_used():
    """A clock that is read between two states tells of both; the state says where the time was used."""
    turns = [(A, PYTHON, 0.5), (B, SLEEPS, 0.5)] * 200
    found = scope_samples(profile(turns))
    assert found["a"].on_processor.share == pytest.approx(1)
    assert found["b"].on_processor.share == 0
    assert 0 < found["b"].on_processor.high < 0.02
    assert found["a"].of_cpu.share == pytest.approx(1)
    assert found["b"].of_cpu.share == 0


def test_threads_that_share_a_processor():
    """Four threads that were ready all the time had half a processor each; one of another had a whole one."""
    shared = [(A, NATIVE, 0.5)] * 300
    found = scope_samples(profile(*[shared] * 4, [(B, NATIVE, 1)] * 300))
    assert found["a"].on_processor.share == pytest.approx(0.5)
    assert found["b"].on_processor.share == pytest.approx(1)
    assert found["b"].of_cpu.share == pytest.approx(1 / 3)


def test_phases_of_a_thread():
    """A processor that was shared in one part of a run was not so in another."""
    found = scope_samples(profile([(A, NATIVE, 0.5)] * 1000 + [(B, NATIVE, 1)] * 1000))
    assert found["a"].on_processor.share == pytest.approx(0.5)
    assert found["b"].on_processor.share == pytest.approx(1)


def test_what_never_was():
    """A scope that never waited for the lock may have done so at three of its ticks."""
    found = scope_samples(profile([(A, PYTHON, 1)] * 300))["a"]
    assert found.waiting_for_lock == (found.waiting_for_lock.__class__)(0, 0.0, 0.0, 3 / 300)


@pytest.mark.parametrize("unknown", ["ticks", "state", "cpu_ns"])
def test_samplers_that_know_less(unknown):
    """Without regular ticks or states nothing is said, and without clocks nothing of the processor."""
    made = profile([(A, PYTHON, 1)] * 10)
    object.__setattr__(made.tracks[0].samples, unknown, None)
    found = scope_samples(made)["a"]
    assert found.on_processor is None
    assert (found.waiting_for_lock is None) == (unknown != "cpu_ns")


@pytest.mark.parametrize("threads", [1, 4])
def test_the_intervals_hold(threads):
    """Over simulated programs both intervals have the true share in at least 93 % of runs."""
    random = np.random.default_rng(11)
    held = {"on_processor": 0, "waiting_for_lock": 0}
    runs, ticks, grid = 150, 400, 50
    kinds = [(A, PYTHON), (A, LOCK), (A, SLEEPS), (B, PYTHON)]
    for run in range(runs):
        length = (0.7, 5.3, 31.0)[run % 3]  # periods for which a thread does one thing
        rows, doing = [], []
        for _ in range(threads):
            ends = np.cumsum(random.uniform(0.5, 1.5, size=int(4 * ticks / length) + 4) * length)
            kind = random.choice(len(kinds), size=len(ends) + 1)
            of_time = kind[np.searchsorted(ends, (np.arange(ticks * grid) + 0.5) / grid)]
            at = np.arange(ticks) * grid + random.integers(0, grid, size=ticks)
            used = np.cumsum(np.isin(of_time, (0, 3)))[at]
            spent = np.diff(used, prepend=0) / grid
            rows.append([(*kinds[of_time[i]], each) for i, each in zip(at, spent, strict=True)])
            doing.append(of_time)
        found = scope_samples(profile(*rows))["a"]
        inside = np.concatenate(doing)
        inside = inside[inside != 3]
        for i, name in enumerate(held):
            share = getattr(found, name)
            held[name] += share.low <= (inside == i).mean() <= share.high
    assert min(held.values()) >= 0.93 * runs, held


def test_what_is_ready_in_one_scope_is_not_of_another():
    """In a scope that seldom runs, but is often ready, a thread has what its clock says, and not of another scope."""
    busy, idle = [(A, NATIVE, 1)] * 3 + [(A, SLEEPS, 0)], [(B, SLEEPS, 0)] * 3 + [(B, NATIVE, 0.04)]
    found = scope_samples(profile(([*busy] * 25 + [*idle] * 25) * 4))
    assert found["a"].on_processor.share == pytest.approx(0.75, abs=0.01)
    assert found["b"].on_processor.share == pytest.approx(0.01, abs=0.004)
