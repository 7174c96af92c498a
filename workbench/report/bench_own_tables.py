"""A suite's own tables on the page of its run: sorted by any column, numbers as people write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.results import Results
from workbench.bench.results_lines import TableLine
from workbench.pictures._text import printable
from workbench.report.bench_cells import NOTHING, Cell, Column, Row, Table
from workbench.report.pages import scientific

WHOLE = 1e6
"""Whole numbers are written in full below it."""


@dataclass(frozen=True)
class OwnTable:
    """A table of the suite's."""

    title: str
    note: str
    table: Table


def own_tables(results: Results) -> list[OwnTable]:
    """Return the tables that a suite made."""
    return [_own_table(line) for line in results.tables]


def number_text(value: float) -> str:
    """Return a number with three significant digits; a whole one in full, a large or small one as a power of ten."""
    if isinstance(value, int) and abs(value) < WHOLE:
        text = f"{value:,}"
    elif value == 0:
        text = "0"
    elif 1e-3 <= abs(value) < 999.5:
        text = f"{value:.3g}"
    elif 999.5 <= abs(value) < WHOLE:
        text = f"{float(f'{value:.3g}'):,.0f}"
    else:
        text = scientific(value, 2)
    return text.replace("-", "−")


def _own_table(line: TableLine) -> OwnTable:
    columns, rows = line.columns, line.rows
    of_column = [_cells([row[i] for row in rows]) for i in range(1, len(columns))]
    title = printable(line.title)
    heads = [
        Column(printable(label), printable(label), is_text=_is_text([row[i + 1] for row in rows]))
        for i, label in enumerate(columns[1:])
    ]
    table = Table(
        title,
        printable(columns[0]),
        heads,
        [
            Row(_name(row[0]), [cells[k] for cells in of_column], value=_number(row[0]))
            for k, row in enumerate(rows)
        ],
    )
    return OwnTable(title, printable(line.note), table)


def _name(value: str | float | None) -> str:
    if value is None:
        return "–"
    return printable(value) if isinstance(value, str) else number_text(value)


def _number(value: str | float | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _is_text(values: Sequence[object]) -> bool:
    return any(isinstance(value, str) for value in values)


def _cells(values: Sequence[str | float | None]) -> list[Cell]:
    """Return a column's cells: numbers sort by themselves, texts by their alphabet and behind all numbers."""
    texts = sorted(
        {value for value in values if isinstance(value, str)}, key=lambda text: (text.lower(), text)
    )
    numbers = [value for value in values if isinstance(value, int | float)]
    first = math.ceil(min(max(numbers, default=0.0), 1e15)) + 1
    place = {text: float(first + i) for i, text in enumerate(texts)}
    return [
        NOTHING
        if value is None
        else Cell(printable(value), place[value])
        if isinstance(value, str)
        else Cell(number_text(value), float(value))
        for value in values
    ]
