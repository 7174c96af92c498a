"""What a suite adds to the page: tables of its own, and where variants share work among workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # a side of a comparison may have no NumPy
    from numpy.typing import ArrayLike

MAX_ROWS = 1000
"""Rows of a table that a page can show."""


@dataclass(frozen=True)
class Table:
    """A table for the page of an experiment, made once on the machine that is measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]
    """A cell for each column; numbers are finite."""
    note: str = ""
    """How to read it, in a line."""


class Residuals(NamedTuple):
    """How far off a variant's result is along one input."""

    x: ArrayLike
    """(n,) in rising order."""
    residual: ArrayLike
    """(n,) the result less what it should be."""


@dataclass(frozen=True)
class Scaling:
    """Where variants share work among threads or processes: the page derives parallel scaling from this."""

    option: str
    """The option of a variant that gives its number of workers."""
    whole: str
    """The scope around all of the parallel work, on the thread that waits for it."""
    work: str
    """The scope around each worker's part of it."""
