"""Workers of joblib's back ends, for work that is sent in batches: resolved, prompt, and replaced when lost.

The options name "loky" (processes on this host), "threading" or "dask". Under
`joblib.parallel_config(backend=...)` another back end takes the place of loky, the default; dask's spreads the
batches over the cluster of its connected Client. On this host there are never more workers than usable cores,
and inside a worker of joblib's there are none: its caller has spread the work over the cores already.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import joblib
from joblib.parallel import BACKENDS as FACTORIES
from joblib.parallel import get_active_backend

from workbench.errors import InvalidInputError, WorkbenchError, unknown_name
from workbench.scopes import carry
from workbench.system import usable_cores
from workbench.trainer.workers.cluster import cluster_backend, may_try_again, send

BACKENDS = ("loky", "threading", "dask")
ON_THIS_HOST = ("loky", "threading", "multiprocessing")
ATTEMPTS = 4
"""How often a step or a pass is computed when it loses a worker each time."""
Returned = Literal["together", "in order", "as done"]
"""How workers give their results: by `Workers.run`, `Workers.in_order` or `Workers.as_done`."""


@dataclass(frozen=True)
class Place:
    """Where batches run: the back end's name, "serial" for here and now, and its number of workers."""

    backend: str
    workers: int


SERIAL = Place("serial", 1)


def check_backend(backend: str) -> None:
    """Raise InvalidInputError if there is no such back end, or what it needs is not installed."""
    if backend not in BACKENDS:
        raise unknown_name("backend", str(backend), BACKENDS)
    if backend == "dask" and importlib.util.find_spec("distributed") is None:
        raise InvalidInputError(
            "backend='dask' needs dask.distributed: pip install 'workbench[cluster]', or take backend='loky'"
        )


def place_of(n_jobs: int, backend: str) -> Place:
    """Return where batches run here and now. One job is serial, except on a cluster that is asked for by name.

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
    return Place(name, workers) if workers > 1 or name == "dask" else SERIAL


class PromptLoky(FACTORIES.get("loky", FACTORIES["threading"])):  # type: ignore[misc]  # joblib publishes no types
    """joblib's processes, awaited without its pause of up to 10 ms: an epoch by columns takes 19 % longer with it."""

    def start_call(self) -> None:
        """Begin a call; what is left of one that was aborted is forgotten."""
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
def open_workers(place: Place, returned: Returned = "together") -> Iterator[Workers]:
    """Give the workers of a place that is not serial; they are at hand as long as the context."""
    options: dict[str, Any] = {"n_jobs": place.workers, "batch_size": 1}
    backend: Any
    if place.backend == "loky" and returned == "together":
        backend = PromptLoky()
    elif place.backend in ("loky", "threading"):
        backend = FACTORIES[place.backend]()
    else:
        active, _ = get_active_backend()
        backend = cluster_backend(active) if place.backend == "dask" else active
    # Few are sent ahead of results that are taken one by one: so memory is bounded, and loky's own thread may fail
    # when it is told to give up many.
    options["pre_dispatch"] = "all" if returned == "together" else "2 * n_jobs"
    if returned == "in order":
        options["return_as"] = "generator"
    elif returned == "as done":
        options["return_as"] = "generator_unordered"
        # joblib would map large arrays from files, and a fit reads rows in a file by another way than those in memory.
        options["max_nbytes"] = None
    with joblib.Parallel(backend=backend, **options) as parallel:
        yield Workers(place, parallel, getattr(backend, "client", None))


@dataclass
class _Sent:
    """An array or a source of rows that a cluster's workers hold, as `held`, until all of them are lost."""

    data: Any
    held: Any = None


class Workers:
    """Workers that take batches; a batch is a tuple of arguments."""

    def __init__(self, place: Place, parallel: Any, client: Any) -> None:
        self.place = place
        self._parallel = parallel
        self._client = client
        self._sent: list[_Sent] = []

    def send(self, data: Any) -> Any:
        """Return what stands for data among a batch's arguments: to a cluster they are sent once for all batches."""
        if self._client is None:
            return data
        self._sent.append(_Sent(data))
        return self._sent[-1]

    def _held(self, argument: Any) -> Any:
        """Return what a worker is given for an argument; data that none holds are sent."""
        if not isinstance(argument, _Sent):
            return argument
        if argument.held is None:
            argument.held = send(self._client, argument.data)
        return argument.held

    def run(
        self, function: Callable[..., Any], batches: Callable[[], Iterable[tuple[Any, ...]]]
    ) -> list[Any]:
        """Return the function's results for all batches, in their order; scopes are carried.

        A worker process that is lost takes all the others with it: new ones are started, and `batches` is called
        again for what they are to do.

        Raises:
            WorkbenchError: workers were lost in each of several attempts.
        """
        return list(self._attempts(lambda: iter(self._parallel(self._tasks(carry(function), batches())))))

    def in_order(
        self, function: Callable[..., Any], batches: Callable[[int], Iterable[tuple[Any, ...]]]
    ) -> Iterator[Any]:
        """Give the results in the batches' order; `batches` is called with how many are done. Otherwise as `run`."""
        work, done = carry(function), 0

        def attempt() -> Iterator[Any]:
            nonlocal done
            for sent in self._sent:  # here, and not in the thread in which joblib sends batches
                self._held(sent)
            with _given_up(self._parallel(self._tasks(work, batches(done)))) as results:
                for result in results:
                    done += 1
                    yield result

        yield from self._attempts(attempt)

    def as_done(
        self, function: Callable[..., Any], batches: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Give each batch's number and result as soon as it is there; otherwise as `run`."""
        work, left = carry(_numbered), dict(enumerate(batches))

        def attempt() -> Iterator[tuple[int, Any]]:
            numbered = [(function, number, *batch) for number, batch in left.items()]
            with _given_up(self._parallel(list(self._tasks(work, numbered)))) as results:
                for number, result in results:
                    del left[number]
                    yield number, result

        yield from self._attempts(attempt)

    def _tasks(self, work: Callable[..., Any], batches: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return (joblib.delayed(work)(*map(self._held, batch)) for batch in batches)

    def _attempts(self, attempt: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Give what an attempt gives; where it loses workers, what the next one gives."""
        failures = 0
        while True:
            try:
                yield from attempt()
                return
            except Exception as error:
                failures += 1
                for sent in self._sent:
                    sent.held = None  # maybe lost with its workers
                if not may_try_again(error) or failures == ATTEMPTS:
                    raise WorkbenchError(
                        f"worker processes were lost again and again (backend {self.place.backend!r}): killed, or "
                        "out of memory; take fewer workers, fewer rows, or n_jobs=1"
                    ) from error


@contextmanager
def _given_up(results: Generator[Any, None, None]) -> Iterator[Generator[Any, None, None]]:
    """Close joblib's results at the end, without its warning that what is under way is lost: that is meant."""
    try:
        yield results
    finally:
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
