"""Functions of the main script that joblib sends to its workers: their lines are those of the script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.commands import run_workbench
from workbench.profile import Frame, ProfileBuilder, overview, with_sent_functions
from workbench.report.profile.run import read_run

SENT = "<dynamic-code>"
"""What cloudpickle names their file."""
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
    assert heaviest.of_all.share > 0.3
    assert not [frame for frame in run.together.frames if frame.file == SENT]


def test_without_one_script_nothing_is_renamed() -> None:
    """Where the process has no outermost module, or several, nobody knows where a function comes from."""
    builder = ProfileBuilder("made")
    sent = Frame("job", SENT)
    stacks = [builder.stack_of([Frame("<module>", file), sent]) for file in ("/a.py", "/b.py")]
    builder.add_track(
        "main", pid=1, tid=1, samples=builder.samples([*stacks, builder.stack_of([sent])], [0, 1, 2], [1] * 3)
    )
    profile = builder.build()
    assert with_sent_functions(profile, 1) is profile
    assert with_sent_functions(profile, 2) is profile
