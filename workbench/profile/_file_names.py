"""Frames whose files have another name to people: cells of a notebook, and functions that were sent to workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workbench.profile._own_code import is_own
from workbench.profile._record import Frame, FrameKind, LineStacks, Profile
from workbench.profile.row_selection import with_stacks
from workbench.profile.stacks import ROOT, Int32, Stacks, StackTable

SENT = "<dynamic-code>"
"""What cloudpickle names the file of a function of the main script that it sends to another process."""


def with_sent_functions(profile: Profile, pid: int) -> Profile:
    """Return a profile in which functions that were sent to workers are in the script that they come from.

    Args:
        profile: What to rename in.
        pid: The process that runs the script: its own outermost module is that.
    """
    if not any(frame.file == SENT for frame in profile.frames):
        return profile
    script = [
        frame.kind is FrameKind.PYTHON and frame.name == "<module>" and is_own(frame.file)
        for frame in profile.frames
    ]
    outermost: list[int] = []  # by stack, the frame of its outermost module of the program's own
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        around = outermost[parent] if parent != ROOT else ROOT
        outermost.append(frame if around == ROOT and script[frame] else around)
    files = {
        profile.frames[outermost[stack]].file
        for track in profile.tracks
        if track.pid == pid and track.samples is not None
        for stack in set(track.samples.stack.tolist())
        if stack != ROOT and outermost[stack] != ROOT
    } - {SENT}
    return with_file_names(profile, {SENT: files.pop()}) if len(files) == 1 else profile


def with_file_names(profile: Profile, names: Mapping[str, str]) -> Profile:
    """Return a profile in which files have other names, and IPython's name of a cell's code is `<module>`.

    Invariant: tracks, times and weights of all samples, and all spans, stay.

    Args:
        profile: What to rename in.
        names: The new name of each file to be renamed, by its own.
    """
    if not names:
        return profile
    frames, stacks, number = _renamed(profile.frames, profile.stacks, names)
    places, line_stacks, of_line = _renamed(profile.lines.places, profile.lines.stacks, names)
    tracks = tuple(with_stacks(track, number, of_line) for track in profile.tracks)
    return replace(
        profile, frames=frames, stacks=stacks, tracks=tracks, lines=LineStacks(places, line_stacks)
    )


def _renamed(
    frames: Sequence[Frame], stacks: Stacks, names: Mapping[str, str]
) -> tuple[tuple[Frame, ...], Stacks, Int32]:
    known: dict[Frame, int] = {}
    numbers = [known.setdefault(_named(frame, names), len(known)) for frame in frames]
    table = StackTable()
    number = table.add_all(stacks, numbers)
    return tuple(known), table.stacks(), number


def _named(frame: Frame, names: Mapping[str, str]) -> Frame:
    name = names.get(frame.file)
    if name is None:
        return frame
    return frame._replace(name="<module>" if frame.name.startswith("<cell line") else frame.name, file=name)
