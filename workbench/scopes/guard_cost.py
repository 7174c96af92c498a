"""What a guard costs on this machine, in this process: measured when a recording starts and when it ends.

Two constants. `inside_ns` is what a guard adds to its own interval: from after the clock read that opens it to
before the one that closes it. `parent_ns` is what a guard adds to whatever is around it, its own interval
included. A reader can state each scope's overhead by them, and subtract it. At the end there is a third,
`chunk_ns`: how long it took to get room in the log, for each event, which comes in lumps and is in neither.
"""

from __future__ import annotations

from _thread import get_ident
from json import dumps
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from workbench.scopes import engine, layout

if TYPE_CHECKING:
    from workbench.scopes._journal import Journal

GUARDS = 64
REPEATS = 15 if engine.name == "native" else 5


class _Scratch:
    """A journal that is thrown away: the guards that are measured leave nothing in the log."""

    def __init__(self) -> None:
        self.names: dict[object, int] = {}
        self.buffers: list[bytearray] = []
        """the events of the thread that measures; others may open guards at the same time"""
        self._thread = get_ident()
        self._tracks: dict[int, Any] = {}

    def start(self) -> None:
        self.buffers.clear()
        self._thread = get_ident()

    def thread_track(self) -> Any:
        ident = get_ident()
        return self._tracks.setdefault(ident, engine.Track(ident & 0xFFFFFFFF))

    def task_track(self) -> None:
        return None

    def events(self, track: Any) -> tuple[tuple[bytearray, int], int]:
        buffer = bytearray(GUARDS * layout.EVENT.size)
        if track.number == self._thread & 0xFFFFFFFF:
            self.buffers.append(buffer)
        return (buffer, 0), GUARDS

    def levels(self, track: object, mapped: int) -> tuple[tuple[bytearray, int], int]:
        return (bytearray(64 * layout.OPEN.size), 0), 64

    def intern(self, name: object, code: object, instruction: int) -> int:
        return 1

    def closed_elsewhere(self, name: object) -> None:
        pass

    def failed(self, error: object) -> bool:
        engine.activate(None)
        return True


_scratch: tuple[_Scratch, Any] | None = None
"""Made once: a recorder that was active stays in memory."""


def measure() -> dict[str, Any]:
    """Return the two constants in nanoseconds, medians of a few repeats, while nothing records."""
    global _scratch
    if _scratch is None:
        journal: Any = _Scratch()
        _scratch = journal, engine.Recorder(journal)
    scratch, recorder = _scratch
    scratch.start()
    engine.activate(recorder)
    try:
        pairs = [(_guards(engine.scope), _calls()) for _ in range(REPEATS)]
        scratch.start()
        for _ in range(REPEATS):
            _empty(engine.scope)
    finally:
        engine.activate(None)
    inside = [
        end - start
        for buffer in scratch.buffers
        for start, _, _, _, end in layout.EVENT.iter_unpack(buffer)
        if end
    ]
    parent = sorted(guards - calls for guards, calls in pairs)[REPEATS // 2] / GUARDS
    return {
        "engine": engine.name,
        "inside_ns": min(sorted(inside)[len(inside) // 2], round(parent, 1)),
        "parent_ns": round(parent, 1),
    }


def write(journal: Journal) -> None:
    """Measure, and write the constants into a log; the time of the measurement is the text's number."""
    costs = measure()
    if journal.chunks_events:
        costs["chunk_ns"] = round(journal.chunks_ns / journal.chunks_events, 2)
    journal.log.text(layout.TEXT_COST, perf_counter_ns(), dumps(costs))


# What is timed is a call, with a guard and without: a guard alone, over and over, is quicker than in a program.


def _call() -> float:
    x = 0.0
    for _ in range(4):
        x += 1.5
    return x


def _guards(scope: Any) -> int:
    start = perf_counter_ns()
    for _ in range(GUARDS):
        with scope("cost"):
            _call()
    return perf_counter_ns() - start


def _calls() -> int:
    start = perf_counter_ns()
    for _ in range(GUARDS):
        _call()
    return perf_counter_ns() - start


def _empty(scope: Any) -> None:
    for _ in range(GUARDS):
        with scope("cost"):
            pass
