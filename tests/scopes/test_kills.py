"""Processes that are killed while many threads record: what was closed is there, what was open is marked."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.processes import is_gone, wait_until
from workbench.eventlog import read_recording

THREADS = 3
WORKERS = 2
PROGRAM = f"""
import mmap, multiprocessing, os, sys, threading
from workbench import counter, mark, scope

def busy(place):
    turn = 0
    while True:
        with scope("turn"):
            with scope(f"made {{turn % 50}}"):
                pass
            with scope("carrying", flops=turn):
                counter("turn", turn)
        turn += 1
        place[:] = turn.to_bytes(8, "little")  # after the scope was closed

def work(n):
    handle = os.open("counters", os.O_RDWR)
    places = mmap.mmap(handle, 4096)
    view = memoryview(places)
    cells = [view[8 * (n * {THREADS} + i) :][:8] for i in range({THREADS})]
    others = [threading.Thread(target=busy, args=(cell,), name=f"{{n}} {{i}}") for i, cell in enumerate(cells)]
    for thread in others: thread.start()
    for thread in others: thread.join()

if __name__ == "__main__":
    with open("counters", "wb") as file: file.write(bytes(4096))
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(n,)) for n in range(1, {WORKERS} + 1)]
    for worker in workers: worker.start()
    print(*[worker.pid for worker in workers], flush=True)
    work(0)
"""


def killed(start, folder: Path, seed: int, recorder: str) -> None:
    """Run the program, kill all its processes at some moment, and check what is in the log."""
    process = start(PROGRAM, WORKBENCH_RECORD="r", WORKBENCH_RECORDER=recorder)
    workers = [int(pid) for pid in process.stdout.readline().split()]
    time.sleep(random.Random(seed).uniform(0.0, 0.3))
    for pid in [*workers, process.pid]:
        signal_process(pid)
    process.communicate()
    for pid in workers:  # they are somebody else's children by now
        wait_until(lambda pid=pid: is_gone(pid))
    counters = np.frombuffer((folder / "counters").read_bytes(), "<u8")
    profile = read_recording(folder / "r").check()
    assert profile.recording.damaged == 0
    found = {track.name: track for track in profile.tracks}
    for n in range(WORKERS + 1):
        for i in range(THREADS):
            turns = int(counters[n * THREADS + i])
            track = found.get(f"{n} {i}")
            assert track is not None or turns == 0
            if track is not None and track.spans is not None:
                check_track(profile, track.spans, turns)


def check_track(profile, spans, turns: int) -> None:
    paths = [
        "/".join(profile.frames[f].name for f in profile.stacks.path(s)) for s in range(len(profile.stacks))
    ]
    names = np.array(paths)[spans.stack]
    closed = names[~spans.unfinished]
    outer = int((closed == "turn").sum())
    # The count is stored after the scope was closed: it may be one behind, and is never ahead.
    assert turns <= outer <= turns + 1
    made = int(np.char.startswith(closed.astype(str), "turn/made").sum())
    carrying = int((closed == "turn/carrying").sum())
    assert outer <= carrying <= made <= outer + 1
    still_open = names[spans.unfinished].tolist()
    assert len(still_open) <= 2
    if still_open:
        assert still_open[0] == "turn"
    if made > outer or carrying > outer:
        assert still_open[:1] == ["turn"], "it is closed outside of what is open"
    if carrying:
        flops = spans.work["flops"][(names == "turn/carrying") & ~spans.unfinished]
        assert flops.tolist() == list(range(carrying))


def signal_process(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(4))
def test_killed_with_threads_and_workers(start, tmp_path, seed):
    """SIGKILL at any moment of a busy run with threads and workers: nothing closed is lost, nothing invented."""
    killed(start, tmp_path, seed, os.environ.get("WORKBENCH_RECORDER", ""))


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("recorder", ["native", "python"])
@pytest.mark.parametrize("seed", range(100, 104))
def test_killed_at_two_hundred_moments(start, tmp_path, seed, recorder):
    """The same for two hundred moments with each recorder: four times fifty."""
    for turn in range(50):
        killed(start, tmp_path, 1000 * seed + turn, recorder)
        for path in (tmp_path / "r").iterdir():
            path.unlink()
        (tmp_path / "r").rmdir()


def test_no_memory_left(run, tmp_path, read):
    """A program that runs out of memory again and again, in its own code or in the recorder's, goes on."""
    done = run(
        """
        import resource
        from workbench import record, scope
        with record("r"):
            with scope("before"): pass
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20), resource.RLIM_INFINITY))
            kept, errors = [], 0
            while errors < 5:
                try:
                    with scope("taking"):
                        kept.append(bytearray(1 << 16))
                except MemoryError:
                    errors += 1
            kept.clear()
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert len(done.stderr.splitlines()) <= 1
    assert "before" in read(tmp_path / "r").paths


def test_scopes_open_at_shutdown(run, tmp_path, read):
    """Scopes in finalizers that run as the interpreter shuts down, and in daemon threads, harm nothing."""
    done = run(
        """
        import atexit, threading, time
        from workbench import scope
        class Last:
            def __del__(self):
                with scope("in a finalizer"):
                    pass
        keep = Last()
        keep.cycle = keep
        def daemon():
            while True:
                with scope("daemon"):
                    time.sleep(0.0001)
        for _ in range(4): threading.Thread(target=daemon, daemon=True).start()
        time.sleep(0.05)
        def late():
            with scope("at exit"): pass
        atexit.register(late)
        """,
        WORKBENCH_RECORD="r",
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = read(tmp_path / "r")
    assert found.paths.count("at exit") == 1
    assert "daemon" in found.paths
