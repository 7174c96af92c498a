"""The recorder of one process: tracks, names, and what a guard does when it opens and closes.

Written in Python. Every store goes straight into a shared file mapping, so that a process that is killed
has lost nothing: closed scopes stand as events, open ones in their track's map of open levels.
"""

from __future__ import annotations

import sys
from _thread import RLock, _local, get_ident, get_native_id  # `threading` takes 2 ms to import
from time import perf_counter_ns  # the system-wide monotonic clock on Linux and macOS
from typing import TYPE_CHECKING, Any

from workbench.scopes import _layout as layout

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from workbench.scopes._guard import scope
    from workbench.scopes._log import Buffer, LogWriter

active: Recorder | None = None
"""The recorder that guards write to, or None: then a guard does nothing."""

FIRST_EVENTS = 16
MOST_EVENTS = 2700  # a chunk of about 64 KiB
FIRST_LEVELS = 8

_pack_event = layout.EVENT.pack_into
_pack_open = layout.OPEN.pack_into
_pack_clear = layout.OPEN_CLEAR.pack_into
_EVENT_SIZE = layout.EVENT.size


class Track:
    """Where one thread or task stands: its open scopes and its place in the log."""

    __slots__ = ("buffer", "capacity", "end", "number", "open", "position", "slots")

    def __init__(self, number: int) -> None:
        self.number = number
        self.open: list[tuple[scope, int, int]] = []
        """(guard, name id, start) of every open scope, outermost first"""
        self.slots: list[tuple[Buffer, int]] = []
        """where each level of nesting stands in the map of open scopes"""
        self.buffer: Buffer
        self.position = 0
        self.end = 0
        self.capacity = FIRST_EVENTS


class Recorder:
    """Writes the guards of one process into its event log. An error of the disk stops it, with one line.

    A signal handler or a finalizer may open guards of its own between any two steps here. So locks can be
    taken twice by one thread, and a place is reserved, without a call in between, before it is written.
    """

    def __init__(self, log: LogWriter) -> None:
        self.log = log
        self._local: Any = _local()
        self._task_tracks: MutableMapping[Any, Track] | None = None
        self._names: dict[str, int] = {}
        self._name_count = 0
        self._tracks = 0
        self._lock = RLock()

    def enter(self, guard: scope) -> None:
        """Open a scope on the current track."""
        try:
            track = self._local.track if "asyncio" not in sys.modules else self._track()
        except AttributeError:
            track = self._track()
        try:
            level = len(track.open)
            try:
                name = self._names.get(guard.name) or self._intern(guard.name)
            except TypeError:  # no string, and not hashable either
                name = self._intern(guard.name)
            if level == len(track.slots):
                self._add_slots(track)
            buffer, offset = track.slots[level]
        except OSError as error:
            self._stop(error)
            return
        start = perf_counter_ns()
        track.open.append((guard, name, start))
        _pack_open(buffer, offset, name, 0, start)

    def leave(self, guard: scope) -> None:
        """Close a scope: write its event, then clear its level in the map of open scopes."""
        end = perf_counter_ns()
        try:
            track = self._local.track if "asyncio" not in sys.modules else self._track()
        except AttributeError:
            return  # opened before this recording began
        opened = track.open
        if not opened or opened[-1][0] is not guard:
            self._leave_out_of_order(track, guard, end)
            return
        _, name, start = opened.pop()
        level = len(opened)
        while track.position == track.end:
            try:
                self._add_events(track)
            except OSError as error:
                self._stop(error)
                return
        position = track.position
        track.position = position + _EVENT_SIZE
        _pack_event(track.buffer, position, start, name, level if level < 65535 else 65535, 0, end)
        buffer, offset = track.slots[level]
        _pack_clear(buffer, offset, 0, 0)

    def _leave_out_of_order(self, track: Track, guard: scope, end: int) -> None:
        """Close a scope that is not the innermost: keep its interval, mark it, and leave the others open."""
        level = len(track.open) - 1
        while level >= 0 and track.open[level][0] is not guard:
            level -= 1
        if level < 0:
            return  # opened before this recording began, or on another thread
        _, name, start = track.open.pop(level)
        depth = min(level, layout.MAX_DEPTH)
        while track.position == track.end:
            try:
                self._add_events(track)
            except OSError as error:
                self._stop(error)
                return
        position = track.position
        track.position = position + _EVENT_SIZE
        _pack_event(track.buffer, position, start, name, depth, layout.FLAG_OUT_OF_ORDER, end)
        for above in range(level, len(track.open)):
            _, name, start = track.open[above]
            buffer, offset = track.slots[above]
            _pack_open(buffer, offset, name, 0, start)
        buffer, offset = track.slots[len(track.open)]
        _pack_clear(buffer, offset, 0, 0)

    def _track(self) -> Track:
        """Return the track of the running asyncio task, or else of the thread."""
        asyncio = sys.modules.get("asyncio")
        # While asyncio is being imported its functions are not there yet.
        if asyncio is not None and getattr(asyncio, "_get_running_loop", lambda: None)() is not None:
            task = asyncio.current_task()
            if task is not None:
                return self._task_track(task)
        track: Track | None = getattr(self._local, "track", None)
        if track is None:
            track = self._local.track = self._new_track(_thread_name(), task=None)
        return track

    def _task_track(self, task: Any) -> Track:
        if self._task_tracks is None:
            from weakref import WeakKeyDictionary

            self._task_tracks = WeakKeyDictionary()
        track = self._task_tracks.get(task)
        if track is None:
            track = self._task_tracks[task] = self._new_track(
                _thread_name(), task=str(task.get_name())[:1000]
            )
        return track

    def _new_track(self, name: str, task: str | None) -> Track:
        from json import dumps

        facts = {"name": name, "ident": get_ident(), "native_id": get_native_id(), "task": task}
        with self._lock:
            number = self._tracks = self._tracks + 1
        track = Track(number)
        self.log.text(layout.TEXT_TRACK, track.number, dumps(facts))
        self._add_events(track)
        return track

    def _intern(self, name: object) -> int:
        text = name if isinstance(name, str) else _repr(name)
        with self._lock:
            number = self._names.get(text)
            if number is None:
                number = self._name_count = self._name_count + 1
                self.log.text(layout.TEXT_NAME, number, text)
                self._names[text] = number
        return number

    def _add_events(self, track: Track) -> None:
        size = track.capacity * _EVENT_SIZE
        track.buffer, track.position = self.log.chunk(layout.CHUNK_EVENTS, track.number, size)
        track.end = track.position + size
        track.capacity = min(4 * track.capacity, MOST_EVENTS)

    def _add_slots(self, track: Track) -> None:
        levels = max(FIRST_LEVELS, min(len(track.slots), MOST_EVENTS))
        buffer, offset = self.log.chunk(layout.CHUNK_OPEN, track.number, levels * layout.OPEN.size)
        track.slots.extend((buffer, offset + i * layout.OPEN.size) for i in range(levels))

    def _stop(self, error: OSError) -> None:
        global active
        if active is self:
            active = None
            say(f"recording stopped: {error}; the program goes on")


def say(text: str) -> None:
    """Say one line on standard error, if there is one: a guard must not raise."""
    try:
        if sys.stderr is not None:
            print(f"workbench: {text}", file=sys.stderr)
    except (OSError, ValueError):  # closed, or nobody reads it
        pass


def _repr(name: object) -> str:
    try:
        return repr(name)
    except Exception:  # noqa: BLE001  the name's own code; a guard must not raise
        return f"<{type(name).__name__}>"


def _thread_name() -> str:
    threading = sys.modules.get("threading")
    thread = getattr(threading, "_active", {}).get(get_ident())
    if thread is not None:
        return str(thread.name)[:1000]
    return "MainThread" if threading is None else f"Thread {get_ident()}"
