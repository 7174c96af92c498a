"""Worker processes: each writes its own log, and all are one recording."""

from __future__ import annotations

import pytest

from workbench.eventlog import read_recording

PROGRAM = """
import multiprocessing, os, subprocess, sys
from workbench import record, scope

@scope("work")
def work(i):
    with scope(f"item {{i}}"):
        return os.getpid()

def fork(n):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(work, range(n), chunksize=1)

def spawn(n):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.map(work, range(n), chunksize=1)

def loky(n):
    import joblib
    return joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(work)(i) for i in range(n))

def children(n):
    code = "import sys; sys.path.insert(0, '.'); import program; print(program.work(int(sys.argv[1])))"
    command = [sys.executable, "-c", code]
    return [int(subprocess.check_output([*command, str(i)])) for i in range(n)]

if __name__ == "__main__":
    with record("r"):
        with scope("parent"):
            assert os.getpid() not in {way}(6)
"""


@pytest.mark.parametrize("way", ["fork", "spawn", "loky", "children"])
def test_workers_are_recorded(run, tmp_path, read, way):
    """Workers write their own files, which the reader merges without loss or duplicates."""
    done = run(PROGRAM.format(way=way))
    assert (done.returncode, done.stderr) == (0, "")
    found = read(tmp_path / "r")
    items = sorted(i.path for i in found if "item" in i.path)
    assert items == [f"work/item {i}" for i in range(6)]
    (parent,) = (i for i in found if i.path == "parent")
    assert all(parent.start < i.start <= i.end < parent.end for i in found if i is not parent)
    logs = list((tmp_path / "r").glob("*.wblog"))
    assert len({log.name.split("-")[0] for log in logs}) >= 2


def test_a_fork_inside_scopes(run, tmp_path, read):
    """What is open when a process forks stays the parent's: the child's closing of it changes nothing."""
    done = run(
        """
        import os
        from workbench import record, scope
        with record("r"):
            with scope("outer"):
                with scope("forking"):
                    pid = os.fork()
                with scope("child" if pid == 0 else "parent"):
                    pass
                if pid:
                    os.waitpid(pid, 0)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = read(tmp_path / "r")
    assert sorted((i.path, i.unfinished) for i in found) == [
        ("child", False),
        ("outer", False),
        ("outer/forking", False),
        ("outer/parent", False),
    ]


def test_a_fork_while_threads_record(run, tmp_path, read):
    """Forking while other threads are in the middle of recording neither hangs the child nor tears a log."""
    done = run(
        """
        import os, threading
        import warnings
        from workbench import record, scope
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of forks amid threads
        stop = threading.Event()
        def work():
            i = 0
            while not stop.is_set():
                i += 1
                with scope("busy"), scope(f"name {i}"):
                    pass
        with record("r"):
            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads: thread.start()
            children = []
            for i in range(20):
                pid = os.fork()
                if pid == 0:
                    with scope(f"child {i}"):
                        os._exit(0) if i % 2 else None
                    os._exit(0)
                children.append(pid)
            for pid in children:
                assert os.waitpid(pid, 0)[1] == 0
            stop.set()
            for thread in threads: thread.join()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = read(tmp_path / "r")
    children = {i.path: i.unfinished for i in found if i.path.startswith("child")}
    assert children == {f"child {i}": bool(i % 2) for i in range(20)}


OUTLIVING = """
import subprocess, sys, time
from pathlib import Path
from workbench import mark, record, scope
CHILD = '''
import sys, time
from pathlib import Path
from workbench import counter, scope
with scope("in time"):
    with scope("inside, in time"): pass
with scope("begun in time"):
    Path("ready").touch()
    while not Path("over").exists(): time.sleep(0.01)
    with scope("inside, late", flops=1.0): pass
counter("late", 1.0)
for _ in range({turns}):
    with scope("late", flops=1.0):
        with scope("late inside"): pass
with scope("late, by fork"):
    import os
    if os.fork() == 0:
        with scope("forked"): pass
        os._exit(0)
    os.wait()
import subprocess
subprocess.run([sys.executable, "-c", "from workbench import scope; scope('grandchild').__enter__()"], check=True)
'''
with record("r"), scope("block"):
    child = subprocess.Popen([sys.executable, "-c", CHILD])
    while not Path("ready").exists() and child.poll() is None: time.sleep(0.01)
Path("over").touch()
sys.exit(child.wait())
"""


def test_a_process_that_outlives_its_recording(run, tmp_path, read):
    """What a child begins after the recording has ended is not in it, and its log stops to grow."""
    sizes = []
    for turns in (10, 200_000):
        done = run(OUTLIVING.replace("{turns}", str(turns)))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        found = {(i.path, i.unfinished) for i in read(tmp_path / "r")}
        assert found == {
            ("block", False),
            ("in time", False),
            ("in time/inside, in time", False),
            ("begun in time", False),
            ("begun in time/inside, late", False),
        }
        assert 0 < read_recording(tmp_path / "r").recording.after_end < 50_000
        sizes.append(sum(path.stat().st_size for path in (tmp_path / "r").iterdir()))
        for path in [*(tmp_path / "r").iterdir(), tmp_path / "ready", tmp_path / "over"]:
            path.unlink()
        (tmp_path / "r").rmdir()
    assert sizes[1] < sizes[0] + (2 << 20)
