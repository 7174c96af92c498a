"""Readings of what the system counts of a process, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.profile import Resources


def readings(pid: int, at_ns: ArrayLike, resident_bytes: ArrayLike, **counted: Any) -> Resources:
    """Return readings; what is not given is one thread, and zero, since the process began."""
    at, resident = np.array(at_ns, dtype=np.int64), np.array(resident_bytes, dtype=np.int64)
    none = np.zeros(len(at), dtype=np.int64)
    columns = {
        "threads": none + 1,
        "cpu_ns": none,
        "major_faults": none,
        "read_bytes": none,
        "written_bytes": none,
        "voluntary_switches": none,
        "involuntary_switches": none,
    }
    given = {name: np.array(values, dtype=np.int64) for name, values in counted.items()}
    return Resources(pid=pid, at_ns=at, resident_bytes=resident, **{**columns, **given})
