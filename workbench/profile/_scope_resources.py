"""What each scope cost beside its time: processor time, waiting, and the memory of its process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.profile._record import Profile, Spans, ThreadState
from workbench.profile._resources import Resources
from workbench.profile._scope_samples import stacks_by_scope
from workbench.profile._scope_time import ThreadTime
from workbench.profile.stacks import ROOT, Int32, Int64, around, depths

Interval = tuple[float, float]


@dataclass(frozen=True)
class ScopeResources:
    """What one scope cost, over all threads and processes; a scope inside itself is counted once.

    Seconds have 95 % intervals, and are None where the sampler does not know them.
    """

    cpu_s: float | None = None
    """How long its threads were on a processor."""
    cpu_interval_s: Interval = (0.0, 0.0)
    waiting_for_lock_s: float | None = None
    """How long its threads waited for the interpreter's lock."""
    waiting_for_lock_interval_s: Interval = (0.0, 0.0)
    waiting_s: float | None = None
    """How long its threads waited in the system."""
    waiting_interval_s: Interval = (0.0, 0.0)
    largest_resident_bytes: int | None = None
    """Of a process in which it was open; None where none was read meanwhile."""


def scope_resources(profile: Profile) -> dict[str, ScopeResources]:
    """Return by name what each scope cost.

    Seconds are those of samples, so that the same scope has the same seconds in each range; what is carried to a
    worker is under the scope that sent it.

    Args:
        profile: Spans and samples on one clock, with what the system counted.
    """
    times = ThreadTime.of(profile)
    resident = _resident_by_stack(profile)
    found = {}
    for name, stacks in stacks_by_scope(profile).items():
        largest = int(resident[stacks].max(initial=0)) or None
        cost = ScopeResources(largest_resident_bytes=largest)
        if times is not None and times.has_seen(stacks):
            cpu = times.cpu_s(stacks)
            lock = times.seconds_in(stacks, ThreadState.WAITING_FOR_GIL)
            system = times.seconds_in(stacks, ThreadState.SLEEPING)
            cost = ScopeResources(
                None if cpu is None else cpu[0],
                (0.0, 0.0) if cpu is None else cpu[1],
                *lock,
                *system,
                largest_resident_bytes=largest,
            )
        if cost != ScopeResources():
            found[name] = cost
    return found


def _resident_by_stack(profile: Profile) -> Int64:
    """Return (stacks,) the largest resident set that was read while a stack was the innermost open one; 0: none."""
    found = np.zeros(len(profile.stacks), dtype=np.int64)
    depth = depths(profile.stacks)
    of_pid: dict[int, list[Resources]] = {}
    for resources in profile.resources:
        of_pid.setdefault(resources.pid, []).append(resources)
    for track in profile.tracks:
        if track.spans is None or not len(track.spans):
            continue
        for resources in of_pid.get(track.pid, ()):
            span = _open_at(track.spans, depth[track.spans.stack], resources.at_ns)
            is_open = span != ROOT
            np.maximum.at(found, track.spans.stack[span[is_open]], resources.resident_bytes[is_open])
    return found


def _open_at(spans: Spans, depth: Int32, at_ns: Int64) -> Int64:
    """Return (moments,) the innermost span that is open at each, or `ROOT`: the last to begin, or one around it."""
    outer = np.append(around(depth), ROOT)  # the last is what `ROOT` looks up
    ends = np.append(spans.end_ns, np.iinfo(np.int64).max)
    span = np.searchsorted(spans.start_ns, at_ns, side="right") - 1
    while (over := ends[span] < at_ns).any():
        span[over] = outer[span[over]]
    return span
