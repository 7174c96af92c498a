"""The rows of a training run: of a problem that ships, a CSV file, or an array file.

An array file (.npy) may be larger than memory: columns of a large one stay in the file, see `LARGE_BYTES`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.trainer import problem, read_csv
from workbench.trainer.arrays import Array

DEFAULT_PROBLEM = "multimodal_1d"
LARGE_BYTES = 2**26
"""Columns of an array file that are larger are mapped instead of read."""


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows to fit: x (rows, inputs) and y (rows, targets)."""

    x: NDArray[Any]
    y: NDArray[Any]
    truth: Array | None
    """The function without noise, where it is known."""

    @property
    def large(self) -> bool:
        """Whether there are too many to draw, and perhaps to keep in memory."""
        return self.x.nbytes + self.y.nbytes >= LARGE_BYTES


@dataclass(frozen=True)
class TrainingSource:
    """The names of the rows; the seed draws a problem's samples."""

    problem: str | None
    data: Path | None
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    seed: int

    @property
    def name(self) -> str:
        """The name of the problem or file."""
        return self.data.name if self.data is not None else self.problem or DEFAULT_PROBLEM

    def note(self) -> str:
        """Return a text from which `from_note` makes the same source in any folder."""
        data = None if self.data is None else str(self.data.absolute())
        columns = {"inputs": self.inputs, "targets": self.targets}
        return json.dumps({"problem": None if data else self.name, "data": data} | columns)

    @classmethod
    def from_note(cls, note: str, seed: int) -> TrainingSource:
        """Return the source that `note` described.

        Raises:
            ValueError: It is another text.
        """
        names = json.loads(note)
        if not isinstance(names, dict) or set(names) != {"problem", "data", "inputs", "targets"}:
            raise ValueError("it names no rows")
        data = None if names["data"] is None else Path(names["data"])
        return cls(names["problem"], data, tuple(names["inputs"]), tuple(names["targets"]), seed)

    def read(self) -> TrainingRows:
        """Return the rows.

        Raises:
            InvalidInputError: The names contradict themselves, or there is no such problem, file or column.
        """
        if self.data is None:
            if self.inputs or self.targets:
                raise InvalidInputError(
                    "inputs and targets name columns of a table, and there is no data: name its file"
                )
            chosen = problem(self.name, self.seed)
            return TrainingRows(chosen.x, chosen.y, chosen.truth(chosen.x))
        if self.problem is not None:
            raise InvalidInputError(f"problem {self.problem} and data {self.data}: choose one of the two")
        if not self.inputs or not self.targets:
            raise InvalidInputError(f"data {self.data}: name the columns of its inputs and targets")
        if self.data.suffix.lower() == ".npz":
            raise InvalidInputError(f"data {self.data}: give FILE.csv, or an array saved as FILE.npy")
        if self.data.suffix.lower() == ".npy":
            return _array_columns(self.data, self.inputs, self.targets)
        table = read_csv(self.data, inputs=self.inputs, targets=self.targets)
        return TrainingRows(table.x, table.y, None)


def _array_columns(path: Path, inputs: tuple[str, ...], targets: tuple[str, ...]) -> TrainingRows:
    table = _open_array(path)
    chosen = _numbers(path, (*inputs, *targets), table.shape[1])
    parts = chosen[: len(inputs)], chosen[len(inputs) :]
    x, y = (_even(part) for part in parts)
    if x is not None and y is not None:
        rows = TrainingRows(table[:, x], table[:, y], None)
        if rows.large:
            return rows
    return TrainingRows(np.array(table[:, parts[0]]), np.array(table[:, parts[1]]), None)


def _open_array(path: Path) -> NDArray[Any]:
    try:
        table: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InvalidInputError(f"no file {path}: check the path") from None
    except OSError as error:
        raise InvalidInputError(
            f"cannot read {path} ({error.strerror or error}): check that it is a readable file"
        ) from error
    except (EOFError, OverflowError, SyntaxError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInputError(
            f"{path} is not a whole array file ({reason}): write it with numpy.save"
        ) from error
    if table.ndim != 2 or table.dtype.kind not in "fiu":
        raise InvalidInputError(
            f"{path} holds {table.dtype}, shape {table.shape}: give numbers in rows and columns"
        )
    return table


def _numbers(path: Path, names: tuple[str, ...], columns: int) -> list[int]:
    for name in names:
        if not (name.isascii() and name.isdecimal() and int(name) < columns):
            raise InvalidInputError(
                f"{path} has no column {name!r}: its {columns} columns are numbered from 0 to {columns - 1}"
            )
        if names.count(name) > 1:
            raise InvalidInputError(f"column {name!r} is asked for twice: name each input and target once")
    return [int(name) for name in names]


def _even(numbers: list[int]) -> slice | None:
    """Return the slice that takes these columns, in their order, or None where none does."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if step < 1 or numbers != list(range(numbers[0], numbers[0] + step * len(numbers), step)):
        return None
    return slice(numbers[0], numbers[-1] + 1, step)
