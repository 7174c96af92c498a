"""A suite's own tables on the page of its run: sorted by any column, numbers as people write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.results.lines import TableLine
from workbench.bench.results.results import Results
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row
from workbench.text import as_short_number, printable


@dataclass(frozen=True)
class OwnTable:
    """A table of the suite's."""

    title: str
    note: str
    table: PageTable


def own_tables(results: Results) -> list[OwnTable]:
    """Return the tables that a suite made."""
    return [_own_table(line) for line in results.tables]


def _own_table(line: TableLine) -> OwnTable:
    columns, rows = line.columns, line.rows
    of_column = [_cells([row[i] for row in rows]) for i in range(1, len(columns))]
    title = printable(line.title)
    heads = [
        Column(printable(label), printable(label), is_text=_is_text([row[i + 1] for row in rows]))
        for i, label in enumerate(columns[1:])
    ]
    table = PageTable(
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
    return printable(value) if isinstance(value, str) else as_short_number(value)


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
        else Cell(as_short_number(value), float(value))
        for value in values
    ]
