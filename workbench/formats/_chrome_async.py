"""Asynchronous events of a Chrome trace: operations, known by an id, that go on while their thread does others."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.formats._chrome_tracks import Lane, last_of

BEGINS, ENDS, INSTANTS = "bS", "eF", "nTp"


@dataclass
class AsyncLanes:
    """The operations so far, a lane each."""

    lanes: dict[tuple[Any, ...], Lane] = field(default_factory=dict)

    def of(self, event: dict[str, Any]) -> Lane:
        """Return the lane of the operation that an event is of.

        Raises:
            ValueError: It has no id.
        """
        ids = event.get("id2")
        ids = ids if isinstance(ids, dict) else {}
        identity = event.get("id", ids.get("local", ids.get("global")))
        if not isinstance(identity, int | str | float):
            raise ValueError("an asynchronous event has no id")  # noqa: TRY004  a wrong value in a file
        # One of several processes is the same where it says so.
        process = None if "global" in ids and "id" not in event else event.get("pid", 0)
        key = (process, str(event.get("cat", "")), str(event.get("scope", "")), identity)
        return self.lanes.setdefault(key, Lane(event.get("pid", 0), str(event.get("name", ""))))

    def packed(self, last: int) -> list[Lane]:
        """Return lanes on which those of one name and process lie side by side, as few as hold them.

        Args:
            last: Where what is still open ends. All is in nanoseconds.
        """
        groups: dict[tuple[Any, str], list[tuple[int, int, Lane]]] = {}
        for lane in self.lanes.values():
            begins = [int(np.asarray(lane.start).min(initial=last)), *(at for at, _ in lane.marks)]
            end = last if lane.opened else last_of(lane)
            groups.setdefault((lane.pid, lane.tid), []).append((min(begins), end, lane))
        found: list[Lane] = []
        for (pid, name), own in groups.items():
            rows: list[list[Lane]] = []
            free: list[tuple[int, int]] = []  # when each row ends
            for begin, end, lane in sorted(own, key=lambda each: each[:2]):
                if free and free[0][0] <= begin:
                    row = heapq.heapreplace(free, (end, free[0][1]))[1]
                else:
                    row = len(rows)
                    rows.append([])
                    heapq.heappush(free, (end, row))
                rows[row].append(lane)
            for row, lanes in enumerate(rows):
                found.append(_joined(pid, f"{name} (async)" + (f" {row + 1}" if row else ""), lanes))
        return found


def _joined(pid: Any, name: str, lanes: list[Lane]) -> Lane:
    made = Lane(pid, name)
    for lane in lanes:
        offset = len(made.frame)
        made.frame += lane.frame
        made.opened += [(offset + span, each) for span, each in lane.opened]
        made.arguments.update({offset + span: each for span, each in lane.arguments.items()})
        made.marks += lane.marks
    for column in ("start", "duration"):
        parts = [np.asarray(getattr(lane, column), dtype=np.int64) for lane in lanes]
        setattr(made, column, np.concatenate(parts))
    return made
