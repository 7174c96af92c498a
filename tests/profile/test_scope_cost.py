"""What scopes cost, stated for each scope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.profile import (
    Frame,
    FrameKind,
    MeasuredScopeCost,
    ProfileBuilder,
    RecordingFacts,
    SpanRecord,
    scope_costs,
    scope_overhead,
)

COST = MeasuredScopeCost(1, inside_ns=4, parent_ns=10)


def built(*rows, costs=(COST,), builder=None):
    builder = builder or ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(n, kind=FrameKind.SCOPE)) for s, e, d, n in rows]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    return builder.build(RecordingFacts(scope_costs=tuple(costs))).check()


def test_the_overhead_of_each_scope():
    """A scope has the inner part of its own cost, and the whole cost of each scope in it."""
    profile = built((0, 100, 0, "a"), (10, 60, 1, "b"), (20, 40, 2, "c"), (70, 90, 1, "c"), (75, 80, 2, "c"))
    assert scope_overhead(profile) == {"a": 4 + 4 * 10, "b": 4 + 10, "c": 4 + 4 + 10}


def test_without_stated_costs_nothing_is_added():
    """A profile that states no costs states no overhead."""
    assert scope_overhead(built((0, 9, 0, "a"), costs=())) == {}


@pytest.mark.parametrize(("inside", "parent"), [(None, None), ("x", 1), (9, 3), (1, 1e9)])
def test_costs_that_cannot_be(inside, parent):
    """A log that states no numbers, or impossible ones, states no cost."""
    assert MeasuredScopeCost.of(1, {"inside_ns": inside, "parent_ns": parent}) is None


def test_each_process_has_its_own_cost():
    """The mean of what a process measured counts for it, and the median for one that measured nothing."""
    costs = [COST, COST._replace(inside_ns=6), MeasuredScopeCost(2, 8, 30)]
    found = scope_costs(built((0, 9, 0, "a"), costs=costs))
    assert found[1] == (5, 10)
    assert found[2] == (8, 30)
    assert found[None] == (6, 10)


def test_what_was_carried_has_no_cost_here():
    """A scope that stands for its sender's costs nothing on this track."""
    profile = built((0, 150, 0, "fit"), (20, 120, 1, "outer"), (30, 80, 2, "b"), (40, 60, 3, "c"))
    (track,) = profile.tracks
    spans = replace(track.spans, propagated=np.array([True, False, False, False]))
    overhead = scope_overhead(replace(profile, tracks=(replace(track, spans=spans),)))
    assert overhead == {"outer": 4 + 2 * 10, "b": 4 + 10, "c": 4}
