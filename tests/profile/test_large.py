"""Profiles that are deep, or large: every function goes through them, and none recurses."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.random_profiles import deep_profile
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    MeasuredScopeCost,
    Profile,
    RecordingFacts,
    Spans,
    Stacks,
    Track,
    aggregate,
    between,
    difference,
    durations,
    scope_overhead,
    scope_table,
    scope_totals,
    thin,
    time_inside,
)

DEPTH = 100_000


@pytest.mark.proof
@pytest.mark.parametrize("names", [1, DEPTH])
def test_a_hundred_thousand_frames(names):
    """A stack of 100,000 frames, of one function or of as many, goes through every function."""
    profile = deep_profile(DEPTH, names).check()
    tree = aggregate(profile, of="spans", percentiles=True)
    assert tree.all_ns == 3 * DEPTH
    assert not difference(tree, tree, normalised=True).total_ns.any()
    assert len(scope_table(profile)) == len(scope_totals(profile)) == names
    assert len(between(profile, 0, 10).check().tracks[0].spans) == 10
    thinned = thin(profile, 10).check()
    assert np.array_equal(aggregate(thinned, of="spans").self_ns, tree.self_ns)
    assert time_inside(profile, "f0", within=["f0"]) == (3 * DEPTH,) * 2
    assert len(durations(profile, "f0")) == DEPTH // names
    cost = MeasuredScopeCost(1, inside_ns=1, parent_ns=2)
    overhead = scope_overhead(replace(profile, recording=RecordingFacts(scope_costs=(cost,))))
    assert overhead["f0"] == 2 * DEPTH - 1


def million(tracks: int, spans: int) -> Profile:
    """Return a profile of steps with three calls each, some of them propagated along, on so many tracks."""
    frames = tuple(Frame(name, kind=FrameKind.SCOPE) for name in ("step", "jacobian", "tanh", "solve"))
    stacks = Stacks(np.array([ROOT, 0, 1, 0], np.int32), np.arange(4, dtype=np.int32))
    steps = spans // 4
    begin = np.arange(steps, dtype=np.int64)[:, None] * 1000
    start, end = begin + np.array([0, 10, 20, 600]), begin + np.array([990, 500, 300, 900])
    made = Spans(
        np.tile(np.arange(4, dtype=np.int32), steps),
        start.ravel(),
        end.ravel(),
        np.zeros(4 * steps, dtype=np.bool_),
        np.tile([False, True, False, False], steps),
        {"flops": np.tile([np.nan, np.nan, 8.0, np.nan], steps)},
    )
    every = tuple(Track(f"worker {i}", 1, i, spans=made) for i in range(tracks))
    return Profile("large", frames, stacks, every, 0, int(end[-1, 0]))


def test_memory_of_many_spans():
    """Checking and adding up half a million spans takes a few times the room of their columns, not of objects."""
    profile = million(tracks=2, spans=250_000)
    columns = 2 * 250_000 * (4 + 8 + 8 + 1 + 1 + 8)
    for function in (
        Profile.check,
        lambda p: aggregate(p, of="spans", percentiles=True),
        scope_table,
        lambda p: between(p, 1000, 50_000_000),
        lambda p: thin(p, 1200),
    ):
        tracemalloc.start()
        function(profile)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 4 * columns


def test_a_large_profile_is_thinned():
    """A quarter of a million short spans on 1200 pixels are a few thousand, with the same times."""
    profile = million(tracks=1, spans=250_000)
    small = thin(profile, 1200).check()
    assert len(small.tracks[0].spans) <= 1200 * 4 * 2
    before, after = aggregate(profile, of="spans"), aggregate(small, of="spans")
    assert np.array_equal(before.self_ns, after.self_ns)
    assert [row.gflops for row in scope_table(small)] == [row.gflops for row in scope_table(profile)]
