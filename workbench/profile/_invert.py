"""The tree of callers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workbench.profile._aggregate import StackTree
from workbench.profile._record import ROOT, Int64, Stacks
from workbench.profile._stacks import MOST_NS, summed_up, sums

MOST_STEPS = 10_000_000
"""From a stack to the one below it: paths of 100,000 different frames have five thousand million in all."""


def invert(tree: StackTree) -> StackTree:
    """Return the tree of callers: self times by reversed path, the frame on top first, whoever called it on it.

    Invariants: the sums of self times and of `all_ns` stay; the total of a stack of one frame is the self time
    of that frame, over all stacks that have it on top; of a longer one, that part of it which was spent when
    called along these frames. `count` is of the same calls or samples as the total: on stacks of one frame they
    sum up to those of the tree. The new profile has frames and stacks, and no tracks. Percentiles are unknown.

    All paths are followed together, a frame at a time. Where they are so deep that this would take more than
    `MOST_STEPS`, callers further away are left out, and the fact `callers_cut` is how far they go.
    """
    stacks = tree.profile.stacks
    width = max(len(tree.profile.frames), 1)
    used = np.flatnonzero((tree.self_ns != 0) | (tree.count != 0))
    at, own, count = used, tree.self_ns[used], tree.count[used]
    above = np.full(len(used), ROOT, dtype=np.int64)
    parents: list[Int64] = []
    frames: list[Int64] = []
    self_: list[Int64] = []
    totals: list[Int64] = []
    counts: list[Int64] = []
    done = steps = 0
    cut: dict[str, object] = {}
    while len(at):
        keys, node = np.unique((above + 1) * width + stacks.frame[at], return_inverse=True)
        parents.append(keys // width - 1)
        frames.append(keys % width)
        totals.append(sums(node, own, len(keys)))
        counts.append(sums(node, count, len(keys)))
        steps += len(at)
        goes_on = stacks.parent[at] != ROOT
        if steps + int(goes_on.sum()) > MOST_STEPS:
            cut = {"callers_cut": len(parents)}
            goes_on[:] = False
        self_.append(sums(node[~goes_on], own[~goes_on], len(keys)))
        above = node[goes_on] + done
        at, own, count = stacks.parent[at[goes_on]].astype(np.int64), own[goes_on], count[goes_on]
        done += len(keys)
    inverted = Stacks(_column(parents).astype(np.int32), _column(frames).astype(np.int32))
    self_ns, total_ns = _column(self_), _column(totals)
    if float(np.abs(tree.self_ns).sum(dtype=np.float64)) >= MOST_NS:
        total_ns = summed_up(inverted, self_ns)  # slower, and does not overflow
    profile = replace(tree.profile, stacks=inverted, tracks=(), facts={**tree.profile.facts, **cut})
    return StackTree(profile, self_ns, total_ns, _column(counts))


def _column(parts: list[Int64]) -> Int64:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
