"""How numbers and names become text, and text becomes columns."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.formats import _json
from workbench.formats._json import JsonText
from workbench.formats._numbers import nanosecond_column, nanoseconds
from workbench.formats._rows import joined, table, thousandths, whole
from workbench.formats._speedscope_events import compact_events
from workbench.formats.chrome import read_chrome, write_chrome
from workbench.formats.speedscope import read_speedscope, write_speedscope
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord

NUMBERS = st.lists(
    st.one_of(st.integers(0, 99_999), st.integers(0, 2**63 - 1), st.integers(0, 18).map(lambda e: 10**e))
)


@given(NUMBERS)
def test_numbers(values):
    """Each number's digits are those of Python, without leading zeros; thousandths are exact."""
    column = np.array(values, dtype=np.int64)
    end = np.broadcast_to(table([b";"]), (len(values), 1))
    assert joined([whole(column), end]).decode().split(";")[:-1] == [str(value) for value in values]
    text = joined([*thousandths(column), end]).decode().split(";")[:-1]
    for value, written in zip(values, text, strict=True):
        before, _, after = written.partition(".")
        assert int(before) * 1000 + int(after.ljust(3, "0")) == value
        assert not written.endswith((".", ".0"))


@given(st.lists(st.integers(0, 10**12)))
def test_microseconds_come_back(values):
    """Nanoseconds that were written as microseconds are the same when they are read, one by one and in columns."""
    written = [json.loads(f"{value // 1000}.{value % 1000:03}") for value in values]
    assert nanosecond_column(written, 1000).tolist() == values
    assert [nanoseconds(value, 1000) for value in written] == values


EVENTS = st.lists(st.tuples(st.sampled_from("OC"), st.integers(0, 10**6), st.integers(0, 10**17)), min_size=1)


def compact(events):
    return ",".join(f'{{"type":"{kind}","frame":{frame},"at":{at}}}' for kind, frame, at in events)


@given(EVENTS)
def test_compact_events(events):
    """Events without blanks are read as json reads them."""
    opens, frames, at = compact_events(compact(events))
    assert list(zip(opens.tolist(), frames.tolist(), at.tolist(), strict=True)) == [
        (kind == "O", frame, at) for kind, frame, at in events
    ]


@given(EVENTS, st.data())
def test_what_is_not_compact(events, data):
    """Of a text with one change, either nothing is said, or what json says."""
    text = compact(events)
    at = data.draw(st.integers(0, len(text)))
    changed = (
        text[:at]
        + data.draw(st.sampled_from([*'0 1,.-:{}"OCx', ",,", "00"]))
        + text[at + data.draw(st.integers(0, 2)) :]
    )
    found = compact_events(changed) if changed and changed.isascii() else None
    if found is None:
        return
    rows = [
        (kind == "O", frame, at)
        for kind, frame, at in (event.values() for event in json.loads(f"[{without_zeros(changed)}]"))
    ]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == rows


def without_zeros(text):
    """Return the text with numbers as JSON wants them: it is milder about leading zeros."""
    import re

    return re.sub(r":0+(?=\d)", ":", text)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(st.text(), each)
    ),
    st.integers(1, 40),
)
def test_elements(value, size):
    """An array is read element by element as json reads it, whatever the size of the pieces that are taken at once."""
    objects = [{"a": value, "},": [{}, {"b": "},{"}]}, 3, {}, {"c": {"d": value}}] * 3
    for separators in ((",", ":"), (" , ", " : ")):
        text = JsonText(_source(json.dumps(objects, separators=separators)), "a test")
        before, _json.BLOCK = _json.BLOCK, size
        try:
            assert list(text.elements()) == objects
        finally:
            _json.BLOCK = before
        text.end()


def _source(text):
    from workbench.formats.source import Source

    return Source("x", text.encode("utf-8", "surrogatepass"))


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
    file = io.BytesIO()
    write(builder.build(), file)
    again = read(_source(file.getvalue().decode())).check()
    assert [frame.name for frame in again.frames if frame.name != "in"] == NAMES
    assert [frame.file for frame in again.frames if frame.name != "in"] == NAMES
    assert [(track.name, track.process) for track in again.tracks] == [(name, name) for name in NAMES]
    assert again.name == NAMES[0]


def test_ids_that_perfetto_takes():
    """Thread ids in a trace are above zero, below 2³¹ and of one thread each; samples have one of their own."""
    builder = ProfileBuilder("ids")
    samples = builder.samples([builder.stack_of([Frame("f")])], [0], [5])
    for pid, tid in ((0, 0), (0, 2**40), (5, 7), (5, 7), (2**33, 1), (5, 1), (-3, -3)):
        builder.add_track("t", pid=pid, tid=tid, samples=samples)
    file = io.BytesIO()
    write_chrome(builder.build(), file)
    events = json.loads(file.getvalue())["traceEvents"]
    lanes = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    assert len(lanes) == 14
    assert all(0 < each < 2**31 for lane in lanes for each in lane)
    assert len({(event["pid"], event["tid"]) for event in events if event["ph"] == "X"}) == 7
    again = read_chrome(_source(file.getvalue().decode())).check()
    assert [(track.pid, track.tid) for track in again.tracks] == [
        (0, 0), (0, 2**40), (5, 7), (5, 7), (2**33, 1), (5, 1), (-3, -3),
    ]  # fmt: skip
