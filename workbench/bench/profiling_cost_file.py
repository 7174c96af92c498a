"""`cost.json`, in a profile's folder: what profiling its program cost when it was last measured."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.bench.environment import processor, usable_cores
from workbench.bench.profiling_cost_figures import BARE, IN_PROCESS, PY_SPY, PY_SPY_NATIVE, SCOPES, Cost
from workbench.errors import WorkbenchError
from workbench.outputs import OutputFolder, held

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
    machine: object
    cores: object
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


def _read(path: Path) -> _Stored | None:
    """Return what a file holds, or None where there is none, or none that we wrote."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        facts = json.loads(content) if len(content) <= LARGEST else None
        return _stored(facts)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _stored(facts: Any) -> _Stored:
    ratios: dict[str, Ratio] = {}
    for each in facts["ratios"]:
        low, value, high = (float(each[key]) for key in ("low", "value", "high"))
        if not 0 < low <= value <= high < math.inf:
            raise ValueError(f"{each} is no ratio with an interval")
        if each["base"] == BARE:
            ratios[str(each["way"])] = (value, low, high)
    program, conditions = facts["program"], facts["environment"]
    if not isinstance(program, list) or not program or not isinstance(conditions, Mapping):
        raise ValueError("no program, or no environment")
    return _Stored(
        program=tuple(map(str, program)),
        rate=int(facts["rate"]),
        native=facts["native"] is True,
        date=str(facts["date"]),
        machine=conditions["machine"],
        cores=conditions["usable_cores"],
        void=facts["check"]["void"] is True,
        ratios={SCOPES: ratios[SCOPES], **ratios},
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
