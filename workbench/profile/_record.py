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
    """Stacks seen by a sampler, in time order; each stands for the time until the next was seen."""

    stack: Int32
    """(samples,) the sampled stack, or `ROOT` where nothing was seen."""
    at_ns: Int64
    """(samples,) nanoseconds on the profile's clock."""
    weight_ns: Int64
    """(samples,) nanoseconds that the sample stands for, never negative."""

    def __len__(self) -> int:
        return len(self.stack)


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

        Holds: parents stand before children, every index is in range, times do not decrease, and the
        spans of a track nest, so that self time plus children's time is total time.
        """
        _check_stacks(self)
        for track in self.tracks:
            if track.spans is not None:
                _check_spans(self, track, track.spans)
            if track.samples is not None:
                _check_samples(self, track, track.samples)
        return self


def _must(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def _check_stacks(profile: Profile) -> None:
    stacks = profile.stacks
    index = np.arange(len(stacks))
    _must(len(stacks.parent) == len(stacks.frame), "columns of stacks differ in length")
    _must(np.all((stacks.parent >= ROOT) & (stacks.parent < index)), "a stack stands before its parent")
    _must(np.all((stacks.frame >= 0) & (stacks.frame < len(profile.frames))), "a stack names no frame")


def _check_spans(profile: Profile, track: Track, spans: Spans) -> None:
    where = f"track {track.name!r} of process {track.pid}"
    lengths = {len(spans.stack), len(spans.start_ns), len(spans.end_ns), len(spans.unfinished)}
    _must(len(lengths) == 1, f"{where}: columns of spans differ in length")
    _must(np.all((spans.stack >= 0) & (spans.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(spans.start_ns <= spans.end_ns), f"{where}: a span ends before it starts")
    _must(np.all(np.diff(spans.start_ns) >= 0), f"{where}: spans are not ordered by start")
    opened: list[int] = []
    parents = profile.stacks.parent[spans.stack].tolist()
    stack, start, end = spans.stack.tolist(), spans.start_ns.tolist(), spans.end_ns.tolist()
    for i in range(len(spans)):
        while opened and end[opened[-1]] <= start[i] and parents[i] != stack[opened[-1]]:
            opened.pop()
        below = stack[opened[-1]] if opened else ROOT
        _must(parents[i] == below, f"{where}: span {i} does not stand on the span below it")
        _must(not opened or end[i] <= end[opened[-1]], f"{where}: span {i} sticks out")
        opened.append(i)


def _check_samples(profile: Profile, track: Track, samples: Samples) -> None:
    where = f"track {track.name!r} of process {track.pid}"
    lengths = {len(samples.stack), len(samples.at_ns), len(samples.weight_ns)}
    _must(len(lengths) == 1, f"{where}: columns of samples differ in length")
    _must(np.all((samples.stack >= ROOT) & (samples.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(samples.weight_ns >= 0), f"{where}: a sample has a negative weight")
    until = samples.at_ns + samples.weight_ns
    _must(np.all(until[:-1] <= samples.at_ns[1:]), f"{where}: samples overlap, or are not in time order")
