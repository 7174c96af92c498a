"""Checks of values that users give; each raises InvalidInputError with the value and the remedy."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.trainer.arrays import Array

LARGEST = 1e150  # the square is still a float64
_SEARCHED = 1 << 20  # rows of a wrong type among which the worst value is looked for
_SHOWN = 40  # characters of a value in a message


def shown(value: Any) -> str:
    """Return a value as it is shown in a message: in one line, and its beginning where it is long."""
    return _short(repr(value))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def whole(name: str, value: Any, *, at_least: int = 1) -> int:
    """Return value as an int of at least `at_least`; bool and float are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < at_least:
        raise InvalidInputError(f"{name} is {shown(value)}: give a whole number of at least {at_least}")
    return int(value)


def jobs(value: Any) -> int:
    """Return value as a number of workers, where -1 is one for each core."""
    if isinstance(value, bool) or not isinstance(value, int) or value == 0:
        raise InvalidInputError(
            f"n_jobs is {shown(value)}: give 1 for serial, 2 or more workers, or -1 for all cores"
        )
    return value


def real(name: str, value: Any, *, above: float = -math.inf, at_least: float = -math.inf) -> float:
    """Return value as a finite float above `above` and not under `at_least`."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= above or value < at_least:
        bound = f" above {above:g}" if above > -math.inf else ""
        bound += f" of at least {at_least:g}" if at_least > -math.inf else ""
        raise InvalidInputError(f"{name} is {shown(value)}: give a finite number{bound}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return value as a float in [0, 1)."""
    number = real(name, value, at_least=0.0)
    if number >= 1.0:
        raise InvalidInputError(f"{name} is {shown(value)}: give a number from 0 to under 1")
    return number


def numbers_of(name: str, values: Any, first: int = 0) -> NDArray[Any]:
    """Return values as a table (rows, columns) of real numbers of any type, none masked, without copying an array.

    One dimension is taken as one column. A `numpy.memmap` stays one. `first` is the first row's number in messages.
    """
    try:
        if isinstance(values, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in values):
            values = np.ma.array(values)  # asanyarray would forget the masks
        if hasattr(values, "__dask_graph__"):  # likewise
            values = values.compute()
        given = np.asanyarray(values)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} does not consist of numbers ({error}): give a numeric array"
        ) from None
    if given.dtype.kind == "c":
        raise InvalidInputError(f"{name} is complex: give real numbers")
    if given.dtype.kind == "V":
        raise InvalidInputError(f"{name} has fields ({given.dtype}): give rows and columns of numbers")
    array = _rows_and_columns(name, given)
    mask: NDArray[np.bool_] = np.asarray(np.ma.getmask(array))
    if mask.any():
        raise InvalidInputError(
            f"{name} is masked at {_place(mask, first)}: remove such rows, or fill them with numbers"
        )
    if isinstance(array, np.ma.MaskedArray):
        array = array.data
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(_no_numbers(name, array, first))
    return array


def _rows_and_columns(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of shape (rows, columns), neither of them 0; one dimension is taken as one column."""
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        shape = "x".join(map(str, array.shape)) or "a single number"
        raise InvalidInputError(f"{name} has shape {shape}: give one dimension, or rows and columns")
    if array.size == 0:
        raise InvalidInputError(
            f"{name} is empty (shape {array.shape}): give at least one row and one column"
        )
    return array


def _place(bad: NDArray[np.bool_], first: int) -> str:
    """Return the first place that is bad, where the first row has number `first`."""
    row, column = np.unravel_index(np.argmax(bad), bad.shape)
    return f"row {first + row}, column {column} (counted from 0)"


def _no_numbers(name: str, array: NDArray[Any], first: int) -> str:
    """Return what to say of a table of another type: its first value that is no number, or else its first."""
    head = array[:_SEARCHED]
    if array.dtype.kind in "mM":
        bad, remedy = np.isnat(head), "give numbers, such as the seconds since the first"
    else:
        values = head.astype(object)
        bad = ~np.reshape([_is_number(value) for value in values.flat], head.shape)
        remedy = "give an array of a numeric type, such as float64"
    value = head.reshape(-1)[np.argmax(bad)]
    text = (
        str(value)
        if array.dtype.kind in "mM"
        else repr(value.item() if isinstance(value, np.generic) else value)
    )
    return f"{name} holds {_short(text)}, of type {array.dtype}, at {_place(bad, first)}: {remedy}"


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, or the text of one."""
    if not isinstance(value, str | bytes):
        return isinstance(value, numbers.Real)
    try:
        float(value)
    except ValueError:
        return False
    return True


def finite(name: str, array: NDArray[Any], first: int = 0) -> None:
    """Raise InvalidInputError where a table of numbers, whose first row has number `first`, is not finite."""
    bad = ~(np.abs(array) <= LARGEST)
    if bad.any():
        value = array.reshape(-1)[np.argmax(bad)]
        raise InvalidInputError(
            f"{name} holds {value} at {_place(bad, first)}: remove such rows, or give numbers up to {LARGEST:g}"
        )


def table(name: str, values: Any) -> Array:
    """Return values as a finite float64 table (rows, columns), a copy; one dimension is taken as one column."""
    array = numbers_of(name, values).astype(np.float64, subok=False)
    finite(name, array)
    return array


def same_rows(x: Array, y: Array, name: str = "") -> None:
    """Raise unless both tables have the same number of rows."""
    if len(x) != len(y):
        raise InvalidInputError(
            f"{name}x has {len(x)} rows and {name}y has {len(y)}: give one target row per input row"
        )
