"""Making a profile: interning frames and stacks, and nesting recorded intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from workbench.profile._facts import NO_RECORDING, Attribution, FileFacts, RecordingFacts
from workbench.profile._record import Counter, Frame, LineStacks, Marks, Profile, Samples, Spans, Track
from workbench.profile.row_selection import extent, with_stacks
from workbench.profile.stacks import ROOT, StackTable


class SpanRecord(NamedTuple):
    """One interval as it was recorded on a track, before it is placed in the tree."""

    start_ns: int
    end_ns: int
    depth: int
    frame: Frame
    unfinished: bool = False


class ProfileBuilder:
    """Collects frames, stacks and tracks, each distinct frame and stack once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.misnested = 0
        """Spans that ended after the span they had begun in; their ends were cut to nest."""
        self._frames: dict[Frame, int] = {}
        self.stacks = StackTable()
        self._places: dict[Frame, int] = {}
        self.line_stacks = StackTable()
        self._tracks: list[Track] = []

    def frame(self, frame: Frame) -> int:
        """Return the index of a frame."""
        return self._frames.setdefault(frame, len(self._frames))

    def frames(self) -> list[Frame]:
        """Return all frames so far, in the order of their indices."""
        return list(self._frames)

    def stack(self, parent: int, frame: int) -> int:
        """Return the index of the stack with `frame` on top of the stack `parent`."""
        return self.stacks.add(parent, frame)

    def stack_of(self, frames: Iterable[Frame]) -> int:
        """Return the index of a stack given as frames, root first; `ROOT` for none."""
        return self.stacks.path([self.frame(frame) for frame in frames])

    def place(self, function: Frame) -> int:
        """Return the number of a line of one of the program's own functions, in `line_stacks`."""
        return self._places.setdefault(function, len(self._places))

    def line_stack_of(self, functions: Iterable[Frame]) -> int:
        """Return the number of a stack of lines, root first, for `Samples.line`; `ROOT` for none."""
        return self.line_stacks.path([self.place(function) for function in functions])

    def spans(self, records: Iterable[SpanRecord]) -> Spans:
        """Return recorded intervals of one track as spans that nest.

        The innermost span that is open when another starts is its parent; depths decide only where one
        ends at the instant at which the other starts. A child that outlives its parent, which happens
        where scopes were closed out of order, is cut at the parent's end and counted in `misnested`.
        """
        ordered = sorted(records, key=lambda r: (r.start_ns, r.depth))
        stacks: list[int] = []
        ends: list[int] = []
        open_spans: list[tuple[int, int, int]] = []  # stack, end, depth
        for record in ordered:
            while open_spans and (
                open_spans[-1][1] < record.start_ns
                or (open_spans[-1][1] == record.start_ns and open_spans[-1][2] >= record.depth)
            ):
                open_spans.pop()
            parent, limit, _ = open_spans[-1] if open_spans else (ROOT, record.end_ns, 0)
            end = record.end_ns
            if end > limit:
                self.misnested += 1
                end = limit
            stack = self.stack(parent, self.frame(record.frame))
            open_spans.append((stack, end, record.depth))
            stacks.append(stack)
            ends.append(end)
        return Spans(
            stack=np.array(stacks, dtype=np.int32),
            start_ns=np.array([r.start_ns for r in ordered], dtype=np.int64),
            end_ns=np.array(ends, dtype=np.int64),
            unfinished=np.array([r.unfinished for r in ordered], dtype=np.bool_),
        )

    @staticmethod
    def samples(stack: list[int], at_ns: list[int], weight_ns: list[int]) -> Samples:
        """Return columns of samples, which must be chronological."""
        return Samples(
            stack=np.array(stack, dtype=np.int32),
            at_ns=np.array(at_ns, dtype=np.int64),
            weight_ns=np.array(weight_ns, dtype=np.int64),
        )

    def add_track(
        self,
        name: str,
        *,
        pid: int,
        tid: int,
        process: str = "",
        spans: Spans | None = None,
        samples: Samples | None = None,
        counters: tuple[Counter, ...] = (),
        marks: Marks | None = None,
    ) -> None:
        """Add one thread's or task's record."""
        self.add(Track(name, pid, tid, process, spans, samples, counters, marks))

    def add(self, track: Track) -> None:
        """Add a track whose stacks are this builder's."""
        self._tracks.append(track)

    def build(
        self, recording: RecordingFacts = NO_RECORDING, attribution: Attribution | None = None
    ) -> Profile:
        """Return the profile of what was added; it starts and ends with its earliest and latest event."""
        start_ns, end_ns = extent(self._tracks) or (0, 0)
        return Profile(
            self.name,
            tuple(self._frames),
            self.stacks.stacks(),
            tuple(self._tracks),
            start_ns,
            end_ns,
            recording,
            attribution=attribution,
            lines=LineStacks(tuple(self._places), self.line_stacks.stacks()),
        )


def profile_of(
    stacks: StackTable,
    name: str,
    frames: Sequence[Frame],
    tracks: Sequence[Track],
    bounds: tuple[int, int],
    file: FileFacts,
) -> Profile:
    """Return the profile of tracks over stacks of a file's own frames, which may be known only now.

    Frames of different numbers that are equal become one, and so do stacks of them.

    Raises:
        ValueError: A stack's frame is none of `frames`.
    """
    distinct: dict[Frame, int] = {}
    of_number = [distinct.setdefault(frame, len(distinct)) for frame in frames]
    found = stacks.stacks()
    wrong = (found.frame < 0) | (found.frame >= len(frames))
    if wrong.any():
        number = int(found.frame[int(np.argmax(wrong))])
        raise ValueError(f"a stack holds frame {number}, and there are {len(frames)} frames")
    if len(distinct) < len(frames):
        merged = StackTable()
        numbers = merged.add_all(found, of_number)
        found, tracks = merged.stacks(), [with_stacks(track, numbers) for track in tracks]
    return Profile(name, tuple(distinct), found, tuple(tracks), *bounds, file=file)
