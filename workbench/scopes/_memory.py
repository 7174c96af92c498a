"""Traced memory of scopes, where the environment asks for it: a recorder that reads tracemalloc at entries and exits.

Each scope that ends has three numbers in the log (docs/event-log.md): the traced memory of the process at its entry,
what it left behind at its exit, and the largest of all threads while it was open, above that at its entry. Snapshots of
all traced blocks go into segments of their own. What the recorder allocates itself is not counted.
"""

from __future__ import annotations

import _tracemalloc
import os
import sys
from _thread import RLock
from importlib import _bootstrap_external
from typing import TYPE_CHECKING, Any

from workbench.scopes import _python, layout
from workbench.scopes._traces import SnapshotWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.scopes._python import RecorderOwner, RecorderTrack, _OpenScope, scope
    from workbench.scopes._traces import Log

MAX_FRAMES = 64
"""Of a traceback: beyond these the outer ones, and the scopes and threads that they show, are not known."""
MAX_OWN = 1 << 16
"""Bytes that the recorder allocates at an entry or exit: more is another thread's, which ran in between."""

_PYTHON = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120  pathlib takes 8 ms to import
_WORKBENCH = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120


class _OpenMemory:
    """Traced memory of an open scope."""

    __slots__ = ("entry", "peak")

    def __init__(self, entry: int) -> None:
        self.entry = entry
        self.peak = entry
        """The largest from its entry until the next scope was opened, on any thread."""


class MemoryRecorder(_python.Recorder):
    """The recorder in Python, with the traced memory of scopes."""

    def __init__(self, journal: RecorderOwner) -> None:
        super().__init__(journal)
        self._lock = RLock()
        self._own = 0
        self._open: list[_OpenMemory] = []  # of all threads and tasks, in the order of their entries
        self._of_level: dict[_OpenScope, _OpenMemory] = {}
        self._now = 0
        self.peak = 0
        """The largest traced memory so far."""
        self.snapshots: SnapshotWriter | None = None

    def enter(self, opened: scope, frame: Any) -> _OpenScope | None:
        """Open a scope on the current track; see `_python.Recorder.enter`."""
        passed = TRACER.pass_by(True)
        try:
            with self._lock:
                before = self._read()
                level = super().enter(opened, frame)
                if level is not None:
                    self._of_level[level] = memory = _OpenMemory(before)
                    self._open.append(memory)
                self._go_on(before)
        finally:
            TRACER.pass_by(passed)
        return level

    def leave(self, opened: scope, frame: Any) -> None:
        """Close a scope; see `_python.Recorder.leave`."""
        passed = TRACER.pass_by(True)
        try:
            with self._lock:
                before = self._read()
                super().leave(opened, frame)
                self._go_on(before)
                if self.snapshots is not None:
                    # It leaves lists of free objects, which the program uses up: they count as its own.
                    TRACER.pass_by(passed)
                    self.snapshots.consider(before, self.peak, is_outside=not self._open)
                    TRACER.reset()
        finally:
            TRACER.pass_by(passed)

    def _close(self, track: RecorderTrack, level: _OpenScope) -> None:
        super()._close(track, level)
        memory = self._of_level.pop(level, None)
        if memory is not None:
            i = self._index(memory)
            del self._open[i]
            if i:
                self._open[i - 1].peak = max(self._open[i - 1].peak, memory.peak)

    def numbers(self, level: _OpenScope) -> Mapping[str, float]:
        """Return the numbers of a scope that ends now: those that it states, and its memory."""
        memory = self._of_level.get(level)
        stated = super().numbers(level)
        if memory is None:
            return stated
        peak = max(each.peak for each in self._open[self._index(memory) :])
        return {
            **stated,
            layout.MEMORY_ENTRY: memory.entry,
            layout.MEMORY_LEFT: self._now - memory.entry,
            layout.MEMORY_PEAK: peak - memory.entry,
        }

    def _index(self, memory: _OpenMemory) -> int:
        """Return the place of a scope among the open ones; most are the last."""
        i = len(self._open) - 1
        while self._open[i] is not memory:
            i -= 1
        return i

    def _read(self) -> int:
        """Return the program's traced memory, and hand the peak since the last reading to the open scopes."""
        now, peak = TRACER.read()
        self._now = now - self._own
        peak = max(peak - self._own, self._now)
        self.peak = max(self.peak, peak)
        if self._open:
            self._open[-1].peak = max(self._open[-1].peak, peak)
        return self._now

    def _go_on(self, before: int) -> None:
        """Leave out what was allocated since a reading, by the recorder, and begin a new peak."""
        added = TRACER.read()[0] - self._own - before
        if abs(added) < MAX_OWN:
            self._own += added
        TRACER.reset()

    def take_last(self) -> None:
        """Take the last snapshot, where the process ends."""
        with self._lock:
            before = self._read()
            if self.snapshots is not None:
                self.snapshots.write("end", before, self.peak)


class Tracer:
    """tracemalloc, which the program may use too: its calls start, stop, clear and read one of its own.

    The functions of `_tracemalloc` are replaced before the program imports `tracemalloc`. So its `stop` does not end
    ours, and our readings do not reset its peak.
    """

    def __init__(self) -> None:
        self._start, self._stop = _tracemalloc.start, _tracemalloc.stop
        self._traced, self._reset = _tracemalloc.get_traced_memory, _tracemalloc.reset_peak
        self._is_on, self._frames = False, 1
        self._base = self._peak = self._unread = 0
        self.pass_by: Callable[[bool], bool] = lambda on: False
        """Says whether what this thread allocates is left out, and returns what was before; without the extension
        nothing is left out."""

    def begin(self) -> None:
        """Trace from now on. The program finds it as it would without us: on where PYTHONTRACEMALLOC is set."""
        if _tracemalloc.get_traced_memory is not self._traced:
            return
        self._is_on, self._frames = _tracemalloc.is_tracing(), _tracemalloc.get_traceback_limit()
        frames = max(MAX_FRAMES, self._frames)
        if self._is_on:
            self._stop()
        self._trace(frames)
        theirs = {
            "start": self._their_start,
            "stop": self._their_stop,
            "is_tracing": lambda: self._is_on,
            "get_traceback_limit": lambda: self._frames,
            "clear_traces": self._their_clear,
            "reset_peak": self._their_reset,
            "get_traced_memory": self._their_memory,
        }
        for name, function in theirs.items():
            setattr(_tracemalloc, name, function)

    def _trace(self, frames: int) -> None:
        """Trace all but what installed packages allocate while they are imported, for which we need the extension."""
        try:
            from workbench.scopes import _native
        except ImportError:
            self._start(frames)
            return
        system: Any = _bootstrap_external
        places = (*(f"{os.sep}{name}-packages{os.sep}" for name in ("site", "dist")), _PYTHON, _WORKBENCH)
        _native.trace_without_imports(lambda: self._start(frames), exec, places)
        system.exec = _native.run_imported
        self.pass_by = _native.pass_tracing

    def read(self) -> tuple[int, int]:
        """Return traced memory and its peak since `reset`, in bytes."""
        now, peak = self._traced()
        self._peak = max(self._peak, peak)
        return now, max(peak, self._unread)

    def reset(self) -> None:
        """Begin a new peak."""
        self._unread = 0
        self._reset()

    def _their_start(self, nframe: int = 1) -> None:
        if not 1 <= nframe <= 65535:
            raise ValueError("the number of frames must be in range [1; 65535]")
        if not self._is_on:
            self._is_on, self._frames = True, nframe
            self._their_clear()

    def _their_stop(self) -> None:
        self._is_on = False

    def _their_clear(self) -> None:
        self._their_reset()
        self._base = self._peak

    def _their_reset(self) -> None:
        now, self._unread = self.read()
        self._reset()
        self._peak = now

    def _their_memory(self) -> tuple[int, int]:
        if not self._is_on:
            return 0, 0
        now, _ = self.read()
        return max(now - self._base, 0), max(self._peak - self._base, 0)


TRACER = Tracer()


def begin(recorder: object, log: Log) -> None:
    """Trace memory, and take snapshots for a process's part of a recording."""
    TRACER.begin()
    TRACER.pass_by(False)  # a child may have been forked by a package that was being imported
    if isinstance(recorder, MemoryRecorder):
        recorder.snapshots = SnapshotWriter(log)
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None:  # a forked worker of it ends without the hooks at exit
            util.register_after_fork(
                recorder, lambda _: util.Finalize(None, finish, (recorder,), exitpriority=0)
            )


def finish(recorder: object) -> None:
    """Take the last snapshot of a process whose recording ends."""
    if isinstance(recorder, MemoryRecorder):
        recorder.take_last()
