"""What the system counted of a process, from the readings in its log (docs/event-log.md, section "Readings")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import READING, ProcessLog
from workbench.eventlog.sample_records import MAX_NS
from workbench.profile import Resources
from workbench.profile.stacks import Int64

_NOT_TOLD = np.uint64(2**64 - 1)
_COUNTED = (
    "at_ns",
    "cpu_ns",
    "major_faults",
    "read_bytes",
    "written_bytes",
    "voluntary_switches",
    "involuntary_switches",
)
"""What never decreases."""


def resources_of(log: ProcessLog, until_ns: int) -> tuple[Resources | None, int]:
    """Return the readings of a process up to a time on the profile's clock, or None, and how many were damaged.

    Readings that contradict the others, because they were damaged, are left out: as few as possible.
    """
    rows = np.concatenate([np.empty(0, READING), *log.readings])
    rows = rows[rows["at_ns"] != 0]
    if any((rows[name] == _NOT_TOLD).any() for name in ("read_bytes", "written_bytes")):
        rows["read_bytes"] = rows["written_bytes"] = _NOT_TOLD
    fits = np.ones(len(rows), dtype=np.bool_)
    for name in READING.names or ():
        fits &= (rows[name] < np.uint64(MAX_NS)) | (rows[name] == _NOT_TOLD) & (name in _COUNTED[3:5])
    kept = rows[fits]
    columns = {name: kept[name].astype(np.int64) for name in kept.dtype.names or ()}  # not told becomes -1
    in_order = np.ones(len(kept), dtype=np.bool_)
    for name in _COUNTED:
        in_order &= _not_decreasing(columns[name])
    damaged = len(rows) - int(in_order.sum())
    at_ns = columns["at_ns"] + np.int64(max(-MAX_NS, min(MAX_NS, log.moved_ns)))
    chosen = in_order & (at_ns >= 0) & (at_ns <= until_ns)
    if not chosen.any():
        return None, damaged
    return Resources(
        pid=log.pid, **{name: (columns | {"at_ns": at_ns})[name][chosen] for name in columns}
    ), damaged


def _not_decreasing(values: Int64) -> NDArray[np.bool_]:
    """Return which values to keep so that none decreases: without those that are too small, or too large."""
    largest = np.maximum.accumulate(values)
    smallest = np.minimum.accumulate(values[::-1])[::-1]
    without_small, without_large = values >= largest, values <= smallest
    return without_small if without_small.sum() >= without_large.sum() else without_large
