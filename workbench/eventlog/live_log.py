"""The log of one process while it is written."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.events import still_open
from workbench.eventlog.live_processes import runs, writer_of, writes
from workbench.eventlog.live_samples import LineSample, LiveThread
from workbench.eventlog.live_segments import Chunk, Segment
from workbench.eventlog.log_files import (
    EVENT,
    OPEN,
    Module,
    ProcessLog,
    SampleSegment,
    read_texts,
    with_header,
)
from workbench.profile import Frame, ThreadState
from workbench.scopes import layout, manifests

TAIL_BYTES = 32 << 20
"""Events of a process that are read at once, the newest: more than a million."""
TAIL_SEGMENTS = 4
"""Segments of a kind that are read of a log that has ended: they may be compressed."""
CHECK_NS = 2_000_000_000
"""Time between two checks that a process still has its log mapped: /proc/PID/maps is long."""
IDLE_AFTER = 40
"""Refreshes without events and open scopes, after which a track is read in turn with others."""
IN_TURN = 200
TEXTS_IN_USE = 8
"""The newest chunks of texts, to which texts may still be added."""
MAX_NUMBER = 1 << 22
"""Larger numbers of names are damage."""
MAX_CLOSING = 16
"""The newest events of a track that are kept: of the scope that is closing, its numbers may follow."""
_COLUMNS = ("start", "end", "name")
NO_EVENTS = np.empty(0, EVENT)


class Life(Enum):
    """What is known of a process that records."""

    RUNS = "running"
    ENDED = "ended"
    """It ended its log."""
    GONE = "gone"
    """It no longer exists, and did not end its log: it was killed, or left by os._exit."""
    UNSEEN = "not seen"
    """It is on another machine."""


@dataclass(frozen=True)
class OpenScope:
    """A scope that is open."""

    name: str
    age_ns: int | None
    """None: it is not known."""
    remote: bool = False
    """Whether it is that of the sender, on another track, of work that runs here."""


@dataclass(frozen=True)
class LiveTrack:
    """A thread or a task that has open scopes, or was sampled."""

    name: str
    tid: int
    """The native id of the thread; 0: unknown."""
    task: str | None
    scopes: tuple[OpenScope, ...]
    """Outermost first."""
    state: ThreadState | None
    """At the last sample; None: it is not sampled."""
    line: Frame | None
    """The innermost line of the program's own code at the last sample."""


@dataclass(frozen=True)
class LiveProcess:
    """A process that records."""

    pid: int
    command: tuple[str, ...]
    rank: int | None
    life: Life
    stopped: int
    """Why it stopped recording early, as in `layout`; 0: it did not."""
    seconds: float
    """Since its log began, up to now or to its end."""
    sampled: bool
    tracks: tuple[LiveTrack, ...]


@dataclass
class _Track:
    """A track of a log: its chunks, and what is open."""

    levels: list[Chunk] = field(default_factory=list)
    events: deque[Chunk] = field(default_factory=deque)
    last: NDArray[np.void] = field(default_factory=lambda: NO_EVENTS)
    """The newest events that were read."""
    open: list[tuple[int, int]] = field(default_factory=list)
    """Number of the name and start of each open scope."""
    idle: int = 0
    """Refreshes since something was new or open."""


class LiveLog:
    """Follows the log of one process."""

    def __init__(self, key: str) -> None:
        self.pid = 0
        """The process's number; 0: it does not run, or is not seen from here."""
        self._named_pid = 0
        self.life = Life.RUNS
        self.is_elsewhere = False
        """Whether it has another clock."""
        self.now_ns = 0
        """Now, on the process's clock; when it no longer runs, its end."""
        self.since_ns = 0
        """Events up to this time were left out at the last refresh; 0: none."""
        self._log = ProcessLog(key, 0, 0, 0, 0, {})
        self._segments: list[Segment] = []
        self._growing: list[Segment] = []
        """Those to which chunks may still be added."""
        self._known: set[Path] = set()
        self._texts: list[Chunk] = []
        self._modules = SampleSegment()
        self._sampler: Chunk | None = None
        self._tracks: dict[int, _Track] = {}
        self._busy: dict[int, _Track] = {}
        self._idle: deque[int] = deque()
        self._threads: dict[int, LiveThread] = {}
        self._events: list[NDArray[np.void]] = []
        self._samples: list[LineSample] = []
        self._last_ns = self._checked_ns = 0
        self._is_first = True
        self._is_whole = False
        """Whether all events since the last refresh were read, and no older ones."""

    @property
    def start_ns(self) -> int:
        """When the log began, on the process's clock; 0: it has not."""
        return self._log.start_ns

    @property
    def named_pid(self) -> int:
        """The number of the process here, also after its end."""
        return self._named_pid or self._log.pid

    def name(self, number: int) -> str:
        """Return the name with a number."""
        return self._log.names.get(number, f"name {number}")

    def file_of(self, number: int) -> str:
        """Return the file of the code that uses a name; empty if unknown."""
        site = self._log.sites.get(number)
        return "" if site is None else site.file

    def thread(self, tid: int) -> LiveThread | None:
        """Return the samples of a thread; None: it has none."""
        return next((each for each in self._threads.values() if each.tid == tid and each.at_ns), None)

    def modules(self) -> dict[int, Module]:
        """Return the loaded ELF files by their numbers, as far as they are known."""
        return self._modules.modules

    def last_tick_ns(self) -> int:
        """Return when the sampler took its last samples; 0: none runs."""
        state = self._log.sampler
        return 0 if state is None or state[15] else state[2]

    def add(self, path: Path) -> None:
        """Add a file of the log, if it is new."""
        if path not in self._known:
            self._known.add(path)
            self._segments.append(Segment(path))
            self._growing.append(self._segments[-1])

    def refresh(self, now_ns: int) -> None:
        """Read what was added."""
        if self.life in (Life.ENDED, Life.GONE) and not self._is_first:
            return
        try:
            self._read_header()
            if not self.start_ns:
                return
            self._check(now_ns)
            if self.life is not Life.RUNS:
                self._read_header()
            self._read()
        finally:
            for segment in self._segments:
                segment.close()
        self._is_first = False
        if self._log.end_ns:
            self.life, self.pid = Life.ENDED if self._ended_itself() else Life.GONE, 0

    def set_time(self, now_ns: int) -> None:
        """Set `now_ns`: what has ended stays at its end, and what has another clock at its last entry."""
        ended_ns = self._log.end_ns or self._last_ns or self.start_ns
        self.now_ns = now_ns if self.life is Life.RUNS else ended_ns

    def take_events(self) -> list[NDArray[np.void]]:
        """Return the events that were read since the last call."""
        rows, self._events = self._events, []
        return rows

    def take_samples(self) -> list[LineSample]:
        """Return the samples that were read since the last call."""
        found, self._samples = self._samples, []
        return found

    def calls(self, rows: Sequence[NDArray[np.void]], begin_ns: int) -> dict[str, tuple[int, int]]:
        """Return, by name, how many scopes were closed and how long they took together.

        Args:
            rows: Events of closed scopes. There may be a million a second: columns are copied once.
            begin_ns: Where older events were just read, or some were left out, only those later than this count.
        """
        start, end, number = (
            np.concatenate([each[column] for each in (NO_EVENTS, *rows)]) for column in _COLUMNS
        )
        if not self._is_whole:
            late = end > np.uint64(max(begin_ns, 0))
            start, end, number = start[late], end[late], number[late]
        if not len(number):
            return {}
        if number.max() >= MAX_NUMBER:
            number = np.minimum(number, MAX_NUMBER)
        count = np.bincount(number)
        total = np.bincount(number, weights=np.where(end >= start, end - start, 0))
        found: dict[str, tuple[int, int]] = {}
        for i in np.flatnonzero(count).tolist():
            if i < MAX_NUMBER and i not in self._log.remote_parents:
                before = found.get(self.name(i), (0, 0))
                found[self.name(i)] = before[0] + int(count[i]), before[1] + int(total[i])
        return found

    def process(self) -> LiveProcess:
        """Return what is known of the process."""
        command, rank = self._log.facts.get("command"), self._log.facts.get("rank")
        return LiveProcess(
            self.named_pid,
            tuple(map(str, command)) if isinstance(command, list) else (),
            rank if isinstance(rank, int) else None,
            self.life,
            self._log.stopped,
            max(self.now_ns - self.start_ns, 0) / 1e9,
            self._log.sampler is not None,
            tuple(self._live_tracks()),
        )

    def _live_tracks(self) -> Iterator[LiveTrack]:
        alive = self._native_ids()
        by_track: dict[int, LiveThread] = {}
        by_tid: dict[int, LiveThread] = {}
        for thread in self._threads.values():
            if alive is None or thread.tid in alive:
                by_tid[thread.tid] = thread
                if thread.track:
                    by_track[thread.track] = thread
        for number, facts in self._log.tracks.items():
            track, task = self._tracks.get(number), facts.get("task")
            scopes = self._open_scopes(track) if track is not None else ()
            tid = facts.get("native_id")
            is_alive = self.life is Life.RUNS and (alive is None or tid in alive)
            sampled = by_track.get(number) or (by_tid.get(tid or 0) if task is None else None)
            if scopes or (is_alive and task is None):
                if sampled is not None:
                    by_tid.pop(sampled.tid, None)
                yield _live_track(str(facts.get("name") or f"Thread {number}"), tid, task, scopes, sampled)
        for tid, thread in by_tid.items() if self.life is Life.RUNS else ():
            name = "MainThread" if tid == self._log.pid else thread.name or f"Thread {tid}"
            yield _live_track(name, tid, None, (), thread)

    def _native_ids(self) -> set[int] | None:
        """Return the threads that the process has; None: they are not seen, or have other numbers here."""
        if self.pid != self._log.pid:
            return None
        try:
            return set(map(int, os.listdir(f"/proc/{self.pid}/task")))  # noqa: PTH208
        except OSError:
            return None

    def _open_scopes(self, track: _Track) -> tuple[OpenScope, ...]:
        found: list[OpenScope] = []
        for number, start_ns in track.open:
            age_ns = max(self.now_ns - start_ns, 0)
            sender = self._log.remote_parents.get(number)
            if sender is None:
                found.append(OpenScope(self.name(number), age_ns))
            elif isinstance(path := sender.get("path"), list):
                found += [OpenScope(str(name), None, remote=True) for name in path]
        return tuple(found)

    def _read_header(self) -> None:
        if self._segments and self._segments[0].has_header():
            first = self._segments[0]
            self._log = with_header(self._log, self._log.key, first.header, first.path)

    def _ended_itself(self) -> bool:
        """Return whether the process ended its log, and not the one that waited for a killed process.

        A process measures what scopes cost when its recording begins and again when it ends.
        """
        return len(self._log.costs) > 1 or self._log.stopped != 0 or runs(self.named_pid)

    def _check(self, now_ns: int) -> None:
        """Find out whether the process still runs."""
        if self._log.end_ns or self.life is Life.UNSEEN:
            return
        if self._is_first:
            self.is_elsewhere = self._log.facts.get("boot_id") != manifests.boot_id()
            self.pid = self._named_pid = 0 if self.is_elsewhere else writer_of(self._log.key)
            self.life = Life.UNSEEN if self.is_elsewhere else Life.RUNS if self.pid else Life.GONE
        elif not runs(self.pid):
            self.life, self.pid = Life.GONE, 0
        elif now_ns - self._checked_ns > CHECK_NS:
            self._checked_ns = now_ns
            if not writes(self.pid, self._log.key):  # it has become another program
                self.life, self.pid = Life.GONE, 0

    def _read(self) -> None:
        if self._is_first and self._log.end_ns:
            self._growing = _tail(self._growing)
        new: list[tuple[_Track, Chunk]] = []
        for segment in self._growing:
            if not segment.has_header():
                continue
            for chunk in segment.chunks():
                self._take_chunk(chunk, new)
        self._growing = _newest(self._growing)
        self._read_texts()
        self._leave_out_old(new)
        self._read_tracks()
        for thread in self._threads.values():
            if self._is_first:
                thread.leave_out_old()
            self._samples += thread.refresh()
            self._last_ns = max(self._last_ns, thread.at_ns)
        if self._sampler is not None:
            data = self._sampler.rest()
            if len(data) >= layout.SAMPLER_STATE.size:
                self._log.sampler = layout.SAMPLER_STATE.unpack_from(data)
                self._last_ns = max(self._last_ns, self._log.sampler[2])

    def _take_chunk(self, chunk: Chunk, new: list[tuple[_Track, Chunk]]) -> None:
        if chunk.kind == layout.CHUNK_TEXT:
            self._texts.append(chunk)
        elif chunk.kind == layout.CHUNK_SAMPLES:
            self._threads.setdefault(chunk.track, LiveThread(self._log)).add(chunk)
        elif chunk.kind == layout.CHUNK_SAMPLER:
            self._sampler = chunk
        elif chunk.kind in (layout.CHUNK_EVENTS, layout.CHUNK_OPEN):
            track = self._busy[chunk.track] = self._tracks.setdefault(chunk.track, _Track())
            track.idle = 0
            if chunk.kind == layout.CHUNK_OPEN:
                track.levels.append(chunk)
            else:
                new.append((track, chunk))

    def _read_texts(self) -> None:
        for chunk in self._texts:
            data = chunk.rest()
            chunk.at += read_texts(data, 0, len(data), self._log, self._modules)
        self._texts = self._texts[-TEXTS_IN_USE:]

    def _leave_out_old(self, new: list[tuple[_Track, Chunk]]) -> None:
        """Add the new chunks of events to their tracks: of very many the newest, and the last one of each track."""
        self.since_ns = 0
        size = 0
        first: dict[int, Chunk] = {}
        kept: list[tuple[_Track, Chunk]] = []
        cut: list[_Track] = []
        for track, chunk in reversed(new):
            size += chunk.stop - chunk.at
            if size <= TAIL_BYTES or id(track) not in first:
                kept.append((track, chunk))
                first[id(track)] = chunk
            else:
                cut.append(track)
        for track, chunk in reversed(kept):
            track.events.append(chunk)
        for chunk in (first[id(track)] for track in cut):
            event = chunk.segment.read(chunk.at, layout.EVENT.size)
            if len(event) == layout.EVENT.size:
                self.since_ns = max(self.since_ns, layout.EVENT.unpack(event)[4])
        self._is_whole = not (self._is_first or cut)

    def _read_tracks(self) -> None:
        for number in [self._idle.popleft() for _ in range(min(len(self._idle), IN_TURN))]:
            self._busy.setdefault(number, self._tracks[number])
        for number, track in list(self._busy.items()):
            rows = _new_events(track)
            if rows:
                self._events += rows
                track.last = rows[-1][-MAX_CLOSING:].copy()
                self._last_ns = max(self._last_ns, int(rows[-1]["end"][-1]))
            track.open = _open_levels(track)
            track.idle = 0 if rows or track.open else track.idle + 1
            if track.idle > IDLE_AFTER:
                del self._busy[number]
                self._idle.append(number)


def _new_events(track: _Track) -> list[NDArray[np.void]]:
    found: list[NDArray[np.void]] = []
    while track.events:
        chunk = track.events[0]
        # The end of a chunk may stay empty: what belongs together is written into one.
        is_full = len(track.events) > 1 and track.events[1].has_event()
        found += chunk.events()
        if not is_full and chunk.stop - chunk.at >= EVENT.itemsize:
            break
        track.events.popleft()
    return found


def _open_levels(track: _Track) -> list[tuple[int, int]]:
    """Return the open scopes; one that is in the newest events is about to be closed."""
    data = b"".join(chunk.rest() for chunk in track.levels)
    if data.count(0) == len(data):
        return []
    levels = still_open([np.frombuffer(data, OPEN, len(data) // OPEN.itemsize)])
    closed = set(zip(track.last["name"].tolist(), track.last["start"].tolist(), strict=True))
    found = [(name, start_ns) for name, _, start_ns in levels.tolist()]
    return [each for each in dict.fromkeys(found) if each not in closed]


def _kind(segment: Segment) -> str:
    return segment.path.stem.rpartition("-")[2][:1]


def _newest(segments: list[Segment]) -> list[Segment]:
    """Return the last two segments of each kind: chunks are added to the last one, and to a spare one."""
    kept = [segment for kind in "tes" for segment in [each for each in segments if _kind(each) == kind][-2:]]
    return [segment for segment in segments if segment in kept]


def _tail(segments: list[Segment]) -> list[Segment]:
    """Return the segments of an ended log that are worth reading."""
    kept = [
        segment
        for kind in "es"
        for segment in [each for each in segments if _kind(each) == kind][-TAIL_SEGMENTS:]
    ]
    return [segment for segment in segments if segment in kept or _kind(segment) == "t"]


def _live_track(
    name: str, tid: object, task: object, scopes: tuple[OpenScope, ...], sampled: LiveThread | None
) -> LiveTrack:
    return LiveTrack(
        name,
        tid if isinstance(tid, int) else 0,
        task if isinstance(task, str) else None,
        scopes,
        None if sampled is None else sampled.state,
        None if sampled is None else sampled.line(),
    )
