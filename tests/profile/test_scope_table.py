"""The table of scopes, and percentiles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles
from workbench.errors import InvalidInputError
from workbench.profile import (
    Frame,
    FrameKind,
    MeasuredScopeCost,
    ProfileBuilder,
    RecordingFacts,
    SpanRecord,
    aggregate,
    scope_overhead,
    scope_table,
    scope_totals,
)
from workbench.profile._aggregate import nearest_ranks


def nearest_rank(values, share):
    """Return the least value that so many per cent do not exceed, by its definition."""
    return next(v for v in sorted(values) if 100 * sum(w <= v for w in values) >= share * len(values))


def calls_by(profile, key):
    """Return [(duration, unfinished, numbers)] of the calls of each key of a stack, one by one."""
    found = {}
    for track in profile.tracks:
        spans = track.spans
        for i in range(len(spans) if spans is not None else 0):
            if spans.propagated is None or not spans.propagated[i]:
                numbers = {name: float(column[i]) for name, column in spans.work.items()}
                row = int(spans.end_ns[i] - spans.start_ns[i]), bool(spans.unfinished[i]), numbers
                found.setdefault(key(int(spans.stack[i])), []).append(row)
    return found


def rate(calls, number):
    stated = [(d, w[number]) for d, _, w in calls if math.isfinite(w.get(number, math.nan))]
    duration = sum(d for d, _ in stated)
    return sum(w for _, w in stated) / duration if duration else None


@given(data=st.data())
def test_the_table_is_made_of_the_calls(data):
    """Every column of every row is what the calls of its name say, taken one by one."""
    profile = data.draw(rich_profiles())
    costs = data.draw(st.sampled_from([(), (MeasuredScopeCost(1, inside_ns=4, parent_ns=10),)]))
    profile = replace(profile, recording=RecordingFacts(scope_costs=costs))
    table = scope_table(profile)
    calls = calls_by(profile, lambda stack: profile.frames[profile.stacks.frame[stack]].name)
    totals, overhead = scope_totals(profile), scope_overhead(profile)
    assert [row.total_ns for row in table] == sorted((row.total_ns for row in table), reverse=True)
    assert sorted(row.name for row in table) == sorted(calls)
    for row in table:
        durations = [duration for duration, _, _ in calls[row.name]]
        assert (row.calls, row.max_ns) == (len(durations), max(durations))
        assert row.mean_ns == pytest.approx(sum(durations) / len(durations))
        for share in (50, 95, 99):
            assert getattr(row, f"p{share}_ns") == nearest_rank(durations, share)
        assert row.unfinished == sum(unfinished for _, unfinished, _ in calls[row.name])
        assert (row.total_ns, row.self_ns) == (totals[row.name].total_ns, totals[row.name].self_ns)
        assert row.gflops == pytest.approx(rate(calls[row.name], "flops"))
        assert row.gbytes_per_s == pytest.approx(rate(calls[row.name], "bytes"))
        assert row.overhead_ns == overhead.get(row.name)


@given(data=st.data())
def test_percentiles_of_each_stack(data):
    """With percentiles, a tree has those of the calls of each stack, and -1 where there was no call."""
    profile = data.draw(rich_profiles())
    tree = aggregate(profile, of="spans", percentiles=True)
    calls = calls_by(profile, lambda stack: stack)
    for column, share in ((tree.p50_ns, 50), (tree.p95_ns, 95)):
        for stack, found in enumerate(column.tolist()):
            durations = [duration for duration, _, _ in calls.get(stack, [])]
            assert found == (nearest_rank(durations, share) if durations else -1)


def test_trees_without_percentiles():
    """They are made where they are asked for, and never of samples."""
    profile = ProfileBuilder("test").build()
    assert aggregate(profile, of="spans").p50_ns is None
    assert aggregate(profile, of="samples", percentiles=True).p95_ns is None
    assert scope_table(profile) == []


def test_trees_of_nothing_known():
    """What a tree is to be of is checked."""
    with pytest.raises(InvalidInputError, match="'span'"):
        aggregate(ProfileBuilder("test").build(), of="span")


def test_rates():
    """10⁶ operations in 2 µs are 500 GFLOP/s, and calls that state none do not count."""
    builder = ProfileBuilder("test")
    records = [SpanRecord(s, e, 0, Frame("f", kind=FrameKind.SCOPE)) for s, e in ((0, 2000), (3000, 9000))]
    spans = replace(builder.spans(records), work={"flops": np.array([1e6, np.nan])})
    builder.add_track("main", pid=1, tid=1, spans=spans)
    (row,) = scope_table(builder.build())
    assert (row.gflops, row.gbytes_per_s) == (500.0, None)


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.one_of(st.integers(0, 9), st.integers(0, 2**62)))),
    share=st.integers(1, 100),
)
def test_ranks_of_any_durations(rows, share):
    """Percentiles are by their definition for any durations, however long, and in any number of parts."""
    half = len(rows) // 2
    parts = [
        (np.array([g for g, _ in part], dtype=np.int32), np.array([d for _, d in part], dtype=np.int64))
        for part in (rows[:half], rows[half:])
    ]
    (found,) = nearest_ranks(parts, 6, (share,))
    for group in range(6):
        values = [duration for g, duration in rows if g == group]
        assert found[group] == (nearest_rank(values, share) if values else -1)
