"""Random profiles, for properties that hold of all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord

NAMES = st.sampled_from(["fit", "predict", "solve", "a;b", "\ud800", "<b>", ""])


@st.composite
def nested_records(draw, start=0, depth=0, room=None):
    """Draw intervals that nest, as guards record them; some have no length."""
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
    """Draw samples in time order, with gaps, empty stacks and waiting leaves."""
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
