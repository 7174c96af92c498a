"""A track's events and open levels, and the scopes, counters and marks that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import EVENT, MAX_TIME_NS, NOT_SCOPES, ProcessLog
from workbench.eventlog.nesting import Scopes
from workbench.profile import Counter, Marks
from workbench.scopes import layout


@dataclass(frozen=True)
class TrackEvents:
    """The completed events of a track, in columns. The end is written last, so an event with an end is complete."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    name: NDArray[np.uint32]
    depth: NDArray[np.uint16]
    flags: NDArray[np.uint16]

    @classmethod
    def of(cls, chunks: list[NDArray[np.void]]) -> TrackEvents:
        """Return the events of a track's chunks, with times as signed numbers."""
        # Few chunks have empty rows, so these are removed before concatenation.
        chunks = [chunk if len(chunk) and chunk["end"][-1] else chunk[chunk["end"] != 0] for chunk in chunks]
        chunks = chunks or [np.empty(0, EVENT)]
        start, end, name, depth, flags = (
            np.concatenate([chunk[column] for chunk in chunks])
            for column in ("start", "end", "name", "depth", "flags")
        )
        events = cls(start.view(np.int64), end.view(np.int64), name, depth, flags)
        return events if events.end.all() else events.rows(events.end != 0)

    def rows(self, index: NDArray[Any]) -> TrackEvents:
        """Return some of the events, by mask or indices."""
        return TrackEvents(
            self.start[index], self.end[index], self.name[index], self.depth[index], self.flags[index]
        )


def still_open(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the open levels in the order in which they opened, outermost first."""
    levels: NDArray[np.void] = np.concatenate(chunks)
    levels = levels[levels["start"] != 0]
    return levels[np.argsort(levels["start"], kind="stable")]


def last_in_time(events: TrackEvents, levels: NDArray[np.void], until_ns: int) -> int:
    """Return when the last scope ended that began on a track before `until_ns`, or `until_ns` itself."""
    if until_ns == MAX_TIME_NS or (len(levels) and levels["start"][0] <= until_ns):
        return MAX_TIME_NS
    scope = (events.flags & NOT_SCOPES) == 0
    open_then = scope & (events.depth == 0) & (events.start <= until_ns)
    return max(until_ns, int(events.end[open_then].max(initial=0)))


def in_time(
    events: TrackEvents, levels: NDArray[np.void], until_ns: int
) -> tuple[TrackEvents, NDArray[np.void], int]:
    """Return what began on a track before its recording ended, and the number of later scopes and points.

    Everything inside a scope that began in time is kept, so that every scope is whole.
    """
    until_ns = last_in_time(events, levels, until_ns)
    if until_ns == MAX_TIME_NS:
        return events, levels, 0
    scope = (events.flags & NOT_SCOPES) == 0
    late = np.where(scope, events.start, events.end) > until_ns
    # A scope's numbers precede its event and are kept or dropped with it.
    values = np.flatnonzero((events.flags & layout.FLAG_VALUE) != 0)
    owner = np.searchsorted(np.flatnonzero(scope), values)
    late[values] = np.append(late[scope], np.True_)[owner]
    count = int(np.count_nonzero(late)) - int(np.count_nonzero(late[values])) + len(levels)
    return events.rows(~late), levels[:0], count


@dataclass(frozen=True)
class TrackScopes:
    """The valid scopes of a track."""

    scopes: Scopes
    strange: int
    """Events that were left out because they are damaged."""
    elsewhere: int
    """Scopes that stayed open because another thread or task closed them."""


def scopes_of(log: ProcessLog, events: TrackEvents, levels: NDArray[np.void], last: int) -> TrackScopes:
    """Return a track's closed and open scopes in closing order; open ones end at the time `last`."""
    known = log.has_name
    strange = 0
    work: dict[str, NDArray[np.float64]] = {}
    kinds = events.flags & NOT_SCOPES
    if kinds.any():
        work = _work(log, events)
        events = events.rows(kinds == 0)
    # Times that are too large are negative as signed numbers.
    sane = (events.end >= events.start) & (events.start >= 0)
    if not known[1:-1].all() or events.name.max(initial=0) >= len(known) - 1 or not events.name.all():
        sane &= known[np.minimum(events.name, len(known) - 1)]
    if not sane.all():
        strange = int(len(sane) - sane.sum())
        events = events.rows(sane)
        work = {name: column[sane] for name, column in work.items()}
    if np.any(events.end[1:] < events.end[:-1]):  # a signal handler wrote its events first
        order = np.argsort(events.end, kind="stable")
        events = events.rows(order)
        work = {name: column[order] for name, column in work.items()}
    opened, wrong, elsewhere = _opened(log, events, levels)
    opened.reverse()  # in closing order the innermost comes first
    extra = np.array(opened, dtype=np.int64).reshape(-1, 3)
    scopes = Scopes(
        np.concatenate([events.start, extra[:, 0]]),
        np.concatenate([events.end, np.maximum(extra[:, 0], last)]),
        np.concatenate([events.depth, extra[:, 2].astype(np.uint16)]),
        np.concatenate([events.name, extra[:, 1].astype(np.uint32)]),
        unfinished=len(extra),
        out_of_order=bool((events.flags & layout.FLAG_OUT_OF_ORDER).any()),
        work={name: np.append(column, np.full(len(extra), np.nan)) for name, column in work.items()},
    )
    return TrackScopes(scopes, strange + wrong, elsewhere)


def _opened(
    log: ProcessLog, events: TrackEvents, levels: NDArray[np.void]
) -> tuple[list[tuple[int, int, int]], int, int]:
    """Return (start, name, depth) of the open scopes, outermost first; how many are damaged; how many closed elsewhere.

    A level with an event's name and start is closed: the process was killed before it cleared the level.
    """
    twins: set[tuple[int, int]] = set()
    if len(levels):
        same = np.flatnonzero(np.isin(events.start, levels["start"].astype(np.int64)))
        twins = set(zip(events.start[same].tolist(), events.name[same].tolist(), strict=True))
    known, strange, elsewhere = log.has_name, 0, 0
    opened: list[tuple[int, int, int]] = []
    for name, _, start in levels.tolist():
        if (start, name) in twins:
            continue
        twins.add((start, name))  # it was being moved, so it is in two levels
        if name >= len(known) or not known[name] or start > MAX_TIME_NS:
            strange += 1
            continue
        elsewhere += log.names[name] in log.elsewhere
        opened.append((start, name, min(len(opened), layout.MAX_DEPTH)))
    return opened, strange, elsewhere


def _work(log: ProcessLog, events: TrackEvents) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of each scope, which precede its event."""
    kinds = events.flags & NOT_SCOPES
    scopes = np.flatnonzero(kinds == 0)
    values = np.flatnonzero(kinds == layout.FLAG_VALUE)
    owner = np.searchsorted(scopes, values)
    there = owner < len(scopes)  # otherwise the process was killed between the two
    work: dict[str, NDArray[np.float64]] = {}
    for number in np.unique(events.name[values]).tolist():
        own = there & (events.name[values] == number)
        column = np.full(len(scopes), np.nan)
        column[owner[own]] = events.start[values[own]].view(np.float64)
        work[log.names.get(number, f"value {number}")] = column
    return work


def points_of(log: ProcessLog, events: TrackEvents) -> tuple[tuple[Counter, ...], Marks | None]:
    """Return a track's counters and its marks, in chronological order."""
    kinds = events.flags & (layout.FLAG_COUNTER | layout.FLAG_MARK)
    if not kinds.any():
        return (), None
    there = np.flatnonzero((kinds != 0) & (events.end >= 0))
    points = events.rows(there[np.argsort(events.end[there], kind="stable")])
    kinds = points.flags & NOT_SCOPES
    counted = points.rows(kinds == layout.FLAG_COUNTER)
    of_name: dict[str, int] = {}  # a name that is counted at several call sites is one counter
    distinct, inverse = np.unique(counted.name, return_inverse=True)
    merged = np.array(
        [of_name.setdefault(log.names.get(n, f"counter {n}"), len(of_name)) for n in distinct.tolist()],
        dtype=np.int64,
    )
    group = merged[inverse] if len(merged) else merged
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(group, minlength=len(of_name)))[:-1])
    counters = [
        Counter(name, counted.end[own], counted.start[own].view(np.float64))
        for name, own in zip(of_name, parts, strict=False)
    ]
    marked = points.rows(kinds == layout.FLAG_MARK)
    names = tuple(log.names.get(number, f"mark {number}") for number in marked.name.tolist())
    return tuple(counters), Marks(marked.end, names) if len(marked.end) else None
