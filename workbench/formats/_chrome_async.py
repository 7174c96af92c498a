"""Asynchronous events of a Chrome trace: operations with an id, which overlap others of their thread."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.formats._chrome_tracks import Lane
from workbench.formats.source import check_tracks

BEGINS, ENDS, INSTANTS = "bS", "eF", "nTp"


@dataclass
class Operation:
    """An operation that has begun and not ended."""

    number: int
    opened: list[tuple[int, Any]] = field(default_factory=list)
    """Of each of its spans that are open: which of the lane's, and its name."""


@dataclass
class Operations:
    """All operations of one process."""

    lane: Lane
    """Their spans, of all together."""
    of_span: list[int] = field(default_factory=list)
    """(spans,) the number of the operation"""
    names: list[str] = field(default_factory=list)
    """(operations,)"""
    marks: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By name of an operation: moments in it."""

    def packed(self, last: int) -> list[Lane]:
        """Return as few lanes as hold all operations; on a lane those of one name follow each other.

        Args:
            last: Where what is still open ends. All is in nanoseconds.
        """
        start, end = np.asarray(self.lane.start), np.asarray(self.lane.duration).copy()
        opened = np.zeros(len(start), dtype=np.bool_)
        opened[[span for span, _ in self.lane.opened]] = True
        end[opened] = last
        operation = np.array(self.of_span, dtype=np.int64)
        begins = np.full(len(self.names), last, dtype=np.int64)
        ends = np.zeros(len(self.names), dtype=np.int64)
        np.minimum.at(begins, operation, start)
        np.maximum.at(ends, operation, end)
        rows = {(name, 0): i for i, name in enumerate(dict.fromkeys([*self.names, *self.marks]))}
        row_of = self._rows(begins, ends, rows)
        lanes = [Lane(self.lane.pid, f"{name} (async)" + f" {i + 1}" * bool(i)) for name, i in rows]
        for (name, i), lane in zip(rows, lanes, strict=True):
            lane.marks = [] if i else self.marks.get(name, [])
        of_span = row_of[operation]
        order = np.argsort(of_span, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        for row, spans in zip(
            lanes, np.split(order, np.searchsorted(of_span[order], np.arange(1, len(lanes)))), strict=True
        ):
            place[spans] = np.arange(len(spans))
            row.start, row.duration = start[spans], end[spans]  # type: ignore[assignment]
            row.frame = [self.lane.frame[span] for span in spans.tolist()]
        for span, arguments in self.lane.arguments.items():
            lanes[of_span[span]].arguments[int(place[span])] = arguments
        for span, name in self.lane.opened:
            lanes[of_span[span]].opened.append((int(place[span]), name))
        return lanes

    def _rows(
        self, begins: NDArray[np.int64], ends: NDArray[np.int64], rows: dict[tuple[str, int], int]
    ) -> NDArray[np.int64]:
        """Return of each operation the row that it lies on; new ones are added, by their name and number among it."""
        found = np.zeros(len(self.names), dtype=np.int64)
        free: dict[str, list[tuple[int, int]]] = {}  # by name, when each row ends
        order = np.lexsort((ends, begins))
        for operation, begin, end in zip(
            order.tolist(), begins[order].tolist(), ends[order].tolist(), strict=True
        ):
            name = self.names[operation]
            own = free.setdefault(name, [])
            if own and own[0][0] <= begin:
                number = heapq.heapreplace(own, (end, own[0][1]))[1]
            else:
                number = len(own)
                heapq.heappush(own, (end, number))
            found[operation] = rows.setdefault((name, number), len(rows))
        check_tracks(len(rows))
        return found


@dataclass
class AsyncEvents:
    """The operations of all processes so far."""

    processes: dict[Any, Operations] = field(default_factory=dict)
    _open: dict[tuple[Any, ...], tuple[Operations, Operation]] = field(default_factory=dict)

    def begin(self, event: dict[str, Any]) -> tuple[Lane, list[tuple[int, Any]]]:
        """Return the lane for the span that an event begins, and the open ones of its operation.

        Raises:
            ValueError: It has no id.
        """
        key, pid = _key(event), event.get("pid", 0)
        if key not in self._open:
            check_tracks(len(self._open) + 1)
            own = self.processes.setdefault(pid, Operations(Lane(pid, "asynchronous operations")))
            self._open[key] = own, Operation(len(own.names))
            own.names.append(str(event.get("name", "")))
        own, operation = self._open[key]
        own.of_span.append(operation.number)
        return own.lane, operation.opened

    def end(self, event: dict[str, Any]) -> tuple[Lane, list[tuple[int, Any]]] | None:
        """Return the lane and the open spans of the operation that an event ends in; None: it had not begun."""
        found = self._open.get(_key(event))
        return None if found is None else (found[0].lane, found[1].opened)

    def ended(self, event: dict[str, Any]) -> None:
        """Forget an operation that has no open span any more: the id may come again."""
        key = _key(event)
        if not self._open[key][1].opened:
            del self._open[key]

    def mark(self, event: dict[str, Any], at_ns: int) -> None:
        """Add a moment in an operation, or of its own."""
        name, pid = str(event.get("name", "")), event.get("pid", 0)
        found = self._open.get(_key(event))
        own = (
            found[0]
            if found
            else self.processes.setdefault(pid, Operations(Lane(pid, "asynchronous operations")))
        )
        of = own.names[found[1].number] if found else name
        own.marks.setdefault(of, []).append((at_ns, name))

    def finish(self) -> list[Lane]:
        """Return the lane of each process; what is still open is open at the end."""
        for own, operation in self._open.values():
            own.lane.opened += operation.opened
        for own in self.processes.values():
            own.lane.marks = [mark for marks in own.marks.values() for mark in marks]
        return [own.lane for own in self.processes.values()]


def _key(event: dict[str, Any]) -> tuple[Any, ...]:
    ids = event.get("id2")
    ids = ids if isinstance(ids, dict) else {}
    identity = event.get("id", ids.get("local", ids.get("global")))
    if not isinstance(identity, int | str | float):
        raise ValueError("an asynchronous event has no id")  # noqa: TRY004  a wrong value in a file
    # One of several processes is the same where it says so.
    process = None if "global" in ids and "id" not in event else event.get("pid", 0)
    return process, str(event.get("cat", "")), str(event.get("scope", "")), identity
