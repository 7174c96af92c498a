"""Two profiles of one run, on one clock, as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._parts import extent
from workbench.profile._record import ROOT, Profile, Samples, Track
from workbench.profile._stacks import StackTable


def join(recorded: Profile, sampled: Profile) -> Profile:
    """Return the profile of what guards recorded with the samples of another on the same clock.

    Samples go to the track of the same process, thread and name that has none yet; where there is no such track
    they have one of their own. The facts of both stay; where they differ, those of the samples.

    Invariant: every span, counter, mark and sample stays as it is, with its stack.
    """
    number = {frame: i for i, frame in reversed(list(enumerate(recorded.frames)))}
    frames = list(recorded.frames)
    of_frame: list[int] = []
    for frame in sampled.frames:
        if frame not in number:
            number[frame] = len(frames)
            frames.append(frame)
        of_frame.append(number[frame])
    table = StackTable()
    first = _placed(recorded, list(range(len(recorded.frames))), table)
    second = _placed(sampled, of_frame, table)
    tracks = [
        track
        if track.spans is None
        else replace(track, spans=replace(track.spans, stack=first[track.spans.stack]))
        for track in recorded.tracks
    ]
    free: dict[tuple[int, int, str], list[int]] = {}
    for i, track in reversed(list(enumerate(tracks))):
        if track.samples is None:
            free.setdefault((track.pid, track.tid, track.name), []).append(i)
        else:
            tracks[i] = replace(track, samples=_moved(track.samples, first))
    others: list[Track] = []
    for track in sampled.tracks:
        if track.samples is None:
            continue
        moved = _moved(track.samples, second)
        same = free.get((track.pid, track.tid, track.name))
        if same:
            i = same.pop()
            tracks[i] = replace(tracks[i], samples=moved)
        else:
            others.append(replace(track, spans=None, samples=moved))
    tracks += others
    start_ns, end_ns = extent(tracks) or (0, 0)
    return Profile(
        recorded.name,
        tuple(frames),
        table.stacks(),
        tuple(tracks),
        start_ns,
        end_ns,
        {**recorded.facts, **sampled.facts},
    )


def _placed(profile: Profile, of_frame: list[int], table: StackTable) -> NDArray[np.int32]:
    """Put the stacks of a profile into a table; return the number of each there."""
    placed: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        placed.append(table.add(placed[parent] if parent != ROOT else ROOT, of_frame[frame]))
    return np.array(placed, dtype=np.int32)


def _moved(samples: Samples, place: NDArray[np.int32]) -> Samples:
    stack = np.full(len(samples), ROOT, dtype=np.int32)
    seen = samples.stack != ROOT
    stack[seen] = place[samples.stack[seen]]
    return replace(samples, stack=stack)
