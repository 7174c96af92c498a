"""A function's own code inside a scope that it opened: samples with the scope's frame on top."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.profile._record import FrameKind, Profile
from workbench.profile.stacks import ROOT, Stacks


def with_functions_on_top(profile: Profile) -> Profile:
    """Return samples whose innermost frame is a scope's with the function around it once more on top.

    So the time counts as the function's own, inside the scope. A scope with no function around it stays on top.
    """
    stacks = profile.stacks
    is_scope = np.array([frame.kind is FrameKind.SCOPE for frame in profile.frames], dtype=np.bool_)
    function = np.full(len(stacks) + 1, ROOT, dtype=np.int64)  # the last is what `ROOT` looks up
    for stack, (parent, frame) in enumerate(zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True)):
        function[stack] = function[parent] if is_scope[frame] else frame
    chosen = np.flatnonzero(is_scope[stacks.frame] & (function[:-1] != ROOT))
    place = np.append(np.arange(len(stacks)), ROOT)
    place[chosen] = len(stacks) + np.arange(len(chosen))
    parent = np.append(stacks.parent, chosen).astype(np.int32)
    frame = np.append(stacks.frame, function[chosen]).astype(np.int32)
    tracks = [
        track
        if track.samples is None
        else replace(track, samples=replace(track.samples, stack=place[track.samples.stack].astype(np.int32)))
        for track in profile.tracks
    ]
    return replace(profile, stacks=Stacks(parent, frame), tracks=tuple(tracks))
