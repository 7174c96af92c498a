"""`workbench compare`: a gate for CI, by its exit code; and what a signal leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.bench_runs import write_experiment
from tests.helpers.processes import wait_until
from tests.helpers.projects import commit, git, make_repository, text_of

Compare = Callable[..., "subprocess.CompletedProcess[str]"]
COMPARE = [sys.executable, "-m", "workbench", "compare"]
QUICK = ["--base", "first", "bench/steps_suite.py", "--no-install", "--rounds", "6", "-o", "../run"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one commit, and a folder beside it for all that is temporary."""
    (tmp_path / "temporary").mkdir()
    folder: Path = make_repository(tmp_path / "repository")
    return folder


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder.parent / "temporary")}


@pytest.fixture
def compare(workbench: Compare, repository: Path) -> Compare:
    """Return a function that runs `workbench compare` in the repository."""
    return lambda *arguments: workbench("compare", *arguments, cwd=repository, env=environment(repository))


def test_a_regression_is_exit_code_1(workbench: Compare, compare: Compare, repository: Path) -> None:
    """A slower revision is said in a line, with its page, and fails the job; the run exports like any other."""
    commit(repository, project=text_of(1.5))
    ran = compare(*QUICK, "--markdown", "../summary.md")
    assert (ran.returncode, ran.stderr) == (1, "")
    first, *_, page = ran.stdout.splitlines()
    assert first == "REGRESSION 1.50× slower (limit 1.05×): one, [1.50, 1.50]; same error (limit 1.26×)"
    assert page == "open ../run/index.html in a browser"
    assert (repository / "../run/index.html").is_file()
    exported = workbench("export", "../run", "--to", "bencher", cwd=repository)
    latencies = [measures["latency"]["value"] for measures in json.loads(exported.stdout).values()]
    assert latencies == [1e9, 1.5e9]
    summary = (repository / "../summary.md").read_text()
    assert summary.startswith("### REGRESSION 1.50× slower (limit 1.05×): one, ")
    assert workbench("show", "--markdown", "../run", cwd=repository).stdout == summary


def test_a_dry_run_lists_what_keep_would_delete(compare: Compare, repository: Path) -> None:
    """Nothing is measured, deleted or made; without --keep one line says what to give."""
    made = compare(*QUICK[:-2], "-o", "runs/a")
    assert made.returncode == 0
    shutil.copytree(repository / "runs" / "a", repository / "runs" / "b")
    ran = compare(*QUICK[:-2], "-o", "runs/c", "--dry-run", "--keep", "2")
    assert (ran.returncode, ran.stdout) == (0, f"would delete {repository}/runs/a\n")
    assert {path.name for path in (repository / "runs").iterdir()} == {"a", "b"}
    refused = compare(*QUICK, "--dry-run")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give one suite, and --keep N" in refused.stderr


@pytest.mark.proof
def test_no_change_is_exit_code_0(compare: Compare, repository: Path) -> None:
    """The same code passes, and --json says all of it."""
    summary = repository.parent / "summary.md"
    summary.write_text("Another step's.\n")
    ran = compare(*QUICK, "--json", "--markdown", str(summary))
    assert (ran.returncode, ran.stderr) == (0, "")
    found = json.loads(ran.stdout, parse_constant=pytest.fail)
    assert (found["verdict"], found["exit_code"]) == ("fine", 0)
    assert found["pairs"][0]["speed"]["estimate"]["high"] == 1.0
    assert found["page"] == "../run/index.html"
    assert summary.read_text().startswith("Another step's.\n\n### FINE same speed (limit 1.05×): one")


def test_too_few_rounds_are_exit_code_3(compare: Compare, repository: Path) -> None:
    """What is not known is no pass, and no regression."""
    commit(repository, project=text_of(9.0))
    ran = compare(*QUICK[:-4], "--rounds", "2", "-o", "../run", "--markdown", "../summary.md")
    assert ran.returncode == 3
    assert ran.stdout.startswith(
        "INCONCLUSIVE 9.00× slower (limit 1.05×): one, [9.00, 9.00], in 2 values, and 6 are needed"
    )
    assert "What to do next: measure for longer: about 6 rounds" in (repository / "../summary.md").read_text()


def test_a_side_that_fails_is_in_the_markdown(compare: Compare, repository: Path) -> None:
    """A new revision that cannot be measured has its reason in the summary, which no other step reads."""
    commit(repository, project="raise RuntimeError('no licence')")
    ran = compare(*QUICK, "--markdown", "-")
    assert ran.returncode == 2
    assert ran.stdout.startswith("### NO VERDICT: nothing could be compared\n\n- ")
    assert "no licence" in ran.stdout
    assert "no licence" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--base", "nothing", "bench/steps_suite.py"], "unknown revision 'nothing'"),
        (["--base", "first", "bench/none.py"], "bench/none.py is not in this revision"),
        (["bench/steps_suite.py"], "two revisions are compared: name both"),
        (["--base", "first", "bench/steps_suite.py", "--fail-slower", "5x"], "'5x' is not a share"),
        (
            ["--base", "first", "bench/steps_suite.py", "--fail-worse", "0"],
            "--fail-worse 0: choose a positive",
        ),
        (["--base", "first", "bench/steps_suite.py", "-o", "project.py", "--no-install"], "it is a file"),
        (["--base", "first", "a", "--markdown", "/none/s.md"], "--markdown /none/s.md: No such file"),
        (["--base", "first", "a", "--markdown", "-", "--json"], "--json and --markdown - both print"),
        (["--base", "first", "a", "b"], "give one suite, or two stored experiments"),
        (["a", "b", "c"], "3 experiments are given: compare two"),
        (["a", "b"], "a holds no results"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_exit_code_2(compare: Compare, arguments: list[str], complaint: str) -> None:
    """What cannot be compared is one line, and never the code of a regression."""
    ran = compare(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert complaint in ran.stderr


def test_stored_runs_are_compared_by_sessions(compare: Compare, repository: Path) -> None:
    """Two runs are inconclusive in one line that says what it takes; folders of six are judged."""
    for side, seconds in (("before", 1.0), ("after", 2.0)):
        for session in range(6):
            write_experiment(repository / side / str(session), {"one": [(seconds + session / 1000, 1.0)] * 3})
    two = compare("before/0", "after/0")
    assert (two.returncode, two.stderr, two.stdout.count("\n")) == (3, "", 1)
    assert two.stdout.startswith(
        "INCONCLUSIVE: 1 and 1 stored experiments: at least 6 of each side are needed"
    )
    many = compare("before", "after")
    assert many.returncode == 1
    assert many.stdout.startswith("REGRESSION 2.00× slower (limit 1.05×): one, [")
    assert compare("after", "before", "--json").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(repository: Path, number: signal.Signals) -> None:
    """Ctrl-C, and a CI system's request to end, remove the trees and end with 130 where nothing is complete."""
    mark = repository.parent / "now"
    text = text_of() + f"\nimport pathlib\npathlib.Path({str(mark)!r}).touch()\ntime.sleep(60)\n"
    commit(repository, project=text)
    before = git(repository, "status", "--porcelain"), git(repository, "worktree", "list")
    with subprocess.Popen(
        [*COMPARE, *QUICK], cwd=repository, env=environment(repository),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        wait_until(mark.exists)
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        out, error = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert error.count("\n") == 1
    assert before == (
        git(repository, "status", "--porcelain"), git(repository, "worktree", "list"),
    )  # fmt: skip
    assert not list((repository.parent / "temporary").iterdir())
