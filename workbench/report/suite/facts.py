"""What a profile says of a suite's question: a scope's share of the work, and where the time of workers is.

Scopes are found by their names. What the recorder knows of a scope is exact and is told; samples tell the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.bench.design.beside import Scaling
from workbench.profile import (
    ROOT,
    FrameKind,
    Profile,
    SampleCounts,
    SampledShare,
    Track,
    idle_stacks,
    is_opened_on,
    stacks_inside,
    time_inside,
)

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class StoryFacts:
    """What one variant's profile says; each fact is None where the profile does not hold it."""

    inner: float | None = None
    """The part's share of the time in the whole, by the recorder."""
    samples: int = 0
    """Samples inside the whole: of the work where there is any."""
    inner_samples: SampledShare | None = None
    """Those of them that are inside the part."""
    native_name: str = ""
    """The function of native code that was seen most often on top of those."""
    native: SampledShare | None = None
    """Those at it, of the same whole."""
    sender_waits: SampledShare | None = None
    """Of the samples inside the whole of the thread that shares it out, those in which it waits."""
    outside_work: SampledShare | None = None
    """Of the samples inside the whole of other threads, those outside of the work."""
    work_waits: SampledShare | None = None
    """Of the samples inside the work of other threads, those in which they wait."""
    workers_idle: float | None = None
    """By the recorder: what is not inside the work, of workers times the time inside the whole."""


def story_facts(
    merged: Profile,
    scopes: Profile | None = None,
    *,
    scaling: Scaling | None,
    part: str = "",
    workers: int = 1,
    by_time: bool = False,
) -> StoryFacts:
    """Return what scopes say, and the samples under them.

    Args:
        merged: Samples under their scopes.
        scopes: What the recorder knows; None: it is in `merged`.
        scaling: The names of the whole and of the work in it that is shared; without them there is nothing to say.
        part: The scope whose share is asked for.
        workers: How many share the work. With one, there is nothing on waiting.
        by_time: Whether shares are of the time that samples stand for, as pyinstrument's are; else of their number.
    """
    if scaling is None:
        return StoryFacts()
    scopes = merged if scopes is None else scopes
    in_whole = stacks_inside(merged, scaling.whole)
    in_work = in_whole & stacks_inside(merged, scaling.work)
    seen = SampleCounts.of(merged).count
    base = in_work if seen[in_work].any() else in_whole
    in_inner = base & stacks_inside(merged, part)
    name = _most_native(merged, seen, in_inner)
    at_native = in_inner & _topped_by(merged, name)
    found = StoryFacts(
        inner=share_of_whole(scopes, part, scaling) or None,
        samples=int(seen[base].sum()),
        inner_samples=_share(merged, merged.tracks, in_inner, base, by_time) if in_inner.any() else None,
        native_name=name,
        native=_share(merged, merged.tracks, at_native, base, by_time) if name else None,
    )
    if workers < 2:
        return found
    senders = [track for track in merged.tracks if is_opened_on(merged, track, scaling.whole)]
    others = [track for track in merged.tracks if not any(track is sender for sender in senders)]
    waits = idle_stacks(merged)
    work_waits = _share(merged, others, waits, in_work, by_time)
    return replace(
        found,
        # Where nobody else has worked, the sender has done the work itself.
        sender_waits=_share(merged, senders, waits, in_whole, by_time) if work_waits is not None else None,
        outside_work=_share(merged, others, ~in_work, in_whole, by_time) if work_waits is not None else None,
        work_waits=work_waits,
        workers_idle=workers_idle(scopes, workers, scaling),
    )


def share_of_whole(scopes: Profile, name: str, scaling: Scaling) -> float | None:
    """Return a scope's part of the whole, by the recorder; None: there is no whole.

    The whole's time is that of the work in it where there is any, summed over the threads and processes that did it;
    else that of the whole scope.
    """
    works, _ = time_inside(scopes, scaling.work, within=[scaling.work])
    part, whole = time_inside(scopes, name, within=[scaling.work if works else scaling.whole])
    return part / whole if whole else None


def workers_idle(scopes: Profile, workers: int, scaling: Scaling) -> float | None:
    """Return the share of the workers' time that is not work, by the recorder; None where scopes do not tell."""
    whole_ns, _ = time_inside(scopes, scaling.whole, within=[scaling.whole])
    work_ns, _ = time_inside(scopes, scaling.work, within=[scaling.work])
    if not 0 < work_ns <= workers * whole_ns:
        return None  # none of it, or more than so many worked
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


def _most_native(profile: Profile, seen: NDArray[np.int64], wanted: Bools) -> str:
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
