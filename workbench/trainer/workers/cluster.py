"""joblib's back end for a dask cluster, and whether work is repeated after a worker was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from joblib.externals.loky.process_executor import TerminatedWorkerError

from workbench.errors import InvalidInputError, WorkbenchError


@cache
def _backend_class() -> Any:
    """Return joblib's class, made to serve clusters of one core as well; dask need not be installed."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]  # joblib publishes no types
        def effective_n_jobs(self, n_jobs: int) -> int:
            # With one job joblib works in this process, where what was sent to workers is not: so it would in a
            # cluster that is just losing or winning workers.
            return max(self.cores(), 2)

        def cores(self) -> int:
            """Return the cluster's cores; WorkbenchError if there are none after some seconds."""
            with _workers_expected():
                return int(super().effective_n_jobs(-1))

    return Cluster


def cluster_backend(active: Any) -> Any:
    """Return a back end for the Client of joblib's active one, with its options, or for the connected Client.

    Raises:
        InvalidInputError: no Client is connected.
    """
    options = dict(getattr(active, "submit_kwargs", {}))
    if hasattr(active, "wait_for_workers_timeout"):
        options["wait_for_workers_timeout"] = active.wait_for_workers_timeout
    try:
        return _backend_class()(client=getattr(active, "client", None), **options)
    except ValueError:
        raise InvalidInputError(
            "backend='dask' finds no connected client: make one first, such as dask.distributed.Client(address)"
        ) from None


def scatter(client: Any, data: Any) -> Any:
    """Send data to all workers of a client's cluster; return the future to pass as an argument.

    Raises:
        WorkbenchError: there are no workers.
    """
    with _workers_expected():
        return client.scatter(data, broadcast=True, hash=False)


@contextmanager
def _workers_expected() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise WorkbenchError(
            "the dask cluster has no workers: start some, or leave the backend out"
        ) from None


def may_try_again(error: Exception) -> bool:
    """Return whether work that failed because a worker process was lost may be repeated.

    Raises:
        Exception: the error itself, where no worker was lost.
    """
    name = type(error).__name__  # of dask, which need not be there
    # Work is cancelled where its data were lost with every worker that had them.
    if isinstance(error, TerminatedWorkerError) or name == "FutureCancelledError":
        return True
    if name == "KilledWorker":  # dask's own attempts are used up
        return False
    raise error
