"""Frames taken out of stacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles, rows_of
from tests.helpers.trees import scopes_of
from workbench.profile import (
    ROOT,
    Frame,
    ProfileBuilder,
    aggregate,
    collapse_frames,
    collapse_recursion,
    keep_tracks,
    scope_totals,
)


def names(profile, of="spans"):
    stacks = getattr(profile.tracks[0], of).stack.tolist()
    return ["/".join(profile.frames[f].name for f in profile.stacks.path(s)) for s in stacks]


def self_by_frame(profile, of):
    tree = aggregate(profile, of=of)
    found = {}
    for stack, own in enumerate(tree.self_ns.tolist()):
        frame = profile.frames[profile.stacks.frame[stack]]
        found[frame] = found.get(frame, 0) + own
    return {frame: own for frame, own in found.items() if own}


def each_track(profile):
    return [keep_tracks(profile, lambda t, wanted=track: t is wanted) for track in profile.tracks]


@given(data=st.data())
def test_recursion_keeps_the_time_of_each_frame(data):
    """On every track the self time of each frame stays, and no call stands on its own name."""
    before = data.draw(rich_profiles())
    after = collapse_recursion(before).check()
    for old, new in zip(each_track(before), each_track(after), strict=True):
        for of in ("spans", "samples"):
            assert self_by_frame(new, of) == self_by_frame(old, of)
    carried = any(t.spans is not None and t.spans.carried is not None for t in before.tracks)
    for parent, frame in zip(after.stacks.parent.tolist(), after.stacks.frame.tolist(), strict=True):
        assert carried or parent == ROOT or after.stacks.frame[parent] != frame
    totals = scope_totals(before)
    for name, row in scope_totals(after).items():
        assert (row.total_ns, row.self_ns) == (totals[name].total_ns, totals[name].self_ns)


@given(data=st.data())
def test_unimportant_frames_leave_their_time_below(data):
    """Time stays on every track, in all and in each sample; what is left of the spans keeps its times."""
    before = data.draw(rich_profiles())
    gone = data.draw(st.frozensets(st.sampled_from(sorted({frame.name for frame in before.frames} | {""}))))
    after = collapse_frames(before, lambda frame: frame.name in gone).check()
    for old, new in zip(each_track(before), each_track(after), strict=True):
        for of in ("spans", "samples"):
            trees = aggregate(old, of=of), aggregate(new, of=of)
            assert trees[1].self_ns.sum() == trees[0].self_ns.sum()
            assert trees[1].all_ns == trees[0].all_ns
        spans, left = old.tracks[0].spans, new.tracks[0].spans
        if spans is not None:
            rows = list(zip(spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True))
            kept = list(zip(left.start_ns.tolist(), left.end_ns.tolist(), strict=True))
            remaining = iter(rows)
            assert all(row in remaining for row in kept)  # in order
    carried = any(t.spans is not None and t.spans.carried is not None for t in before.tracks)
    for stack in range(len(after.stacks)) if not carried else []:
        path = [after.frames[i].name in gone for i in after.stacks.path(stack)]
        assert not any(path[1:])


@given(data=st.data())
def test_nothing_unimportant_is_no_change(data):
    """With nothing to collapse every span stays as it is."""
    before = data.draw(rich_profiles())
    after = collapse_frames(before, lambda frame: False).check()
    for old, new in zip(before.tracks, after.tracks, strict=True):
        assert rows_of(after, new) == rows_of(before, old)


def test_direct_recursion():
    """Calls of a scope directly inside itself become one; a cycle of two stays."""
    profile = scopes_of(
        (0, 90, 0, "f"), (5, 80, 1, "f"), (10, 70, 2, "f"), (20, 60, 3, "g"), (30, 40, 4, "f")
    )
    assert names(collapse_recursion(profile).check()) == ["f", "f/g", "f/g/f"]


def test_unimportant_frames():
    """What stood on an unimportant frame stands on what is below it; with nothing below, it stays."""
    profile = scopes_of((0, 90, 0, "wrap"), (5, 80, 1, "fit"), (10, 70, 2, "wrap"), (20, 60, 3, "solve"))
    after = collapse_frames(profile, lambda frame: frame.name == "wrap").check()
    assert names(after) == ["wrap", "wrap/fit", "wrap/fit/solve"]
    assert scope_totals(after)["fit"].self_ns == 75 - 40


@pytest.mark.parametrize(
    "collapse", [collapse_recursion, lambda p: collapse_frames(p, lambda f: f.name == "f")]
)
def test_a_carried_scope_takes_over_no_time(collapse):
    """A call on the scope that sent it stays, as that has no time of its own; calls on the call do not."""
    profile = scopes_of((0, 90, 0, "f"), (5, 80, 1, "f"), (10, 70, 2, "f"))
    (track,) = profile.tracks
    spans = replace(track.spans, carried=np.array([True, False, False]))
    after = collapse(replace(profile, tracks=(replace(track, spans=spans),))).check()
    assert names(after) == ["f", "f/f"]
    assert aggregate(after, of="spans").self_ns.tolist() == [0, 75]


def test_samples_too():
    """Sampled stacks lose the frames, and the time of what was on top goes to what is below."""
    builder = ProfileBuilder("test")
    stacks = [builder.stack_of([Frame(n) for n in path]) for path in ("ab", "abc", "b", "")]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, [0, 5, 9, 10], [5, 4, 1, 2]))
    after = collapse_frames(builder.build(), lambda frame: frame.name == "b").check()
    assert names(after, "samples") == ["a", "a/c", "b", ""]
    assert after.tracks[0].samples.weight_ns.tolist() == [5, 4, 1, 2]
