"""Frames taken out of stacks; their time goes to what is below them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._parts import span_rows
from workbench.profile._record import ROOT, Frame, Profile, Track
from workbench.profile._stacks import StackTable


def collapse_recursion(profile: Profile) -> Profile:
    """Return the profile with a frame that stands directly on itself taken for one.

    A cycle of several frames stays. The inner calls are gone, and the numbers (flops, bytes) that they stated
    with them; the outer call has their time.

    Invariants: on every track the self time of each frame, the time of each sample and all times of the spans
    that are left stay; no frame stands on itself, but for a scope on the one that sent it (see
    `collapse_frames`).
    """
    return _collapsed(profile, lambda frame, below: frame == below)


def collapse_frames(profile: Profile, unimportant: Callable[[Frame], bool]) -> Profile:
    """Return the profile without unimportant frames; what stood on them stands on what is below them.

    An unimportant frame stays where no important one is below it: its time would be nobody's. Calls of what
    is gone are gone, and the numbers that they stated.

    A carried scope has no time of its own and can take over none. So what ran on this track stays where it
    stands on a scope that was carried along.

    Invariants: on every track the sum of self times, the time of each sample, the total time of the stacks of
    one frame and all times of the spans that are left stay.
    """
    wanted = [unimportant(frame) for frame in profile.frames]
    return _collapsed(profile, lambda frame, below: wanted[frame])


def _collapsed(profile: Profile, goes: Callable[[int, int], bool]) -> Profile:
    """Return the profile without the stacks whose top goes; it is asked for (its frame, the one kept below)."""
    carried, real = _uses(profile)
    table = StackTable()
    placed: list[int] = []
    lands: list[int] = []
    """by stack: the stack of the profile that it became, or went into"""
    parents, frames = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    for stack, (parent, frame) in enumerate(zip(parents, frames, strict=True)):  # parents come first
        below = lands[parent] if parent != ROOT else ROOT
        if below != ROOT and goes(frame, frames[below]) and not (carried[below] and real[stack]):
            lands.append(below)
            placed.append(placed[below])
        else:
            lands.append(stack)
            placed.append(table.add(placed[parent] if parent != ROOT else ROOT, frame))
    place = np.array(placed, dtype=np.int32)
    stays = np.array(lands, dtype=np.int64) == np.arange(len(lands))
    tracks: list[Track] = []
    for track in profile.tracks:
        spans, samples = track.spans, track.samples
        if spans is not None:
            spans = span_rows(spans, stays[spans.stack])
            spans = replace(spans, stack=place[spans.stack])
        if samples is not None:
            samples = replace(samples, stack=_moved(samples.stack, place))
        tracks.append(replace(track, spans=spans, samples=samples))
    return replace(profile, stacks=table.stacks(), tracks=tuple(tracks))


def _moved(stack: NDArray[np.int32], place: NDArray[np.int32]) -> NDArray[np.int32]:
    moved = np.full(len(stack), ROOT, dtype=np.int32)
    seen = stack != ROOT
    moved[seen] = place[stack[seen]]
    return moved


def _uses(profile: Profile) -> tuple[list[bool], list[bool]]:
    """Return of each stack whether spans of a sender stand for it, and whether calls do."""
    carried = np.zeros(len(profile.stacks), dtype=np.bool_)
    real = np.zeros(len(profile.stacks), dtype=np.bool_)
    for spans in (track.spans for track in profile.tracks if track.spans is not None):
        if spans.carried is None:
            real[spans.stack] = True
        else:
            carried[spans.stack[spans.carried]] = True
            real[spans.stack[~spans.carried]] = True
    return carried.tolist(), real.tolist()
