"""A time range, and what ran inside a scope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles, rows_of
from tests.helpers.trees import scopes_of
from workbench.errors import InvalidInputError
from workbench.profile import (
    Counter,
    Frame,
    FrameKind,
    Marks,
    ProfileBuilder,
    SpanRecord,
    aggregate,
    between,
    inside_scope,
    scope_totals,
)

PARTS = ("spans", "samples")


@given(data=st.data())
def test_a_range_keeps_the_time_inside_it(data):
    """Every stack's spans and samples have, in the range, as much time as their parts inside it had."""
    profile = data.draw(rich_profiles())
    start = data.draw(st.integers(profile.start_ns - 3, profile.end_ns + 3))
    end = data.draw(st.integers(start, profile.end_ns + 3))
    part = between(profile, start, end).check()
    assert part.stacks is profile.stacks
    assert start <= part.start_ns <= part.end_ns <= end
    for before, after in zip(profile.tracks, part.tracks, strict=True):
        for of, begin, until in (
            ("spans", lambda s: s.start_ns, lambda s: s.end_ns),
            ("samples", lambda s: s.at_ns, lambda s: s.at_ns + s.weight_ns),
        ):
            old, new = getattr(before, of), getattr(after, of)
            if old is None:
                assert new is None
                continue
            expected: dict[int, int] = {}
            for stack, first, last in zip(old.stack, begin(old), until(old), strict=True):
                expected[stack] = expected.get(stack, 0) + max(0, min(last, end) - max(first, start))
            found = dict.fromkeys(expected, 0)
            for stack, first, last in zip(new.stack, begin(new), until(new), strict=True):
                assert start <= first <= last <= end
                found[stack] += last - first
            assert found == expected


@given(data=st.data())
def test_ranges_side_by_side_are_the_whole(data):
    """Self times, values and marks of ranges side by side sum up to those of the profile."""
    profile = data.draw(rich_profiles())
    cut = data.draw(st.integers(profile.start_ns, profile.end_ns + 1))
    parts = [between(profile, profile.start_ns, cut), between(profile, cut, profile.end_ns + 1)]
    for of in PARTS:
        whole = aggregate(profile, of=of)
        trees = [aggregate(part, of=of) for part in parts]
        assert np.array_equal(whole.self_ns, trees[0].self_ns + trees[1].self_ns)
    for i, track in enumerate(profile.tracks):
        values = sum(len(c.at_ns) for part in parts for c in part.tracks[i].counters)
        assert values == sum(len(c.at_ns) for c in track.counters)
        marks = [part.tracks[i].marks for part in parts]
        names = [name for each in marks if each is not None for name in each.name]
        assert names == list(track.marks.name if track.marks is not None else ())


@given(data=st.data())
def test_the_whole_range_is_the_profile(data):
    """A range around everything leaves every span as it is, also those without length at its edges."""
    profile = data.draw(rich_profiles())
    whole = between(profile, profile.start_ns, profile.end_ns + 1).check()
    for before, after in zip(profile.tracks, whole.tracks, strict=True):
        assert rows_of(whole, after) == rows_of(profile, before)


def test_a_range_of_any_numbers():
    """Numbers that fit into no column are as good as any that are far away."""
    profile = scopes_of((0, 10, 0, "a"))
    assert len(between(profile, -(10**30), 10**30).check().tracks[0].spans) == 1
    assert len(between(profile, 10**30, 10**31).check().tracks[0].spans) == 0


def test_what_is_cut_states_no_numbers():
    """Flops are of a whole span: where one is cut they are unknown, and the others keep theirs."""
    profile = scopes_of((0, 10, 0, "a"), (20, 30, 0, "a"))
    (track,) = profile.tracks
    spans = replace(track.spans, work={"flops": np.array([4.0, 5.0])})
    part = between(replace(profile, tracks=(replace(track, spans=spans),)), 5, 40)
    assert np.array_equal(part.tracks[0].spans.work["flops"], [np.nan, 5.0], equal_nan=True)


def test_instants_on_the_edges():
    """What takes no time is inside at the first instant and not at the last; nothing is inside an empty range."""
    profile = scopes_of(
        (0, 9, 0, "a"), (10, 10, 0, "c"), (10, 15, 0, "d"), (10, 10, 1, "b"), (20, 20, 0, "e")
    )
    (track,) = profile.tracks
    at = np.array([0, 10, 20])
    track = replace(track, counters=(Counter("n", at, at * 1.0),), marks=Marks(at, ("x", "y", "z")))
    profile = replace(profile, tracks=(track,))
    (kept,) = between(profile, 10, 20).check().tracks
    names = [profile.frames[profile.stacks.frame[s]].name for s in kept.spans.stack.tolist()]
    assert names == ["c", "d", "b"]
    assert kept.marks.name == ("y",)
    assert kept.counters[0].value.tolist() == [10.0]
    ended = scopes_of((0, 10, 0, "a"), (10, 10, 1, "b"))  # b stands on a, which is over
    assert len(between(ended, 10, 20).check().tracks[0].spans) == 0
    (empty,) = between(profile, 10, 10).check().tracks
    assert (len(empty.spans), empty.counters, empty.marks) == (0, (), None)


def test_a_range_the_wrong_way_round():
    """A range that ends before it starts is refused, with both its ends."""
    with pytest.raises(InvalidInputError, match="from 7 to 3 ns"):
        between(scopes_of((0, 10, 0, "a")), 7, 3)


@given(data=st.data())
def test_inside_a_scope_is_the_scope(data):
    """All time inside a scope is the scope's total, it is at the root, and its calls are all there."""
    profile = data.draw(rich_profiles())
    for name, totals in scope_totals(profile).items():
        part = inside_scope(profile, name).check()
        tree = aggregate(part, of="spans")
        assert tree.all_ns == totals.total_ns
        after = scope_totals(part)
        assert (after[name].calls, after[name].total_ns) == (totals.calls, totals.total_ns)
        assert after[name].self_ns == totals.self_ns
        for track in part.tracks:
            for stack in track.spans.stack.tolist() if track.spans is not None else []:
                assert part.frames[part.stacks.path(stack)[0]].name == name
        assert part.facts == profile.facts


@given(data=st.data())
def test_samples_inside_a_scope_are_those_of_its_thread(data):
    """As much sampled time is left as the thread was sampled while it was inside the scope."""
    profile = data.draw(rich_profiles())
    for name in scope_totals(profile):
        part = inside_scope(profile, name)
        expected: dict[tuple, int] = {}
        for track in profile.tracks:
            if track.samples is None:
                continue
            inside: set[int] = set()
            for other in profile.tracks:
                if other.spans is None or (other.pid, other.tid) != (track.pid, track.tid):
                    continue
                for i, stack in enumerate(other.spans.stack.tolist()):
                    frame = profile.frames[profile.stacks.frame[stack]]
                    if frame.name == name and frame.kind is FrameKind.SCOPE:
                        inside |= set(range(int(other.spans.start_ns[i]), int(other.spans.end_ns[i])))
            samples = track.samples
            for stack, at, weight in zip(
                samples.stack.tolist(), samples.at_ns.tolist(), samples.weight_ns.tolist(), strict=True
            ):
                path = tuple(profile.stacks.path(stack))
                time = len(inside & set(range(at, at + weight)))
                expected[path] = expected.get(path, 0) + time
        found = dict.fromkeys(expected, 0)
        for track in part.tracks:
            if track.samples is not None:
                weights = track.samples.weight_ns.tolist()
                for stack, weight in zip(track.samples.stack.tolist(), weights, strict=True):
                    found[tuple(part.stacks.path(stack))] += weight
        assert found == expected


def test_lanes_of_one_thread_are_one():
    """Where a thread's scopes are on several lanes, it was inside while any of them was open."""
    builder = ProfileBuilder("test")
    for start, end in ((0, 100), (10, 20)):
        spans = builder.spans([SpanRecord(start, end, 0, Frame("f", kind=FrameKind.SCOPE))])
        builder.add_track("lane", pid=1, tid=1, spans=spans)
    stack = builder.stack_of([Frame("sampled")])
    builder.add_track("main", pid=1, tid=1, samples=builder.samples([stack] * 3, [5, 50, 90], [10, 10, 20]))
    part = inside_scope(builder.build(), "f").check()
    assert part.tracks[2].samples.weight_ns.tolist() == [10, 10, 10]


def test_recursion_inside_a_scope():
    """A scope inside itself stays below the outermost one; what is around that is gone."""
    profile = scopes_of(
        (0, 90, 0, "run"), (10, 60, 1, "f"), (20, 50, 2, "g"), (30, 40, 3, "f"), (70, 80, 1, "g")
    )
    part = inside_scope(profile, "f").check()
    spans = part.tracks[0].spans
    paths = ["/".join(part.frames[f].name for f in part.stacks.path(s)) for s in spans.stack.tolist()]
    assert paths == ["f", "f/g", "f/g/f"]
    assert (part.start_ns, part.end_ns) == (10, 60)


def test_a_scope_that_is_not_there():
    """An unknown name is refused, with the nearest one that there is."""
    with pytest.raises(InvalidInputError, match="did you mean 'jacobian'"):
        inside_scope(scopes_of((0, 9, 0, "jacobian"), (9, 10, 0, "loss")), "jacobain")
