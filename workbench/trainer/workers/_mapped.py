"""Arrays that are views of a file: where in the file they lie, so that another process can open the same.

A file that was cut short since it was mapped kills a process that reads beyond its end (SIGBUS): so its length is
looked at before every read.
"""

from __future__ import annotations

import mmap
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from workbench.errors import InvalidInputError


@dataclass(frozen=True)
class MappedFile:
    """An array in a file: bytes `offset` to `stop`, in which it begins after `begin` bytes."""

    path: str
    offset: int
    stop: int
    begin: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def check(self) -> None:
        """Raise InvalidInputError unless the file is there and as long as it has to be."""
        try:
            length = Path(self.path).stat().st_size
        except OSError as error:
            raise self._unreadable(error) from None
        if length < self.stop:
            raise InvalidInputError(
                f"{self.path} has {length} bytes and its rows end at byte {self.stop}: it was cut short; "
                "restore it, and fit again"
            )

    def open(self) -> NDArray[Any]:
        """Return the array, mapped to be read only."""
        self.check()
        try:
            raw = np.memmap(self.path, np.uint8, "r", offset=self.offset, shape=(self.stop - self.offset,))
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        return np.ndarray(self.shape, self.dtype, buffer=raw, offset=self.begin, strides=self.strides)

    def _unreadable(self, error: Exception) -> InvalidInputError:
        reason = getattr(error, "strerror", None) or error
        return InvalidInputError(
            f"{self.path} cannot be read on {socket.gethostname()} ({reason}): put it where every worker finds "
            "it under this path"
        )


def file_of(array: NDArray[Any]) -> MappedFile | None:
    """Return the place in its file of an array that is a `numpy.memmap` or a view of one, else None."""
    root: Any = array
    while isinstance(root, np.ndarray) and not (
        isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap)
    ):
        root = root.base
    # In copy-on-write mode memory may hold what the file does not.
    if not isinstance(root, np.memmap) or root.filename is None or root.mode == "c" or array.size == 0:
        return None
    low, high = byte_bounds(array)
    offset = int(root.offset) + low - root.ctypes.data
    return MappedFile(
        str(root.filename),
        offset,
        offset + high - low,
        array.ctypes.data - low,
        array.dtype,
        array.shape,
        array.strides,
    )
