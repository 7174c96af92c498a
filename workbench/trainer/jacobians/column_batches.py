"""Batches of finite-difference columns over workers, and how their results come back.

| workers | data go there | columns come back |
|---|---|---|
| processes of loky, on this host | through one file in memory | through the same file |
| all others: threads, dask's on other hosts | by value; x once for all on a cluster | by value |

By value an epoch on loky takes 13 % longer than through the file, see `benchmarks/workers.py`.

A process uses the file only where it reads the file's secret in it; where it does not, everything goes by value
from then on. A file serves until workers are lost: one that was given up may still write into the old file, so
the next attempt has a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workbench.trainer.jacobians.columns import Columns, ColumnTask, column_block
from workbench.trainer.network.architecture import Architecture
from workbench.trainer.workers import _blas
from workbench.trainer.workers.memory_file import MemoryFile, NoMemoryFileError, Reference, attach
from workbench.trainer.workers.places import SERIAL, Workers, open_workers, place_of

Array = NDArray[np.float64]
Range = tuple[int, int]

SHARES = (3 / 4, 1 / 4)
"""Of all columns, what goes out in each round: a batch costs half a millisecond, and the last ones are small, so that
none waits for long."""


def batches(columns: int, workers: int) -> list[Range]:
    """Return ranges (start, stop) that cover 0..columns, none empty: in each round one for every worker."""
    shares = np.repeat(SHARES, workers) / workers
    edges = np.unique(np.rint(np.cumsum([0.0, *shares]) * columns).astype(int)).tolist()
    return list(pairwise(edges))


_X, _PARAMETERS, _BASE, _J = range(4)
"""The arrays of the file, in their order."""


@contextmanager
def open_columns(
    architecture: Architecture, x: Array, tanh: str, step: float | None, n_jobs: int, backend: str
) -> Iterator[Columns]:
    """Give the Jacobian by columns, computed here or by workers that are at hand as long as the context."""
    place = place_of(n_jobs, backend)
    if place == SERIAL:
        yield Columns(architecture, x, tanh, step)
        return
    with open_workers(place) as workers, _fill(workers, architecture, x.shape[1]) as fill:
        yield Columns(architecture, x, tanh, step, fill)


@contextmanager
def _fill(workers: Workers, architecture: Architecture, rows: int) -> Iterator[Callable[[ColumnTask], Array]]:
    ranges = batches(architecture.parameters, workers.place.workers)
    shape = (architecture.parameters, rows, architecture.outputs)
    if workers.place.backend == "loky":
        with closing(_Processes(workers, ranges, shape)) as processes:
            yield processes
    else:
        yield _ByValue(workers, ranges, shape)


class _ByValue:
    """Workers that may share nothing with this process: x is sent once, and each result is taken in."""

    def __init__(self, workers: Workers, ranges: list[Range], shape: tuple[int, int, int]) -> None:
        self._workers, self._ranges = workers, ranges
        self._transposed = np.empty(shape)
        self._sent: object = None

    def __call__(self, task: ColumnTask) -> Array:
        if self._sent is None:
            self._sent = self._workers.send(task.x)
        blocks = self._workers.run(
            block_by_value,
            lambda: [
                (task.architecture, task.tanh, task.step, task.parameters, task.base, self._sent, start, stop)
                for start, stop in self._ranges
            ],
        )
        for (start, stop), block in zip(self._ranges, blocks, strict=True):
            self._transposed[start:stop] = block
        return self._transposed


class _Processes:
    """Processes on this host, through a file in memory with x, the parameters, the outputs there, and J."""

    def __init__(self, workers: Workers, ranges: list[Range], shape: tuple[int, int, int]) -> None:
        self._workers, self._ranges, self._shape = workers, ranges, shape
        self._by_value: _ByValue | None = None
        self._file: MemoryFile | None = None
        self._in_doubt = False

    def __call__(self, task: ColumnTask) -> Array:
        if self._by_value is None:
            try:
                seen = all(self._workers.run(block_through_file, lambda: self._batches(task)))
            except NoMemoryFileError:
                seen = False
            if seen and self._file is not None:
                self._in_doubt = False
                return self._file.arrays[_J]
            self.close()
            self._by_value = _ByValue(self._workers, self._ranges, self._shape)
        return self._by_value(task)

    def _batches(self, task: ColumnTask) -> list[tuple[object, ...]]:
        """Return the batches of one attempt, with a new file where the last attempt did not come to its end."""
        if self._file is None or self._in_doubt:
            self.close()
            shapes = (task.x.shape, task.parameters.shape, task.base.shape, self._shape)
            self._file = MemoryFile(shapes)
            self._file.arrays[_X][:] = task.x
        self._in_doubt = True
        self._file.arrays[_PARAMETERS][:] = task.parameters
        self._file.arrays[_BASE][:] = task.base
        reference = self._file.reference
        return [(task.architecture, task.tanh, task.step, reference, *edges) for edges in self._ranges]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def block_by_value(
    architecture: Architecture,
    tanh: str,
    step: float,
    parameters: Array,
    base: Array,
    x: Array,
    start: int,
    stop: int,
) -> Array:
    """Return the columns start..stop; for a worker process, where BLAS' threads are this function's to limit."""
    with _blas.one_thread():
        return column_block(ColumnTask(architecture, parameters, x, base, tanh, step), start, stop)


def block_through_file(
    architecture: Architecture, tanh: str, step: float, reference: Reference, start: int, stop: int
) -> bool:
    """Write the columns start..stop into the file and return True; False if this process cannot see the file."""
    arrays = attach(reference)
    if arrays is None:
        return False
    x, parameters, base, transposed = arrays
    task = ColumnTask(architecture, parameters, x, base, tanh, step)
    with _blas.one_thread():
        column_block(task, start, stop, transposed[start:stop])
    return True
