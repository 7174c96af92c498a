"""Groups of rows on workers: threads of this process, or joblib's processes and clusters; results in their order.

With one job the groups run on as many threads as BLAS was given, each on one BLAS thread; with more through
joblib. Wherever a group runs it does the same operations, and the caller adds the results up in the groups' order:
so the bits depend on neither the place nor the number of workers, on machines whose BLAS takes the same kernels and
whose compiled passes are of the same level (`_passes.levels`; there, or missing, on all of them).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from workbench.scopes import carry, scope
from workbench.system import usable_cores
from workbench.trainer.rows.row_groups import Group, groups
from workbench.trainer.rows.row_sources import RowSource
from workbench.trainer.workers import _blas
from workbench.trainer.workers.places import Workers, open_workers, place_of

T = TypeVar("T")

AHEAD = 2
"""Groups a thread that are begun before the first of them is taken: so memory is bounded, and no thread waits."""


class Crew:
    """Those who work on a source's groups."""

    def __init__(self, source: RowSource, workers: _Threads | _OnWorkers) -> None:
        self.source = source
        self._workers = workers

    def map(self, function: Callable[..., T], *arguments: Any) -> Iterator[T]:
        """Give function(group, *arguments) for every group, in the groups' order.

        Guards are carried. A worker that is lost is replaced, and its group is worked on again.

        Raises:
            WorkbenchError: workers were lost again and again.
        """
        yield from self._workers.map(function, arguments, self.source)


@contextmanager
def open_crew(source: RowSource, n_jobs: int, backend: str) -> Iterator[Crew]:
    """Give the workers for a source's rows, as long as the context.

    Raises:
        InvalidInputError: the back end cannot be used here.
    """
    place = place_of(n_jobs, backend)
    if place.backend == "serial":
        threads = min(_blas.threads(), usable_cores())
        with ThreadPoolExecutor(threads) as pool:
            yield Crew(source, _Threads(pool, threads))
    else:
        with open_workers(place, "in order") as workers:
            yield Crew(source, _OnWorkers(workers, source))


def _work(
    function: Callable[..., T], source: RowSource, start: int, stop: int, arguments: tuple[Any, ...]
) -> T:
    """Do one group's work in whatever thread or process this is."""
    with _blas.one_thread(), np.errstate(over="ignore", invalid="ignore"), scope("group of rows"):
        return function(Group(source, start, stop), *arguments)


class _Threads:
    """Threads of this process."""

    def __init__(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._pool = pool
        self._threads = threads

    def map(self, function: Callable[..., T], arguments: tuple[Any, ...], source: RowSource) -> Iterator[T]:
        task = carry(_work)
        begun: deque[Future[T]] = deque()
        # Limited here and not in each thread alone: setting BLAS' threads costs more than a small chunk.
        with _blas.one_thread():
            try:
                for group in groups(source):
                    begun.append(
                        self._pool.submit(task, function, group.source, group.start, group.stop, arguments)
                    )
                    if len(begun) >= AHEAD * self._threads:
                        yield begun.popleft().result()
                while begun:
                    yield begun.popleft().result()
            finally:
                for future in begun:
                    future.cancel()


class _OnWorkers:
    """Workers of a joblib back end."""

    def __init__(self, workers: Workers, source: RowSource) -> None:
        self._workers = workers
        # Rows in memory are sent to a cluster once for a fit; a file's are read by its workers.
        self._sent = workers.send(source) if getattr(source, "in_memory", False) else source

    def map(self, function: Callable[..., T], arguments: tuple[Any, ...], source: RowSource) -> Iterator[T]:
        def batches(done: int) -> Iterator[tuple[Any, ...]]:
            for group in groups(source, done):
                read = self._sent if group.source is source else group.source
                yield function, read, group.start, group.stop, arguments

        with _blas.one_thread():
            yield from self._workers.in_order(_work, batches)
