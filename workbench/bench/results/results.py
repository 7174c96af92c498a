"""Results: JSON Lines, one line for each run, appended and synced as it ends (docs/results.md).

The first line describes the experiment; another line is the plan. All that is printed or drawn is derived from the
file. A round that was interrupted is marked as abandoned and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from workbench import records
from workbench.bench.design.suite import AA_CONTROL, folder_names
from workbench.bench.results.lines import (
    MIN_SCHEMA,
    SCHEMA,
    Abandoned,
    Head,
    Instructions,
    Line,
    Plan,
    Run,
    Sources,
    TableLine,
    translated,
)
from workbench.errors import InvalidInputError

FILE = "results.jsonl"
FITS, RECORDINGS, SAMPLES = "fits", "recordings", "samples"
RESIDUALS = "residuals.npz"
"""In the folder of what a variant's first round kept: arrays `x` and `residual`."""


@dataclass(frozen=True)
class Results:
    """An experiment as read back: its head, its plan, and its runs in the order in which they ran."""

    folder: Path
    head: Head
    plan: Plan | None
    """The plan that counts, which is the last; None before there was one."""
    runs: tuple[Run, ...]
    """Of abandoned rounds nothing."""
    abandoned: Mapping[int, int]
    """How often each round was abandoned, where it was."""
    tables: tuple[TableLine, ...]
    """The suite's own; see `suite_tables.Table`."""
    instructions: Mapping[str, Instructions]
    """By variant, what was counted last."""
    sources: Mapping[str, str]
    """The source files that runs loaded, each with the SHA-256 of its content."""
    torn: int
    """Lines that a kill cut short, or that are no results, and were left out."""

    @property
    def variants(self) -> list[str]:
        """The variants that were measured, the baseline among them."""
        return [name for name in self.head.runs if name != AA_CONTROL]

    @property
    def baseline(self) -> str:
        """The variant that the others are compared with."""
        return self.head.baseline

    @property
    def machine(self) -> str:
        """Where it was measured."""
        return self.head.fingerprint.machine or self.head.environment.machine

    @property
    def quality(self) -> str | None:
        """The figure of quality: the suite's, else the first that a run gave."""
        if self.head.quality is not None:
            return self.head.quality
        return next((name for run in self.runs if run.error is None for name in run.quality), None)

    def fit_folder(self, variant: str) -> Path:
        """Return the folder for what a variant's first round kept."""
        return self.folder / FITS / folder_names(self.head.variants)[variant]

    def fit_file(self, variant: str, name: str) -> tuple[Path, str]:
        """Return the experiment's folder, and the path in it of a file that a variant's first round kept."""
        return self.folder, f"{FITS}/{self.fit_folder(variant).name}/{name}"

    def recording_folder(self, variant: str) -> Path:
        """Return the folder for a recording of a variant, made once behind what was measured, with samples."""
        return self.folder / RECORDINGS / folder_names(self.head.variants)[variant]

    def samples_file(self, variant: str) -> Path:
        """Return the file for a variant's samples under their scopes, where the sampler did not record them."""
        return self.folder / SAMPLES / f"{folder_names(self.head.variants)[variant]}.speedscope.json.gz"

    def complete_rounds(self) -> list[int]:
        """Return the rounds in which every run ended, whether or not it failed."""
        wanted = set(self.head.runs)
        ran: dict[int, set[str]] = {}
        for run in self.runs:
            ran.setdefault(run.round, set()).add(run.name)
        return sorted(number for number, names in ran.items() if names >= wanted)

    def rounds_to_report(self) -> list[int]:
        """Return the complete rounds.

        Raises:
            InvalidInputError: There are none.
        """
        rounds = self.complete_rounds()
        if not rounds:
            raise InvalidInputError(f"{self.folder} holds no complete round: run it again, for longer")
        return rounds

    def values(self, run: str, rounds: list[int]) -> list[Run | None]:
        """Return what a run gave in each of the rounds; None where it failed."""
        found = {each.round: each for each in self.runs if each.name == run and each.error is None}
        return [found.get(number) for number in rounds]

    def instruction_ratio(self, variant: str, base: str | None = None) -> float | None:
        """Return the instructions of a variant by those of another, by default the baseline; None: not counted."""
        found = [self.instructions.get(name) for name in (variant, base or self.baseline)]
        new, old = (each.count if each is not None else None for each in found)
        return new / old if new is not None and old is not None else None

    @property
    def planned(self) -> int:
        """How many rounds the plan has; 0 before it is known."""
        return self.plan.rounds if self.plan is not None else 0


def is_begun(folder: Path) -> bool:
    """Return whether a folder holds results with a whole first line; a kill may have come before that."""
    try:
        with (folder / FILE).open("rb") as file:
            return file.readline().endswith(b"\n")
    except OSError:
        return False


def read_results(folder: str | Path) -> Results:
    """Read an experiment's results. Lines that a kill cut short are left out and counted.

    Raises:
        InvalidInputError: The folder holds no results, or they are of another version.
    """
    folder = Path(folder)
    if folder.name == FILE and folder.is_file():
        folder = folder.parent
    path = folder / FILE
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InvalidInputError(f"{folder} holds no results: {FILE} is no file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{folder} holds no results: {FILE}: {error.strerror}") from None
    lines: list[dict[str, Any]] = []
    torn = 0
    for line in content.splitlines():
        try:
            value = records.scan(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            lines.append(value)
        else:
            torn += 1
    if not lines or lines[0].get("kind") not in ("experiment", "run") or "schema" not in lines[0]:
        raise InvalidInputError(
            f"{path} is not a file of results: its first line does not describe an experiment"
        )
    schema = lines[0].get("schema")
    if not isinstance(schema, int) or not MIN_SCHEMA <= schema <= SCHEMA:
        shown = str(schema)[:20] if isinstance(schema, int | str) else "none"
        raise InvalidInputError(
            f"{path} has schema {shown}; this workbench reads schemas {MIN_SCHEMA} to {SCHEMA}"
        )
    try:
        head = records.convert(lines[0] if schema == SCHEMA else translated(lines[0]), Head)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(
            f"{path} is damaged: its first line does not describe an experiment ({error}); measure again"
        ) from None
    return _assembled(folder, head, lines[1:], torn)


def _assembled(folder: Path, head: Head, lines: list[dict[str, Any]], torn: int) -> Results:
    runs: dict[tuple[int, int], dict[str, Run]] = {}
    plan: Plan | None = None
    tables: dict[str, TableLine] = {}
    instructions: dict[str, Instructions] = {}
    abandoned: dict[int, int] = {}
    sources: dict[str, str] = {}
    for value in lines:
        try:
            line: Line = msgspec.convert(
                value if head.schema == SCHEMA else translated(value, head.variants), Line
            )
        except ValueError:
            torn += 1
            continue
        match line:
            case Run() if line.name not in head.runs:
                torn += 1
            case Run():  # the same run of one attempt twice is no result of ours: the first stands
                runs.setdefault((line.round, line.attempt), {}).setdefault(line.name, line)
            case Abandoned():
                abandoned[line.round] = max(abandoned.get(line.round, 0), line.attempt + 1)
            case Plan():
                plan = line
            case Sources():
                sources |= line.files
            case TableLine():
                tables[line.title] = line
            case Instructions() if line.name not in head.variants:
                torn += 1
            case Instructions():
                instructions[line.name] = line
    kept = [
        run
        for (number, attempt), of_attempt in runs.items()
        if attempt == abandoned.get(number, 0)
        for run in of_attempt.values()
    ]
    return Results(
        folder, head, plan, tuple(kept), abandoned, tuple(tables.values()), instructions, sources, torn
    )
