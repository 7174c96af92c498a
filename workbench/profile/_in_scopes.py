"""Samples and spans inside scopes: which stacks they are on, and a profile or a tree of those alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._aggregate import StackTree
from workbench.profile._record import Frame, FrameKind, Profile, Track
from workbench.profile.row_selection import span_rows
from workbench.profile.stacks import ROOT, Stacks, summed_up


def in_scopes(
    profile: Profile, scope: str | None = None, *, between: bool = True, without: Collection[Frame] = ()
) -> Profile:
    """Return the samples inside a scope, or inside any, without the frames around it.

    Samples of which no scope is certain are left out. Spans stay, on the same stacks as the samples.

    Args:
        profile: Scopes with the samples under them.
        scope: The outermost scope that is wanted; None: whichever is.
        between: Whether functions that stand between two scopes stay too. A worker gets to the same scope by others.
        without: Scopes that count for none, such as the one that stands for an unknown scope.
    """
    numbers: dict[tuple[int, int], int] = {}
    placed: list[int] = []
    innermost: list[int] = []  # of each stack, its scopes alone
    is_scope = [frame.kind is FrameKind.SCOPE for frame in profile.frames]
    is_root = [
        is_scope[i] and (frame.name == scope if scope is not None else frame not in without)
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


def is_opened_on(profile: Profile, track: Track, scope: str) -> bool:
    """Return whether a scope was opened on a track itself, and not propagated to it."""
    if track.spans is None or not len(track.spans):
        return False
    named = np.array([f.kind is FrameKind.SCOPE and f.name == scope for f in profile.frames], dtype=np.bool_)
    own = named[profile.stacks.frame[track.spans.stack]]
    if track.spans.propagated is not None:
        own &= ~track.spans.propagated
    return bool(own.any())
