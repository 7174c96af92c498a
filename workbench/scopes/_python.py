"""The recorder in Python: what a guard does when it opens and closes.

Every store goes straight into a shared file mapping, so that a process that is killed has lost nothing: closed
scopes stand as events, open ones in their track's map of open levels. `_native.c` does the same in C.

A signal handler or a finalizer may open guards of its own between any two steps here, or raise. So there is room
before the clock is read, a place is reserved, without a call in between, before it is written, and a scope
stays on the stack of open ones until its event stands.
"""

from __future__ import annotations

import sys
from _thread import _local  # `threading` takes 2 ms to import
from struct import Struct
from time import perf_counter_ns  # the system-wide monotonic clock on Linux and macOS
from typing import TYPE_CHECKING, Any

from workbench.scopes import _layout as layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import Self

    from workbench.scopes._journal import Journal
    from workbench.scopes._log import Buffer

MOST_CACHED = 100_000
MOST_WORK = 32
"""numbers that one guard carries"""
ATTEMPTS = 16
HEADROOM = 200
"""calls below the recursion limit for what must be done when a scope ends"""

active: Recorder | None = None
"""The recorder that guards write to, or None: then a guard does nothing."""

_pack_event = layout.EVENT.pack_into
_pack_open = layout.OPEN.pack_into
_pack_clear = layout.OPEN_CLEAR.pack_into
_EVENT_SIZE = layout.EVENT.size
_DOUBLE, _BITS = Struct("<d"), Struct("<Q")
_frame = sys._getframe  # the only way to the code that a guard stands in


def activate(recorder: Recorder | None) -> None:
    """Make a recorder the one that guards write to; None: they do nothing."""
    global active
    active = recorder


class Track:
    """Where one thread or task stands: its open scopes and its place in the log."""

    __slots__ = ("__weakref__", "buffer", "chunks", "end", "number", "open", "position", "slots")

    def __init__(self, number: int) -> None:
        self.number = number
        self.open: list[tuple[scope, int, int]] = []
        """(guard, id, start) of every open scope, outermost first"""
        self.slots: list[tuple[Buffer, int]] = []
        """where each level of nesting stands in the map of open scopes"""
        self.chunks = 0
        """how many chunks of events it has had"""
        self.buffer: Buffer
        self.position = 0
        self.end = 0

    @property
    def depth(self) -> int:
        """How many scopes are open."""
        return len(self.open)


class Recorder:
    """Writes guards to the chunks that the process's journal hands out."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._local: Any = _local()
        self._ids: dict[tuple[int, int, object], tuple[int, object]] = {}
        """id, and the code object that holds the key's number, by (id of code, instruction, name)"""

    def enter(self, guard: scope, frame: Any) -> None:
        """Open a scope on the current track; the guard stands in `frame`."""
        try:
            track = self._local.track if "asyncio" not in sys.modules else self.track()
        except AttributeError:
            track = self.track()
        try:
            code, instruction = guard.code, -1
            if code is None:
                code, instruction = frame.f_code, frame.f_lasti
            name = self._id(guard.name, code, instruction)
            level = len(track.open)
            while level >= len(track.slots):
                self._add_slots(track)
            buffer, offset = track.slots[level]
        except Exception as error:  # an error of the log ends recording, and never the program
            if not self.journal.failed(error):
                raise
            return
        start = perf_counter_ns()
        track.open.append((guard, name, start))
        _pack_open(buffer, offset, name, 0, start)

    def leave(self, guard: scope) -> None:
        """Close a scope: write its event, then clear its level in the map of open scopes."""
        end = perf_counter_ns()
        try:
            track = self._local.track if "asyncio" not in sys.modules else self.track()
        except AttributeError:
            return  # opened before this recording began
        opened = track.open
        if not opened or opened[-1][0] is not guard or guard.work or track.position == track.end:
            self._leave_slowly(track, guard)
            return
        level = len(opened) - 1
        _, name, start = opened[level]
        position = track.position
        track.position = position + _EVENT_SIZE
        try:
            _pack_event(track.buffer, position, start, name, level if level < 65535 else 65535, 0, end)
        finally:  # whatever a signal's handler raised
            del opened[level]
        buffer, offset = track.slots[level]
        _pack_clear(buffer, offset, 0, 0)

    def _leave_slowly(self, track: Track, guard: scope) -> None:
        """Close a scope where there is more to it: a full chunk, numbers, or it is not the innermost."""
        raised: BaseException | None = None  # the program's own, by a signal's handler
        limit = 0
        for _ in range(ATTEMPTS):
            try:
                values = [(self.journal.intern(k, None, 0), _bits(v)) for k, v in (guard.work or {}).items()]
                self._close(track, guard, values)
                break
            except BaseException as error:  # noqa: BLE001  a scope that ends must be closed first: once more
                if isinstance(error, Exception) and self.journal.failed(error):
                    break
                if (
                    isinstance(error, RecursionError) and not limit
                ):  # the program's stack is full: ours is short
                    limit = sys.getrecursionlimit()
                    sys.setrecursionlimit(limit + HEADROOM)
                else:
                    raised = raised or error
        if limit:
            sys.setrecursionlimit(limit)
        if raised is not None:
            raise raised

    def _close(self, track: Track, guard: scope, values: list[tuple[int, int]]) -> None:
        while track.end - track.position < (len(values) + 1) * _EVENT_SIZE:
            self._add_events(track)
        end = perf_counter_ns()
        level = len(track.open) - 1
        while level >= 0 and track.open[level][0] is not guard:
            level -= 1
        if level < 0:
            return  # opened before this recording began, or on another thread
        _, name, start = track.open[level]
        flags = 0 if level == len(track.open) - 1 else layout.FLAG_OUT_OF_ORDER
        for number, bits in values:
            self._write(track, bits, number, level, layout.FLAG_VALUE, end)
        self._write(track, start, name, level, flags, end)
        del track.open[level]
        for above in range(level, len(track.open)):
            _, name, start = track.open[above]
            buffer, offset = track.slots[above]
            _pack_clear(buffer, offset, 0, 0)  # it stands one level deeper, too, until that is cleared
            _pack_open(buffer, offset, name, 0, start)
        buffer, offset = track.slots[len(track.open)]
        _pack_clear(buffer, offset, 0, 0)

    def point(self, name: object, value: float, flag: int, frame: Any) -> None:
        """Write a counter's value, or a mark, at this moment."""
        try:
            track = self.track()
            number = self._id(name, frame.f_code, frame.f_lasti)
            while track.position == track.end:
                self._add_events(track)
            self._write(track, _bits(value), number, len(track.open), flag, perf_counter_ns())
        except Exception as error:
            if not self.journal.failed(error):
                raise

    def track(self) -> Track:
        """Return the track of the running asyncio task, or else of the thread."""
        task_track: Track | None = self.journal.task_track()
        if task_track is not None:
            return task_track
        track: Track | None = getattr(self._local, "track", None)
        if track is None:
            track = self._local.track = self.journal.thread_track()
        return track

    def forget(self) -> None:
        """Let go the tracks, which keep the log mapped, when recording has ended."""
        self._local = _local()
        self._ids.clear()

    def _id(self, name: object, code: CodeType, instruction: int) -> int:
        if name.__class__ is not str:  # it need not even be hashable
            return self.journal.intern(name, code, instruction)
        known = self._ids.get((id(code), instruction, name))
        if known is not None:
            return known[0]
        number = self.journal.intern(name, code, instruction)
        if len(self._ids) < MOST_CACHED:
            self._ids[id(code), instruction, name] = (number, code)
        return number

    def _write(self, track: Track, start: int, name: int, level: int, flags: int, end: int) -> None:
        depth = min(level, layout.MAX_DEPTH)
        position = track.position
        track.position = position + _EVENT_SIZE
        _pack_event(track.buffer, position, start, name, depth, flags, end)

    def _add_events(self, track: Track) -> None:
        (buffer, position), count = self.journal.events(track)
        track.chunks += 1
        track.buffer, track.position, track.end = buffer, position, position + count * _EVENT_SIZE

    def _add_slots(self, track: Track) -> None:
        (buffer, offset), count = self.journal.levels(track, len(track.slots))
        track.slots.extend((buffer, offset + i * layout.OPEN.size) for i in range(count))


class scope:  # noqa: N801  a keyword to its users: `with scope("predict"):`
    """Name the time that a block or function takes; see `workbench.scope`."""

    __slots__ = ("code", "name", "work")

    def __init__(self, name: str, **work: float) -> None:
        if name.__class__ is not str and callable(name):
            raise TypeError(f'a scope needs a name: write @scope("predict"), not @scope on {name!r}')
        self.name = name
        self.work = {key: _number(value) for key, value in work.items()} if work else None
        if len(work) > MOST_WORK:
            raise TypeError(f"scope() takes one name, and up to {MOST_WORK} numbers by keyword")
        self.code: CodeType | None = None

    def __repr__(self) -> str:
        return f"scope({self.name!r})"

    def __enter__(self) -> Self:
        recorder = active
        if recorder is not None:
            recorder.enter(self, _frame(1))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        recorder = active
        if recorder is not None:
            recorder.leave(self)

    def __call__(self, function: Callable[..., Any]) -> Any:
        """Return the function with every call of it in this scope."""
        from workbench.scopes._decorate import wrap

        return wrap(self, function)

    def __reduce__(self) -> tuple[Any, ...]:
        from workbench.scopes._decorate import restore

        return restore, (self.name, self.work, self.code)

    def _of(self, code: CodeType) -> scope:
        """Return a guard for every call of a decorated function, whose place is that function."""
        made = scope(self.name, **(self.work or {}))
        made.code = code
        return made


def open_scopes() -> tuple[int, list[object], int] | None:
    """Return (the current track's number, its open scopes' names, start of the innermost); None: not recording."""
    recorder = active
    if recorder is None:
        return None
    track = recorder.track()
    return track.number, [guard.name for guard, _, _ in track.open], track.open[-1][2] if track.open else 0


def counter(name: str, value: float) -> None:
    """Record the value of something that changes; see `workbench.counter`."""
    number = _number(value)
    recorder = active
    if recorder is not None:
        recorder.point(name, number, layout.FLAG_COUNTER, _frame(1))


def mark(name: str) -> None:
    """Record that something happened at this moment; see `workbench.mark`."""
    recorder = active
    if recorder is not None:
        recorder.point(name, 0.0, layout.FLAG_MARK, _frame(1))


def _number(value: float) -> float:
    if isinstance(value, (str, bytes, bytearray)):  # `float` would read them
        raise TypeError(f"must be real number, not {type(value).__name__}")
    return float(value)


def _bits(value: float) -> int:
    bits: int = _BITS.unpack(_DOUBLE.pack(value))[0]
    return bits
