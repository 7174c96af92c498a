"""The machine that this process runs on: its cores, and how busy they are."""

from __future__ import annotations

import os
from pathlib import Path

MAX_CORES = "LOKY_MAX_CPU_COUNT"


def usable_cores() -> int:
    """Return the cores that this process may use: its affinity, and the CPU quota of its container.

    The variable LOKY_MAX_CPU_COUNT is an upper bound. joblib counts the same, and takes as long to import as half of
    what `workbench profile` does.
    """
    bounds = [os.cpu_count() or 1]
    bounds += [int(bound) for bound in (_quota(), os.environ.get(MAX_CORES, "")) if bound.isdecimal()]
    if hasattr(os, "sched_getaffinity"):
        bounds.append(len(os.sched_getaffinity(0)))
    return max(1, min(bounds))


def _quota() -> str:
    """Return how many cores' time the container of this process may use; empty where there is no limit."""
    try:
        words = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        words = []
    if len(words) != 2:  # the first version of control groups
        try:
            words = [
                Path(f"/sys/fs/cgroup/cpu/cpu.cfs_{part}_us").read_text(encoding="utf-8").strip()
                for part in ("quota", "period")
            ]
        except (OSError, ValueError):
            return ""
    quota, period = words
    if not quota.isdecimal() or not period.isdecimal() or not int(quota) or not int(period):
        return ""
    return str(-(-int(quota) // int(period)))


def cache_folder(name: str) -> Path | None:
    """Return a folder for what can be made again; None where nobody's home is known."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = given if given.is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "workbench" / name


def load_average() -> float | None:
    """Return how many processes ran or waited for a core in the last minute, on average; None: unknown."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
