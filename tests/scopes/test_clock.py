"""The time that scopes record is the clock of `time.perf_counter_ns()`."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from workbench import record, scope
from workbench.eventlog import read_recording
from workbench.report.profile.facts import diagnostics
from workbench.report.profile.run import ProfileRun

SLACK_NS = 5_000
"""What interpolation may add: docs/event-log.md states half a microsecond, and a reading has its own width."""


def test_scopes_and_the_clock_agree(tmp_path):
    """Clock readings around a scope enclose its interval, over hundreds of milliseconds and behind a pause."""
    before, after = [], []
    with record(tmp_path / "r"):
        for i in range(40_000):
            if i % 10_000 == 0:
                time.sleep(0.05)
            before.append(time.perf_counter_ns())
            with scope("s"):
                pass
            after.append(time.perf_counter_ns())
    (track,) = read_recording(tmp_path / "r").check().tracks
    assert len(track.spans) == len(before)
    assert (track.spans.start_ns - np.array(before)).min() > -SLACK_NS
    assert (np.array(after) - track.spans.end_ns).min() > -SLACK_NS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
@pytest.mark.parametrize("offset", [-3000, 3000])
def test_another_time_namespace(run, tmp_path, offset):
    """A child whose clock is an hour off has the right durations and position, and the profile has a warning."""
    done = run(
        f"""
        import ctypes, os, sys, time
        from workbench import scope
        with scope("parent"):
            if ctypes.CDLL(None).unshare(0x80):
                sys.exit("refused")
            try:
                with open("/proc/self/timens_offsets", "w") as file: file.write("monotonic {offset} 0")
            except OSError:
                sys.exit("refused")
            for _ in range(1000):  # the recorder interpolates its clock
                with scope("before"): pass
            child = os.fork()
            if child == 0:
                with scope("child"): time.sleep(0.05)
                os._exit(0)
            os.waitpid(child, 0)
        """,
        WORKBENCH_RECORD="r",
    )
    if "refused" in done.stderr:
        pytest.skip("this process may not have a time namespace")
    assert (done.returncode, done.stderr) == (0, "")
    profile = read_recording(tmp_path / "r").check()
    assert profile.recording.other_clocks == 1
    assert any("time namespace" in line for line in diagnostics(ProfileRun("", scopes=profile)))
    parent, child = (track.spans for track in profile.tracks)
    assert parent.start_ns[0] < child.start_ns[0] < child.end_ns[0] < parent.end_ns[0]
    assert child.end_ns[0] - child.start_ns[0] >= 49_000_000


def test_time_does_not_run_backwards(tmp_path):
    """On each of several threads that move between processors, instants are in the order of the program."""

    def work():
        for _ in range(20_000):
            with scope("outer"), scope("inner"):
                pass

    with record(tmp_path / "r"):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    profile = read_recording(tmp_path / "r").check()
    assert (profile.recording.damaged, profile.recording.misnested, len(profile.tracks)) == (0, 0, 4)
    for track in profile.tracks:
        outer = profile.stacks.parent[track.spans.stack] == -1
        start, end = track.spans.start_ns, track.spans.end_ns
        assert (end[outer][:-1] <= start[outer][1:]).all()
        assert (start[outer] <= start[~outer]).all()
        assert (end[~outer] <= end[outer]).all()


def test_threads_agree(tmp_path):
    """What one thread does after another, on a signal between them, is later on the log's clock."""
    ready, done = threading.Semaphore(0), threading.Semaphore(0)

    def answer():
        for _ in range(2_000):
            ready.acquire()
            with scope("answer"):
                pass
            done.release()

    with record(tmp_path / "r"):
        thread = threading.Thread(target=answer)
        thread.start()
        for _ in range(2_000):
            with scope("question"):
                pass
            ready.release()
            done.acquire()
        thread.join()
    first, second = sorted(read_recording(tmp_path / "r").tracks, key=lambda track: track.spans.start_ns[0])
    assert (second.spans.start_ns - first.spans.end_ns).min() > -SLACK_NS
    assert (first.spans.start_ns[1:] - second.spans.end_ns[:-1]).min() > -SLACK_NS
