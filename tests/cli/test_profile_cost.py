"""`workbench profile --cost`: what is refused, how it ends, and one whole measurement of a tiny program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.commands import run_workbench, start_workbench

Run = Callable[..., Any]


@pytest.fixture
def cost(tmp_path: Path) -> Run:
    """Return a function that runs `workbench profile --cost` with these arguments in `tmp_path`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}

    def run(*arguments: str, how: Callable[..., Any] = run_workbench, **options: Any) -> Any:
        given = ("profile", "--cost", *arguments)
        return how(*given, cwd=tmp_path, env=kept, text=True, **options)

    (tmp_path / "p.py").write_text("print('output of the program')")
    return run


WRONG = {
    "no program": ((), "nothing to profile"),
    "no such script": (("q.py",), "script q.py does not exist"),
    "no runs": (("--runs", "0", "p.py"), "--runs 0: choose 1 or more"),
    "fewer than none": (("--runs=-3", "p.py"), "--runs -3: choose 1 or more"),
    "runs are text": (("--runs", "many", "p.py"), "'many' is not a valid integer"),
    "rate": (("--rate", "0", "p.py"), "--rate 0: choose 1 to 1000"),
    "a suite": (("--suite", "reference"), "leave out --suite reference"),
    "pyinstrument": (("--sampler", "pyinstrument", "p.py"), "leave out --sampler pyinstrument"),
    "no sampler": (("--sampler", "none", "p.py"), "leave out --sampler none"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use(cost: Run, tmp_path: Path, what: str) -> None:
    """What cannot be meant is one line, exit code 2, and nothing is run or written."""
    arguments, message = WRONG[what]
    done = cost(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("workbench: ")
    assert message in line
    assert not (tmp_path / "profiles").exists()


@pytest.mark.parametrize("option", ["--runs=9", "--json"])
def test_options_of_cost_alone(tmp_path: Path, option: str) -> None:
    """What goes with --cost alone is refused without it, instead of being passed over."""
    (tmp_path / "p.py").write_text("pass")
    done = run_workbench("profile", option, "p.py", cwd=tmp_path, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"workbench: {option.partition('=')[0]} goes with --cost alone\n"


def test_a_folder_that_cannot_be_written(cost: Run) -> None:
    """An output folder that cannot be made is one line that names it."""
    done = cost("-o", "p.py", "p.py")
    assert done.returncode == 2
    assert done.stderr == "workbench: cannot write to p.py: it is a file; choose another folder with -o\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(cost: Run, tmp_path: Path, needs_py_spy: None, number: int) -> None:
    """Ctrl-C ends it also where the program takes it for its own end; nothing is written, nothing left."""
    (tmp_path / "p.py").write_text(
        "import signal, sys, time\n"
        "from pathlib import Path\n"
        "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, lambda *_: sys.exit(0))\n"
        "Path('ready').touch()\n"
        "time.sleep(60)\n"
    )
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with cost("p.py", how=start_workbench, **streams) as process:
        while not (tmp_path / "ready").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert out == ""
    assert process.returncode == 130
    assert err.startswith("workbench: interrupted before a round was complete")
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("**/.cost-*"))
    assert not (tmp_path / "profiles" / "p" / "cost.json").exists()


def test_a_whole_measurement(cost: Run, tmp_path: Path, needs_py_spy: None) -> None:
    """The figures are printed and kept beside the profile, which a later run leaves there and states."""
    done = cost("--no-native", "--rate", "50", "--runs", "1", "--json", "p.py", "x")
    assert done.returncode == 0
    assert "has no scopes" in done.stderr
    facts = json.loads(done.stdout)
    folder = tmp_path / "profiles" / "p"
    ways = ["bare", "scopes", "in-process", "py-spy"]
    assert [each["variant"] for each in facts["comparisons"]] == ways
    assert all(each["failures"] == 0 for each in facts["comparisons"])
    assert sorted(path.name for path in folder.iterdir()) == [".workbench.json", "cost", "cost.json"]
    kept = (folder / "cost.json").read_bytes()
    assert (json.loads(kept)["program"], json.loads(kept)["rate"]) == (["p.py", "x"], 50)

    plain = ("--rate", "50", "--no-native", "p.py", "x")
    again = run_workbench("profile", *plain, cwd=tmp_path, text=True)
    assert (again.returncode, again.stdout) == (0, "output of the program\n")
    assert (folder / "cost.json").read_bytes() == kept
    stated = json.loads((folder / "profile.json").read_text())["profiling_cost"]
    assert stated.startswith("profiling makes this program ")


@pytest.mark.proof
def test_a_whole_measurement_of_traced_memory(cost: Run, tmp_path: Path) -> None:
    """A later run with traced memory states by how much tracing makes it longer."""
    (tmp_path / "p.py").write_text(
        "from workbench import scope\nwith scope('a'):\n    b = [[] for i in range(999)]\n"
    )
    done = cost("--memory", "--runs", "1", "--json", "p.py")
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert [each["variant"] for each in facts["comparisons"]] == ["bare", "scopes", "memory"]
    again = run_workbench("profile", "--memory", "--summary", "p.py", cwd=tmp_path, text=True)
    ratio = facts["comparisons"][2]["speed"]["ratio"]["value"]
    assert f"memory traced, which makes it {ratio:.2f} × as long: these are not" in again.stderr


def test_the_help_says_what_it_takes(cost: Run) -> None:
    """`--help` says how often the program is run, and that it neither reads nor prints."""
    text = " ".join(cost("--help").stdout.split())
    assert "--cost runs the program 3 times in each of these ways" in text
    assert "no standard input" in text
    assert "output is discarded" in text
