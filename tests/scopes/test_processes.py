"""Worker processes: each writes a log of its own, and all are one recording."""

from __future__ import annotations

import pytest

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
    """Workers write files of their own, which are merged when read, with nothing lost and nothing doubled."""
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
