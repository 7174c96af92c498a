"""The events and open levels of a track, as columns, and what of them is of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.capture.log_files import EVENT
from workbench.scopes import _layout as layout

LATEST_NS = np.iinfo(np.int64).max
NOT_SCOPES = layout.FLAG_VALUE | layout.FLAG_COUNTER | layout.FLAG_MARK


@dataclass(frozen=True)
class Events:
    """The completed events of a track, in columns: those whose end, which is written last, is there."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    name: NDArray[np.uint32]
    depth: NDArray[np.uint16]
    flags: NDArray[np.uint16]

    @classmethod
    def of(cls, chunks: list[NDArray[np.void]]) -> Events:
        """Return the events of a track's chunks; times are read as signed numbers."""
        # Few chunks are not full, so that what is not there is left out before all are put together.
        chunks = [chunk if len(chunk) and chunk["end"][-1] else chunk[chunk["end"] != 0] for chunk in chunks]
        chunks = chunks or [np.empty(0, EVENT)]
        start, end, name, depth, flags = (
            np.concatenate([chunk[column] for chunk in chunks])
            for column in ("start", "end", "name", "depth", "flags")
        )
        events = cls(start.view(np.int64), end.view(np.int64), name, depth, flags)
        return events if events.end.all() else events.rows(events.end != 0)

    def rows(self, index: NDArray[Any]) -> Events:
        """Return some of the events, by a mask or by their indices."""
        return Events(
            self.start[index], self.end[index], self.name[index], self.depth[index], self.flags[index]
        )


def still_open(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the open levels, outermost first: they opened in that order, whatever order their chunks have."""
    levels: NDArray[np.void] = np.concatenate(chunks)
    levels = levels[levels["start"] != 0]
    return levels[np.argsort(levels["start"], kind="stable")]


def last_in_time(events: Events, levels: NDArray[np.void], until_ns: int) -> int:
    """Return when the last scope ended that had begun on a track before its recording did, but not before that."""
    if until_ns == LATEST_NS or (len(levels) and levels["start"][0] <= until_ns):
        return LATEST_NS
    scope = (events.flags & NOT_SCOPES) == 0
    open_then = scope & (events.depth == 0) & (events.start <= until_ns)
    return max(until_ns, int(events.end[open_then].max(initial=0)))


def in_time(events: Events, levels: NDArray[np.void], until_ns: int) -> tuple[Events, NDArray[np.void], int]:
    """Return what began on a track before its recording ended, and how many scopes and points did not.

    What is inside of a scope that began in time is kept with it, so that every scope is whole.
    """
    until_ns = last_in_time(events, levels, until_ns)
    if until_ns == LATEST_NS:
        return events, levels, 0
    scope = (events.flags & NOT_SCOPES) == 0
    late = np.where(scope, events.start, events.end) > until_ns
    # The numbers that a guard carries stand before its event, which decides.
    values = np.flatnonzero((events.flags & layout.FLAG_VALUE) != 0)
    owner = np.searchsorted(np.flatnonzero(scope), values)
    late[values] = np.append(late[scope], np.True_)[owner]
    count = int(np.count_nonzero(late)) - int(np.count_nonzero(late[values])) + len(levels)
    return events.rows(~late), levels[:0], count
