"""What this machine can do at most, as `workbench doctor` measured it: one file for each machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec

from workbench import records
from workbench.bench.machine.environment import numpy_blas, processor
from workbench.errors import InvalidInputError, Remedy, WorkbenchError
from workbench.records import Above0, Count, Many
from workbench.system import usable_cores

VARIABLE = "WORKBENCH_STATE"
"""Names another folder for what is kept between commands."""
FORMAT, VERSION = "workbench calibration", 1
MAX_BYTES = 1 << 16
"""Bytes of a file; it has about two thousand."""
DOUBLE, SINGLE, COPY = "gemm float64", "gemm float32", "copy"
UNITS = {DOUBLE: "GFLOP/s", SINGLE: "GFLOP/s", COPY: "GB/s"}
"""What is measured, and in what."""
_BUSY = 0.25
"""Load of the machine, for each core, from which on it was not idle."""


@dataclass(frozen=True)
class Machine:
    """What must be the same for a calibration to hold."""

    processor: str
    cores: int
    """Those that this process may run on."""
    blas: str
    """NumPy's: name and version."""

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} {'core' if self.cores == 1 else 'cores'}, {self.blas}"


@dataclass(frozen=True)
class Rate:
    """What was reached with so many threads, in 10⁹ a second: operations, or bytes read and written."""

    what: str
    """One of `UNITS`."""
    threads: Many
    median: Above0
    low: Above0
    high: Above0
    repetitions: Count

    def __post_init__(self) -> None:
        """Check that it can be.

        Raises:
            ValueError: It is of nothing known, or its interval is out of order.
        """
        if self.what not in UNITS or not self.low <= self.median <= self.high:
            raise ValueError(f"a rate cannot be: {self.what}, {self.low:g} to {self.high:g}")


@dataclass(frozen=True)
class Calibration:
    """The rates of a machine."""

    machine: Machine
    rates: tuple[Rate, ...]
    measured: Annotated[datetime, msgspec.Meta(tz=True)]
    load: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    """The system's, of the minute before: others compute too where it is not near 0."""
    order: Count
    """Rows and columns of the matrices that were multiplied."""
    copied_bytes: Count
    """Of the array that was copied."""
    cache_bytes: Count
    """The last-level cache; 0 where the system does not say."""

    def rate(self, what: str, threads: int) -> Rate | None:
        """Return one of the rates, or None where that was not measured."""
        return next((rate for rate in self.rates if (rate.what, rate.threads) == (what, threads)), None)

    def threads(self) -> list[int]:
        """Return how many threads there are rates of, the fewest first."""
        return sorted({rate.threads for rate in self.rates})

    def warnings(self) -> list[str]:
        """Return what makes the rates less than sure, a line each."""
        found = []
        if self.load >= _BUSY * self.machine.cores:
            found.append(
                f"the machine was not idle (load {self.load:.1f}), so its rates may be higher: measure again when it is"
            )
        if 0 < self.copied_bytes < self.cache_bytes:
            found.append(
                f"there was memory for copies of {self.copied_bytes >> 20} MiB, less than the cache of "
                f"{self.cache_bytes >> 20} MiB: the copy rate may be the cache's"
            )
        return found


@cache
def this_machine() -> Machine:
    """Return what this machine is, for a calibration."""
    return Machine(processor(), usable_cores(), _blas())


def _blas() -> str:
    """Return name and version of NumPy's BLAS."""
    import numpy as np

    library = numpy_blas()
    if library is not None:
        return f"{library.get('internal_api')} {library.get('version')}"
    built: Any = np.show_config(mode="dicts")  # one that threadpoolctl does not know, such as Accelerate
    facts = built.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(facts[key]) for key in ("name", "version") if facts.get(key)) or "unknown BLAS"


def state_folder() -> Path:
    """Return the folder for what is kept between commands.

    Raises:
        InvalidInputError: The user has no home folder, and none is named.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):  # noqa: PTH117  the specification says to ignore others
        return Path(base) / "workbench"
    try:
        return Path.home() / ".local" / "state" / "workbench"
    except RuntimeError:
        raise InvalidInputError(
            f"there is no home folder to keep a calibration in: name a folder with {VARIABLE}"
        ) from None


def calibration_file(machine: Machine) -> Path:
    """Return where a machine's calibration is, or would be."""
    identity = hashlib.sha256(json.dumps(asdict(machine)).encode()).hexdigest()
    return state_folder() / f"calibration-{identity[:16]}.json"


def save(calibration: Calibration) -> Path:
    """Write a calibration, in place of an older one of its machine, whole or not at all; return its file.

    Raises:
        WorkbenchError: The state folder cannot be written.
    """
    path = calibration_file(calibration.machine)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_state_folder()
        with part.open("w", encoding="utf-8") as file:
            json.dump(as_json(calibration), file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise _not_writable(path.parent, error) from None
    return path


def make_state_folder() -> None:
    """Make the folder that calibrations are kept in.

    Raises:
        WorkbenchError: It cannot be made or written.
    """
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise _not_writable(folder, error) from None


def _not_writable(folder: Path, error: OSError) -> WorkbenchError:
    return WorkbenchError(
        f"cannot write to {folder}: {error.strerror}; name another folder with the variable {VARIABLE}"
    )


def load(machine: Machine | None = None) -> Calibration | None:
    """Return the calibration of a machine, by default this one; None where it was never measured.

    Raises:
        InvalidInputError: Its file cannot be read, or is damaged.
    """
    machine = machine or this_machine()
    path = calibration_file(machine)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None
    try:
        found = _parsed(content)
    except (ValueError, OverflowError) as error:
        raise _unusable(path, f"is damaged ({error})") from None
    if found.machine != machine:
        raise _unusable(path, f"is of another machine ({found.machine})")
    return found


def _unusable(path: Path, what: str) -> InvalidInputError:
    return InvalidInputError(f"calibration {path} {what}", remedy=Remedy.CALIBRATE)


def as_json(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as it stands in its file."""
    head = {"format": FORMAT, "version": VERSION}
    return head | asdict(calibration) | {"measured": calibration.measured.isoformat(timespec="seconds")}


def _parsed(text: bytes) -> Calibration:
    if len(text) > MAX_BYTES:
        raise ValueError("it is larger than any that is written")
    content = records.scan(text)
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ValueError("it is no calibration")
    if content.get("version") != VERSION:
        raise ValueError(f"its version is {content.get('version')!r}, not {VERSION}")
    found = records.convert(content, Calibration)
    found.measured.astimezone()  # raises where the calendar ends
    return found
