"""Functions of the main script that joblib sends to its workers: their lines are those of the script."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.commands import run_workbench
from workbench.capture.sent_functions import SENT, with_sent_functions
from workbench.profile import ROOT, Frame, Profile, ProfileBuilder, overview
from workbench.report.profile.run import read_run

JOB = """import time
def job(i):
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        sum(range(10_000))
"""
PROGRAM = """
import time
from joblib import Parallel, delayed
from workbench import scope

def job(i):
    with scope("job"):
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end:
            sum(range(10_000))

if __name__ == "__main__":
    Parallel(n_jobs=2)(delayed(job)(i) for i in range(4))
"""


def test_lines_of_a_function_in_workers(tmp_path: Path) -> None:
    """The hottest line is that of the script, with its source, when the profile is made and when it is read again."""
    pytest.importorskip("workbench.scopes._native")
    (tmp_path / "p.py").write_text(PROGRAM)
    done = run_workbench("profile", "--summary", "-o", "out", "p.py", cwd=tmp_path, text=True)
    assert done.returncode == 0
    assert "p.py:10  sum(range(10_000))" in done.stderr
    run = read_run(tmp_path / "out")
    found = overview(run.scopes, run.together)
    heaviest = found.lines[0]
    assert (heaviest.file.rpartition("/")[2], heaviest.line, heaviest.function) == ("p.py", 10, "job")
    assert heaviest.of_all.samples > 20
    assert not [frame for frame in run.together.frames if frame.file == SENT]


def sent(*lines: Frame) -> Profile:
    """Return a profile of a process that runs two files, and of functions that were sent, at these lines."""
    builder = ProfileBuilder("made")
    stacks = [builder.stack_of([Frame("<module>", file)]) for file in ("/a.py", "/b.py")]
    stacks += [builder.stack_of([frame._replace(line=0)]) for frame in lines]
    of_line = [ROOT, ROOT, *(builder.line_stack_of([frame]) for frame in lines)]
    samples = builder.samples(stacks, range(len(stacks)), [1] * len(stacks))
    builder.add_track("main", pid=1, tid=1, samples=replace(samples, line=np.array(of_line, dtype=np.int32)))
    return builder.build()


TEXTS = {
    "/a.py": "def job():\n    work()\n\ndef both():\n    work()\n",
    "/b.py": "\n\n\n\ndef job():\n    work()\n    [x for x in y]\n\ndef both():\n    work()\n",
    "/c.py": "def outer():\n    def inner():\n        work()\n",
}


@pytest.mark.parametrize(
    ("name", "line", "file"),
    [
        ("job", 2, "/a.py"),
        ("job", 6, "/b.py"),
        ("job.<locals>.<listcomp>", 7, "/b.py"),
        ("outer.<locals>.inner", 3, "/c.py"),
        ("outer.<locals>.inner", 9, SENT),
        ("both", 0, SENT),
        ("unknown", 2, SENT),
        ("<lambda>", 2, SENT),
    ],
)
def test_a_function_is_in_the_file_that_has_it_there(name: str, line: int, file: str) -> None:
    """It is in the one file with a function of that name around the lines that ran; else nobody knows where."""
    profile = with_sent_functions(sent(Frame(name, SENT, line)), TEXTS.get, ["/c.py"])
    assert {frame.file for frame in profile.frames if frame.name == name} == {file}
    assert {frame.file for frame in profile.lines.places} == {file}


def test_without_sent_functions_no_file_is_read() -> None:
    """Where nothing was sent the profile is the same, and no source is looked at."""
    profile = sent()
    assert with_sent_functions(profile, pytest.fail) is profile


def test_functions_of_cells(tmp_path: Path) -> None:
    """In a notebook a function that was sent is in its cell, with its lines."""
    pytest.importorskip("workbench.scopes._native")
    cells = [
        JOB,
        "import workbench\nfrom joblib import Parallel, delayed",
        "with workbench.profiled('out') as run:\n    _ = Parallel(n_jobs=2)(delayed(job)(i) for i in range(2))",
    ]
    (tmp_path / "cells.py").write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"for cell in {cells!r}:\n    shell.run_cell(cell, store_history=True).raise_error()\n"
    )
    done = subprocess.run(
        [sys.executable, "cells.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    run = read_run(tmp_path / "out")
    heaviest = overview(run.scopes, run.together or run.samples).lines[0]
    assert (heaviest.file, heaviest.line, heaviest.function) == ("In [1]", 5, "job")
