"""joblib's back end for a dask cluster, and what becomes of work whose worker is lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from joblib.externals.loky.process_executor import TerminatedWorkerError

from workbench.errors import InvalidInputError


@cache
def _backend_class() -> Any:
    """Return joblib's class, made to serve clusters of one core as well; dask need not be installed."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]  # joblib publishes no types
        def effective_n_jobs(self, n_jobs: int) -> int:
            # With one job joblib works in this process, where what was sent to workers is not: so it would in a
            # cluster that is just losing or winning workers.
            return max(int(super().effective_n_jobs(n_jobs)), 2)

        def cores(self) -> int:
            """Return the cluster's cores; TimeoutError if there are none after some seconds."""
            return int(super().effective_n_jobs(-1))

    return Cluster


def cluster_backend(active: Any, scatter: Sequence[Any] = ()) -> Any:
    """Return a back end for the Client of joblib's active one, or else for that which is connected.

    Args:
        active: joblib's active back end, of any kind.
        scatter: what workers are sent once, and find among a call's arguments.

    Raises:
        InvalidInputError: no Client is connected.
    """
    try:
        return _backend_class()(client=getattr(active, "client", None), scatter=list(scatter))
    except ValueError:
        raise InvalidInputError(
            "backend='dask' finds no connected client: make one first, such as dask.distributed.Client(address)"
        ) from None


def may_try_again(error: Exception) -> bool:
    """Say whether work that failed because a worker process was lost may be given to workers once more.

    Raises:
        Exception: the error itself, where no worker was lost.
    """
    name = type(error).__name__  # of dask, which need not be there
    # Cancelled is work for which something was sent that was lost with every worker that held it.
    if isinstance(error, TerminatedWorkerError) or name == "FutureCancelledError":
        return True
    if name == "KilledWorker":  # dask's own attempts are used up
        return False
    raise error
