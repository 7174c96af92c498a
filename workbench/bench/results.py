"""Results: JSON Lines, one line for each arm, appended and synced as it ends (docs/results.md).

The first line says what is run and where; a line gives the plan; whatever is printed or drawn is derived from the
file. A block that was cut is marked as abandoned and run again whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bench.beside import is_table
from workbench.bench.suite import AGAIN, folder_names
from workbench.errors import InvalidInputError

SCHEMA = 2
FILE = "results.jsonl"
FITS, RECORDINGS, SAMPLES = "fits", "recordings", "samples"


@dataclass(frozen=True)
class Results:
    """A run, as read back: its head, its plan, and its arms in the order in which they ran."""

    folder: Path
    head: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    """The plan that counts, which is the last; None before there was one."""
    arms: tuple[Mapping[str, Any], ...]
    """Of abandoned blocks nothing."""
    abandoned: Mapping[int, int]
    """How often each block was abandoned, where it was."""
    tables: tuple[Mapping[str, Any], ...]
    """The suite's own, as `beside.Table` has them."""
    torn: int
    """Lines that a kill cut short, or that are no results, and were left out."""

    @property
    def variants(self) -> list[str]:
        """The variants that were measured, the baseline among them."""
        return [name for name in self.head["arms"] if name != AGAIN]

    @property
    def baseline(self) -> str:
        """The variant that the others are compared with."""
        return str(self.head["baseline"])

    @property
    def quality(self) -> str | None:
        """The figure that stands for quality: the suite's, else the first that an arm gave."""
        if self.head.get("quality") is not None:
            return str(self.head["quality"])
        return next((name for arm in self.arms if arm["error"] is None for name in arm["quality"]), None)

    def fit_folder(self, variant: str) -> Path:
        """Return the folder for what a variant's first block kept."""
        return self.folder / FITS / folder_names(self.head["variants"])[variant]

    def recording_folder(self, variant: str) -> Path:
        """Return the folder for a recording of a variant, made once behind what was measured, with samples."""
        return self.folder / RECORDINGS / folder_names(self.head["variants"])[variant]

    def samples_file(self, variant: str) -> Path:
        """Return the file for a variant's samples under their scopes, where the sampler did not record them."""
        return self.folder / SAMPLES / f"{folder_names(self.head['variants'])[variant]}.speedscope.json.gz"

    def complete_blocks(self) -> list[int]:
        """Return the blocks in which every arm ran, whether or not it failed."""
        wanted = set(self.head["arms"])
        ran: dict[int, set[str]] = {}
        for arm in self.arms:
            ran.setdefault(arm["block"], set()).add(arm["arm"])
        return sorted(block for block, names in ran.items() if names >= wanted)

    def values(self, arm: str, blocks: list[int]) -> list[Mapping[str, Any] | None]:
        """Return what an arm gave in each of the blocks; None where it failed."""
        found = {each["block"]: each for each in self.arms if each["arm"] == arm}
        return [
            found[block] if block in found and found[block]["error"] is None else None for block in blocks
        ]


def is_begun(folder: Path) -> bool:
    """Return whether a folder holds results with a whole first line; a kill may have come before that."""
    try:
        with (folder / FILE).open("rb") as file:
            return file.readline().endswith(b"\n")
    except OSError:
        return False


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
    head = lines[0]
    if head.get("schema") != SCHEMA:
        raise InvalidInputError(
            f"{path} has schema {head.get('schema')}; this workbench reads schema {SCHEMA}"
        )
    if not _is_head(head):
        raise InvalidInputError(f"{path} is damaged: its first line does not describe a run; measure again")
    return _assembled(folder, head, lines[1:], torn)


def _assembled(folder: Path, head: dict[str, Any], lines: list[dict[str, Any]], torn: int) -> Results:
    arms: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    plan: dict[str, Any] | None = None
    tables: dict[str, dict[str, Any]] = {}
    abandoned: dict[int, int] = {}
    for line in lines:
        kind = line.get("kind")
        if kind == "arm" and _is_arm(line, head):
            # The same arm of one attempt twice is no result of ours: the first stands.
            arms.setdefault((line["block"], line["attempt"]), {}).setdefault(line["arm"], line)
        elif kind == "abandoned" and _is_count(line.get("block")) and _is_count(line.get("attempt")):
            abandoned[line["block"]] = max(abandoned.get(line["block"], 0), line["attempt"] + 1)
        elif kind == "plan" and _is_plan(line):
            plan = line
        elif kind == "table" and is_table(line):
            tables[line["title"]] = line
        else:
            torn += 1
    kept = [
        arm
        for (block, attempt), of_attempt in arms.items()
        if attempt >= abandoned.get(block, 0)
        for arm in of_attempt.values()
    ]
    return Results(folder, head, plan, tuple(kept), abandoned, tuple(tables.values()), torn)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _is_head(line: Mapping[str, Any]) -> bool:
    variants, environment, arms = line.get("variants"), line.get("environment"), line.get("arms")
    return (
        isinstance(line.get("suite"), str)
        and isinstance(line.get("started"), str)
        and isinstance(variants, dict)
        and isinstance(arms, list)
        and AGAIN in arms
        and str(line.get("baseline")) in arms
        and all(isinstance(arm, str) and (arm == AGAIN or arm in variants) for arm in arms)
        and isinstance(line.get("descriptions"), dict)
        and isinstance(environment, dict)
        and isinstance(environment.get("packages"), dict)
        and isinstance(line.get("targets"), list)
        and all(_is_number(line.get(name)) and line[name] > 0 for name in ("delta", "margin"))
        and all(_is_number(target) for target in line["targets"])
    )


def _is_plan(line: Mapping[str, Any]) -> bool:
    return (
        isinstance(line.get("why"), str)
        and _is_count(line.get("blocks"))
        and all(_is_count(line.get(name)) and line[name] > 0 for name in ("loops", "values"))
    )


def _is_arm(line: Mapping[str, Any], head: Mapping[str, Any]) -> bool:
    if (
        not (_is_count(line.get("block")) and _is_count(line.get("attempt")))
        or line.get("arm") not in head["arms"]
    ):
        return False
    if line.get("error", "") is not None:
        return isinstance(line.get("error"), str)
    quality, curve = line.get("quality"), line.get("curve")
    return (
        _is_number(line.get("value_s"))
        and line["value_s"] > 0
        and isinstance(quality, dict)
        and all(_is_number(value) for value in quality.values())
        and isinstance(curve, list)
        and all(
            isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)) for point in curve
        )
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
