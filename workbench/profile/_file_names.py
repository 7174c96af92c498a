"""Profiles with other frames, such as files that have another name to people: cells of a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from workbench.profile._record import Frame, LineStacks, Profile
from workbench.profile.row_selection import with_stacks
from workbench.profile.stacks import Int32, Stacks, StackTable


def with_frames(profile: Profile, renamed: Callable[[Frame], Frame]) -> Profile:
    """Return a profile with other frames; those that become equal are one.

    Invariant: tracks, times and weights of all samples, and all spans, stay.

    Args:
        profile: What to rename in.
        renamed: Returns what a frame, or a place of a line, becomes.
    """
    frames, stacks, number = _renamed(profile.frames, profile.stacks, renamed)
    places, line_stacks, of_line = _renamed(profile.lines.places, profile.lines.stacks, renamed)
    tracks = tuple(with_stacks(track, number, of_line) for track in profile.tracks)
    return replace(
        profile, frames=frames, stacks=stacks, tracks=tracks, lines=LineStacks(places, line_stacks)
    )


def with_file_names(profile: Profile, names: Mapping[str, str]) -> Profile:
    """Return a profile in which files have other names, and IPython's name of a cell's code is `<module>`.

    Args:
        profile: What to rename in.
        names: The new name of each file to be renamed, by its own.
    """
    if not names:
        return profile
    return with_frames(profile, lambda frame: _named(frame, names))


def _renamed(
    frames: Sequence[Frame], stacks: Stacks, renamed: Callable[[Frame], Frame]
) -> tuple[tuple[Frame, ...], Stacks, Int32]:
    known: dict[Frame, int] = {}
    numbers = [known.setdefault(renamed(frame), len(known)) for frame in frames]
    table = StackTable()
    number = table.add_all(stacks, numbers)
    return tuple(known), table.stacks(), number


def _named(frame: Frame, names: Mapping[str, str]) -> Frame:
    name = names.get(frame.file)
    if name is None:
        return frame
    return frame._replace(name="<module>" if frame.name.startswith("<cell line") else frame.name, file=name)
