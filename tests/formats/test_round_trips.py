"""What is written and read again is what it was, as far as the format has words for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.content import content, contents, written
from tests.helpers.random_profiles import deep_profile, random_profiles, rich_profiles
from workbench.formats.chrome import read_chrome, write_chrome
from workbench.formats.folded import folded, read_folded
from workbench.formats.registry import FORMATS, read_profile
from workbench.formats.speedscope import read_speedscope, write_speedscope
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord, aggregate


@given(data=st.data())
def test_speedscope(data):
    """Spans and samples come back to the nanosecond, on their tracks; counters, marks and numbers do not."""
    profile = data.draw(rich_profiles())
    again = read_speedscope(content(written(write_speedscope, profile))).check()

    def frame(frame):
        return frame.name or "(no name)", frame.file, frame.line

    name, start, end, tracks = contents(profile, frame=frame, work=False)
    for track in tracks:
        track["counters"], track["marks"] = [], None
        if track["samples"] is not None:
            track["samples"] = [sample for sample in track["samples"] if sample[0]]
    assert contents(again, frame=frame, work=False) == (name, start, end, tracks)


@given(data=st.data())
def test_chrome(data):
    """All comes back, kinds, counters, marks and numbers too, but for samples of no time and infinite values."""
    profile = data.draw(rich_profiles())
    again = read_chrome(content(written(write_chrome, profile))).check()
    before, after = contents(profile, joined=True), contents(again, joined=True)
    assert after[0] == before[0]
    if before[3]:
        assert after[1:3] == before[1:3]
    assert after[3] == before[3]


@given(data=st.data())
def test_folded(data):
    """Lines that are read and written again are the same lines, and the time is the same."""
    profile = data.draw(random_profiles())
    text = folded(profile).encode("utf-8", "backslashreplace")
    again = read_folded(content(text, "x.folded")).check()
    assert folded(again).encode() == text
    total = sum(int(line.rpartition(b" ")[2]) for line in text.splitlines())
    assert aggregate(again, of="samples").all_ns == 1000 * total


@given(data=st.data())
def test_content_tells_the_format(data):
    """A file of ours is known by what it holds, whatever it is called."""
    profile = data.draw(rich_profiles())
    for name, each in FORMATS.items():
        if each.write and each.read:
            file = written(each.write, profile)
            if file:
                assert read_profile(content(file, "unnamed")).file.format == name


@pytest.mark.parametrize("name", ["speedscope", "chrome"])
def test_deep_recursion(name):
    """A hundred thousand frames in one another are written and read."""
    profile = deep_profile(100_000, 3)
    again = read_profile(content(written(FORMATS[name].write, profile), "deep")).check()
    assert len(again.stacks.path(int(again.tracks[0].samples.stack[0]))) == 100_000
    assert aggregate(again, of="samples").all_ns == 6
    assert aggregate(again, of="spans").all_ns == aggregate(profile, of="spans").all_ns


def test_deep_lines():
    """A line of a hundred thousand frames is read, and written again."""
    text = ";".join(f"f{i % 7}" for i in range(100_000)) + " 12\n"
    profile = read_folded(content(text * 3, "deep.folded")).check()
    assert len(profile.stacks) == 100_000
    assert folded(profile) == text.replace(" 12", " 36")


NAMES = [
    "</script>",
    "]]>",
    'a"b\\',
    "javascript:x",
    "x" * 10_000,
    "\u202egnp",
    "\x00\x01\n\r\x7f",
    "\ud800",
    "Fit",
    "fit",
    "é" * 300,
]


@pytest.mark.parametrize(
    ("write", "read"), [(write_chrome, read_chrome), (write_speedscope, read_speedscope)]
)
def test_hostile_names(write, read):
    """Names of any letters and lengths come back, on frames, tracks, counters and marks."""
    builder = ProfileBuilder(NAMES[0])
    for i, name in enumerate(NAMES):
        records = [
            SpanRecord(0, 90, 0, Frame(name, name, 3, FrameKind.SCOPE)),
            SpanRecord(7, 8, 1, Frame("in", "", 0, FrameKind.SCOPE)),
        ]
        builder.add_track(name, pid=1, tid=i, process=name, spans=builder.spans(records))
    again = read(content(written(write, builder.build()))).check()
    assert [frame.name for frame in again.frames if frame.name != "in"] == NAMES
    assert [frame.file for frame in again.frames if frame.name != "in"] == NAMES
    assert [(track.name, track.process) for track in again.tracks] == [(name, name) for name in NAMES]
    assert again.name == NAMES[0]
