"""A pool of threads for one product or one factor, each with one BLAS thread.

OpenBLAS could use its own threads. But it divides `syrk` and `potrf` of some hundred columns less well (on two idle
cores 4.2 ms instead of 3.8, and 2.7 instead of 2.3), and its threads spin while they wait: where another program has
one of the cores, what takes 4 ms takes 30. These threads sleep until there is work.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import numpy as np

from workbench.trainer.arrays import Array
from workbench.trainer.workers import blas, blas_calls

Job = Callable[[], None]

_ROUND = 8
"""Parts are multiples of so many numbers: whole cache lines."""
_MIN_FLOPS = 2e7
"""Operations of a product for a second thread: below, a third of a millisecond, it costs more than it saves."""
_MIN_ORDER = 384
"""Order of a matrix for a second thread."""
_LEAF = 352
"""Order of the blocks on a factor's diagonal that LAPACK factorises on one thread."""
_LEAF_OF_SOLVE = 96


class BlasThreadPool:
    """Threads for the linear algebra of one fit; the caller's is one of them."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool = ThreadPoolExecutor(self.threads - 1, "linear algebra") if threads > 1 else None
        self._process = os.getpid()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None

    def gram(self, J: Array, matrix: Array, *, anew: bool = True) -> None:
        """Write JᵀJ into the lower triangle of `matrix`, or add it where not `anew`.

        J, shape (rows, columns), is the upper part of an array in Fortran order; `matrix`, shape
        (columns, columns), is in Fortran order.
        """
        rows, columns = J.shape
        step = max(J.strides[1] // J.itemsize, rows)
        assert J.strides[0] == J.itemsize or rows == 1
        assert J.dtype == matrix.dtype == np.float64
        assert matrix.flags.f_contiguous
        assert matrix.shape == (columns, columns)
        a, c, beta = J.ctypes.data, matrix.ctypes.data, 0.0 if anew else 1.0

        def part(start: int, stop: int) -> None:
            left = a + 8 * step * start
            blas_calls.syrk(
                True, stop - start, rows, 1.0, left, step, beta, c + 8 * start * (columns + 1), columns
            )
            if stop < columns:
                below = c + 8 * (stop + start * columns)
                others = a + 8 * step * stop
                size = columns - stop, stop - start, rows
                blas_calls.gemm("TN", *size, 1.0, others, step, left, step, beta, below, columns)

        self._in_parts(part, columns, columns * columns * rows)

    def factorise(self, matrix: Array) -> bool:
        """Replace the lower triangle of `matrix` by its Cholesky factor; False where there is none.

        The matrix is the upper left part of an array in Fortran order, or all of it.
        """
        order, step = len(matrix), max(1, matrix.strides[1] // matrix.itemsize)
        assert order <= 1 or matrix.strides[0] == matrix.itemsize
        if self._alone or order < _MIN_ORDER:
            return blas_calls.potrf(order, matrix.ctypes.data, step)
        return self._factor(matrix.ctypes.data, order, step)

    def _factor(self, a: int, order: int, step: int) -> bool:
        """Factorise [A ·; B C]: A = LLᵀ, then B ← BL⁻ᵀ and C ← C − BBᵀ by all threads, then C."""
        if order <= _LEAF:
            return blas_calls.potrf(order, a, step)
        upper = _rounded(order / 2)
        rest = order - upper
        b, c = a + 8 * upper, a + 8 * upper * (step + 1)
        if not self._factor(a, upper, step):
            return False

        def solve(start: int, stop: int) -> None:
            _solve(stop - start, upper, a, b + 8 * start, step)

        def update(start: int, stop: int) -> None:
            top, size = b + 8 * start, stop - start
            blas_calls.syrk(False, size, upper, -1.0, top, step, 1.0, c + 8 * start * (step + 1), step)
            if stop < rest:
                below = c + 8 * (stop + start * step)
                others = b + 8 * stop
                blas_calls.gemm(
                    "NT", rest - stop, size, upper, -1.0, others, step, top, step, 1.0, below, step
                )

        self.share([partial(solve, *part) for part in _even(rest, self.threads)])
        self.share([partial(update, *part) for part in _triangle(rest, self.threads)])
        return self._factor(c, rest, step)

    @property
    def _alone(self) -> bool:
        # A forked child has no other threads.
        return self._pool is None or os.getpid() != self._process

    def _in_parts(self, part: Callable[[int, int], None], columns: int, flops: float) -> None:
        if self._alone or flops < _MIN_FLOPS:
            part(0, columns)
            return
        self.share([partial(part, *columns_of) for columns_of in _triangle(columns, self.threads)])

    def share(self, jobs: Sequence[Job]) -> None:
        """Do the jobs at once, one for each thread at most, the last of them here."""
        if self._pool is None or self._alone:
            for job in jobs:
                job()
            return
        begun: list[Future[None]] = []
        try:
            begun.extend(map(self._pool.submit, jobs[:-1]))
            jobs[-1]()
        finally:
            _end(begun)


def _end(begun: Sequence[Future[None]]) -> None:
    """Wait for all futures, also after an interrupt, as they write to our arrays; raise the first error."""
    failure: BaseException | None = None
    for future in begun:
        while True:
            try:
                error = future.exception()
                break
            except KeyboardInterrupt as interrupt:
                failure = failure or interrupt
        failure = failure or error
    if failure is not None:
        raise failure


def _solve(rows: int, order: int, lower: int, b: int, step: int) -> None:
    """B ← B·L⁻ᵀ, in halves, so that most of it is a product: `trsm` has less than half of gemm's rate."""
    if order <= _LEAF_OF_SOLVE:
        blas_calls.solve_right(rows, order, lower, step, b, step)
        return
    half = _rounded(order / 2)
    rest = order - half
    _solve(rows, half, lower, b, step)
    right = b + 8 * half * step
    blas_calls.gemm("NT", rows, rest, half, -1.0, b, step, lower + 8 * half, step, 1.0, right, step)
    _solve(rows, rest, lower + 8 * half * (step + 1), right, step)


def _rounded(position: float) -> int:
    return round(position / _ROUND) * _ROUND


def _ranges(edges: Sequence[int]) -> list[tuple[int, int]]:
    return [(start, stop) for start, stop in pairwise(edges) if start < stop]


def _even(length: int, parts: int) -> list[tuple[int, int]]:
    return _ranges([*(min(_rounded(length * i / parts), length) for i in range(parts)), length])


def _triangle(order: int, parts: int) -> list[tuple[int, int]]:
    """Return ranges of a lower triangle's columns with the same number of elements each."""
    edges = (order * (1.0 - math.sqrt(1.0 - i / parts)) for i in range(parts))
    return _ranges([*(min(_rounded(edge), order) for edge in edges), order])


NO_POOL = BlasThreadPool(1)
"""The caller's thread alone, with its BLAS threads."""


@contextmanager
def open_thread_pool(threads: int) -> Iterator[BlasThreadPool]:
    """Yield a pool; BLAS has one thread in this process while the context is open."""
    with blas.one_thread():
        pool = BlasThreadPool(threads)
        try:
            yield pool
        finally:
            pool.close()
