"""Groups of rows on workers: threads of this process, or joblib's processes and clusters; results in their order.

With one job the groups run on as many threads as BLAS was given, each on one BLAS thread; with more through
joblib. Wherever a group runs it does the same operations, and the caller adds the results up in the groups' order:
so the bits depend on neither the place nor the number of workers, on machines whose BLAS takes the same kernels and
whose compiled passes are of the same level (`_passes.levels`; there, or missing, on all of them).
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import joblib
import numpy as np
from joblib.parallel import get_active_backend

from workbench.scopes import carry, scope
from workbench.trainer.rows.row_groups import Group, groups
from workbench.trainer.rows.row_sources import RowSource
from workbench.trainer.workers import _blas
from workbench.trainer.workers.cluster import cluster_backend, lost_again, may_try_again
from workbench.trainer.workers.places import place_of
from workbench.trainer.workers.threads import usable_cores

T = TypeVar("T")

RESTARTS = 3
"""How often workers are started anew in one pass over the rows."""
AHEAD = 2
"""Groups a thread that are begun before the first of them is taken: so memory is bounded, and no thread waits."""


class Crew:
    """Those who work on a source's groups."""

    def __init__(self, source: RowSource, workers: _Threads | _Joblib) -> None:
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
        with closing(_Joblib(place.backend, place.workers, source)) as workers:
            yield Crew(source, workers)


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


@contextmanager
def _quietly(results: Any) -> Iterator[Any]:
    """Close joblib's generator at the end; that work was given up is no news, an error says why."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()


class _Joblib:
    """Workers of a joblib back end."""

    def __init__(self, backend: str, workers: int, source: RowSource) -> None:
        self._backend = backend
        self._workers = workers
        self._source = source
        self._parallel = self._start()

    def _start(self) -> Any:
        backend: Any = self._backend
        active, _ = get_active_backend()
        if backend == "dask":
            # Rows in memory are sent once for a fit; a file's are read by the workers.
            sent = [self._source] if getattr(self._source, "in_memory", False) else []
            backend = cluster_backend(active, sent)
        elif backend not in joblib.parallel.BACKENDS:
            backend = active
        # One group is a batch: joblib would send several at once to one worker, and leave others idle.
        parallel = joblib.Parallel(self._workers, backend=backend, return_as="generator", batch_size=1)
        return parallel.__enter__()

    def close(self) -> None:
        self._parallel.__exit__(None, None, None)

    def map(self, function: Callable[..., T], arguments: tuple[Any, ...], source: RowSource) -> Iterator[T]:
        task = joblib.delayed(carry(_work))
        done = restarts = 0
        while True:
            calls = (
                task(function, group.source, group.start, group.stop, arguments)
                for group in groups(source, done)
            )
            try:
                with _blas.one_thread(), _quietly(self._parallel(calls)) as results:
                    for result in results:
                        done += 1
                        yield result
                return
            except Exception as error:
                if not may_try_again(error) or restarts == RESTARTS:
                    remedy = "take fewer workers or a smaller chunk_rows"
                    raise lost_again(self._backend, remedy) from error
            restarts += 1
            self.close()
            self._parallel = self._start()
