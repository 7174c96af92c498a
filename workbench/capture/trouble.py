"""What makes the figures of a run less sure than they look: one line each, with what to do about it."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Attribution, FrameKind, Profile

MAX_UNDECIDED = 0.01
MIN_UNDECIDED = 5
"""Samples that lines cannot attribute, below which their share says nothing."""
MIN_SECONDS = 5.0
"""A shorter run is start-up for the most part, however busy the machine was."""
MIN_MOMENTS, MAX_MOMENTS = 50, 1_000_000


def load_trouble(load: float | None, seconds: float) -> str | None:
    """Return a line where the machine was busy before the program began.

    Args:
        load: The load average before the program was started.
        seconds: How long the program then took.
    """
    cores = os.cpu_count() or 1
    if load is None or load <= cores or seconds < MIN_SECONDS:
        return None
    return (
        f"the machine was busy when the program began: load average {load:.1f} on {_cores(cores)}; "
        "times are longer than they need be"
    )


def sample_troubles(merged: Profile, cores: int) -> list[str]:
    """Return what is wrong with the samples of a run, a line each.

    Args:
        merged: Samples under their scopes, with their attribution.
        cores: That the program could use.
    """
    attribution = merged.attribution
    if attribution is None:
        return []
    found = attribution_troubles(attribution)
    if attribution.by == "scope":
        found += _oversubscribed(merged, cores)  # others do not say when their samples were taken
    return found


def attribution_troubles(attribution: Attribution) -> list[str]:
    """Return whether samples could not be put under scopes."""
    samples, undecided = attribution.samples, attribution.not_attributable
    if undecided < MIN_UNDECIDED or undecided <= MAX_UNDECIDED * samples:
        return []
    line = (
        f"{100 * undecided / samples:.1f} % of the samples are not attributable by line: scopes whose names are made "
        "as the program runs, on one line, or sent from elsewhere; --sampler in-process attributes them"
    )
    return [line]


def running_at_once(profile: Profile) -> NDArray[np.int64]:
    """Return how many sampled threads ran, over all processes, at each moment at which any did."""
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
    gap = max(1, int(np.median(np.concatenate(weights))), int(end[-1] - begin[0]) // MAX_MOMENTS)
    # Threads are seen one after the other in a round: half a gap later each has its sample.
    moments = np.arange(int(begin[0]) + gap // 2, int(end[-1]), gap)
    count = np.searchsorted(begin, moments, side="right") - np.searchsorted(end, moments, side="right")
    return count[count > 0].astype(np.int64)


def _oversubscribed(merged: Profile, cores: int) -> list[str]:
    if sum(track.samples is not None for track in merged.tracks) <= cores:
        return []
    running = running_at_once(merged)
    if len(running) < MIN_MOMENTS or (median := float(np.median(running))) <= cores:
        return []
    line = (
        f"{median:g} threads ran at once, in the median of {len(running):,} moments, on {_cores(cores)}: each took "
        "longer than it would alone; use fewer workers, or fewer threads in each (OPENBLAS_NUM_THREADS=1)"
    )
    return [line]


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
