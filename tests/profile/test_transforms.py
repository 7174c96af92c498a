"""Totals, and transforms from one profile to another."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import nested_records, random_profiles, rich_profiles
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    Marks,
    ProfileBuilder,
    SpanRecord,
    aggregate,
    drop_idle,
    keep_tracks,
    samples_only,
    scope_totals,
    time_inside,
)


def scopes(*rows, track="main", builder=None):
    """Return the profile of (start, end, depth, name) on one track."""
    builder = builder or ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(n, kind=FrameKind.SCOPE)) for s, e, d, n in rows]
    builder.add_track(track, pid=1, tid=1, spans=builder.spans(records))
    return builder.build().check()


@given(data=st.data())
def test_self_and_children_are_the_total(data):
    """In a stack tree self time plus the children's totals is the total, and all of it is all time seen."""
    profile = data.draw(random_profiles()).check()
    for of in ("spans", "samples"):
        tree = aggregate(profile, of=of)
        children = np.zeros_like(tree.total_ns)
        inner = profile.stacks.parent != ROOT
        np.add.at(children, profile.stacks.parent[inner], tree.total_ns[inner])
        assert np.array_equal(tree.total_ns, tree.self_ns + children)
        assert np.all(tree.self_ns >= 0)
        assert tree.all_ns == int(tree.self_ns.sum())
        seen = [getattr(track, of) for track in profile.tracks]
        if of == "samples":
            assert tree.all_ns == sum(int(s.weight_ns[s.stack != ROOT].sum()) for s in seen if s is not None)
        assert int(tree.count.sum()) == sum(int((s.stack != ROOT).sum()) for s in seen if s is not None)


@given(data=st.data())
def test_a_span_tree_is_the_time_of_the_outermost_spans(data):
    """All time in the tree of one track's spans is that of the spans which stand in no other."""
    records = data.draw(nested_records())
    builder = ProfileBuilder("test")
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    tree = aggregate(builder.build().check(), of="spans")
    assert builder.misnested == 0
    assert tree.all_ns == sum(r.end_ns - r.start_ns for r in records if r.depth == 0)


def test_totals_of_scopes():
    """Calls, total and self time of each scope, the longest first, over all tracks."""
    builder = ProfileBuilder("test")
    scopes((0, 100, 0, "fit"), (10, 30, 1, "solve"), (40, 50, 1, "solve"), builder=builder)
    profile = scopes((0, 7, 0, "solve"), track="other", builder=builder)
    totals = scope_totals(profile)
    assert list(totals) == ["fit", "solve"]
    assert (totals["fit"].calls, totals["fit"].total_ns, totals["fit"].self_ns) == (1, 100, 70)
    assert (totals["solve"].calls, totals["solve"].total_ns, totals["solve"].self_ns) == (3, 37, 37)


def test_recursion_is_counted_once():
    """A scope inside itself, directly or not, adds to the calls and not again to the total."""
    profile = scopes((0, 100, 0, "f"), (10, 90, 1, "g"), (20, 80, 2, "f"), (30, 40, 3, "f"))
    totals = scope_totals(profile)
    assert (totals["f"].calls, totals["f"].total_ns, totals["f"].self_ns) == (3, 100, 20 + 50 + 10)
    assert (totals["g"].calls, totals["g"].total_ns, totals["g"].self_ns) == (1, 80, 20)
    assert sum(t.self_ns for t in totals.values()) == 100


def test_time_inside():
    """Time of a scope within others: the outermost of each counts, on every track, and nothing else."""
    builder = ProfileBuilder("test")
    scopes(
        (0, 100, 0, "epoch"),
        (10, 60, 1, "jacobian"),
        (20, 50, 2, "tanh"),
        (30, 40, 3, "tanh"),
        (65, 70, 1, "tanh"),
        (110, 120, 0, "tanh"),
        builder=builder,
    )
    profile = scopes((0, 8, 0, "jacobian"), (1, 3, 1, "tanh"), track="worker", builder=builder)
    assert time_inside(profile, "tanh", within=["jacobian"]) == (30 + 2, 50 + 8)
    assert time_inside(profile, "tanh", within=["epoch", "jacobian"]) == (30 + 5 + 2, 100 + 8)
    assert time_inside(profile, "tanh", within=["tanh"]) == (30 + 5 + 10 + 2,) * 2
    assert time_inside(profile, "epoch", within=["jacobian"]) == (0, 58)
    assert time_inside(profile, "nothing", within=["nowhere"]) == (0, 0)


@given(data=st.data())
def test_dropping_idle_time_keeps_time(data):
    """`drop_idle` empties samples of waiting threads and nothing else: every time and every span stays."""
    before = data.draw(random_profiles())
    after = drop_idle(before).check()
    waits = {
        i for i in range(len(before.stacks)) if before.frames[before.stacks.frame[i]].kind is FrameKind.IDLE
    }
    kept = {(t.pid, t.tid): t for t in after.tracks}
    for track in before.tracks:
        left = kept.get((track.pid, track.tid))
        if left is None:
            assert track.spans is None
            assert all(s == ROOT or s in waits for s in track.samples.stack.tolist())
            continue
        assert left.spans is track.spans
        if track.samples is not None:
            assert np.array_equal(left.samples.at_ns, track.samples.at_ns)
            assert np.array_equal(left.samples.weight_ns, track.samples.weight_ns)
            expected = [ROOT if s in waits else s for s in track.samples.stack.tolist()]
            assert left.samples.stack.tolist() == expected


@given(data=st.data())
def test_parts_of_a_profile(data):
    """Samples alone are what they were, and tracks without any are left out."""
    profile = data.draw(random_profiles())
    samples = samples_only(profile).check()
    assert [t.samples for t in samples.tracks] == [t.samples for t in profile.tracks if t.samples is not None]
    assert all(t.spans is None for t in samples.tracks)
    assert keep_tracks(profile, lambda t: t.pid == 1).tracks == tuple(t for t in profile.tracks if t.pid == 1)


@given(data=st.data())
def test_the_time_of_carried_spans_is_their_senders(data):
    """Self times are those of the calls here, less the calls whose innermost call around them they are."""
    profile = data.draw(rich_profiles())
    expected = [0] * len(profile.stacks)
    for spans in (track.spans for track in profile.tracks if track.spans is not None):
        opened: list[int] = []  # calls and propagated spans
        for i, stack in enumerate(spans.stack.tolist()):
            while opened and spans.stack[opened[-1]] != profile.stacks.parent[stack]:
                opened.pop()
            if spans.propagated is None or not spans.propagated[i]:
                duration = int(spans.end_ns[i] - spans.start_ns[i])
                expected[stack] += duration
                around = [j for j in opened if spans.propagated is None or not spans.propagated[j]]
                if around:
                    expected[int(spans.stack[around[-1]])] -= duration
            opened.append(i)
    assert aggregate(profile, of="spans").self_ns.tolist() == expected


def test_a_track_of_a_waiting_thread_keeps_its_counters():
    """A track that only waited is kept where it has a counter or marks."""
    builder = ProfileBuilder("test")
    stack = builder.stack_of([Frame("wait", kind=FrameKind.IDLE)])
    at = np.array([1])
    for i, marks in enumerate([None, Marks(at, ("a",))]):
        builder.add_track("t", pid=1, tid=i, samples=builder.samples([stack], [0], [9]), marks=marks)
    assert [track.tid for track in drop_idle(builder.build()).tracks] == [1]
