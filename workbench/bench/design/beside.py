"""What a suite says beside its variants: tables of its own, and where its work is shared among workers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.errors import InvalidInputError

MAX_ROWS = 1000


@dataclass(frozen=True)
class Table:
    """A table for the page of a run, made once on the machine that is measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]
    """A cell for each column; numbers are finite."""
    note: str = ""
    """How to read it, in a line."""


@dataclass(frozen=True)
class Scaling:
    """Where variants share work among threads or processes: what the page says of parallel scaling rests on this."""

    option: str
    """The option of a variant that gives its number of workers."""
    whole: str
    """The scope around all of the parallel work, on the thread that waits for it."""
    work: str
    """The scope around each worker's part of it."""


def table_line(table: object) -> dict[str, Any]:
    """Return a table as a line of the results.

    Raises:
        InvalidInputError: It is no table, or a row does not fit its columns, or a number is not finite.
    """
    if not isinstance(table, Table):
        raise InvalidInputError(f"tables gave {type(table).__name__}: give workbench.bench.Table objects")
    line: dict[str, Any] = {"kind": "table", **asdict(table)}
    if not is_table(line):
        raise InvalidInputError(
            f"the table {table.title!r} cannot be shown: give each row a text or finite number for each of its "
            f"{len(table.columns)} columns, and at most {MAX_ROWS} rows"
        )
    return line


def is_table(line: Mapping[str, Any]) -> bool:
    """Return whether a line of the results is a table that can be shown."""
    columns, rows = line.get("columns"), line.get("rows")
    return (
        isinstance(line.get("title"), str)
        and isinstance(line.get("note"), str)
        and isinstance(columns, list | tuple)
        and len(columns) > 0
        and all(isinstance(column, str) for column in columns)
        and isinstance(rows, list | tuple)
        and len(rows) <= MAX_ROWS
        and all(isinstance(row, list | tuple) and len(row) == len(columns) for row in rows)
        and all(_is_cell(cell) for row in rows for cell in row)
    )


def _is_cell(value: object) -> bool:
    if value is None or isinstance(value, str):
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
