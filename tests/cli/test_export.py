"""`workbench export`: a run's folder in, another tool's format out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyperf
import pytest

from tests.helpers.bench_runs import write_experiment

Export = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def export(folder: Path, workbench: Export) -> Export:
    """Return a function that runs `workbench export` in the folder."""
    return lambda *arguments: workbench("export", *arguments, cwd=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a run in `run`."""
    write_experiment(tmp_path / "run", {"a": [(1.0, 2.0)] * 6, "b": [(1.5, 2.0)] * 6})
    return tmp_path


@pytest.mark.parametrize("to", ["pyperf", "bencher", "github", "csv"])
def test_to_a_pipe_or_a_file(export: Export, folder: Path, to: str) -> None:
    """Without -o, and for -, standard output has what a file would, and nothing else."""
    piped = export("run", "--to", to)
    assert (piped.returncode, piped.stderr) == (0, "")
    assert export("run", "--to", to, "-o", "-").stdout == piped.stdout
    filed = export("run", "--to", to, "-o", "out")
    assert (filed.returncode, filed.stdout, filed.stderr) == (0, "", "")
    assert (folder / "out").read_text(encoding="utf-8") == piped.stdout


def test_pyperf_reads_the_file(folder: Path) -> None:
    """What is written for pyperf its command line can show."""
    command = [sys.executable, "-m", "workbench", "export", "run", "--to", "pyperf"]
    with (folder / "run.json").open("wb") as pipe:
        subprocess.run(command, cwd=folder, stdout=pipe, check=True, timeout=60)
    shown = subprocess.run(
        [sys.executable, "-m", "pyperf", "show", "run.json"], cwd=folder, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "tiny/a" in shown.stdout
    assert pyperf.BenchmarkSuite.load(str(folder / "run.json")).get_benchmark("tiny/b").get_nrun() == 6


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["run", "--to", "pyprf"], "unknown format 'pyprf': did you mean 'pyperf'? choose one of"),
        (["run"], "Missing option '--to'"),
        (["none", "--to", "csv"], "none holds no results"),
        (["none", "--to", "toml"], "unknown format 'toml'"),
        (["run", "--to", "csv", "-o", "no/such/folder"], "cannot write no/such/folder"),
        (["run", "--to", "csv", "-o", "run"], "cannot write run: Is a directory"),
    ],
)
def test_a_mistake_is_one_line(export: Export, folder: Path, arguments: list[str], complaint: str) -> None:
    """What is wrong is one line with the value; nothing is printed or written."""
    before = sorted(folder.rglob("*"))
    ran = export(*arguments)
    assert ran.returncode in (1, 2)
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert complaint in ran.stderr
    assert sorted(folder.rglob("*")) == before
