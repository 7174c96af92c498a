"""What a program allocated, as tracemalloc saw it in a run of `workbench profile --memory`: the record and its rows."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from workbench.profile._record import Profile


@dataclass(frozen=True)
class BytesPerCall:
    """A mean of bytes, with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Leak:
    """What repetitions of a scope left behind, in the later half of its calls: first calls fill caches."""

    calls: int
    """Calls of that half, over all processes."""
    left: BytesPerCall
    """Traced memory at a call's exit less that at its entry: what the call left. Its caller may free it."""
    growth: BytesPerCall
    """Traced memory at a call's exit less that at the exit of the call before: what stayed, wherever it was made."""
    stays: bool | None
    """Whether the scope holds at the last snapshot half of what all its calls left, or half of what these calls left
    that stayed, in as many blocks: else the growth is from elsewhere. None: there is no snapshot."""

    @property
    def is_leak(self) -> bool:
        """Whether calls leave bytes behind that stay: both intervals are above zero, and the scope holds them."""
        return self.left.low > 0 and self.growth.low > 0 and self.stays is not False

    @property
    def per_call(self) -> BytesPerCall:
        """What a call leaves that stays: the smaller of the two."""
        return min(self.left, self.growth, key=lambda each: each.mean)


@dataclass(frozen=True)
class LineBytes:
    """Bytes that one line of source allocated, and blocks of them.

    It is the innermost line of the program's own code on the traceback; without one, the function on top and line 0.
    """

    file: str
    line: int
    function: str
    """Empty where the source of the file is not known."""
    end_bytes: int
    """Alive at the last snapshots of all processes, which are usually taken at their ends."""
    end_blocks: int
    peak_bytes: int
    """Alive at the snapshots nearest the peaks."""
    peak_blocks: int


@dataclass(frozen=True)
class ScopeBytes:
    """What one scope allocated, by name, over all processes; a scope inside itself is counted once."""

    name: str
    calls: int
    """Those that ended, which alone have figures, and were not inside another of the same scope."""
    net_bytes: int
    """The process's traced memory at exits less that at entries, summed: what calls left behind. It is negative where
    they freed more than they made."""
    shared_calls: int
    """Calls during which another thread or task had a scope open: what that made counts too."""
    peak_bytes: int
    """The largest traced memory of the process while a call was open, above that at its entry; of all threads."""
    held_bytes: int | None
    """Made in the scope, on its own thread, and alive at the last snapshot; by source lines. None: they do
    not tell, or there is no snapshot."""
    held_blocks: int | None
    held_at_peak_bytes: int | None
    """The same at the snapshots nearest the peaks."""
    leak: Leak | None
    """None where there are fewer than 16 calls at whose entry and exit no other thread or task had a scope open."""
    lines: tuple[LineBytes, ...]
    """The lines that hold `held_bytes`, most bytes first; at most ten."""

    @property
    def net_per_call(self) -> float:
        """Bytes that a call leaves behind, on average."""
        return self.net_bytes / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class TracedProcess:
    """What is known of one process."""

    pid: int
    command: str
    peak_bytes: int
    """Its largest traced memory. Peaks of several processes need not be at one time."""
    end_bytes: int | None
    """Traced memory at its last snapshot; None: it was killed, or left by `os._exit`, before there was one."""
    is_whole: bool
    """Whether that snapshot was taken at the process's end."""
    at_peak_bytes: int | None
    """Traced memory at the snapshot nearest its peak; None: there is none."""


@dataclass(frozen=True)
class Allocations:
    """What a program allocated through Python's and NumPy's allocators.

    Not seen: memory of C libraries, GPUs and mapped files, and what packages allocate while they are imported. The rows
    are empty where nothing of the kind was recorded.
    """

    end: Profile | None
    """Blocks that were alive at the last snapshot of each process, a track for each kind of thread: a sample is a
    distinct stack under its scopes, its `weight_ns` bytes and its `ticks` blocks. None: there is no snapshot."""
    peak: Profile | None
    """The same near the largest traced memory of each process; None: there is none."""
    processes: tuple[TracedProcess, ...]
    scopes: tuple[ScopeBytes, ...]
    """In the order of their peaks, largest first."""
    lines: tuple[LineBytes, ...]
    """All lines that held memory at a snapshot, most bytes at the end first."""

    @property
    def ended_early(self) -> int:
        """How many processes have no snapshot of their end."""
        return sum(not process.is_whole for process in self.processes)

    def within(self, names: Container[str]) -> Allocations:
        """Return the scopes of some names alone; lines are of the whole program, and left out."""
        return replace(self, scopes=tuple(row for row in self.scopes if row.name in names), lines=())

    @property
    def leaks(self) -> Sequence[ScopeBytes]:
        """The scopes that leak, by what their calls leave behind that stays, most first."""
        found = [
            (row.leak.per_call.mean * row.calls, row) for row in self.scopes if row.leak and row.leak.is_leak
        ]
        return [row for _, row in sorted(found, key=lambda pair: -pair[0])]
