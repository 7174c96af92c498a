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
from workbench.bench.profiling_cost import CostOptions, planned_blocks
from workbench.bench.profiling_cost_figures import ways_of

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
    "no runs": (("--runs", "0", "p.py"), "--runs 0: choose 8 or more"),
    "fewer than none": (("--runs=-3", "p.py"), "--runs -3: choose 8 or more"),
    "too few": (("--runs", "7", "p.py"), "--runs 7: choose 8 or more"),
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


def test_a_program_that_fails(cost: Run, tmp_path: Path, needs_py_spy: None) -> None:
    """Its exit code, the way, the run and its last words are one line; nothing is written, nothing left."""
    (tmp_path / "p.py").write_text(
        "from pathlib import Path\n"
        "count = Path('count')\n"
        "count.write_text((count.read_text() if count.exists() else '') + '.')\n"
        "if len(count.read_text()) == 3: raise ValueError('the third')\n"
    )
    done = cost("--no-native", "p.py")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("workbench: run 2 of 50 (")
    assert line.endswith(", block 1) failed, so nothing is measured: exit code 1: ValueError: the third")
    assert not (tmp_path / "profiles").exists()


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
    assert process.returncode == 128 + number
    if number == signal.SIGINT:
        assert err.startswith("workbench: interrupted after 0 of 12 blocks: no interval has fewer than 8")
    assert len(err.splitlines()) == (number == signal.SIGINT)
    assert not (tmp_path / "profiles").exists()


def test_a_whole_measurement(cost: Run, tmp_path: Path, needs_py_spy: None) -> None:
    """The figures are printed and kept beside the profile, which a later run leaves there and states."""
    done = cost("--no-native", "--rate", "50", "--json", "p.py", "x")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    folder = tmp_path / "profiles" / "p"
    assert facts.pop("file") == str(Path("profiles", "p", "cost.json"))
    assert facts == json.loads((folder / "cost.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == [".workbench.json", "cost.json"]
    assert (facts["program"], facts["rate"], facts["native"]) == (["p.py", "x"], 50, False)
    pairs = [(each["way"], each["base"]) for each in facts["ratios"]]
    assert pairs == [("scopes", "bare"), ("in-process", "bare"), ("in-process", "scopes"), ("py-spy", "bare")]
    for each in facts["ratios"]:
        assert 0 < each["low"] <= each["value"] <= each["high"]
        assert each["verdict"] in ("faster", "slower", "equivalent", "inconclusive")
    assert len(facts["runs"]) == 50
    assert any("has no scopes" in note for note in facts["notes"])

    plain = ("--rate", "50", "--no-native", "p.py", "x")
    again = run_workbench("profile", *plain, cwd=tmp_path, text=True)
    assert (again.returncode, again.stdout) == (0, "output of the program\n")
    assert json.loads((folder / "cost.json").read_text()) == facts
    stated = json.loads((folder / "profile.json").read_text())["profiling_cost"]
    assert stated.startswith("profiling makes this program ")
    assert f"measured {facts['date'][:10]}" in stated


def test_the_help_says_what_it_takes(cost: Run, tmp_path: Path) -> None:
    """`--help` says how often the program is run, and that it neither reads nor prints."""
    text = " ".join(cost("--help").stdout.split())
    for native in (True, False):
        options = CostOptions(("p.py",), tmp_path, native=native)
        assert f" {planned_blocks(options) * len(ways_of(native)) + 1} " in text
    assert "no standard input" in text
    assert "thrown away" in text
