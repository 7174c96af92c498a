"""Reading a recording: the event logs of all its processes, as one profile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.capture._nesting import Scopes, nested_spans
from workbench.capture.log_files import EVENT, OPEN, ProcessLog, read_process_logs
from workbench.errors import InvalidInputError
from workbench.profile import Counter, Frame, FrameKind, Marks, Profile, ProfileBuilder, Spans
from workbench.scopes import _layout as layout

LATEST_NS = np.iinfo(np.int64).max
NOT_SCOPES = layout.FLAG_VALUE | layout.FLAG_COUNTER | layout.FLAG_MARK
LONGEST_PATH = 1000

__all__ = ["is_recording", "read_process_logs", "read_recording"]


def is_recording(folder: Path) -> bool:
    """Return whether a folder holds a recording."""
    return (folder / layout.MANIFEST).is_file()


def read_recording(folder: str | Path) -> Profile:
    """Read a recording's logs as one profile, a track for each thread and task of each process.

    Scopes that were open when the recording ended, or when their process was killed, end at the last time
    that their process is known to have been alive and are marked unfinished. What ran in a worker hangs
    under the scope that sent it: its track has spans for that scope and those around it, marked as carried.

    Raises:
        InvalidInputError: The folder holds no recording, or one of another version.
    """
    folder = Path(folder)
    if not is_recording(folder):
        raise InvalidInputError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
    builder = ProfileBuilder(folder.name)
    logs = read_process_logs(folder)
    strange = sum(_Process(builder, log).add_tracks() for log in logs)
    return builder.build(
        {
            "processes": len(logs),
            "damaged": sum(log.damaged for log in logs) + strange,
            "misnested": builder.misnested,
            "given_up_bytes": sum(log.given_up for log in logs),
            "guard_costs": [cost for log in logs for cost in log.costs],
            "sites": _sites(logs),
            "wall_minus_monotonic_ns": logs[0].wall_ns - logs[0].start_ns if logs else 0,
        }
    )


def _sites(logs: Iterable[ProcessLog]) -> dict[str, list[list[object]]]:
    """Return, by the name of a scope, the [file, first line, last line] of each place that uses it."""
    sites: dict[str, set[tuple[str, int, int]]] = {}
    for log in logs:
        for number, site in log.sites.items():
            if number in log.names:
                sites.setdefault(log.names[number], set()).add(tuple(site))
    return {name: [list(site) for site in sorted(places)] for name, places in sorted(sites.items())}


@dataclass
class _Process:
    """One process's log on its way into a profile."""

    builder: ProfileBuilder
    log: ProcessLog
    strange: int = 0
    """Events that made no sense, and were left out."""

    def add_tracks(self) -> int:
        """Add the process's tracks to the builder; return how many events made no sense."""
        closed = {track: _closed(chunks) for track, chunks in self.log.events.items()}
        still_open = {track: _still_open(chunks) for track, chunks in self.log.open.items()}
        last = _last_sign_of_life(self.log, closed, still_open)
        known = _known(self.log.names)
        for track in sorted(closed.keys() | still_open.keys()):
            events = closed.get(track, np.empty(0, EVENT))
            scopes = self._scopes(events, still_open.get(track, np.empty(0, OPEN)), last, known)
            self._add_track(track, scopes, *self._points(events))
        return self.strange

    def _scopes(
        self,
        events: NDArray[np.void],
        levels: NDArray[np.void],
        last: int,
        known: NDArray[np.bool_],
    ) -> Scopes:
        """Return a track's closed and open scopes in closing order, without what makes no sense."""
        work: dict[str, NDArray[np.float64]] = {}
        if (events["flags"] & NOT_SCOPES).any():
            work = self._work(events)
            events = events[(events["flags"] & NOT_SCOPES) == 0]
        sane = (events["end"] >= events["start"]) & (events["end"] <= LATEST_NS)
        sane &= known[np.minimum(events["name"], len(known) - 1)]
        if not sane.all():
            self.strange += int(len(events) - sane.sum())
            events = events[sane]
            work = {name: column[sane] for name, column in work.items()}
        # A level of an event's name and start is that event: it was killed before the level was cleared.
        opened: list[tuple[int, int, int]] = []
        for depth, (name, _, start) in enumerate(levels.tolist()):
            twin = (events["start"] == start) & (events["name"] == name)
            if twin.any() or any((start, name) == (o[0], o[1]) for o in opened[-1:]):
                continue
            if name >= len(known) or not known[name] or start > LATEST_NS:
                self.strange += 1
                continue
            opened.append((start, name, depth))
        opened.reverse()  # in closing order the innermost comes first
        extra = np.array(opened, dtype=np.int64).reshape(-1, 3)
        start = np.concatenate([events["start"].astype(np.int64), extra[:, 0]])
        end = np.concatenate([events["end"].astype(np.int64), np.maximum(extra[:, 0], last)])
        unfinished = np.zeros(len(start), dtype=np.bool_)
        unfinished[len(events) :] = True
        return Scopes(
            start,
            end,
            np.concatenate([events["depth"].astype(np.int64), extra[:, 2]]),
            np.concatenate([events["name"].astype(np.int64), extra[:, 1]]),
            unfinished,
            out_of_order=bool((events["flags"] & layout.FLAG_OUT_OF_ORDER).any()),
            work={name: np.append(column, np.full(len(extra), np.nan)) for name, column in work.items()},
        )

    def _work(self, events: NDArray[np.void]) -> dict[str, NDArray[np.float64]]:
        """Return the numbers that guards carried, for each scope: they stand before its event."""
        kinds = events["flags"] & NOT_SCOPES
        scopes = np.flatnonzero(kinds == 0)
        values = np.flatnonzero(kinds == layout.FLAG_VALUE)
        owner = np.searchsorted(scopes, values)
        there = owner < len(scopes)  # else it was killed between the two
        work: dict[str, NDArray[np.float64]] = {}
        for number in np.unique(events["name"][values]).tolist():
            own = there & (events["name"][values] == number)
            column = np.full(len(scopes), np.nan)
            column[owner[own]] = _doubles(events["start"][values[own]])
            work[self.log.names.get(number, f"value {number}")] = column
        return work

    def _points(self, events: NDArray[np.void]) -> tuple[tuple[Counter, ...], Marks | None]:
        """Return a track's counters and its marks."""
        points = events[(events["flags"] & NOT_SCOPES) != 0]
        kinds = points["flags"] & NOT_SCOPES
        counted = points[kinds == layout.FLAG_COUNTER]
        by_name: dict[str, list[int]] = {}  # a name that is counted in several places is one counter
        for number in np.unique(counted["name"]).tolist():
            by_name.setdefault(self.log.names.get(number, f"counter {number}"), []).append(number)
        counters = []
        for name, numbers in by_name.items():
            own = counted[np.isin(counted["name"], numbers)]
            counters.append(Counter(name, own["end"].astype(np.int64), _doubles(own["start"])))
        marked = points[kinds == layout.FLAG_MARK]
        names = tuple(self.log.names.get(number, f"mark {number}") for number in marked["name"].tolist())
        marks = Marks(marked["end"].astype(np.int64), names) if len(marked) else None
        return tuple(counters), marks

    def _add_track(
        self, track: int, scopes: Scopes, counters: tuple[Counter, ...], marks: Marks | None
    ) -> None:
        if not (len(scopes.start_ns) or counters or marks is not None):
            return
        facts = self.log.tracks.get(track, {})
        name = str(facts.get("name") or f"Thread {track}")
        if facts.get("task"):
            name = f"{name} › {facts['task']}"
        ident = facts.get("ident")
        command = self.log.facts.get("command")
        lanes = nested_spans(self.builder, self._framed(scopes))
        spans: Spans | None
        for i, spans in enumerate(lanes or [None]):
            self.builder.add_track(
                f"{name} (out of order)" if i else name,
                pid=self.log.pid,
                tid=ident if isinstance(ident, int) else track,
                process=" ".join(str(part) for part in command) if isinstance(command, list) else "",
                spans=spans,
                counters=() if i else counters,
                marks=None if i else marks,
            )

    def _framed(self, scopes: Scopes) -> Scopes:
        """Return the scopes with frames for names, and each carried one as the path of its sender."""
        frames = np.zeros(int(scopes.frame.max(initial=0)) + 1, dtype=np.int64)
        paths: dict[int, list[int]] = {}
        for number in np.unique(scopes.frame).tolist():
            sender = _path(self.log.carried.get(number))
            if sender:
                paths[number] = [self._frame(name) for name in sender]
            else:
                frames[number] = self._frame(self.log.names[number])
        framed = replace(scopes, frame=frames[scopes.frame])
        if not paths:
            return framed
        carried = np.flatnonzero(np.isin(scopes.frame, list(paths))).tolist()
        return framed.with_paths({i: paths[int(scopes.frame[i])] for i in carried})

    def _frame(self, name: str) -> int:
        return self.builder.frame(Frame(name, kind=FrameKind.SCOPE))


def _path(sender: dict[str, Any] | None) -> list[str]:
    path = sender.get("path") if sender else None
    return [str(name) for name in path[:LONGEST_PATH]] if isinstance(path, list) else []


def _known(names: dict[int, str]) -> NDArray[np.bool_]:
    """Return a table of which ids have a name; its last entry, for all that are larger, is false."""
    numbers = np.array([number for number in names if number < 1 << 24], dtype=np.int64)
    known = np.zeros(int(numbers.max(initial=0)) + 2, dtype=np.bool_)
    known[numbers] = True
    return known


def _doubles(bits: NDArray[Any]) -> NDArray[np.float64]:
    return np.ascontiguousarray(bits).view(np.float64)


def _last_sign_of_life(
    log: ProcessLog, closed: dict[int, NDArray[np.void]], still_open: dict[int, NDArray[np.void]]
) -> int:
    """Return the time at which a process ended its log, or else the last that it wrote."""
    times = [events["end"] for events in closed.values()] + [
        levels["start"] for levels in still_open.values()
    ]
    sane = [int(column[column <= LATEST_NS].max(initial=0)) for column in times]
    return log.end_ns if 0 < log.end_ns <= LATEST_NS else max(sane, default=0)


def _closed(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the completed events: those whose end, which is written last, is there."""
    return np.concatenate([chunk[chunk["end"] != 0] for chunk in chunks])


def _still_open(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the open levels, outermost first: they are contiguous, so the first clear one ends them."""
    levels: NDArray[np.void] = np.concatenate(chunks)
    clear = np.flatnonzero(levels["start"] == 0)
    return levels[: clear[0]] if len(clear) else levels
