"""Instructions on a busy machine: 5 % more work is found by one count, where no time would show it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.bench.run.experiment import BenchOptions, run_suite

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
]
BUSY = 8
SUITE = """
from workbench.bench import Case, Suite
suite = Suite("planted", variants={"plain": {"n": 20_000}, "again": {"n": 20_000}, "more": {"n": 21_000}})

@suite.workload
def workload(n, *, seed):
    return Case(run=lambda: sum(i * i for i in range(n)))
"""


@contextlib.contextmanager
def load() -> Iterator[None]:
    """Keep the machine busy with processes that compute."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_planted_work_is_found_at_load_8(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Beside 8 busy processes one variant's two counts agree within 0.5 %, and 5 % of extra work is found in one."""
    suite = tmp_path / "planted_suite.py"
    suite.write_text(SUITE)
    options = BenchOptions(str(suite), tmp_path / "run", rounds=1, profiled=False, instructions=True)
    with load():
        results = run_suite(options)
    again, more = results.instruction_ratio("again"), results.instruction_ratio("more")
    assert again is not None, results.instructions
    assert more is not None, results.instructions
    times = {run.name: run.seconds for run in results.runs}
    record_property("two counts of one variant", f"{again:.6f}")
    record_property("instructions of 5 % more work", f"{more:.4f} of the baseline's")
    record_property("times of the same round", f"{times['more'] / times['plain']:.2f} of the baseline's")
    record_property("processors", os.cpu_count())
    assert again == pytest.approx(1.0, abs=0.005)
    assert more == pytest.approx(1.05, abs=0.005)
