"""BLAS on one thread, for the small products of forward and backward passes.

Two reasons. A column of the Jacobian must have the same bits in every process and thread. And NumPy and SciPy
each bring a BLAS with threads of its own, which go on spinning for a while after a product: they would take
the cores from JᵀJ and the Cholesky factor, which are SciPy's and do gain from more threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import scipy.linalg  # noqa: F401 — loads SciPy's own BLAS before the libraries are looked for
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Finding the libraries takes milliseconds, setting their threads 10 µs: find them once.
    return ThreadpoolController().select(user_api="blas")


class _Limit:
    """The limit belongs to the process, so overlapping users share one: the last to leave lifts it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limiter = _controller().limit(limits=1)
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process while the context is open."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()
