"""What the system counted of a process: memory, processor time, faults, bytes and switches."""

from __future__ import annotations

from dataclasses import dataclass

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
