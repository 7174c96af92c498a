"""Parts of `scopes.py` that need a process of their own: `python benchmarks/_scopes_parts.py PART NUMBERS` prints JSON.

`log_size`, `memory`, `reading` and `importing` are what a recording takes besides time; proofs run them, too.
`together` is a scope's cost when eight threads or two processes record at once; `training` is a fit, recorded and not.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import _scopes_loops
from measured import in_rounds, memory_mib, ran_part

from workbench import record, scope
from workbench.scopes import engine

ROOT = Path(__file__).resolve().parents[1]
THREADS, PROCESSES = 8, 2
KINDS = {"by hand": _scopes_loops.by_hand, "scope": _scopes_loops.scopes}
TURNS = 10_000
"""After so many the list by hand begins anew: a longer one is the garbage collector's work."""
EPOCHS = "20"
"""Some seconds of training, in which what a recording takes to begin is a small part."""


def write_flat(count: int) -> None:
    """Record so many scopes, one after the other."""
    for _ in range(count):
        with scope("flat"):
            pass


def write_nested(count: int) -> None:
    """Record so many scopes: one around, three inside it, one of them inside another."""
    for _ in range(count // 4):
        with scope("step"):
            with scope("jacobian"), scope("columns"):
                pass
            with scope("solve"):
                pass


def log_size(count: int = 10_000_000) -> dict[str, float]:
    """Return the bytes a closed scope takes: what was used of the files, and the files' whole size."""
    from workbench.eventlog import log_files
    from workbench.scopes import layout

    with tempfile.TemporaryDirectory() as folder:
        with record(folder + "/recording"):
            write_flat(count)
        files = list(Path(folder, "recording").glob(f"*{layout.SUFFIX}"))
        whole = sum(file.stat().st_size for file in files)
        (log,) = log_files.read_process_logs(Path(folder, "recording"))
        closed = sum(int((chunk["end"] != 0).sum()) for chunks in log.events.values() for chunk in chunks)
        chunks = sum(chunk.nbytes + layout.CHUNK.size for chunks in log.events.values() for chunk in chunks)
    if closed != count:
        raise SystemExit(f"{closed} of {count} scopes are in the log")
    return {"scopes": closed, "record": layout.EVENT.size, "used": chunks / closed, "files": whole / closed}


def memory(count: int = 20_000_000) -> dict[str, float]:
    """Return by how many MiB the recording process's anonymous memory grows while it records."""
    with tempfile.TemporaryDirectory() as folder, record(folder + "/recording"):
        write_flat(1000)
        before = memory_mib("RssAnon")
        write_flat(count)
        return {"scopes": count, "mib": memory_mib("RssAnon") - before}


def reading(count: int = 10_000_000) -> dict[str, object]:
    """Return the seconds that reading so many nested scopes into arrays takes, thrice."""
    from workbench.eventlog import read_recording

    with tempfile.TemporaryDirectory() as folder:
        with record(folder + "/recording"):
            write_nested(count)
        seconds = []
        for _ in range(3):
            begin = perf_counter()
            profile = read_recording(folder + "/recording")
            seconds.append(perf_counter() - begin)
            spans = sum(len(track.spans.start_ns) for track in profile.tracks if track.spans is not None)
            del profile
    return {"scopes": spans, "seconds": seconds}


def importing(rounds: int = 60) -> dict[str, object]:
    """Return the milliseconds of `import workbench` over the bare interpreter, round by round.

    The bare interpreter is one that loads no `site`, which in many installations has loaded `typing` and
    `re` for its own ends. Starts of processes vary by more than an import takes, so the time inside is given too.
    """
    before = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from time import perf_counter_ns as now; a = now()\n"
    )
    after = "\nprint(now() - a)"
    programs = {"bare": before + after, "workbench": before + "import workbench" + after}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_RECORD")}
    order, draw = list(programs), random.Random(1)  # noqa: S311  an order is no secret
    over, inside = [], []
    for turn in range(rounds + 1):
        draw.shuffle(order)
        whole, own = {}, {}
        for name in order:
            begin = perf_counter_ns()
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", programs[name]],
                env=kept,
                capture_output=True,
                text=True,
                check=True,
            )
            whole[name] = (perf_counter_ns() - begin) / 1e6
            own[name] = int(done.stdout) / 1e6
        if turn:  # the first one compiles
            over.append(whole["workbench"] - whole["bare"])
            inside.append(own["workbench"] - own["bare"])
    return {"over_ms": over, "inside_ms": inside, "median_inside_ms": statistics.median(inside)}


def together(rounds: int, turns: int) -> dict[str, list[float]]:
    """Return nanoseconds of a scope by name, one value a round.

    The loop by hand shows what threads cost that take turns on the GIL, and processes that share
    caches and clock speed.
    """
    works = {}
    for kind in KINDS:
        for count in (1, THREADS):
            works[f"{kind}, threads {count}"] = partial(_in_threads, kind, count, turns)
        for count in (1, PROCESSES):
            works[f"{kind}, processes {count}"] = partial(_in_processes, kind, count, turns // 2)
    return in_rounds(works, rounds, warm_up=0)


def _in_threads(kind: str, count: int, turns: int) -> float:
    """Return the wall time over all scopes, with the turns shared among threads."""
    barrier = threading.Barrier(count + 1)
    loop = KINDS[kind]

    def work() -> None:
        loop(100)
        barrier.wait()
        for _ in range(turns // count // TURNS):
            loop(TURNS)

    with _recording(kind == "scope"):
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        barrier.wait()
        begin = perf_counter_ns()
        for thread in threads:
            thread.join()
        took = (perf_counter_ns() - begin) / turns
        if kind == "scope" and engine.open_scopes() is None:
            raise SystemExit("recording stopped, so the figure would be wrong")
        return took


def _in_processes(kind: str, count: int, turns: int) -> float:
    """Return the mean over processes of what each of them sees."""
    context: Any = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(count), context.Queue()

    def work() -> None:
        loop = KINDS[kind]
        loop(100)
        barrier.wait()
        results.put(sum(loop(TURNS) for _ in range(turns // TURNS)) / turns)

    with _recording(kind == "scope"):
        processes = [context.Process(target=work) for _ in range(count)]
        for process in processes:
            process.start()
        values = [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
    return float(sum(values) / count)


def training(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of fits of the reference problem from one seed, recorded ("on") and not ("off")."""
    from workbench.bench.machine.environment import PINNED

    os.environ.update(PINNED)
    os.environ["WORKBENCH_REFERENCE_EPOCHS"] = EPOCHS
    from workbench.suites.reference import suite

    def fit(*, is_recorded: bool) -> float:
        case = suite.case("exact", seed=7)
        with _recording(is_recorded):
            begin = perf_counter()
            case.run()
            return perf_counter() - begin

    return in_rounds({"on": partial(fit, is_recorded=True), "off": partial(fit, is_recorded=False)}, rounds)


@contextmanager
def _recording(is_on: bool) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, record(folder + "/recording") if is_on else nullcontext():
        yield


if __name__ == "__main__":
    parts = {"log_size": log_size, "memory": memory, "reading": reading, "importing": importing}
    if not ran_part(parts | {"together": together, "training": training}):
        raise SystemExit(__doc__)
