"""What each scope took: totals, the table of scopes, single calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workbench.profile._aggregate import StackTree, aggregate
from workbench.profile._record import FrameKind, Profile
from workbench.profile.stacks import ROOT, Int64, outermost


@dataclass(frozen=True)
class ScopeTotals:
    """What one scope took, over all tracks it ran on."""

    name: str
    calls: int
    total_ns: int
    """Time inside the scope; a scope inside itself is counted once."""
    self_ns: int
    """Time inside the scope and in no scope below it."""


def scope_totals(profile: Profile) -> dict[str, ScopeTotals]:
    """Return the totals of every scope that was entered, by name, the longest first."""
    return totals_by_name(aggregate(profile, of="spans"), scopes_only=True)


def totals_by_name(tree: StackTree, *, scopes_only: bool = False) -> dict[str, ScopeTotals]:
    """Return the totals of every name that was entered in a tree, the longest first."""
    frames, stacks = tree.profile.frames, tree.profile.stacks
    counts = [not scopes_only or frame.kind is FrameKind.SCOPE for frame in frames]
    first = outermost(stacks, [(frames[i].name, counts[i]) for i in stacks.frame.tolist()])
    found: dict[str, list[int]] = {}
    # Of a stack that was only carried along, the calls are elsewhere; what ran inside it is here.
    for stack in np.flatnonzero((tree.count != 0) | (tree.total_ns != 0)).tolist():
        frame = stacks.frame[stack]
        if not counts[frame]:
            continue
        entry = found.setdefault(frames[frame].name, [0, 0, 0])
        entry[0] += int(tree.count[stack])
        entry[1] += int(tree.total_ns[stack]) if first[stack] else 0
        entry[2] += int(tree.self_ns[stack])
    ranked = sorted((item for item in found.items() if item[1][0]), key=lambda item: -item[1][1])
    return {name: ScopeTotals(name, calls, total, own) for name, (calls, total, own) in ranked}


def time_inside(profile: Profile, name: str, *, within: Iterable[str]) -> tuple[int, int]:
    """Return nanoseconds (inside scope `name` and within one of `within`, inside one of `within`).

    Summed over all tracks. On each, the outermost of the enclosing scopes counts, so that nothing is
    counted twice; so does the outermost `name` in it.
    """
    enclosing = frozenset(within)
    scope_names = [f.name if f.kind is FrameKind.SCOPE else None for f in profile.frames]
    inside = 0
    all_of_it = 0
    outermost_name = np.zeros(len(profile.stacks), dtype=np.bool_)
    outermost_enclosing = np.zeros(len(profile.stacks), dtype=np.bool_)
    within_one: list[bool] = []
    within_both: list[bool] = []
    parents, frames = profile.stacks.parent.tolist(), profile.stacks.frame.tolist()
    for stack, (parent, frame) in enumerate(zip(parents, frames, strict=True)):  # parents come first
        scope = scope_names[frame]
        was_within = parent != ROOT and within_one[parent]
        had_name = parent != ROOT and within_both[parent]
        is_within = was_within or scope in enclosing
        outermost_enclosing[stack] = is_within and not was_within
        outermost_name[stack] = scope == name and is_within and not had_name
        within_one.append(is_within)
        within_both.append(is_within and (had_name or scope == name))
    for track in profile.tracks:
        if track.spans is not None:
            duration = track.spans.end_ns - track.spans.start_ns
            if track.spans.carried is not None:
                duration = np.where(track.spans.carried, 0, duration)
            inside += int(duration[outermost_name[track.spans.stack]].sum())
            all_of_it += int(duration[outermost_enclosing[track.spans.stack]].sum())
    return inside, all_of_it


def durations(profile: Profile, name: str) -> Int64:
    """Return the nanoseconds of every call of a scope, over all tracks, in order of track and start."""
    wanted = np.array([f.kind is FrameKind.SCOPE and f.name == name for f in profile.frames], dtype=np.bool_)
    found = [np.zeros(0, dtype=np.int64)]
    for track in profile.tracks:
        if track.spans is not None and len(track.spans):
            spans = track.spans
            chosen = wanted[profile.stacks.frame[spans.stack]]
            if spans.carried is not None:
                chosen &= ~spans.carried
            found.append((spans.end_ns - spans.start_ns)[chosen])
    return np.concatenate(found)
