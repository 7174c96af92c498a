"""`workbench bench`: from a suite's file to its page, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.processes import wait_until
from workbench.cli.bench import Duration

Call = Callable[..., "subprocess.CompletedProcess[str]"]
WORKBENCH = [sys.executable, "-m", "workbench", "bench"]
SUITE = """
import time
from pathlib import Path
from workbench.bench import Case, Suite
suite = Suite("tiny", baseline="a", variants={"a": {"n": 1}, "b": {"n": 2}})

@suite.workload
def workload(n, *, seed):
    return Case(run=lambda: WORK, quality=lambda result: {"error": 1.0 / n})
"""


def suite_of(folder: Path, work: str) -> str:
    path = folder / "tiny_suite.py"
    path.write_text(SUITE.replace("WORK", work))
    return str(path)


def test_from_a_file_to_a_page(workbench: Call, tmp_path: Path) -> None:
    """A user's file is measured, an aligned table printed, verdict first, and the page made and made again the same."""
    suite = suite_of(tmp_path, "sum(range(100_000))")
    run = subprocess.run(
        [*WORKBENCH, suite, "--rounds", "2", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    lines = [line for line in run.stdout.splitlines() if not line.startswith("the machine was busy")]
    head, table, notes = lines[0], sorted(lines[1:3]), lines[3:]
    assert head.split() == ["verdict", "variant", "time", "speed", "error", "memory", "needs"]
    assert table[0].startswith("baseline ")
    assert table[1].startswith("inconclusive, error inconclusive  b  ")
    assert re.search(r"  about [\d,]+ rounds \(≈ ", table[1])
    assert head.index("needs") == table[1].index("about ")
    assert notes[0].startswith("A/A control: ")
    assert notes[1:] == ["plan: 2 rounds: as many as were asked for", "open out/index.html in a browser"]
    page = (tmp_path / "out" / "index.html").read_bytes()
    again = workbench("report", "out", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "open out/index.html in a browser\n")
    assert (tmp_path / "out" / "index.html").read_bytes() == page


def test_a_run_goes_to_a_folder_of_its_own(workbench: Call, tmp_path: Path) -> None:
    """Without -o a run is in reports/, under its time."""
    run = workbench("bench", suite_of(tmp_path, "1"), "--rounds", "1", cwd=tmp_path)
    assert run.returncode == 0
    assert [len(folder.name) for folder in (tmp_path / "reports").iterdir()] == [len("2026-01-01-000000")]


@pytest.mark.parametrize(
    ("work", "complaint"),
    [
        (None, "does not exist: name a Python file"),
        ("1 +", "cannot be imported: SyntaxError"),
        ("1 / 0", "every variant of suite 'tiny' failed, so nothing is measured"),
    ],
)
def test_a_wrong_suite_is_one_line(workbench: Call, tmp_path: Path, work: str | None, complaint: str) -> None:
    """Whatever is wrong with a suite is one line and exit code 2, and no run is left behind."""
    suite = suite_of(tmp_path, work) if work is not None else str(tmp_path / "none.py")
    run = workbench("bench", suite, "-o", "out", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("workbench: ")
    assert run.stderr.count("\n") == 1
    assert complaint in run.stderr
    assert not (tmp_path / "out" / "results.jsonl").exists()


@pytest.mark.parametrize("complete", [0, 1])
def test_ctrl_c_reports_the_complete_rounds(tmp_path: Path, complete: int) -> None:
    """An interrupt to the process group keeps what is complete and reports it; without any it says so: 130."""
    mark = f"Path({str(tmp_path)!r}, 'now')"
    runs = f"Path({str(tmp_path / 'out' / 'results.jsonl')!r}).read_text().count('took_s')"
    suite = suite_of(
        tmp_path, f"(time.sleep(1e-3), {runs} > {3 * complete} and ({mark}.touch(), time.sleep(60)))"
    )
    with subprocess.Popen(
        [*WORKBENCH, suite, "--rounds", "5", "-o", "out"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        wait_until((tmp_path / "now").exists)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=30)
    if complete:
        assert process.returncode == 0
        assert error == (
            "workbench: interrupted: what is reported is the one complete round\n"
            "workbench: resume it with --resume -o out\n"
        )
        assert "inconclusive, error inconclusive  b  " in out
        assert (tmp_path / "out" / "index.html").is_file()
    else:
        assert process.returncode == 130
        assert error == (
            "workbench: interrupted before a round was complete, so there is no report yet: "
            "resume it with --resume -o out\n"
        )
        assert out == ""
        assert not (tmp_path / "out" / "index.html").exists()


def test_a_dry_run_runs_nothing(workbench: Call, tmp_path: Path) -> None:
    """--dry-run says what would be measured, in which order, names each variant once, and writes nothing."""
    run = workbench(
        "bench", suite_of(tmp_path, "1 / 0"), "--dry-run", "--precision", "2%", "-o", "out", cwd=tmp_path
    )
    assert (run.returncode, run.stderr) == (0, "")
    suite, _, order, *runs = run.stdout.splitlines()
    assert suite == "suite tiny: 2 variants in 3 fresh processes a round"
    assert order.startswith("order of the first round, seed ")
    assert sorted(runs) == ["  A/A control: the baseline again", "  a (baseline): n=1", "  b: n=2"]
    assert (
        "whole squares of 6 rounds, as many as 300 s hold and ±2.0% needs, by a pilot of 6 rounds"
        in run.stdout
    )
    assert not (tmp_path / "out").exists()


def test_verdicts_for_machines(workbench: Call, tmp_path: Path) -> None:
    """--json prints one object of JSON on standard output, and nothing else."""
    run = workbench(
        "bench",
        suite_of(tmp_path, "sum(range(100_000))"),
        "--rounds",
        "1",
        "-o",
        "out",
        "--json",
        cwd=tmp_path,
    )
    assert (run.returncode, run.stderr) == (0, "")
    told = json.loads(run.stdout)
    assert told["page"] == "out/index.html"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--axis", "n"], "'n' is no axis with options: write tanh=exact,fast"),
        (["--axis", "m=1"], "unknown axis 'm'"),
        (["--axis", "n=3"], "unknown option of the axis 'n' '3'"),
        (["--precision", "much"], "'much' is not a share: write 2% or 0.02"),
        (["--budget", "-3"], "'-3' is not a time: write 90s, 5m or 1h"),
        (["--resume"], "name it with -o"),
        (["--resume", "-o", "nowhere"], "nowhere does not exist"),
        (["--plan", "half"], "'half' is not one of"),
    ],
)
def test_wrong_options_are_one_line(
    workbench: Call, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    """An option that cannot be used is named with the remedy: exit code 2, and nothing runs."""
    run = workbench("bench", suite_of(tmp_path, "1"), *arguments, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.count("\n") == 1
    assert complaint in run.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("2.5", 2.5), ("0.5m", 30)]
)
def test_durations_are_written_as_people_write_them(text: str, seconds: float) -> None:
    """Seconds, minutes and hours, and seconds where there is no unit."""
    assert Duration().convert(text, None, None) == seconds
