"""One scope's cost when eight threads, or two processes, record at once. `python benchmarks/together.py` prints JSON.

Threads of one interpreter take turns anyway, so the same loop by hand shows what the GIL itself costs there; and
two processes share the machine's memory and clock speed, so the loop by hand shows what that costs.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import loops

from workbench import record
from workbench.scopes import engine

THREADS, PROCESSES = 8, 2
KINDS = {"by hand": loops.by_hand, "guard": loops.guard}
PART = 10_000
"""Turns after which the list by hand begins anew: a longer one is the collector's work, and no clock's."""


def in_threads(kind: str, count: int, turns: int) -> float:
    """Return nanoseconds a scope: wall time over all scopes, with the turns shared among threads."""
    barrier = threading.Barrier(count + 1)
    loop = KINDS[kind]

    def work() -> None:
        loop(100)
        barrier.wait()
        for _ in range(turns // count // PART):
            loop(PART)

    with _recording(kind):
        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        barrier.wait()
        begin = perf_counter_ns()
        for thread in threads:
            thread.join()
        took = (perf_counter_ns() - begin) / turns
        if kind == "guard" and engine.open_scopes() is None:
            raise SystemExit("recording stopped, so the figure would be wrong")
        return took


def in_processes(kind: str, count: int, turns: int) -> float:
    """Return nanoseconds a scope, as each of so many processes sees it: the mean over them."""
    context: Any = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(count), context.Queue()

    def work() -> None:
        loop = KINDS[kind]
        loop(100)
        barrier.wait()
        results.put(sum(loop(PART) for _ in range(turns // PART)) / turns)

    with _recording(kind):
        processes = [context.Process(target=work) for _ in range(count)]
        for process in processes:
            process.start()
        values = [results.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
    return float(sum(values) / count)


def measure(rounds: int, turns: int) -> dict[str, list[float]]:
    """Return nanoseconds a scope by name, one value a round."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind in KINDS:
            for count in (1, THREADS):
                found.setdefault(f"{kind}, threads {count}", []).append(in_threads(kind, count, turns))
            for count in (1, PROCESSES):
                found.setdefault(f"{kind}, processes {count}", []).append(
                    in_processes(kind, count, turns // 2)
                )
    return found


@contextmanager
def _recording(kind: str) -> Iterator[None]:
    if kind != "guard":
        yield
        return
    with tempfile.TemporaryDirectory() as folder, record(folder + "/recording"):
        yield


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
