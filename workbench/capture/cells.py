"""Cells of a notebook: code without a file of its own, which is named as the notebook numbers its cells."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.profile import ROOT, Profile


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
    shell = _shell()
    if shell is None:
        return ()
    found: dict[str, NotebookCell] = {}
    for file in {file: None for profile in profiles for file in _files(profile)}:
        label = shell.compile.format_code_name(file)
        if label is not None:
            name = label[1].replace("[", " [")
            found.setdefault(name, NotebookCell(file, name, "".join(linecache.getlines(file))))
    return tuple(found.values())


def cell_texts() -> dict[str, str]:
    """Return the text of each cell that was run in this process's notebook, by what IPython compiled it as."""
    shell = _shell()
    if shell is None:
        return {}
    files = [file for file in linecache.cache if shell.compile.format_code_name(file) is not None]
    return {file: "".join(linecache.getlines(file)) for file in files}


def _shell() -> Any:
    """Return IPython's shell; None outside of it."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


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
