"""What makes the figures of a run less sure than they look: one line each, with what to do about it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, FrameKind, Profile

MOST_UNPLACED = 0.01
FEW_UNPLACED = 5
"""Samples that could not be placed, below which their share says nothing."""
LEAST_CHECKED, LEAST_AGREED = 50, 0.9
"""Nine of ten is what the stated error of a clock means."""
LEAST_SECONDS = 5.0
"""A shorter run is start-up for the most part, however busy the machine was."""
LEAST_LOOKS, MOST_LOOKS = 50, 1_000_000


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float | None:
    """Return how many processes ran or waited for a core in the last minute, on average; None: unknown."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


def load_trouble(load: float | None, seconds: float) -> str | None:
    """Return a line where the machine was busy before the program began.

    Args:
        load: The load average before the program was started.
        seconds: How long the program then took.
    """
    cores = os.cpu_count() or 1
    if load is None or load <= cores or seconds < LEAST_SECONDS:
        return None
    return (
        f"the machine was busy when the program began: load average {load:.1f} on {_cores(cores)}; "
        "times are longer than they need be"
    )


def sample_troubles(merged: Profile, cores: int) -> list[str]:
    """Return what is wrong with the samples of a run, a line each.

    Args:
        merged: Samples under their scopes, with `facts["placement"]`.
        cores: That the program could use.
    """
    return [*placement_troubles(merged.facts.get("placement")), *_oversubscribed(merged, cores)]


def placement_troubles(placement: object) -> list[str]:
    """Return where samples could not be put under scopes, or the two ways to do it differ."""
    if not isinstance(placement, Mapping):
        return []
    samples, unplaced, checked, agreed = (
        value if isinstance(value := placement.get(key), int) else 0
        for key in ("samples", "unplaced", "checked", "agreed")
    )
    found: list[str] = []
    if unplaced >= FEW_UNPLACED and unplaced > MOST_UNPLACED * samples:
        found.append(
            f"{100 * unplaced / samples:.1f} % of the samples could not be placed: scopes changed within the "
            "error of the sampler's clock"
        )
    chance = 2 * math.sqrt(LEAST_AGREED * (1 - LEAST_AGREED) * checked)  # in one case of forty, so many fewer
    if checked >= LEAST_CHECKED and agreed < LEAST_AGREED * checked - chance:
        found.append(
            f"by line and by time {100 * agreed / checked:.1f} % of {checked:,} samples are under the same scopes, "
            f"and not {100 * LEAST_AGREED:.0f} %: the sampler's clock is less sure than it says, and so are the "
            "samples of scopes that no line shows"
        )
    return found


def running_at_once(profile: Profile) -> NDArray[np.int64]:
    """Return how many sampled threads ran, over all processes, at each look at which any did."""
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    begins: list[NDArray[np.int64]] = []
    ends: list[NDArray[np.int64]] = []
    weights = []
    for samples in (track.samples for track in profile.tracks if track.samples is not None):
        runs = samples.stack != ROOT
        runs[runs] = kinds[profile.stacks.frame[samples.stack[runs]]] != FrameKind.IDLE
        begins.append(samples.at_ns[runs])
        ends.append(samples.at_ns[runs] + samples.weight_ns[runs])
        weights.append(samples.weight_ns[runs])
    if not begins or not sum(map(len, begins)):
        return np.zeros(0, dtype=np.int64)
    begin, end = np.sort(np.concatenate(begins)), np.sort(np.concatenate(ends))
    gap = max(1, int(np.median(np.concatenate(weights))), int(end[-1] - begin[0]) // MOST_LOOKS)
    # Threads are seen one after the other in a round: half a gap later each has its sample.
    looks = np.arange(int(begin[0]) + gap // 2, int(end[-1]), gap)
    count = np.searchsorted(begin, looks, side="right") - np.searchsorted(end, looks, side="right")
    return count[count > 0].astype(np.int64)


def _oversubscribed(merged: Profile, cores: int) -> list[str]:
    if sum(track.samples is not None for track in merged.tracks) <= cores:
        return []
    running = running_at_once(merged)
    if len(running) < LEAST_LOOKS or (median := float(np.median(running))) <= cores:
        return []
    line = (
        f"{median:g} threads ran at once, in the median of {len(running):,} looks, on {_cores(cores)}: each took "
        "longer than it would alone; use fewer workers, or fewer threads in each (OPENBLAS_NUM_THREADS=1)"
    )
    return [line]


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
