"""What a guard costs, against the limits that hold on any machine; the page in docs/measured has the figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.scopes import _engine

pytestmark = pytest.mark.proof

LOOPS = Path(__file__).resolve().parents[2] / "benchmarks" / "loops.py"
ROUNDS, TURNS = 25, 20_000
SLACK = 1.25
"""Between the promise, which the dated page shows on a quiet machine, and what fails here on any."""


def ratios(engine: str, loop: str) -> float:
    """Return the median ratio of a loop to the one by hand, over interleaved rounds in one process."""
    requests = (json.dumps({"loops": ["by hand", loop], "turns": TURNS}) + "\n") * (ROUNDS + 1)
    done = subprocess.run(
        [sys.executable, str(LOOPS)],
        input=requests,
        env=os.environ | {"WORKBENCH_RECORDER": engine},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()][1:]
    return statistics.median(answer[loop] / answer["by hand"] for answer in answers)


@pytest.mark.skipif(_engine.name != "native", reason="the native recorder is not compiled here")
def test_the_native_guard_costs_less_than_by_hand() -> None:
    """Enter and leave of a recorded native guard cost less than two clock reads and a list append by hand."""
    assert ratios("native", "guard") < 0.75 * SLACK


@pytest.mark.skipif(_engine.name != "native", reason="the native recorder is not compiled here")
def test_a_native_guard_that_records_nothing_costs_half() -> None:
    """Where nothing records, a native guard costs half of what recording by hand does."""
    assert ratios("native", "guard, nothing records") < 0.5 * SLACK


def test_the_python_guard_costs_six_times_by_hand() -> None:
    """A guard of the recorder in Python, kill-proof too, costs at most six times what recording by hand does."""
    assert ratios("python", "guard") < 6 * SLACK
