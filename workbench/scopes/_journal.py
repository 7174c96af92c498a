"""One process's part of a recording: it hands out tracks, chunks and ids to the recorder, and writes the texts.

Both recorders do the rare steps here, in Python: a new thread or task, a new name or call site, a full chunk, an
error of the disk.
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
from workbench.scopes.error import log_line

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import CodeType

    from workbench.scopes._log import Buffer, LogWriter
    from workbench.scopes.engine import RecorderTrack

FIRST_EVENTS = 16
"""Events of a track's first chunk; each further one has four times as many."""
MAX_EVENTS = 10_900
"""Events of a chunk: about 256 KiB, so that getting it costs little for each event."""
MIN_CHUNKS = 64
"""Largest chunks that fit into a recording's limit: a full recording then gives up its events in small parts."""
FIRST_LEVELS = 8
CLOCK_EVERY_NS = 1_000_000_000
"""Time between two pairs of monotonic and wall time in the log."""
MAX_IDS = 1_000_000
"""Ids of names and call sites: a program that makes more names gets one id for the rest."""

active: Journal | None = None
"""The journal of the recording in progress, or None."""


class RemoteParent(NamedTuple):
    """The scope that sent work: it is the name of the interval in which the work runs elsewhere."""

    process: str
    """The sender's log: its pid and the time at which it began to record."""
    track: int
    path: tuple[str, ...]
    """The names of the scopes that were open there, outermost first."""
    start_ns: int
    """When the innermost of them was opened, which identifies it among others of its name."""


class Journal:
    """One process's part of a recording. Its lock is reentrant because a signal handler may open scopes."""

    def __init__(self, log: LogWriter) -> None:
        self.log = log
        self.sampling = ""
        """How this process and its forked children are sampled, where the environment does not say so."""
        self.chunks_ns = self.chunks_events = 0
        """Time spent getting chunks, and the events that fit into them; two threads may lose an update."""
        self.names: dict[object, int] = {}
        """Ids of names that are computed at run time: one id for all call sites."""
        self._ids: dict[tuple[str, CodeType | None, int], int] = {}
        self._task_tracks: MutableMapping[Any, RecorderTrack] | None = None
        self._tracks = 0
        self._closed_elsewhere: set[str] = set()
        self._named: set[int] = set()
        """Native ids of threads with a track."""
        self._count = 0
        self._clock_at = 0
        self._lock = RLock()
        self._local: Any = _tasks.original("_local")()
        self.recorder = engine.Recorder(self)

    def thread_track(self) -> RecorderTrack:
        """Return the current thread's track."""
        track: RecorderTrack | None = getattr(self._local, "track", None)
        if track is None:
            track = self._local.track = self._new_track()
        return track

    def _new_track(self, task: str | None = None) -> RecorderTrack:
        ident = _tasks.original("get_ident")()
        return engine.RecorderTrack(self._describe_track(_tasks.thread_name(), ident, get_native_id(), task))

    def _describe_track(self, name: str, ident: int | None, native_id: int, task: str | None) -> int:
        """Write the facts of a new track; return its number."""
        facts = {"name": name, "ident": ident, "native_id": native_id, "task": task}
        with self._lock:
            number = self._tracks = self._tracks + 1
        if task is None:
            self._named.add(native_id)
        self.log.text(layout.TEXT_TRACK, number, dumps(facts))
        return number

    def name_threads(self) -> None:
        """Write the names of threads that opened no scope, including ended ones that are still referenced."""
        threading = None if self.log.ended else sys.modules.get("threading")
        for thread in list(getattr(threading, "_dangling", ())):
            if thread.native_id is not None and thread.native_id not in self._named:
                self._describe_track(thread.name[: _tasks.MAX_NAME], thread.ident, thread.native_id, None)

    def task_track(self) -> RecorderTrack | None:
        """Return the track of the running task or greenlet; None outside of both."""
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

    def events(self, track: RecorderTrack) -> tuple[tuple[Buffer, int], int]:
        """Return ((buffer, offset), count): a chunk for `count` more events. Raises `OSError` without space."""
        begin = perf_counter_ns()
        max_events = max(self.log.limits.max_bytes // (MIN_CHUNKS * layout.EVENT.size), FIRST_EVENTS)
        count = min(FIRST_EVENTS << 2 * min(track.chunks, 8), MAX_EVENTS, max_events)
        self._clock()
        chunk = self.log.chunk(layout.CHUNK_EVENTS, track.number, count * layout.EVENT.size)
        self.chunks_ns += perf_counter_ns() - begin
        self.chunks_events += count
        return chunk, count

    def levels(self, track: RecorderTrack, mapped: int) -> tuple[tuple[Buffer, int], int]:
        """Return ((buffer, offset), count): a chunk for `count` more open levels."""
        count = max(FIRST_LEVELS, min(mapped, MAX_EVENTS))
        return self.log.chunk(layout.CHUNK_OPEN, track.number, count * layout.OPEN.size), count

    def intern(self, name: object, code: CodeType | None, instruction: int) -> int:
        """Return the id of a name at a call site: a `with` block, decorated function, counter or mark.

        A name that is computed at run time has one id for all its call sites, so that ids stay few.
        """
        if isinstance(name, RemoteParent):
            return self._intern_remote(name)
        text = name_text(name)
        with self._lock:
            number = self.names.get(text)
            if number is None:
                number = self._ids.get((text, code, instruction))
            if number is None:
                if self._count >= MAX_IDS:
                    return self._overflow()
                number = self._count = self._count + 1
                self.log.text(layout.TEXT_NAME, number, text)
                is_constant = code is None or instruction < 0 or _is_constant(text, code)
                if code is not None:
                    self._describe_site(number, code, instruction, is_constant)
                if is_constant:
                    self._ids[text, code, instruction] = number
                else:
                    self.names[text] = number
        return number

    def _describe_site(self, number: int, code: CodeType, instruction: int, is_constant: bool) -> None:
        first, last, use = site(code, instruction)
        self.log.text(layout.TEXT_SITE, number, f"{first} {last} {code.co_filename}")
        facts = {"function": code.co_qualname[:1000], "use": use if is_constant else "some"}
        self.log.text(layout.TEXT_CODE, number, dumps(facts))

    def closed_elsewhere(self, name: object) -> None:
        """Write, once for each name, that a scope was closed on another track than it was opened on."""
        text = name_text(name)
        if text not in self._closed_elsewhere and len(self._closed_elsewhere) < MAX_IDS:
            self._closed_elsewhere.add(text)
            self.log.text(layout.TEXT_ELSEWHERE, perf_counter_ns(), text)

    def _intern_remote(self, sent: RemoteParent) -> int:
        with self._lock:
            number = self.names.get(sent)
            if number is None:
                number = self._count = self._count + 1
                self.log.text(layout.TEXT_NAME, number, sent.path[-1] if sent.path else "")
                self.log.text(layout.TEXT_CARRIED, number, dumps(sent._asdict()))
                if len(self.names) < MAX_IDS:
                    self.names[sent] = number
        return number

    def failed(self, error: BaseException) -> bool:
        """End the recording because of an error, with one line on standard error; the program continues.

        Returns False if the error is the program's and must propagate: a signal handler raised it, for example.
        """
        global active
        if not _is_ours(error):
            return False
        if active is self:
            active = None
            engine.activate(None)
            if not isinstance(error, EndedError):  # which is no failure
                log_line(f"recording stopped: {str(error) or type(error).__name__}; the program continues")
                self.log.end(layout.STOPPED_FULL if isinstance(error, FullError) else layout.STOPPED_BY_ERROR)
            else:
                self.log.end()
        return True

    def forget(self) -> None:
        """Release what an ended recording no longer needs; its recorder stays in memory."""
        self._ids.clear()
        self.names.clear()
        self._task_tracks = None
        self._local = _tasks.original("_local")()

    def _overflow(self) -> int:
        text = "(more names)"
        number = self.names.get(text)
        if number is None:
            number = self._count = self._count + 1
            self.log.text(layout.TEXT_NAME, number, text)
            self.names[text] = number
        return number

    def _clock(self) -> None:
        """Write a pair of monotonic and wall time now and then: the wall clock may be set."""
        now = perf_counter_ns()
        if now - self._clock_at > CLOCK_EVERY_NS:
            self._clock_at = now
            self.log.text(layout.TEXT_CLOCK, now, str(time_ns()))


def _is_ours(error: BaseException) -> bool:
    """Return whether an error is the recorder's own: an OSError or MemoryError raised in this package.

    A signal handler raises in a frame of the program. An exception that another thread sent has no frame of its own.
    """
    if not isinstance(error, OSError | MemoryError):
        return False
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is None or last.tb_frame.f_globals.get("__package__") == __package__


def _is_constant(text: str, code: CodeType) -> bool:
    """Return whether the text is a constant of the code, alone or in a tuple."""
    return text in code.co_consts or any(
        isinstance(constant, tuple) and text in constant for constant in code.co_consts
    )


def name_text(name: object) -> str:
    """Return a scope's name as text."""
    if isinstance(name, str):
        return name
    try:
        return repr(name)
    except Exception:  # noqa: BLE001  the name's own code; a scope must not raise
        return f"<{type(name).__name__}>"
