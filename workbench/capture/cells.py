"""Cells of a notebook: code without a file of its own, which is named as the notebook numbers its cells."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.profile import ROOT, Frame, LineStacks, Profile, Stacks, StackTable
from workbench.profile.row_selection import with_stacks
from workbench.profile.stacks import Int32


@dataclass(frozen=True)
class NotebookCell:
    """A cell that was run."""

    file: str
    """What IPython compiled it as."""
    name: str
    """As in `In [3]`."""
    text: str


def cells_of(profiles: Iterable[Profile]) -> tuple[NotebookCell, ...]:
    """Return the cells of this process's notebook that have frames in some profiles; none outside IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return ()
    found: dict[str, NotebookCell] = {}
    for file in {file: None for profile in profiles for file in _files(profile)}:
        label = shell.compile.format_code_name(file)
        if label is not None:
            name = label[1].replace("[", " [")
            found.setdefault(name, NotebookCell(file, name, "".join(linecache.getlines(file))))
    return tuple(found.values())


def _files(profile: Profile) -> list[str]:
    """Return the files of all frames that have samples; the cell that a magic is in has none."""
    stacks = [track.samples.stack for track in profile.tracks if track.samples is not None]
    used = set(np.unique(np.concatenate([*stacks, np.array([ROOT], np.int32)])).tolist())
    frames = set()
    for stack in range(len(profile.stacks) - 1, -1, -1):  # those below a stack come before it
        if stack in used:
            used.add(int(profile.stacks.parent[stack]))
            frames.add(int(profile.stacks.frame[stack]))
    return [profile.frames[i].file for i in sorted(frames)]


def with_cell_names(profile: Profile, names: Mapping[str, str]) -> Profile:
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
