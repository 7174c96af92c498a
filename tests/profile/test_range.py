"""A time range of a profile."""

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
    Marks,
    aggregate,
    between,
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
