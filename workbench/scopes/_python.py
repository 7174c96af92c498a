"""The recorder in Python, for platforms without a compiler: it writes the same log as `native/scope.c`, but slower.

CPython runs signal handlers and finalizers after calls, at backward jumps and when a function begins. A handler may
record or raise there. So every call comes first; `turn` then shows whether a handler has recorded since, and if not,
the stores follow without a call in between. If a handler raises as `__exit__` begins, the next scope, counter or mark
of the track closes the scope, because its `with` block has been left.
"""

from __future__ import annotations

import sys
from struct import error, pack, unpack
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from workbench.scopes import _decorate, layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType
    from typing import Protocol, Self

    class RecorderOwner(Protocol):
        """What a recorder calls: `_journal.Journal`, which hands out tracks, chunks and ids."""

        def thread_track(self) -> RecorderTrack: ...
        def task_track(self) -> RecorderTrack | None: ...
        def events(self, track: RecorderTrack, /) -> tuple[tuple[Any, int], int]: ...
        def levels(self, track: RecorderTrack, mapped: int, /) -> tuple[tuple[Any, int], int]: ...
        def intern(self, name: object, code: CodeType | None, instruction: int, /) -> int: ...
        def closed_elsewhere(self, name: object, /) -> None: ...
        def failed(self, error: BaseException, /) -> bool: ...


MAX_WORK = 32
"""Numbers of one scope: the native recorder has an array for them."""
active: Recorder | None = None
"""The recorder that scopes write to; None: scopes do nothing."""


def activate(recorder: Recorder | None) -> None:
    """Make scopes write to a recorder; None: they do nothing."""
    global active
    active = recorder


class scope:  # noqa: N801  a keyword to its users: `with scope("predict"):`
    """Name the time that a block or function takes; see `workbench.scope`."""

    __slots__ = ("code", "name", "opened_in", "work")

    def __init__(self, name: str, **work: float) -> None:
        if name.__class__ is not str and callable(name):
            raise TypeError(f'a scope needs a name: write @scope("predict"), not @scope on {name!r}')
        if len(work) > MAX_WORK:
            raise TypeError(f"scope() takes one name, and up to {MAX_WORK} numbers by keyword")
        self.name = name
        self.work = {k: _number(v, f"scope {name!r}: {k} must be a number") for k, v in work.items()} or None
        self.code: CodeType | None = None
        self.opened_in: Recorder | None = None

    def __repr__(self) -> str:
        return f"scope({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in (self.work or {}).items())])})"

    def __enter__(self) -> Self:
        if (recorder := active) is not None:
            recorder.enter(self, sys._getframe(1))
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if (recorder := active) is not None:
            recorder.leave(self, sys._getframe(1))

    def __call__(self, function: Any) -> Any:
        """Return the function with every call of it in this scope."""
        return _decorate.wrap(self, function)

    def __reduce__(self) -> tuple[Any, ...]:
        return _decorate.restore, (self.name, self.work, self.code)

    def _of(self, code: CodeType) -> scope:
        """Return a scope for every call of a decorated function; its call site is that function."""
        made = scope(self.name, **(self.work or {}))
        made.code = code
        return made


class _OpenScope:
    """An open scope on a track."""

    __slots__ = ("at", "block", "frame", "name", "scope", "start")

    def __init__(self, opened: scope, name: int, frame: Any, block: list[tuple[int, int]]) -> None:
        self.scope, self.name, self.block = opened, name, block
        self.frame: Any = frame if block else None
        self.at = self.start = 0  # `at`: its cell

    def is_over(self) -> bool:
        """Return whether its `with` block has been left; False for scopes without a block."""
        return bool(self.block) and True not in [a <= self.frame.f_lasti < b for a, b in self.block]


class RecorderTrack:
    """The state of one thread or task: its open scopes, and its chunks in the log."""

    __slots__ = ("__weakref__", "cells", "chunks", "events", "next", "number", "open", "own_stack", "turn")

    def __init__(self, number: int) -> None:
        self.number = number
        self.own_stack = False
        self.open: list[_OpenScope] = []  # outermost first
        self.cells: list[memoryview] = []  # (name, start) each: the map of open scopes
        self.events = _words()  # the words of the newest chunk, free from `next` on
        self.chunks = self.next = self.turn = 0


class Recorder:
    """Writes scopes to the chunks that the process's journal hands out."""

    def __init__(self, journal: RecorderOwner) -> None:
        from workbench.scopes._sites import block  # not loaded by a program that records nothing

        self.journal, self._block = journal, block

    def track(self, opened: scope | None = None, frame: Any = None) -> RecorderTrack:
        """Return the track of the running task or thread, after closing scopes whose blocks were left.

        The scope that `frame` is about to close stays open.
        """
        track = self.journal.task_track() or self.journal.thread_track()
        while track.open and (top := track.open[-1]).is_over() and (top.scope, top.frame) != (opened, frame):
            self._close(track, top)
        return track

    def enter(self, opened: scope, frame: Any) -> _OpenScope | None:
        """Open a scope on the current track and return it, None where the log fails; `frame` is the caller's."""
        try:
            track = self.track()
            call_site = (frame.f_code, frame.f_lasti) if opened.code is None else (opened.code, -1)
            block = self._block(frame.f_code, frame.f_lasti)
            level = _OpenScope(opened, self.journal.intern(opened.name, *call_site), frame, block)
            while True:
                turn, depth = track.turn, len(track.open)
                at = track.open[-1].at + 1 if depth else 0
                while at >= len(track.cells):
                    (buffer, offset), count = self.journal.levels(track, len(track.cells))
                    words = memoryview(buffer)[offset : offset + count * layout.OPEN.size].cast("Q")
                    track.cells += [words[i : i + 2] for i in range(0, 2 * count, 2)]
                start = perf_counter_ns()
                cell, name, stamp = track.cells[at], _words(level.name), _words(start)
                if track.turn == turn:
                    break
        except Exception as error:  # an error of the log ends the recording, never the program
            if not self.journal.failed(error):
                raise
            return None
        level.at, level.start = at, start
        opened.opened_in = self
        cell[0:1] = name
        cell[1:2] = stamp
        track.open[depth:] = (level,)
        track.turn = turn + 1
        return level

    def leave(self, opened: scope, frame: Any) -> None:
        """Close a scope; `frame` is the caller's."""
        raised: BaseException | None = None  # by a signal handler of the program
        for _ in range(16):
            try:
                track = self.track(opened, frame)
                for level in reversed(track.open):
                    if level.scope is opened:
                        self._close(track, level)
                        break
                else:
                    if opened.opened_in is self:
                        self.journal.closed_elsewhere(opened.name)
                break
            except BaseException as error:  # noqa: BLE001  the scope must be closed before this propagates: try again
                if isinstance(error, Exception) and self.journal.failed(error):
                    break
                raised = error if raised is None else raised
        if raised is not None:
            raise raised

    def _close(self, track: RecorderTrack, level: _OpenScope) -> None:
        work = self.numbers(level)
        values = [(_bits(v), self.journal.intern(key, None, 0), layout.FLAG_VALUE) for key, v in work.items()]
        self.write(track, [*values, (level.start, level.name, 0)], level)

    def numbers(self, level: _OpenScope) -> Mapping[str, float]:
        """Return the numbers that go into the log with a scope that ends now."""
        return level.scope.work or {}

    def write(
        self, track: RecorderTrack, records: list[tuple[int, int, int]], closing: _OpenScope | None = None
    ) -> None:
        """Write (first word, name, flags) at this moment, and close a scope with them."""
        size, starts = 3 * len(records), _words(*(start for start, _, _ in records))
        while True:
            turn, depth, order = track.turn, len(track.open), 0
            while len(track.events) - track.next < size:
                (buffer, offset), count = self.journal.events(track)
                events = memoryview(buffer)[offset : offset + count * layout.EVENT.size].cast("Q")
                track.events, track.next, track.chunks = events, 0, track.chunks + 1
            if track.open[-1:] == [closing]:
                depth -= 1
            elif closing in track.open:
                depth, order = track.open.index(closing), layout.FLAG_OUT_OF_ORDER
            elif closing is not None:
                return  # a signal handler closed it
            level = min(depth, layout.MAX_DEPTH) << 32
            words = _words(*(name | level | (flags or order) << 48 for _, name, flags in records))
            ends = _words(*[perf_counter_ns()] * len(records))
            if track.turn == turn:
                break
        events, at = track.events, track.next
        track.next = stop = at + size
        events[at:stop:3] = starts
        events[at + 1 : stop : 3] = words
        events[at + 2 : stop : 3] = ends
        track.turn = turn + 1
        if closing is not None:
            del track.open[depth]
            track.cells[closing.at][1:2] = _ZERO
            closing.scope.opened_in = None


def open_scopes() -> tuple[int, list[object], int] | None:
    """Return (the current track's number, its open scopes' names, start of the innermost); None: not recording."""
    if active is None:
        return None
    track = active.track()
    return track.number, [level.scope.name for level in track.open], track.open[-1].start if track.open else 0


def counter(name: str, value: float) -> None:
    """Record the value of something that changes; see `workbench.counter`."""
    _point(name, _number(value, f"counter {name!r} takes a number"), layout.FLAG_COUNTER, sys._getframe(1))


def mark(name: str) -> None:
    """Record that something happened at this moment; see `workbench.mark`."""
    _point(name, 0.0, layout.FLAG_MARK, sys._getframe(1))


def _point(name: str, value: float, flag: int, frame: Any) -> None:
    if (recorder := active) is not None:
        try:
            number = recorder.journal.intern(name, frame.f_code, frame.f_lasti)
            recorder.write(recorder.track(), [(_bits(value), number, flag)])
        except Exception as error:
            if not recorder.journal.failed(error):
                raise


def _words(*numbers: int) -> memoryview:
    return memoryview(pack(f"<{len(numbers)}Q", *numbers)).cast("Q")


def _bits(value: float) -> int:
    return int(unpack("<Q", pack("<d", value))[0])


def _number(value: float, what: str) -> float:
    try:
        return float(unpack("d", pack("d", value))[0])  # `float` alone would accept text
    except error:
        raise TypeError(f"{what}, not {type(value).__name__}") from None


_ZERO = _words(0)
