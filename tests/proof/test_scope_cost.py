"""What a scope costs, against the limits that hold on any machine; the page in docs/measured has the figures."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.scopes import engine as _engine

pytestmark = pytest.mark.proof

LOOPS = Path(__file__).resolve().parents[2] / "benchmarks" / "_scopes_loops.py"
ROUNDS, TURNS = 25, 20_000
SLACK = 1.25
"""Between the promise, which the dated page shows on a quiet machine, and what fails here on any."""


def ratio_of(engine: str, loop: str, record_property: Callable[[str, object], None]) -> float:
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
    found = statistics.median(answer[loop] / answer["by hand"] for answer in answers)
    record_property("measured", f"{found:.2f} × by hand")
    return found


@pytest.mark.skipif(_engine.name != "native", reason="the native recorder is not compiled here")
def test_a_native_scope_costs_less_than_by_hand(record_property: Callable[[str, object], None]) -> None:
    """A recorded native scope costs 0.75 of two clock reads and a list append by hand; a quarter more passes here."""
    assert ratio_of("native", "scope", record_property) < 0.75 * SLACK


@pytest.mark.skipif(_engine.name != "native", reason="the native recorder is not compiled here")
def test_a_native_scope_that_records_nothing_costs_half(
    record_property: Callable[[str, object], None],
) -> None:
    """Where nothing records, a native scope costs half of recording by hand; a quarter more passes here."""
    assert ratio_of("native", "scope, nothing records", record_property) < 0.5 * SLACK
