"""Frames around what is profiled: whatever called a block, or ran its tests, is no part of its profile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

import numpy as np

from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    LineStacks,
    Profile,
    Stacks,
    StackTable,
    is_own,
    package_of,
    runs_modules,
)
from workbench.profile.row_selection import with_stacks
from workbench.profile.stacks import Int32

Code = tuple[str, str]
"""A function's own name, and its file."""

PYTEST = Frame("pytest", "site-packages/pytest")
"""What has the time of pytest's own functions."""
_PACKAGES = frozenset({"_pytest", "pluggy", "pytest", "xdist", "execnet", "pytest_timeout", "pytest_asyncio"})
_PLUGIN = re.compile(r"[/\\]workbench[/\\]pytest_profile\.py$")
_MAIN = re.compile(r"[/\\](?:pytest|py\.test|pytest\.exe)$")
"""The script that starts pytest; a worker of xdist is started by a string."""


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


def without_pytest(profile: Profile) -> Profile:
    """Return the profile without the frames that run tests; where they are on top, one frame has their time.

    Invariant: tracks, times and weights of all samples, and all spans, stay.
    """
    of_pytest = [_is_of_pytest(frame) for frame in profile.frames]
    frames = (*profile.frames, PYTEST)
    table = StackTable()
    inside: list[bool] = []
    below: list[int] = []  # of each stack, where what it calls goes
    own: list[int] = []  # of each stack, where its own samples go
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        base = below[parent] if parent != ROOT else ROOT
        is_native = profile.frames[frame].kind is FrameKind.NATIVE
        inside.append(of_pytest[frame] or (is_native and parent != ROOT and inside[parent]))
        below.append(base if inside[-1] else table.add(base, frame))
        own.append(table.add(base, len(frames) - 1) if inside[-1] else below[-1])
    lines, of_line = _lines_without_pytest(profile.lines)
    number = np.array([*own, ROOT], dtype=np.int32)  # the last is what `ROOT` looks up
    tracks = tuple(with_stacks(track, number, of_line) for track in profile.tracks)
    return replace(profile, frames=frames, stacks=table.stacks(), tracks=tracks, lines=lines)


def _lines_without_pytest(lines: LineStacks) -> tuple[LineStacks, Int32]:
    """Return the stacks of lines without those of pytest, and (stacks + 1,) where each is; the last is `ROOT`."""
    table = StackTable()
    moved: list[int] = []
    for parent, place in zip(lines.stacks.parent.tolist(), lines.stacks.frame.tolist(), strict=True):
        base = moved[parent] if parent != ROOT else ROOT
        moved.append(base if _is_of_pytest(lines.places[place]) else table.add(base, place))
    return LineStacks(lines.places, table.stacks()), np.array([*moved, ROOT], dtype=np.int32)


def _is_of_pytest(frame: Frame) -> bool:
    file = frame.file
    if frame.name == "<module>" and (file == "<string>" or _MAIN.search(file)):
        return True
    return runs_modules(file) or package_of(file) in _PACKAGES or _PLUGIN.search(file) is not None
