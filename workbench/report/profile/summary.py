"""What `profile.json` says of a run, as it is read back: a typed record; there is more in the file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec

from workbench import records
from workbench.capture.warnings import CaptureWarning, WarningCode, warning_text
from workbench.errors import InvalidInputError
from workbench.profile import Attribution, SamplerRun
from workbench.records import Count

SUMMARY = "profile.json"
SCHEMA = 2
"""The number of the file's keys; files without one are of the first schema, and are read too."""
MAX_BYTES = 1 << 20


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a program, or one rank's part of it."""

    title: str = ""
    """What it is called, where that is not its program."""
    program: list[str] = []
    rate: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, lt=1e12)] | None = None
    returncode: int | None = None
    attached: int | None = None
    """The PID of a program that ran already, and went on; None: it was started."""
    sampler: str = ""
    samples: Count = 0
    scopes: Count | None = None
    """How many ran; None in an earlier version."""
    sampling_failed: bool = False
    one_clock: bool = False
    warnings: list[str | dict[str, Any]] = []
    """Records of `CaptureWarning` with their text; in the first schema, the text alone."""
    attribution: Any = None
    """Facts of the samples, for whoever reads those of profiles."""
    sampler_runs: Any = None
    source: bool | None = None
    """Whether source files were copied; None in an earlier version, which copied none and read them where they are."""
    tests: bool = False
    """Whether the program was pytest, whose own frames are left out."""
    placement: Any = None
    """Of a version that attributed samples by time."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return self.samples == 0 and self.scopes == 0

    def known_attribution(self) -> Attribution | None:
        """Return how many samples are under scopes; None where the file does not say so, or contradicts itself."""
        with suppress(ValueError):
            found = records.convert(self.attribution, Attribution)
            parts = (found.attributed, found.outside, found.not_attributable)
            if found.samples > 0 and min(parts) >= 0 and sum(parts) <= found.samples:
                return found
        return None

    def known_warnings(self) -> list[CaptureWarning]:
        """Return the warnings of the capture."""
        return [_warning(stated) for stated in self.warnings]

    def known_samplers(self) -> tuple[SamplerRun, ...]:
        """Return the in-process samplers of all processes; none where the file does not say so."""
        with suppress(ValueError):
            return records.convert(self.sampler_runs, tuple[SamplerRun, ...])
        return ()


def warning_facts(warning: CaptureWarning) -> dict[str, Any]:
    """Return a warning for machines, with its text."""
    return {**msgspec.to_builtins(warning), "text": warning_text(warning)}


def _warning(stated: str | dict[str, Any]) -> CaptureWarning:
    """Return a warning of a file; of a code or remedy that is not known here, its text alone."""
    if isinstance(stated, str):
        return CaptureWarning(WarningCode.OTHER, {"text": stated})
    try:
        found = records.convert(stated, CaptureWarning)
        warning_text(found)  # raises where the values are not those of the code
    except (ValueError, KeyError, TypeError, OverflowError):
        return CaptureWarning(WarningCode.OTHER, {"text": str(stated.get("text", ""))})
    return found


def read_summary(path: Path) -> Summary:
    """Read a profile's summary.

    Raises:
        InvalidInputError: It cannot be read, or is none that `workbench profile` wrote.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    if len(content) > MAX_BYTES:
        raise InvalidInputError(f"{path} is larger than any that workbench profile writes: profile again")
    try:
        return records.parse(content, Summary)
    except ValueError as error:
        raise InvalidInputError(
            f"{path} is none that workbench profile wrote ({error}): profile again"
        ) from None


def read_rank(path: Path) -> Summary | None:
    """Return what a rank said of itself; None where it did not come to that."""
    try:
        return records.parse(records.read_inside(path.parent, path.name, MAX_BYTES) or b"", Summary)
    except ValueError:
        return None
