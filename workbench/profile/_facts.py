"""What is known about a profile beside its events: its recording, the file it was read from, and its attribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

MAX_COST_NS = 1_000_000_000
"""A scope that costs more than a second was not measured: the number is made up."""


@dataclass(frozen=True)
class SamplerRun:
    """The in-process sampler of one process. Numbers of several processes may be added up."""

    pid: int
    period_ns: int
    started_ns: int
    """When the first period began, on the profile's clock."""
    last_ns: int
    """When it ticked last."""
    ticks: int
    samples: int
    """Ticks of all threads."""
    unknown: int
    """Of the samples, those with an unknown stack."""
    cut: int
    """Of the samples, those with native frames that end early."""
    signals: int
    interrupted: int
    """System calls that one of its signals interrupted."""
    handler_ns: int
    """Time spent in its signal handlers."""
    helper_ns: int
    """CPU time of its helper thread."""
    incomplete: int
    """Frames that could not be read to their end."""
    no_room: int
    """Samples that found no space in the log."""
    signal: int
    """The signal in use; 0: none, frames were read from outside."""
    native: bool
    """Whether native frames were taken."""
    ended_ns: int
    """When sampling ended; 0: it still runs, or its process was killed."""

    @property
    def cpu_ns(self) -> int:
        """CPU time that sampling took."""
        return self.handler_ns + self.helper_ns


class MeasuredScopeCost(NamedTuple):
    """What one scope costs in a process, as the recorder measured it at its start or end; nanoseconds."""

    pid: int
    inside_ns: float
    """Within the scope's own interval."""
    parent_ns: float
    """Within the scope around it, its own interval included."""
    chunk_ns: float = 0.0
    """For space in the log, on average: it is paid in lumps."""

    @classmethod
    def of(cls, pid: int, stated: Mapping[str, object]) -> MeasuredScopeCost | None:
        """Return the cost that a log states; None where it cannot be one."""
        inside, parent, chunk = (stated.get(f"{part}_ns") for part in ("inside", "parent", "chunk"))
        if not isinstance(inside, int | float) or not isinstance(parent, int | float):
            return None
        if not 0 <= inside <= parent < MAX_COST_NS:
            return None
        is_known = isinstance(chunk, int | float) and 0 <= chunk < MAX_COST_NS
        return cls(pid, inside, parent, float(chunk) if is_known and isinstance(chunk, int | float) else 0.0)


class ScopeSite(NamedTuple):
    """Where the program's code opens a scope; `workbench.eventlog.log_files` describes the fields."""

    name: str
    file: str
    first_line: int
    last_line: int
    function: str
    use: str


@dataclass(frozen=True)
class RecordingFacts:
    """What a recording states about its processes."""

    processes: int = 0
    hosts: tuple[str, ...] = ()
    damaged: int = 0
    """Places in the logs that could not be read."""
    closed_elsewhere: int = 0
    """Scopes that another thread or task closed."""
    after_end: int = 0
    """Scopes, counters and marks that came after the recording's end, and were left out."""
    misnested: int = 0
    """Scopes that ended after the one around them."""
    other_clocks: int = 0
    """Processes whose times were moved by the wall clock."""
    given_up_bytes: int = 0
    """The oldest events, which were overwritten by newer ones."""
    stopped_full: bool = False
    stopped_by_error: bool = False
    wall_minus_monotonic_ns: int = 0
    """0 where it is unknown."""
    samplers: tuple[SamplerRun, ...] = ()
    scope_costs: tuple[MeasuredScopeCost, ...] = ()
    sites: tuple[ScopeSite, ...] = ()
    threads: tuple[tuple[int | None, str | None], ...] = ()
    """Of each track: the system's number of its thread, and the name of its asyncio task, if it is one."""


@dataclass(frozen=True)
class FileFacts:
    """What the reader of a file found beside the events."""

    format: str = ""
    warnings: tuple[str, ...] = ()
    """What was left out or reinterpreted, one line each."""
    unit: str = ""
    """Of amounts that are no times."""
    mode: str = ""
    """Of Tachyon: what its samples count."""
    calls: int = 0
    """Of pstats: all calls."""
    attributed: float = 1.0
    """Of pstats: the share of the time that its stacks hold."""
    tree: str = ""
    """Of pstats: how the stacks were estimated."""
    is_merged: bool = False
    """Whether a sample stands for several with its stack: how many, `Samples.ticks` says, or nobody knows."""
    without_a_stack: int = 0
    """Samples that were left out because they have no stack."""
    unmatched_ends: int = 0
    """Events that end what never began."""


@dataclass(frozen=True)
class Attribution:
    """How many samples are under scopes, outside any, or neither is known."""

    samples: int = 0
    attributed: int = 0
    """Under a scope."""
    outside: int = 0
    """Outside any scope."""
    not_attributable: int = 0
    """By line: a scope may be open, and source lines do not decide it."""
    by: str = "line"
    """"line", or "scope": the sampler itself recorded the open scope."""


NO_RECORDING, NO_FILE = RecordingFacts(), FileFacts()
