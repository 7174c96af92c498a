"""Rows in groups of a fixed make-up, how a group fills a chunk, and the threads or workers that groups run on.

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
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.scopes import carry, scope
from workbench.system import usable_cores
from workbench.trainer.network.scaling import Scaling
from workbench.trainer.rows.row_sources import Chunk, RowSource
from workbench.trainer.splits import BLOCK, PARTS, BlockSplit
from workbench.trainer.workers import blas
from workbench.trainer.workers.places import SERIAL, Workers, open_workers, place_of

Array = NDArray[np.float64]

FEWEST_BLOCKS = 2
"""Blocks in a group at least: 8,192 rows, which take 70 ms on the reference network."""


def group_rows(rows: int) -> int:
    """Return how many rows a group has, of so many in all: whole blocks, so that a block's parts are drawn once.

    With b blocks about 4·√b groups: from 80 for a million rows to 2,000 for a billion.
    """
    return BLOCK * max(FEWEST_BLOCKS, math.isqrt(-(-rows // BLOCK)) // 4)


@dataclass(frozen=True)
class Group:
    """Rows `start` to `stop` of a source."""

    source: RowSource
    start: int
    stop: int


def groups(source: RowSource, begin: int = 0) -> Iterator[Group]:
    """Give the groups of a source in their order, from the one with number `begin`."""
    size = group_rows(source.rows)
    if source.divisible:
        for start in range(begin * size, source.rows, size):
            yield Group(source, start, min(start + size, source.rows))
    else:
        for first, x, y in source.chunks(size, begin * size, source.rows):
            yield Group(_Read(first, x, y), first, first + len(x))


class _Read:
    """Rows of a source that only this process can read, to be sent away."""

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
    """How a source's rows are seen: in which part each is, and in scaled units; None changes nothing."""

    split: BlockSplit | None = None
    scalings: tuple[Scaling, Scaling] | None = None

    def of_part(self, part: str, x: Array, y: Array, first: int) -> tuple[Array, Array]:
        """Return those of consecutive rows, the first of which has number `first`, that are of a part."""
        labels = None if self.split is None else self.split.labels(first, first + len(x))
        if labels is None:
            return (x, y) if part == "training" else (x[:0], y[:0])
        chosen = labels == PARTS.index(part)
        return x[chosen], y[chosen]

    def most_training(self, rows: int) -> int:
        """Return the most training rows of a group, where a source has so many rows in all."""
        size = group_rows(rows)
        return min(size, rows) if self.split is None else self.split.most_training(size)

    def fill(self, group: Group, part: str, x: Array, target: Array) -> Iterator[int]:
        """Fill x, shape (inputs, size), and target, shape (outputs, size), with a part's rows; give their number.

        They are full each time but the last. What is beyond the number is left as it was.
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

AHEAD = 2
"""Groups a thread that are begun before the first of them is taken: so memory is bounded, and no thread waits."""


@contextmanager
def open_crew(source: RowSource, n_jobs: int, backend: str) -> Iterator[Crew]:
    """Give those who work on a source's groups, as long as the context.

    Raises:
        InvalidInputError: the back end cannot be used here.
    """
    place = place_of(n_jobs, backend)
    if place == SERIAL:
        threads = min(blas.threads(), usable_cores())
        with ThreadPoolExecutor(threads) as pool:
            yield _Threads(source, pool, threads)
    else:
        with open_workers(place, "in order") as workers:
            yield _OnWorkers(source, workers)


class Crew(Protocol):
    """Those who work on a source's groups."""

    def map(self, function: Callable[..., T], *arguments: Any) -> Iterator[T]:
        """Give function(group, *arguments) for every group, in the groups' order.

        Scopes are carried. A worker that is lost is replaced, and its group is worked on again.

        Raises:
            WorkbenchError: workers were lost again and again.
        """
        ...


def _work(function: Callable[..., T], group: Group, arguments: tuple[Any, ...]) -> T:
    """Do one group's work in whatever thread or process this is."""
    with blas.one_thread(), np.errstate(over="ignore", invalid="ignore"), scope("group of rows"):
        return function(group, *arguments)


def _work_on(
    function: Callable[..., T], source: RowSource, start: int, stop: int, arguments: tuple[Any, ...]
) -> T:
    """Do the same where the source was sent by itself."""
    return _work(function, Group(source, start, stop), arguments)


class _Threads:
    """Threads of this process."""

    def __init__(self, source: RowSource, pool: ThreadPoolExecutor, threads: int) -> None:
        self._source, self._pool = source, pool
        self._ahead = AHEAD * threads

    def map(self, function: Callable[..., T], *arguments: Any) -> Iterator[T]:
        task = carry(_work)
        begun: deque[Future[T]] = deque()
        # Limited here and not in each thread alone: setting BLAS' threads costs more than a small chunk.
        with blas.one_thread():
            try:
                for group in groups(self._source):
                    begun.append(self._pool.submit(task, function, group, arguments))
                    if len(begun) >= self._ahead:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                for future in begun:
                    future.cancel()


class _OnWorkers:
    """Workers of a joblib back end."""

    def __init__(self, source: RowSource, workers: Workers) -> None:
        self._source, self._workers = source, workers
        # Rows in memory are sent to a cluster once for a fit; a file's are read by its workers.
        self._sent = workers.send(source) if getattr(source, "in_memory", False) else source

    def map(self, function: Callable[..., T], *arguments: Any) -> Iterator[T]:
        def batches(done: int) -> Iterator[tuple[Any, ...]]:
            for group in groups(self._source, done):
                read = self._sent if group.source is self._source else group.source
                yield function, read, group.start, group.stop, arguments

        with blas.one_thread():
            yield from self._workers.in_order(_work_on, batches)
