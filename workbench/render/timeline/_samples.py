"""Samples as the boxes of a timeline: neighbours that agree to some depth are one box at that depth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Samples, Stacks

Int64 = NDArray[np.int64]


def stack_depths(parent: NDArray[np.int32]) -> Int64:
    """Return (stacks,) how many stacks each stands on, by doubling the step: stacks may be very deep."""
    depth: Int64 = (parent != ROOT).astype(np.int64)
    above = parent.astype(np.int64)
    while np.any(above != ROOT):
        there = np.flatnonzero(above != ROOT)
        depth[there] += depth[above[there]]
        above[there] = above[above[there]]
    return depth


class Runs(NamedTuple):
    """Neighbouring samples of one stack, as one interval each."""

    stack: Int64
    start: Int64
    end: Int64
    joined: NDArray[np.bool_]
    """whether it begins where the run before it ends"""


def runs_of(samples: Samples) -> Runs:
    """Return neighbours of one stack as one run each, without what has no stack."""
    seen = samples.stack != ROOT
    until = samples.at_ns + samples.weight_ns
    joined = np.zeros(len(samples), dtype=np.bool_)
    joined[1:] = seen[1:] & seen[:-1] & (until[:-1] >= samples.at_ns[1:])
    begins = seen.copy()
    begins[1:] &= ~(joined[1:] & (samples.stack[1:] == samples.stack[:-1]))
    first = np.flatnonzero(begins)
    run_of = np.cumsum(begins) - 1
    last = np.zeros(len(first), dtype=np.int64)
    there = np.flatnonzero(seen)
    last[run_of[there]] = there  # the last assignment stands
    return Runs(samples.stack[first].astype(np.int64), samples.at_ns[first], until[last], joined[first])


def levels_of(stacks: Stacks, runs: Runs, depth_of: Int64, most: int) -> list[tuple[Int64, Int64, Int64]]:
    """Return for each depth below `most` its boxes: the first and the last run of each, and its stack.

    Args:
        stacks: The tree that the runs' stacks are of.
        runs: At least one.
        depth_of: (stacks,) as `stack_depths` returns it.
        most: Deeper frames are left out.
    """
    depth = depth_of[runs.stack]
    stack = _lifted(stacks.parent, runs.stack, np.maximum(depth - (most - 1), 0))
    depth = np.minimum(depth, most - 1)
    levels: list[tuple[Int64, Int64, Int64]] = []
    for level in range(int(depth.max()), -1, -1):
        deeper = depth > level
        stack[deeper] = stacks.parent[stack[deeper]]
        active = depth >= level
        begins = active.copy()
        begins[1:] &= ~(runs.joined[1:] & active[:-1] & (stack[1:] == stack[:-1]))
        ends = active.copy()
        ends[:-1] &= begins[1:] | ~active[1:]
        first = np.flatnonzero(begins)
        levels.append((first, np.flatnonzero(ends), stack[first]))
    levels.reverse()
    return levels


def _lifted(parent: NDArray[np.int32], stack: Int64, steps: Int64) -> Int64:
    """Return the stacks that are some steps below the given ones, in a number of rounds that is logarithmic."""
    stack, steps = stack.copy(), steps.copy()
    below = parent.astype(np.int64)
    while steps.any():
        odd = (steps & 1) == 1
        stack[odd] = below[stack[odd]]
        below = np.where(below == ROOT, ROOT, below[below])
        steps >>= 1
    return stack
