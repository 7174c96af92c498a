"""The fixture `bench`: what it compares, which tests it fails, and what it leaves.

Seconds are what the functions say of themselves by steps, so that results are the same on any machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.projects import git
from workbench.bench.compare.functions import function_of
from workbench.bench.results.results import Results, read_results
from workbench.errors import InvalidInputError

pytest_plugins = ["pytester"]

PROJECT = """
SECONDS = {seconds}
"""
TEST = """
import project
from workbench.bench import Case

def says(seconds):
    return Case(run=lambda: None, steps=lambda result: [seconds, seconds])

def slow(*, seed):
    return says(1.5)

def usual(*, seed):
    return says(1.0)

def of_project(*, seed):
    return says(project.SECONDS)
"""


def run(pytester: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    """Run pytest on a test of the functions above, in a process of its own."""
    pytester.makepyfile(test_it=f"{TEST}\n{test}")
    return pytester.runpytest_subprocess("--workbench-reports=exp", *arguments, timeout=150)


def set_project(pytester: pytest.Pytester, seconds: float) -> None:
    """Write the project that the functions import, which says how long it takes."""
    (pytester.path / "project.py").write_text(PROJECT.format(seconds=seconds))


def experiment(pytester: pytest.Pytester) -> Results:
    """Return the one experiment that was measured, and let the next one have its folder."""
    (folder,) = (pytester.path / "exp").iterdir()
    results = read_results(folder)
    assert (folder / "index.html").is_file()
    (pytester.path / "exp").rename(pytester.path / f"exp-{time.monotonic_ns()}")
    return results


@pytest.fixture(autouse=True)
def project(pytester: pytest.Pytester) -> None:
    """A project of one second."""
    set_project(pytester, 1.0)


def test_a_slower_function_fails_its_test(pytester: pytest.Pytester) -> None:
    """A function is compared with its baseline in paired rounds with an A/A control; the verdict fails the test."""
    done = run(pytester, "def test_speed(bench): bench(slow, baseline=usual, rounds=6)")
    assert done.parseoutcomes() == {"failed": 1}
    done.stdout.fnmatch_lines(
        [
            "REGRESSION 1.50× slower (limit 1.05×): slow, *",
            "*workbench: benchmarks*",
            "test_it.py::test_speed",
        ]
    )
    assert "Traceback" not in done.stdout.str()
    results = experiment(pytester)
    assert results.variants == ["usual", "slow"]
    assert results.head.runs == ["usual", "slow", "A/A control"]
    assert len(results.complete_rounds()) == 6
    assert {run.value_s for run in results.runs if run.name == "slow"} == {1.5}


@pytest.mark.proof
def test_the_limit_and_the_result(pytester: pytest.Pytester) -> None:
    """Within its limit a test passes, and gets the verdict; arguments go to both functions."""
    done = run(
        pytester,
        """
def sized(seconds, *, seed):
    return says(seconds * 1.04)

def base(seconds, *, seed):
    return says(seconds)

def test_speed(bench):
    found = bench(sized, 2, baseline=base, fail_slower=0.1, rounds=6)
    assert found.verdict.verdict == "fine"
    assert found.verdict.pairs[0].speed.estimate.value == 1.04
""",
    )
    assert done.parseoutcomes() == {"passed": 1}
    assert {run.value_s for run in experiment(pytester).runs} == {2.0, 2.08}


def test_the_first_run_is_stored_and_the_next_is_compared_with_it(pytester: pytest.Pytester) -> None:
    """Without a baseline the first run stores the code and says so; the code of later runs is compared with it."""
    once, test = (f"def test_speed(bench): bench(of_project, rounds={rounds})" for rounds in (1, 6))
    done = run(pytester, once)
    assert done.parseoutcomes() == {"passed": 1}
    done.stdout.fnmatch_lines(["*the first run: stored as baseline in *workbench-baseline*"])
    assert experiment(pytester).variants == ["of_project"]
    set_project(pytester, 1.3)
    done = run(pytester, test)
    assert done.parseoutcomes() == {"failed": 1}
    done.stdout.fnmatch_lines(["REGRESSION 1.30× slower*"])
    assert experiment(pytester).variants == ["base (stored)", "of_project"]
    assert run(pytester, once, "--cache-clear").parseoutcomes() == {"passed": 1}


@pytest.mark.proof
def test_a_baseline_is_stored_and_named(pytester: pytest.Pytester) -> None:
    """--workbench-save stores the code into a folder, again too, and --workbench-baseline compares with it."""
    once, test = (f"def test_speed(bench): bench(of_project, rounds={rounds})" for rounds in (1, 6))
    for seconds in (9.0, 2.0):
        set_project(pytester, seconds)
        done = run(pytester, once, "--workbench-save=base")
        done.stdout.fnmatch_lines(["*stored as baseline in base?test-it-py*"])
        experiment(pytester)
    set_project(pytester, 1.0)
    done = run(pytester, test, "--workbench-baseline=base")
    assert done.parseoutcomes() == {"passed": 1}
    done.stdout.fnmatch_lines(["*FINE 2.00× faster*"])


@pytest.mark.proof
def test_a_revision_is_the_baseline(pytester: pytest.Pytester) -> None:
    """The function as it was in a revision is measured beside that of the checkout; nothing of it stays."""
    test = "def test_speed(bench): bench(of_project, rounds=6)"
    pytester.makepyfile(test_it=f"{TEST}\n{test}")
    set_project(pytester, 1.0)
    git(pytester.path, "init", "--quiet", "--initial-branch=main")
    git(pytester.path, "add", "--all")
    git(pytester.path, "commit", "--quiet", "--message", "one")
    set_project(pytester, 1.7)
    later = "\ndef later(*, seed): return says(1)\ndef test_later(bench): bench(later)"
    done = run(pytester, test + later, "--workbench-baseline=main", "-rs")
    assert done.parseoutcomes() == {"failed": 1, "skipped": 1}
    done.stdout.fnmatch_lines(
        ["REGRESSION 1.70× slower*", "*later is not in main: there is nothing to compare with"]
    )
    assert len(git(pytester.path, "worktree", "list").splitlines()) == 1
    assert experiment(pytester).variants[0].startswith("base (")


@pytest.mark.proof
def test_interrupting_keeps_whole_rounds(pytester: pytest.Pytester) -> None:
    """Ctrl-C ends pytest as it does without the fixture, and the complete rounds are there."""
    pytester.makepyfile(test_it=f"{TEST}\ndef test_speed(bench): bench(usual, baseline=usual, rounds=1000)")
    command = [sys.executable, "-m", "pytest", "--workbench-reports=exp"]
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        while time.monotonic() < until and not _has_a_round(pytester.path):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, out
    assert "interrupted" in out
    assert 1 <= len(experiment(pytester).complete_rounds()) < 1000


def _has_a_round(folder: Path) -> bool:
    files = list(folder.glob("exp/*/results.jsonl"))
    return bool(files) and len(files[0].read_text().splitlines()) > 6


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("-n", "1"), "*bench cannot time tests beside others: run without -n"),
        (("--workbench-profile=prof",), "*bench cannot time tests that are profiled: run without *"),
    ],
)
def test_what_the_fixture_refuses(pytester: pytest.Pytester, arguments: tuple[str, ...], line: str) -> None:
    """Beside other tests, and under a profile, the fixture refuses in one line."""
    done = run(pytester, "def test_speed(bench): bench(usual)", *arguments)
    assert done.parseoutcomes() == {"errors": 1}
    done.stdout.fnmatch_lines([line])
    assert not (pytester.path / "exp").exists()


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        (
            "--workbench-baseline=nothing",
            "ERROR: --workbench-baseline=nothing: there is no such folder, and no git repository is here: *",
        ),
        ("--workbench-baseline=", "ERROR: --workbench-baseline has no value: give one, or leave it out"),
        ("--workbench-budget=soon", "ERROR: --workbench-budget: 'soon' is not a time: write 90s, 5m or 1h"),
    ],
)
def test_bad_options(pytester: pytest.Pytester, argument: str, line: str) -> None:
    """An option that cannot be used is one line, and no test runs."""
    more = ["--workbench-save=base"] if "budget" in argument else []
    done = run(pytester, "def test_speed(bench): bench(usual)", argument, *more)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([line])
    assert "Traceback" not in done.stdout.str() + done.stderr.str()


def test_no_rounds(pytester: pytest.Pytester) -> None:
    """A number of rounds that cannot be meant fails the test in one line."""
    done = run(pytester, "def test_speed(bench): bench(usual, baseline=usual, rounds=0)")
    assert done.parseoutcomes() == {"failed": 1}
    done.stdout.fnmatch_lines(["*rounds=0: give 1 or more, or leave it out*"])


def test_functions_are_found_by_name() -> None:
    """Functions and classes of modules are found, compiled ones too."""
    assert function_of(test_bad_options).name == "test_bad_options"
    assert function_of(test_bad_options).file == Path(__file__).resolve()
    assert function_of(time.sleep, (0.1,)).arguments == "(0.1,)"
    assert function_of(Thing.method).name == "Thing.method"


class Thing:
    """Something with a method."""

    def method(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("function", "arguments", "line"),
    [
        (
            lambda: None,
            (),
            "is a lambda, and a fresh process cannot import it: define it with def at the top level",
        ),
        (Thing().method, (), "is not what .* is, and a fresh process cannot import it"),
        (os.getpid, ([object()],), "give numbers, text and tuples of these"),
        (42, (), "42 is no function with a name"),
    ],
)
def test_functions_that_no_process_can_import(
    function: object, arguments: tuple[object, ...], line: str
) -> None:
    """What a fresh process cannot import, or cannot be given, is refused in a line with the remedy."""
    with pytest.raises(InvalidInputError, match=line):
        function_of(function, arguments)
