"""`workbench bench`: from a suite's file to its page, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.cli.bench import Duration

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


def test_from_a_file_to_a_page(tmp_path: Path) -> None:
    """A user's file is measured, a line on each variant printed, and the page made and made again the same."""
    suite = suite_of(tmp_path, "sum(range(1000))")
    run = subprocess.run(
        [*WORKBENCH, suite, "--rounds", "2", "-o", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0] == "a: the baseline"
    assert lines[1].startswith("b: inconclusive: about ")
    assert lines[1].endswith("in 2 rounds; 6 are needed")
    assert lines[2:] == ["open out/index.html in a browser"]
    page = (tmp_path / "out" / "index.html").read_bytes()
    again = subprocess.run(
        [sys.executable, "-m", "workbench", "report", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (again.returncode, again.stdout) == (0, "open out/index.html in a browser\n")
    assert (tmp_path / "out" / "index.html").read_bytes() == page


def test_a_run_goes_to_a_folder_of_its_own(tmp_path: Path) -> None:
    """Without -o a run is in reports/, under its time."""
    run = subprocess.run(
        [*WORKBENCH, suite_of(tmp_path, "1"), "--rounds", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
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
def test_a_wrong_suite_is_one_line(tmp_path: Path, work: str | None, complaint: str) -> None:
    """Whatever is wrong with a suite is one line and exit code 2, and no run is left behind."""
    suite = suite_of(tmp_path, work) if work is not None else str(tmp_path / "none.py")
    run = subprocess.run(
        [*WORKBENCH, suite, "-o", "out"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("workbench: ")
    assert run.stderr.count("\n") == 1
    assert complaint in run.stderr
    assert not (tmp_path / "out" / "results.jsonl").exists()


@pytest.mark.parametrize("complete", [0, 1])
def test_ctrl_c_reports_the_complete_rounds(tmp_path: Path, complete: int) -> None:
    """An interrupt to the process group keeps what is complete and reports it; without any it says so: 130."""
    mark = f"Path({str(tmp_path)!r}, 'now')"
    done = f"(tmp := Path({str(tmp_path)!r}, 'arms')).open('a').write('x')"
    suite = suite_of(
        tmp_path, f"({done}, tmp.stat().st_size > {2 * complete} and ({mark}.touch(), time.sleep(60)))"
    )
    with subprocess.Popen(
        [*WORKBENCH, suite, "--rounds", "5", "-o", "out"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        for _ in range(1200):
            if (tmp_path / "now").exists():
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert error.count("\n") == 1
    if complete:
        assert process.returncode == 0
        assert error == "workbench: interrupted: what is reported is the one complete round\n"
        assert "b: inconclusive" in out
        assert (tmp_path / "out" / "index.html").is_file()
    else:
        assert process.returncode == 130
        assert error == "workbench: interrupted before a round was complete: out has no report\n"
        assert out == ""
        assert not (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("1h", 3600), ("2.5", 2.5), ("0.5m", 30)]
)
def test_durations_are_written_as_people_write_them(text: str, seconds: float) -> None:
    """Seconds, minutes and hours, and seconds where there is no unit."""
    assert Duration().convert(text, None, None) == seconds
