"""Numbers that others wrote, on their way into columns: finite, in range, and never a guess."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.formats._json import shown

MAX_NS = 1 << 62
"""146 years: all times are below it, so that sums of two stay in range."""
EXACT = 1 << 32
"""Below it a float's whole part times any unit is in range, and its fraction is as exact as it was written."""
Id = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""The number of a process or thread in our own member of a file."""
Instant = Annotated[int, msgspec.Meta(ge=-(1 << 61), le=1 << 62)]
"""Nanoseconds in our own member of a file."""
_DECIMAL = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)


def unquoted(value: Any) -> Any:
    """Return the number that a text is, exactly, and anything else as it is."""
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def nanoseconds(value: Any, factor: int) -> int:
    """Return a time in units of `factor` nanoseconds as nanoseconds, rounded.

    Raises:
        ValueError: It is no number, not finite, negative or out of range.
    """
    if type(value) is int:
        found = value * factor
    elif type(value) is float and math.isfinite(value):
        found = _scaled(value, factor)
    elif type(value) is Decimal:
        found = int((value * factor).to_integral_value(ROUND_HALF_EVEN))
    else:
        raise ValueError(f"{shown(value)} is no time")
    if not 0 <= found <= MAX_NS:
        raise ValueError(f"the time {shown(value)} is {'negative' if found < 0 else 'too large'}")
    return found


def _scaled(value: float, factor: int) -> int:
    """Return a float times a whole number, rounded once: the product of floats would lose nanoseconds."""
    whole = math.floor(value)
    return whole * factor + round((value - whole) * factor)


def nanosecond_column(values: list[Any] | NDArray[np.int64], factor: int) -> NDArray[np.int64]:
    """Return times as a column.

    Raises:
        ValueError: One is not a number, not finite, negative or out of range.
    """
    if isinstance(values, np.ndarray):
        if int(values.max(initial=0)) <= MAX_NS // factor:
            return values * factor
        values = values.tolist()
    types = set(map(type, values))
    if float in types and types <= {int, float}:
        try:
            numbers = np.array(values, dtype=np.float64)
        except OverflowError:
            numbers = np.array([np.nan])  # one by one, to find it
        if numbers.min() >= 0 and numbers.max() < EXACT:
            floor = np.floor(numbers)
            fraction: NDArray[np.int64] = np.rint((numbers - floor) * factor).astype(np.int64)
            return floor.astype(np.int64) * factor + fraction
    if types <= {int}:
        try:
            column = np.array(values, dtype=np.int64)
        except OverflowError:
            column = np.array([-1])  # one by one, to find it
        if not len(column) or (column.min() >= 0 and column.max() <= MAX_NS // factor):
            return column * factor
    found = np.empty(len(values), dtype=np.int64)
    for i, value in enumerate(values):
        try:
            found[i] = nanoseconds(value, factor)
        except ValueError as error:
            raise ValueError(f"number {i}: {error}") from None
    return found


def whole_number(value: Any, *, most: int = 1 << 64) -> int:
    """Return a whole number between minus and plus `most`.

    Raises:
        ValueError: It is not one, or out of range.
    """
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not -most <= value <= most:
        raise ValueError(f"{shown(value)} is no whole number in range")
    return value
