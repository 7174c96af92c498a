"""Real samples of a real program: frames of Python, C and scopes stand in the order in which they called each other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workbench.eventlog import read_recording
from workbench.profile import FrameKind, scope_samples, scope_totals
from workbench.scopes import sampler

pytestmark = pytest.mark.skipif(sampler.why_not() is not None, reason=str(sampler.why_not()))

PROGRAM = """
import asyncio, sys, threading, time
import numpy as np
from scipy.integrate import quad
from workbench import carry, record, scope

def integrand(x):
    return float(np.tanh(np.full(20_000, x)).sum())

@scope("job")
def job():
    sum(i * i for i in range(2_000_000))

async def task(name):
    with scope(name):
        until = time.perf_counter() + 0.1
        while time.perf_counter() < until:
            pass

async def tasks():
    await asyncio.gather(task("task a"), task("task b"))

with record(sys.argv[1]):
    with scope("activation"):
        a = np.random.rand(200_000)
        for _ in range(200):
            np.tanh(a)
    with scope("integral"):
        for _ in range(50):
            quad(integrand, 0, 1)
    with scope("fit"):
        thread = threading.Thread(target=carry(job), name="worker")
        thread.start()
        thread.join()
    with scope("sleep"):
        time.sleep(0.2)
    asyncio.run(tasks())
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampled")
    (folder / "program.py").write_text(PROGRAM)
    environment = os.environ | {"WORKBENCH_SAMPLE": "1000,native", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, folder / "program.py", folder / "r"]
    subprocess.run(command, check=True, env=environment, timeout=100)
    return read_recording(folder / "r").check()


def stacks(profile, name):
    """Return the stacks of a track with how often they were seen, each frame as text, scopes in braces."""
    found = {}
    for track in profile.tracks:
        if track.name == name and track.samples is not None:
            for stack, count in zip(track.samples.stack.tolist(), track.samples.count.tolist(), strict=True):
                frames = (profile.frames[i] for i in profile.stacks.path(stack))
                path = tuple(f"{{{f.name}}}" if f.kind is FrameKind.SCOPE else f.name for f in frames)
                found[path] = found.get(path, 0) + count
    return found


def in_order(path, *names):
    """Return whether names stand on a path in an order, with others between."""
    rest = iter(path)
    return all(any(name in each for each in rest) for name in names)


def share(found, inside, *names):
    """Return which part of the samples inside a scope has names in an order.

    The first samples in a module have native frames that end early, because its tables are read after them.
    """
    whole = {p: n for p, n in found.items() if inside in p and "(native frames cut)" not in p}
    return sum(n for path, n in whole.items() if in_order(path, *names)) / sum(whole.values())


def test_native_frames(profile):
    """A ufunc is below the scope it is called in, and its inner loop below it, with nothing of the interpreter."""
    found = stacks(profile, "MainThread")
    assert share(found, "{activation}", "{activation}", "ufunc_generic_fastcall", "tanh") > 0.8
    assert not any("PyObject_Vectorcall" in path or "_PyEval_EvalFrameDefault" in path for path in found)


def test_callbacks(profile):
    """C that calls Python that calls C stands in that order."""
    found = stacks(profile, "MainThread")
    order = ("<module>", "{integral}", "quad", "dqags", "integrand", "ufunc_generic_fastcall", "tanh")
    assert share(found, "{integral}", *order) > 0.1
    assert share(found, "{integral}", "quad", "dqags", "integrand") > 0.8


def test_carried_work(profile):
    """A worker's samples begin with the scope that sent its work, once."""
    found = stacks(profile, "worker")
    jobs = [path for path in found if "{job}" in path]
    assert jobs
    for path in jobs:
        assert [each for each in path if each.startswith("{")] == ["{fit}", "{job}"]
        assert path[0] == "{fit}"
        assert "Carried.__call__" not in path


def test_tasks(profile):
    """Each task's samples are on its own track."""
    tracks = {track.name for track in profile.tracks if track.samples is not None}
    tasks = {name for name in tracks if " › Task-" in name}
    assert len(tasks) == 2
    for name in tasks:
        scopes = {each for path in stacks(profile, name) for each in path if each.startswith("{")}
        assert scopes in ({"{task a}"}, {"{task b}"})


def test_what_sleeps(profile):
    """A sleeping thread has its ticks, and none of the CPU time."""
    found = scope_samples(profile)["sleep"]
    slept_ms = scope_totals(profile)["sleep"].total_ns / 1e6
    assert found.of_all.samples == pytest.approx(slept_ms, rel=0.05, abs=20)
    assert found.waiting > 0.9
    assert found.of_cpu.share < 0.05


def test_counts(profile):
    """All ticks that the sampler says it has served are there, but for those after the recording ended."""
    (run,) = profile.recording.samplers
    sampled = [track.samples for track in profile.tracks if track.samples is not None]
    ticks = sum(int(samples.ticks.sum()) for samples in sampled)
    served = run.samples - run.no_room
    after = max(0, run.ended_ns - profile.end_ns) / run.period_ns
    assert served - (after + 5) * len(sampled) <= ticks <= served + 5
    assert profile.recording.damaged == 0
