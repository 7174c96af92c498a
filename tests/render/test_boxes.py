"""Geometry of a flame graph: boxes merged by path, in order, inside their parents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.trees import sampled_tree
from workbench.profile import (
    Frame,
    FrameKind,
    Profile,
    Stacks,
    StackTree,
    difference,
)
from workbench.render.colours import THREAD
from workbench.render.flamegraph._boxes import Boxes, lay_out
from workbench.render.flamegraph._forest import (
    UNKNOWN,
    forest_of_difference,
    forest_of_threads,
    forest_of_tree,
)

NAMES = st.sampled_from("abcdefg")
STACKS = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=6), st.integers(0, 10**12)), max_size=60)


def laid_out(tree: StackTree, minimum_share: float, **options: int) -> Boxes:
    return lay_out(forest_of_tree(tree), minimum_share, **options)


def names_of(boxes: Boxes) -> list[str]:
    return [boxes.labels[label].name for label in boxes.label]


def parents(boxes: Boxes) -> list[int]:
    path: list[int] = []
    found = []
    for i, depth in enumerate(boxes.depth):
        del path[depth:]
        found.append(path[-1] if path else -1)
        path.append(i)
    return found


@settings(deadline=None)
@given(STACKS, st.sampled_from([0.0, 0.0005, 0.05, 0.4]))
def test_children_lie_side_by_side_inside_their_parent(
    stacks: list[tuple[list[str], int]], minimum_share: float
) -> None:
    """No box reaches out of its parent or over its neighbour, and none is narrower than the minimum."""
    boxes = laid_out(sampled_tree(stacks), minimum_share)
    next_free = list(boxes.start)
    for i, parent in enumerate(parents(boxes)):
        assert boxes.total[i] >= minimum_share * boxes.total[0]
        if parent >= 0:
            assert boxes.start[i] == next_free[parent]
            next_free[parent] += boxes.total[i]
            assert next_free[parent] <= boxes.start[parent] + boxes.total[parent]


@settings(deadline=None)
@given(STACKS)
def test_widths_sum_to_the_time_there_is(stacks: list[tuple[list[str], int]]) -> None:
    """With nothing merged away, a box is as wide as its self time and its children, and all is all."""
    tree = sampled_tree(stacks)
    boxes = laid_out(tree, 0)
    assert boxes.cut == 0
    if tree.all_ns == 0:
        assert len(boxes) == 0
        return
    assert boxes.total[0] == tree.all_ns
    below = [0] * len(boxes)
    for i, parent in enumerate(parents(boxes)):
        if parent >= 0:
            below[parent] += boxes.total[i]
    own = [0, *boxes.columns["self"][1:]]  # what stands for all has nothing of its own
    assert [s + b for s, b in zip(own, below, strict=True)] == boxes.total
    assert len(boxes) == 1 + int(np.count_nonzero(tree.total_ns))


def test_what_is_too_narrow_is_merged_and_counted() -> None:
    """Small siblings become one box at the end where together they are wide enough; all are counted."""
    stacks = [(["main", f"small {i}", "below"], 5) for i in range(10)] + [(["main", "z"], 950)]
    boxes = laid_out(sampled_tree(stacks), 0.01)
    names = [boxes.labels[label].name for label in boxes.label]
    assert names == ["all", "main", "z", "(20 small boxes)"]
    assert boxes.total == [1000, 1000, 950, 50]
    assert (boxes.cut, boxes.cut_amount) == (20, 50)


def test_too_little_to_merge_leaves_a_gap() -> None:
    """Where even the merged box would be too narrow none is drawn, and the count tells."""
    boxes = laid_out(sampled_tree([(["main", "tiny"], 1), (["main"], 9999)]), 0.01)
    assert [boxes.labels[label].name for label in boxes.label] == ["all", "main"]
    assert (boxes.cut, boxes.cut_amount) == (1, 1)


def test_children_stand_in_order_of_name() -> None:
    """The order does not depend on what ran first, so that two runs can be laid side by side."""
    first = laid_out(sampled_tree([(["b"], 1), (["a"], 2)]), 0)
    second = laid_out(sampled_tree([(["a"], 2), (["b"], 1)]), 0)
    assert [first.labels[label].name for label in first.label] == ["all", "a", "b"]
    assert (first.start, first.total) == (second.start, second.total)


def test_equal_paths_are_merged() -> None:
    """A tree that holds a path twice, as one joined from two runs may, shows it once."""
    frames = (Frame("main"), Frame("work", kind=FrameKind.SCOPE))
    stacks = Stacks(np.array([-1, 0, -1, 2], dtype=np.int32), np.array([0, 1, 0, 1], dtype=np.int32))
    profile = Profile("joined", frames, stacks, (), 0, 10)
    self_ns = np.array([1, 2, 3, 4])
    tree = StackTree(profile, self_ns, np.array([3, 2, 7, 4]), np.ones(4, dtype=np.int64))
    boxes = laid_out(tree, 0)
    assert boxes.total == [10, 10, 6]
    assert boxes.columns["self"] == [0, 4, 6]


@pytest.mark.parametrize("depth", [5000])
def test_deep_stacks(depth: int) -> None:
    """Recursion in the program is none in the flame graph."""
    boxes = laid_out(sampled_tree([(["f"] * depth, 7)]), 0)
    assert boxes.rows == depth + 1


@settings(deadline=None)
@given(STACKS, st.integers(1, 30))
def test_no_more_boxes_than_asked_for(stacks: list[tuple[list[str], int]], most: int) -> None:
    """The widest stay, each with all that it stands on, and what is left out is counted to the last."""
    tree = sampled_tree(stacks)
    boxes, whole = laid_out(tree, 0, most=most), laid_out(tree, 0)
    shown = sum(boxes.labels[label].name[0] not in "(" for label in boxes.label)
    assert shown <= 1 + most
    assert shown + boxes.cut == len(whole)
    assert boxes.too_many == (len(whole) > 1 + most)
    for i, parent in enumerate(parents(boxes)):
        assert parent >= 0 or i == 0


@settings(deadline=None)
@given(STACKS)
def test_calls_and_percentiles_are_of_one_path(stacks: list[tuple[list[str], int]]) -> None:
    """Numbers that cannot be added are unknown where boxes stand for several frames, and kept elsewhere."""
    tree = sampled_tree(stacks)
    count = np.arange(len(tree.count)) + 7
    known = StackTree(tree.profile, tree.self_ns, tree.total_ns, count, p50_ns=count, p95_ns=count + 1)
    boxes = laid_out(known, 0)
    for i, label in enumerate(boxes.label):
        calls, p50, p95 = (boxes.columns[name][i] for name in ("calls", "p50", "p95"))
        if boxes.labels[label].name == "all":
            assert (calls, p50, p95) == (UNKNOWN, UNKNOWN, UNKNOWN)
        else:
            assert (p50, p95) == (calls, calls + 1)


def test_threads_stand_on_boxes_of_their_own() -> None:
    """Each thread has a box with its name, also two of one name, and one without time has none."""
    one, other = sampled_tree([(["f", "g"], 3)]), sampled_tree([(["f"], 4), (["h"], 5)])
    boxes = lay_out(forest_of_threads([("worker", one), ("worker", other), ("idle", sampled_tree([]))]), 0)
    assert names_of(boxes) == ["all", "worker", "f", "g", "worker", "f", "h"]
    assert boxes.total == [12, 3, 3, 3, 9, 4, 5]
    assert [label.kind for label in boxes.labels].count(THREAD) == 1


def test_threads_of_one_profile_share_its_frames() -> None:
    """A label stands once, however many threads have the frame."""
    tree = sampled_tree([(["f", "g"], 3)])
    boxes = lay_out(forest_of_threads([(f"t{i}", tree) for i in range(10)]), 0)
    assert len(boxes) == 31
    assert len(boxes.labels) == 13


@settings(deadline=None)
@given(STACKS, STACKS, st.sampled_from([0.0, 0.05, 0.4]))
def test_a_difference_loses_nothing(
    before: list[tuple[list[str], int]], after: list[tuple[list[str], int]], minimum_share: float
) -> None:
    """Both sides' amounts stand in the boxes, each wide enough for either, and add up from the children."""
    one, other = sampled_tree(before), sampled_tree(after)
    boxes = lay_out(forest_of_difference(difference(one, other, normalised=False)), minimum_share)
    if not len(boxes):
        assert one.all_ns == other.all_ns == 0
        return
    assert boxes.columns["before"][0] == one.all_ns
    assert boxes.columns["after"][0] == other.all_ns
    next_free = list(boxes.start)
    for i, parent in enumerate(parents(boxes)):
        assert boxes.total[i] >= max(boxes.columns["before"][i], boxes.columns["after"][i])
        if parent >= 0:
            assert boxes.start[i] == next_free[parent]
            next_free[parent] += boxes.total[i]
            assert next_free[parent] <= boxes.start[parent] + boxes.total[parent]


def test_what_is_gone_and_what_is_new_have_boxes() -> None:
    """A path of one side alone is as wide as there, and the parent has room for both."""
    diff = difference(
        sampled_tree([(["m", "old"], 30)]), sampled_tree([(["m", "new"], 20)]), normalised=False
    )
    boxes = lay_out(forest_of_difference(diff), 0)
    assert names_of(boxes) == ["all", "m", "new", "old"]
    assert boxes.total == [50, 50, 20, 30]
    assert boxes.columns["before"] == [30, 30, 0, 30]
    assert boxes.columns["after"] == [20, 20, 20, 0]


def test_sums_beyond_64_bits() -> None:
    """Times that were made up make a flame graph with the right proportions, and no overflow."""
    huge = 1 << 60
    boxes = laid_out(sampled_tree([(["a"], huge), (["b"], huge)]), 0)
    trees = [(f"t{i}", sampled_tree([(["f"], huge)])) for i in range(40)]
    threads = lay_out(forest_of_threads(trees), 0)
    assert boxes.total[0] == 2 * huge
    assert threads.total[0] == pytest.approx(40 * huge)
    assert all(total > 0 for total in threads.total)


def test_negative_self_times_widen_nothing() -> None:
    """A correction that took too much away leaves no child outside of its parent."""
    tree = sampled_tree([(["a", "b"], 10), (["a"], 5)])
    worse = StackTree(tree.profile, tree.self_ns - 7, tree.total_ns - 14, tree.count)
    boxes = laid_out(worse, 0)
    assert boxes.total == [3, 3, 3]
