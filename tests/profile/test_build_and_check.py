"""Building profiles, and finding contradictions in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles
from workbench.profile import (
    ROOT,
    Counter,
    FileFacts,
    Frame,
    FrameKind,
    Marks,
    Profile,
    ProfileBuilder,
    RecordingFacts,
    SpanRecord,
    Stacks,
)


def span(start, end, depth, name="f", unfinished=False):
    return SpanRecord(start, end, depth, Frame(name, kind=FrameKind.SCOPE), unfinished)


def built(*records):
    builder = ProfileBuilder("test")
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    return builder, builder.build().check()


def paths(profile: Profile) -> list[str]:
    spans = profile.tracks[0].spans
    return ["/".join(profile.frames[f].name for f in profile.stacks.path(s)) for s in spans.stack.tolist()]


def test_intervals_nest_by_time():
    """Intervals in any order become spans ordered by start, each on the innermost one that contains it."""
    _, profile = built(span(4, 6, 2, "c"), span(0, 10, 0, "a"), span(3, 8, 1, "b"), span(8, 9, 1, "d"))
    assert paths(profile) == ["a", "a/b", "a/b/c", "a/d"]
    assert (profile.start_ns, profile.end_ns) == (0, 10)


def test_depth_decides_at_an_instant():
    """Where one span ends as another starts, the deeper is inside and the other beside it."""
    _, inside = built(span(0, 5, 0, "a"), span(5, 5, 1, "b"))
    assert paths(inside) == ["a", "a/b"]
    _, beside = built(span(0, 5, 0, "a"), span(5, 5, 0, "b"), span(5, 9, 0, "c"))
    assert paths(beside) == ["a", "b", "c"]


def test_a_child_that_outlives_its_parent_is_cut():
    """An interval that sticks out of the one it began in is cut at its end and counted."""
    builder, profile = built(span(0, 10, 0, "a"), span(5, 15, 0, "b"), span(12, 14, 1, "c"))
    assert builder.misnested == 1
    assert paths(profile) == ["a", "a/b", "c"]
    assert profile.tracks[0].spans.end_ns.tolist() == [10, 10, 14]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 4), st.sampled_from("abc"))))
def test_any_intervals_give_spans_that_nest(rows):
    """Whatever intervals and depths come in, the spans that come out pass `check`."""
    built(*(span(start, start + length, depth, name) for start, length, depth, name in rows))


def test_frames_and_stacks_are_interned():
    """Equal frames and equal stacks are kept once, however often they occur."""
    builder = ProfileBuilder("test")
    stacks = [builder.stack_of([Frame("a"), Frame("b")]) for _ in range(3)] + [builder.stack_of([])]
    assert stacks == [stacks[0]] * 3 + [ROOT]
    profile = builder.build().check()
    assert (len(profile.frames), len(profile.stacks)) == (2, 2)
    assert (profile.start_ns, profile.end_ns, profile.tracks) == (0, 0, ())


def example() -> Profile:
    builder = ProfileBuilder("test")
    stack = builder.stack_of([Frame("x"), Frame("y")])
    builder.add_track(
        "main",
        pid=1,
        tid=1,
        spans=builder.spans([span(0, 10, 0, "a"), span(2, 4, 1, "b"), span(5, 9, 1, "c")]),
        samples=builder.samples([stack, ROOT, stack], [0, 5, 8], [5, 3, 2]),
    )
    return builder.build().check()


def changed(kind: str, column: str, index: int, value: int) -> Profile:
    profile = example()
    (track,) = profile.tracks
    owner = profile.stacks if kind == "stacks" else getattr(track, kind)
    array = getattr(owner, column).copy()
    array[index] = value
    owner = replace(owner, **{column: array})
    if kind == "stacks":
        return replace(profile, stacks=owner)
    return replace(profile, tracks=(replace(track, **{kind: owner}),))


@pytest.mark.parametrize(
    ("kind", "column", "index", "value", "message"),
    [
        ("stacks", "parent", 0, 1, "before its parent"),
        ("stacks", "parent", 1, -2, "before its parent"),
        ("stacks", "frame", 0, 99, "names no frame"),
        ("spans", "stack", 0, 99, "no such stack"),
        ("spans", "stack", 0, ROOT, "no such stack"),
        ("spans", "stack", 1, 0, "is not nested"),
        ("spans", "end_ns", 1, 1, "ends before it starts"),
        ("spans", "end_ns", 2, 11, "sticks out"),
        ("spans", "end_ns", 1, 6, "is not nested"),
        ("spans", "start_ns", 1, 7, "ends before it starts"),
        ("spans", "start_ns", 0, 3, "not ordered"),
        ("samples", "stack", 0, 99, "no such stack"),
        ("samples", "weight_ns", 0, -1, "negative weight"),
        ("samples", "weight_ns", 0, 6, "overlap"),
        ("samples", "at_ns", 1, 9, "not in chronological order"),
    ],
)
def test_check_finds_contradictions(kind, column, index, value, message):
    """`check` raises AssertionError, also under `python -O`, for each contradiction that is planted."""
    with pytest.raises(AssertionError, match=message):
        changed(kind, column, index, value).check()


def nests(profile: Profile) -> bool:
    """Return whether spans nest, one by one: the definition."""
    for track in profile.tracks:
        spans = track.spans
        if spans is None:
            continue
        opened: list[int] = []
        stack, start, end = spans.stack.tolist(), spans.start_ns.tolist(), spans.end_ns.tolist()
        parents = profile.stacks.parent[spans.stack].tolist()
        if start != sorted(start) or any(e < s for s, e in zip(start, end, strict=True)):
            return False
        for i in range(len(spans)):
            while opened and end[opened[-1]] <= start[i] and parents[i] != stack[opened[-1]]:
                opened.pop()
            if parents[i] != (stack[opened[-1]] if opened else ROOT):
                return False
            if opened and end[i] > end[opened[-1]]:
                return False
            opened.append(i)
    return True


@given(data=st.data())
def test_check_is_the_definition_of_nesting(data):
    """`check` accepts spans exactly where going through them one by one finds that they nest."""
    profile = data.draw(rich_profiles())
    assert nests(profile.check())
    tracks = [i for i, t in enumerate(profile.tracks) if t.spans is not None and len(t.spans)]
    if not tracks:
        return
    chosen = data.draw(st.sampled_from(tracks))
    spans = profile.tracks[chosen].spans
    for _ in range(data.draw(st.integers(1, 2))):
        column = data.draw(st.sampled_from(["stack", "start_ns", "end_ns"]))
        row = data.draw(st.integers(0, len(spans) - 1))
        array = getattr(spans, column).copy()
        if column == "stack":
            array[row] = data.draw(st.integers(0, len(profile.stacks) - 1))
        else:
            array[row] += data.draw(st.integers(-30, 30))
        spans = replace(spans, **{column: array})
    tracks = list(profile.tracks)
    tracks[chosen] = replace(tracks[chosen], spans=spans)
    broken = replace(profile, tracks=tuple(tracks))
    if nests(broken):
        broken.check()
    else:
        with pytest.raises(AssertionError):
            broken.check()


def test_check_finds_points_out_of_order():
    """Counters and marks have as many values as instants, in chronological order."""
    (track,) = example().tracks
    at, value = np.array([3, 2]), np.array([1.0, 2.0])
    for broken, message in (
        (replace(track, counters=(Counter("n", at, value),)), "counter 'n' are not in chronological order"),
        (replace(track, counters=(Counter("n", at, value[:1]),)), "differ in length"),
        (replace(track, marks=Marks(at, ("a", "b"))), "marks are not in chronological order"),
        (replace(track, marks=Marks(at, ("a",))), "differ in length"),
        (replace(track, spans=replace(track.spans, work={"flops": value})), "differ in length"),
        (
            replace(track, spans=replace(track.spans, propagated=np.ones(2, dtype=np.bool_))),
            "differ in length",
        ),
    ):
        with pytest.raises(AssertionError, match=message):
            replace(example(), tracks=(broken,)).check()


def test_check_finds_columns_of_different_lengths():
    """Columns that do not fit together are a contradiction too."""
    profile = example()
    (track,) = profile.tracks
    for broken in (
        replace(track, spans=replace(track.spans, unfinished=np.zeros(2, dtype=np.bool_))),
        replace(track, samples=replace(track.samples, at_ns=np.zeros(2, dtype=np.int64))),
    ):
        with pytest.raises(AssertionError, match="differ in length"):
            replace(profile, tracks=(broken,)).check()
    stacks = Stacks(parent=profile.stacks.parent, frame=profile.stacks.frame[1:])
    with pytest.raises(AssertionError, match="differ in length"):
        replace(profile, stacks=stacks).check()


def test_facts_are_one_mapping() -> None:
    """What is known of the recording and the file is one mapping, without what is not known."""
    profile = ProfileBuilder("made").build()
    assert profile.facts == {}
    known = replace(
        profile, recording=RecordingFacts(processes=2, hosts=("here",)), file=FileFacts(format="folded")
    )
    assert known.facts == {"processes": 2, "hosts": ("here",), "format": "folded"}
