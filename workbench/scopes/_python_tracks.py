"""Tracks of the recorder in Python: where a thread or task stands in the log, as words of mapped memory.

A store of a word is one item assignment to a `memoryview`. That calls no Python and ends no bytecode at which a
signal's handler may run or another thread go on: several of them in a row, without a call or a jump back between,
happen at once as far as the rest of the process sees.
"""

from __future__ import annotations

import sys
from struct import Struct
from typing import TYPE_CHECKING, Any

from workbench.scopes import _layout as layout

if TYPE_CHECKING:
    from workbench.scopes._journal import Journal
    from workbench.scopes._python import scope

ONE_DEEPER = 1 << 32
"""what a level more adds to the middle word of an event, which is name | depth << 32 | flags << 48"""
_DEEPEST = layout.MAX_DEPTH << 32
_WORD = Struct("<Q")

Plan = tuple[int, Any, object, bool]
"""What is known of a name at a place: id, code, name, and whether what is opened there is closed on that thread."""


class _Words:
    """Words of a buffer where the machine's own order of bytes is not the log's."""

    def __init__(self, buffer: Any, places: range) -> None:
        self._buffer, self._places = buffer, places

    def __getitem__(self, part: slice) -> _Words:
        return _Words(self._buffer, self._places[part])

    def __setitem__(self, index: int, value: int) -> None:
        _WORD.pack_into(self._buffer, self._places[index], value)


def words(buffer: Any, offset: int, count: int) -> Any:
    """Return `count` words of a buffer from a byte offset: to be sliced, and to be stored to by index."""
    if sys.byteorder == "little":
        return memoryview(buffer)[offset : offset + 8 * count].cast("Q")
    return _Words(buffer, range(offset, offset + 8 * count, 8))


class Level:
    """One level of nesting: a scope that is open, or room for one above them."""

    __slots__ = ("above", "below", "cell", "depth", "guard", "pen", "plan", "start", "word")

    def __init__(self, pen: Any, cell: Any, depth: int) -> None:
        self.pen = pen
        self.above: Level | None = None
        self.below: Level | None = None
        self.cell = cell
        """(name, start) in the map of open scopes: a start of 0 says that it is not open"""
        self.depth = depth
        """as it stands in an event's middle word, shifted"""
        self.word = 0
        self.start = 0
        self.plan: Plan | None = None
        """of the scope, whose id is in `word` and in `cell` already"""
        self.guard: scope | None = None
        """the guard, where that does not know its level"""


class Pen:
    """Where the next record of a track goes. It and its levels know each other, until they are let go."""

    __slots__ = (
        "base",
        "cells",
        "chunks",
        "count",
        "events",
        "last",
        "level",
        "next",
        "number",
        "recorder",
        "sites",
        "unsettled",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.sites: Any = None
        self.recorder: Any = None
        """the recorder that writes with it, and its sites"""
        self.base = self.level = self.last = Level(None, None, -ONE_DEEPER)
        """below the outermost level; the innermost that is open, or the base; and the last that there is room for"""
        self.cells: list[Any] = []
        """by depth"""
        self.unsettled = False
        self.chunks = self.next = self.count = 0
        """how many chunks of events it has had; the next event of the newest, and how many that has room for"""
        self.events: tuple[Any, Any, Any] = (_NO_WORDS, _NO_WORDS, _NO_WORDS)
        """the first, middle and last words of all events of the chunk"""

    def add_events(self, journal: Journal) -> None:
        """Get a new chunk of events."""
        track: Any = self  # it has what the journal asks of one
        (buffer, position), count = journal.events(track)
        room = words(buffer, position, 3 * count)
        events = room[0::3], room[1::3], room[2::3]
        self.chunks += 1
        self.events, self.next, self.count = events, 0, count

    def add_levels(self, journal: Journal) -> None:
        """Get room for more levels above the last."""
        last, mapped = self.last, len(self.cells)
        track: Any = self
        (buffer, offset), count = journal.levels(track, mapped)
        room = words(buffer, offset, 2 * count)
        cells = [room[2 * i : 2 * i + 2] for i in range(count)]
        new = [Level(self, cell, min((mapped + i) * ONE_DEEPER, _DEEPEST)) for i, cell in enumerate(cells)]
        for i in range(1, count):
            new[i].below, new[i - 1].above = new[i - 1], new[i]
        if self.last is last and len(self.cells) == mapped:  # no handler of a signal was faster
            self.cells += cells
            new[0].below = last
            last.above = new[0]
            self.last = new[-1]

    def write(self, start: int, word: int, end: int) -> None:
        """Write an event. There must be room."""
        first, middle, final = self.events
        at = self.next
        self.next = at + 1
        first[at] = start
        middle[at] = word
        final[at] = end

    def take_out(self, level: Level) -> None:
        """Close a level that is not the innermost: those above stand one deeper until `settle`."""
        top, below, above = self.level, level.below, level.above
        if below is None or above is None:
            return
        level.cell[1] = 0
        level.plan = None
        below.above, above.below = above, below
        level.below, level.above = top, top.above
        level.cell, level.depth = top.cell, top.depth
        if top.above is not None:
            top.above.below = level
        top.above = level
        if self.last is top:
            self.last = level
        self.unsettled = True

    def settle(self) -> None:
        """See to it that every level has the place in the map, and the depth, of where it stands now.

        A handler that raises may end this anywhere: then it is done again.
        """
        level, at = self.base.above, 0
        cells, is_open = self.cells, self.level is not self.base
        while level is not None and at < len(cells):
            depth, cell = min(at * ONE_DEEPER, _DEEPEST), cells[at]
            if not is_open:
                cell[1] = 0
            elif level.cell is not cell and level.plan is not None:
                level.depth, level.cell, level.word = depth, cell, level.plan[0] + depth
                cell[1] = 0
                cell[0] = level.plan[0]  # it stands one level deeper, too, until that is cleared
                cell[1] = level.start
            if level is self.level:
                is_open = False
            level, at = level.above, at + 1
        self.unsettled = False

    def find(self, guard: scope) -> Level | None:
        """Return the innermost level that a guard has open, if it has one."""
        level: Level | None = self.level
        while level is not None and level.below is not None:
            if level.guard is guard or level is guard._where:
                return level
            level = level.below
        return None

    def open_levels(self) -> list[Level]:
        """Return the levels that are open, outermost first."""
        found = []
        level: Level | None = self.level
        while level is not None and level.below is not None:
            found.append(level)
            level = level.below
        return found[::-1]


class Track:
    """A thread's or task's pen, and what lets it go when that ends, without waiting for a collection."""

    __slots__ = ("__weakref__", "pen")

    def __init__(self, number: int) -> None:
        self.pen = Pen(number)

    @property
    def number(self) -> int:
        """Its number in the log."""
        return self.pen.number

    @property
    def chunks(self) -> int:
        """How many chunks of events it has had."""
        return self.pen.chunks

    @property
    def depth(self) -> int:
        """How many scopes are open."""
        return len(self.pen.open_levels())

    def release(self) -> None:
        """Let the log's memory go. What is open stays open there; its guards close nothing any more."""
        pen = self.pen
        level: Level | None = pen.base
        fresh = Level(None, None, -ONE_DEEPER)
        pen.base = pen.level = pen.last = fresh
        pen.cells = []
        pen.events, pen.next, pen.count = (_NO_WORDS, _NO_WORDS, _NO_WORDS), 0, 0
        while level is not None:
            above, level.above, level.below = level.above, None, None
            level.cell = level.guard = level.plan = None
            level = above

    def __del__(self) -> None:
        self.release()


_NO_WORDS: Any = memoryview(bytearray()).cast("Q")
