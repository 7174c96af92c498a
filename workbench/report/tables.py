"""Tables of pages: each cell has a text, and a value that it is sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.bench.stats.intervals import Estimate
from workbench.text import Ends, error_parts, speed_parts


@dataclass(frozen=True)
class Pill:
    """A verdict as a word with a colour and a sign of its own."""

    kind: str
    text: str


@dataclass(frozen=True)
class Cell:
    """A cell: its text, the value that it is sorted by, and a smaller line below."""

    text: str
    value: float | None = None
    """None where there is nothing to sort by: such rows are last."""
    note: str = ""
    pills: Sequence[Pill] = ()
    alarm: bool = False
    chart: Markup | None = None
    unit: str = ""
    """Behind the text, in a place of its own, so that digits are below digits."""

    @property
    def key(self) -> str:
        """What the script sorts by, as JavaScript reads numbers."""
        return (
            ""
            if self.value is None or math.isnan(self.value)
            else f"{self.value!r}".replace("inf", "Infinity")
        )


@dataclass(frozen=True)
class Note:
    """A few words, and their explanation."""

    text: str
    title: str = ""
    kind: str = ""
    """A class of the page's styles."""


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    label: str
    title: str = ""
    group: str = ""
    """A heading over neighbouring columns that share it."""
    is_text: bool = False
    key: str = ""
    """What a script knows it by."""
    rank: int = 0
    """Where a table has no room for all columns, those of the highest ranks are left out; those of rank 0 never."""
    room: int = 0
    """Pixels that a table is to be wide for this column to be shown."""

    @property
    def full_label(self) -> str:
        """Its label behind that of its group, for where no head stands above."""
        return f"{self.group}: {self.label}" if self.group else self.label


@dataclass(frozen=True)
class Row:
    """A row: its name and its cells."""

    name: str
    cells: Sequence[Cell]
    note: str = ""
    is_baseline: bool = False
    value: float | None = None
    """What its name is sorted by, where that is a number."""
    notes: Sequence[Note] = ()
    """Smaller lines below its name."""
    link: str = ""
    """Where its name leads to."""


@dataclass(frozen=True)
class PageTable:
    """A table that can be sorted by each of its columns."""

    label: str
    """Its name for screen readers."""
    first: str
    """Head of the names."""
    columns: Sequence[Column]
    rows: Sequence[Row]
    sorted_by: int | None = None
    """The column by which it is sorted at first, falling, as all its numbers are when they are first chosen."""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Groups of columns with how many each has; empty where no column has one."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.group:
                found[-1] = (column.group, found[-1][1] + 1)
            else:
                found.append((column.group, 1))
        return found if any(name for name, _ in found) else []


NOTHING = Cell("–")


def interval(estimate: Estimate, words: Callable[[float], str]) -> str:
    """Return an interval in brackets; nothing where there is none."""
    return "" if estimate.ends is None else f"[{', '.join(map(words, estimate.ends))}]"


def with_interval(estimate: Estimate, words: Callable[[float], str]) -> str:
    """Return an estimate with its interval behind it."""
    return f"{words(estimate.value)} {interval(estimate, words)}".rstrip()


def estimate_cell(estimate: Estimate | None, words: Callable[[float], str]) -> Cell:
    """Return an estimate with its interval below."""
    if estimate is None:
        return NOTHING
    return Cell(words(estimate.value), estimate.value, interval(estimate, words))


def speed_cell(ratio: Estimate | None, pills: Sequence[Pill] = ()) -> Cell:
    """Return a ratio of times in words, with its interval below."""
    return _words_cell(ratio, speed_parts, pills)


def error_cell(change: Estimate | None) -> Cell:
    """Return a change of an error, in powers of ten, in words with its interval below."""
    return _words_cell(change, error_parts)


def _words_cell(
    estimate: Estimate | None,
    parts: Callable[[float, Ends | None], tuple[str, str]],
    pills: Sequence[Pill] = (),
) -> Cell:
    if estimate is None:
        return NOTHING
    text, ends = parts(estimate.value, estimate.ends)
    return Cell(text, estimate.value, ends, pills)
