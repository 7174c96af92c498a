"""Frames around a block that is profiled: what called it is no part of its profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

import numpy as np

from workbench.profile import ROOT, Frame, FrameKind, Profile, Stacks, StackTable, is_own
from workbench.profile.row_selection import with_stacks
from workbench.profile.stacks import Int32

Code = tuple[str, str]
"""A function's own name, and its file."""


def frames_around(frame: FrameType) -> tuple[Code, ...]:
    """Return the functions that led to a frame, outermost first, without its own."""
    found: list[Code] = []
    outer = frame.f_back
    while outer is not None:
        found.append((outer.f_code.co_name, outer.f_code.co_filename))
        outer = outer.f_back
    return tuple(reversed(found))


def without_around(profile: Profile, around: Sequence[Code]) -> Profile:
    """Return the profile with stacks that begin with all these functions without them, and the native frames between.

    Invariant: tracks, times and weights of all samples, and all spans, stay.
    """
    if not around:
        return profile
    stacks, number = _without(profile.stacks, profile.frames, around)
    own = [code for code in around if is_own(code[1])]
    line_stacks, of_line = _without(profile.lines.stacks, profile.lines.places, own)
    tracks = tuple(with_stacks(track, number, of_line) for track in profile.tracks)
    return replace(profile, stacks=stacks, tracks=tracks, lines=replace(profile.lines, stacks=line_stacks))


def _without(stacks: Stacks, frames: Sequence[Frame], around: Sequence[Code]) -> tuple[Stacks, Int32]:
    """Return the stacks that are left, and (stacks + 1,) where each is among them; the last is what `ROOT` looks up."""
    matched: list[int] = []  # of each stack, how many of the functions it begins with; -1: it differs
    table = StackTable()
    moved: list[int] = []
    for parent, frame in zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True):
        before = matched[parent] if parent != ROOT else 0
        now = _next(before, frames[frame], around)
        matched.append(now)
        is_around = 0 <= before < len(around) and now == len(around)  # the innermost of them
        is_behind = before == len(around) and frames[frame].kind is FrameKind.NATIVE
        if is_around or (is_behind and moved[parent] == ROOT):
            moved.append(ROOT)
        else:
            moved.append(table.add(moved[parent] if parent != ROOT else ROOT, frame))
    return table.stacks(), np.array([*moved, ROOT], dtype=np.int32)


def _next(matched: int, frame: Frame, around: Sequence[Code]) -> int:
    """Return how many of the functions are matched when a frame comes on top."""
    if matched < 0 or matched == len(around) or frame.kind is FrameKind.NATIVE:
        return matched
    name, file = around[matched]
    return matched + 1 if frame.file == file and frame.name.rpartition(".")[2] == name else -1
