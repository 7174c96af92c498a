"""Samples of programs with workers: each thread and process has its time, under the scope that was open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.eventlog import read_recording
from workbench.profile import FrameKind, Profile, Track
from workbench.scopes import sampler

pytestmark = pytest.mark.skipif(sampler.why_not() is not None, reason=str(sampler.why_not()))

BUSY = """
import time
from workbench import carry, scope

def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(100))

"""


@pytest.fixture
def sampled(workbench_profile):
    """Return a function that runs a program under the in-process sampler and returns what was recorded and sampled."""

    def run(program: str) -> Profile:
        workbench_profile.write("program.py", BUSY + program)
        done = workbench_profile.profile("--sampler", "in-process", "--rate", "500", "program.py")
        assert (done.returncode, done.stderr) == (0, "")
        return read_recording(workbench_profile.folder / "out" / "recording").check()

    return run


def open_ns(profile: Profile, name: str) -> int:
    """Return for how long scopes of a name were open, by the recorder."""
    total = 0
    for track in profile.tracks:
        if track.spans is not None:
            for stack, start, end in zip(
                track.spans.stack.tolist(),
                track.spans.start_ns.tolist(),
                track.spans.end_ns.tolist(),
                strict=True,
            ):
                total += (end - start) * (profile.frames[profile.stacks.frame[stack]].name == name)
    return total


def samples(profile: Profile) -> Iterator[tuple[Track, list[str], list[str], int, int]]:
    """Yield of each sample its track, its functions, its scopes, when it was taken, and the time that it stands for."""
    for track in profile.tracks:
        if track.samples is None:
            continue
        for stack, at, weight in zip(
            track.samples.stack.tolist(),
            track.samples.at_ns.tolist(),
            track.samples.weight_ns.tolist(),
            strict=True,
        ):
            frames = [profile.frames[i] for i in profile.stacks.path(stack)]
            scopes = [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]
            yield (
                track,
                [frame.name for frame in frames if frame.kind is not FrameKind.SCOPE],
                scopes,
                at,
                weight,
            )


def is_tracker(profile: Profile, track: Track) -> bool:
    """Return whether a thread runs loky's resource tracker."""
    assert track.samples is not None
    paths = map(profile.stacks.path, set(track.samples.stack.tolist()))
    frames = {profile.frames[i] for path in paths for i in path}
    return any(f.name == "main" and (f.file or "").endswith("resource_tracker.py") for f in frames)


def test_spawned_processes_have_their_time(sampled):
    """What spawned processes compute is sampled from their first moment to their last."""
    profile = sampled("""
import multiprocessing

def hot():
    with scope("hot"):
        busy(0.8)

if __name__ == "__main__":
    workers = [multiprocessing.get_context("spawn").Process(target=hot) for _ in range(2)]
    for each in workers: each.start()
    for each in workers: each.join()
""")
    seen = sum(weight for _, names, _, _, weight in samples(profile) if "hot" in names)
    assert seen == pytest.approx(open_ns(profile, "hot"), rel=0.2)


def test_helpers_that_sleep_are_waiting(sampled):
    """While loky's workers compute, its resource tracker waits."""
    profile = sampled("""
from joblib import Parallel, delayed

def work():
    with scope("work"):
        busy(0.3)

if __name__ == "__main__":
    Parallel(n_jobs=2)(delayed(work)() for _ in range(4))
""")
    spans = [
        span
        for track in profile.tracks
        if track.spans is not None
        for span in zip(track.spans.start_ns.tolist(), track.spans.end_ns.tolist(), strict=True)
    ]
    begin, end = min(start for start, _ in spans), max(end for _, end in spans)
    waiting = {True: 0, False: 0}
    for track in profile.tracks:
        if track.samples is None or not is_tracker(profile, track):
            continue
        for stack, at, weight in zip(
            track.samples.stack.tolist(),
            track.samples.at_ns.tolist(),
            track.samples.weight_ns.tolist(),
            strict=True,
        ):
            idle = profile.frames[profile.stacks.frame[stack]].kind is FrameKind.IDLE
            waiting[idle] += max(0, min(at + weight, end) - max(at, begin))
    assert waiting[True] > 10 * waiting[False]
    seen = sum(weight for _, names, _, _, weight in samples(profile) if "work" in names)
    assert seen == pytest.approx(open_ns(profile, "work"), rel=0.2)


def test_work_that_is_carried_to_a_forked_process(sampled):
    """Its samples begin with the scope that sent it, once, though the fork has copied that scope."""
    profile = sampled("""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def job(_):
    with scope("job"):
        busy(0.1)

if __name__ == "__main__":
    with scope("fit"), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor:
        list(executor.map(carry(job), range(4)))
""")
    jobs = [(names, scopes) for _, names, scopes, _, _ in samples(profile) if "busy" in names]
    assert len(jobs) > 10
    assert all(scopes == ["fit", "job"] for _, scopes in jobs)


def test_a_threads_last_call(sampled):
    """A thread that ends in a long call of C has the time of that call."""
    profile = sampled("""
import threading
import numpy as np

def solve():
    with scope("solve"):
        np.linalg.svd(np.random.default_rng(1).random((500, 500)))

thread = threading.Thread(target=solve, name="solver")
thread.start()
while thread.is_alive():
    busy(0.001)
""")
    seen = sum(weight for track, _, _, _, weight in samples(profile) if track.name == "solver")
    assert seen == pytest.approx(open_ns(profile, "solve"), rel=0.2, abs=0.1e9)


def test_functions_that_no_line_tells_apart(sampled):
    """Two functions of one file, name and lines have each the samples under its own scope."""
    profile = sampled("""
code = '''
def made(seconds):
    with scope(NAME):
        busy(seconds)
'''
made = []
for name in ("first", "second"):
    names = {"scope": scope, "busy": busy, "NAME": name}
    exec(compile(code, "made.py", "exec"), names)
    made.append(names["made"])
for _ in range(10):
    made[0](0.06)
    made[1](0.02)
""")
    seen = {"first": 0, "second": 0}
    for _, names, scopes, _, weight in samples(profile):
        if "made" in names and "busy" in names:
            (name,) = scopes
            seen[name] += weight
    exact = {name: open_ns(profile, name) for name in seen}
    share = seen["first"] / sum(seen.values())
    assert share == pytest.approx(exact["first"] / sum(exact.values()), abs=0.1)
