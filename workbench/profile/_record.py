"""The columnar record: frames, a prefix tree of stacks, tracks with spans and samples, and what holds of all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile._facts import NO_FILE, NO_RECORDING, Attribution, FileFacts, RecordingFacts
from workbench.profile._resources import Resources
from workbench.profile.stacks import NO_STACKS, ROOT, Int32, Int64, Stacks, around, depths


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


WAITING_FOR_GIL = Frame("waiting for the GIL", kind=FrameKind.IDLE)
"""On top of the stack of a thread that waits for the interpreter's lock."""


@dataclass(frozen=True)
class Spans:
    """Exact intervals, as the recorder wrote them, ordered by start and then by depth; they nest."""

    stack: Int32
    """(spans,) the stack that the span is the top of."""
    start_ns: Int64
    """(spans,) nanoseconds on the profile's clock."""
    end_ns: Int64
    """(spans,) nanoseconds, never before the start."""
    unfinished: NDArray[np.bool_]
    """(spans,) whether the scope was still open when the record ended."""
    propagated: NDArray[np.bool_] | None = None
    """(spans,) whether the span stands for a scope of another track that sent the work inside it; None: none
    does. It shows where the work belongs, and its time is not counted again."""
    work: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """(spans,) each: numbers that scopes state, such as flops and bytes; NaN where a span has none."""

    def __len__(self) -> int:
        return len(self.stack)


@dataclass(frozen=True)
class Samples:
    """Stacks seen by a sampler, in chronological order; each represents the time until the next was seen.

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
    """(samples,) a number in `Profile.lines`, or `ROOT` where none of the program's own code was on the stack."""

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def count(self) -> Int64:
        """(samples,) how often each was seen: its ticks, or once."""
        return np.ones(len(self.stack), dtype=np.int64) if self.ticks is None else self.ticks.astype(np.int64)


SAMPLE_COLUMNS = ("ticks", "cpu_ns", "state", "line")
"""Those of samples that only some samplers know."""


@dataclass(frozen=True)
class LineStacks:
    """Stacks of the lines at which functions of the program's own were, without all other frames."""

    places: tuple[Frame, ...] = ()
    """Functions, each with one line of it; 0: unknown."""
    stacks: Stacks = NO_STACKS
    """Stacks over `places`."""

    def numbers(self, line: Int32) -> Int64:
        """Return the line on top of each of some stacks; 0: unknown, or `ROOT`."""
        of_place = np.array([place.line for place in self.places] + [0], dtype=np.int64)
        found: Int64 = of_place[np.append(self.stacks.frame, -1)[line]]
        return found


NO_LINES = LineStacks()
BYTES = "bytes"
"""The unit of a profile of memory."""


@dataclass(frozen=True)
class Counter:
    """The values of something that changes, in chronological order."""

    name: str
    at_ns: Int64
    value: NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """Moments at which something happened, in chronological order."""

    at_ns: Int64
    name: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """One thread, or asyncio task, of one process, in chronological order."""

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
    """One run of a program, as recorder and sampler saw it.

    Times are `int64` nanoseconds on one clock. `check` asserts what every transform must keep.
    """

    name: str
    frames: tuple[Frame, ...]
    stacks: Stacks
    tracks: tuple[Track, ...]
    start_ns: int
    end_ns: int
    recording: RecordingFacts = NO_RECORDING
    file: FileFacts = NO_FILE
    """Of a profile that was read from a file of another format."""
    attribution: Attribution | None = None
    """How many samples are under scopes; None: nobody has attributed them."""
    lines: LineStacks = NO_LINES
    """What `Samples.line` numbers."""
    resources: tuple[Resources, ...] = ()
    """Of each process of which the system's counts were read."""

    @property
    def unit(self) -> str:
        """What the weights of samples are: `ns`, or `BYTES` where the file facts say so; then `ticks` are blocks."""
        return BYTES if self.file.unit == BYTES else "ns"

    @property
    def counts_samples(self) -> bool:
        """Whether `Samples.count` is how many samples there were: files that merge equal stacks may not say."""
        sampled = [track.samples for track in self.tracks if track.samples is not None]
        return not self.file.is_merged or all(samples.ticks is not None for samples in sampled)

    @property
    def facts(self) -> Mapping[str, object]:
        """What is known beside the events, as one mapping to print: of the recording, the file and the attribution."""
        unknown = asdict(NO_RECORDING) | asdict(NO_FILE)
        known = asdict(self.recording) | asdict(self.file)
        found = {name: value for name, value in known.items() if value != unknown[name]}
        return found if self.attribution is None else found | {"attribution": asdict(self.attribution)}

    def check(self) -> Profile:
        """Return the profile itself, or raise `AssertionError` where it contradicts itself.

        Holds: parents stand before children, every index is in range, columns are of one length, times do
        not decrease, and the spans of a track nest, so that self time plus children's time is total time.
        """
        _check(self)
        return self


def _check(profile: Profile) -> None:
    """Raise `AssertionError` where a profile contradicts itself; also under `python -O`."""
    _check_stacks(profile)
    depth = depths(profile.stacks)
    for track in profile.tracks:
        where = f"track {track.name!r} of process {track.pid}"
        if track.spans is not None:
            _check_spans(profile, depth, track.spans, where)
        if track.samples is not None:
            _check_samples(profile, track.samples, where)
        _check_points(track, where)
    for resources in profile.resources:
        resources.check()


def _must(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def _check_stacks(profile: Profile) -> None:
    for stacks, frames in ((profile.stacks, profile.frames), (profile.lines.stacks, profile.lines.places)):
        _check_tree(stacks, len(frames))


def _check_tree(stacks: Stacks, frames: int) -> None:
    index = np.arange(len(stacks))
    _must(len(stacks.parent) == len(stacks.frame), "columns of stacks differ in length")
    _must(np.all((stacks.parent >= ROOT) & (stacks.parent < index)), "a stack comes before its parent")
    _must(np.all((stacks.frame >= 0) & (stacks.frame < frames)), "a stack names no frame")


def _check_spans(profile: Profile, stack_depth: Int32, spans: Spans, where: str) -> None:
    lengths = {len(spans.stack), len(spans.start_ns), len(spans.end_ns), len(spans.unfinished)}
    lengths |= {len(column) for column in spans.work.values()}
    lengths |= set() if spans.propagated is None else {len(spans.propagated)}
    _must(len(lengths) == 1, f"{where}: columns of spans differ in length")
    _must(np.all((spans.stack >= 0) & (spans.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(spans.start_ns <= spans.end_ns), f"{where}: a span ends before it starts")
    _must(np.all(spans.start_ns[1:] >= spans.start_ns[:-1]), f"{where}: spans are not ordered by start")
    if len(spans):
        _check_nesting(profile, stack_depth, spans, where)


def _check_nesting(profile: Profile, stack_depth: Int32, spans: Spans, where: str) -> None:
    """The stack of each span extends that of the span around it, ends within it, and begins behind its neighbour."""
    depth = stack_depth[spans.stack]
    nests = np.concatenate([depth[:1] == 0, depth[1:] <= depth[:-1] + 1])
    _none(~nests, where, "is not nested in the span around it")
    outer = around(depth)
    below = np.where(outer >= 0, spans.stack[outer], ROOT)
    nests = profile.stacks.parent[spans.stack] == below
    # Of two neighbours of one depth, in whatever they stand, the first is over before the second begins.
    order = np.argsort(depth.astype(np.uint16) if depth.max() < 1 << 16 else depth, kind="stable")
    first, second = order[:-1], order[1:]
    overlap = (spans.end_ns[first] > spans.start_ns[second]) & (depth[first] == depth[second])
    sticks_out = (outer >= 0) & (spans.end_ns > spans.end_ns[outer])
    if sticks_out.any():  # then whatever comes behind overlaps, and is not what is wrong
        overlap &= ~sticks_out[first]
    nests[second[overlap]] = False
    _none(~nests, where, "is not nested in the span around it")
    _none(sticks_out, where, "sticks out")


def _none(wrong: NDArray[np.bool_], where: str, what: str) -> None:
    if wrong.any():
        raise AssertionError(f"{where}: span {int(np.argmax(wrong))} {what}")


def _check_samples(profile: Profile, samples: Samples, where: str) -> None:
    optional = [getattr(samples, name) for name in SAMPLE_COLUMNS]
    lengths = {len(samples.stack), len(samples.at_ns), len(samples.weight_ns)}
    lengths |= {len(column) for column in optional if column is not None}
    _must(len(lengths) == 1, f"{where}: columns of samples differ in length")
    _must(np.all((samples.stack >= ROOT) & (samples.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(samples.weight_ns >= 0), f"{where}: a sample has a negative weight")
    for name, column in zip(SAMPLE_COLUMNS, optional, strict=True):
        least = ROOT if name == "line" else 0
        _must(column is None or np.all(column >= least), f"{where}: a sample has negative {name}")
    _must(samples.line is None or np.all(samples.line < len(profile.lines.stacks)), f"{where}: no such line")
    until = samples.at_ns + samples.weight_ns
    _must(
        np.all(until[:-1] <= samples.at_ns[1:]),
        f"{where}: samples overlap, or are not in chronological order",
    )


def _check_points(track: Track, where: str) -> None:
    series: list[tuple[str, Counter | Marks, int]] = [
        (f"counter {counter.name!r}", counter, len(counter.value)) for counter in track.counters
    ]
    if track.marks is not None:
        series.append(("marks", track.marks, len(track.marks.name)))
    for what, points, length in series:
        _must(len(points.at_ns) == length, f"{where}: columns of {what} differ in length")
        _must(
            np.all(points.at_ns[1:] >= points.at_ns[:-1]), f"{where}: {what} are not in chronological order"
        )
