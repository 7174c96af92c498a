"""Groups of rows, which depend on the number of rows alone, and the threads or workers that they run on.

The groups follow from the number of rows alone, never from the number of workers: sums over a group are added up
in the groups' order, so any number of workers gives the same bits, on machines whose BLAS takes the same kernels and
whose compiled passes are of the same level (`_passes.levels`; there, or missing, on all of them). What a group sends
back, the lower half of JᵀJ, is as large for a long one as for a short one: with more rows both their number and their
length grow.

With one job the groups run on as many threads as BLAS was given, each on one BLAS thread; with more through joblib.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from workbench.scopes import carry, scope
from workbench.system import usable_cores
from workbench.trainer.arrays import Array
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.rows.row_sources import Chunk, RowSource
from workbench.trainer.splits import BLOCK, PARTS, BlockSplit
from workbench.trainer.workers import blas
from workbench.trainer.workers.executor import SERIAL, Executor, open_executor, resolve_backend

MIN_BLOCKS = 2
"""Blocks in a group: 8,192 rows, which take 70 ms on the reference network."""


def group_rows(rows: int) -> int:
    """Return the rows in a group, for so many rows in all: whole blocks, so that a block's parts are drawn once.

    With b blocks about 4·√b groups: from 80 for a million rows to 2,000 for a billion.
    """
    return BLOCK * max(MIN_BLOCKS, math.isqrt(-(-rows // BLOCK)) // 4)


@dataclass(frozen=True)
class RowGroup:
    """Rows `start` to `stop` of a source."""

    source: RowSource
    start: int
    stop: int


def groups(source: RowSource, begin: int = 0) -> Iterator[RowGroup]:
    """Yield the groups of a source in their order, from the one with number `begin`."""
    size = group_rows(source.rows)
    if source.divisible:
        for start in range(begin * size, source.rows, size):
            yield RowGroup(source, start, min(start + size, source.rows))
    else:
        for first, x, y in source.chunks(size, begin * size, source.rows):
            yield RowGroup(_Read(first, x, y), first, first + len(x))


class _Read:
    """Rows of a source that only this process can read, to be sent to workers."""

    divisible = True

    def __init__(self, first: int, x: Array, y: Array) -> None:
        self._first, self._x, self._y = first, x, y
        self.inputs, self.outputs = x.shape[1], y.shape[1]

    @property
    def rows(self) -> int:
        return len(self._x)

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        for first in range(start, stop, size):
            rows = slice(first - self._first, min(first + size, stop) - self._first)
            yield first, self._x[rows], self._y[rows]


@dataclass(frozen=True)
class View:
    """The part of each row of a source, and the scaled units; None is no split, or no scaling."""

    split: BlockSplit | None = None
    scalings: tuple[Scaling, Scaling] | None = None

    def of_part(self, part: str, x: Array, y: Array, first: int) -> tuple[Array, Array]:
        """Return the rows of a part among consecutive rows, of which the first has number `first`."""
        labels = None if self.split is None else self.split.labels(first, first + len(x))
        if labels is None:
            return (x, y) if part == "training" else (x[:0], y[:0])
        chosen = labels == PARTS.index(part)
        return x[chosen], y[chosen]

    def max_training(self, rows: int) -> int:
        """Return the maximum of training rows in a group, for a source of so many rows in all."""
        size = group_rows(rows)
        return min(size, rows) if self.split is None else self.split.max_training(size)

    def fill(self, group: RowGroup, part: str, x: Array, target: Array) -> Iterator[int]:
        """Fill x, shape (inputs, size), and target, shape (outputs, size), with a part's rows; yield their number.

        Both are full each time except the last. Rows beyond the number are left as they were.
        """
        size, have = x.shape[1], 0
        for first, read_x, read_y in group.source.chunks(BLOCK, group.start, group.stop):
            rows, targets = self.of_part(part, read_x, read_y, first)
            if self.scalings is not None:
                rows, targets = self.scalings[0].scale(rows), self.scalings[1].scale(targets)
            taken = 0
            while taken < len(rows):
                n = min(size - have, len(rows) - taken)
                x[:, have : have + n] = rows[taken : taken + n].T
                target[:, have : have + n] = targets[taken : taken + n].T
                have, taken = have + n, taken + n
                if have == size:
                    yield have
                    have = 0
        if have:
            yield have


T = TypeVar("T")

MAX_AHEAD = 2
"""Groups that are started for each thread before the first result is used: memory is bounded, and no thread waits."""


class MapGroups(Protocol):
    """Works on all groups of a source."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Iterator[T]:
        """Yield function(group, *arguments) for every group, in the groups' order.

        Scopes are propagated. A worker that is lost is replaced, and its group is computed again.

        Raises:
            WorkbenchError: workers were lost again and again.
        """
        ...


@contextmanager
def open_groups(source: RowSource, n_jobs: int, backend: str) -> Iterator[MapGroups]:
    """Yield a function that works on the groups of a source; its workers live as long as the context.

    Raises:
        InvalidInputError: the back end cannot be used here.
    """
    resolved = resolve_backend(n_jobs, backend)
    if resolved == SERIAL:
        threads = min(blas.threads(), usable_cores())
        with ThreadPoolExecutor(threads) as pool:
            yield partial(_on_threads, source, pool, MAX_AHEAD * threads)
    else:
        with open_executor(resolved, "in order") as executor:
            # Rows in memory are sent to a cluster once for a fit; its workers read a file's.
            sent = executor.send(source) if getattr(source, "in_memory", False) else source
            yield partial(_on_executor, source, sent, executor)


def _work(
    function: Callable[..., T], source: RowSource, start: int, stop: int, arguments: tuple[Any, ...]
) -> T:
    """Work on one group in the current thread or process."""
    with blas.one_thread(), np.errstate(over="ignore", invalid="ignore"), scope("group of rows"):
        return function(RowGroup(source, start, stop), *arguments)


def _on_threads(
    source: RowSource, pool: ThreadPoolExecutor, ahead: int, function: Callable[..., T], *arguments: Any
) -> Iterator[T]:
    task = carry(_work)
    started: deque[Future[T]] = deque()
    # Limited here and not in each thread alone: setting the threads of BLAS costs more than a small chunk.
    with blas.one_thread():
        try:
            for group in groups(source):
                started.append(pool.submit(task, function, group.source, group.start, group.stop, arguments))
                if len(started) >= ahead:
                    yield started.popleft().result()
            while started:
                yield started.popleft().result()
        finally:
            for future in started:
                future.cancel()


def _on_executor(
    source: RowSource, sent: Any, executor: Executor, function: Callable[..., T], *arguments: Any
) -> Iterator[T]:
    def batches(done: AbstractSet[int]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for number, group in enumerate(groups(source, len(done)), len(done)):
            rows = sent if group.source is source else group.source
            yield number, (function, rows, group.start, group.stop, arguments)

    with blas.one_thread():
        for _, result in executor.results(_work, batches):
            yield result
