"""Two profiles, or two sets of profiles, against each other: wall times, and the frames whose times changed most.

The times of two runs differ by more than the code: heat, neighbours, where memory happens to be. Several profiles of a
side show how much, so only they can say that one side is slower. Of one profile a side it is known how exact it is of
its own run, and no more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from workbench.bench.analysis.verdict import SURE
from workbench.bench.compare import gate
from workbench.bench.stats.intervals import Estimate
from workbench.errors import InvalidInputError, unknown_name
from workbench.profile import FrameKind, SetDifference, StackTree, aggregate, difference_of_sets, outermost
from workbench.report.profile.frame_changes import (
    MIN_PROFILES,
    ChangeFinding,
    FrameChange,
    Of,
    between_runs,
    finding_of,
    frame_changes,
    of_these_runs,
    ratio_shown,
)
from workbench.report.profile.profile_set import MemberProfile, ProfileSet, read_set


@dataclass(frozen=True)
class DifferenceOptions:
    """What to compare, and how."""

    before: Path
    after: Path
    of: Of | None = None
    """Spans or samples; by default spans where all have any."""
    relative: bool = False
    """Whether all profiles are scaled to one total, so that shares are compared and not times."""
    title: str = ""
    """The heading; by default the names of both."""
    fail_slower: float | None = None
    """How much longer the second may take, as a share; None: nothing is judged."""
    scope: str | None = None
    """The scope that is judged; None: wall time."""


@dataclass(frozen=True)
class WallTimes:
    """How long the programs ran, in each profile."""

    before_ns: tuple[int, ...]
    after_ns: tuple[int, ...]
    ratio: Estimate | None
    """Of after to before; None where profiles are too few."""
    finding: ChangeFinding


@dataclass(frozen=True)
class Comparison:
    """What came of it."""

    options: DifferenceOptions
    of: Of
    trees: SetDifference
    wall: WallTimes
    changes: tuple[FrameChange, ...]
    """Of self times, and of total times where they differ: what is clear first, then the largest."""
    gate: gate.Finding | None = None
    warnings: tuple[str, ...] = ()
    """What the readers left out or took for something, a line each."""

    @property
    def profiles(self) -> int:
        """How many there are of each side."""
        return len(self.wall.before_ns)

    @property
    def is_of_sets(self) -> bool:
        """Whether there are enough profiles to know what runs differ by."""
        return self.profiles >= MIN_PROFILES

    @property
    def names(self) -> tuple[str, str]:
        """Short names of both sides that differ where the paths do."""
        before, after = (Path(os.path.normpath(p)) for p in (self.options.before, self.options.after))
        if before.name != after.name:
            return before.name, after.name
        if before.absolute() == after.absolute():
            return "before", "after"
        common = os.path.commonpath([before.absolute(), after.absolute()])
        return str(before.absolute().relative_to(common)), str(after.absolute().relative_to(common))

    @property
    def title(self) -> str:
        """The heading."""
        return self.options.title or " → ".join(self.names)


def compare(options: DifferenceOptions) -> Comparison:
    """Return the comparison of two profiles or two sets, each whatever `read_run` reads or a folder of such.

    Raises:
        InvalidInputError: One cannot be read, the sets are not of one size, both have nothing of the same sort, or
            the scope that is to be judged is in neither.
    """
    before, after = sides = [read_set(path) for path in (options.before, options.after)]
    _check_sizes(before, after)
    of = options.of or _common(before, after)
    trees = difference_of_sets(
        *([_tree(member, of) for member in side.members] for side in sides), normalised=options.relative
    )
    wall = _wall_times(*(tuple(member.wall_ns for member in side.members) for side in sides))
    warnings = [
        *(line for side in sides for line in side.warnings),
        *(f"{member.path}: {line}" for side in sides for member in side.members for line in member.warnings),
    ]
    return Comparison(
        options,
        of,
        trees,
        wall,
        frame_changes(trees, before.members, after.members, of),
        None if options.fail_slower is None else _judged(options, options.fail_slower, trees, wall),
        tuple(warnings),
    )


def _check_sizes(before: ProfileSet, after: ProfileSet) -> None:
    if len(before) == len(after):
        return
    fewer, more = sorted((before, after), key=len)
    remedy = "compare two folders of profiles, or one profile of each"
    if len(fewer) > 1:
        remedy = f"profile {fewer.path} until it has {len(more)} too"
    raise InvalidInputError(
        f"{before.path} has {_count(before)} and {after.path} has {_count(after)}: {remedy}"
    )


def _count(side: ProfileSet) -> str:
    return "1 profile" if len(side) == 1 else f"{len(side)} profiles"


def _common(before: ProfileSet, after: ProfileSet) -> Of:
    kinds: tuple[Of, Of] = ("spans", "samples")
    has: list[list[Of]] = []
    for side in (before, after):
        has.append([of for of in kinds if all(member.has(of) for member in side.members)])
        if not has[-1]:
            raise InvalidInputError(f"{side.path} is empty: it has neither spans nor samples to compare")
    both = [of for of in has[0] if of in has[1]]
    if not both:
        raise InvalidInputError(
            f"{before.path} has {has[0][0]} and {after.path} has {has[1][0]}: compare two of the same sort"
        )
    return both[0]


def _tree(member: MemberProfile, of: Of) -> StackTree:
    profile = member.spans if of == "spans" else member.samples
    tree = None if profile is None else aggregate(profile, of=of)
    if tree is None or tree.all_ns <= 0:
        other = "samples" if of == "spans" else "spans"
        raise InvalidInputError(f"{member.path} has no time in {of}: record it again, or compare {other}")
    # Of many profiles their spans and samples together would fill the memory.
    return replace(tree, profile=replace(tree.profile, tracks=()))


def _wall_times(before: tuple[int, ...], after: tuple[int, ...]) -> WallTimes:
    shift = between_runs(before, after)
    if shift is None:
        return WallTimes(before, after, None, of_these_runs(sum(before), sum(after)))
    finding = finding_of(shift, is_clear=shift.low > 0 or shift.high < 0)
    return WallTimes(before, after, ratio_shown(shift, median(before), median(after)), finding)


def _judged(
    options: DifferenceOptions, fail_slower: float, trees: SetDifference, wall: WallTimes
) -> gate.Finding:
    """Judge wall time, or the total time of a scope, against a limit that was stated before."""
    name, before, after = "wall time", wall.before_ns, wall.after_ns
    shown = median(before), median(after)
    if options.scope is not None:
        name = options.scope
        before, after = (_scope_times(side, options.scope) for side in (trees.before, trees.after))
        _check_scope(options, options.scope, trees, before, after)
        (old,), (new,) = (_scope_times([side], name) for side in (trees.typical.before, trees.typical.after))
        shown = old, new
    shift = between_runs(before, after)
    if shift is None:
        count = "1 profile is" if len(before) == 1 else f"{len(before)} profiles are"
        words = f"{count} too few of a side: an interval of 95 % needs {MIN_PROFILES}"
        return gate.Finding(gate.INCONCLUSIVE, f"{name}: {words}")
    found = gate.speed_finding(ratio_shown(shift, *shown), gate.Limits(slower=fail_slower), SURE)
    return replace(found, figure=f"{name} {found.figure}")


def _scope_times(trees: Sequence[StackTree], scope: str) -> tuple[int, ...]:
    """Return the total time of a scope in each profile, a scope inside itself counted once."""
    profile = trees[0].profile
    named = [frame.name == scope and frame.kind is FrameKind.SCOPE for frame in profile.frames]
    group = [named[frame] for frame in profile.stacks.frame.tolist()]
    first = np.array(outermost(profile.stacks, group), dtype=np.bool_) & np.array(group, dtype=np.bool_)
    return tuple(int(tree.total_ns[first].sum()) for tree in trees)


def _check_scope(
    options: DifferenceOptions,
    scope: str,
    trees: SetDifference,
    before: Sequence[int],
    after: Sequence[int],
) -> None:
    if all(before) and all(after):
        return
    if not any(before) and not any(after):
        frames = trees.typical.after.profile.frames
        names = sorted({frame.name for frame in frames if frame.kind is FrameKind.SCOPE})
        raise unknown_name("scope", scope, names)
    lacks = options.after if all(before) else options.before
    raise InvalidInputError(f"{lacks} lacks the scope {scope!r} in some profiles: judge one that all have")
