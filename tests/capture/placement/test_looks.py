"""When a sampler looked, out of changes alone: how often, with what weight, and when it was held up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.capture.placement.looks import all_stamps, held_up, ticks
from workbench.profile import ROOT, Samples

GAP = 1000


def samples(*rows):
    stack, at, weight = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Samples(stack.astype(np.int32), at, weight)


def test_a_stack_that_stays_is_seen_again():
    """A stack that stays for ten gaps is ten looks, spread up to four gaps before its end; its weight is shared out."""
    found = ticks(samples((3, 500, 10_000)), GAP, np.array([500]))
    assert found.stack.tolist() == [3] * 10
    assert found.at_ns.tolist() == [500 + 6000 * i // 9 for i in range(10)]
    assert found.weight_ns.tolist() == [*np.diff(found.at_ns).tolist(), 4000]


def test_each_change_is_one_look():
    """Where every look finds a change, there are as many looks as changes, however long each was waited for."""
    random = np.random.default_rng(1)
    gaps = random.exponential(GAP, 5000).astype(np.int64) + 1
    at = np.cumsum(gaps) - gaps
    found = ticks(samples(*zip(range(5000), at, gaps, strict=True)), GAP, at)
    assert len(found) - 5000 == max(0, round(gaps.sum() / GAP) - 5000)


@pytest.mark.parametrize(("changes", "least"), [(0.01, 0.93), (0.1, 0.6), (0.9, 0.9)])
def test_the_number_of_looks_is_at_most_the_samplers(changes, least):
    """Of looks at random times that mostly find what was there before, most are found, and no more than there were."""
    random = np.random.default_rng(2)
    at = np.cumsum(random.exponential(GAP, 20_000)).astype(np.int64)
    stack = np.cumsum(random.random(20_000) < changes)
    first = np.flatnonzero(np.diff(stack, prepend=-1))
    weight = np.diff(at[first], append=at[-1] + GAP)
    found = ticks(samples(*zip(stack[first], at[first], weight, strict=True)), GAP, at[first])
    assert least < len(found) / 20_000 < 1.01
    # A stack is shown when it was there: its last look is no later than the true one, but for one in fifty.
    last = np.append(at[first[1:] - 1], at[-1])
    shown = np.searchsorted(first, np.searchsorted(stack, found.stack, side="left"), side="right") - 1
    assert np.mean(found.at_ns > last[shown]) < 0.02


@given(
    st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 20_000)), min_size=1, max_size=40),
    st.integers(1, 5000),
)
def test_weights_add_up(rows, gap):
    """Whatever the changes, the weights of the looks of each add up to its own, and times are in order."""
    at = np.cumsum([0, *(weight for _, weight in rows[:-1])])
    made = samples(*((stack, start, weight) for (stack, weight), start in zip(rows, at, strict=True)))
    found = ticks(made, gap, np.unique(at))
    there = made.stack != ROOT
    assert len(found) >= there.sum()
    assert (found.weight_ns >= 0).all()
    assert (np.diff(found.at_ns) >= 0).all()
    for stack in range(6):
        assert found.weight_ns[found.stack == stack].sum() == made.weight_ns[made.stack == stack].sum()
    assert set(made.at_ns[there].tolist()) <= set(found.at_ns.tolist())


def stalled():
    """Return stamps: one in each gap, then none for twenty gaps, then at once five that were missed."""
    return np.array([0, 1000, 2000, 22_000, 22_050, 22_100, 22_150, 22_200, 23_200])


@pytest.mark.parametrize("hours", [1, 30, 300])
def test_a_thread_that_waits_for_hours(hours):
    """However long one stack stays, its looks stand in time order, and their weights add up to its time."""
    gap, weight = 10_000_000, hours * 3600 * 10**9
    found = ticks(samples((3, 500, weight)), gap, np.array([500]))
    assert len(found) == weight // gap
    assert np.all(np.diff(found.at_ns) > 0)
    assert found.weight_ns.min() > 0
    assert int(found.weight_ns.sum()) == weight


def test_what_is_seen_after_a_stall_may_be_old():
    """The first stamp behind a stall may be as late as the stall was long; all others are as usual."""
    assert held_up(stalled(), GAP, stalled()).tolist() == [0, 0, 0, 20_000, 0, 0, 0, 0, 0]
    assert held_up(np.array([22_000, 22_001]), GAP, stalled()).tolist() == [20_000, 0]


def test_long_gaps_are_no_stalls():
    """Where nothing was stamped for long and no burst follows, nothing had changed: that is no stall."""
    stamps = np.array([0, 1000, 21_000, 22_000, 42_000, 42_300, 43_300])
    assert not held_up(stamps, GAP, stamps).any()
    assert held_up(np.array([5]), GAP, np.zeros(0, dtype=np.int64)).tolist() == [0]


def test_random_gaps_are_seldom_taken_for_stalls():
    """Of looks at random times fewer than one in fifty is taken for one behind a stall."""
    stamps = np.cumsum(np.random.default_rng(3).exponential(GAP, 20_000)).astype(np.int64)
    assert np.mean(held_up(stamps, GAP, stamps) > 0) < 0.02


def test_a_stall_is_no_looks():
    """A stack that stayed for no reason but that nobody looked is one look, and another that stayed gets them."""
    changes = samples(
        (0, 0, 1000), (1, 1000, 1000), (2, 2000, 20_000), (3, 22_000, 50), (4, 22_050, 50), (5, 22_100, 9900)
    )
    stamps = np.array([0, 1000, 2000, 22_000, 22_050, 22_100])
    found = ticks(changes, GAP, stamps)
    assert np.bincount(found.stack)[:5].tolist() == [1, 1, 1, 1, 1]
    assert found.weight_ns.sum() == changes.weight_ns.sum()


def test_all_stamps(program):
    """The stamps are those of all threads and processes, each once."""
    one, two = program.thread(tid=1), program.thread(tid=2, pid=2)
    one.looks += [(1, "main:3"), (3, "main:4")]
    two.looks += [(2, "main:3"), (3, "main:4")]
    assert all_stamps(program.sampled).tolist() == [1_000_000, 2_000_000, 3_000_000]
