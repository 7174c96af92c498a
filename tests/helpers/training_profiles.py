"""Profiles of training runs made by hand: scopes and samples under them, with workers and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord

MS = 1_000_000
GAP = 10 * MS
SCOPES = ("fit", "epoch", "compute jacobian", "columns", "predict", "activation")


def frame(word: str) -> Frame:
    """Return a frame: `~name` waits, `=name` is native, a scope is known by its name, all else is Python's."""
    kinds = {"~": FrameKind.IDLE, "=": FrameKind.NATIVE}
    if word[0] in kinds:
        return Frame(word[1:], kind=kinds[word[0]])
    return Frame(word, kind=FrameKind.SCOPE if word in SCOPES or word[0] == "(" else FrameKind.PYTHON)


class TrainingProfile:
    """Puts threads together, each with spans and with samples one after the other."""

    def __init__(self) -> None:
        self.builder = ProfileBuilder("by hand")
        self.threads = 0

    def thread(
        self,
        spans: Sequence[tuple[int, int, str]] = (),
        samples: Sequence[tuple[int, str]] = (),
        *,
        propagated: Sequence[str] = (),
        at_ns: int = 0,
        weights_ns: Sequence[int] = (),
    ) -> TrainingProfile:
        """Add a thread: spans as (start, end, name) in ms, samples as (how many, stack of words)."""
        records = [
            SpanRecord(start * MS, end * MS, depth, frame(name))
            for depth, (start, end, name) in enumerate(spans)
        ]
        made = self.builder.spans(records) if spans else None
        if made is not None and propagated:
            names = [f.name for f in self.builder.frames()]
            tops = [names[frame] for frame in self.builder.stacks.stacks().frame[made.stack].tolist()]
            made = replace(made, propagated=np.array([top in propagated for top in tops]))
        stack = [
            self.builder.stack_of(map(frame, words.split(" > ")))
            for count, words in samples
            for _ in range(count)
        ]
        at = [at_ns + GAP * i for i in range(len(stack))]
        samples = self.builder.samples(stack, at, list(weights_ns) or [GAP] * len(stack)) if samples else None
        self.threads += 1
        self.builder.add_track(f"t{self.threads}", pid=1, tid=self.threads, spans=made, samples=samples)
        return self

    def build(self) -> Profile:
        """Return the profile."""
        return self.builder.build().check()


J = "fit > epoch > step > compute jacobian"
SPANS = [(0, 1000, "fit"), (0, 1000, "epoch"), (0, 800, "compute jacobian")]


def serial(tanh: int = 60) -> Profile:
    """Return a training that computes columns itself; 100 samples inside them, and 20 elsewhere.

    Samples see too little of tanh: by the recorder its share is 5 points larger.
    """
    return (
        TrainingProfile()
        .thread(
            [*SPANS, (0, 800, "columns"), (0, 8 * (tanh + 5), "activation")],
            [
                (tanh - 10, f"{J} > columns > predict > activation > =tanh_v4"),
                (7, f"{J} > columns > predict > activation > =loop"),
                (3, f"{J} > columns > predict > activation > np.tanh"),
                (100 - tanh, f"{J} > columns > predict > =dgemm"),
                (5, "fit > epoch > predict > activation > =tanh_v4"),
                (5, f"{J} > assemble"),
                (5, "start"),
                (5, "(not attributable by line) > start"),
            ],
        )
        .build()
    )


def parallel() -> Profile:
    """Return a training whose columns two threads compute, while the first one waits."""
    made = TrainingProfile().thread(
        SPANS, [(90, f"{J} > ~acquire"), (10, f"{J} > send"), (20, "fit > epoch > solve")]
    )
    propagated = ("fit", "epoch", "compute jacobian")
    for _ in range(2):
        made.thread(
            [*((100, 700, name) for name in propagated), (100, 600, "columns")],
            [
                (30, f"{J} > columns > predict > activation > =tanh_v4"),
                (10, f"{J} > columns > predict > ~take_gil"),
                (10, f"{J} > unpack"),
                (40, "worker > ~get"),
            ],
            propagated=propagated,
            at_ns=100 * MS,
        )
    return made.build()
