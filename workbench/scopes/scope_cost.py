"""The cost of a scope in this process, measured when a recording starts and when it ends.

`inside_ns` is what a scope adds to its own interval: from after the clock reading that opens it to before the one
that closes it. `parent_ns` is what a scope adds to the code around it, its own interval included. A reader can
subtract these from each scope. At the end, `chunk_ns` is the time to get a chunk of the log divided by its events;
neither of the other two includes it.
"""

from __future__ import annotations

from _thread import get_ident
from json import dumps
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from workbench.scopes import engine, layout

if TYPE_CHECKING:
    from workbench.scopes._journal import Journal

SCOPES = 64
"""Scopes in one timed loop."""
REPEATS = 15 if engine.name == "native" else 5


class _Scratch:
    """A journal in memory, so that measured scopes leave nothing in the log."""

    def __init__(self) -> None:
        self.names: dict[object, int] = {}
        self.buffers: list[bytearray] = []
        """The events of the measuring thread; other threads may open scopes at the same time."""
        self._thread = get_ident()
        self._tracks: dict[int, Any] = {}

    def start(self) -> None:
        self.buffers.clear()
        self._thread = get_ident()

    def thread_track(self) -> Any:
        ident = get_ident()
        return self._tracks.setdefault(ident, engine.RecorderTrack(ident & 0xFFFFFFFF))

    def task_track(self) -> None:
        return None

    def events(self, track: Any) -> tuple[tuple[bytearray, int], int]:
        buffer = bytearray(SCOPES * layout.EVENT.size)
        if track.number == self._thread & 0xFFFFFFFF:
            self.buffers.append(buffer)
        return (buffer, 0), SCOPES

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
"""Made once, because a recorder that was active stays in memory."""


def measure() -> dict[str, Any]:
    """Return `inside_ns` and `parent_ns`, medians of a few repeats; nothing may record meanwhile."""
    global _scratch
    if _scratch is None:
        journal: Any = _Scratch()
        _scratch = journal, engine.Recorder(journal)
    scratch, recorder = _scratch
    scratch.start()
    engine.activate(recorder)
    try:
        pairs = [(_scoped_calls(engine.scope), _calls()) for _ in range(REPEATS)]
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
    parent = sorted(scoped - plain for scoped, plain in pairs)[REPEATS // 2] / SCOPES
    return {
        "engine": engine.name,
        "inside_ns": min(sorted(inside)[len(inside) // 2], round(parent, 1)),
        "parent_ns": round(parent, 1),
    }


def write(journal: Journal) -> None:
    """Measure, and write the result into a log; the text's number is the time of the measurement."""
    costs = measure()
    if journal.chunks_events:
        costs["chunk_ns"] = round(journal.chunks_ns / journal.chunks_events, 2)
    journal.log.text(layout.TEXT_COST, perf_counter_ns(), dumps(costs))


def _call() -> float:
    """Do a little work: a scope around nothing would be faster than in a program."""
    x = 0.0
    for _ in range(4):
        x += 1.5
    return x


def _scoped_calls(scope: Any) -> int:
    start = perf_counter_ns()
    for _ in range(SCOPES):
        with scope("cost"):
            _call()
    return perf_counter_ns() - start


def _calls() -> int:
    start = perf_counter_ns()
    for _ in range(SCOPES):
        _call()
    return perf_counter_ns() - start


def _empty(scope: Any) -> None:
    for _ in range(SCOPES):
        with scope("cost"):
            pass
