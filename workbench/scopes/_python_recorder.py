"""What the recorder in Python does where `__enter__` and `__exit__` of its guard do not suffice; see `_python`.

A thread, place or level that is new; a chunk that is full; a guard with numbers, of a decorated function, in a
generator or a coroutine, or closed out of order; counters and marks.
"""

from __future__ import annotations

import sys
from _thread import _local  # `threading` takes 2 ms to import
from struct import Struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from workbench.scopes import _layout as layout
from workbench.scopes._python_tracks import ONE_DEEPER, Pen, Plan, Track

if TYPE_CHECKING:
    from types import CodeType

    from workbench.scopes._journal import Journal
    from workbench.scopes._python import scope

MOST_CACHED = 100_000
ATTEMPTS = 16
HEADROOM = 200
"""calls below the recursion limit for what must be done when a scope ends"""

_DOUBLE, _BITS = Struct("<d"), Struct("<Q")
_modules = sys.modules
_MOVES = 0x20 | 0x80 | 0x200
"""Flags of code whose frames may go on elsewhere: generators, coroutines, asynchronous generators."""
_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()

RARE = object()
"""In place of the name of a guard whose way is the longer one."""
NEVER: Plan = (0, None, None, False)
"""The plan of a place where guards go the longer way: it has no code object that could be the frame's."""


class Recorder:
    """Writes guards to the chunks that the process's journal hands out."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.local: Any = _local()
        """each thread's `track`, and its `pen`"""
        self._numbers: dict[str, int] = {}
        """ids of the names of numbers"""
        self._plans: dict[tuple[int, int, object], Plan] = {}
        """by the code's id (the plan holds the code), instruction and name"""
        self._sites: dict[object, dict[int, Plan]] = {}
        """those that stay on their thread, by name and instruction: for one code object of several"""

    def enter(self, guard: scope, frame: Any) -> None:
        """Open a scope on the current track; the guard stands in `frame`."""
        pen: Pen | None = getattr(self.local, "pen", None) if "asyncio" not in _modules else None
        try:
            if pen is None:
                pen = self.track().pen
            name, _, code = guard._rest if guard._text is RARE else (guard._text, None, None)
            place, instruction = (code, -1) if code is not None else (frame.f_code, frame.f_lasti)
            plan = self._plan(name, place, instruction)
            if not plan[3] and len(self._sites) < MOST_CACHED:
                self._sites.setdefault(guard._text, {}).setdefault(frame.f_lasti, NEVER)
            while True:
                while pen.level.above is None:
                    pen.add_levels(self.journal)
                start = perf_counter_ns()
                level = pen.level.above
                if level is not None:
                    break
        except Exception as error:  # an error of the log ends recording, and never the program
            if not self.journal.failed(error):
                raise
            return
        level.start = start
        pen.level = level
        if guard._where is None and plan[3]:
            guard._where = level
        else:
            if guard._where:  # open elsewhere: from now on its levels know it, instead
                guard._where.guard = guard
            guard._where = False
            level.guard = guard
        level.plan = plan
        level.word = plan[0] + level.depth
        level.cell[0] = plan[0]
        level.cell[1] = start

    def leave(self, guard: scope, end: int) -> None:
        """Close a scope of which `__exit__` does not know that it was opened on this thread or task."""
        if guard._where is False and "asyncio" not in _modules:
            try:
                pen = self.local.pen
            except AttributeError:
                return  # opened before this recording began
            level = pen.level
            if (
                level.guard is guard
                and pen.next < pen.count
                and not (pen.unsettled or (guard._text is RARE and guard._rest[1]))
            ):
                at = pen.next
                pen.next = at + 1
                first, middle, final = pen.events
                first[at] = level.start
                middle[at] = level.word
                final[at] = end
                level.guard = None
                pen.level = level.below
                level.cell[1] = 0
                level.plan = None
                return
        self._leave_slowly(guard)

    def _leave_slowly(self, guard: scope) -> None:
        """Close a scope where there is more to it: a full chunk, numbers, or it is not the innermost."""
        raised: BaseException | None = None  # the program's own, by a signal's handler
        limit = 0
        for _ in range(ATTEMPTS):
            try:
                self._close(guard)
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

    def _close(self, guard: scope) -> None:
        pen = self._pen_of(guard)
        if pen is None or pen.find(guard) is None:
            return  # opened before this recording began, or on another thread
        if pen.unsettled:
            pen.settle()
        work = guard.work
        values = [(self._number_id(key), bits_of(value)) for key, value in work.items()] if work else []
        while True:
            while pen.count - pen.next <= len(values):
                pen.add_events(self.journal)
            level = pen.find(guard)
            if level is None:
                return  # a signal's handler closed it
            end = perf_counter_ns()
            for number, bits in values:
                pen.write(bits, number + level.depth + (layout.FLAG_VALUE << 48), end)
            if (
                pen.next < pen.count
                and level.below is not None
                and (level.guard is guard or guard._where is level)
            ):
                break
        innermost = level is pen.level
        first, middle, final = pen.events
        at = pen.next
        pen.next = at + 1
        first[at] = level.start
        middle[at] = level.word if innermost else level.word + (layout.FLAG_OUT_OF_ORDER << 48)
        final[at] = end
        level.guard = None
        if guard._where:
            guard._where = None
        if innermost:
            pen.level = level.below
            level.cell[1] = 0
            level.plan = None
        else:
            pen.take_out(level)
            pen.settle()

    def _number_id(self, key: str) -> int:
        known = self._numbers.get(key) if key.__class__ is str else None
        if known is None:
            known = self.journal.intern(key, None, 0)
            if key.__class__ is str and len(self._numbers) < MOST_CACHED:
                self._numbers[key] = known
        return known

    def _pen_of(self, guard: scope) -> Pen | None:
        """Return the pen that a guard may have been opened with; None: this thread or task has none."""
        level = guard._where
        if level:
            pen: Pen = level.pen
            if pen.recorder is self:
                return pen
            guard._where = None  # of another recording, or of the process that this one was forked from
            return None
        if "asyncio" in _modules:
            return self.track().pen
        return getattr(self.local, "pen", None)

    def point(self, name: object, value: float, flag: int, frame: Any) -> None:
        """Write a counter's value, or a mark, at this moment."""
        try:
            pen = self.track().pen
            plan = self._plan(name, frame.f_code, frame.f_lasti)
            bits = bits_of(value)
            while True:
                while pen.next >= pen.count:
                    pen.add_events(self.journal)
                now = perf_counter_ns()
                if pen.next < pen.count:
                    break
            depth = min(pen.level.depth + ONE_DEEPER, layout.MAX_DEPTH << 32)
            pen.write(bits, plan[0] + depth + (flag << 48), now)
        except Exception as error:
            if not self.journal.failed(error):
                raise

    def track(self) -> Track:
        """Return the track of the running asyncio task, or else of the thread."""
        track: Track | None = self.journal.task_track()
        if track is None:
            track = getattr(self.local, "track", None)
            if track is None:
                track = self.journal.thread_track()
                self.local.track = track
                self.local.pen = track.pen
        pen = track.pen
        if pen.sites is not self._sites:
            pen.sites, pen.recorder = self._sites, self
        return track

    def forget(self) -> None:
        """Let go the tracks, which keep the log mapped, when recording has ended."""
        self.local = _local()
        self._numbers.clear()
        self._plans.clear()
        self._sites.clear()

    def _plan(self, name: object, code: CodeType, instruction: int) -> Plan:
        if name.__class__ is not str:  # it need not even be hashable
            return self.journal.intern(name, code, instruction), code, name, False
        plan = self._plans.get((id(code), instruction, name))
        if plan is not None and not plan[3]:
            return plan
        if plan is None:
            stays = _GIL and _stays(code, instruction)
            plan = self.journal.intern(name, code, instruction), code, name, stays
            if len(self._plans) >= MOST_CACHED:
                return plan
            self._plans[id(code), instruction, name] = plan
        if plan[3]:
            self._sites.setdefault(str(name), {})[instruction] = plan
        return plan


def _stays(code: CodeType, instruction: int) -> bool:
    """Return whether a place is a `with` statement whose frame cannot go on in another thread or task."""
    from opcode import opmap  # here, because a program that records nothing need not load it

    if instruction < 0 or code.co_flags & _MOVES:
        return False
    return code.co_code[instruction] == opmap.get("BEFORE_WITH")  # up to Python 3.13


def bits_of(value: float) -> int:
    """Return the bits of a double, as the log has them in place of a start."""
    bits: int = _BITS.unpack(_DOUBLE.pack(value))[0]
    return bits
