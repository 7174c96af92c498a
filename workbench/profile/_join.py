"""Two profiles of one run, on one clock, as one."""

from __future__ import annotations

from dataclasses import replace

from workbench.profile._record import Profile, Track
from workbench.profile.columns import extent, with_stacks
from workbench.profile.stacks import StackTable


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
    first = table.add_all(recorded.stacks, range(len(recorded.frames)))
    second = table.add_all(sampled.stacks, of_frame)
    tracks = [with_stacks(track, first) for track in recorded.tracks]
    free: dict[tuple[int, int, str], list[int]] = {}
    for i, track in reversed(list(enumerate(tracks))):
        if track.samples is None:
            free.setdefault((track.pid, track.tid, track.name), []).append(i)
    others: list[Track] = []
    for track in sampled.tracks:
        if track.samples is None:
            continue
        moved = with_stacks(replace(track, spans=None), second)
        same = free.get((track.pid, track.tid, track.name))
        if same:
            i = same.pop()
            tracks[i] = replace(tracks[i], samples=moved.samples)
        else:
            others.append(moved)
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
