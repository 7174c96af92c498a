"""The machine that this process runs on: its cores, and how busy they are."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity, and the CPU quota of its container.

    joblib counts them, and takes the variable LOKY_MAX_CPU_COUNT as an upper bound.
    """
    import joblib

    return max(int(joblib.cpu_count()), 1)


def load_average() -> float | None:
    """Return how many processes ran or waited for a core in the last minute, on average; None: unknown."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
