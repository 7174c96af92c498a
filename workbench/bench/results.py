"""Results: JSON Lines, one line for each arm, appended and synced as it ends.

The first line says what was run and where; whatever is printed or drawn is derived from the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bench.suite import folder_names
from workbench.errors import InvalidInputError, WorkbenchError

SCHEMA = 1
FILE = "results.jsonl"
FITS = "fits"


@dataclass(frozen=True)
class Results:
    """A run, as read back: its head, and its arms in the order in which they ran."""

    folder: Path
    head: Mapping[str, Any]
    arms: tuple[Mapping[str, Any], ...]
    torn: int
    """Lines that a kill cut short, or that are no results, and were left out."""

    @property
    def quality(self) -> str | None:
        """The figure that stands for quality: the suite's, else the first that an arm gave."""
        if self.head.get("quality") is not None:
            return str(self.head["quality"])
        return next((name for arm in self.arms if arm["error"] is None for name in arm["quality"]), None)

    def fit_folder(self, variant: str) -> Path:
        """Return the folder for what a variant's first round kept."""
        return self.folder / FITS / folder_names(self.head["variants"])[variant]

    def complete_blocks(self) -> list[int]:
        """Return the blocks in which every variant ran, whether or not it failed."""
        variants = set(self.head["variants"])
        ran: dict[int, set[str]] = {}
        for arm in self.arms:
            ran.setdefault(arm["block"], set()).add(arm["variant"])
        return sorted(block for block, names in ran.items() if names >= variants)

    def values(self, variant: str, blocks: list[int]) -> list[Mapping[str, Any] | None]:
        """Return a variant's arm in each of the blocks; None where it failed."""
        arms = {arm["block"]: arm for arm in self.arms if arm["variant"] == variant}
        return [arms[block] if block in arms and arms[block]["error"] is None else None for block in blocks]


class ResultsWriter:
    """Appends lines to a run's results, each on the disk before the next arm starts."""

    def __init__(self, folder: Path, head: Mapping[str, Any]) -> None:
        try:
            if folder.exists() and not folder.is_dir():
                raise WorkbenchError(f"cannot write to {folder}: it is a file; name a folder with -o")
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / FILE).open("x", encoding="utf-8")
        except FileExistsError:
            raise WorkbenchError(f"{folder} already holds results: choose another folder with -o") from None
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {folder}: {error.strerror}; choose another folder with -o"
            ) from None
        self._path = folder / FILE
        self._fits = folder / FITS
        self._names = folder_names(head["variants"])
        self.append({"kind": "run", "schema": SCHEMA, **head})

    def fit_folder(self, variant: str) -> Path:
        """Return the folder for what a variant keeps of the first round."""
        return self._fits / self._names[variant]

    def append(self, line: Mapping[str, Any]) -> None:
        """Append one line and sync it."""
        try:
            self._file.write(json.dumps(line, allow_nan=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to {self._file.name}: {error.strerror}; make room, what is written is kept"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove it: nothing was measured, and the folder is free for the next try."""
        self.close()
        self._path.unlink(missing_ok=True)


def read_results(folder: str | Path) -> Results:
    """Read a run's results. Lines that a kill cut short are left out and counted.

    Raises:
        InvalidInputError: The folder holds no results, or they are of another version.
    """
    folder = Path(folder)
    if folder.name == FILE and folder.is_file():
        folder = folder.parent
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InvalidInputError(f"{folder} holds no results: {FILE}: {error.strerror}") from None
    lines: list[dict[str, Any]] = []
    torn = 0
    for line in text.splitlines():
        try:
            value = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            lines.append(value)
        else:
            torn += 1
    if not lines or lines[0].get("kind") != "run":
        raise InvalidInputError(f"{path} is not a file of results: its first line does not describe a run")
    if lines[0].get("schema") != SCHEMA:
        raise InvalidInputError(
            f"{path} has schema {lines[0].get('schema')}; this workbench reads schema {SCHEMA}"
        )
    if not _is_head(lines[0]):
        raise InvalidInputError(f"{path} is damaged: its first line does not describe a run; measure again")
    variants = lines[0]["variants"]
    arms = [line for line in lines[1:] if line.get("kind") == "arm" and _is_arm(line, variants)]
    return Results(folder, lines[0], tuple(arms), torn + len(lines) - 1 - len(arms))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_head(line: Mapping[str, Any]) -> bool:
    variants, environment = line.get("variants"), line.get("environment")
    return (
        isinstance(line.get("suite"), str)
        and isinstance(line.get("started"), str)
        and isinstance(variants, dict)
        and str(line.get("baseline")) in variants
        and isinstance(line.get("descriptions"), dict)
        and isinstance(environment, dict)
        and isinstance(environment.get("packages"), dict)
    )


def _is_arm(line: Mapping[str, Any], variants: Mapping[str, Any]) -> bool:
    if not isinstance(line.get("block"), int) or str(line.get("variant")) not in variants:
        return False
    if line.get("error", "") is not None:
        return isinstance(line.get("error"), str)
    quality = line.get("quality")
    return (
        _is_number(line.get("value_s"))
        and line["value_s"] > 0
        and isinstance(quality, dict)
        and all(_is_number(value) for value in quality.values())
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
