"""Chrome's traces as other programs write them: what is odd in them is read, and what is cut or left out is a line."""

from __future__ import annotations

import io
import json

import pytest

from tests.formats.content import content, contents, spans
from workbench.errors import InvalidInputError
from workbench.formats.chrome import read_chrome, write_chrome
from workbench.formats.registry import read_profile
from workbench.formats.source import source_of
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord

SLICE = '{"name":"f","ph":"X","ts":1,"dur":5,"pid":1,"tid":1}'


def x(name, at, duration, **more):
    return {"name": name, "ph": "X", "ts": at, "dur": duration, "pid": 1, "tid": 1} | more


def micros(profile, track=0):
    return [(names, start / 1e3, end / 1e3) for names, start, end in spans(profile, track)]


def warnings(profile):
    return list(profile.file.warnings)


@pytest.mark.parametrize(
    "text",
    [
        f"[{SLICE},\n]",
        f"[{SLICE},\n{{}}]",
        f"[{{}},{SLICE}]",
        f"[{SLICE},{{}}\n",
        f"[{SLICE},\n",
        f"[{SLICE}",
        f'{{"traceEvents":[{SLICE},],"displayTimeUnit":"ns"}}',
        f'{{"traceEvents":[{SLICE},{{}}]}}',
        "[" + SLICE.replace(":1,", ":1.0,") + "]",
        "[" + SLICE.replace(":1,", ':"1",') + "]",
        "[" + SLICE.replace(":5,", ':"5.000",') + "]",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_ways_to_write_a_slice(tmp_path, text, encoding):
    """Commas and empty objects at the end, numbers as text, and each encoding that JSON has had are read."""
    path = tmp_path / "x.json"
    path.write_bytes(text.encode(encoding))
    profile = read_profile(path, "chrome").check()
    assert micros(profile) == [("f", 1, 6)]
    assert warnings(profile) == []
    assert micros(read_profile(path)) == [("f", 1, 6)]


def test_times_as_text_are_exact():
    """A time since 1970 with a fraction keeps its nanoseconds, as no float would."""
    events = [
        x("op", "1669329643132548.257", "123.5"),
        {"ph": "i", "name": "m", "ts": "1669329643132548.001"},
    ]
    events += [{"ph": "C", "name": "c", "ts": "1669329643132548.999", "args": {"value": 2}}]
    profile = read_profile(content(json.dumps(events))).check()
    found = profile.tracks[0].spans
    assert (found.start_ns.tolist(), found.end_ns.tolist()) == ([1669329643132548257], [1669329643132671757])
    assert profile.tracks[1].marks.at_ns.tolist() == [1669329643132548001]
    assert profile.tracks[1].counters[0].at_ns.tolist() == [1669329643132548999]


def test_values_that_json_has_no_word_for():
    """NaN and Infinity in arguments and counters, and control characters in names, spoil nothing else."""
    text = (
        '[{"name":"CPU","ph":"C","ts":1,"pid":1,"args":{"sys":NaN,"usr":3}},'
        '{"name":"line\tone","ph":"X","ts":1,"dur":5,"pid":1,"tid":1,"args":{"loss":Infinity,"flops":-Infinity}}]'
    )
    profile = read_profile(content(text, "x.trace.json")).check()
    assert [c.name for track in profile.tracks for c in track.counters] == ["CPU usr"]
    assert micros(profile, 1) == [("line\tone", 1, 6)]


ENTERED = [
    x("__enter__", 0, 10),
    x("step", 6, 1000),
    x("aten::mm", 20, 900),
    x("__exit__", 1000, 12),
]
"""What torch writes around `with record_function("step")`: it begins in one call and ends in another."""


@pytest.mark.parametrize(
    ("events", "found", "cut_us"),
    [
        (
            ENTERED,
            [
                ("__enter__", 0, 6),
                ("step", 6, 1006),
                ("step;aten::mm", 20, 920),
                ("step;__exit__", 1000, 1006),
            ],
            10,
        ),
        ([x("a", 0, 10), x("b", 5, 10)], [("a", 0, 10), ("a;b", 5, 10)], 5),
        ([x("a", 0, 10), x("b", 5, 11)], [("a", 0, 5), ("b", 5, 16)], 5),
        (
            [x("long", 0, 100), x("short", 40, 10), x("mid", 45, 20)],
            [("long", 0, 100), ("long;short", 40, 45), ("long;mid", 45, 65)],
            5,
        ),
        (
            [x("a", 0, 10), x("b", 1, 8), x("c", 5, 50)],
            [("a", 0, 5), ("a;b", 1, 5), ("c", 5, 55)],
            9,
        ),
        ([x("a", 0, 10), x("b", 10, 10), x("c", 0, 10)], [("a", 0, 10), ("a;c", 0, 10), ("b", 10, 20)], 0),
    ],
)
def test_of_slices_that_overlap_the_longer_keeps_its_time(events, found, cut_us):
    """The order of the slices changes nothing; a warning states what the shorter lost."""
    for some in (events, events[::-1]) if cut_us else (events,):
        profile = read_profile(content(json.dumps({"traceEvents": some}), "x.json")).check()
        assert micros(profile) == found
        (line,) = warnings(profile) or [""]
        assert line.endswith(f"by {cut_us} µs in all") if cut_us else not line


def test_asynchronous_operations_are_tracks():
    """Operations of one name lie side by side, each whole, on as few tracks as hold them; what is inside nests."""
    events = [
        {"name": "req", "cat": "a", "id": 1, "ph": "b", "ts": 0, "pid": 1, "tid": 1},
        {"name": "parse", "cat": "a", "id": 1, "ph": "b", "ts": 10, "pid": 1, "tid": 2},
        {
            "name": "req",
            "cat": "a",
            "id": "0x2",
            "ph": "b",
            "ts": 20,
            "pid": 1,
            "tid": 1,
            "args": {"flops": 8},
        },
        {"name": "parse", "cat": "a", "id": 1, "ph": "e", "ts": 30, "pid": 1, "tid": 1},
        {"name": "seen", "cat": "a", "id": 1, "ph": "n", "ts": 35, "pid": 1, "tid": 1},
        {"name": "req", "cat": "a", "id": 1, "ph": "e", "ts": 50, "pid": 1, "tid": 1},
        {"name": "req", "cat": "a", "id": "0x2", "ph": "e", "ts": 60, "pid": 1, "tid": 1},
        {"name": "req", "cat": "a", "id2": {"local": 3}, "ph": "b", "ts": 50, "pid": 1, "tid": 1},
        {"name": "old", "id": 4, "ph": "S", "ts": 5, "pid": 1, "tid": 1},
        {"name": "old", "id": 4, "ph": "T", "ts": 6, "pid": 1, "tid": 1},
        {"name": "old", "id": 4, "ph": "F", "ts": 9, "pid": 1, "tid": 1},
        {"name": "end alone", "id": 5, "ph": "e", "ts": 9, "pid": 1, "tid": 1},
    ]
    profile = read_profile(content(json.dumps(events))).check()
    names = [track.name for track in profile.tracks]
    assert names == ["req (async)", "old (async)", "req (async) 2"]
    assert micros(profile) == [("req", 0, 50), ("req;parse", 10, 30), ("req", 50, 60)]
    assert profile.tracks[0].spans.unfinished.tolist() == [False, False, True]
    assert profile.tracks[0].marks.name == ("seen",)
    assert micros(profile, 2) == [("req", 20, 60)]
    assert profile.tracks[2].spans.work["flops"].tolist() == [8]
    assert micros(profile, 1) == [("old", 5, 9)]
    assert warnings(profile) == ["1 ends without a begin were left out"]


def test_operations_of_two_processes_are_two():
    """Each process counts its own, unless an id says that it is global."""
    rows = (("b", 0, 1), ("b", 1, 2), ("e", 5, 1), ("e", 7, 2))
    own = [{"name": "r", "id": 1, "ph": ph, "ts": at, "pid": pid} for ph, at, pid in rows]
    profile = read_profile(content(json.dumps(own))).check()
    assert [(t.pid, micros(profile, i)) for i, t in enumerate(profile.tracks)] == [
        (1, [("r", 0, 5)]),
        (2, [("r", 1, 7)]),
    ]
    shared = [
        {"name": "r", "id2": {"global": 1}, "ph": ph, "ts": at, "pid": pid}
        for ph, at, pid in (("b", 0, 1), ("e", 5, 2))
    ]
    assert micros(read_profile(content(json.dumps(shared))).check()) == [("r", 0, 5)]


def test_what_is_left_out_is_a_line():
    """Flows and other kinds of events are named, and so is a trace of nothing."""
    events = [
        x("f", 0, 1),
        {"ph": "s", "ts": 0, "id": 1},
        {"ph": "s", "ts": 1, "id": 2},
        {"ph": "N", "ts": 2},
    ]
    (line,) = warnings(read_profile(content(json.dumps(events))))
    assert "left out: 2 of kind 's', 1 of kind 'N'" in line
    for text in ("[]", '{"traceEvents":[{"ph":"M","name":"process_name","pid":1}]}'):
        assert warnings(read_profile(content(text))) == ["the trace holds no slices, counters or marks"]


@pytest.mark.parametrize("part", ["tracks", "lanes", "member"])
def test_our_member_may_lack_anything(tmp_path, part):
    """Whatever key is missing from our own member of a trace, one line says which."""
    builder = ProfileBuilder("p")
    rows = builder.spans([SpanRecord(0, 9, 0, Frame("a", kind=FrameKind.SCOPE))])
    builder.add_track("t", pid=1, tid=1, spans=rows)
    write_chrome(builder.build(), tmp_path / "x.trace.json")
    whole = json.loads((tmp_path / "x.trace.json").read_text())
    member = whole["workbench"]
    held = member if part == "member" else member[part][0]
    for key in list(held):
        value = held.pop(key)
        if (part, key) == ("member", "lanes"):  # then it is as if there was no member
            assert micros(read_profile(content(json.dumps(whole)))) == [("a", 0, 0.009)]
        else:
            with pytest.raises(InvalidInputError, match=f"its member 'workbench' is damaged: .*`{key}`"):
                read_profile(content(json.dumps(whole)))
        held[key] = value
    assert micros(read_profile(content(json.dumps(whole)))) == [("a", 0, 0.009)]


def test_slices_that_others_added(tmp_path):
    """Where another program added threads to a trace of ours, and samples of a kind we do not read, lines say so."""
    builder = ProfileBuilder("p")
    rows = builder.spans([SpanRecord(0, 9, 0, Frame("a", kind=FrameKind.SCOPE))])
    builder.add_track("t", pid=1, tid=1, spans=rows)
    write_chrome(builder.build(), tmp_path / "x.trace.json")
    whole = json.loads((tmp_path / "x.trace.json").read_text())
    whole["traceEvents"].append(x("theirs", 0, 5, tid=77))
    whole["samples"] = [{"cpu": 0}]
    profile = read_profile(content(json.dumps(whole))).check()
    assert micros(profile) == [("a", 0, 0.009)]
    assert warnings(profile)[0] == "slices on threads that workbench did not write were left out: 1"
    assert "1 of kind 'samples'" in warnings(profile)[1]


def test_text_that_claims_to_be_utf_16(tmp_path):
    """A mark of UTF-16 before something else is one line."""
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe[\x00\x00\xd8]")
    with path.open("rb") as file, pytest.raises(InvalidInputError, match="begins as UTF-16 and is not"):
        source_of("x.json", file)


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
    again = read_chrome(content(file.getvalue())).check()
    assert [(track.pid, track.tid) for track in again.tracks] == [
        (0, 0), (0, 2**40), (5, 7), (5, 7), (2**33, 1), (5, 1), (-3, -3),
    ]  # fmt: skip


def test_blanks_change_nothing():
    """A long file is read in pieces: blanks, and names that look like its syntax, change nothing."""
    odd = ["},", '{"a":[{}]},{', "[]", "é" * 9]
    events = [x(odd[i % 4], i, 1, args={"b": [{}, {"c": odd[i % 4]}]}) for i in range(3000)]
    found = [
        contents(read_profile(content(json.dumps(events, **form), "x.trace.json")).check())
        for form in (
            {"separators": (",", ":")},
            {"separators": (" , ", " : ")},
            {"indent": 1, "ensure_ascii": False},
        )
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0][3][0]["spans"]) == 3001
