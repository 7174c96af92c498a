"""What scopes cost beside time, against what a program knows of itself: its own clocks, and its own resident set."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.commands import run_workbench
from workbench.capture.samplers.in_process import why_in_process_not
from workbench.profile import ScopeResources, scope_resources
from workbench.report.profile.overview import as_json, as_text, overview_of
from workbench.report.profile.run import ProfileRun, read_run

pytestmark = pytest.mark.skipif(why_in_process_not() is not None, reason=str(why_in_process_not()))

PROGRAM = """
import json, os, sys, threading, time
import numpy as np
from workbench import scope

sys.setswitchinterval(30)  # who has the lock keeps it until it waits
truth = {}

def compute(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(2000))

def waits_for_lock():
    with scope("wait for the lock"):
        begin = time.perf_counter()
        time.sleep(0.001)  # the other thread computes by then
        truth["lock"] = time.perf_counter() - begin

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

with scope("compute"):
    begin = time.thread_time()
    compute(0.6)
    truth["compute"] = time.thread_time() - begin
with scope("sleep"):
    begin = time.perf_counter()
    time.sleep(0.6)
    truth["sleep"] = time.perf_counter() - begin
thread = threading.Thread(target=waits_for_lock)
thread.start()
compute(0.6)
thread.join()
for name, size in (("small block", 20), ("large block", 80)):
    with scope(name):
        block = np.ones(size << 17)
        truth[name] = resident()
        time.sleep(1)
    del block
with open("written", "wb") as file:
    file.write(bytes(3_000_000))
print(json.dumps(truth))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[ProfileRun, dict[str, float]]:
    """The run, and what the program measured."""
    folder = tmp_path_factory.mktemp("resources")
    (folder / "p.py").write_text(PROGRAM)
    done = run_workbench(
        "profile", "--sampler", "in-process", "--rate", "500", "-o", "out", "p.py", cwd=folder, text=True
    )
    assert done.returncode == 0, done.stderr
    return read_run(folder / "out"), json.loads(done.stdout)


@pytest.fixture(scope="module")
def costs(run: tuple[ProfileRun, dict[str, float]]) -> dict[str, ScopeResources]:
    assert run[0].together is not None
    return scope_resources(run[0].together)


def near(found: float | None, interval: tuple[float, float], truth: float) -> bool:
    """Whether a time is the true one within its interval and two points of a second."""
    assert found is not None
    assert interval[0] <= found <= interval[1]
    return interval[0] - 0.02 <= truth <= interval[1] + 0.02


def test_seconds_are_those_that_the_program_measured(
    run: tuple[ProfileRun, dict[str, float]], costs: dict[str, ScopeResources]
) -> None:
    """What computes has its CPU time, what sleeps its time in the system, and what waits for the lock that wait."""
    truth = run[1]
    compute, sleep, lock = costs["compute"], costs["sleep"], costs["wait for the lock"]
    assert near(compute.cpu_s, compute.cpu_interval_s, truth["compute"])
    assert near(sleep.waiting_s, sleep.waiting_interval_s, truth["sleep"])
    assert near(lock.waiting_for_lock_s, lock.waiting_for_lock_interval_s, truth["lock"])
    assert near(sleep.cpu_s, sleep.cpu_interval_s, 0)
    assert near(lock.cpu_s, lock.cpu_interval_s, 0)
    assert near(compute.waiting_for_lock_s, compute.waiting_for_lock_interval_s, 0)


@pytest.mark.parametrize("name", ["small block", "large block"])
def test_the_largest_resident_set_is_that_of_the_planted_block(
    run: tuple[ProfileRun, dict[str, float]], costs: dict[str, ScopeResources], name: str
) -> None:
    """A scope that holds a block has the resident set that the program reads: the system's count is of some pages."""
    found = costs[name].largest_resident_bytes
    assert found is not None
    assert abs(found - run[1][name]) < 2_000_000


def test_the_overview_has_what_was_counted(run: tuple[ProfileRun, dict[str, float]]) -> None:
    """Text and JSON have the process's largest resident set, and the bytes that it wrote."""
    shown = overview_of(run[0])
    process: Any = as_json(shown)["processes"]
    assert [each["largest_resident_bytes"] >= run[1]["large block"] - 2_000_000 for each in process] == [True]
    assert 3_000_000 <= process[0]["written_bytes"] < 3_100_000
    text = "\n".join(as_text(shown))
    assert "largest resident set" in text
    assert "lock wait" in text
