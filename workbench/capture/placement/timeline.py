"""Which scopes were open on a thread at every moment, as intervals between changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.places import Places
from workbench.formats._sampled_spans import samples_of_spans
from workbench.profile import ROOT, FrameKind, Profile, Track
from workbench.profile._stacks import depths

BEGIN = np.iinfo(np.int64).min


class Open(NamedTuple):
    """A scope that is open, and whether only time can tell that it is: lines do not show it."""

    name: str
    stack: int
    """In the recording."""
    by_time: bool
    carried: bool


State = tuple[Open, ...]
"""The scopes that are open at one time, outermost first."""


@dataclass(frozen=True)
class Timeline:
    """A thread's intervals, each with the state from its edge to the next."""

    edges: NDArray[np.int64]
    """(intervals,) when each begins; the first is before all time."""
    state: NDArray[np.int64]
    """(intervals,) index into `states`"""
    states: Sequence[State]
    begun_stack: NDArray[np.int64]
    """(spans,) of all scopes of the thread, in order"""
    begun_ns: NDArray[np.int64]
    """(spans,) when each was opened, in order for each stack"""

    @property
    def timed(self) -> NDArray[np.int64]:
        """(intervals,) a number that is the same where the scopes that only time shows are."""
        return self._numbered([tuple(o.stack for o in state if o.by_time) for state in self.states])

    def _numbered(self, keys: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
        number: dict[tuple[int, ...], int] = {}
        return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)[self.state]

    def begun(self, stack: int, time_ns: int) -> int | None:
        """Return when a scope was opened that was open at a time, or last opened before it."""
        first, behind = np.searchsorted(self.begun_stack, [stack, stack + 1])
        place = int(np.searchsorted(self.begun_ns[first:behind], time_ns, side="right")) - 1
        return int(self.begun_ns[first + place]) if place >= 0 else None

    def at(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (times,) the interval that each time is in."""
        return np.searchsorted(self.edges, time_ns, side="right") - 1


def changes(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (values,) how often the value had changed up to each."""
    return np.concatenate([[0], np.cumsum(values[1:] != values[:-1])])


def opened_on(recording: Profile, tracks: Sequence[Track]) -> frozenset[str]:
    """Return the names of all scopes that were ever open on some tracks."""
    names: set[str] = set()
    for spans in (track.spans for track in tracks):
        if spans is not None:
            used = np.unique(recording.stacks.frame[np.unique(spans.stack)])
            names.update(recording.frames[i].name for i in used.tolist())
    return frozenset(names)


class Timelines:
    """Makes the timelines of a recording's threads."""

    def __init__(self, recording: Profile, places: Places) -> None:
        self.recording = recording
        self._places = places
        self._depth = depths(recording.stacks)

    def of(self, tracks: Sequence[Track]) -> Timeline:
        """Return the timeline of one thread, which may have been several, one after the other."""
        lanes = [self._lane(track) for track in tracks if track.spans is not None and len(track.spans)]
        if not lanes:
            nothing = np.zeros(0, dtype=np.int64)
            return Timeline(np.array([BEGIN]), np.zeros(1, dtype=np.int64), ((),), nothing, nothing)
        edges = lanes[0][0] if len(lanes) == 1 else np.unique(np.concatenate([lane[0] for lane in lanes]))
        tops = np.stack([top[np.searchsorted(at, edges, side="right") - 1] for at, top in lanes], axis=1)
        if len(lanes) == 1:
            distinct, state = np.unique(tops[:, 0], return_inverse=True)
            distinct = distinct[:, None]
        else:
            distinct, state = np.unique(tops, axis=0, return_inverse=True)
        carried = self._carried(tracks)
        states = tuple(
            tuple(each for top in row for each in self._state(top, carried)) for row in distinct.tolist()
        )
        spans = [track.spans for track in tracks if track.spans is not None]
        stack = np.concatenate([each.stack for each in spans]).astype(np.int64)
        start = np.concatenate([each.start_ns for each in spans])
        order = np.lexsort((start, stack))
        return Timeline(edges, state.reshape(-1).astype(np.int64), states, stack[order], start[order])

    def _lane(self, track: Track) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (edges, the stack on top from each edge on)."""
        assert track.spans is not None
        seen = samples_of_spans(track.spans, self._depth[track.spans.stack])
        until = seen.at_ns + seen.weight_ns
        gap = np.append(until[:-1] < seen.at_ns[1:], True) if len(until) else np.zeros(0, dtype=np.bool_)
        edges = np.concatenate([[BEGIN], seen.at_ns, until[gap]])
        tops = np.concatenate([[ROOT], seen.stack, np.full(int(gap.sum()), ROOT)]).astype(np.int64)
        order = np.argsort(edges, kind="stable")
        return edges[order], tops[order]

    def _carried(self, tracks: Sequence[Track]) -> frozenset[int]:
        """Return the stacks that stand for scopes of another track on some tracks: there, lines show none of them."""
        found: set[int] = set()
        for spans in (track.spans for track in tracks):
            if spans is not None and spans.carried is not None:
                found.update(np.unique(spans.stack[spans.carried]).tolist())
        return frozenset(found)

    def _state(self, top: int, carried: frozenset[int]) -> State:
        state: list[Open] = []
        stack = top
        while stack != ROOT:
            frame = self.recording.frames[int(self.recording.stacks.frame[stack])]
            if frame.kind is FrameKind.SCOPE:
                is_carried = stack in carried
                by_time = is_carried or frame.name not in self._places.exact
                state.append(Open(frame.name, stack, by_time, is_carried))
            stack = int(self.recording.stacks.parent[stack])
        return tuple(reversed(state))
