"""The difference of two stack trees, or of what is typical of two sets of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.profile._aggregate import StackTree
from workbench.profile._record import Frame, FrameKind, Profile
from workbench.profile.stacks import Int32, Int64, StackTable, outermost, summed_up, sums


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


@dataclass(frozen=True)
class SetDifference:
    """Two sets of trees over one profile, and the difference of what is typical of each."""

    typical: TreeDifference
    """Of the mean of the middle half of each set, in the order of all time."""
    before: tuple[StackTree, ...]
    after: tuple[StackTree, ...]


@dataclass(frozen=True)
class FrameTimes:
    """The times of each frame of a tree, summed over all stacks."""

    self_ns: Int64
    """(frames,) time with the frame on top."""
    total_ns: Int64
    """(frames,) time with the frame on top or below; in a frame inside itself it counts once."""
    count: Int64
    """(frames,) how often it was entered (spans) or seen on top (samples)."""

    def of(self, what: str) -> Int64:
        """Return (frames,) `self` or `total` times."""
        return self.self_ns if what == "self" else self.total_ns


def difference(before: StackTree, after: StackTree, *, normalised: bool) -> TreeDifference:
    """Return two trees over the frames and stacks of both.

    Frames are the same when name, file and kind are: lines move with every edit above them. Stacks of one path
    become one. Normalised, the self times of `before` are scaled so that its `all_ns` is that of `after`, to the
    nanosecond; calls and percentiles stay as they were, and a tree without time stays without. Percentiles are
    kept where one stack of the input has the path, and are unknown (-1) elsewhere.

    Invariants: absolute, each tree keeps its sums and the total of each path; trees that are equal differ by
    zero, and with both swapped every difference is negated, if normalised on the other's scale.
    """
    return difference_of_sets([before], [after], normalised=normalised).typical


def difference_of_sets(
    before: Sequence[StackTree], after: Sequence[StackTree], *, normalised: bool
) -> SetDifference:
    """Return two sets of trees, none of them empty, over the frames and stacks of all; see `difference`.

    Normalised, every tree is scaled to the mean of all times of `after`.
    """
    frames: dict[tuple[str, str, FrameKind], int] = {}
    kept: list[Frame] = []
    table = StackTable()
    # The later trees' frames come first, so that their lines are those of the code as it is now.
    places = [_placed(tree, frames, kept, table) for tree in (*after, *before)]
    name = f"{before[0].profile.name} → {after[0].profile.name}"
    profile = Profile(name, tuple(kept), table.stacks(), (), 0, 0, file=after[0].profile.file)
    wanted = sum(tree.all_ns for tree in after) // len(after) if normalised else None
    moved = [
        _moved(tree, place, profile, wanted) for tree, place in zip((*after, *before), places, strict=True)
    ]
    new, old = tuple(moved[: len(after)]), tuple(moved[len(after) :])
    return SetDifference(TreeDifference(_middle(old), _middle(new), normalised), old, new)


def frame_times(trees: Sequence[StackTree]) -> list[FrameTimes]:
    """Return the times of each frame in each of several trees over one profile."""
    profile = trees[0].profile
    stacks, size = profile.stacks, len(profile.frames)
    first = np.array(outermost(stacks, stacks.frame.tolist()), dtype=np.bool_)
    return [
        FrameTimes(
            sums(stacks.frame, tree.self_ns, size),
            sums(stacks.frame[first], tree.total_ns[first], size),
            sums(stacks.frame, tree.count, size),
        )
        for tree in trees
    ]


def _middle(trees: Sequence[StackTree]) -> StackTree:
    """Return the mean of the middle half of trees, in the order of all their time: one odd run is not in it."""
    cut = len(trees) // 4
    trees = sorted(trees, key=lambda tree: tree.all_ns)[cut : len(trees) - cut]
    if len(trees) == 1:
        return trees[0]
    profile = trees[0].profile
    self_ns, count = (
        np.rint(np.mean([getattr(tree, column) for tree in trees], axis=0)).astype(np.int64)
        for column in ("self_ns", "count")
    )
    return StackTree(profile, self_ns, summed_up(profile.stacks, self_ns), count)


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


def _moved(tree: StackTree, place: Int32, profile: Profile, scaled_to: int | None) -> StackTree:
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
