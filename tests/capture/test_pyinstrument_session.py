"""Sampling real programs with pyinstrument: one clock with the guards, whole at every moment, in nobody's way."""

from __future__ import annotations

import json
import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinstrument.session import Session
from workbench.capture._pyinstrument_session import MOST_UNWRITTEN_S, PyinstrumentSession

from workbench.capture.program import CaptureOptions, run_program
from workbench.formats.pyinstrument import read_pyinstrument

PLACED_FILE = Path(__file__).parents[1] / "placed.py"
PLACED = runpy.run_path(str(PLACED_FILE))
BUSY = """
import os, signal, sys, threading, time
from workbench import scope

def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(500))

"""
CLOCKS_NS = 20_000
"""By how much the recorder's fast clock may differ from the system's before it stops to be used."""


@pytest.fixture
def sampled(workbench_profile):
    """Return a function that profiles a program in a folder of its own, and returns what came of it."""

    def run(text, rate=500):
        path = workbench_profile.write("p.py", text)
        folder = workbench_profile.folder / "out"
        options = CaptureOptions(program=(str(path),), folder=folder, rate=rate, sampler="pyinstrument")
        return run_program(options)

    return run


@pytest.fixture
def session(workbench_profile):
    """Return a function that profiles a program by the command line: (process, its session without lines)."""

    def run(then, **options):
        workbench_profile.write("p.py", BUSY + then)
        done = workbench_profile.profile("--sampler", "pyinstrument", "--rate", "500", "p.py", **options)
        return done, read_pyinstrument(workbench_profile.folder / "out" / "pyinstrument.json")

    return run


def names(profile):
    return {frame.name for frame in profile.frames}


def test_one_clock(sampled):
    """A function that is called inside a scope alone is seen within that scope's time, to the clocks' own error."""
    capture = sampled(
        BUSY + "for _ in range(5):\n    with scope('work'):\n        busy(0.03)\n    time.sleep(0.005)\n"
    )
    (spans,) = (track.spans for track in capture.scopes.tracks if track.spans is not None)
    seen = read_pyinstrument(capture.options.folder / "pyinstrument.json", lines=True)
    (track,) = seen.tracks
    checked = 0
    for stack, at in zip(track.samples.stack.tolist(), track.samples.at_ns.tolist(), strict=True):
        if stack >= 0 and any(seen.frames[i].name == "busy" for i in seen.stacks.path(stack)):
            inside = (spans.start_ns - CLOCKS_NS <= at) & (at <= spans.end_ns + CLOCKS_NS)
            assert inside.any()
            checked += 1
    assert checked


def test_a_session_says_whose_it_is(session):
    """The session's process and thread are the program's own, and it began and ended around what was seen."""
    before = time.perf_counter_ns()
    done, profile = session(
        "busy(0.1)\nprint(os.getpid(), threading.get_ident(), threading.current_thread().name)"
    )
    pid, ident, name = done.stdout.split()
    (track,) = profile.tracks
    assert (track.pid, track.tid, track.name) == (int(pid), int(ident), name)
    assert before < profile.start_ns < profile.end_ns < time.perf_counter_ns()
    assert "cut_off" not in profile.facts


def test_samples_are_under_their_scopes(sampled):
    """What is called inside a scope alone is under it, in blocks, generators, tasks and recursion; else it is not."""
    merged = sampled(PLACED_FILE.read_text()).merged.check()
    for function, scopes in PLACED["EXPECTED"].items():
        assert PLACED["is_placed"](merged, function, scopes), PLACED["scopes_around"](merged, function)


@pytest.mark.parametrize("rate", [100, 1000])
def test_names_of_run_time(sampled, rate):
    """Samples of scopes that time alone tells apart are under them, but for those next to a scope's begin or end."""
    text = f"import runpy\nrunpy.run_path({str(PLACED_FILE)!r})['jobs']()\n"
    assert PLACED["least_unplaced"](lambda: sampled(text, rate).merged) <= 0.15


def test_nearly_all_is_written_at_every_moment(tmp_path, monkeypatch):
    """Whenever a program is killed, its session holds all but a second of what was seen, and over half of it."""
    path = tmp_path / "s.json"
    session = PyinstrumentSession(str(path), 100)
    now = session._started_ns = session._at_ns = 10**12
    clock = SimpleNamespace(perf_counter_ns=lambda: now)
    monkeypatch.setattr("workbench.capture._pyinstrument_session.time", clock)
    session._write_head()
    seen = 0.0
    for i in range(300):
        now += 10_000_000
        session._sampler_saw_call_stack(["main\0p.py\x001\x01l1"], 0.01, None)
        kept = read_pyinstrument(path)
        assert kept.facts["cut_off"]
        kept_s = (kept.end_ns - kept.start_ns) / 1e9
        seen = seen + 0.01 if i else kept_s  # the first is written at once
        assert seen - kept_s < min(MOST_UNWRITTEN_S, kept_s) + 1e-6
    assert kept_s > 1.9


def test_times_do_not_add_up_errors(tmp_path):
    """Each sample stands where its stack was seen, whatever pyinstrument says it stands for."""
    path = tmp_path / "s.json"
    session = PyinstrumentSession(str(path), 100)
    session._started_ns = session._at_ns = begin = time.perf_counter_ns()
    session._sampler = SimpleNamespace(last_profile_time=0.0)
    session._write_head()
    seen = []
    for wrong_s in (7.5, 0.0, time.perf_counter() + 1e6):
        before = time.perf_counter_ns()
        session._sampler_saw_call_stack(["main\0p.py\x001\x01l1"], wrong_s, None)
        seen.append((before, time.perf_counter_ns()))
    exact = time.perf_counter_ns()
    session._sampler.last_profile_time = (exact - 2_000_000) / 1e9
    session._sampler_saw_call_stack(["main\0p.py\x001\x01l1"], 0.002, None)
    seen.append((exact - 1000, exact + 1000))
    session._write()
    at = read_pyinstrument(path, lines=True).tracks[0].samples.at_ns.tolist()
    assert begin < at[0]
    for (least, most), each in zip(seen, at, strict=True):
        assert least <= each <= most


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_killed_program_keeps_its_samples(session, end):
    """What ends without a word leaves the samples before it, its guards, and its own exit code."""
    done, profile = session(f"with scope('work'):\n    busy(0.3)\n    {end}")
    assert (done.returncode, done.stderr) == (3 if "exit" in end else 137, "")
    assert "busy" in names(profile)
    assert profile.facts["cut_off"]


def test_children_are_not_sampled(session):
    """A forked child is neither sampled nor keeps our handler, and the parent's session is whole."""
    done, profile = session(
        """
if os.fork() == 0:
    busy(0.2)
    print(sys.getprofile(), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
    os._exit(0)
os.wait()
def after(): busy(0.1)
after()
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("None True\n", "", 0)
    assert "after" in names(profile)
    assert "cut_off" not in profile.facts


def test_a_profiler_of_the_programs_own(session):
    """A program may use pyinstrument itself: both see what they should, and nothing is said."""
    done, profile = session(
        """
from pyinstrument import Profiler
def first(): busy(0.1)
def then(): busy(0.1)
for options in ({}, {"async_mode": "disabled"}):
    with Profiler(interval=0.001, **options) as own:
        first()
    print(any("first" in frame for stack, _ in own.last_session.frame_records for frame in stack))
with Profiler(use_timing_thread=True) as own:
    first()
print(own.last_session is not None)
then()
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\nTrue\nTrue\n", "", 0)
    assert {"first", "then"} <= names(profile)


def test_another_takes_the_place(session):
    """Where the program sets a profile function of its own, one line says so and what was seen is kept."""
    done, profile = session("busy(0.1)\nimport cProfile\ncProfile.Profile().runcall(busy, 1.3)\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("workbench: pyinstrument's samples end ")
    assert line.endswith("(cProfile, sys.setprofile) or an interrupt took its place")
    assert done.returncode == 0
    assert "busy" in names(profile)


def test_a_rough_program(session):
    """Closed descriptors, another folder and a caught Ctrl-C do not end the samples' file."""
    done, profile = session(
        """
os.chdir("/")
os.closerange(3, 100)
try:
    os.kill(os.getpid(), signal.SIGINT)
    busy(9)
except KeyboardInterrupt:
    print("caught")
def after(): busy(0.1)
after()
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("caught\n", "", 0)
    assert "after" in names(profile)
    assert "cut_off" not in profile.facts


def test_a_full_stack(session):
    """A program that fills its stack runs as without us, and what was seen before is there: samples may end then."""
    done, profile = session(
        """
def deeper(): deeper()
def before(): busy(0.3)
before()
for _ in range(200):
    try:
        deeper()
    except RecursionError:
        pass
print("caught")
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("caught\n", "", 0)
    assert "before" in names(profile)


def test_a_session_that_cannot_be_written(workbench_profile, our_lines):
    """Where the session cannot be written the program runs on, and one line names the file."""
    workbench_profile.write(
        "p.py", BUSY + "import shutil\nshutil.rmtree(sys.argv[1])\nbusy(0.3)\nprint('done')"
    )
    out = str(workbench_profile.folder / "out")
    done = workbench_profile.profile("--sampler", "pyinstrument", "p.py", out)
    assert done.stdout == "done\n"
    assert sum("pyinstrument.json cannot be written" in line for line in our_lines(done.stderr)) == 1


def test_pyinstrument_is_not_there(workbench_profile, our_lines):
    """Where pyinstrument cannot be imported the program runs all the same, a line says why, and the code is 75."""
    workbench_profile.write("elsewhere/pyinstrument.py", "raise ImportError('broken installation')")
    workbench_profile.write("p.py", BUSY + "with scope('work'): print('done')")
    path = f"{workbench_profile.folder / 'elsewhere'}:{workbench_profile.environment['PYTHONPATH']}"
    done = workbench_profile.profile("--sampler", "pyinstrument", "p.py", env={"PYTHONPATH": path})
    assert (done.stdout, done.returncode) == ("done\n", 75)
    assert "workbench: pyinstrument cannot be imported: broken installation" in done.stderr.splitlines()
    assert len(our_lines(done.stderr)) == 2
    assert workbench_profile.frames("scopes.speedscope.json") == {"work"}


def test_pyinstrument_reads_it_too(session, workbench_profile):
    """The file is a session to pyinstrument itself, with all that it says of its own."""
    session("busy(0.1)")
    path = workbench_profile.folder / "out" / "pyinstrument.json"
    loaded = Session.load(path)
    assert loaded.sample_count == len(loaded.frame_records) > 0
    assert set(json.loads(path.read_text())) == {"workbench", *loaded.to_json()}
