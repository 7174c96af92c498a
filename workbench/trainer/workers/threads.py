"""What a fit uses of the cores: BLAS threads and workers, together never more than can be used.

The linear algebra of a step takes all usable cores, with two exceptions. With jacobian="columns" it takes one
thread, wherever the columns are computed: the bits of a product depend on the number of its threads, and threads
that spin after it would take the workers' cores. And what runs in a worker takes one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from workbench.system import usable_cores
from workbench.trainer.options import Optimizer
from workbench.trainer.workers import _blas
from workbench.trainer.workers.places import SERIAL, Place, place_of

__all__ = ["limited", "used_by"]

IN_BATCHES = ("columns", "backprop-chunked")
"""The strategies that know workers."""


def blas_threads(strategy: str | None) -> int:
    """Return the BLAS threads of a fit's linear algebra, here and now; None is a first-order optimiser's."""
    return 1 if strategy == "columns" else min(_blas.threads(), usable_cores())


@contextmanager
def limited(strategy: str | None) -> Iterator[None]:
    """Limit BLAS to that: it counted cores when it was loaded, and knows no container's quota."""
    with _blas.nothing_left(), _blas.at_most(blas_threads(strategy)):
        yield


def used_by(optimizer: Optimizer, strategy: str | None) -> Mapping[str, int | str]:
    """Return what `History.threads` says of a fit with these options and Jacobian strategy, here and now."""
    place: Place = SERIAL
    if strategy in IN_BATCHES:
        place = place_of(getattr(optimizer, "n_jobs", 1), getattr(optimizer, "backend", "loky"))
    own = blas_threads(strategy)
    return {
        "blas": own,
        "workers": place.workers,
        "backend": place.backend,
        "blas_in_worker": own if place == SERIAL else 1,
    }
