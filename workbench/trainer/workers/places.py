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
from typing import Any

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import BACKENDS as FACTORIES
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

from workbench.errors import InvalidInputError, WorkbenchError, unknown_name
from workbench.scopes import carry

Array = NDArray[np.float64]

BACKENDS = ("loky", "threading", "dask")
ON_THIS_HOST = ("loky", "threading", "multiprocessing")
ATTEMPTS = 3
"""How often a step is computed when it loses a worker each time."""


@dataclass(frozen=True)
class Place:
    """Where batches run: the back end's name, "serial" for here and now, and its number of workers."""

    backend: str
    workers: int


SERIAL = Place("serial", 1)


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity, and the CPU quota of its container.

    joblib counts them, and takes the variable LOKY_MAX_CPU_COUNT as an upper bound.
    """
    return max(int(joblib.cpu_count()), 1)


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
        active, name = (active if name == "dask" else _cluster()), "dask"
    elif n_jobs == 1 or active.nesting_level or name == "sequential":
        return SERIAL
    elif backend != "loky" or name == "loky":
        active, name = FACTORIES[backend](nesting_level=0), backend
    try:
        workers = int(active.effective_n_jobs(n_jobs))
    except TimeoutError:
        raise WorkbenchError(
            f"the {name} cluster has no workers: start some, or leave the backend out"
        ) from None
    if name in ON_THIS_HOST:
        workers = min(workers, usable_cores())
    return Place(name, workers) if workers > 1 or name == "dask" else SERIAL


@contextmanager
def open_workers(place: Place, *, as_done: bool = False) -> Iterator[Workers]:
    """Give the workers of a place that is not serial; they are at hand as long as the context.

    They serve `Workers.run`, or with `as_done` that method instead.
    """
    options: dict[str, Any] = {"n_jobs": place.workers, "batch_size": 1}
    backend: Any
    if place.backend in _PROMPT:
        backend = FACTORIES[place.backend]() if as_done else _PROMPT[place.backend]()
    else:
        active, _ = get_active_backend()
        backend = active if _name(active) == place.backend else _cluster()
    if as_done:
        # Few are sent ahead: loky's own thread may fail when it is told to give up many.
        options |= {"return_as": "generator_unordered", "pre_dispatch": "2 * n_jobs"}
        # joblib would map large arrays from files, and a fit reads rows in a file by another way than those in memory.
        options["max_nbytes"] = None
    else:
        options["pre_dispatch"] = "all"
    with joblib.Parallel(backend=backend, **options) as parallel:
        yield Workers(place, parallel, getattr(backend, "client", None))


class Workers:
    """Workers that take batches; a batch is a tuple of arguments."""

    def __init__(self, place: Place, parallel: Any, client: Any) -> None:
        self.place = place
        self._parallel = parallel
        self._client = client

    def send(self, array: Array) -> Any:
        """Return what stands for an array among a batch's arguments: on a cluster it is sent here, once for all."""
        return array if self._client is None else self._client.scatter(array, broadcast=True, hash=False)

    def run(
        self, function: Callable[..., Any], batches: Callable[[], Iterable[tuple[Any, ...]]]
    ) -> list[Any]:
        """Return the function's results for all batches, in their order; guards are carried.

        A worker process that is lost takes all the others with it: new ones are started, and `batches` is called
        again for what they are to do.

        Raises:
            WorkbenchError: workers were lost in each of several attempts.
        """
        task = joblib.delayed(carry(function))
        for _ in range(ATTEMPTS):
            try:
                return list(self._parallel(task(*batch) for batch in batches()))
            except TerminatedWorkerError:
                continue
            except Exception as error:
                if type(error).__name__ == "KilledWorker":  # dask's own attempts are used up
                    break
                raise
        raise self._lost()

    def as_done(
        self, function: Callable[..., Any], batches: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, Any]]:
        """Give each batch's number and result as soon as it is there; otherwise as `run`."""
        task = joblib.delayed(carry(_numbered))
        left = dict(enumerate(batches))
        for _ in range(ATTEMPTS):
            try:
                tasks = [task(function, number, batch) for number, batch in left.items()]
                with _given_up(self._parallel(tasks)) as results:
                    for number, result in results:
                        del left[number]
                        yield number, result
                return
            except TerminatedWorkerError:
                continue
            except Exception as error:
                if type(error).__name__ == "KilledWorker":
                    break
                raise
        raise self._lost()

    def _lost(self) -> WorkbenchError:
        return WorkbenchError(
            f"worker processes were lost again and again (backend {self.place.backend!r}): killed, or out of "
            "memory; take fewer workers, fewer rows, or n_jobs=1"
        )


@contextmanager
def _given_up(results: Generator[Any, None, None]) -> Iterator[Generator[Any, None, None]]:
    """Close joblib's results at the end, without its warning that what is under way is lost: that is meant."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*have been cancelled", category=UserWarning)
            results.close()


def _numbered(function: Callable[..., Any], number: int, batch: tuple[Any, ...]) -> tuple[int, Any]:
    return number, function(*batch)


class _Prompt:
    """Wakes up with the last result. joblib's own loop sleeps 10 ms between looks, a seventh of a small step."""

    _left: _Left

    def start_call(self) -> None:
        """Begin a call; what is left of one that was aborted is forgotten."""
        self._left = _Left()
        super().start_call()  # type: ignore[misc]  # joblib's class stands behind this one

    def submit(self, func: Callable[..., Any], callback: Callable[[Any], None]) -> Any:
        """Hand a batch to the workers, and count it until joblib has taken its result in."""
        left = self._left
        left.more()

        def taken(result: Any) -> None:
            try:
                callback(result)
            finally:
                left.fewer()

        return super().submit(func, taken)  # type: ignore[misc]

    @contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Wait until every batch has a result; then joblib finds all of them at its first look."""
        self._left.wait()
        with super().retrieval_context():  # type: ignore[misc]
            yield


class _Left:
    """Counts the batches that have no result yet."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def more(self) -> None:
        with self._changed:
            self._count += 1

    def fewer(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)


class _PromptLoky(_Prompt, FACTORIES.get("loky", FACTORIES["threading"])):  # type: ignore[misc]  # joblib publishes no types
    pass


class _PromptThreads(_Prompt, FACTORIES["threading"]):  # type: ignore[misc]
    pass


_PROMPT = {"loky": _PromptLoky, "threading": _PromptThreads}


def _name(backend: Any) -> str:
    """Return the name by which joblib knows a back end."""
    for name, factory in FACTORIES.items():
        if type(backend) is factory:
            return str(name)
    return type(backend).__name__.removesuffix("Backend").removesuffix("Distributed").lower()


def _cluster() -> Any:
    """Return dask's back end for the Client that is connected."""
    from joblib._dask import DaskDistributedBackend

    try:
        return DaskDistributedBackend()
    except ValueError:
        raise InvalidInputError(
            "backend='dask' finds no connected client: make one first, such as dask.distributed.Client(address)"
        ) from None
