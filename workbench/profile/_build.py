"""Making a profile: interning frames and stacks, and nesting recorded intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from workbench.profile._record import ROOT, Counter, Frame, Marks, Profile, Samples, Spans, Stacks, Track


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
        self._stacks: dict[tuple[int, int], int] = {}
        self._tracks: list[Track] = []

    def frame(self, frame: Frame) -> int:
        """Return the index of a frame."""
        return self._frames.setdefault(frame, len(self._frames))

    def frames(self) -> list[Frame]:
        """Return all frames so far, in the order of their indices."""
        return list(self._frames)

    def stack(self, parent: int, frame: int) -> int:
        """Return the index of the stack with `frame` on top of the stack `parent`."""
        return self._stacks.setdefault((parent, frame), len(self._stacks))

    def stack_of(self, frames: Iterable[Frame]) -> int:
        """Return the index of a stack given as frames, root first; `ROOT` for none."""
        stack = ROOT
        for frame in frames:
            stack = self.stack(stack, self.frame(frame))
        return stack

    def spans(self, records: Iterable[SpanRecord]) -> Spans:
        """Return recorded intervals of one track as spans that nest.

        The innermost span that is open when another starts is its parent; depths decide only where one
        ends at the instant at which the other starts. A child that outlives its parent, which happens
        where guards were closed out of order, is cut at the parent's end and counted in `misnested`.
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
        """Return columns of samples, which must be in time order."""
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

    def build(self, facts: Mapping[str, object] | None = None) -> Profile:
        """Return the profile of what was added; it starts and ends with its earliest and latest event."""
        starts = [int(t.spans.start_ns[0]) for t in self._tracks if t.spans is not None and len(t.spans)]
        ends = [int(t.spans.end_ns.max()) for t in self._tracks if t.spans is not None and len(t.spans)]
        for track in self._tracks:
            if track.samples is not None and len(track.samples):
                starts.append(int(track.samples.at_ns[0]))
                ends.append(int((track.samples.at_ns + track.samples.weight_ns).max()))
            points = [counter.at_ns for counter in track.counters]
            for at_ns in points if track.marks is None else [*points, track.marks.at_ns]:
                if len(at_ns):
                    starts.append(int(at_ns[0]))
                    ends.append(int(at_ns[-1]))
        keys = np.array(list(self._stacks), dtype=np.int32).reshape(-1, 2)
        return Profile(
            name=self.name,
            frames=tuple(self._frames),
            stacks=Stacks(parent=keys[:, 0].copy(), frame=keys[:, 1].copy()),
            tracks=tuple(self._tracks),
            start_ns=min(starts, default=0),
            end_ns=max(ends, default=0),
            facts=dict(facts or {}),
        )
