"""Tracks on as few lanes as hold them."""

from __future__ import annotations

from collections import Counter as Tally

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles, rows_of
from workbench.errors import InvalidInputError
from workbench.profile import Frame, ProfileBuilder, SpanRecord, aggregate, merge_tracks


def reach(track):
    """Return the first and the last instant of a track's spans and samples; None without."""
    parts = []
    if track.spans is not None and len(track.spans):
        parts.append((int(track.spans.start_ns.min()), int(track.spans.end_ns.max())))
    if track.samples is not None and len(track.samples):
        until = track.samples.at_ns + track.samples.weight_ns
        parts.append((int(track.samples.at_ns.min()), int(until.max())))
    return (min(p[0] for p in parts), max(p[1] for p in parts)) if parts else None


def most_at_once(tracks):
    """Return how many tracks there are at most between two instants, or at one on which nothing else is."""
    reaches = [each for each in map(reach, tracks) if each is not None]
    return max((sum(a <= at < b or a == b == at for a, b in reaches) for at, _ in reaches), default=0)


@given(data=st.data())
def test_nothing_changes_but_the_lane(data):
    """Every span, sample, value and mark is there once as it was, and all totals stay."""
    before = data.draw(rich_profiles())
    by = data.draw(st.sampled_from(["process", "all"]))
    after = merge_tracks(before, by).check()

    def everything(profile):
        rows, samples, values, marks = Tally(), Tally(), Tally(), Tally()
        for t in profile.tracks:
            # A number that only other tracks of the lane state is unknown here.
            rows.update((*row[:5], tuple(n for n in row[5] if n[1] != "nan")) for row in rows_of(profile, t))
            if t.samples is not None:
                columns = (t.samples.stack, t.samples.at_ns, t.samples.weight_ns)
                samples.update(zip(*(column.tolist() for column in columns), strict=True))
            for c in t.counters:
                points = zip(c.at_ns.tolist(), map(repr, c.value.tolist()), strict=True)
                values.update((c.name, *point) for point in points)
            if t.marks is not None:
                marks.update(zip(t.marks.at_ns.tolist(), t.marks.name, strict=True))
        return rows, samples, values, marks

    assert everything(after) == everything(before)
    for of in ("spans", "samples"):
        assert np.array_equal(aggregate(after, of=of).self_ns, aggregate(before, of=of).self_ns)


@given(data=st.data())
def test_as_few_lanes_as_there_were_tracks_at_once(data):
    """A process, or the run, has as many lanes as there were of its tracks at one time, and no lane is empty."""
    before = data.draw(rich_profiles())
    for by, groups in (
        ("process", [[t for t in before.tracks if t.pid == pid] for pid in {t.pid for t in before.tracks}]),
        ("all", [list(before.tracks)] if before.tracks else []),
    ):
        after = merge_tracks(before, by)
        assert len(after.tracks) == sum(max(1, most_at_once(group)) for group in groups)
        if by == "process":
            assert {t.pid for t in after.tracks} == {t.pid for t in before.tracks}


def test_a_pool_of_tasks():
    """Tasks one after the other share a lane, those at the same time do not; counters of a name become one."""
    builder = ProfileBuilder("test")
    for i, (start, end) in enumerate([(0, 10), (5, 15), (10, 20), (15, 30)]):
        spans = builder.spans([SpanRecord(start, end, 0, Frame("task"))])
        builder.add_track(f"task {i}", pid=1, tid=i, spans=spans)
    merged = merge_tracks(builder.build()).check()
    assert [t.name for t in merged.tracks] == ["task 0 and 1 more", "task 1 and 1 more"]
    assert [t.spans.start_ns.tolist() for t in merged.tracks] == [[0, 10], [5, 15]]


def test_by_what():
    """Anything but a process or all is refused by name."""
    with pytest.raises(InvalidInputError, match="'host'"):
        merge_tracks(ProfileBuilder("x").build(), "host")
