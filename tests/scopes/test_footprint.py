"""What a recording takes: bytes, memory and time to read; and that the stated cost of scopes is the true one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench.eventlog import read_process_logs, read_recording
from workbench.profile import MeasuredScopeCost, durations, scope_costs, scope_overhead

LOOP = """
from workbench import record, scope
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024
def loop(n):
    with scope("all"):
        for i in range(n // 10):
            with scope("outer"):
                for _ in range(9):
                    with scope("inner"): pass
with record("r"):
    loop(1000)
    before = anonymous()
    loop({count})
    print(anonymous() - before)
"""


def test_bytes_and_memory(run, tmp_path):
    """A closed scope takes 24 bytes of the log and none of the process's own memory."""
    done = run(LOOP.format(count=200_000))
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) < 4
    (log,) = read_process_logs(tmp_path / "r")
    (chunks,) = log.events.values()
    used = sum(chunk.nbytes + 24 for chunk in chunks)
    assert used / 201_002 < 25


WORKLOAD = """
from time import perf_counter_ns
from workbench import record, scope

def work(n):
    x = 0.0
    for _ in range(n):
        x += 1.5
    return x

def guarded(n, turns):
    for _ in range(turns):
        with scope("leaf"):
            work(n)
        with scope("empty"):
            pass

def plain(n, turns):
    for _ in range(turns):
        work(n)

def timed(function, *arguments):
    start = perf_counter_ns()
    function(*arguments)
    return perf_counter_ns() - start

TURNS = 2000
# So much work that scopes make up about half of the run.
n = 0
more = 9
with record("calibration", replace=True):
    while more > 4:
        n += 1
        more = sum(timed(guarded, n, TURNS) > 2 * timed(plain, n, TURNS) for _ in range(9))
with record("r", replace=True):
    for _ in range({rounds}):
        before = timed(plain, n, TURNS)
        with scope("whole"):
            guarded(n, TURNS)
        truth = (before + timed(plain, n, TURNS)) / 2
        # Alongside: what a scope adds to another workload, in another scope.
        added = timed(guarded, 9, TURNS // 2) - timed(plain, 9, TURNS // 2)
        print(truth, added / TURNS)  # two scopes a turn
"""


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_the_cost_can_be_subtracted(run, tmp_path):
    """Where scopes make up half of a run, what is left without their cost is within 3 % of the truth.

    The truth is the same work without scopes, timed before and after it. What a scope costs is calibrated alongside,
    in turn with it and on another workload, because a shared machine changes its pace from moment to moment; what
    the recording itself states, from its first and last millisecond, is within a third of that.
    """
    raw, clean, stated = [], [], []
    for _ in range(9):
        done = run(WORKLOAD.format(rounds=300))
        assert (done.returncode, done.stderr) == (0, "")
        truth, added = np.array([line.split() for line in done.stdout.splitlines()], dtype=float).T
        profile = read_recording(tmp_path / "r")
        cost = scope_costs(profile)[None]
        stated.append(cost.parent_ns / np.median(added))
        alongside = MeasuredScopeCost(0, cost.inside_ns, float(np.median(added)))
        calibrated = replace(profile, recording=replace(profile.recording, scope_costs=(alongside,)))
        calls = durations(profile, "whole")
        raw.append(np.median(calls / truth))
        clean.append(np.median((calls - scope_overhead(calibrated)["whole"] / len(calls)) / truth))
    assert np.median(raw) > 1.7
    print(raw, clean, stated)
    assert abs(np.median(clean) - 1) < 0.03, (raw, clean)
    assert 0.67 < np.median(stated) < 1.5, stated
