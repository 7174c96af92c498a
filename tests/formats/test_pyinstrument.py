"""Reading pyinstrument's sessions, real ones and broken ones."""

from __future__ import annotations

import json
import time

import pyinstrument
import pytest

from workbench.errors import InvalidInputError
from workbench.formats.pyinstrument import read_pyinstrument
from workbench.formats.registry import read_profile
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
    profiler.last_session.save(path)
    assert read_profile(path).check().tracks  # known by its content
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


def test_waiting(tmp_path):
    """A leaf that waits is idle."""
    records = [[[identifier("main"), identifier("sleep", "<built-in>")], 1]]
    profile = read_pyinstrument(write(tmp_path / "s.json", records))
    assert leaf(profile).kind is FrameKind.IDLE


@pytest.mark.parametrize("line", ["", "x", "-1", "1e3", "9999999999", "²"])
def test_broken_lines(tmp_path, line):
    """A line that is none is an InvalidInputError where lines are asked for."""
    path = write(tmp_path / "broken.json", [[[f"f\0f.py\x001\x01l{line}"], 1]])
    with pytest.raises(InvalidInputError, match=r"broken\.json.*is no line"):
        read_pyinstrument(path, lines=True)
