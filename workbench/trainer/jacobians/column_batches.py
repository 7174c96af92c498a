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
from numpy.typing import NDArray

from workbench.trainer.jacobians.columns import Columns, ColumnTask, column_block
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.workers import blas
from workbench.trainer.workers.places import SERIAL, Workers, open_workers, place_of

Array = NDArray[np.float64]
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
    """Give the Jacobian by columns, computed here or by workers that are at hand as long as the context."""
    place = place_of(n_jobs, backend)
    if place == SERIAL:
        yield Columns(architecture, x, tanh, step)
        return
    shape = (architecture.parameters, x.shape[1], architecture.outputs)
    with ExitStack() as stack:
        workers = stack.enter_context(open_workers(place))
        shared: Array | None = None
        if place.backend == "threading":
            shared = np.empty(shape)
        elif place.backend == "loky":
            shared = _in_shared_memory(shape, stack)
        yield Columns(architecture, x, tanh, step, _Batches(workers, shape, shared))


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

    def __init__(self, workers: Workers, shape: tuple[int, int, int], shared: Array | None) -> None:
        self._workers = workers
        self._ranges = batches(shape[0], workers.place.workers)
        self._shared = shared
        self._transposed = np.empty(shape) if shared is None else shared
        self._x: object = None

    def __call__(self, task: ColumnTask) -> Array:
        if self._x is None:
            self._x = self._workers.send(task.x)
        blocks = self._workers.run(block, lambda: [self._batch(task, *edges) for edges in self._ranges])
        if self._shared is None:
            for (start, stop), columns in zip(self._ranges, blocks, strict=True):
                self._transposed[start:stop] = columns
        return self._transposed

    def _batch(self, task: ColumnTask, start: int, stop: int) -> tuple[object, ...]:
        out = None if self._shared is None else self._shared[start:stop]
        return task.architecture, task.parameters, self._x, task.base, task.tanh, task.step, start, stop, out


def block(
    architecture: Architecture,
    parameters: Array,
    x: Array,
    base: Array,
    tanh: str,
    step: float,
    start: int,
    stop: int,
    out: Array | None,
) -> Array | None:
    """Write the columns start..stop to `out`, or return them; for a worker, whose BLAS' threads are to be limited."""
    with blas.one_thread():
        columns = column_block(ColumnTask(architecture, parameters, x, base, tanh, step), start, stop, out)
    return columns if out is None else None
