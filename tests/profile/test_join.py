"""Scopes and samples that were kept apart, as one profile again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles, rows_of
from workbench.profile import (
    Attribution,
    Frame,
    ProfileBuilder,
    RecordingFacts,
    join,
    samples_only,
    without_samples,
)


def samples_of(profile):
    """Return the samples of all tracks that have any, by track, with their stacks as frames."""
    found = []
    for track in profile.tracks:
        if track.samples is not None:
            rows = zip(track.samples.stack, track.samples.at_ns, track.samples.weight_ns, strict=True)
            stacks = [
                (tuple(profile.frames[i] for i in profile.stacks.path(int(s))), int(at), int(w))
                for s, at, w in rows
            ]
            found.append((track.pid, track.tid, track.name, stacks))
    return sorted(found, key=repr)


def empty_of_samples(profile):
    return replace(profile, tracks=tuple(replace(track, samples=None) for track in profile.tracks))


@given(data=st.data())
def test_it_is_what_it_was(data):
    """A profile that was taken apart and joined has all its spans, samples, counters and marks on their tracks."""
    whole = data.draw(rich_profiles())
    joined = join(empty_of_samples(whole), samples_only(whole)).check()
    assert samples_of(joined) == samples_of(whole)
    assert len(joined.tracks) == len(whole.tracks)
    for one, other in zip(joined.tracks, whole.tracks, strict=True):
        assert (one.name, one.pid, one.tid) == (other.name, other.pid, other.tid)
        assert rows_of(joined, one) == rows_of(whole, other)
        assert one.marks is other.marks
        assert one.counters == other.counters


@given(data=st.data())
def test_two_runs_that_share_nothing(data):
    """What fits no track of the other has tracks of its own, and nothing is lost."""
    one, other = data.draw(rich_profiles()), data.draw(rich_profiles())
    other = replace(other, tracks=tuple(replace(t, tid=t.tid + 100) for t in other.tracks))
    joined = join(without_samples(one), samples_only(other)).check()
    assert samples_of(joined) == samples_of(other)
    assert len(joined.tracks) == len(without_samples(one).tracks) + len(samples_only(other).tracks)


def test_facts_and_kept_samples():
    """The recording and the attribution of the samples stay; samples that are there stay."""
    builder = ProfileBuilder("x")
    stack = builder.stack_of([Frame("f")])
    for _ in range(2):
        builder.add_track("t", pid=1, tid=1, samples=builder.samples([stack], [0], [5]))
    sampled = builder.build(attribution=Attribution(2, outside=2))
    recorded = ProfileBuilder("y")
    recorded.add_track(
        "t", pid=1, tid=1, samples=recorded.samples([recorded.stack_of([Frame("g")])], [7], [1])
    )
    recorded.add_track("t", pid=1, tid=1)
    joined = join(recorded.build(RecordingFacts(processes=3), Attribution(1)), sampled).check()
    assert (joined.recording.processes, joined.attribution) == (3, Attribution(2, outside=2))
    names = [
        [joined.frames[joined.stacks.frame[s]].name for s in track.samples.stack] for track in joined.tracks
    ]
    assert names == [["g"], ["f"], ["f"]]
