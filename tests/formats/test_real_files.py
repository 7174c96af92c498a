"""Files that the programs themselves wrote, here and now."""

from __future__ import annotations

import cProfile
import functools
import json
import marshal
import os
import pstats
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.formats.content import content, spans
from workbench.errors import InvalidInputError
from workbench.formats.chrome import read_chrome
from workbench.formats.registry import read_profile
from workbench.formats.speedscope import read_speedscope
from workbench.profile import FrameKind, aggregate

PROGRAM = """
import sys, time
def spin(until):
    while time.perf_counter() < until:
        sum(range(500))
def inner(until):
    spin(until)
def main():
    inner(time.perf_counter() + 1.5)
main()
"""


def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(2000))


def totals(profile, of="samples"):
    """Return the nanoseconds under each function's name, where it is not under itself."""
    tree = aggregate(profile, of=of)
    found = {}
    for stack in range(len(profile.stacks)):
        names = [profile.frames[i].name for i in profile.stacks.path(stack)]
        if names[-1] not in names[:-1]:
            found[names[-1]] = found.get(names[-1], 0) + int(tree.total_ns[stack])
    return found, tree.all_ns


@pytest.fixture(scope="module")
def py_spy(tmp_path_factory):
    """A function that records a program with py-spy in one of its formats."""

    @functools.cache
    def record(form, attempt=0):
        folder = tmp_path_factory.mktemp(form)
        (folder / "p.py").write_text(PROGRAM)
        output = folder / "out"
        program = Path(sys.executable).with_name("py-spy")
        command = [program if program.exists() else "py-spy", *f"record --rate 100 --format {form}".split()]
        command += ["--output", output, "--", sys.executable]
        for _ in range(5):  # on a busy machine it may find no stack at all, and then writes nothing
            done = subprocess.run([*command, folder / "p.py"], capture_output=True, text=True, timeout=60)
            if output.exists() and output.stat().st_size > 2:
                break
        if not output.exists():
            assert os.environ.get("CI") != "true", done.stderr
            pytest.skip(f"py-spy cannot be used here: {done.stderr}")
        return output

    return record


@pytest.mark.parametrize(
    ("form", "name"),
    [("raw", "pyspy-raw"), ("speedscope", "speedscope"), ("chrometrace", "pyspy-chrome")],
)
def test_py_spy(py_spy, form, name):
    """Each format of py-spy is known by its content; most of its time is where the program spent it."""
    for attempt in range(5):
        profile = read_profile(py_spy(form, attempt)).check()
        assert (profile.file.format or "pyspy-chrome") == name
        found, everything = totals(profile)
        if everything > 5e8:
            break  # on a busy machine it may have seen the last stack once, and its end is in no trace
    spin = sum(time for label, time in found.items() if label.partition(" ")[0] in ("spin", "<genexpr>"))
    assert spin > 0.8 * everything
    (frame,) = {(f.name, Path(f.file).name) for f in profile.frames if f.name == "inner"}
    assert frame == ("inner", "p.py")
    if form == "raw":
        assert 7 in {f.line for f in profile.frames if f.name == "inner" and f.kind is FrameKind.PYTHON}


def test_cprofile(tmp_path):
    """Statistics of cProfile give a tree whose times are cProfile's, to the microsecond, and say how it was made."""

    def leaf():
        busy(0.05)

    def twice():
        leaf()
        leaf()

    def recursive(n):
        if n:
            recursive(n - 1)
        else:
            leaf()

    profiler = cProfile.Profile()
    profiler.enable()
    twice()
    recursive(5)
    profiler.disable()
    profiler.dump_stats(tmp_path / "run.prof")
    profile = read_profile(tmp_path / "run.prof").check()
    stats = pstats.Stats(str(tmp_path / "run.prof"))
    found, everything = totals(profile)
    assert everything == pytest.approx(stats.total_tt * 1e9, abs=1000)
    (of_twice,) = (entry[3] for key, entry in stats.stats.items() if key[2] == "twice")
    assert found["twice"] == pytest.approx(of_twice * 1e9, rel=0.02)
    (of_leaf,) = (entry[3] for key, entry in stats.stats.items() if key[2] == "leaf")
    assert found["leaf"] == pytest.approx(of_leaf * 1e9, rel=0.02)
    assert any(frame.kind is FrameKind.NATIVE and "sum" in frame.name for frame in profile.frames)
    assert profile.file.attributed > 0.95
    assert read_profile(tmp_path / "run.prof", "pstats").file.calls == stats.total_calls


def test_marshal_of_every_version(tmp_path):
    """What cProfile writes is read in each version of marshal, with references and without."""
    stats = {
        ("ü.py", 70_000, "<f>"): (1, 1 << 40, 0.25, 0.5, {}),
        ("ü.py", 70_000, "g"): (1, 1, 0.0, 0.0, {}),
    }
    for version in range(2, marshal.version + 1):
        (tmp_path / "x.prof").write_bytes(marshal.dumps(stats, version))
        profile = read_profile(tmp_path / "x.prof").check()
        assert profile.file.calls == (1 << 40) + 1
        assert profile.frames[0][:3] == ("<f>", "ü.py", 70_000)


def test_viztracer(tmp_path):
    """A trace of viztracer has its functions with file and line, its threads by name, its counters and marks."""
    viztracer = pytest.importorskip("viztracer")

    def work():
        busy(0.03)

    tracer = viztracer.VizTracer(verbose=0, log_gc=False)
    tracer.start()
    thread = threading.Thread(target=work, name="the worker")
    thread.start()
    with tracer.log_event("fit"):
        work()
    tracer.log_instant("here")
    tracer.log_var("loss", 0.5)
    thread.join()
    tracer.stop()
    tracer.save(str(tmp_path / "run.json"))
    profile = read_profile(tmp_path / "run.json").check()
    assert profile.file.format == "chrome"
    names = {track.name for track in profile.tracks}
    assert "MainThread" in names
    assert len(names) == len(profile.tracks) >= 2
    raw = [
        event
        for event in json.loads((tmp_path / "run.json").read_text())["traceEvents"]
        if event["ph"] == "X"
    ]
    assert sum(len(track.spans) for track in profile.tracks if track.spans is not None) == len(raw)
    found, _ = totals(profile, "spans")
    of_fit = next(event for event in raw if event["name"].startswith("fit"))
    assert next(time for name, time in found.items() if name.startswith("fit")) == round(of_fit["dur"] * 1000)
    frame = next(frame for frame in profile.frames if frame.name.endswith("work"))
    assert (Path(frame.file).name, frame.kind) == ("test_real_files.py", FrameKind.PYTHON)
    assert frame.line > 1
    (counter,) = (counter for track in profile.tracks for counter in track.counters)
    assert counter.name.startswith("loss")
    assert counter.value.tolist() == [0.5]
    assert [name for track in profile.tracks if track.marks for name in track.marks.name] == ["here"]


@pytest.mark.parametrize("missing", [(), ("name",), ("activeProfileIndex",)])
def test_first_versions_of_speedscope(missing):
    """Speedscope's first versions: another order of keys, units that are none, a table of frames at the end."""
    file = {
        "version": "0.0.1",
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": "old",
        "activeProfileIndex": 0,
        "profiles": [
            {
                "type": "evented",
                "name": "simple.txt",
                "unit": "none",
                "startValue": 0,
                "endValue": 14,
                "events": [
                    {"type": "O", "frame": 0, "at": 0},
                    {"type": "O", "frame": 1, "at": 2},
                    {"type": "C", "frame": 1, "at": 6},
                    {"type": "C", "frame": 0, "at": 14},
                ],
            },
            {
                "type": "sampled",
                "name": "seconds",
                "unit": "seconds",
                "startValue": 1.5,
                "endValue": 9,
                "samples": [[0, 1], [0]],
                "weights": [0.25, 3],
            },
        ],
        "shared": {"frames": [{"name": "a"}, {"name": "b", "file": "b.rb", "line": 3, "col": 9}]},
    }
    for key in missing:
        del file[key]
    for indent in (None, 2):
        profile = read_speedscope(content(json.dumps(file, indent=indent), "old.json")).check()
        first, second = profile.tracks
        assert (first.name, first.spans.start_ns.tolist(), first.spans.end_ns.tolist()) == (
            "simple.txt", [0, 2000], [14_000, 6000],
        )  # fmt: skip
        assert second.samples.at_ns.tolist() == [1_500_000_000, 1_750_000_000]
        assert second.samples.weight_ns.tolist() == [250_000_000, 3_000_000_000]
        assert profile.frames[1].line == 3
        assert profile.file.unit == "none, shown as microseconds"
        assert profile.file.warnings == (
            "the unit 'none' is no time: what is counted is shown as microseconds",
        )


def trace(*events):
    return json.dumps([{"pid": 1, "tid": 1, **event} for event in events])


def test_begin_and_end():
    """B and E nest; an end without a name closes the innermost, one with a name that one and what is inside it."""
    profile = read_chrome(
        content(
            trace(
                {"ph": "E", "ts": 0},
                {"ph": "B", "ts": 1, "name": "a"},
                {"ph": "B", "ts": 2, "name": "b"},
                {"ph": "B", "ts": 3, "name": "c"},
                {"ph": "E", "ts": 4, "name": "b"},
                {"ph": "X", "ts": 5, "dur": 1, "name": "x"},
                {"ph": "E", "ts": 7},
                {"ph": "B", "ts": 8, "name": "left open"},
                {"ph": "i", "ts": 9, "name": "m"},
            )
        )
    ).check()
    assert spans(profile) == [
        ("a", 1000, 7000),
        ("a;b", 2000, 4000),
        ("a;b;c", 3000, 4000),
        ("a;x", 5000, 6000),
        ("left open", 8000, 9000),
    ]
    assert profile.tracks[0].spans.unfinished.tolist() == [False] * 4 + [True]
    assert profile.file.unmatched_ends == 1


def test_ids():
    """Thread ids of 64 bits and of text stay apart, and so do threads of several processes."""
    large = 140245434423104
    events = [
        {"ph": "X", "ts": 1, "dur": 1, "name": "f", "pid": pid, "tid": tid}
        for pid, tid in ((1, large), (1, large + 1), (2, large), ("GPU", "stream 7"), (1, "0x10"))
    ]
    profile = read_chrome(content(trace(*events))).check()
    ids = [(track.pid, track.tid) for track in profile.tracks]
    assert ids == [(1, large), (1, large + 1), (2, large), (-1, -2), (1, 16)]
    assert (profile.tracks[3].name, profile.tracks[3].process) == ("stream 7", "GPU")


def test_an_array_may_end_open():
    """A trace of a program that was killed ends behind an event or a comma, and within one it is refused."""
    whole = trace({"ph": "X", "ts": 1, "dur": 1, "name": "f"}, {"ph": "X", "ts": 2, "dur": 1, "name": "g"})
    for end in ("", ",", ",\n"):
        assert len(spans(read_chrome(content(whole[:-1] + end)))) == 2
    with pytest.raises(InvalidInputError, match="ends too early"):
        read_chrome(content(whole[:-2]))
