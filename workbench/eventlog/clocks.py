"""One clock for logs of several hosts: the wall clock relates their monotonic clocks.

Processes of one boot share a monotonic clock, and their logs are not moved. Other hosts and time namespaces have
another one, but every log has pairs of monotonic and wall time of the same instants. Their difference is constant
until someone sets the wall clock; the median over a log's pairs is right even then, if the clock was set once near an
end. A log is moved as a whole, so durations stay. The remaining error is the difference of the hosts' wall clocks
(about a millisecond with NTP).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import EVENT, MAX_TIME_NS, NOT_SCOPES, ProcessLog

_NO_TIME = np.iinfo(np.uint64).max  # larger than any time: a reader leaves it out and counts it


def on_one_clock(logs: Sequence[ProcessLog]) -> list[ProcessLog]:
    """Return the logs on the clock of the first of them, in the order in which they began."""
    if not logs:
        return []
    reference = _reference(logs)
    moved = [_moved(log, offset_ns(log, reference)) for log in logs]
    return sorted(moved, key=lambda log: log.start_ns)


def offset_ns(log: ProcessLog, reference: ProcessLog) -> int:
    """Return what to add to a log's times to get another log's clock; 0 if both have the same."""
    if _boot(log) == _boot(reference) or not log.start_ns or not reference.start_ns:
        return 0
    return _wall_minus_monotonic(log) - _wall_minus_monotonic(reference)


def _reference(logs: Sequence[ProcessLog]) -> ProcessLog:
    """Return the log that began first by the wall clock, because monotonic clocks of two boots do not compare."""
    return min((log for log in logs if log.start_ns), key=lambda log: log.wall_ns, default=logs[0])


def _boot(log: ProcessLog) -> tuple[str, str]:
    """Return a key that is the same for all processes that share a clock: the boot id, or else the host."""
    boot, host = log.facts.get("boot_id"), log.facts.get("host")
    return (boot, "") if isinstance(boot, str) and boot else ("", str(host))


def _wall_minus_monotonic(log: ProcessLog) -> int:
    pairs = [pair for pair in log.clocks if all(0 < time <= MAX_TIME_NS for time in pair)]
    found = sorted(wall - monotonic for monotonic, wall in [(log.start_ns, log.wall_ns), *pairs])
    return found[(len(found) - 1) // 2]  # the lower median


def _moved(log: ProcessLog, offset: int) -> ProcessLog:
    if offset == 0:
        return log

    def at(time: int) -> int:
        return max(1, time + offset) if time else 0

    return replace(
        log,
        start_ns=at(log.start_ns),
        end_ns=at(log.end_ns),
        moved_ns=log.moved_ns + offset,
        clocks=[(at(monotonic), wall) for monotonic, wall in log.clocks],
        events={track: [_moved_rows(chunk, offset) for chunk in own] for track, own in log.events.items()},
        open={track: [_moved_rows(chunk, offset) for chunk in own] for track, own in log.open.items()},
    )


def _moved_rows(rows: NDArray[np.void], offset: int) -> NDArray[np.void]:
    """Return events or open levels with moved times."""
    moved = rows.copy()
    has_start: NDArray[np.bool_] | slice = slice(None)
    if rows.dtype == EVENT:
        moved["end"] = _moved_times(rows["end"], offset)
        has_start = (rows["flags"] & NOT_SCOPES) == 0  # otherwise the start holds the bits of a number
    moved["start"][has_start] = _moved_times(rows["start"][has_start], offset)
    return moved


def _moved_times(times: NDArray[np.uint64], offset: int) -> NDArray[np.uint64]:
    """Return moved times; 0 stays 0, and a time out of range becomes `_NO_TIME`."""
    there = times != 0
    low, high = max(1, 1 - offset), min(MAX_TIME_NS, MAX_TIME_NS - offset)
    sane = (
        there & (times >= np.uint64(low)) & (times <= np.uint64(high))
        if low <= high
        else np.zeros_like(there)
    )
    moved = np.where(there, np.uint64(_NO_TIME), np.uint64(0))
    moved[sane] = (
        times[sane].astype(np.int64) + np.int64(max(-MAX_TIME_NS, min(MAX_TIME_NS, offset)))
    ).astype(np.uint64)
    return moved
