"""Programs that end with scopes open, by themselves or because they were killed."""

from __future__ import annotations

import itertools
import random
import signal
import time

import pytest

ENDS = {
    "return": "",
    "sys.exit": "import sys; sys.exit(3)",
    "exception": "raise ValueError",
    "os._exit": "import os; os._exit(4)",
    "SIGKILL": "import os; os.kill(os.getpid(), 9)",
    "SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "abort": "import os; os.abort()",
}


@pytest.mark.parametrize("how", ENDS)
def test_open_scopes_are_kept(run, tmp_path, read, how):
    """However a program ends, closed scopes are closed, and open ones are kept and marked unfinished."""
    run(
        f"""
        from workbench import scope
        outer, inner = scope("outer"), scope("inner")
        outer.__enter__()
        inner.__enter__()
        with scope("closed"):
            pass
        {ENDS[how]}
        """,
        WORKBENCH_RECORD="r",
    )
    found = read(tmp_path / "r")
    assert [(i.path, i.unfinished) for i in found] == [
        ("outer", True),
        ("outer/inner", True),
        ("outer/inner/closed", False),
    ]
    outer, inner, closed = found
    assert outer.end == inner.end >= closed.end


def test_open_scopes_of_other_threads_are_kept(run, tmp_path, read):
    """A thread that still works when the program is killed keeps its closed and its open scopes."""
    run(
        """
        import os, threading
        from workbench import scope
        ready = threading.Event()
        def work():
            with scope("closed"):
                pass
            with scope("open"):
                ready.set()
                threading.Event().wait()
        threading.Thread(target=work, name="worker").start()
        ready.wait()
        os.kill(os.getpid(), 9)
        """,
        WORKBENCH_RECORD="r",
    )
    found = read(tmp_path / "r")
    assert [(i.track, i.path, i.unfinished) for i in found] == [
        ("worker", "closed", False),
        ("worker", "open", True),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_moment(start, tmp_path, read, seed):
    """After SIGKILL in a busy loop exactly the scopes that were closed are closed, and open ones are open."""
    process = start(
        """
        import mmap, os
        from workbench import scope
        counter = os.open("counter", os.O_RDWR | os.O_CREAT)
        os.ftruncate(counter, 8)
        counter = mmap.mmap(counter, 8)
        turn = 0
        print("counting", flush=True)
        while True:
            with scope("turn"):
                with scope("inner"):
                    pass
            turn += 1
            counter[:] = turn.to_bytes(8, "little")
        """,
        WORKBENCH_RECORD="r",
    )
    assert process.stdout.readline() == "counting\n"
    time.sleep(random.Random(seed).uniform(0.0, 0.15))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    turns = int.from_bytes((tmp_path / "counter").read_bytes(), "little")
    found = read(tmp_path / "r")
    closed = [i.path for i in found if not i.unfinished]
    still_open = [i.path for i in found if i.unfinished]
    # The counter is stored after the guard is closed, so it may be one behind, and is never ahead.
    assert turns <= closed.count("turn") <= turns + 1
    assert closed.count("turn") <= closed.count("turn/inner") <= closed.count("turn") + 1
    assert still_open in ([], ["turn"], ["turn", "turn/inner"])
    if closed.count("turn/inner") > closed.count("turn"):
        assert still_open == ["turn"]
    if still_open:
        assert any(i.unfinished for i in found[-2:]), "what is open began in the last turn"
    assert all(before.start <= after.start for before, after in itertools.pairwise(found))
