"""Made-up programs: what their code is, which scopes were open when, and what a sampler saw of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from workbench.capture.placement import Clock, merge, tie_clocks
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    Samples,
    SpanRecord,
    Spans,
)
from workbench.scopes import _carry, _decorate, _pulses

FILE = "program.py"
FILES = {"carry": _carry.__file__, "decorate": _decorate.__file__, "pulses": _pulses.FILE}
GAP_NS = 10_000_000


def ns(ms: float) -> int:
    return round(ms * 1e6)


@dataclass
class Thread:
    name: str
    pid: int
    tid: int
    native: int | None
    task: str | None
    spans: list[tuple[float, float, str, bool]] = field(default_factory=list)
    looks: list[tuple[float, str]] = field(default_factory=list)


class Program:
    """Places, threads with scopes and looks; all times in milliseconds.

    A stack is text: `main:3 work:12 [sum]` is line 3 of `main`, line 12 of `work` and a native frame; `carry!call:3`
    is a frame in our own file.
    """

    def __init__(self) -> None:
        self.places: list[list[object]] = []
        self.threads: list[Thread] = []

    def place(
        self,
        name: str,
        function: str,
        first: int,
        last: int,
        use: str = "with",
        *,
        suspends: bool = False,
    ) -> None:
        self.places.append([name, FILE, first, last, function, use, suspends])

    def thread(
        self,
        name: str = "MainThread",
        *,
        pid: int = 1,
        tid: int = 7,
        native: int | None = None,
        task: str | None = None,
    ) -> Thread:
        self.threads.append(Thread(name, pid, tid, native, task))
        return self.threads[-1]

    @property
    def recording(self) -> Profile:
        builder = ProfileBuilder("run")
        facts = []
        for thread in self.threads:
            if not thread.spans:
                continue
            records = [
                SpanRecord(ns(start), ns(end), depth_of(thread.spans, i), Frame(name, kind=FrameKind.SCOPE))
                for i, (start, end, name, _) in enumerate(thread.spans)
            ]
            spans = builder.spans(records)
            order = sorted(range(len(records)), key=lambda i: (records[i].start_ns, records[i].depth))
            carried = np.array([thread.spans[i][3] for i in order])
            if carried.any():
                spans = Spans(spans.stack, spans.start_ns, spans.end_ns, spans.unfinished, carried)
            builder.add_track(thread.name, pid=thread.pid, tid=thread.tid, spans=spans)
            facts.append([thread.native, thread.task])
        return builder.build({"places": self.places, "threads": facts}).check()

    @property
    def sampled(self) -> Profile:
        """What a sampler saw, each stack until the next look of its thread, the last one for a gap."""
        builder = ProfileBuilder("sampled")
        natives = []
        for thread in self.threads:
            if not thread.looks:
                continue
            looks = sorted(thread.looks)
            at = [ns(time) for time, _ in looks]
            weight = np.diff(at, append=at[-1] + GAP_NS).tolist()
            stacks = [builder.stack_of(frames_of(text)) if text else ROOT for _, text in looks]
            builder.add_track(
                thread.name,
                pid=thread.pid,
                tid=thread.tid,
                samples=builder.samples(stacks, at, weight),
            )
            natives.append(thread.native or 0)
        return builder.build({"native_ids": natives}).check()

    def merged(self, clock: Clock | None = None, **options: object) -> Profile:
        """Return the merged profile: every look is one sample unless told otherwise."""
        options.setdefault("changes_alone", False)
        return merge(self.sampled, self.recording, clock or Clock.same(GAP_NS), **options).check()  # type: ignore[arg-type]

    def stacks(self, clock: Clock | None = None, **options: object) -> list[str]:
        """Return the stacks of all samples, thread by thread: `main / {fit} / work`."""
        return stacks_of(self.merged(clock, **options))


def depth_of(spans: list[tuple[float, float, str, bool]], i: int) -> int:
    """Return how many of the spans before one hold it."""
    start, end, *_ = spans[i]
    return sum(first <= start and end <= last for first, last, *_ in spans[:i])


def frames_of(text: str) -> list[Frame]:
    return [frame_of(word) for word in text.split()]


def frame_of(word: str) -> Frame:
    if word.startswith("["):
        return Frame(word.strip("[]"), "lib.so", 0, FrameKind.NATIVE)
    match = re.fullmatch(r"(?:(\w+)!)?([^:]+)(?::(\d+))?", word)
    assert match is not None
    return Frame(match[2], FILES.get(match[1], FILE), int(match[3] or 0))


def shown(profile: Profile, stack: int) -> str:
    frames = (profile.frames[i] for i in profile.stacks.path(stack))
    return " / ".join(f"{{{f.name}}}" if f.kind is FrameKind.SCOPE else f.name for f in frames)


def stacks_of(profile: Profile) -> list[str]:
    return [
        shown(profile, stack)
        for track in profile.tracks
        if track.samples is not None
        for stack in track.samples.stack.tolist()
    ]


@dataclass(frozen=True)
class Sampler:
    """A sampler of one thread that keeps changes alone, as py-spy does, with its faults.

    Its stamp of a look at t is `t + late(t) - epoch`, and its clock loses `drift` in each.
    """

    gap_ns: int = 5_000_000
    epoch_ns: int = 123_456_789_012
    regular: bool = False
    """Whether gaps are alike, but for a jitter of a tenth; py-spy's are exponentially distributed."""
    late_ns: int = 200_000
    """Mean of an exponential."""
    drift: float = 0.0
    seed: int = 0

    def looks(self, start_ns: int, end_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Return when it looked, truly, and its stamps."""
        random = np.random.default_rng(self.seed)
        count = int(1.5 * (end_ns - start_ns) / self.gap_ns) + 20
        if self.regular:
            gaps = self.gap_ns + random.integers(-self.gap_ns // 10, self.gap_ns // 10 + 1, count)
        else:
            gaps = random.exponential(self.gap_ns, count).astype(np.int64)
        true = start_ns + random.integers(0, self.gap_ns) + np.cumsum(gaps)
        true = true[true < end_ns]
        late = random.exponential(self.late_ns, len(true)).astype(np.int64) if self.late_ns else 0
        stamps = true + late - self.epoch_ns - np.rint((true - start_ns) * self.drift).astype(np.int64)
        return true, np.maximum.accumulate(stamps)

    def samples(
        self, builder: ProfileBuilder, text_at: Callable[[np.ndarray], list[str]], start_ns: int, end_ns: int
    ) -> tuple[Samples, np.ndarray, np.ndarray]:
        """Return the changes that it saw, with the true times and stamps of all looks."""
        true, stamps = self.looks(start_ns, end_ns)
        texts = text_at(true)
        first = [i for i, text in enumerate(texts) if not i or text != texts[i - 1]]
        at = stamps[first]
        weight = np.diff(at, append=stamps[-1] + self.gap_ns)
        stacks = [builder.stack_of(frames_of(texts[i])) for i in first]
        return builder.samples(stacks, at.tolist(), weight.tolist()), true, stamps


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def sampler() -> type[Sampler]:
    return Sampler


class Run:
    """A program that goes from one block to the next at random times, after pulses, seen by a sampler.

    It is on another line at each look, or, where it is not changing, on one line of each block.
    """

    def __init__(
        self,
        sampler: Sampler,
        *,
        seconds: float = 10,
        shortest_ms: float = 3,
        longest_ms: float = 60,
        pulses: int = 5,
        scopes: bool = True,
        changing: bool = True,
        seed: int = 1,
    ) -> None:
        random = np.random.default_rng(seed)
        self.start_ns = 900_000_000_000
        reached = self.start_ns + np.cumsum(random.integers(ns(6), ns(7), pulses)) if pulses else np.zeros(0)
        self.pulses = [int(each) for each in reached]
        begin = (self.pulses[-1] if pulses else self.start_ns) + ns(6.5)
        end = self.start_ns + round(seconds * 1e9)
        lasts = random.integers(ns(shortest_ms), ns(longest_ms), round(seconds * 1e3 / shortest_ms))
        edges = begin + np.cumsum(lasts)
        self.edges = np.concatenate([[begin], edges[edges < end]])
        kind = np.arange(len(self.edges)) % 3  # none, a, b
        builder = ProfileBuilder("run")
        records = [
            SpanRecord(int(start), int(stop), 0, Frame("ab"[k - 1], kind=FrameKind.SCOPE))
            for start, stop, k in zip(self.edges[:-1], self.edges[1:], kind, strict=False)
            if k
        ]
        if scopes:
            builder.add_track("MainThread", pid=1, tid=7, spans=builder.spans(records))
        places = [["a", FILE, 10, 12, "main", "with", False], ["b", FILE, 20, 22, "main", "with", False]]
        self.recording = builder.build(
            {"places": places, "threads": [[None, None]] if scopes else []}
        ).check()
        moments = np.concatenate([[0], self.pulses, self.edges]).astype(np.int64)
        texts = ["boot:1", *(f"pulses!pulse_{i}:30" for i in range(pulses))]
        texts += [("main:5", "main:11", "main:21")[k] for k in kind]
        other = {"main:5": "main:6", "main:11": "main:12", "main:21": "main:22"} if changing else {}

        def text_at(true: np.ndarray) -> list[str]:
            seen = [texts[i] for i in np.searchsorted(moments, true, side="right") - 1]
            return [other.get(text, text) if i % 2 else text for i, text in enumerate(seen)]

        seen = ProfileBuilder("sampled")
        samples, self.true, self.stamps = sampler.samples(seen, text_at, self.start_ns, end)
        seen.add_track("MainThread", pid=1, tid=7, samples=samples)
        self.sampled = seen.build({"native_ids": [0]}).check()
        self.clock = tie_clocks(self.sampled, self.recording, self.pulses, sampler.gap_ns)[1]
        self.off_ns = self.clock.at(self.stamps) - self.true
        """How late each look is on the clock that was found."""

    def differences(self) -> np.ndarray:
        """Return how late each change of the program is seen, on the clock that was found."""
        after = np.searchsorted(self.true, self.edges[:-1])
        seen = (after < len(self.true)) & (self.true[np.minimum(after, len(self.true) - 1)] < self.edges[1:])
        return self.clock.at(self.stamps[after[seen]]) - self.edges[:-1][seen]


@pytest.fixture
def run() -> type[Run]:
    return Run


@pytest.fixture(scope="module")
def program_class() -> type[Program]:
    return Program
