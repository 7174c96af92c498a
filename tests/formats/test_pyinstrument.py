"""Reading pyinstrument's sessions, real ones and broken ones."""

from __future__ import annotations

import json
import time

import pyinstrument
import pytest

from workbench.errors import InvalidInputError
from workbench.formats.pyinstrument import from_begin, read_pyinstrument
from workbench.profile import FrameKind, aggregate


def identifier(name, file="f.py", line=1):
    return f"{name}\0{file}\0{line}\x01l{line}"


def write(path, records):
    path.write_text(json.dumps({"frame_records": records}))
    return path


def leaf(profile, i=0):
    return profile.frames[profile.stacks.frame[profile.tracks[0].samples.stack[i]]]


def test_a_real_session(tmp_path):
    """A session of pyinstrument itself is read with its functions, its time and its waiting leaves."""

    def busy():
        until = time.perf_counter() + 0.2
        while time.perf_counter() < until:
            sum(range(2000))

    with pyinstrument.Profiler(interval=0.001, async_mode="disabled") as profiler:
        busy()
        time.sleep(0.05)
    path = tmp_path / "s.json"
    path.write_text(json.dumps(profiler.last_session.to_json()))
    profile = read_pyinstrument(path, pid=7).check()
    (track,) = profile.tracks
    assert (track.name, track.pid) == ("MainThread", 7)
    tree = aggregate(profile, of="samples")
    of_busy = [
        i for i in range(len(profile.stacks)) if profile.frames[profile.stacks.frame[i]].name == "busy"
    ]
    assert of_busy
    assert int(tree.total_ns[of_busy].sum()) > 50_000_000
    assert tree.all_ns == pytest.approx(profiler.last_session.duration * 1e9, rel=0.5)
    assert any(frame.kind is FrameKind.IDLE for frame in profile.frames)


def test_stacks_keep_their_order(tmp_path):
    """Each record is a sample, in order; the thread's own frame and the import system are left out."""
    thread = "MainThread\0<thread>\x001"
    records = [
        [[thread, identifier("main"), identifier("_find", "<frozen importlib._bootstrap>")], 0.5],
        [[thread, identifier("main"), identifier("f", line=9)], 0.25],
        [[thread], 0.125],
    ]
    profile = read_pyinstrument(write(tmp_path / "s.json", records)).check()
    samples = profile.tracks[0].samples
    names = [[profile.frames[f].name for f in profile.stacks.path(s)] for s in samples.stack.tolist()]
    assert names == [["main"], ["main", "f"], []]
    assert samples.at_ns.tolist() == [0, 500_000_000, 750_000_000]
    assert samples.weight_ns.tolist() == [500_000_000, 250_000_000, 125_000_000]


def test_waiting_and_start_up_code(tmp_path):
    """A leaf that waits is idle; frames of the start-up code and below it are left out."""
    records = [[[identifier("boot", "boot.py"), identifier("main"), identifier("sleep", "<built-in>")], 1]]
    profile = read_pyinstrument(write(tmp_path / "s.json", records), base_file="boot.py")
    assert [frame.name for frame in profile.frames] == ["main", "sleep"]
    assert leaf(profile).kind is FrameKind.IDLE


BROKEN = {
    "empty": "",
    "no JSON": "{",
    "deep": "[" * 100_000,
    "a list": "[]",
    "no records": "{}",
    "records are a number": '{"frame_records": 3}',
    "a record is a number": '{"frame_records": [3]}',
    "a record is short": '{"frame_records": [[[]]]}',
    "no separators": '{"frame_records": [[["main"], 1]]}',
    "stack is a number": '{"frame_records": [[3, 1]]}',
    "seconds are text": '{"frame_records": [[[], "1"]]}',
    "seconds are null": '{"frame_records": [[[], null]]}',
    "seconds without end": '{"frame_records": [[[], Infinity]]}',
    "seconds are no number": '{"frame_records": [[[], NaN]]}',
    "too many seconds": '{"frame_records": [[["a\\u0000b\\u00001"], 1e30]]}',
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_sessions(tmp_path, what):
    """Whatever is wrong in a session is an InvalidInputError that names the file."""
    path = tmp_path / "broken.json"
    path.write_text(BROKEN[what])
    with pytest.raises(InvalidInputError, match=r"broken\.json"):
        read_pyinstrument(path)


@pytest.mark.parametrize("where", ["missing.json", "."])
def test_no_session(tmp_path, where):
    """A file that is not there, or is a folder, is an InvalidInputError that names it."""
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_pyinstrument(tmp_path / where)


def test_negative_times_count_nothing(tmp_path):
    """A clock that was set back does not give a sample of negative weight."""
    records = [[[identifier("a")], -1.0], [[identifier("b")], 1.0]]
    profile = read_pyinstrument(write(tmp_path / "s.json", records)).check()
    assert profile.tracks[0].samples.weight_ns.tolist() == [0, 1_000_000_000]


def ours(records, **facts):
    """Return a session as `workbench profile` writes it, a record on a line."""
    told = {"start_ns": 5_000, "pid": 7, "tid": 11, "thread": "worker", **facts}
    lines = ["," * (i > 0) + json.dumps(record) + "\n" for i, record in enumerate(records)]
    return f'{{"workbench":{json.dumps(told)},"frame_records":[\n{"".join(lines)}],"duration":1}}\n'


def test_current_lines(tmp_path):
    """With lines each frame has the line that ran, and 0 where the file has none; without, frames are functions."""
    records = [[["f\0f.py\x003\x01cThing\x01l9\x01h1", "g\0f.py\x0020"], 1], [["f\0f.py\x003\x01l10"], 1]]
    path = write(tmp_path / "s.json", records)
    assert [frame.line for frame in read_pyinstrument(path, lines=True).frames] == [9, 0, 10]
    assert [(frame.name, frame.line) for frame in read_pyinstrument(path).frames] == [("f", 0), ("g", 0)]


def test_lines_of_a_real_session(tmp_path):
    """In a session of pyinstrument itself every frame of a function is on one of its lines, by its own name."""

    class Base:
        def busy(self):
            until = time.perf_counter() + 0.1
            while time.perf_counter() < until:
                sum(range(2000))

    class Derived(Base):
        pass

    with pyinstrument.Profiler(interval=0.001, async_mode="disabled") as profiler:
        Derived().busy()
    path = tmp_path / "s.json"
    path.write_text(json.dumps(profiler.last_session.to_json()))
    code = Base.busy.__code__
    lines = {line for _, _, line in code.co_lines() if line is not None}
    of_busy = [frame for frame in read_pyinstrument(path, lines=True).frames if frame.name == code.co_name]
    assert of_busy
    assert {(frame.file, frame.line in lines) for frame in of_busy} == {(code.co_filename, True)}


def test_seen_and_meant(tmp_path):
    """With lines a sample stands where it was seen, at its end; `from_begin` puts it where its time begins."""
    records = [[[identifier("a")], 0.5], [[identifier("b")], 0.25], [[], 0.25], [[identifier("a")], 0.125]]
    path = write(tmp_path / "s.json", records)
    seen = read_pyinstrument(path, lines=True, start_ns=1_000)
    meant = read_pyinstrument(path, start_ns=1_000).check()
    at = seen.tracks[0].samples.at_ns
    assert at.tolist() == [500_001_000, 750_001_000, 1_000_001_000, 1_125_001_000]
    moved = from_begin(seen).check()
    assert moved.tracks[0].samples.at_ns.tolist() == meant.tracks[0].samples.at_ns.tolist()
    assert (moved.start_ns, moved.end_ns) == (meant.start_ns, meant.end_ns) == (1_000, 1_125_001_000)


def test_what_a_session_of_ours_says(tmp_path):
    """A session that we took knows its process, thread and begin; an argument goes before that."""
    path = tmp_path / "s.json"
    path.write_text(ours([[[identifier("a")], 1]]))
    profile = read_pyinstrument(path)
    (track,) = profile.tracks
    assert (track.name, track.pid, track.tid, profile.start_ns) == ("worker", 7, 11, 5_000)
    assert "cut_off" not in profile.facts
    (track,) = read_pyinstrument(path, pid=1, tid=0, thread="t", start_ns=9).tracks
    assert (track.name, track.pid, track.tid, track.samples.at_ns.tolist()) == ("t", 1, 0, [9])
    (track,) = read_pyinstrument(write(tmp_path / "plain.json", [[[identifier("a")], 1]])).tracks
    assert (track.name, track.pid, track.tid, track.samples.at_ns.tolist()) == ("MainThread", 0, 0, [0])


def test_a_session_that_is_cut_off(tmp_path):
    """Cut off anywhere behind its head, a session of ours is read up to its last whole record; the profile says so."""
    text = ours([[[identifier("a", f"{i}]}}.py")], 0.5] for i in range(3)])
    begin, end = text.index("[\n") + 2, text.index('],"duration"')
    path = tmp_path / "s.json"
    for cut in range(begin, len(text) - 1):  # a line's end is not missed
        path.write_text(text[:cut])
        profile = read_pyinstrument(path)
        whole = text[begin : min(cut, end)].count("\n")
        assert sum(len(track.samples) for track in profile.tracks) == whole
        assert profile.facts["cut_off"]
    for whole_file in (text, json.dumps(json.loads(text))):
        path.write_text(whole_file)
        profile = read_pyinstrument(path)
        assert (len(profile.tracks[0].samples), "cut_off" in profile.facts) == (3, False)


def test_frames_around_the_block(tmp_path):
    """Frames that were there when a session of ours began are left out; whatever differs from them is not."""
    around = ["<module>\0k.py\x001", "cell\0k.py\x005"]
    thread = "MainThread\0<thread>\x001"
    records = [
        [[thread, "<module>\0k.py\x001\x01l2", "cell\0k.py\x005\x01l6", "f\0f.py\x001\x01l2"], 1],
        [[thread, "<module>\0k.py\x001\x01l3", "other\0k.py\x009", "cell\0k.py\x005\x01l6"], 1],
        [[thread, "<module>\0k.py\x001\x01l2"], 1],
    ]
    path = tmp_path / "s.json"
    path.write_text(ours(records, around=around))
    profile = read_pyinstrument(path)
    samples = profile.tracks[0].samples
    names = [[profile.frames[f].name for f in profile.stacks.path(s)] for s in samples.stack.tolist()]
    assert names == [["f"], ["other", "cell"], []]


@pytest.mark.parametrize(
    "told",
    [3, {"pid": "x"}, {"start_ns": 1 << 62}, {"start_ns": -1}, {"tid": None}, {"around": 3}, {"pid": 0.5}],
)
def test_broken_heads(tmp_path, told):
    """What a session says of itself and cannot be is an InvalidInputError that names the file."""
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({"workbench": told, "frame_records": []}) + "\n")
    with pytest.raises(InvalidInputError, match=r"broken\.json"):
        read_pyinstrument(path)


@pytest.mark.parametrize("line", ["", "x", "-1", "1e3", "9999999999", "²"])
def test_broken_lines(tmp_path, line):
    """A line that is none is an InvalidInputError where lines are asked for."""
    path = write(tmp_path / "broken.json", [[[f"f\0f.py\x001\x01l{line}"], 1]])
    with pytest.raises(InvalidInputError, match=r"broken\.json.*is no line"):
        read_pyinstrument(path, lines=True)
