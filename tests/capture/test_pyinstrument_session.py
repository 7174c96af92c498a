"""Sampling with pyinstrument by its public interface: its own session file, under scopes by line, in nobody's way."""

from __future__ import annotations

import pytest
from pyinstrument.session import Session

from tests.helpers.ended import BUSY
from tests.helpers.profiled import ours
from workbench.capture.program import CaptureOptions, run_program
from workbench.capture.samplers import Sampling
from workbench.capture.warnings import WarningCode, warning_text
from workbench.formats.pyinstrument import read_pyinstrument
from workbench.profile import FrameKind


@pytest.fixture
def sampled(workbench_profile):
    """Return a function that profiles a program in a folder of its own, and returns what came of it."""

    def run(text, rate=500):
        path = workbench_profile.write("p.py", text)
        folder = workbench_profile.folder / "out"
        options = CaptureOptions(program=(str(path),), folder=folder, sampling=Sampling("pyinstrument", rate))
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


def test_samples_are_under_their_scopes(sampled):
    """What is called inside a scope alone is under it, in blocks, decorated functions and generators."""
    merged = sampled(
        BUSY
        + """
def in_block(): busy(0.1)
def in_function(): busy(0.1)
def in_generator(): busy(0.1)
@scope("function")
def decorated(): in_function()
def generate():
    with scope("generator"):
        in_generator()
        yield
with scope("block"):
    in_block()
decorated()
list(generate())
"""
    ).merged.check()
    for kind in ("block", "function", "generator"):
        around = {
            tuple(frame.name for frame in path if frame.kind is FrameKind.SCOPE)
            for path in ([merged.frames[i] for i in merged.stacks.path(s)] for s in range(len(merged.stacks)))
            if f"in_{kind}" in (frame.name for frame in path)
        }
        assert around == {(kind,)}


def test_children_are_not_sampled(session):
    """A forked child is not sampled, and the parent's session is whole."""
    done, profile = session(
        """
if os.fork() == 0:
    busy(0.2)
    print(sys.getprofile(), flush=True)
    os._exit(0)
os.wait()
def after(): busy(0.1)
after()
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("None\n", "", 0)
    assert "after" in names(profile)


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


def test_a_rough_program(session):
    """Closed descriptors, another folder and a caught Ctrl-C do not end the session."""
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


def test_threads_that_are_not_sampled_are_named(sampled):
    """It samples one thread: that others have scopes and no samples is said, with what samples them."""
    capture = sampled(
        BUSY
        + """
import threading
from workbench import scope
def work():
    with scope("work"):
        busy(0.05)
thread = threading.Thread(target=work)
thread.start()
work()
thread.join()
"""
    )
    (warning,) = [warning_text(each) for each in capture.warnings if each.code is WarningCode.ONE_THREAD]
    assert warning == (
        "pyinstrument sampled one of 2 threads that have scopes: the others have no samples; use the in-process sampler"
    )


def test_a_session_that_cannot_be_written(workbench_profile):
    """Where the session cannot be written the program runs on, and one line names the file."""
    workbench_profile.write(
        "p.py", BUSY + "import shutil\nshutil.rmtree(sys.argv[1])\nbusy(0.3)\nprint('done')"
    )
    out = str(workbench_profile.folder / "out")
    done = workbench_profile.profile("--sampler", "pyinstrument", "p.py", out)
    assert done.stdout == "done\n"
    assert sum("pyinstrument's samples are lost" in line for line in ours(done.stderr)) == 1


def test_pyinstrument_is_not_there(workbench_profile):
    """Where pyinstrument cannot be imported the program runs all the same, a line says why, and the code is 75."""
    workbench_profile.write("elsewhere/pyinstrument.py", "raise ImportError('broken installation')")
    workbench_profile.write("p.py", BUSY + "with scope('work'): print('done')")
    path = f"{workbench_profile.folder / 'elsewhere'}:{workbench_profile.environment['PYTHONPATH']}"
    done = workbench_profile.profile("--sampler", "pyinstrument", "p.py", env={"PYTHONPATH": path})
    assert (done.stdout, done.returncode) == ("done\n", 75)
    assert "workbench: pyinstrument cannot be imported: broken installation" in done.stderr.splitlines()
    assert len(ours(done.stderr)) == 2
    assert workbench_profile.frames("scopes.speedscope.json") == {"work"}


def test_pyinstrument_reads_it_too(session, workbench_profile):
    """The file is a session to pyinstrument itself."""
    session("busy(0.1)")
    path = workbench_profile.folder / "out" / "pyinstrument.json"
    loaded = Session.load(path)
    assert loaded.sample_count == len(loaded.frame_records) > 0
    assert loaded.root_frame() is not None
