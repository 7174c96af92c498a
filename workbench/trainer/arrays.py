"""The arrays of the trainer, and two ways to speed up ufuncs on them that change no bit of the result.

NumPy's ufuncs copy a broadcast operand through a buffer of 8192 elements as long as the inner loop is shorter
than half of it: adding a bias along 1000 rows, or an outer product of such rows, then takes two to three times
as long as with a small buffer. And vectors of 64 bytes that straddle two cache lines cost two accesses each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""The trainer's arrays; shapes are in the docstrings."""

_CACHE_LINE = 64
_SMALLEST_BUFFER = 16


@contextmanager
def unbuffered() -> Iterator[None]:
    """Broadcast without NumPy's buffer in this thread.

    Not for ufuncs that must cast, or that write across the order of their operands: these live in the buffer.
    """
    before = np.setbufsize(_SMALLEST_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


def aligned(*shape: int) -> Array:
    """Return an uninitialised float64 array in C order that begins at a cache line."""
    size = prod(shape)
    spare = _CACHE_LINE // 8
    room = np.empty(size + spare)
    start = -(room.ctypes.data // 8) % spare
    return room[start : start + size].reshape(shape)
