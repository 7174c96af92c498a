"""Tables of numbers from CSV files, read strictly: an error names its row and column."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np

from workbench.errors import InvalidInputError, unknown_name
from workbench.trainer.arrays import Array

_SEPARATORS = (",", ";", "\t")
_MARKS = {".": "point", ",": "comma"}
_NUMBER = re.compile(r"[+-]?(?=[.,]?\d)\d*(?P<mark>[.,])?\d*(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, eq=False)
class CsvTable:
    """Input and target columns of a CSV file: x (rows, inputs), y (rows, targets), and the columns' names."""

    x: Array
    y: Array
    inputs: tuple[str, ...]
    targets: tuple[str, ...]


def read_csv(path: str | PathLike[str], inputs: Sequence[str], targets: Sequence[str]) -> CsvTable:
    """Return the named columns of a UTF-8 file with a header line.

    Cells are separated by commas, or by semicolons or tabs; then a number may have a decimal comma. What other
    columns hold does not matter.

    Raises:
        InvalidInputError: the file, its header, a column or a value is missing or unusable. Rows in messages
            are line numbers of the file, the header being line 1.
    """
    for what, names in (("inputs", inputs), ("targets", targets)):
        if isinstance(names, str) or not names:
            raise InvalidInputError(f"{what} is {names!r}: give a list of at least one column name")
    wanted = [*inputs, *targets]
    repeated = [name for name in wanted if wanted.count(name) > 1]
    if repeated:
        raise InvalidInputError(f"column {repeated[0]!r} is asked for twice: name each input and target once")
    separator, header = _separator(path, wanted)
    for name in wanted:
        if name not in header:
            raise InvalidInputError(f"{path}: {unknown_name('column', name, filter(None, header))}")
        if header.count(name) > 1:
            raise InvalidInputError(f"{path} has two columns named {name!r}: give each its own name")
    columns = {name: header.index(name) for name in wanted}
    marks = _DecimalMark(path, "." if separator == "," else None)
    with closing(_lines(path, separator)) as lines:
        rows = [_numbers(path, line, cells, columns, header, marks) for line, cells in islice(lines, 1, None)]
    if not rows:
        raise InvalidInputError(f"{path} has a header and no rows: give at least one row of numbers")
    values = np.array(rows)
    return CsvTable(values[:, : len(inputs)], values[:, len(inputs) :], tuple(inputs), tuple(targets))


def _separator(path: str | PathLike[str], wanted: Sequence[str]) -> tuple[str, list[str]]:
    """Return the separator, and the header that it makes: the first by which all names are there."""
    headers = {}
    for separator in _SEPARATORS:
        with closing(_lines(path, separator)) as lines:
            header = headers[separator] = next(lines, (0, []))[1]
        if set(wanted) <= set(header):
            return separator, header
    if not header:
        raise InvalidInputError(f"{path} is empty: give a header line and rows of numbers")
    # No separator fits: the message about the one with the most columns helps most.
    separator, header = max(headers.items(), key=lambda one: len(one[1]))
    if all(_NUMBER.fullmatch(cell) for cell in header):
        raise InvalidInputError(
            f"{path} has no header: its first line is {', '.join(header[:4])}; add a line of column names"
        )
    return separator, header


def _lines(path: str | PathLike[str], separator: str) -> Generator[tuple[int, list[str]], None, None]:
    """Yield each line that is not blank, with its number in the file."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            for cells in reader:
                if any(cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except FileNotFoundError:
        raise InvalidInputError(f"no file {path}: check the path") from None
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {path} ({error.strerror}): check that it is a readable file"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path} is not a CSV text in UTF-8 ({error}): convert it") from error


class _DecimalMark:
    """The decimal mark of a file, which is the same for all of its numbers; None until one has a mark."""

    def __init__(self, path: str | PathLike[str], mark: str | None) -> None:
        self._path = path
        self._mark = mark

    def number(self, cell: str, where: str) -> float:
        """Return a cell's number, or raise InvalidInputError."""
        match = _NUMBER.fullmatch(cell)
        mark = None if match is None else match["mark"]
        if mark is not None and self._mark is None:
            self._mark = mark
        number = (
            math.nan if match is None or mark not in (None, self._mark) else float(cell.replace(",", "."))
        )
        if not math.isfinite(number):
            among = (
                f" among numbers with a decimal {_MARKS[self._mark or '.']}"
                if mark and mark != self._mark
                else ""
            )
            raise InvalidInputError(
                f"{self._path}, {where} holds {cell!r}{among}: give a finite number, or remove the row"
            )
        return number


def _numbers(
    path: str | PathLike[str],
    line: int,
    cells: list[str],
    columns: Mapping[str, int],
    header: list[str],
    marks: _DecimalMark,
) -> list[float]:
    # Separators at the end of a line, of the header or of a row, make cells without a name and without a value.
    named = len(header) - next((i for i, name in enumerate(reversed(header)) if name), 0)
    if len(cells) < named or any(cells[len(header) :]):
        raise InvalidInputError(
            f"{path}, row {line} has {len(cells)} values for {named} columns: make them match"
        )
    row = []
    for name, place in columns.items():
        if not cells[place]:
            raise InvalidInputError(
                f"{path}, row {line}, column {name!r} is empty: fill it in, or remove the row"
            )
        row.append(marks.number(cells[place], f"row {line}, column {name!r}"))
    return row
