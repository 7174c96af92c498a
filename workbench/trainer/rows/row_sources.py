"""Sources of rows that need not be in memory: arrays and memory-mapped files, or an iterator for each pass.

A source gives its rows in the data's units, in chunks, as often as it is asked, and always the same.
`Sequential.fit_rows` takes any object with the attributes of `RowSource`.

Of arrays that are views of a file a source knows where in the file they are, so that another process can open the
same. A file that was cut short since it was mapped kills a process that reads beyond its end (SIGBUS): so its length
is looked at before every read.
"""

from __future__ import annotations

import mmap
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import checks
from workbench.trainer.arrays import Array

Chunk = tuple[int, Array, Array]
"""The first row's number, x of shape (n, inputs) and y of shape (n, outputs)."""


class RowSource(Protocol):
    """Rows of inputs and targets."""

    inputs: int
    outputs: int
    divisible: bool
    """Whether `chunks` may begin at any row at no cost, and in another process: then workers read for themselves."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        """Yield rows `start` to `stop` in their order, `size` at a time, the last ones fewer."""
        ...


class ArrayRows:
    """Rows of two arrays, shapes (rows, columns) or (rows,); of memory-mapped ones only the chunk is read.

    It is pickled without the rows of a file: a worker opens the file at the same path.

    Raises:
        InvalidInputError: the arrays are not numbers, are empty, or have different numbers of rows.
    """

    divisible = True

    def __init__(self, x: ArrayLike, y: ArrayLike) -> None:
        tables = checks.numbers_of("x", x), checks.numbers_of("y", y)
        checks.same_rows(*tables)
        self._files = tuple(file_of(table) for table in tables)
        self._arrays: tuple[NDArray[Any] | None, ...] = tables
        self._rows = len(tables[0])
        self.inputs, self.outputs = (table.shape[1] for table in tables)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._rows

    @property
    def in_memory(self) -> bool:
        """Whether a pickle of this contains rows."""
        return None in self._files

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        """Yield rows `start` to `stop`, `size` at a time.

        Raises:
            InvalidInputError: a file cannot be read here, or was cut short.
        """
        x, y = self._open()
        for first in range(start, stop, size):
            last = min(first + size, stop)
            for file in self._files:
                if file is not None:
                    file.check()
            yield first, np.array(x[first:last], np.float64), np.array(y[first:last], np.float64)

    def _open(self) -> list[NDArray[Any]]:
        opened = []
        for array, file in zip(self._arrays, self._files, strict=True):
            if array is None:
                assert file is not None
                array = file.open()  # noqa: PLW2901  the loop's own variable, made whole
            opened.append(array)
        self._arrays = tuple(opened)
        return opened

    def __getstate__(self) -> dict[str, Any]:
        kept = (None if file else array for array, file in zip(self._arrays, self._files, strict=True))
        return self.__dict__ | {"_arrays": tuple(kept)}


class JoinedRows:
    """Rows of two arrays each, one after the other."""

    divisible = True

    def __init__(self, first: ArrayRows, second: ArrayRows) -> None:
        self._first, self._second = first, second
        self.inputs, self.outputs = first.inputs, first.outputs
        self.in_memory = first.in_memory or second.in_memory

    @property
    def rows(self) -> int:
        """The number of rows in both."""
        return self._first.rows + self._second.rows

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        """Yield rows `start` to `stop`, at most `size` at a time.

        Raises:
            InvalidInputError: a file cannot be read here, or was cut short.
        """
        between = self._first.rows
        yield from self._first.chunks(size, start, min(stop, between))
        for number, x, y in self._second.chunks(size, max(start - between, 0), stop - between):
            yield between + number, x, y


class IteratorRows:
    """Rows of an iterator that `make_iterator` makes anew for each pass: pairs (x, y) of any number of rows each.

    x has shape (n, inputs) or (n,), y (n, outputs) or (n,). Without `rows` they are counted by a pass of their
    own. The iterator is read in this process; workers are sent what they are to work on.

    Raises:
        InvalidInputError: `make_iterator` cannot be called, or gives no rows or no such pairs.
    """

    divisible = False

    def __init__(self, make_iterator: Callable[[], Iterable[Any]], rows: int | None = None) -> None:
        if not callable(make_iterator):
            raise InvalidInputError(
                f"make_iterator is {type(make_iterator).__name__}: give a function that returns a new iterator"
            )
        self._make = make_iterator
        self._rows = None if rows is None else checks.whole("rows", rows)
        self.inputs = self.outputs = 0
        for x, y in self._pairs():
            self.inputs, self.outputs = x.shape[1], y.shape[1]
            break
        else:
            raise InvalidInputError("the iterator gives no rows: give at least one pair (x, y)")

    @property
    def rows(self) -> int:
        """The number of rows; the first access may cost a pass."""
        if self._rows is None:
            self._rows = sum(len(x) for x, _ in self._pairs())
        return self._rows

    def chunks(self, size: int, start: int, stop: int) -> Iterator[Chunk]:
        """Yield rows `start` to `stop`, `size` at a time; those before are read and dropped.

        Raises:
            InvalidInputError: there are other rows than the first time: of another shape, more, or fewer.
        """
        x, y = np.empty((size, self.inputs)), np.empty((size, self.outputs))
        first, have, number = start, 0, 0
        for part_x, part_y in self._pairs():
            taken = max(0, start - number)
            while taken < len(part_x) and first + have < stop:
                n = min(min(size, stop - first) - have, len(part_x) - taken)
                x[have : have + n], y[have : have + n] = part_x[taken : taken + n], part_y[taken : taken + n]
                have, taken = have + n, taken + n
                if have == min(size, stop - first):
                    yield first, x[:have].copy(), y[:have].copy()
                    first, have = first + have, 0
            number += len(part_x)
            if number > self.rows or number >= stop < self.rows:
                break
        if number != self.rows and (number > self.rows or number < stop):
            more = "more than " if number > self.rows else ""
            given = self.rows if more else number
            raise InvalidInputError(
                f"the iterator gave {more}{given} rows where {self.rows} were expected: make_iterator must give "
                "the same rows every time"
            )

    def _pairs(self) -> Iterator[tuple[Array, Array]]:
        number = 0
        for item in self._make():
            if not isinstance(item, tuple | list) or len(item) != 2:
                raise InvalidInputError(
                    f"the iterator gave {type(item).__name__} after {number} rows: give pairs (x, y)"
                )
            x, y = (
                checks.numbers_of(f"{name} after {number} rows", part)
                for name, part in zip("xy", item, strict=True)
            )
            if len(x) != len(y):
                raise InvalidInputError(
                    f"after {number} rows the iterator gave x of {len(x)} rows and y of {len(y)}: give one "
                    "target row per input row"
                )
            if self.inputs and (x.shape[1], y.shape[1]) != (self.inputs, self.outputs):
                raise InvalidInputError(
                    f"after {number} rows the iterator gave {x.shape[1]} and {y.shape[1]} columns, and "
                    f"{self.inputs} and {self.outputs} before: give the same columns every time"
                )
            yield x, y
            number += len(x)


def mapped(values: Any) -> bool:
    """Whether values are a memory-mapped array, or a view of one."""
    return isinstance(values, np.ndarray) and file_of(values) is not None


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
