"""Pure functions from one profile, or two of one run, to another. Each states what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from workbench.profile._facts import NO_FILE
from workbench.profile._record import NO_LINES, Frame, FrameKind, LineStacks, Profile, Track
from workbench.profile.row_selection import extent, with_stacks
from workbench.profile.stacks import ROOT, Int32, Stacks, StackTable, with_any


def keep_tracks(profile: Profile, wanted: Callable[[Track], bool]) -> Profile:
    """Return the profile with only the tracks that are wanted. Times and stacks stay as they are."""
    return replace(profile, tracks=tuple(track for track in profile.tracks if wanted(track)))


def samples_only(profile: Profile) -> Profile:
    """Return what the sampler saw, without spans."""
    tracks = tuple(replace(t, spans=None) for t in profile.tracks if t.samples is not None)
    return replace(profile, tracks=tracks)


def without_samples(profile: Profile) -> Profile:
    """Return the profile without samples, and without tracks, stacks and frames that nothing else has.

    Invariant: every span, counter and mark stays, with its stack.
    """
    tracks = [replace(track, samples=None) for track in profile.tracks]
    tracks = [t for t in tracks if t.spans is not None or t.counters or t.marks is not None]
    used = np.zeros(len(profile.stacks) + 1, dtype=np.bool_)  # the last is what `ROOT` looks up
    for spans in (track.spans for track in tracks):
        if spans is not None:
            used[spans.stack] = True
    for stack, parent in reversed(list(enumerate(profile.stacks.parent.tolist()))):  # parents come first
        used[parent] |= used[stack]
    used[ROOT] = False
    there = used[:-1]
    number = np.where(used, np.cumsum(used) - 1, ROOT).astype(np.int32)
    frame_used = np.zeros(len(profile.frames), dtype=np.bool_)
    frame_used[profile.stacks.frame[there]] = True
    frame_number = (np.cumsum(frame_used) - 1).astype(np.int32)
    stacks = Stacks(number[profile.stacks.parent[there]], frame_number[profile.stacks.frame[there]])
    moved = tuple(with_stacks(track, number) for track in tracks)
    frames = tuple(frame for frame, has in zip(profile.frames, frame_used.tolist(), strict=True) if has)
    return replace(profile, frames=frames, stacks=stacks, tracks=moved, lines=NO_LINES)


def drop_idle(profile: Profile) -> Profile:
    """Return the profile with samples of waiting threads made empty.

    A sample is of a waiting thread when the frame on top of its stack is of kind `IDLE` and none is a scope: what a
    scope waits is its time. The sample's time stays, as a gap, so that the tracks still line up; tracks that only
    waited are dropped. Spans stay.

    Invariant: every instant, weight and span stays, and the time of each stack that does not wait.
    """
    idle = np.array([frame.kind is FrameKind.IDLE for frame in profile.frames], dtype=np.bool_)
    scopes = with_any(profile.stacks, [frame.kind is FrameKind.SCOPE for frame in profile.frames])
    waits = idle[profile.stacks.frame] & ~scopes
    tracks: list[Track] = []
    for track in profile.tracks:
        if track.samples is None:
            tracks.append(track)
            continue
        stack = track.samples.stack.copy()
        seen = stack != ROOT
        stack[seen] = np.where(waits[stack[seen]], ROOT, stack[seen])
        only_waited = track.spans is None and not track.counters and track.marks is None
        if only_waited and not np.any(stack != ROOT):
            continue
        tracks.append(replace(track, samples=replace(track.samples, stack=stack)))
    return replace(profile, tracks=tuple(tracks))


def join(recorded: Profile, sampled: Profile) -> Profile:
    """Return the profile of what the recorder recorded with the samples of another on the same clock.

    Samples go to the track of the same process, thread and name that has none yet; where there is no such track
    they have one of their own. The recording's facts stay; file and attribution are those of the samples, if any.

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
    lines, of_line = _joined_lines(recorded.lines, sampled.lines)
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
        samples = moved.samples
        if samples is not None and samples.line is not None:
            moved = replace(moved, samples=replace(samples, line=of_line[samples.line]))
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
        recorded.recording,
        recorded.file if sampled.file == NO_FILE else sampled.file,
        sampled.attribution or recorded.attribution,
        lines,
        recorded.resources or sampled.resources,
    )


def _joined_lines(first: LineStacks, second: LineStacks) -> tuple[LineStacks, Int32]:
    """Return the stacks of lines of both, and (stacks + 1,) where those of the second are; the last is `ROOT`."""
    places: dict[Frame, int] = {}
    table = StackTable()
    for each in (first, second):
        moved = table.add_all(each.stacks, [places.setdefault(place, len(places)) for place in each.places])
    return LineStacks(tuple(places), table.stacks()), moved
