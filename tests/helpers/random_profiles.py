"""Random profiles, for properties that hold of all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from workbench.profile import (
    Counter,
    Frame,
    FrameKind,
    Marks,
    Profile,
    ProfileBuilder,
    SpanRecord,
    Stacks,
    Track,
)

NAMES = st.sampled_from(["fit", "predict", "solve", "a;b", "\ud800", "<b>", ""])


@st.composite
def nested_records(draw, start=0, depth=0, room=None):
    """Draw intervals that nest, as scopes record them; some have no length."""
    records = []
    now = start
    for _ in range(draw(st.integers(0, 3 if depth else 4))):
        begin = now + draw(st.integers(0, 5))
        end = begin + draw(st.integers(0, 40))
        if room is not None and end > room:
            break
        records.append(SpanRecord(begin, end, depth, Frame(draw(NAMES), kind=FrameKind.SCOPE)))
        if depth < 3:
            records += draw(nested_records(start=begin, depth=depth + 1, room=end))
        now = end
    return records


@st.composite
def sampled(draw, builder: ProfileBuilder, start: int = 0):
    """Draw samples in chronological order, with gaps, empty stacks and waiting leaves."""
    stacks, at, weights, now = [], [], [], start
    for _ in range(draw(st.integers(0, 8))):
        now += draw(st.sampled_from([0, 0, 0, 7]))
        path = [Frame(draw(NAMES), "f.py", 3) for _ in range(draw(st.integers(0, 3)))]
        if path and draw(st.booleans()):
            path[-1] = path[-1]._replace(kind=FrameKind.IDLE)
        stacks.append(builder.stack_of(path))
        at.append(now)
        weights.append(draw(st.integers(0, 20)))
        now += weights[-1]
    return builder.samples(stacks, at, weights)


@st.composite
def random_profiles(draw) -> Profile:
    """Draw a profile of a few tracks, each with spans, samples or both."""
    builder = ProfileBuilder(draw(NAMES))
    for i in range(draw(st.integers(0, 3))):
        kinds = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
        start = draw(st.integers(0, 10**12))
        builder.add_track(
            f"thread {i}",
            pid=draw(st.sampled_from([1, 2])),
            tid=i,
            spans=builder.spans(draw(nested_records(start=start))) if kinds[0] else None,
            samples=draw(sampled(builder, start)) if kinds[1] else None,
        )
    return builder.build()


@st.composite
def points(draw, start: int, values):
    """Draw (at_ns, values) in chronological order, some at the same instant."""
    steps = draw(st.lists(st.tuples(st.integers(0, 30), values), max_size=6))
    at = start + np.cumsum([0, *(step for step, _ in steps)])[1:]
    return at.astype(np.int64), [value for _, value in steps]


@st.composite
def rich_tracks(draw, track: Track) -> Track:
    """Draw a track's propagated and unfinished spans, numbers, counters and marks."""
    spans = track.spans
    start = track.samples.at_ns if spans is None else spans.start_ns
    first = int(start[0]) if len(start) else 5
    if spans is not None:
        size = len(spans)
        flags = st.lists(st.booleans(), min_size=size, max_size=size)
        amounts = st.lists(st.sampled_from([np.nan, 0.0, 8.0, 1e9]), min_size=size, max_size=size)
        propagated = np.array(draw(flags), dtype=np.bool_) if draw(st.booleans()) else None
        names = draw(st.sampled_from([(), ("flops",), ("flops", "bytes")]))
        spans = replace(
            spans,
            unfinished=np.array(draw(flags) if draw(st.booleans()) else [False] * size, dtype=np.bool_),
            propagated=propagated,
            work={name: np.array(draw(amounts), dtype=np.float64) for name in names},
        )
    counters = []
    for name in draw(st.sampled_from([(), ("loss",), ("loss", "nodes")])):
        at, values = draw(points(first, st.sampled_from([0.0, -1.5, 3.0, np.nan, np.inf])))
        counters.append(Counter(name, at, np.array(values, dtype=np.float64)))
    at, names = draw(points(first, NAMES))
    marks = Marks(at, tuple(names)) if draw(st.booleans()) else None
    return replace(track, spans=spans, counters=tuple(counters), marks=marks)


@st.composite
def rich_profiles(draw) -> Profile:
    """Draw a profile with all that a record can hold; tracks may share a process, a thread, or begin late."""
    profile = draw(random_profiles())
    later = draw(st.booleans())
    tracks = [draw(rich_tracks(track)) for track in profile.tracks]
    if later:  # within one another's range, so that they can be merged, cut and thinned together
        tracks = [shifted(track, draw(st.integers(0, 120))) for track in tracks]
    builder = ProfileBuilder(profile.name)
    for track in tracks:
        builder.add_track(**vars(track))
    ends = builder.build()
    return replace(profile, tracks=tuple(tracks), start_ns=ends.start_ns, end_ns=ends.end_ns)


def shifted(track: Track, begin: int) -> Track:
    """Return the track with its first event at an instant."""
    firsts = [counter.at_ns for counter in track.counters]
    firsts += [part.start_ns for part in (track.spans,) if part is not None]
    firsts += [part.at_ns for part in (track.samples, track.marks) if part is not None]
    by = begin - min((int(at[0]) for at in firsts if len(at)), default=begin)
    spans, samples, marks = track.spans, track.samples, track.marks
    return replace(
        track,
        spans=spans and replace(spans, start_ns=spans.start_ns + by, end_ns=spans.end_ns + by),
        samples=samples and replace(samples, at_ns=samples.at_ns + by),
        counters=tuple(replace(counter, at_ns=counter.at_ns + by) for counter in track.counters),
        marks=marks and replace(marks, at_ns=marks.at_ns + by),
    )


def deep_profile(depth: int, names: int) -> Profile:
    """Return a profile of one span in the other, `depth` of them, with so many names in turn; samples too."""
    frames = tuple(Frame(f"f{i}", kind=FrameKind.SCOPE) for i in range(names))
    index = np.arange(depth, dtype=np.int32)
    builder = ProfileBuilder("deep")
    spans = replace(
        builder.spans([]),
        stack=index,
        start_ns=index.astype(np.int64),
        end_ns=3 * depth - index.astype(np.int64),
        unfinished=np.zeros(depth, dtype=np.bool_),
    )
    samples = builder.samples([depth - 1, 0], [5, 9], [4, 2])
    builder.add_track("main", pid=1, tid=1, spans=spans, samples=samples)
    built = builder.build()
    return replace(built, frames=frames, stacks=Stacks(index - 1, (index % names).astype(np.int32)))


def by_path(tree, amounts=None) -> dict[tuple[Frame, ...], int]:
    """Return amounts of a stack tree (its totals by default) summed up by path of frames, without zeros."""
    profile = tree.profile
    found: dict[tuple[Frame, ...], int] = {}
    for stack, amount in enumerate((tree.total_ns if amounts is None else amounts).tolist()):
        if amount:
            path = tuple(profile.frames[i] for i in profile.stacks.path(stack))
            found[path] = found.get(path, 0) + amount
    return found


def rows_of(profile: Profile, track: Track) -> list[tuple]:
    """Return every span of a track as (path, start, end, unfinished, propagated, numbers), to be compared."""
    spans = track.spans
    if spans is None:
        return []
    propagated = [False] * len(spans) if spans.propagated is None else spans.propagated.tolist()
    return [
        (
            tuple(profile.frames[i] for i in profile.stacks.path(stack)),
            start,
            end,
            unfinished,
            was_carried,
            tuple((name, repr(float(column[i]))) for name, column in spans.work.items()),
        )
        for i, (stack, start, end, unfinished, was_carried) in enumerate(
            zip(
                spans.stack.tolist(),
                spans.start_ns.tolist(),
                spans.end_ns.tolist(),
                spans.unfinished.tolist(),
                propagated,
                strict=True,
            )
        )
    ]
