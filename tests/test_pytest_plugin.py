"""The pytest plugin in real runs of pytest: what it records and prints, and that it changes no test's outcome."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from workbench.profile import FrameKind, Profile
from workbench.report.profile.run import ProfileRun, read_run
from workbench.scopes import sampler

pytest_plugins = ["pytester"]

SAMPLED = pytest.mark.skipif(sampler.why_not() is not None, reason="the in-process sampler cannot run here")
TESTS = '''
import asyncio, os, subprocess, sys, unittest
import pytest

@pytest.fixture
def data():
    yield 1

@pytest.fixture(scope="session")
def shared(data2=None):
    return 2

def work():
    return sum(i * i for i in range(400_000))

def test_fixtures(data, shared):
    assert (data, shared) == (1, 2)

@pytest.mark.parametrize("text", ["a/b", "ü", "[x]", "x y", "\\0"])
def test_ids(text):
    assert text

def test_fails():
    work()
    assert False

def test_process():
    subprocess.run([sys.executable, "-c", "import workbench as w\\nwith w.scope('in the process'): pass"], check=True)

def test_fork():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3

def test_task():
    async def nap():
        await asyncio.sleep(0)
    asyncio.run(nap())

class Old(unittest.TestCase):
    def setUp(self):
        self.value = 1

    def test_method(self):
        self.assertEqual(self.value, 1)

def documented():
    """
    >>> 1 + 1
    2
    """

@pytest.mark.skip
def test_skipped():
    raise AssertionError
'''
MODULES = """
def pytest_unconfigure():
    import sys
    print("LOADED", *sorted(sys.modules))
"""


def paths(profile: Profile | None) -> set[tuple[str, ...]]:
    """Return the paths of all scopes that were recorded."""
    assert profile is not None
    found: set[tuple[str, ...]] = set()
    for track in profile.tracks:
        for stack in () if track.spans is None else track.spans.stack.tolist():
            frames = [profile.frames[frame] for frame in profile.stacks.path(stack)]
            found.add(tuple(frame.name for frame in frames if frame.kind is FrameKind.SCOPE))
    return found


def profiled(pytester: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, ProfileRun]:
    """Run pytest in a process of its own with a profile; return what it printed, and the profile."""
    done = pytester.runpytest_subprocess("--workbench-profile=prof", *arguments, timeout=120)
    return done, read_run(pytester.path / "prof")


def test_an_unused_plugin_is_light(pytester: pytest.Pytester) -> None:
    """Without its options the plugin imports nothing beside pytest and the scopes."""
    pytester.makeconftest(MODULES)
    pytester.makepyfile("def test_one(): pass")
    done = pytester.runpytest_subprocess("-s")
    loaded = next(line for line in done.outlines if line.startswith("LOADED")).split()
    assert "workbench.pytest_plugin" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"numpy", "click", "rich", "msgspec", "jinja2"}
    parts = {name.split(".")[1] for name in loaded if name.startswith("workbench.")}
    assert parts <= {"pytest_plugin", "scopes"}, parts


def test_scopes_and_outcomes(pytester: pytest.Pytester) -> None:
    """Each test is a scope with set-up, call and teardown below it, and in these its fixtures; outcomes stay."""
    pytester.makepyfile(test_it=TESTS)
    plain = pytester.runpytest_subprocess("--doctest-modules", "-p", "no:workbench")
    done, run = profiled(pytester, "--doctest-modules")
    assert done.ret == plain.ret == 1
    assert done.parseoutcomes() == plain.parseoutcomes()
    found = paths(run.scopes)
    test = "test_it.py::test_fixtures"
    assert {
        (test, "setup", "fixture data"),
        (test, "setup", "fixture shared"),
        (test, "call"),
        (test, "teardown", "fixture data"),
        ("collection",),
        ("test_it.py::Old::test_method", "call"),
        ("test_it.py::test_it.documented", "call"),
    } <= found
    assert ("test_it.py::test_skipped", "call") not in found
    ids = {path[0] for path in found if path[0].startswith("test_it.py::test_ids[")}
    assert len(ids) == 5
    assert any(path[-1] == "in the process" for path in found)
    done.stdout.fnmatch_lines(["*slowest tests*", "*test_it.py::*", "open prof?index.html in a browser"])
    assert (pytester.path / "prof" / "index.html").is_file()
    assert json.loads((pytester.path / "prof" / "profile.json").read_text())["returncode"] == 1


@SAMPLED
def test_samples_are_in_the_scope_of_their_test(pytester: pytest.Pytester) -> None:
    """Samples of a test are below its scope, without the frames of what runs it, and the summary names their line."""
    pytester.makepyfile(
        test_it="""
        import time
        def busy(limit=time.process_time):
            end = time.process_time() + 0.5
            while time.process_time() < end:
                sum(range(1000))
        def test_busy():
            busy()
        """
    )
    done, run = profiled(pytester)
    samples = run.samples
    assert samples is not None
    stacks = [
        [samples.frames[frame].name for frame in samples.stacks.path(stack)]
        for track in samples.tracks
        if track.samples is not None
        for stack in track.samples.stack.tolist()
        if stack >= 0
    ]
    of_busy = [stack for stack in stacks if "busy" in stack]
    assert len(of_busy) >= 10
    assert {tuple(stack[: stack.index("busy")]) for stack in of_busy} == {
        ("test_it.py::test_busy", "call", "test_busy")
    }
    done.stdout.fnmatch_lines(["*test_it.py::test_busy", "*test_it.py:* busy"])


def test_a_profile_of_each_test(pytester: pytest.Pytester) -> None:
    """With --workbench-each every test has a profile of its own, which links that of the run."""
    pytester.makepyfile(test_it="def test_one(): pass\ndef test_two(): assert 0\n")
    done, _ = profiled(pytester, "--workbench-each")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["a profile of each of 2 tests: prof?tests"])
    for name in ("one", "two"):
        folder = pytester.path / "prof" / "tests" / f"test-it-py-test-{name}"
        assert {path[0] for path in paths(read_run(folder).scopes)} == {f"test_it.py::test_{name}"}
        assert "../../index.html" in (folder / "index.html").read_text()
    (folder / "mine").touch()
    profiled(pytester, "--workbench-each", "-k", "one")
    assert [each.name for each in sorted((pytester.path / "prof" / "tests").iterdir())] == [
        "test-it-py-test-one",
        "test-it-py-test-two",
    ]
    assert [each.name for each in folder.iterdir() if not each.name.startswith(".")] == ["mine"]


def test_workers_of_xdist_are_processes_of_one_recording(pytester: pytest.Pytester) -> None:
    """Workers have tracks named gw0 and gw1; one that crashes leaves what it did, and pytest's report is as without."""
    pytester.makepyfile(
        test_it="""
        import os, threading, pytest
        @pytest.mark.parametrize("number", range(6))
        def test_number(number):
            assert threading.main_thread().name == "MainThread"
        def test_crash():
            os.kill(os.getpid(), 9)
        """
    )
    done, run = profiled(pytester, "-n", "2", "-W", "error")
    assert done.parseoutcomes() == {"passed": 6, "failed": 1}
    assert run.scopes is not None
    named = {track.name: track.pid for track in run.scopes.tracks}
    assert {"gw0", "gw1"} <= set(named)
    assert named["gw0"] != named["gw1"]
    found = paths(run.scopes)
    assert {(f"test_it.py::test_number[{number}]", "call") for number in range(6)} <= found
    assert ("test_it.py::test_crash", "call") in found


def test_interrupting_keeps_the_profile(pytester: pytest.Pytester) -> None:
    """After Ctrl-C the profile is there, and the exit code is pytest's own."""
    pytester.makepyfile(
        test_it="""
        import pathlib, time
        def test_before(): pass
        def test_long():
            pathlib.Path("begun").touch()
            time.sleep(600)
        """
    )
    command = [sys.executable, "-m", "pytest", "--workbench-profile=prof"]
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while not (pytester.path / "begun").exists() and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "open prof/index.html" in out
    assert ("test_it.py::test_long", "call") in paths(read_run(pytester.path / "prof").scopes)


@pytest.mark.parametrize("how", [("-x", "-s"), ("--capture=sys", "-p", "no:terminal")])
def test_ways_of_running(pytester: pytest.Pytester, how: tuple[str, ...]) -> None:
    """Capture modes, -x and no report on the terminal change nothing."""
    pytester.makepyfile(test_it="def test_one(): print('said'); assert 0\ndef test_two(): pass\n")
    done, run = profiled(pytester, *how)
    assert done.ret == 1
    assert (("test_it.py::test_two", "call") in paths(run.scopes)) == ("-x" not in how)


def test_nothing_is_profiled_where_nothing_runs(pytester: pytest.Pytester) -> None:
    """Collecting alone leaves no profile."""
    pytester.makepyfile("def test_one(): pass")
    done = pytester.runpytest_subprocess("--workbench-profile=prof", "--collect-only")
    assert done.ret == 0
    assert not (pytester.path / "prof").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("--workbench-each",),
            "*--workbench-each writes profiles of single tests: give --workbench-profile*",
        ),
        (
            ("--workbench-profile", "test_it.py"),
            "*'test_it.py' behind --workbench-profile would be its folder*",
        ),
        (("--workbench-profile=foreign",), "*foreign?index.html is in the way*choose another folder*"),
    ],
)
def test_bad_options(pytester: pytest.Pytester, arguments: tuple[str, ...], line: str) -> None:
    """An option that cannot be used is one line, and no test runs."""
    pytester.makepyfile(test_it="def test_one(): pass")
    pytester.mkdir("foreign").joinpath("index.html").write_text("mine")
    done = pytester.runpytest_subprocess(*arguments)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([line])
    assert "Traceback" not in done.stderr.str() + done.stdout.str()
    assert (pytester.path / "foreign" / "index.html").read_text() == "mine"
