"""What cannot be seen, put together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.helpers.random_profiles import rich_profiles, rows_of
from workbench.errors import InvalidInputError
from workbench.profile import (
    Counter,
    Frame,
    FrameKind,
    Marks,
    ProfileBuilder,
    SpanRecord,
    aggregate,
    keep_tracks,
    thin,
)


def pixel_of(profile, width):
    return max(1, -(-(profile.end_ns - profile.start_ns) // width))


def built(*rows, counters=(), marks=None, samples=((), (), ())):
    builder = ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(n, kind=FrameKind.SCOPE)) for s, e, d, n in rows]
    frames = [builder.stack_of([Frame(name)]) for name in samples[0]]
    builder.add_track(
        "main",
        pid=1,
        tid=1,
        spans=builder.spans(records),
        samples=builder.samples(frames, list(samples[1]), list(samples[2])),
        counters=counters,
        marks=marks,
    )
    return builder.build().check()


WIDTHS = st.sampled_from([1, 2, 3, 5, 10, 40])


@given(data=st.data())
def test_no_time_is_lost(data):
    """On every track self and total time of each stack stay to the nanosecond, of spans and of samples."""
    before = data.draw(rich_profiles())
    after = thin(before, data.draw(WIDTHS)).check()
    assert after.stacks is before.stacks
    for old, new in zip(before.tracks, after.tracks, strict=True):
        for of in ("spans", "samples"):
            trees = [
                aggregate(keep_tracks(p, lambda t, one=one: t is one), of=of)
                for p, one in ((before, old), (after, new))
            ]
            assert np.array_equal(trees[0].self_ns, trees[1].self_ns)
            assert np.array_equal(trees[0].total_ns, trees[1].total_ns)


@given(data=st.data())
def test_what_is_wide_stays(data):
    """Spans and samples of a pixel or more stay exactly as they are, and each instant of them its place."""
    before = data.draw(rich_profiles())
    width = data.draw(WIDTHS)
    pixel = pixel_of(before, width)
    after = thin(before, width)
    for old, new in zip(before.tracks, after.tracks, strict=True):
        wide = [[r for r in rows_of(p, t) if r[2] - r[1] >= pixel] for p, t in ((before, old), (after, new))]
        for row in wide[0]:
            assert row in wide[1]
        if old.samples is not None:
            rows = [
                set(zip(s.stack.tolist(), s.at_ns.tolist(), s.weight_ns.tolist(), strict=True))
                for s in (old.samples, new.samples)
            ]
            assert {row for row in rows[0] if row[2] >= pixel} <= rows[1]


@given(data=st.data())
def test_little_is_left_and_little_moves(data):
    """Neighbours of one stack in one pixel are one, and a busy instant is at most two pixels from where it was."""
    before = data.draw(rich_profiles())
    width = data.draw(WIDTHS)
    pixel = pixel_of(before, width)
    after = thin(before, width)
    for old, new in zip(before.tracks, after.tracks, strict=True):
        if old.spans is None:
            continue
        assert len(new.spans) <= len(old.spans)
        for stack in np.unique(old.spans.stack).tolist():
            rows = [spans.stack == stack for spans in (old.spans, new.spans)]
            begins = old.spans.start_ns[rows[0]]
            for start in new.spans.start_ns[rows[1]].tolist():
                assert np.abs(begins - start).min() < 2 * pixel


@given(data=st.data())
def test_sums_of_numbers_stay(data):
    """Spans that state flops and spans that do not are kept apart, so that sums and the time they took stay."""
    before = data.draw(rich_profiles())
    after = thin(before, data.draw(WIDTHS))
    for old, new in zip(before.tracks, after.tracks, strict=True):
        for name in old.spans.work if old.spans is not None else ():
            sums = []
            for spans in (old.spans, new.spans):
                column = spans.work[name]
                stated = ~np.isnan(column)
                took = (spans.end_ns - spans.start_ns)[stated].sum()
                sums.append((float(column[stated].sum()), int(took)))
            assert sums[0] == sums[1]
        for flag in ("unfinished", "propagated"):
            if old.spans is not None and getattr(old.spans, flag) is not None:
                times = [
                    int((spans.end_ns - spans.start_ns)[getattr(spans, flag)].sum())
                    for spans in (old.spans, new.spans)
                ]
                assert times[0] == times[1]


def test_many_short_calls():
    """A thousand short calls of two functions on ten pixels are two spans on each."""
    rows = [(0, 10_000, 0, "run")]
    for i in range(1000):
        rows += [
            (10 * i, 10 * i + 6, 1, "f"),
            (10 * i + 1, 10 * i + 3, 2, "g"),
            (10 * i + 7, 10 * i + 9, 1, "h"),
        ]
    spans = thin(built(*rows), 10).check().tracks[0].spans
    assert len(spans) == 1 + 10 * 3
    assert spans.start_ns[1:4].tolist() == [0, 400, 600]
    assert spans.end_ns[1:4].tolist() == [600, 600, 800]


def test_a_single_short_call_stays():
    """What nothing is put together with does not move."""
    profile = built((0, 1000, 0, "run"), (100, 110, 1, "f"), (104, 106, 2, "g"), (500, 510, 1, "f"))
    spans = thin(profile, 10).tracks[0].spans
    assert spans.start_ns.tolist() == [0, 100, 104, 500]


def test_a_span_of_just_a_pixel():
    """A span as wide as a pixel is wide, also where a short one is before it in its first pixel."""
    profile = built((0, 2, 0, "f"), (2, 3, 0, "f"), (5, 15, 0, "f"), (99, 100, 0, "f"))
    spans = thin(profile, 10).check().tracks[0].spans
    assert list(zip(spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True)) == [
        (0, 3),
        (5, 15),
        (99, 100),
    ]


def test_samples_of_one_pixel():
    """Short samples of one stack and pixel become one; long ones and gaps stay."""
    profile = built(
        samples=(["a", "b", "a", "a"], [0, 10, 20, 100], [10, 10, 10, 100]),
    )
    samples = thin(profile, 2).check().tracks[0].samples
    assert samples.at_ns.tolist() == [0, 20, 100]
    assert samples.weight_ns.tolist() == [20, 10, 100]


@example(values=[np.nan, np.nan], width=1)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, -4.0, 7.0, np.nan, np.inf]), min_size=1, max_size=40),
    width=st.integers(1, 8),
)
def test_a_counter_keeps_its_outline(values, width):
    """In each pixel the first, last, least and largest value of a counter stay, and nothing is made up."""
    at = np.arange(len(values), dtype=np.int64) * 3
    profile = built(counters=(Counter("n", at, np.array(values)),))
    (counter,) = thin(profile, width).check().tracks[0].counters
    pixel = pixel_of(profile, width)
    points = list(zip(at.tolist(), map(repr, values), strict=True))
    kept = list(zip(counter.at_ns.tolist(), map(repr, counter.value.tolist()), strict=True))
    assert set(kept) <= set(points)
    assert len(kept) <= 4 * len({a // pixel for a, _ in points})
    for here in {a // pixel for a, _ in points}:
        before = [v for a, v in zip(at.tolist(), values, strict=True) if a // pixel == here]
        after = [float(v) for a, v in kept if a // pixel == here]
        assert repr(after[0]) == repr(before[0])
        assert repr(after[-1]) == repr(before[-1])
        known = [v for v in before if v == v]
        if known:
            assert min(known) in after
            assert max(known) in after


def test_marks_of_one_pixel():
    """Of the marks in a pixel the first of each name stays."""
    marks = Marks(np.array([0, 1, 2, 3, 60, 99]), ("a", "b", "a", "b", "a", "c"))
    profile = built(marks=marks)
    left = thin(profile, 2).check().tracks[0].marks
    assert (left.at_ns.tolist(), left.name) == ([0, 1, 60, 99], ("a", "b", "a", "c"))


def test_no_width():
    """A width below one pixel is refused."""
    with pytest.raises(InvalidInputError, match="0 pixels"):
        thin(built(), 0)


def test_a_wide_range_is_no_special_case():
    """Times of a machine that has run for ten years do not overflow."""
    start = 10 * 365 * 86_400 * 10**9
    profile = built(
        (start, start + 50, 0, "a"), (start + 60, start + 62, 0, "b"), (start + 62, start + 64, 0, "b")
    )
    spans = thin(profile, 3).check().tracks[0].spans
    assert spans.start_ns.tolist() == [start, start + 60]
    assert spans.end_ns.tolist() == [start + 50, start + 64]
