"""The difference of two stack trees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workbench.profile._aggregate import StackTree
from workbench.profile._record import Frame, FrameKind, Profile
from workbench.profile.stacks import Int32, Int64, StackTable, summed_up, sums


@dataclass(frozen=True)
class TreeDifference:
    """Two trees over one profile: the same frames and stacks, those of both.

    What only one of them has is 0 in the other.
    """

    before: StackTree
    after: StackTree
    normalised: bool
    """Whether the times of `before` were scaled so that both trees have as much in all."""

    @property
    def self_ns(self) -> Int64:
        """(stacks,) self time after, less that before: more is positive."""
        return self.after.self_ns - self.before.self_ns

    @property
    def total_ns(self) -> Int64:
        """(stacks,) total time after, less that before."""
        return self.after.total_ns - self.before.total_ns


def difference(before: StackTree, after: StackTree, *, normalised: bool) -> TreeDifference:
    """Return two trees over the frames and stacks of both.

    Frames are the same when name, file and kind are: lines move with every edit above them. Stacks of one path
    become one. Normalised, the self times of `before` are scaled so that its `all_ns` is that of `after`, to the
    nanosecond; calls and percentiles stay as they were, and a tree without time stays without. Percentiles are
    kept where one stack of the input has the path, and are unknown (-1) elsewhere.

    Invariants: absolute, each tree keeps its sums and the total of each path; trees that are equal differ by
    zero, and with both swapped every difference is negated, if normalised on the other's scale.
    """
    frames: dict[tuple[str, str, FrameKind], int] = {}
    kept: list[Frame] = []
    table = StackTable()
    # The later tree's frames come first, so that their lines are those of the code as it is now.
    of_after = _placed(after, frames, kept, table)
    of_before = _placed(before, frames, kept, table)
    name = f"{before.profile.name} → {after.profile.name}"
    profile = Profile(name, tuple(kept), table.stacks(), (), 0, 0)
    there = _moved(after, of_after, profile)
    return TreeDifference(
        _moved(before, of_before, profile, scaled_to=there.all_ns if normalised else None), there, normalised
    )


def _placed(
    tree: StackTree, frames: dict[tuple[str, str, FrameKind], int], kept: list[Frame], table: StackTable
) -> Int32:
    """Return for each stack of a tree its number in the table."""
    of_frame: list[int] = []
    for frame in tree.profile.frames:
        number = frames.setdefault((frame.name, frame.file, frame.kind), len(kept))
        if number == len(kept):
            kept.append(frame)
        of_frame.append(number)
    return table.add_all(tree.profile.stacks, of_frame)[:-1]


def _moved(tree: StackTree, place: Int32, profile: Profile, scaled_to: int | None = None) -> StackTree:
    size = len(profile.stacks)
    own, count = sums(place, tree.self_ns, size), sums(place, tree.count, size)
    if scaled_to is not None:
        own = _scaled(own.tolist(), scaled_to)
    called = tree.count != 0
    single = np.bincount(place[called], minlength=size) == 1
    ranks: list[Int64 | None] = []
    for column in (tree.p50_ns, tree.p95_ns):
        moved = None
        if column is not None:
            moved = np.full(size, -1, dtype=np.int64)
            moved[place[called]] = column[called]
            moved[~single] = -1
        ranks.append(moved)
    return StackTree(profile, own, summed_up(profile.stacks, own), count, *ranks)


def _scaled(amounts: Iterable[int], wanted: int) -> Int64:
    """Return amounts scaled so that they sum up to what is wanted: what one is rounded by, the next one gets."""
    amounts = list(amounts)
    whole = sum(amounts)
    if whole <= 0:
        return np.array(amounts, dtype=np.int64)
    scaled: list[int] = []
    seen = given = 0
    for amount in amounts:
        seen += amount
        upto = seen * wanted // whole
        scaled.append(upto - given)
        given = upto
    return np.array(scaled, dtype=np.int64)
