"""Samples that wait with a frame on top that runs elsewhere: one frame to formats that know no kinds, two to us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, FrameKind, Profile, Samples, Stacks, Track


def waiting_rows(profile: Profile, samples: Samples, kinds: NDArray[np.int8]) -> list[int]:
    """Return which of a track's samples at which anything was seen wait, and do not so by the kind of their frame.

    Args:
        profile: Theirs.
        samples: The track's.
        kinds: (frames,) the kind that a file states of each frame.
    """
    own = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    differs = (own == FrameKind.IDLE) & (kinds != FrameKind.IDLE)
    stack = samples.stack[samples.stack != ROOT]
    return np.flatnonzero(differs[profile.stacks.frame[stack]]).tolist() if differs.any() else []


def with_waiting(profile: Profile, rows: Mapping[int, NDArray[np.bool_]]) -> Profile:
    """Return the profile with some samples of some tracks, given as masks, as ones that wait."""
    if not any(mask.any() for mask in rows.values()):
        return profile
    frames = list(profile.frames)
    number = {frame: i for i, frame in reversed(list(enumerate(frames)))}
    parent, frame_of = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    twin: dict[int, int] = {}
    for track, mask in rows.items():
        samples = profile.tracks[track].samples
        for stack in np.unique(samples.stack[mask]).tolist() if samples is not None else ():
            if stack == ROOT or stack in twin:
                continue
            idle = frames[frame_of[stack]]._replace(kind=FrameKind.IDLE)
            if idle not in number:
                number[idle] = len(frames)
                frames.append(idle)
            twin[stack] = len(parent)
            parent.append(parent[stack])
            frame_of.append(number[idle])
    tracks: list[Track] = list(profile.tracks)
    for track, mask in rows.items():
        samples = tracks[track].samples
        if samples is not None:
            moved = samples.stack.copy()
            moved[mask] = [twin.get(stack, stack) for stack in moved[mask].tolist()]
            tracks[track] = replace(tracks[track], samples=replace(samples, stack=moved))
    stacks = Stacks(np.array(parent, dtype=np.int32), np.array(frame_of, dtype=np.int32))
    return replace(profile, frames=tuple(frames), stacks=stacks, tracks=tuple(tracks))
