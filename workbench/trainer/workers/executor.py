"""An executor runs batches of work on one of joblib's back ends, and replaces workers that are lost.

The options name "loky" (processes on this host), "threading" or "dask". Under `joblib.parallel_config(backend=...)`
another back end replaces loky, the default; dask's spreads the batches over the cluster of its connected Client. On
this host there are never more workers than usable cores. Inside a worker of joblib's there are none: its caller has
spread the work over the cores already.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import joblib
from joblib.parallel import BACKENDS as FACTORIES
from joblib.parallel import get_active_backend

from workbench.errors import InvalidInputError, WorkbenchError, unknown_name
from workbench.scopes import carry
from workbench.system import usable_cores
from workbench.trainer.workers.cluster import cluster_backend, may_try_again, scatter

BACKENDS = ("loky", "threading", "dask")
ON_THIS_HOST = ("loky", "threading", "multiprocessing")
MAX_ATTEMPTS = 4
"""How often a batch is computed when each attempt loses a worker."""
Returned = Literal["together", "in order", "as done"]
"""When `Executor.results` yields: after the last batch, in the order of the batches, or as each is done."""


@dataclass(frozen=True)
class Backend:
    """The back end that runs batches, "serial" for the calling thread, and its number of workers."""

    name: str
    workers: int


SERIAL = Backend("serial", 1)


def check_backend(backend: str) -> None:
    """Raise InvalidInputError if there is no such back end, or what it needs is not installed."""
    if backend not in BACKENDS:
        raise unknown_name("backend", str(backend), BACKENDS)
    if backend == "dask" and importlib.util.find_spec("distributed") is None:
        raise InvalidInputError(
            "backend='dask' needs dask.distributed: pip install 'scopebench[cluster]', or take backend='loky'"
        )


def resolve_backend(n_jobs: int, backend: str) -> Backend:
    """Return the back end of these options here and now. One job is serial, except on a cluster asked for by name.

    Raises:
        InvalidInputError: an unknown back end, or dask without its package or without a connected Client.
        WorkbenchError: a cluster without workers.
    """
    check_backend(backend)
    active, _ = get_active_backend()
    name = _name(active)
    if backend == "dask":
        name = "dask"
    elif n_jobs == 1 or active.nesting_level or name == "sequential":
        return SERIAL
    elif backend != "loky" or name == "loky":
        active, name = FACTORIES[backend](nesting_level=0), backend
    workers = cluster_backend(active).cores() if name == "dask" else int(active.effective_n_jobs(n_jobs))
    if name in ON_THIS_HOST:
        workers = min(workers, usable_cores())
    return Backend(name, workers) if workers > 1 or name == "dask" else SERIAL


class PromptLoky(FACTORIES.get("loky", FACTORIES["threading"])):  # type: ignore[misc]  # joblib publishes no types
    """joblib's processes, awaited without its pause of up to 10 ms: an epoch by columns takes 19 % longer with it."""

    def start_call(self) -> None:
        """Begin a call, without the counts of one that was aborted."""
        self._sent, self._taken = 0, threading.Semaphore(0)
        super().start_call()

    def submit(self, func: Callable[..., Any], callback: Callable[[Any], None]) -> Any:
        """Hand a batch to the workers, and note when joblib has taken its result in."""
        self._sent += 1
        taken = self._taken

        def take(result: Any) -> None:
            try:
                callback(result)
            finally:
                taken.release()

        return super().submit(func, take)

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Wait until every batch has a result: then joblib finds all of them at once."""
        for _ in range(self._sent):
            self._taken.acquire()
        with super().retrieval_context():
            yield


@contextmanager
def open_executor(backend: Backend, returned: Returned = "together") -> Iterator[Executor]:
    """Yield an executor on a back end that is not serial; its workers live as long as the context."""
    options: dict[str, Any] = {"n_jobs": backend.workers, "batch_size": 1}
    made: Any
    if backend.name == "loky" and returned == "together":
        made = PromptLoky()
    elif backend.name in ("loky", "threading"):
        made = FACTORIES[backend.name]()
    else:
        active, _ = get_active_backend()
        made = cluster_backend(active) if backend.name == "dask" else active
    # Few batches are sent ahead of results that are yielded one by one. That bounds memory, and loky's own thread may
    # fail when it has to cancel many.
    options["pre_dispatch"] = "all" if returned == "together" else "2 * n_jobs"
    if returned == "in order":
        options["return_as"] = "generator"
    elif returned == "as done":
        options["return_as"] = "generator_unordered"
        # joblib would map large arrays from files, and a fit reads rows of a file differently from rows in memory.
        options["max_nbytes"] = None
    with joblib.Parallel(backend=made, **options) as parallel:
        yield Executor(backend, parallel, getattr(made, "client", None))


@dataclass
class _Scattered:
    """Data that a cluster's workers have, as `future`, until all of these workers are lost."""

    data: Any
    future: Any = None


class Executor:
    """Computes batches on workers; a batch is a tuple of arguments."""

    def __init__(self, backend: Backend, parallel: Any, client: Any) -> None:
        self.backend = backend
        self._parallel = parallel
        self._client = client
        self._scattered: list[_Scattered] = []

    def send(self, data: Any) -> Any:
        """Return an argument for batches that refers to `data`: a cluster receives them once for all batches."""
        if self._client is None:
            return data
        self._scattered.append(_Scattered(data))
        return self._scattered[-1]

    def results(
        self,
        function: Callable[..., Any],
        batches: Callable[[AbstractSet[int]], Iterable[tuple[int, tuple[Any, ...]]]],
    ) -> Iterator[tuple[int, Any]]:
        """Yield the number of each batch and what the function returns for it; scopes are propagated.

        `batches` is called with the numbers of the batches that are done, and returns the others. It is called again
        after a worker process was lost: this ends all other workers too, and new ones are started.

        Raises:
            WorkbenchError: workers were lost in each of several attempts.
        """
        work = carry(_numbered)
        done: set[int] = set()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                for scattered in self._scattered:  # here, and not in joblib's thread that sends batches
                    if scattered.future is None:
                        scattered.future = scatter(self._client, scattered.data)
                tasks = (
                    joblib.delayed(work)(function, number, *map(_sent, batch))
                    for number, batch in batches(done)
                )
                with _closing(self._parallel(tasks)) as results:
                    for number, result in results:
                        done.add(number)
                        yield number, result
                return
            except Exception as error:
                for scattered in self._scattered:
                    scattered.future = None  # may be lost with its workers
                if not may_try_again(error) or attempt == MAX_ATTEMPTS:
                    raise WorkbenchError(
                        f"worker processes were lost again and again (backend {self.backend.name!r}): killed, or "
                        "out of memory; take fewer workers, fewer rows, or n_jobs=1"
                    ) from error


def _sent(argument: Any) -> Any:
    return argument.future if isinstance(argument, _Scattered) else argument


@contextmanager
def _closing(results: Any) -> Iterator[Any]:
    """Close joblib's generator at the end, without its warning that pending work is cancelled: that is intended."""
    try:
        yield results
    finally:
        if not isinstance(results, list):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*have been cancelled", category=UserWarning)
                results.close()


def _numbered(function: Callable[..., Any], number: int, *batch: Any) -> tuple[int, Any]:
    return number, function(*batch)


def _name(backend: Any) -> str:
    """Return the name by which joblib knows a back end."""
    for name, factory in FACTORIES.items():
        if type(backend) is factory:
            return str(name)
    return type(backend).__name__.removesuffix("Backend").removesuffix("Distributed").lower()
