"""What the guards themselves cost.

A recording states two constants for each process: `inside_ns`, what a guard adds to its own interval, and
`parent_ns`, what it adds to whatever is around it, its own interval included. `chunk_ns`, what it took to get room in
the log, is added to what is outside: it comes in lumps, so that this is right for sums only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from workbench.profile._aggregate import calls
from workbench.profile._record import Profile
from workbench.profile._scopes import scope_totals
from workbench.profile.stacks import ROOT, outermost

MOST_NS = 1_000_000_000
"""A guard that takes longer than a second was not measured but made up."""


class GuardCost(NamedTuple):
    """Nanoseconds that one guard takes."""

    inside_ns: float
    """within its own interval"""
    parent_ns: float
    """within whatever is around it, its own interval included"""


def guard_costs(profile: Profile) -> dict[int | None, GuardCost]:
    """Return what a guard costs in each process, by its id; under None the median over all of them.

    Each process measures at the start and, where it was not killed, at the end; the mean of both counts.
    Empty where the profile states none: it is of a sampler alone, or of an old recording.
    """
    stated = profile.facts.get("guard_costs")
    found: dict[int | None, list[GuardCost]] = {}
    chunks: dict[object, float] = {}
    for cost in stated if isinstance(stated, list) else []:
        if not isinstance(cost, Mapping):
            continue
        inside, parent = cost.get("inside_ns"), cost.get("parent_ns")
        if not isinstance(inside, (int, float)) or not isinstance(parent, (int, float)):
            continue
        chunk = cost.get("chunk_ns", 0.0)
        if isinstance(chunk, (int, float)) and 0 <= chunk < MOST_NS:
            chunks[cost.get("pid")] = chunk  # what it ends with holds for all of it
        if 0 <= inside <= parent < MOST_NS:
            found.setdefault(None, []).append(GuardCost(inside, parent))
            found.setdefault(cost.get("pid"), []).append(GuardCost(inside, parent))
    means = {
        pid: GuardCost(*(np.median if pid is None else np.mean)(np.array(costs), axis=0).tolist())
        for pid, costs in found.items()
    }
    return {
        pid: GuardCost(cost.inside_ns, cost.parent_ns + chunks.get(pid, 0.0)) for pid, cost in means.items()
    }


def guard_overhead(profile: Profile) -> dict[str, float]:
    """Return by the name of a scope what guards add to `ScopeTotals.total_ns` of it: its own, and all below it."""
    costs = guard_costs(profile)
    if not costs:
        return {}
    size, parents = len(profile.stacks), profile.stacks.parent
    added = np.zeros(size)
    for track in profile.tracks:
        if track.spans is not None and len(track.spans):
            cost = costs.get(track.pid, costs[None])
            count = np.bincount(calls(track.spans)[0], minlength=size)
            added += count * cost.inside_ns
            outside = count * (cost.parent_ns - cost.inside_ns)
            below = parents != ROOT
            added += np.bincount(parents[below], weights=outside[below], minlength=size)
    totals = added.tolist()
    for stack, parent in reversed(list(enumerate(parents.tolist()))):
        if parent != ROOT:
            totals[parent] += totals[stack]
    names = [profile.frames[frame].name for frame in profile.stacks.frame.tolist()]
    found = dict.fromkeys(scope_totals(profile), 0.0)
    for name, total, is_first in zip(names, totals, outermost(profile.stacks, names), strict=True):
        if is_first and name in found:
            found[name] += total
    return found
