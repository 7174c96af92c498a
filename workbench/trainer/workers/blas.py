"""Limits for the threads of BLAS: one for the small products of forward and backward passes.

One thread has two reasons. A column of the Jacobian must have the same bits in every process and thread. And NumPy and
SciPy each bring a BLAS with threads of its own, which spin for a while after a product and take
the cores from JᵀJ and the Cholesky factor, which are SciPy's and do gain from more threads.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import scipy.linalg  # noqa: F401 — loads SciPy's own BLAS before the libraries are looked for
from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> list[Any]:
    # Finding the libraries takes milliseconds, setting their threads 10 µs: find them once.
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


@dataclass(frozen=True, eq=False)
class _User:
    """A caller that set a limit; each is different from all others."""

    thread: int


class _ThreadLimits:
    """Limits are the process's: the strictest of overlapping users counts, and the last to leave removes all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[object, int] = {}
        self._original: list[int] = []

    def enter(self, user: object, limit: int) -> None:
        with self._lock:
            if not self._asked:
                self._original = [library.get_num_threads() for library in _libraries()]
            self._change(self._asked | {user: limit})

    def leave(self, users: Collection[object]) -> None:
        with self._lock:
            self._change({user: limit for user, limit in self._asked.items() if user not in users})

    def users_of(self, thread: int) -> set[object]:
        with self._lock:
            return {user for user in self._asked if isinstance(user, _User) and user.thread == thread}

    def _change(self, asked: dict[object, int]) -> None:
        before, after = min(self._asked.values(), default=None), min(asked.values(), default=None)
        self._asked = asked
        if before == after:
            return
        for library, original in zip(_libraries(), self._original, strict=True):
            _set_threads(library, original if after is None else min(original, after))


def _set_threads(library: Any, threads: int) -> None:
    """Set the threads of a library from any thread.

    threadpoolctl from 3.8 on lets the first thread that set them do so alone, and others silently do nothing,
    until that one is cleared. Here a lock does what that is for.
    """
    clear = getattr(library, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)
    library.set_num_threads(threads)
    if clear is not None:
        clear()


_LIMITS = _ThreadLimits()


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Limit BLAS to that many threads in this process while the context is open."""
    user = _User(threading.get_ident())
    try:
        _LIMITS.enter(user, limit)
        yield
    finally:
        _LIMITS.leave({user})


@contextmanager
def restored() -> Iterator[None]:
    """Remove the limits that this thread set in the context and did not remove, because of Ctrl-C."""
    thread = threading.get_ident()
    before = _LIMITS.users_of(thread)
    try:
        yield
    finally:
        _LIMITS.leave(_LIMITS.users_of(thread) - before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread in this process while the context is open."""
    with at_most(1):
        yield


def threads() -> int:
    """Return the current threads of BLAS, the maximum of all libraries."""
    return max((int(library.get_num_threads()) for library in _libraries()), default=1)
