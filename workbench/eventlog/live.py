"""A recording while it is written: which scopes are open, how often others are called, and which lines run.

It reads the files of the recording and /proc, and nothing of it reaches the program. A refresh reads what has been
added since the last one. The first one reads what shows the present: the texts, the open scopes, the newest events
and samples.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.eventlog.live_log import NO_EVENTS, Life, LiveLog, LiveProcess
from workbench.eventlog.log_files import NOT_SCOPES, segments
from workbench.profile import Frame
from workbench.scopes import layout, manifests

WINDOW_NS = 5_000_000_000
"""Rates and lines are of so long before now."""
MAX_VALUES = 512
"""Values of a counter that are kept. Of more, every second one is dropped."""


@dataclass(frozen=True)
class CallRate:
    """How often scopes of one name were closed, over all processes."""

    name: str
    per_second: float
    mean_ns: float
    """The mean of their durations."""


@dataclass(frozen=True)
class LineShare:
    """A line of the program's own code, and its share of all samples at which a thread ran."""

    line: Frame
    share: float


@dataclass
class CounterValues:
    """The values of a counter, evenly thinned where there are many."""

    name: str
    file: str
    """Where it is counted."""
    values: list[float] = field(default_factory=list)
    last: float = 0.0
    _every: int = 1
    _left_out: int = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Add values in their order."""
        self.last = float(values[-1])
        self.values += values[(self._every - 1 - self._left_out) % self._every :: self._every].tolist()
        self._left_out = (self._left_out + len(values)) % self._every
        while len(self.values) > MAX_VALUES:
            self.values = self.values[1::2]
            self._every *= 2


@dataclass(frozen=True)
class MarkCount:
    """How often a mark was set since it has been watched."""

    name: str
    count: int
    age_ns: int


@dataclass(frozen=True)
class LiveState:
    """What a recording shows of the present."""

    folder: Path
    ended: bool
    """Whether the recording has ended: by its manifest, or because no process of it runs."""
    processes: tuple[LiveProcess, ...]
    """In the order in which they began."""
    rates: tuple[CallRate, ...]
    """The most calls first."""
    lines: tuple[LineShare, ...]
    counters: tuple[CounterValues, ...]
    marks: tuple[MarkCount, ...]
    window_s: float
    """Of how many seconds the rates and lines are: those of the first look, and of all looks in the last 5 s."""


class _Period(NamedTuple):
    """What was read at one refresh."""

    begin_ns: int
    end_ns: int
    calls: dict[str, tuple[int, int]]
    """By name of the scope: how many were closed, and the nanoseconds that they took."""
    ticks: Tally[Frame | None]
    """By line of the program's own code: samples at which a thread ran."""


class LiveRecording:
    """Follows a recording. `refresh` reads what is new."""

    def __init__(
        self, folder: Path, *, first: int = 0, clock: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        """Take a folder.

        Args:
            folder: Where the recording is written.
            first: The process that comes before the others; 0: that which began first.
            clock: Returns the monotonic time in nanoseconds.

        Raises:
            InvalidInputError: The folder holds no recording.
        """
        manifest = manifests.read(str(folder))
        if manifest is None:
            raise InvalidInputError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
        self.folder = folder
        self._first = first
        self._clock = clock
        self._identity = manifest.identity
        self._logs: dict[str, LiveLog] = {}
        self._changed_ns = 0
        self._periods: deque[_Period] = deque()
        self._counters: dict[str, CounterValues] = {}
        self._marks: dict[str, tuple[int, int]] = {}

    def refresh(self) -> LiveState:
        """Read what is new, and return the state now.

        Raises:
            InvalidInputError: A log is of another version.
        """
        manifest = manifests.read(str(self.folder))
        self._list_segments()
        for log in self._logs.values():
            log.refresh(self._clock())
        now_ns = self._clock()  # later than all that was read
        logs = sorted((log for log in self._logs.values() if log.start_ns), key=self._order)
        for log in logs:
            log.set_time(now_ns)
        self._collect(logs, now_ns)
        is_over = manifest is None or manifest.identity != self._identity or manifest.ended_ns != 0
        return LiveState(
            self.folder,
            is_over or (bool(logs) and not any(log.life in (Life.RUNS, Life.UNSEEN) for log in logs)),
            tuple(log.process() for log in logs),
            tuple(self._rates(now_ns)),
            tuple(self._lines()),
            tuple(self._counters.values()),
            tuple(MarkCount(name, count, now_ns - at) for name, (count, at) in self._marks.items()),
            self._window_s(now_ns),
        )

    def log_of(self, pid: int) -> LiveLog | None:
        """Return the newest log that a process writes; None: it writes none here."""
        own = [log for log in self._logs.values() if log.named_pid == pid]
        return max(own, key=lambda log: log.start_ns, default=None)

    def _order(self, log: LiveLog) -> tuple[bool, bool, int]:
        return log.named_pid != self._first, log.is_elsewhere, log.start_ns

    def _list_segments(self) -> None:
        try:
            changed_ns = self.folder.stat().st_mtime_ns
            if changed_ns == self._changed_ns:
                return
            paths = segments(self.folder)
        except OSError:
            return
        self._changed_ns = changed_ns
        for path in paths:
            key = path.stem.rpartition("-")[0]
            if "-" in key and key.partition("-")[0].isdecimal():
                self._logs.setdefault(key, LiveLog(key)).add(path)

    def _collect(self, logs: Sequence[LiveLog], now_ns: int) -> None:
        """Take what the logs have read into the rates, lines, counters and marks."""
        latest_ns = max((log.now_ns for log in logs if not log.is_elsewhere), default=now_ns)
        begin_ns = self._periods[-1].end_ns if self._periods else now_ns - WINDOW_NS
        calls: dict[str, tuple[int, int]] = {}
        ticks: Tally[Frame | None] = Tally()
        for log in logs:
            # Of a recording that has ended, the last seconds are those before its end.
            later_ns = now_ns - (log.now_ns if log.is_elsewhere else latest_ns)
            log_begin_ns = max(begin_ns - later_ns, log.since_ns)
            for sample in log.take_samples():
                if sample.at_ns > log_begin_ns - WINDOW_NS * bool(self._periods):
                    ticks[sample.line] += sample.ticks
            scopes, points = _split(log.take_events())
            for name, (count, total_ns) in log.calls(scopes, log_begin_ns).items():
                before = calls.get(name, (0, 0))
                calls[name] = before[0] + count, before[1] + total_ns
            kinds = points["flags"] & NOT_SCOPES
            self._take_counters(log, points[kinds == layout.FLAG_COUNTER])
            marks = points[kinds == layout.FLAG_MARK]
            for number, at_ns in zip(marks["name"].tolist(), marks["end"].tolist(), strict=True):
                name = log.name(number)
                self._marks[name] = self._marks.get(name, (0, 0))[0] + 1, at_ns + later_ns
        if logs and not self._periods:
            begin_ns = max(begin_ns, now_ns - max(latest_ns - log.start_ns for log in logs))
        begin_ns = max([begin_ns, *(log.since_ns for log in logs if not log.is_elsewhere)])
        self._periods.append(_Period(begin_ns, now_ns, calls, ticks))
        while len(self._periods) > 1 and self._periods[0].end_ns < now_ns - WINDOW_NS:
            self._periods.popleft()

    def _take_counters(self, log: LiveLog, rows: NDArray[np.void]) -> None:
        for number in np.unique(rows["name"]).tolist():
            name = log.name(number)
            counter = self._counters.setdefault(name, CounterValues(name, log.file_of(number)))
            counter.add(rows["start"][rows["name"] == number].view(np.float64))

    def _window_s(self, now_ns: int) -> float:
        return max(now_ns - self._periods[0].begin_ns, 1) / 1e9

    def _rates(self, now_ns: int) -> Iterator[CallRate]:
        count: Tally[str] = Tally()
        total: Tally[str] = Tally()
        for period in self._periods:
            for name, (calls, total_ns) in period.calls.items():
                count[name] += calls
                total[name] += total_ns
        seconds = self._window_s(now_ns)
        for name, calls in count.most_common():
            yield CallRate(name, calls / seconds, total[name] / calls)

    def _lines(self) -> Iterator[LineShare]:
        ticks: Tally[Frame | None] = Tally()
        for period in self._periods:
            ticks.update(period.ticks)
        whole = sum(ticks.values())
        for line, count in ticks.most_common():
            if line is not None:
                yield LineShare(line, count / whole)


def _split(chunks: Sequence[NDArray[np.void]]) -> tuple[list[NDArray[np.void]], NDArray[np.void]]:
    """Return the events that are scopes, mostly all of a chunk, and those that are not."""
    scopes, points = [], [NO_EVENTS]
    for rows in chunks:
        is_point = (rows["flags"] & NOT_SCOPES) != 0
        scopes.append(rows[~is_point] if is_point.any() else rows)
        points.append(rows[is_point])
    return scopes, np.concatenate(points)
