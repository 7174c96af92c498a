"""What is said of lines against what a program knows of itself: its own CPU time by line, and what each line does."""

from __future__ import annotations

import json

import pytest

from tests.helpers.commands import run_workbench
from workbench.capture.samplers.in_process import why_in_process_not
from workbench.profile import HotLine, LineSamples, LineWork, drop_idle
from workbench.report.profile.run import read_run

pytestmark = pytest.mark.skipif(why_in_process_not() is not None, reason=str(why_in_process_not()))

PROGRAM = """
import json
import time
import numpy as np
from workbench import scope

def loop(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        for i in range(2000):
            i * i % 7  # Python

def array(seconds):
    values = np.linspace(0.1, 1.0, 200_000)
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        np.sin(values)  # native

def sleep(seconds):
    time.sleep(seconds)  # waiting

used = {}
for name, work, seconds in (("loop", loop, 0.4), ("array", array, 0.8), ("sleep", sleep, 0.4)):
    before = time.thread_time()
    with scope(name):
        work(seconds)  # called
    used[name] = time.thread_time() - before
with scope("twice"):
    loop(0.4)
print(json.dumps(used))
"""


def line_with(lines: tuple[HotLine, ...], comment: str) -> HotLine:
    number = next(i for i, line in enumerate(PROGRAM.split("\n"), 1) if line.endswith(f"# {comment}"))
    return next(line for line in lines if line.line == number)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[LineSamples, dict[str, float]]:
    """The samples of the program by lines, and the CPU time that it measured in each of its functions."""
    folder = tmp_path_factory.mktemp("truth")
    (folder / "p.py").write_text(PROGRAM)
    arguments = ["profile", "--sampler", "in-process", "--rate", "500", "-o", "out", "p.py"]
    done = run_workbench(*arguments, cwd=folder, text=True)
    assert done.returncode == 0, done.stderr
    together = read_run(folder / "out").together
    assert together is not None
    return LineSamples.of(drop_idle(together)), json.loads(done.stdout)


@pytest.mark.parametrize(
    ("comment", "work"),
    [("Python", LineWork.PYTHON), ("native", LineWork.NATIVE), ("waiting", LineWork.WAITING)],
)
def test_what_a_line_does(
    samples: tuple[LineSamples, dict[str, float]], comment: str, work: LineWork
) -> None:
    """Nearly all samples of a line are of what it does, and only a line that waits uses no CPU time."""
    line = line_with(samples[0].lines(), comment)
    assert line.work[work].share > 0.7 * line.of_all.share
    assert line.cpu is not None
    assert line.cpu.samples > 0
    assert (line.cpu.share < 0.02) == (work is LineWork.WAITING)


def test_shares_of_cpu_time_are_those_that_the_program_measured(
    samples: tuple[LineSamples, dict[str, float]],
) -> None:
    """Inside their scopes, the lines of two functions have the CPU time of the two, within their intervals and 10 %."""
    found, used = samples
    parts = [
        (
            sum(line.cpu.share for line in lines if line.cpu),
            sum(line.cpu.high - line.cpu.low for line in lines if line.cpu),
        )
        for lines in (found.lines("loop"), found.lines("array"))
    ]
    (loop, off), (array, other) = parts
    truth = used["loop"] / (used["loop"] + used["array"])
    assert abs(loop / (loop + array) - truth) < 0.1 + (off + other) / (loop + array)


def test_a_line_in_two_scopes(samples: tuple[LineSamples, dict[str, float]]) -> None:
    """What a line has in two scopes is what it has in all, and its callers have it in their totals."""
    found, _ = samples
    all_of_it = line_with(found.lines(), "Python")
    parts = [line_with(found.lines(scope), "Python").of_all for scope in ("loop", "twice")]
    assert sum(part.samples for part in parts) == all_of_it.of_all.samples
    assert min(part.samples for part in parts) > 0.1 * all_of_it.of_all.samples
    called = line_with(found.lines(), "called")
    of_callees = [line_with(found.lines(), what).of_all.share for what in ("native", "waiting")]
    assert called.total.share >= sum(of_callees)
    assert called.of_all.share < 0.1 * called.total.share
