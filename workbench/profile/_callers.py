"""Who calls a frame, and what it calls: one pass over a stack tree, for all frames at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.profile._aggregate import StackTree
from workbench.profile.stacks import ROOT

NOBODY = -1
"""The caller of a stack's bottom frame."""


@dataclass(frozen=True)
class Neighbours:
    """Times of groups of frames, and how they split by caller and by callee; nanoseconds.

    Invariants, for each group, recursion or not: the times by caller sum up to its total, and its self time and
    the times by callee do too.
    """

    total_ns: list[int]
    """(groups,) time with a frame of the group anywhere on the stack: one inside another counts once."""
    self_ns: list[int]
    """(groups,) time with a frame of the group on top."""
    count: list[int]
    """(groups,) calls, or samples with a frame of the group on top."""
    callers: list[dict[int, int]]
    """(groups,) the total by who called the outermost frame of the group; `NOBODY` where nobody did."""
    callees: list[dict[int, int]]
    """(groups,) the time by what the innermost frame of the group called."""


def neighbours(tree: StackTree, group: Sequence[int], groups: int) -> Neighbours:
    """Return the callers and callees of all groups of frames.

    Args:
        tree: The stacks with their times.
        group: (frames,) the number of each frame's group.
        groups: How many groups there are.
    """
    stacks = tree.profile.stacks
    own, totals, counts = tree.self_ns.tolist(), tree.total_ns.tolist(), tree.count.tolist()
    parents = stacks.parent.tolist()
    group_of = [group[frame] for frame in stacks.frame.tolist()]
    total, self_ns, count = [0] * groups, [0] * groups, [0] * groups
    callers: list[dict[int, int]] = [{} for _ in range(groups)]
    callees: list[dict[int, int]] = [{} for _ in range(groups)]
    opened: list[list[int]] = [[] for _ in range(groups)]  # depths at which a group is on the path
    above: dict[int, list[int]] = {}
    for stack, parent in enumerate(parents):
        above.setdefault(parent, []).append(stack)
    path: list[int] = []  # groups, from the bottom to where the walk is
    todo = above.get(ROOT, [])[::-1]
    while todo:
        stack = todo.pop()
        if stack < 0:  # left again
            opened[path.pop()].pop()
            continue
        mine, took, depth = group_of[stack], totals[stack], len(path)
        below = path[-1] if path else NOBODY
        path.append(mine)
        self_ns[mine] += own[stack]
        count[mine] += counts[stack]
        if not opened[mine]:
            total[mine] += took
            _add(callers[mine], below, took)
        elif (
            outer := opened[mine][-1]
        ) + 1 < depth:  # what the outer one called is charged to this one's callees
            _add(callees[mine], path[outer + 1], -took)
        if below not in (NOBODY, mine):
            _add(callees[below], mine, took)
        opened[mine].append(depth)
        todo.append(~stack)
        todo += above.get(stack, [])[::-1]
    for split in (*callers, *callees):
        for other in [other for other, took in split.items() if not took]:
            del split[other]
    return Neighbours(total, self_ns, count, callers, callees)


def _add(split: dict[int, int], other: int, took: int) -> None:
    split[other] = split.get(other, 0) + took
