"""The columnar record: frames, a prefix tree of stacks, and tracks with spans and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

ROOT = -1
"""The parent of a stack of one frame, and the stack of a track on which nothing ran."""


class FrameKind(IntEnum):
    """What a frame is, which decides its colour and what may be folded away."""

    SCOPE = 0
    PYTHON = 1
    NATIVE = 2
    IDLE = 3


class ThreadState(IntEnum):
    """What a thread did when it was sampled."""

    UNKNOWN = 0
    """Its stack could not be read."""
    PYTHON = 1
    """It held the interpreter's lock."""
    NATIVE = 2
    """It ran without the interpreter's lock."""
    WAITING_FOR_GIL = 3
    SLEEPING = 4
    """It waited in the system."""
    SIGNAL_BLOCKED = 5
    """It ran and blocked the sampler's signal, so that only its Python frames are known."""


class Frame(NamedTuple):
    """One function, or one scope. Two frames are the same when all of this is the same."""

    name: str
    file: str = ""
    line: int = 0
    kind: FrameKind = FrameKind.PYTHON


@dataclass(frozen=True)
class Stacks:
    """A prefix tree: stack `i` is stack `parent[i]` with `frame[i]` on top. Parents come before children."""

    parent: Int32
    """(stacks,) index of the stack below, or `ROOT`."""
    frame: Int32
    """(stacks,) index into `Profile.frames`."""

    def __len__(self) -> int:
        return len(self.parent)

    def path(self, stack: int) -> list[int]:
        """Return the frame indices of a stack, root first."""
        frames: list[int] = []
        while stack != ROOT:
            frames.append(int(self.frame[stack]))
            stack = int(self.parent[stack])
        frames.reverse()
        return frames


@dataclass(frozen=True)
class Spans:
    """Exact intervals, as guards record them, ordered by start and then by depth; they nest."""

    stack: Int32
    """(spans,) the stack that the span is the top of."""
    start_ns: Int64
    """(spans,) nanoseconds on the profile's clock."""
    end_ns: Int64
    """(spans,) nanoseconds, never before the start."""
    unfinished: NDArray[np.bool_]
    """(spans,) whether the scope was still open when the record ended."""
    carried: NDArray[np.bool_] | None = None
    """(spans,) whether the span stands for a scope of another track that sent the work inside it; None: none
    does. It shows where the work belongs, and its time is not counted again."""
    work: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(spans,) each: numbers that guards carried, such as flops and bytes; NaN where a span has none."""

    def __len__(self) -> int:
        return len(self.stack)


@dataclass(frozen=True)
class Samples:
    """Stacks seen by a sampler, in time order; each stands for the time until the next was seen.

    The optional columns are there where the sampler ticks once in each period and reads the thread's clock. Then each
    row is a run of ticks at which the thread's stack was the same, and begins with the first of their periods.
    """

    stack: Int32
    """(samples,) the sampled stack, or `ROOT` where nothing was seen."""
    at_ns: Int64
    """(samples,) nanoseconds on the profile's clock."""
    weight_ns: Int64
    """(samples,) nanoseconds that the sample stands for, never negative."""
    ticks: Int32 | None = None
    """(samples,) how many periods of the sampler it stands for; None: the sampler has no regular ones."""
    cpu_ns: Int64 | None = None
    """(samples,) CPU time of the thread since its last sample, in nanoseconds."""
    state: NDArray[np.uint8] | None = None
    """(samples,) a `ThreadState`."""
    line: Int32 | None = None
    """(samples,) the line that the innermost Python frame of the stack was at, 0 where it is not known. The frame
    says which file; it stands in the tree without its line."""

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def count(self) -> Int64:
        """(samples,) how often each was seen: its ticks, or once."""
        return np.ones(len(self.stack), dtype=np.int64) if self.ticks is None else self.ticks.astype(np.int64)


@dataclass(frozen=True)
class Counter:
    """The values of something that changes, in time order."""

    name: str
    at_ns: Int64
    value: NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """Moments at which something happened, in time order."""

    at_ns: Int64
    name: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """One thread, or asyncio task, of one process, in time order."""

    name: str
    pid: int
    tid: int
    process: str = ""
    spans: Spans | None = None
    samples: Samples | None = None
    counters: tuple[Counter, ...] = ()
    marks: Marks | None = None


@dataclass(frozen=True)
class Profile:
    """One run of a program, as guards and a sampler saw it.

    Times are `int64` nanoseconds on one clock. `check` asserts what every transform must keep.
    """

    name: str
    frames: tuple[Frame, ...]
    stacks: Stacks
    tracks: tuple[Track, ...]
    start_ns: int
    end_ns: int
    facts: Mapping[str, object] = field(default_factory=dict)
    """What is known about the capture: sampler, rate, number of samples, warnings."""

    def check(self) -> Profile:
        """Return the profile itself, or raise `AssertionError` where it contradicts itself.

        Holds: parents stand before children, every index is in range, columns are of one length, times do
        not decrease, and the spans of a track nest, so that self time plus children's time is total time.
        """
        from workbench.profile._check import check_profile

        check_profile(self)
        return self
