"""Measures what this machine can do at most: products of large matrices, and copies far beyond its caches.

The rates take turns, so that a disturbance of a second or two touches one repetition of each and not one rate
alone. Operations of a product of n × n matrices are 2n³; bytes of a copy are those read and those written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from workbench.bench.machine.calibration import (
    COPY,
    DOUBLE,
    SINGLE,
    Calibration,
    Rate,
    this_machine,
)
from workbench.bench.machine.environment import numpy_blas

SECONDS = 10.0
"""How long it takes in all, on a machine that has time for it."""
MIN_REPETITIONS = 3
ORDERS = (512, 1024, 2048)
"""Of matrices: the largest of which a product in doubles takes no longer than `MAX_PRODUCT_S`."""
MAX_PRODUCT_S = 0.25
MIN_COPY_BYTES, MAX_COPY_BYTES = 64 << 20, 1 << 30
"""Bytes of the array that is copied."""
_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")

Advance = Callable[[float, float | None, str], None]


@dataclass
class _Measure:
    """One rate in the making: what is done, how much of it that is, and what each repetition reached."""

    what: str
    threads: int
    amount: float
    run: Callable[[], object]
    found: list[float] = field(default_factory=list)

    def once(self) -> None:
        start = time.perf_counter_ns()
        self.run()
        self.found.append(self.amount / max(time.perf_counter_ns() - start, 1))

    def rate(self) -> Rate:
        return Rate(
            self.what, self.threads, median(self.found), min(self.found), max(self.found), len(self.found)
        )


def measure(
    *,
    seconds: float = SECONDS,
    orders: tuple[int, ...] = ORDERS,
    copied_bytes: int | None = None,
    advance: Advance = lambda done, total, now: None,
) -> Calibration:
    """Measure this machine's rates with one thread, and with as many as it has cores.

    Args:
        seconds: When to end; every rate is measured three times at least.
        orders: Rows of the matrices to choose from, rising.
        copied_bytes: Size of the array that is copied; by default twice the last-level cache, as far as there is
            memory for it.
        advance: Is told how far it is.
    """
    begin = time.perf_counter()
    machine = this_machine()
    load, measured = os.getloadavg()[0], datetime.now().astimezone()
    cache_bytes = last_level_cache()
    size = copied_bytes or _copy_size(cache_bytes, _memory())
    advance(0.0, seconds, "preparing")
    with ThreadPoolExecutor(machine.cores) as pool:
        order = _order(orders)
        measures = [*_products(order, machine.cores), *_copies(size, machine.cores, pool)]
        rounds = 0
        while rounds < MIN_REPETITIONS or time.perf_counter() - begin < seconds:
            for each in measures:
                advance(
                    min(time.perf_counter() - begin, seconds),
                    seconds,
                    f"{each.what}, {_plural(each.threads)}",
                )
                each.once()
            rounds += 1
        advance(seconds, seconds, "")
    rates = tuple(each.rate() for each in measures)
    return Calibration(machine, rates, measured, load, order, size, cache_bytes)


def _order(orders: tuple[int, ...]) -> int:
    """Return the largest order of which a product takes not too long with one thread."""
    chosen = orders[0]
    for order in orders:
        a = np.ones((order, order))
        with _blas_threads(1):
            a @ a
            start = time.perf_counter()
            a @ a
            took = time.perf_counter() - start
        if took > MAX_PRODUCT_S:
            break
        chosen = order
        if 8 * took > 2 * MAX_PRODUCT_S:  # the next would take too long
            break
    return chosen


def _products(order: int, cores: int) -> list[_Measure]:
    """Return the products; the threads that BLAS cannot be held to are left out."""
    random = np.random.default_rng(0)
    found = []
    for what, kind in ((DOUBLE, np.float64), (SINGLE, np.float32)):
        a, b = random.random((2, order, order)).astype(kind)
        out = np.empty((order, order), kind)
        for threads in _thread_counts(cores):
            run = partial(_product, a, b, out, threads)
            run()  # the library's threads and buffers are there from here on
            found.append(_Measure(what, threads, 2.0 * order**3, run))
    return found


def _product(
    a: NDArray[np.floating], b: NDArray[np.floating], out: NDArray[np.floating], threads: int
) -> None:
    with _blas_threads(threads):
        np.matmul(a, b, out=out)


def _blas_threads(threads: int) -> AbstractContextManager[object]:
    limits: AbstractContextManager[object] = threadpool_limits(limits=threads, user_api="blas")
    return limits


def _thread_counts(cores: int) -> list[int]:
    """Return one and all, those of them that BLAS takes; only all where that is unknown."""
    wanted = sorted({1, cores})
    taken = [threads for threads in wanted if _taken(threads) == threads]
    return taken or [cores]


def _taken(threads: int) -> int | None:
    with _blas_threads(threads):
        library = numpy_blas()
        return None if library is None else int(library["num_threads"])


def _copies(size: int, cores: int, pool: ThreadPoolExecutor) -> list[_Measure]:
    """Return the copies. NumPy gives up the interpreter's lock while it copies, so that threads do it at once."""
    count = max(size // 8, cores)
    source, target = np.empty(count), np.empty(count)
    edges = np.linspace(0, count, cores + 1).astype(np.int64).tolist()
    parts = [slice(low, high) for low, high in pairwise(edges)]

    def fill(part: slice) -> None:
        source[part] = 1.0
        target[part] = 0.0

    list(pool.map(fill, parts))  # who touches memory first has it near, where that matters

    def copy(part: slice) -> None:
        np.copyto(target[part], source[part])

    def one() -> None:
        copy(slice(0, count))

    def all_of_them() -> None:
        list(pool.map(copy, parts))

    found = [_Measure(COPY, 1, 16.0 * count, one)]
    if cores > 1:
        found.append(_Measure(COPY, cores, 16.0 * count, all_of_them))
    return found


def _plural(threads: int) -> str:
    return f"{threads} {'thread' if threads == 1 else 'threads'}"


def _copy_size(cache_bytes: int, memory: int) -> int:
    """Return twice the cache, within limits and an eighth of the memory that is free: there are two arrays."""
    wanted = min(max(2 * cache_bytes, MIN_COPY_BYTES), MAX_COPY_BYTES)
    return max(min(wanted, memory // 8), 1 << 20)


def _memory() -> int:
    """Return how many bytes can be had: what the system has, or what this container's limit leaves."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # there is no limit, or it is not told
        return free
    return max(min(free, limit - used), 0)


def last_level_cache() -> int:
    """Return the bytes of the largest cache of this machine's first core; 0 where the system does not say."""
    sizes = [0]
    for path in _CPU.glob("cpu0/cache/index*/size"):
        try:
            text = path.read_text().strip()
            factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
            sizes.append(int(text.rstrip("KMG")) * factor)
        except (OSError, ValueError):
            continue
    return max(sizes)
