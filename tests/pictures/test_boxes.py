"""Geometry of a flame graph: boxes merged by path, in order, inside their parents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.pictures._boxes import Boxes, lay_out
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, Stacks, StackTree, aggregate

NAMES = st.sampled_from("abcdefg")
STACKS = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=6), st.integers(0, 10**12)), max_size=60)


def tree_of(stacks: list[tuple[list[str], int]]) -> StackTree:
    builder = ProfileBuilder("test")
    tops = [builder.stack_of(Frame(name) for name in names) for names, _ in stacks]
    weights = [weight for _, weight in stacks]
    starts = np.cumsum([0, *weights])[:-1].tolist()
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(tops, starts, weights))
    return aggregate(builder.build().check(), of="samples")


def parents(boxes: Boxes) -> list[int]:
    path: list[int] = []
    found = []
    for i, depth in enumerate(boxes.depth):
        del path[depth:]
        found.append(path[-1] if path else -1)
        path.append(i)
    return found


@given(STACKS, st.sampled_from([0.0, 0.0005, 0.05, 0.4]))
def test_children_lie_side_by_side_inside_their_parent(
    stacks: list[tuple[list[str], int]], minimum_share: float
) -> None:
    """No box reaches out of its parent or over its neighbour, and none is narrower than the minimum."""
    boxes = lay_out(tree_of(stacks), minimum_share)
    next_free = list(boxes.start)
    for i, parent in enumerate(parents(boxes)):
        assert boxes.total[i] >= minimum_share * boxes.total[0]
        if parent >= 0:
            assert boxes.start[i] == next_free[parent]
            next_free[parent] += boxes.total[i]
            assert next_free[parent] <= boxes.start[parent] + boxes.total[parent]


@given(STACKS)
def test_widths_sum_to_the_time_there_is(stacks: list[tuple[list[str], int]]) -> None:
    """With nothing merged away, a box is as wide as its own time and its children, and all is all."""
    tree = tree_of(stacks)
    boxes = lay_out(tree, 0)
    assert boxes.cut == 0
    if tree.all_ns == 0:
        assert len(boxes) == 0
        return
    assert boxes.total[0] == tree.all_ns
    below = [0] * len(boxes)
    for i, parent in enumerate(parents(boxes)):
        if parent >= 0:
            below[parent] += boxes.total[i]
    assert [s + b for s, b in zip(boxes.self_, below, strict=True)] == boxes.total
    assert len(boxes) == 1 + int(np.count_nonzero(tree.total_ns))


def test_what_is_too_narrow_is_merged_and_counted() -> None:
    """Small siblings become one box at the end where together they are wide enough; all are counted."""
    stacks = [(["main", f"small {i}", "below"], 5) for i in range(10)] + [(["main", "z"], 950)]
    boxes = lay_out(tree_of(stacks), 0.01)
    names = [boxes.labels[label].name for label in boxes.label]
    assert names == ["all", "main", "z", "(20 small boxes)"]
    assert boxes.total == [1000, 1000, 950, 50]
    assert (boxes.cut, boxes.cut_amount) == (20, 50)


def test_too_little_to_merge_leaves_a_gap() -> None:
    """Where even the merged box would be too narrow none is drawn, and the count tells."""
    boxes = lay_out(tree_of([(["main", "tiny"], 1), (["main"], 9999)]), 0.01)
    assert [boxes.labels[label].name for label in boxes.label] == ["all", "main"]
    assert (boxes.cut, boxes.cut_amount) == (1, 1)


def test_children_stand_in_order_of_name() -> None:
    """The order does not depend on what ran first, so that two runs can be laid side by side."""
    first = lay_out(tree_of([(["b"], 1), (["a"], 2)]), 0)
    second = lay_out(tree_of([(["a"], 2), (["b"], 1)]), 0)
    assert [first.labels[label].name for label in first.label] == ["all", "a", "b"]
    assert (first.start, first.total) == (second.start, second.total)


def test_equal_paths_are_merged() -> None:
    """A tree that holds a path twice, as one joined from two runs may, shows it once."""
    frames = (Frame("main"), Frame("work", kind=FrameKind.SCOPE))
    stacks = Stacks(np.array([-1, 0, -1, 2], dtype=np.int32), np.array([0, 1, 0, 1], dtype=np.int32))
    profile = Profile("joined", frames, stacks, (), 0, 10)
    self_ns = np.array([1, 2, 3, 4])
    tree = StackTree(profile, self_ns, np.array([3, 2, 7, 4]), np.ones(4, dtype=np.int64))
    boxes = lay_out(tree, 0)
    assert boxes.total == [10, 10, 6]
    assert boxes.self_ == [0, 4, 6]


@pytest.mark.parametrize("depth", [5000])
def test_deep_stacks(depth: int) -> None:
    """Recursion in the program is none in the picture."""
    boxes = lay_out(tree_of([(["f"] * depth, 7)]), 0)
    assert boxes.rows == depth + 1
