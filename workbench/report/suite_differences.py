"""What each variant of a suite takes more and less of than the baseline, down to native code, as a picture.

Samples do not say how long a program takes without its profiler. So each side's are scaled: a step on the thread
that takes it is as wide as a step took without one. Where that is unknown shares are compared. Scopes stand on
scopes, and functions above the innermost one, so that what a worker does is compared with the same done in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.pictures.difference import difference_svg
from workbench.profile import (
    ROOT,
    FrameKind,
    Profile,
    Stacks,
    StackTree,
    Track,
    aggregate,
    difference,
)
from workbench.profile.columns import span_rows
from workbench.profile.stacks import summed_up
from workbench.report.story_facts import is_opened_on

DIFFERENCE = "difference.svg"
MOST_BOXES = 1500
"""Of one picture: a suite has many."""


@dataclass(frozen=True)
class Side:
    """One variant's samples inside its scopes."""

    name: str
    tree: StackTree
    is_timed: bool
    """Whether they are scaled to a time that was measured without the profiler."""


def side_of(name: str, merged: Profile | None, *, step: str | None, step_ns: float | None) -> Side | None:
    """Return what a variant's samples see in the scope `step`, or in any scope; None where they see nothing.

    Args:
        name: The variant's.
        merged: Scopes with the samples under them.
        step: The scope that times are of; None: no scope is known to be it.
        step_ns: How long it takes without the profiler, in nanoseconds.
    """
    if merged is None:
        return None
    seen = in_scopes(merged, step, between=False)
    tree = aggregate(seen, of="samples")
    if tree.all_ns <= 0:
        return None
    on_thread = 0 if step is None else _ns_where_opened(seen, step)
    if step_ns is None or on_thread <= 0:
        return Side(name, tree, is_timed=False)
    return Side(name, scaled(tree, step_ns / on_thread), is_timed=True)


def in_scopes(profile: Profile, scope: str | None = None, *, between: bool = True) -> Profile:
    """Return the samples inside a scope, or inside any, without the frames around it.

    Samples of which no scope is certain are left out. Spans stay, on the same stacks as the samples.

    Args:
        profile: Scopes with the samples under them.
        scope: The outermost scope that is wanted; None: whichever is.
        between: Whether functions that stand between two scopes stay too. A worker gets to the same scope by others.
    """
    numbers: dict[tuple[int, int], int] = {}
    placed: list[int] = []
    innermost: list[int] = []  # of each stack, its scopes alone
    is_scope = [frame.kind is FrameKind.SCOPE for frame in profile.frames]
    is_root = [
        is_scope[i] and (frame.name == scope if scope is not None else frame != NOT_ATTRIBUTABLE)
        for i, frame in enumerate(profile.frames)
    ]
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        below = placed[parent] if parent != ROOT else ROOT  # parents come first
        scopes = innermost[parent] if parent != ROOT else ROOT
        if below == ROOT and not is_root[frame]:
            placed.append(ROOT)
            innermost.append(ROOT)
            continue
        below = scopes if is_scope[frame] and not between else below
        placed.append(numbers.setdefault((below, frame), len(numbers)))
        innermost.append(placed[-1] if is_scope[frame] else scopes)
    keys = np.array(list(numbers), dtype=np.int32).reshape(-1, 2)
    moved = np.array([*placed, ROOT], dtype=np.int32)  # the last is what `ROOT` looks up
    tracks = tuple(_moved(track, moved) for track in profile.tracks)
    return replace(profile, stacks=Stacks(keys[:, 0].copy(), keys[:, 1].copy()), tracks=tracks)


def _moved(track: Track, moved: NDArray[np.int32]) -> Track:
    spans, samples = track.spans, track.samples
    if samples is not None:
        samples = replace(samples, stack=moved[samples.stack])
    if spans is not None:
        spans = span_rows(spans, moved[spans.stack] != ROOT)
        spans = replace(spans, stack=moved[spans.stack])
    return replace(track, spans=spans, samples=samples)


def scaled(tree: StackTree, factor: float) -> StackTree:
    """Return a tree with all times times a factor; counts stay."""
    own = np.rint(tree.self_ns * factor).astype(np.int64)
    return replace(tree, self_ns=own, total_ns=summed_up(tree.profile.stacks, own), p50_ns=None, p95_ns=None)


def difference_picture(before: Side, after: Side, *, step: str, prefix: str = "") -> str:
    """Return the picture of what `after` takes more and less of, as SVG."""
    timed = before.is_timed and after.is_timed
    what = f"samples of {step}, as long as without the profiler" if timed else "samples, by share"
    return difference_svg(
        difference(before.tree, after.tree, normalised=not timed),
        title=f"{before.name} → {after.name}",
        subtitle=what,
        before_name=before.name,
        after_name=after.name,
        prefix=prefix,
        most_boxes=MOST_BOXES,
    )


def _ns_where_opened(profile: Profile, scope: str) -> int:
    """Return the time of the samples on those threads that opened a scope themselves."""
    total = 0
    for track in profile.tracks:
        if track.samples is not None and is_opened_on(profile, track, scope):
            total += int(track.samples.weight_ns[track.samples.stack != ROOT].sum())
    return total
