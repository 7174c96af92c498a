"""Checks of values that users give; each raises InvalidInputError with the value and the remedy."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError

Array = NDArray[np.float64]

LARGEST = 1e150  # the square is still a float64


def whole(name: str, value: Any, *, at_least: int = 1) -> int:
    """Return value as an int of at least `at_least`; bool and float are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < at_least:
        raise InvalidInputError(f"{name} is {value!r}: give a whole number of at least {at_least}")
    return int(value)


def real(name: str, value: Any, *, above: float = -math.inf, at_least: float = -math.inf) -> float:
    """Return value as a finite float above `above` and not under `at_least`."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= above or value < at_least:
        bound = f" above {above:g}" if above > -math.inf else ""
        bound += f" of at least {at_least:g}" if at_least > -math.inf else ""
        raise InvalidInputError(f"{name} is {value!r}: give a finite number{bound}")
    return float(value)


def fraction(name: str, value: Any) -> float:
    """Return value as a float in [0, 1)."""
    number = real(name, value, at_least=0.0)
    if number >= 1.0:
        raise InvalidInputError(f"{name} is {value!r}: give a fraction of the rows, from 0 to under 1")
    return number


def rows_and_columns(name: str, array: NDArray[Any]) -> NDArray[Any]:
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


def table(name: str, values: Any) -> Array:
    """Return values as a finite float64 table (rows, columns); one dimension is taken as one column."""
    try:
        given = np.asarray(values)
        if given.dtype.kind == "c":
            raise InvalidInputError(f"{name} is complex: give real numbers")
        array = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{name} does not consist of numbers ({error}): give a numeric array"
        ) from None
    array = rows_and_columns(name, array)
    bad = ~(np.abs(array) <= LARGEST)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InvalidInputError(
            f"{name} holds {array[row, column]} at row {row}, column {column} (counted from 0; "
            f"{int(bad.sum())} such in all): remove these rows, or give numbers up to {LARGEST:g}"
        )
    return array


def same_rows(x: Array, y: Array) -> None:
    """Raise unless both tables have the same number of rows."""
    if len(x) != len(y):
        raise InvalidInputError(f"x has {len(x)} rows and y has {len(y)}: give one target row per input row")
