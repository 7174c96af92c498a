"""`workbench profile --memory`: what programs are known to allocate, by scope, line, thread and process."""

from __future__ import annotations

import json
import signal
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from tests.helpers.commands import run_workbench
from workbench.profile import Allocations, ScopeBytes
from workbench.report.profile.run import read_run

CALLS = 40
PLANTED = f"""
import numpy as np
from workbench import scope

kept, cache, objects, growing = [], {{}}, [], bytearray()

@scope("returns")
def returns():
    return np.ones(250_000)

@scope("decorated")
def decorated():
    kept.append(bytearray(100_000))

@scope("generator")
def generator():
    for _ in range(3):
        kept.append(bytearray(10_000))
        yield

def main():
    for i in range({CALLS}):
        with scope("step"):
            array = returns()
            decorated()
            with scope("cached"):
                if i < 4:
                    cache[i] = np.zeros(125_000)
            with scope("temporary"):
                array = array + array
            with scope("objects"):
                objects.append([object() for _ in range(1000)])
            with scope("arrays"):
                kept.append(np.zeros(5_000))
            with scope("grows"):
                growing.extend(bytes(8_000))
            for _ in generator():
                pass

main()
"""


def traced(program: str, folder: Path, *options: str, code: int = 0) -> Allocations:
    """Return what a program allocated, after it was read back from its folder."""
    (folder / "p.py").write_text(program)
    done = run_workbench("profile", "--memory", *options, "-o", "out", "p.py", cwd=folder, text=True)
    assert done.returncode == code, done.stderr
    found = read_run(folder / "out").allocations
    assert found is not None
    for profile in (found.end, found.peak):
        if profile is not None:
            profile.check()
    return found


def row_of(found: Allocations, name: str) -> ScopeBytes:
    """Return the row of a scope."""
    (row,) = (row for row in found.scopes if row.name == name)
    return row


def about(size: float) -> object:
    """Return a number within 2 %, or 100 bytes a call: the interpreter frees a bound method as it leaves a block."""
    return pytest.approx(size, rel=0.02, abs=100 * CALLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the planted program was run."""
    path = tmp_path_factory.mktemp("memory")
    traced(PLANTED, path)
    return path


@pytest.fixture(scope="module")
def planted(folder: Path) -> Allocations:
    found = read_run(folder / "out").allocations
    assert found is not None
    return found


def test_bytes_of_scopes(planted: Allocations) -> None:
    """What scopes leave behind, their peaks, and what they hold at the end is what was planted, within 2 %."""
    returns, decorated, cached = (row_of(planted, name) for name in ("returns", "decorated", "cached"))
    assert returns.calls == decorated.calls == cached.calls == CALLS
    assert returns.net_bytes == about(CALLS * 2_000_000)
    assert returns.held_bytes == about(0)
    assert decorated.net_bytes == about(CALLS * 100_000)
    assert decorated.held_bytes == about(CALLS * 100_000)
    assert decorated.peak_bytes == about(100_000)
    assert cached.net_bytes == about(4_000_000)
    assert cached.held_bytes == about(4_000_000)
    assert row_of(planted, "temporary").peak_bytes == about(2_000_000)
    assert row_of(planted, "temporary").net_bytes == about(0)
    assert row_of(planted, "generator").net_bytes == about(CALLS * 30_000)
    assert row_of(planted, "arrays").net_bytes == about(CALLS * 40_000)
    assert row_of(planted, "objects").net_bytes == about(CALLS * 24_856)
    assert row_of(planted, "objects").held_bytes == about(CALLS * 24_856)
    assert all(row.shared_calls == 0 for row in planted.scopes)
    (process,) = planted.processes
    assert process.is_whole
    assert process.end_bytes is not None
    assert planted.end is not None
    held = sum(
        int(track.samples.weight_ns.sum()) for track in planted.end.tracks if track.samples is not None
    )
    assert process.end_bytes == pytest.approx(held, rel=0.02)


def test_leaks(planted: Allocations) -> None:
    """What repetitions leave that stays is a leak; caches, what is returned, and temporaries are none."""
    leaks = {row.name: row.leak for row in planted.leaks}
    assert set(leaks) == {"step", "decorated", "generator", "objects", "arrays", "grows"}
    expected = {"decorated": 100_000, "objects": 24_856, "arrays": 40_000, "grows": 8_000}
    for name, size in expected.items():
        leak = leaks[name]
        assert leak is not None
        assert leak.calls == CALLS // 2
        assert leak.per_call.mean == pytest.approx(size, rel=0.02 if name != "grows" else 0.2)
    step = leaks["step"]
    assert step is not None
    assert step.per_call.mean == pytest.approx(100_000 + 30_000 + 24_856 + 40_000 + 8_000, rel=0.02)


def test_bytes_of_lines(planted: Allocations) -> None:
    """Each line has what it allocated and is alive, and its function; library code counts where it is called."""
    by_line = {row.line: row for row in planted.lines if row.file.endswith("p.py")}
    text = PLANTED.splitlines()
    decorated = by_line[text.index("    kept.append(bytearray(100_000))") + 1]
    assert (decorated.function, decorated.end_bytes) == ("decorated", about(CALLS * 100_000))
    cached = by_line[text.index("                    cache[i] = np.zeros(125_000)") + 1]
    assert (cached.function, cached.end_bytes) == ("main", about(4_000_000))
    assert row_of(planted, "decorated").lines[0] == planted.lines[planted.lines.index(decorated)].__class__(
        **vars(decorated) | {"peak_bytes": 0, "peak_blocks": 0}
    )


def test_what_is_shown(folder: Path) -> None:
    """Text names leaks; JSON follows its schema; names can be taken out; diff refuses in one line."""
    shown = run_workbench("show", "out", cwd=folder, text=True)
    assert "memory traced: these are not the program's own times" in shown.stdout
    assert "Leak: “decorated” leaves 100 kB" in shown.stdout.replace("\n  ", " ")
    assert "Not seen: memory of C libraries" in shown.stdout
    printed = run_workbench("show", "--json", "out", cwd=folder, text=True)
    schema = json.loads(resources.files("workbench.report.profile").joinpath("show.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(printed.stdout))
    assert "| step |" in run_workbench("show", "--markdown", "out", cwd=folder, text=True).stdout
    assert run_workbench("show", "--redact", "out", cwd=folder, text=True).returncode == 0
    assert run_workbench("convert", "out", "out.trace.json", cwd=folder, text=True).returncode == 0
    refused = run_workbench("diff", "out", "out", cwd=folder, text=True)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "out is a profile of memory" in refused.stderr


THREADS = """
import threading
from workbench import scope

kept = {"a": [], "b": []}
together = threading.Barrier(2)

def run(name, size):
    for _ in range(50):
        together.wait()
        with scope(name):
            kept[name].append(bytearray(size))
            together.wait()

def run_a():
    with scope("thread a"):
        run("a", 20_000)

def run_b():
    with scope("thread b"):
        run("b", 5_000)

threads = [threading.Thread(target=each) for each in (run_a, run_b)]
[each.start() for each in threads]
[each.join() for each in threads]
"""


def test_threads(tmp_path: Path) -> None:
    """What scopes of two threads hold is each thread's own, though both allocate at once; their changes are marked."""
    found = traced(THREADS, tmp_path)
    assert row_of(found, "thread a").held_bytes == about(50 * 20_057)
    assert row_of(found, "thread b").held_bytes == about(50 * 5_057)
    for name in ("thread a", "thread b"):
        row = row_of(found, name)
        assert row.shared_calls == row.calls == 1
        assert row.leak is None
    assert found.end is not None
    held = {
        track.name: int(track.samples.weight_ns.sum())
        for track in found.end.tracks
        if track.samples is not None
    }
    assert held["threads of run_a"] == pytest.approx(50 * 20_057, rel=0.03)
    assert held["threads of run_b"] == pytest.approx(50 * 5_057, rel=0.03)


def test_tasks(tmp_path: Path) -> None:
    """Tasks that take turns have numbers of their own scopes, marked where others were open."""
    program = """
import asyncio
from workbench import scope
kept = []

@scope("task")
async def task():
    kept.append(bytearray(100_000))
    await asyncio.sleep(0)

async def main():
    await asyncio.gather(*(task() for _ in range(4)))
    await task()
asyncio.run(main())
"""
    row = row_of(traced(program, tmp_path), "task")
    assert (row.calls, row.shared_calls) == (5, 4)
    assert row.held_bytes == about(500_000)


def test_a_program_that_traces_itself(tmp_path: Path) -> None:
    """Its own use of tracemalloc works as alone, and changes nothing of ours."""
    program = """
import tracemalloc
from workbench import scope
kept = []
assert not tracemalloc.is_tracing()
tracemalloc.start()
with scope("outer"):
    kept.append(bytearray(1_000_000))
    temporary = bytearray(3_000_000)
    del temporary
    now, peak = tracemalloc.get_traced_memory()
    assert 1_000_000 <= now < 1_100_000, now
    assert 4_000_000 <= peak < 4_100_000, peak
    tracemalloc.reset_peak()
    with scope("inner"):
        temporary = bytearray(2_000_000)
        del temporary
    assert 3_000_000 <= tracemalloc.get_traced_memory()[1] < 3_200_000
    assert tracemalloc.take_snapshot().statistics("lineno")
    tracemalloc.clear_traces()
    assert tracemalloc.get_traced_memory()[0] < 10_000
    tracemalloc.stop()
    assert tracemalloc.get_traced_memory() == (0, 0)
    kept.append(bytearray(500_000))
"""
    found = traced(program, tmp_path)
    assert row_of(found, "inner").peak_bytes == about(2_000_000)
    assert row_of(found, "outer").peak_bytes == about(4_000_000)
    assert row_of(found, "outer").held_bytes == pytest.approx(1_500_000, rel=0.1)


def test_a_killed_program(tmp_path: Path) -> None:
    """What scopes left until then is there, the snapshot is of an earlier moment, and a line says so."""
    program = """
import os, signal
from workbench import scope
kept = []
for _ in range(20):
    with scope("leaks"):
        kept.append(bytearray(200_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    found = traced(program, tmp_path, code=128 + signal.SIGKILL)
    assert row_of(found, "leaks").net_bytes == about(4_000_000)
    assert [row.name for row in found.leaks] == ["leaks"]
    (process,) = found.processes
    assert not process.is_whole
    assert process.end_bytes is not None
    run = read_run(tmp_path / "out")
    assert [line for line in run.warnings if "no snapshot of memory was taken" in line]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.proof)])
def test_worker_processes(method: str, tmp_path: Path) -> None:
    """Each worker process has figures of its own; its scopes' bytes are added to those of the others."""
    program = f"""
import multiprocessing
from workbench import scope
kept = []

def work(i):
    with scope("work"):
        kept.append(bytearray(500_000))

if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        pool.map(work, range(20), chunksize=5)
        pool.close()
        pool.join()
"""
    found = traced(program, tmp_path)
    assert len(found.processes) >= 2
    row = row_of(found, "work")
    assert (row.calls, row.net_bytes) == (20, about(20 * 500_057))
    assert row.held_bytes == about(20 * 500_057)


def test_scopes_that_lines_do_not_show(tmp_path: Path) -> None:
    """What they hold is not known, and whether they leak is decided without it."""
    found = traced(
        "from workbench import scope\nkeep = []\n"
        "def meth(name):\n    with scope(name):\n        keep.append(bytearray(10_000))\n"
        "for i in range(40):\n    meth('variable name')\n"
        "for i in range(40):\n    with scope('one line'): keep.append(bytearray(10_000))\n",
        tmp_path,
    )
    for name in ("variable name", "one line"):
        row = row_of(found, name)
        assert (row.held_bytes, row.lines) == (None, ())
        assert row.leak is not None
        assert row.leak.is_leak
    shown = run_workbench("show", "out", "--scope", "one line", cwd=tmp_path, text=True)
    assert "variable name" not in shown.stdout
    assert "Leak: “one line” leaves" in shown.stdout


def test_a_child_without_an_end(tmp_path: Path) -> None:
    """What a process held that left by os._exit is not known, and a line says of how many that is so."""
    (tmp_path / "p.py").write_text(
        "import os\nfrom workbench import scope\nkeep = []\n"
        "if os.fork() == 0:\n    with scope('child'):\n        keep.append(bytearray(800_000))\n    os._exit(0)\n"
        "os.wait()\nwith scope('parent'):\n    keep.append(bytearray(500_000))\n"
    )
    done = run_workbench("profile", "--memory", "--summary", "-o", "out", "p.py", cwd=tmp_path, text=True)
    assert "no snapshot of memory was taken at the end of 1 of 2 processes" in done.stderr
    assert "at the last snapshots of 1 of them" in done.stderr
    found = read_run(tmp_path / "out").allocations
    assert found is not None
    assert row_of(found, "child").held_bytes is None
    assert row_of(found, "parent").held_bytes == about(500_000)


def test_imports(tmp_path: Path) -> None:
    """What a package allocates while it is imported is not counted; modules of the program are, and what they call."""
    pytest.importorskip("workbench.scopes._native")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "heavy.py").write_text(
        "import mine\nkept = [bytearray(5_000_000)]\ntable = [0] * 1_000_000\n"
        "def call():\n    return bytearray(2_000_000)\n"
    )
    (tmp_path / "mine.py").write_text("kept = bytearray(3_000_000)\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    found = traced(
        "import sys, traceback\nfrom workbench import scope\n"
        "sys.path.append('site-packages')\n"
        "with scope('import'):\n    import heavy\n"
        "kept = heavy.call()\n"
        "with scope('free'):\n    heavy.kept.clear()\n"
        "with scope('grow'):\n    heavy.table.append(1)\n"
        "try:\n    import broken\n"
        "except ZeroDivisionError:\n    open('error', 'w').write(traceback.format_exc())\n",
        tmp_path,
    )
    assert row_of(found, "import").net_bytes == about(3_000_000)
    assert row_of(found, "free").net_bytes == pytest.approx(0, abs=1000)
    assert 8_000_000 < row_of(found, "grow").net_bytes < 10_000_000  # from now on it is the program's
    by_line = {(row.file.rpartition("/")[2], row.line): row.end_bytes for row in found.lines}
    assert by_line["mine.py", 1] == about(3_000_000)
    assert by_line["p.py", 6] == about(2_000_000)
    assert by_line["p.py", 5] < 100_000
    assert (tmp_path / "error").read_text().count("File ") == 2


def test_without_scopes(tmp_path: Path) -> None:
    """A program without scopes has lines and stacks of its end."""
    found = traced("kept = bytearray(3_000_000)\nprint('done')\n", tmp_path)
    assert found.scopes == ()
    assert (found.lines[0].line, found.lines[0].end_bytes) == (1, about(3_000_000))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--sampler", "py-spy"), "--sampler"),
        (("--rate", "100"), "--rate"),
        (("--no-native",), "--native"),
        (("--repeat", "2"), "--repeat 2"),
        (("--pid", "1"), "--memory"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_options_that_do_not_go_together(options: tuple[str, ...], named: str, tmp_path: Path) -> None:
    """They are refused in one line that names what to leave out."""
    words = ("profile", "--memory", *options, *(() if "--pid" in options else ("p.py",)))
    done = run_workbench(*words, cwd=tmp_path, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"leave out {named}" in done.stderr
