"""`cost.json`, in a profile's folder: what profiling its program cost when it was last measured."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from workbench import records
from workbench.bench.environment import processor
from workbench.bench.profiling_cost_figures import BARE, IN_PROCESS, PY_SPY, PY_SPY_NATIVE, SCOPES, Cost
from workbench.errors import WorkbenchError
from workbench.outputs import OutputFolder, held
from workbench.records import Above0, Many
from workbench.system import usable_cores

FILE = "cost.json"
LARGEST = 16 << 20
MOST_CHARACTERS = 120
"""Of a command line in a sentence."""


@dataclass(frozen=True)
class KnownCost:
    """What is known of the cost of profiling a program."""

    times: str
    """How many times as long it takes, as text; empty where it is unknown."""
    sentence: str


def write_cost(cost: Cost, folder: Path | OutputFolder) -> Path:
    """Write `cost.json` into a profile's folder, in place of an earlier one; return it.

    Raises:
        InvalidInputError: A file of that name that is not ours is in the way.
        WorkbenchError: It cannot be written.
    """
    try:
        with held(folder, [FILE]) as output:
            return output.write(FILE, json.dumps(cost.to_json(), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        path = folder / FILE if isinstance(folder, Path) else folder.path / FILE
        raise WorkbenchError(
            f"cannot write {path}: {error.strerror}; make room or choose another folder with -o"
        ) from None


def known_cost(folder: Path, program: Sequence[str], rate: int, sampler: str) -> KnownCost:
    """Return the same for a sampler by the label that a capture gives it; "none" is recording alone."""
    unknown = "what profiling costs this program is unknown: measure it with workbench profile --cost"
    if sampler not in LABELS:
        return KnownCost(
            "", "what this sampler costs is unknown: workbench profile --cost measures in-process and py-spy"
        )
    found = _read(folder / FILE)
    if found is None:
        return KnownCost("", unknown)
    way, what = LABELS[sampler]
    ratio = found.ratios.get(way)
    if ratio is None:
        return KnownCost("", unknown)
    aside = [] if sampler == "none" else [f"recording scopes {_times(found.ratios[SCOPES][0])}"]
    aside.append(f"measured {found.date[:10]}")
    aside += found.differences(program, rate, sampler)
    times = _times(*ratio)
    if not _same_file(found.program, program):
        other = _command(found.program)
        return KnownCost(
            "", f"{unknown}; {what} another program, {other}, {times} as long ({', '.join(aside)})"
        )
    return KnownCost(_times(ratio[0]), f"{what} this program {times} as long ({', '.join(aside)})")


Ratio = tuple[float, float, float]
LABELS = {
    "none": (SCOPES, "recording makes"),
    "in-process": (IN_PROCESS, "profiling makes"),
    "in-process with native frames": (IN_PROCESS, "profiling makes"),
    "py-spy": (PY_SPY, "sampling by py-spy makes"),
    "py-spy with native frames": (PY_SPY_NATIVE, "sampling by py-spy makes"),
}
"""By a capture's label of its sampler: the way that was measured, and what makes the program longer."""


@dataclass(frozen=True)
class _Stored:
    """What is read of a `cost.json`."""

    program: tuple[str, ...]
    rate: int
    native: bool
    date: str
    machine: str
    cores: int | None
    void: bool
    ratios: Mapping[str, Ratio]
    """Of each way by bare."""

    def differences(self, program: Sequence[str], rate: int, sampler: str) -> list[str]:
        """Return in what the measurement is not of this run."""
        found = []
        if _same_file(self.program, program) and self.program != tuple(program):
            found.append("with other arguments")
        if sampler != "none" and self.rate != rate:
            found.append(f"at {self.rate} samples a second")
        if sampler == "in-process with native frames" and not self.native:
            found.append("without native frames")
        if (self.machine, self.cores) != (processor(), usable_cores()):
            found.append(f"on another machine: {self.machine}, {self.cores} cores")
        if self.void:
            found.append("in a session that was void")
        return found


class _RatioFields(msgspec.Struct):
    way: str
    base: str
    low: Above0
    value: Above0
    high: Above0


class _Conditions(msgspec.Struct):
    machine: str
    usable_cores: int | None


class _Check(msgspec.Struct):
    void: bool


class _Facts(msgspec.Struct):
    """What is read of a file; there is more in it."""

    ratios: list[_RatioFields]
    program: Annotated[list[str], msgspec.Meta(min_length=1)]
    rate: Many
    native: bool
    date: str
    environment: _Conditions
    check: _Check


def _read(path: Path) -> _Stored | None:
    """Return what a file holds, or None where there is none, or none that we wrote."""
    try:
        facts = records.parse(records.read_inside(path.parent, path.name, LARGEST) or b"", _Facts)
    except ValueError:
        return None
    ratios = {each.way: (each.value, each.low, each.high) for each in facts.ratios if each.base == BARE}
    if SCOPES not in ratios or not all(low <= value <= high for value, low, high in ratios.values()):
        return None
    return _Stored(
        program=tuple(facts.program),
        rate=facts.rate,
        native=facts.native,
        date=facts.date,
        machine=facts.environment.machine,
        cores=facts.environment.usable_cores,
        void=facts.check.void,
        ratios=ratios,
    )


def _same_file(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two command lines run the same script or module."""
    length = 2 if one and one[0] == "-m" else 1
    return tuple(one[:length]) == tuple(other[:length])


def _command(program: Sequence[str]) -> str:
    text = shlex.join(program)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _times(value: float, *interval: float) -> str:
    """Return a ratio and its interval, with three decimals where it is near 1."""
    digits = 3 if abs(value - 1) < 0.1 else 2
    ends = f" [{', '.join(f'{end:.{digits}f}' for end in interval)}]" if interval else ""
    return f"{value:.{digits}f} ×{ends}"
