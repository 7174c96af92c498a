"""Reading py-spy's chrometrace: by hand-made files for each of its faults, and a real capture of py-spy itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.formats.pyspy import read_pyspy_chrometrace
from workbench.profile import aggregate

MS = 1000  # µs in one


class Trace:
    """Writes a file as py-spy does: changes of stacks, kept by thread ident alone."""

    def __init__(self, path):
        self.path = path
        self.events = []
        self.stacks = {}

    def sample(self, at, *frames, pid=1, tid=10, thread="thread (1): MainThread"):
        """Add what py-spy writes when it sees a stack, given as "name", ("name", file) or with a line."""
        new = [(f'process {pid}:"python p.py"', "", 0), (thread, "", 0)] if frames else []
        for frame in frames:
            name, file, line = (frame, "p.py", 1) if isinstance(frame, str) else (*frame, 1)[:3]
            new.append((name, file, line))
        old = self.stacks.get(tid, [])
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        for phase, frames_ in (("E", reversed(old[same:])), ("B", new[same:])):
            for name, file, line in frames_:
                arguments = {"filename": file, "line": line}
                event = {"args": arguments, "cat": "py-spy", "name": name, "ph": phase}
                self.events.append(event | {"pid": pid, "tid": tid, "ts": at})
        self.stacks[tid] = new
        return self

    def close(self, at):
        """Add the closing events that py-spy adds when it writes."""
        for tid in list(self.stacks):
            self.sample(at, tid=tid)
        return self

    def read(self, **options):
        self.path.write_text(json.dumps(self.events))
        return read_pyspy_chrometrace(self.path, **options).check()


@pytest.fixture
def trace(tmp_path):
    return Trace(tmp_path / "trace.json")


def rows(profile, track=0):
    """Return (stack, at µs, weight µs) of the samples of one track."""
    samples = profile.tracks[track].samples
    names = [";".join(profile.frames[f].name for f in profile.stacks.path(s)) for s in samples.stack.tolist()]
    return list(
        zip(names, (samples.at_ns // 1000).tolist(), (samples.weight_ns // 1000).tolist(), strict=True)
    )


def test_changes_of_stacks_become_samples(trace):
    """Each change is a sample that lasts until the next; the last is given one period."""
    trace.sample(0, "main").sample(10 * MS, "main", "f").sample(40 * MS, "main", "g").close(99 * MS)
    profile = trace.read(period_ns=10_000_000)
    assert rows(profile) == [
        ("main", 0, 10 * MS),
        ("main;f", 10 * MS, 30 * MS),
        ("main;g", 40 * MS, 10 * MS),
    ]
    (track,) = profile.tracks
    assert (track.name, track.pid, track.tid, track.process) == ("MainThread", 1, 10, "python p.py")


def test_lines_within_a_function_are_one_frame(trace):
    """A stack that changes only in its lines stays one stack."""
    trace.sample(0, ("main", "p.py", 3)).sample(MS, ("main", "p.py", 4))
    profile = trace.read()
    assert len(profile.stacks) == 1
    assert [row[0] for row in rows(profile)] == ["main", "main"]


def test_a_thread_that_ended_does_not_stretch(trace):
    """A thread without further events gets one period for its last stack, while others go on."""
    trace.sample(0, "main").sample(0, "work", tid=11, thread="thread (2): worker")
    trace.sample(500 * MS, "main", "late").close(600 * MS)
    profile = trace.read(period_ns=1_000_000)
    assert rows(profile, 1) == [("work", 0, MS)]
    assert profile.tracks[1].name == "worker"


def test_forked_children_share_a_thread_ident(trace):
    """Processes with one thread ident between them, whose events are mixed, are kept apart."""
    for turn in range(3):
        at = turn * 10 * MS
        trace.sample(at, "main", "wait", pid=1)
        trace.sample(at + 1, "main", f"child {turn}", pid=2)
    trace.close(100 * MS)
    profile = trace.read()
    assert [track.pid for track in profile.tracks] == [1, 2]
    assert {row[0] for row in rows(profile, 0)} == {"main;wait"}
    assert [row[0] for row in rows(profile, 1)] == ["main;child 0", "main;child 1", "main;child 2"]


def test_the_closing_events_are_no_samples(trace):
    """What py-spy closes when it writes adds neither a sample nor time."""
    before = rows(trace.sample(0, "main", "f").sample(5 * MS, "main").read())
    assert rows(trace.close(50 * MS).read()) == before


def test_threads_without_a_name(trace):
    """A main thread that has no name is known by its number; others are called by their ident."""
    trace.sample(0, "main", thread="thread (1)").sample(0, "work", tid=11, thread="thread (2)")
    assert [track.name for track in trace.read().tracks] == ["MainThread", "Thread 11"]


def test_kinds_of_frames(trace):
    """Python and native functions are distinguished; an address without a symbol is named by its library."""
    frames = [
        ("f", "a.py", 3),
        ("g", "a.pyx", 3),
        ("DOUBLE_tanh", "umath.so", 0),
        ("0x7f1200", "/x/libm.so.6", 0),
    ]
    profile = trace.sample(0, *frames, ("0x12", "", 0)).read()
    assert [(f.name, f.kind.name) for f in profile.frames] == [
        ("f", "PYTHON"),
        ("g", "NATIVE"),
        ("DOUBLE_tanh", "NATIVE"),
        ("[libm.so.6]", "NATIVE"),
        ("[unknown]", "NATIVE"),
    ]


def test_frames_of_the_import_system_are_left_out(trace):
    """What stands below the first Python function, and what imports, is left out."""
    trace.sample(0, ("0x7f", "libc.so.6", 0), ("<module>", "p.py", 1), ("load", "<frozen importlib._b>", 3))
    assert [frame.name for frame in trace.read().frames] == ["<module>"]


EVENT = {"args": {"filename": "", "line": 0}, "name": "f", "ph": "B", "pid": 1, "tid": 1, "ts": 1}


def test_strange_but_sound_files(trace, tmp_path):
    """No events, and ends without a beginning, are no samples."""
    (tmp_path / "none.json").write_text("[]")
    assert read_pyspy_chrometrace(tmp_path / "none.json").check().tracks == ()
    (tmp_path / "ends.json").write_text(json.dumps([EVENT | {"ph": "E"}]))
    assert read_pyspy_chrometrace(tmp_path / "ends.json").check().tracks == ()


PROGRAM = """
import threading, time

def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))

def wait():
    threading.Event().wait(1.2)

def fork():
    import os
    pid = os.fork()
    if pid == 0:
        in_child()
        os._exit(0)
    os.waitpid(pid, 0)

def in_child():
    busy(0.5)

worker = threading.Thread(target=wait, name="waiter")
worker.start()
busy(0.4)
fork()
worker.join()
"""


def test_a_real_capture(tmp_path):
    """A capture by py-spy itself: functions, threads by name, a forked child."""
    (tmp_path / "program.py").write_text(PROGRAM)
    spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if spy is None:
        pytest.skip("py-spy is not installed")
    file = tmp_path / "trace.json"
    options = ["--format", "chrometrace", "--idle", "--threads", "--subprocesses", "--nonblocking", "-o"]
    command = [spy, "record", *options, str(file), "--", sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if not file.is_file():
        assert os.environ.get("CI") != "true", done.stderr
        pytest.skip(f"py-spy cannot be used here: {done.stderr}")
    profile = read_pyspy_chrometrace(file).check()
    assert {track.name for track in profile.tracks} >= {"MainThread", "waiter"}
    assert len({track.pid for track in profile.tracks}) == 2
    tree = aggregate(profile, of="samples")
    time_of = {"busy": 0, "in_child": 0, "wait": 0}
    for stack in range(len(profile.stacks)):
        frame = profile.frames[profile.stacks.frame[stack]]
        if frame.name in time_of and frame.file.endswith("program.py"):
            time_of[frame.name] += int(tree.total_ns[stack])
    assert time_of["busy"] > time_of["in_child"] > 100_000_000
    assert time_of["wait"] > 0
