"""Tables of numbers from CSV files, read strictly: what is wrong is named with its row and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError, unknown_name

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Input and target columns of a CSV file: x (rows, inputs), y (rows, targets), and the columns' names."""

    x: Array
    y: Array
    inputs: tuple[str, ...]
    targets: tuple[str, ...]


def read_csv(path: str | PathLike[str], inputs: Sequence[str], targets: Sequence[str]) -> Table:
    """Return the named columns of a comma-separated UTF-8 file with a header line.

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
    numbered = _lines(path)
    header = _header(path, numbered)
    for name in wanted:
        if name not in header:
            raise InvalidInputError(f"{path}: {unknown_name('column', name, header)}")
    places = [header.index(name) for name in wanted]
    rows = [_numbers(path, line, cells, places, header) for line, cells in numbered[1:]]
    if not rows:
        raise InvalidInputError(f"{path} has a header and no rows: give at least one row of numbers")
    values = np.array(rows)
    return Table(values[:, : len(inputs)], values[:, len(inputs) :], tuple(inputs), tuple(targets))


def _lines(path: str | PathLike[str]) -> list[tuple[int, list[str]]]:
    """Return each line that is not blank, with its number in the file."""
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except FileNotFoundError:
        raise InvalidInputError(f"no file {path}: check the path") from None
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {path} ({error.strerror}): check that it is a readable file"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path} is not a CSV text in UTF-8 ({error}): convert it") from error


def _header(path: str | PathLike[str], numbered: list[tuple[int, list[str]]]) -> list[str]:
    if not numbered:
        raise InvalidInputError(f"{path} is empty: give a header line and rows of numbers")
    header = numbered[0][1]
    if all(_is_number(cell) for cell in header):
        raise InvalidInputError(
            f"{path} has no header: its first line is {', '.join(header[:4])}; add a line of column names"
        )
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise InvalidInputError(f"{path} has two columns named {repeated[0]!r}: give each its own name")
    return header


def _numbers(
    path: str | PathLike[str], line: int, cells: list[str], places: list[int], header: list[str]
) -> list[float]:
    if len(cells) != len(header):
        raise InvalidInputError(
            f"{path}, row {line} has {len(cells)} values for {len(header)} columns: make them match"
        )
    row = []
    for place in places:
        cell = cells[place]
        if not cell:
            raise InvalidInputError(
                f"{path}, row {line}, column {header[place]!r} is empty: fill it in, or remove the row"
            )
        if not _is_number(cell) or not math.isfinite(float(cell)):
            raise InvalidInputError(
                f"{path}, row {line}, column {header[place]!r} holds {cell!r}: give a finite number, or "
                "remove the row"
            )
        row.append(float(cell))
    return row


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
