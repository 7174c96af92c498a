"""Batches of finite-difference columns over workers, and how their results come back.

| workers | columns come back |
|---|---|
| threads | in place |
| processes of loky, on this host | through a file in memory; by value an epoch takes an eighth longer |
| all others, such as dask's on other hosts | by value |
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
from joblib.externals.loky.backend import resource_tracker

from workbench.trainer.arrays import Array
from workbench.trainer.jacobians.columns import Columns, ColumnTask, column_block
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.workers import blas
from workbench.trainer.workers.executor import SERIAL, Executor, open_executor, resolve_backend

Range = tuple[int, int]

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  a folder of its own there
SHARES = (3 / 4, 1 / 4)
"""Of all columns, what goes out in each round: a batch costs half a millisecond, and the last ones are small, so that
none waits for long."""


def batches(columns: int, workers: int) -> list[Range]:
    """Return ranges (start, stop) that cover 0..columns, none empty: in each round one for every worker."""
    shares = np.repeat(SHARES, workers) / workers
    edges = np.unique(np.rint(np.cumsum([0.0, *shares]) * columns).astype(int)).tolist()
    return list(pairwise(edges))


@contextmanager
def open_columns(
    architecture: Architecture, x: Array, tanh: str, step: float | None, n_jobs: int, backend: str
) -> Iterator[Columns]:
    """Yield the Jacobian by columns, computed here or by workers that are at hand as long as the context."""
    resolved = resolve_backend(n_jobs, backend)
    if resolved == SERIAL:
        yield Columns(architecture, x, tanh, step)
        return
    shape = (architecture.parameters, x.shape[1], architecture.outputs)
    with ExitStack() as stack:
        executor = stack.enter_context(open_executor(resolved))
        shared: Array | None = None
        if resolved.name == "threading":
            shared = np.empty(shape)
        elif resolved.name == "loky":
            shared = _in_shared_memory(shape, stack)
        yield Columns(architecture, x, tanh, step, _Batches(executor, shape, shared))


def _in_shared_memory(shape: tuple[int, ...], stack: ExitStack) -> Array | None:
    """Return an array in a file in memory, which joblib hands over by its name; None where there is no room for it.

    It is removed with the stack, and where this process is killed by loky's tracker of resources.
    """
    if SHARED_MEMORY is None:
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix="workbench-columns-", dir=SHARED_MEMORY))
        resource_tracker.register(str(folder), "folder")
        stack.callback(resource_tracker.unregister, str(folder), "folder")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with (folder / "J").open("wb") as file:
            # Taken now, so that too little memory is an error here and not a signal on first touch.
            os.posix_fallocate(file.fileno(), 0, 8 * math.prod(shape))
        return np.memmap(folder / "J", np.float64, "r+", shape=shape)
    except OSError:
        return None


class _Batches:
    """All columns by workers, which write them into `shared`, or send them back where there is none."""

    def __init__(self, executor: Executor, shape: tuple[int, int, int], shared: Array | None) -> None:
        self._executor = executor
        self._ranges = batches(shape[0], executor.backend.workers)
        self._shared = shared
        self._transposed = np.empty(shape) if shared is None else shared
        self._x: object = None

    def __call__(self, task: ColumnTask, x: Array) -> Array:
        if self._x is None:
            self._x = self._executor.send(x)
        outs = [None if self._shared is None else self._shared[start:stop] for start, stop in self._ranges]
        batches = [(task, self._x, *edges, out) for edges, out in zip(self._ranges, outs, strict=True)]
        for number, columns in self._executor.results(block, lambda _: enumerate(batches)):
            if columns is not None:
                start, stop = self._ranges[number]
                self._transposed[start:stop] = columns
        return self._transposed


def block(task: ColumnTask, x: Array, start: int, stop: int, out: Array | None) -> Array | None:
    """Write the columns start..stop to `out`, or return them; in a worker, whose BLAS threads are limited here."""
    with blas.one_thread():
        columns = column_block(task, x, start, stop, out)
    return columns if out is None else None
