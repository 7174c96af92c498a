"""Scopes of asyncio tasks that no line shows: which task a sample is of, neither lines nor time tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.places import Places, last_part
from workbench.profile import Frame, Profile, Track


@dataclass(frozen=True)
class TaskScopes:
    """When any such scope was open on a thread, and of which names they are."""

    start_ns: NDArray[np.int64]
    """(scopes,) in order"""
    end_ns: NDArray[np.int64]
    """(scopes,) when the last of all those up to each ended"""
    codes: frozenset[tuple[str, str]]
    """The file and the last part of the name of each function that opens one"""
    anywhere: bool
    """Whether there is one of which it is unknown where it is opened"""

    @classmethod
    def of(cls, recording: Profile, tracks: Sequence[Track], places: Places) -> TaskScopes:
        """Return those of the tasks that ran on one thread."""
        name = np.array([frame.name for frame in recording.frames], dtype=object)
        is_hidden = np.array([each not in places.exact for each in name], dtype=np.bool_)
        starts, ends = [], []
        names: set[str] = set()
        for spans in (track.spans for track in tracks):
            if spans is not None:
                frame = recording.stacks.frame[spans.stack]
                hidden = is_hidden[frame]
                starts.append(spans.start_ns[hidden])
                ends.append(spans.end_ns[hidden])
                names.update(name[np.unique(frame[hidden])])
        if not names:
            nothing = np.zeros(0, dtype=np.int64)
            return cls(nothing, nothing, frozenset(), anywhere=False)
        own = [places.of_name.get(each, ()) for each in names]
        codes = frozenset((place.file, last_part(place.function)) for each in own for place in each)
        start, end = np.concatenate(starts), np.concatenate(ends)
        order = np.argsort(start, kind="stable")
        return cls(start[order], np.maximum.accumulate(end[order]), codes, not all(own))

    def any_open(self, low_ns: NDArray[np.int64], high_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (times,) whether any was open at some time between two."""
        if not len(self.start_ns):
            return np.zeros(len(low_ns), dtype=np.bool_)
        last = np.searchsorted(self.start_ns, high_ns, side="right") - 1
        return (last >= 0) & (self.end_ns[last] >= low_ns)

    def may_be_on(self, frames: Sequence[Frame]) -> bool:
        """Return whether a stack has code that opens one of them; where that is unknown, any has."""
        return self.anywhere or any((frame.file, last_part(frame.name)) in self.codes for frame in frames)
