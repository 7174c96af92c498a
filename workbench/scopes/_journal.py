"""The process's side of a recording: hands out tracks, chunks and ids to the recorder, and keeps the texts.

All that is rare is done here, in Python, for both recorders: a new thread or task, a name or place that is seen
for the first time, a chunk that is full, an error of the disk.
"""

from __future__ import annotations

import sys
from _thread import RLock, get_native_id
from json import dumps
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.scopes import _tasks, engine, layout
from workbench.scopes._log import EndedError, FullError
from workbench.scopes._sites import site
from workbench.scopes.error import say

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import CodeType

    from workbench.scopes._log import Buffer, LogWriter
    from workbench.scopes.engine import Track

FIRST_EVENTS = 16
MOST_EVENTS = 10_900  # a chunk of about 256 KiB: getting it costs little for each event
FEWEST_CHUNKS = 64  # but a recording has room for so many, lest a small one be given up in large parts
FIRST_LEVELS = 8
CLOCK_EVERY_NS = 1_000_000_000
MOST_IDS = 1_000_000

active: Journal | None = None
"""The journal of the recording in progress, or None."""


class Sent(NamedTuple):
    """The scope that sent work: the name of the interval in which that work runs elsewhere."""

    process: str
    """The sender's log: its pid and the time at which it began to record."""
    track: int
    path: tuple[str, ...]
    """The names of the scopes that were open there, outermost first."""
    start_ns: int
    """When the innermost of them was opened, which tells it from others of its name."""


class Journal:
    """One process's part of a recording. A lock may be taken twice by one thread: by a signal's handler."""

    def __init__(self, log: LogWriter) -> None:
        self.log = log
        self.chunks_ns = self.chunks_events = 0
        """how long it took to get chunks, and for how many events they have room; threads may lose a little"""
        self.names: dict[object, int] = {}
        """ids of names that are made as the program runs, wherever it makes them"""
        self._ids: dict[tuple[str, CodeType | None, int], int] = {}
        self._task_tracks: MutableMapping[Any, Track] | None = None
        self._tracks = 0
        self._closed_elsewhere: set[str] = set()
        self._named: set[int] = set()
        """the system's numbers of threads with a track"""
        self._count = 0
        self._clock_at = 0
        self._lock = RLock()
        self._local: Any = _tasks.original("_local")()
        self.recorder = engine.Recorder(self)

    def thread_track(self) -> Track:
        """Return the current thread's track: the same again when another recording stood before this one."""
        track: Track | None = getattr(self._local, "track", None)
        if track is None:
            track = self._local.track = self._new_track()
        return track

    def _new_track(self, task: str | None = None) -> Track:
        ident = _tasks.original("get_ident")()
        return engine.Track(self._describe_track(_tasks.thread_name(), ident, get_native_id(), task))

    def _describe_track(self, name: str, ident: int | None, native_id: int, task: str | None) -> int:
        """Write what is known of a new track; return its number."""
        facts = {"name": name, "ident": ident, "native_id": native_id, "task": task}
        with self._lock:
            number = self._tracks = self._tracks + 1
        if task is None:
            self._named.add(native_id)
        self.log.text(layout.TEXT_TRACK, number, dumps(facts))
        return number

    def name_threads(self) -> None:
        """Write the names of threads that opened no scope, also of those that have ended and are still referred to."""
        threading = None if self.log.ended else sys.modules.get("threading")
        for thread in list(getattr(threading, "_dangling", ())):
            if thread.native_id is not None and thread.native_id not in self._named:
                self._describe_track(thread.name[: _tasks.MAX_NAME], thread.ident, thread.native_id, None)

    def task_track(self) -> Track | None:
        """Return the track of the running task or greenlet, or None outside of both."""
        task = _tasks.running()
        if task is None:
            return None
        if self._task_tracks is None:
            from weakref import WeakKeyDictionary

            self._task_tracks = WeakKeyDictionary()
        track = self._task_tracks.get(task)
        if track is None:
            track = self._task_tracks[task] = self._new_track(_tasks.name_of(task))
            track.own_stack = _tasks.is_greenlet(task)
        return track

    def events(self, track: Track) -> tuple[tuple[Buffer, int], int]:
        """Return ((buffer, offset), count): room for so many more events. Raises `OSError` without room."""
        begin = perf_counter_ns()
        most = max(self.log.limits.max_bytes // (FEWEST_CHUNKS * layout.EVENT.size), FIRST_EVENTS)
        count = min(FIRST_EVENTS << 2 * min(track.chunks, 8), MOST_EVENTS, most)
        self._clock()
        chunk = self.log.chunk(layout.CHUNK_EVENTS, track.number, count * layout.EVENT.size)
        self.chunks_ns += perf_counter_ns() - begin
        self.chunks_events += count
        return chunk, count

    def levels(self, track: Track, mapped: int) -> tuple[tuple[Buffer, int], int]:
        """Return ((buffer, offset), count): room for so many more open levels."""
        count = max(FIRST_LEVELS, min(mapped, MOST_EVENTS))
        return self.log.chunk(layout.CHUNK_OPEN, track.number, count * layout.OPEN.size), count

    def intern(self, name: object, code: CodeType | None, instruction: int) -> int:
        """Return the id of a name at a place: one id for each `with` block, decorated function or counter.

        A name that is made as the program runs has one id for all its places, so that ids stay few.
        """
        if isinstance(name, Sent):
            return self._intern_sent(name)
        text = name if isinstance(name, str) else _repr(name)
        with self._lock:
            number = self.names.get(text)
            if number is None:
                number = self._ids.get((text, code, instruction))
            if number is None:
                if self._count >= MOST_IDS:
                    return self._overflow()
                number = self._count = self._count + 1
                self.log.text(layout.TEXT_NAME, number, text)
                is_constant = code is None or instruction < 0 or _is_constant(text, code)
                if code is not None:
                    self._place(number, code, instruction, is_constant)
                if is_constant:
                    self._ids[text, code, instruction] = number
                else:
                    self.names[text] = number
        return number

    def _place(self, number: int, code: CodeType, instruction: int, is_constant: bool) -> None:
        first, last, use = site(code, instruction)
        self.log.text(layout.TEXT_SITE, number, f"{first} {last} {code.co_filename}")
        facts = {"function": code.co_qualname[:1000], "use": use if is_constant else "some"}
        self.log.text(layout.TEXT_CODE, number, dumps(facts))

    def closed_elsewhere(self, name: object) -> None:
        """Write, once for each name, that a scope is not closed where it was opened: so it stays open."""
        text = name if isinstance(name, str) else _repr(name)
        if text not in self._closed_elsewhere and len(self._closed_elsewhere) < MOST_IDS:
            self._closed_elsewhere.add(text)
            self.log.text(layout.TEXT_ELSEWHERE, perf_counter_ns(), text)

    def _intern_sent(self, sent: Sent) -> int:
        with self._lock:
            number = self.names.get(sent)
            if number is None:
                number = self._count = self._count + 1
                self.log.text(layout.TEXT_NAME, number, sent.path[-1] if sent.path else "")
                self.log.text(layout.TEXT_CARRIED, number, dumps(sent._asdict()))
                if len(self.names) < MOST_IDS:
                    self.names[sent] = number
        return number

    def failed(self, error: BaseException) -> bool:
        """End recording because of an error, with one line; the program goes on.

        Returns false where the error is not the log's but the program's: raised by a signal's handler, say, that
        ran while we did. That one must go on.
        """
        global active
        if not _is_ours(error):
            return False
        if active is self:
            active = None
            engine.activate(None)
            if not isinstance(error, EndedError):  # that is nothing to worry about
                say(f"recording stopped: {str(error) or type(error).__name__}; the program goes on")
            self.log.end(_why(error))
        return True

    def forget(self) -> None:
        """Let go what an ended recording needs no more: its recorder stays in memory."""
        self._ids.clear()
        self.names.clear()
        self._task_tracks = None
        self._local = _tasks.original("_local")()

    def _overflow(self) -> int:
        text = "(more names than can be told apart)"
        number = self.names.get(text)
        if number is None:
            number = self._count = self._count + 1
            self.log.text(layout.TEXT_NAME, number, text)
            self.names[text] = number
        return number

    def _clock(self) -> None:
        """Tie the monotonic clock to the wall clock, now and then: the wall clock may be set."""
        now = perf_counter_ns()
        if now - self._clock_at > CLOCK_EVERY_NS:
            self._clock_at = now
            self.log.text(layout.TEXT_CLOCK, now, str(time_ns()))


def _is_ours(error: BaseException) -> bool:
    """Return whether an error is the recorder's own, and not of something that interrupted it.

    An exception that another thread sent has no frame of its own: that it is of another kind is all that tells.
    """
    if not isinstance(error, OSError | MemoryError):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is None or last.tb_frame.f_globals.get("__package__") == __package__


def _why(error: BaseException) -> int:
    if isinstance(error, EndedError):
        return 0
    return layout.STOPPED_FULL if isinstance(error, FullError) else layout.STOPPED_BY_ERROR


def _is_constant(text: str, code: CodeType) -> bool:
    """Return whether the code has the text as a constant, its own name for a decorated function included."""
    return text in code.co_consts or any(
        isinstance(constant, tuple) and text in constant for constant in code.co_consts
    )


def _repr(name: object) -> str:
    try:
        return repr(name)
    except Exception:  # noqa: BLE001  the name's own code; a guard must not raise
        return f"<{type(name).__name__}>"
