"""A scope's share of the work, and where the time of workers goes.

`whole` names the scope around all parallel work, `work` the scope around each worker's part. What the recorder knows
of a scope is exact; samples answer the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._in_scopes import idle_stacks, is_opened_on, stacks_inside
from workbench.profile._record import FrameKind, Profile, Track
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_table import time_inside
from workbench.profile.stacks import ROOT

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class WorkFacts:
    """What one profile says of parallel work; a fact that the profile does not have is None."""

    inner: float | None = None
    """The part's share of the time in the whole, by the recorder."""
    samples: int = 0
    """Samples inside the work, or inside the whole where no sample is inside the work."""
    inner_samples: SampledShare | None = None
    """The share of those that are inside the part."""
    native_name: str = ""
    """The native function that is most often on top of those."""
    native: SampledShare | None = None
    """The share of samples at it."""
    sender_waits: SampledShare | None = None
    """Of the samples inside the whole on the thread that shares out the work: those in which it waits."""
    outside_work: SampledShare | None = None
    """Of the samples inside the whole on other threads: those outside the work."""
    work_waits: SampledShare | None = None
    """Of the samples inside the work on other threads: those in which they wait."""
    workers_idle: float | None = None
    """By the recorder: the share of workers times the time inside the whole that is not inside the work."""


def work_facts(
    merged: Profile,
    scopes: Profile | None = None,
    *,
    whole: str,
    work: str,
    part: str = "",
    workers: int = 1,
    by_time: bool = False,
) -> WorkFacts:
    """Return what scopes say of parallel work, and the samples under them.

    Args:
        merged: Samples under their scopes.
        scopes: What the recorder knows; None: it is in `merged`.
        whole: The scope around all parallel work.
        work: The scope around each worker's part of it.
        part: The scope whose share is asked for.
        workers: How many share the work. With one, nothing is said of waiting.
        by_time: Whether shares are of the time that samples stand for, as pyinstrument's are; else of their number.
    """
    scopes = merged if scopes is None else scopes
    in_whole = stacks_inside(merged, whole)
    in_work = in_whole & stacks_inside(merged, work)
    seen = SampleCounts.of(merged).count
    base = in_work if seen[in_work].any() else in_whole
    in_inner = base & stacks_inside(merged, part)
    name = _main_native(merged, seen, in_inner)
    at_native = in_inner & _topped_by(merged, name)
    found = WorkFacts(
        inner=share_of_whole(scopes, part, whole=whole, work=work) or None,
        samples=int(seen[base].sum()),
        inner_samples=_share(merged, merged.tracks, in_inner, base, by_time) if in_inner.any() else None,
        native_name=name,
        native=_share(merged, merged.tracks, at_native, base, by_time) if name else None,
    )
    if workers < 2:
        return found
    senders = [track for track in merged.tracks if is_opened_on(merged, track, whole)]
    others = [track for track in merged.tracks if not any(track is sender for sender in senders)]
    waits = idle_stacks(merged)
    work_waits = _share(merged, others, waits, in_work, by_time)
    found = replace(found, workers_idle=_workers_idle(scopes, workers, whole, work))
    if work_waits is None:  # no other thread worked: the sender did the work itself
        return found
    return replace(
        found,
        sender_waits=_share(merged, senders, waits, in_whole, by_time),
        outside_work=_share(merged, others, ~in_work, in_whole, by_time),
        work_waits=work_waits,
    )


def share_of_whole(scopes: Profile, name: str, *, whole: str, work: str) -> float | None:
    """Return a scope's share of the work, by the recorder; None where neither the work nor the whole has time.

    The work's time is summed over the threads and processes that did it. Without a scope of the work, the share is of
    the whole scope.
    """
    works, _ = time_inside(scopes, work, within=[work])
    part_ns, whole_ns = time_inside(scopes, name, within=[work if works else whole])
    return part_ns / whole_ns if whole_ns else None


def _workers_idle(scopes: Profile, workers: int, whole: str, work: str) -> float | None:
    """Return the share of the workers' time that is not work, by the recorder; None where scopes do not say."""
    whole_ns, _ = time_inside(scopes, whole, within=[whole])
    work_ns, _ = time_inside(scopes, work, within=[work])
    if not 0 < work_ns <= workers * whole_ns:
        return None  # nothing was recorded, or more workers took part
    return 1 - work_ns / (workers * whole_ns)


def _share(
    profile: Profile, tracks: Sequence[Track], part: Bools, whole: Bools, by_time: bool
) -> SampledShare | None:
    """Return a part of the samples of some tracks on some stacks; None where there are none."""
    wanted = np.append(whole, False)  # the last is what `ROOT` looks up
    kept = []
    for track in tracks:
        if track.samples is not None:
            stack = np.where(wanted[track.samples.stack], track.samples.stack, ROOT).astype(np.int32)
            kept.append(replace(track, samples=replace(track.samples, stack=stack)))
    counts = SampleCounts.of(replace(profile, tracks=tuple(kept)), by_time=by_time)
    return counts.part(part) if counts.effective > 0 else None


def _main_native(profile: Profile, seen: NDArray[np.int64], wanted: Bools) -> str:
    """Return the native function that was seen most often on top of the wanted stacks; none is empty."""
    tops: dict[str, int] = {}
    for stack in np.flatnonzero(wanted & (seen > 0)).tolist():
        frame = profile.frames[profile.stacks.frame[stack]]
        if frame.kind is FrameKind.NATIVE:
            tops[frame.name] = tops.get(frame.name, 0) + int(seen[stack])
    return min(tops, key=lambda name: (-tops[name], name), default="")


def _topped_by(profile: Profile, name: str) -> Bools:
    """Return (stacks,) whether the frame on top is the native function of that name."""
    named = [frame.kind is FrameKind.NATIVE and frame.name == name for frame in profile.frames]
    return np.array([named[frame] for frame in profile.stacks.frame.tolist()], dtype=np.bool_)
