"""What the system counted of a process: memory, processor time, faults, bytes and switches."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile.stacks import Int64


@dataclass(frozen=True)
class Resources:
    """What the system counted of one process, in chronological order."""

    pid: int
    at_ns: Int64
    """(readings,) on the profile's clock."""
    resident_bytes: Int64
    threads: Int64
    cpu_ns: Int64
    """This and the following: since the process began, never decreasing."""
    major_faults: Int64
    read_bytes: Int64
    """-1 all through where the system does not tell."""
    written_bytes: Int64
    voluntary_switches: Int64
    involuntary_switches: Int64

    def rows(self, chosen: NDArray[np.bool_]) -> Resources:
        """Return some of the readings."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    def check(self) -> None:
        """Raise `AssertionError` where columns differ in length or what never decreases does."""
        where = f"what was counted of process {self.pid}"
        if {len(getattr(self, name)) for name in _COLUMNS} != {len(self.at_ns)}:
            raise AssertionError(f"{where}: columns differ in length")
        for name in _COLUMNS:
            if name not in ("resident_bytes", "threads") and np.any(np.diff(getattr(self, name)) < 0):
                raise AssertionError(f"{where}: {name} decreases")


_COLUMNS = tuple(field.name for field in fields(Resources) if field.name != "pid")
