"""The cost of guards, stated for each scope and taken out of a profile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import random_profiles
from workbench.profile import (
    Counter,
    Frame,
    FrameKind,
    Marks,
    ProfileBuilder,
    SpanRecord,
    guard_costs,
    guard_overhead,
    scope_totals,
    without_guard_cost,
)

COST = {"pid": 1, "inside_ns": 4, "parent_ns": 10}


def built(*rows, costs=(COST,), builder=None):
    builder = builder or ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(n, kind=FrameKind.SCOPE)) for s, e, d, n in rows]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    return builder.build({"guard_costs": list(costs)}).check()


def test_a_known_profile():
    """Two guards in a third: their outer parts leave the parent, and each one's inner part leaves itself."""
    profile = built((0, 100, 0, "outer"), (10, 24, 1, "inner"), (40, 64, 1, "inner"))
    before, after = scope_totals(profile), scope_totals(without_guard_cost(profile).check())
    assert (before["outer"].total_ns, after["outer"].total_ns) == (100, 100 - 4 - 2 * 10)
    assert (before["inner"].total_ns, after["inner"].total_ns) == (38, 38 - 2 * 4)
    assert after["outer"].self_ns == before["outer"].self_ns - 4 - 2 * 6


def test_the_overhead_of_each_scope():
    """What is stated for each scope is what the transform takes away, where there is as much."""
    profile = built((0, 100, 0, "a"), (10, 60, 1, "b"), (20, 40, 2, "c"), (70, 90, 1, "c"))
    overhead = guard_overhead(profile)
    before, after = scope_totals(profile), scope_totals(without_guard_cost(profile))
    for name in before:
        assert overhead[name].total_ns == before[name].total_ns - after[name].total_ns
        assert overhead[name].self_ns == before[name].self_ns - after[name].self_ns


def test_there_is_no_less_than_nothing():
    """Scopes that are shorter than what their guard costs become nothing; the order of all instants stays."""
    profile = built((0, 9, 0, "a"), (1, 8, 1, "b"), (2, 3, 2, "c"), (9, 9, 0, "d"))
    spans = without_guard_cost(profile).check().tracks[0].spans
    assert np.all(spans.end_ns >= spans.start_ns)
    assert spans.end_ns.max() == 0


def test_without_stated_costs_nothing_changes():
    """A profile that states no costs, or strange ones, stays as it is and states no overhead."""
    for costs in ([], [{}], [3], [{"inside_ns": "x", "parent_ns": 1}], [{"inside_ns": 9, "parent_ns": 3}]):
        profile = built((0, 9, 0, "a"), costs=costs)
        assert without_guard_cost(profile) is profile
        assert guard_overhead(profile) == {}
    assert without_guard_cost(replace(profile, facts={})).tracks == profile.tracks


def test_each_process_has_its_own_cost():
    """The mean of what a process measured counts for it, and the median for one that measured nothing."""
    costs = [COST, COST | {"inside_ns": 6}, {"pid": 2, "inside_ns": 8, "parent_ns": 30}]
    found = guard_costs(built((0, 9, 0, "a"), costs=costs))
    assert found[1] == (5, 10)
    assert found[2] == (8, 30)
    assert found[None] == (6, 10)


def test_what_else_a_track_has_moves_along():
    """Samples, counters and marks keep their place between the scopes' instants, and the order they have."""
    profile = built((0, 100, 0, "outer"), (10, 30, 1, "inner"))
    track = profile.tracks[0]
    at = np.array([5, 20, 50, 120])
    builder = ProfileBuilder("x")
    track = replace(
        track,
        samples=builder.samples([0, 0, 0, 0], at.tolist(), [15, 30, 70, 5]),
        counters=(Counter("c", at, at / 2),),
        marks=Marks(at, ("a", "b", "c", "d")),
    )
    (moved,) = without_guard_cost(replace(profile, tracks=(track,), end_ns=125)).check().tracks
    assert moved.counters[0].at_ns.tolist() == moved.marks.at_ns.tolist() == moved.samples.at_ns.tolist()
    outer, inner = zip(moved.spans.start_ns.tolist(), moved.spans.end_ns.tolist(), strict=True)
    assert outer == (0, 86)
    first, second, third, last = moved.marks.at_ns.tolist()
    assert outer[0] < first < inner[0] < second < inner[1] < third < outer[1] < last
    assert last - outer[1] == 20


def test_what_was_carried_has_no_guard_here():
    """A scope that stands for its sender's costs nothing on this track: stated and subtracted are the same."""
    profile = built((0, 150, 0, "fit"), (20, 120, 1, "outer"), (30, 80, 2, "b"), (40, 60, 3, "c"))
    (track,) = profile.tracks
    spans = replace(track.spans, carried=np.array([True, False, False, False]))
    profile = replace(profile, tracks=(replace(track, spans=spans),))
    overhead = guard_overhead(profile)
    before, after = scope_totals(profile), scope_totals(without_guard_cost(profile).check())
    assert before["outer"].total_ns - after["outer"].total_ns == 4 + 2 * 10
    for name in ("outer", "b", "c"):
        assert overhead[name].total_ns == before[name].total_ns - after[name].total_ns


@given(data=st.data())
def test_invariants(data):
    """Nesting, order and names stay on every track, nothing becomes longer, and the first instant stays."""
    before = data.draw(random_profiles())
    inside = data.draw(st.integers(0, 30))
    cost = {"pid": 1, "inside_ns": inside, "parent_ns": inside + data.draw(st.integers(0, 30))}
    before = replace(before, facts={"guard_costs": [cost]})
    after = without_guard_cost(before).check()
    assert after.frames == before.frames
    for old, new in zip(before.tracks, after.tracks, strict=True):
        if old.spans is None or not len(old.spans):
            assert new is old
            continue
        assert np.array_equal(new.spans.stack, old.spans.stack)
        assert new.spans.start_ns[0] == old.spans.start_ns[0]
        lengths = [spans.end_ns - spans.start_ns for spans in (old.spans, new.spans)]
        assert np.all(lengths[1] <= lengths[0])
        assert np.all(lengths[1] >= 0)
        instants = [np.concatenate([spans.start_ns, spans.end_ns]) for spans in (old.spans, new.spans)]
        order = np.argsort(instants[0], kind="stable")
        assert np.all(np.diff(instants[1][order]) >= 0)
        taken = instants[0].max() - instants[1].max()
        assert taken <= len(old.spans) * cost["parent_ns"]


@pytest.mark.parametrize("size", [0, 1])
def test_small_tracks(size):
    """Tracks with no scope, or with one, are no special case."""
    profile = built(*[(5, 50, 0, "a")][:size])
    spans = without_guard_cost(profile).check().tracks[0].spans
    assert spans.end_ns.tolist() == [46][:size]
