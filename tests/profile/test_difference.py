"""The difference of two trees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import by_path, rich_profiles
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    ProfileBuilder,
    SpanRecord,
    StackTree,
    aggregate,
    difference,
)


def tree_of(*rows, line=0):
    builder = ProfileBuilder("test")
    records = [SpanRecord(s, e, d, Frame(n, "f.py", line, FrameKind.SCOPE)) for s, e, d, n in rows]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    return aggregate(builder.build().check(), of="spans", percentiles=True)


def draw_trees(data, strategy, count=2):
    kinds = st.sampled_from(["spans", "samples"])
    return [aggregate(data.draw(strategy), of=data.draw(kinds), percentiles=True) for _ in range(count)]


def short(path):
    return tuple((frame.name, frame.file, frame.kind) for frame in path)


def merged(paths):
    found: dict[tuple, int] = {}
    for path, amount in paths.items():
        found[short(path)] = found.get(short(path), 0) + amount
    return found


def whole(tree: StackTree):
    """Assert what holds of every tree."""
    stacks = tree.profile.check().stacks
    children = np.zeros_like(tree.total_ns)
    inner = stacks.parent != ROOT
    np.add.at(children, stacks.parent[inner], tree.total_ns[inner])
    assert np.array_equal(tree.total_ns, tree.self_ns + children)


@given(data=st.data())
def test_absolute_keeps_both_trees(data):
    """Both trees are over one profile, with every path once, and each has what it had."""
    before, after = draw_trees(data, rich_profiles())
    found = difference(before, after, normalised=False)
    assert found.before.profile is found.after.profile
    for was, now in ((before, found.before), (after, found.after)):
        whole(now)
        for amounts in ("total_ns", "self_ns", "count"):
            assert merged(by_path(now, getattr(now, amounts))) == merged(by_path(was, getattr(was, amounts)))
    stacks = found.after.profile.stacks
    assert len(set(zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True))) == len(stacks)


@given(data=st.data())
def test_swapped_sides_negate(data):
    """With the sides swapped every path's difference is negated."""
    before, after = draw_trees(data, rich_profiles())
    there, back = (difference(*pair, normalised=False) for pair in ((before, after), (after, before)))
    for column in ("self_ns", "total_ns"):
        forth = merged(by_path(there.after, getattr(there, column)))
        assert merged(by_path(back.after, getattr(back, column))) == {
            p: -amount for p, amount in forth.items()
        }


@given(data=st.data())
def test_equal_trees_differ_by_nothing(data):
    """A profile has no difference from itself, absolute or normalised; nor from itself with all times doubled."""
    (tree,) = draw_trees(data, rich_profiles(), 1)
    for normalised in (False, True):
        found = difference(tree, tree, normalised=normalised)
        assert found.normalised is normalised
        assert not found.self_ns.any()
        assert not found.total_ns.any()
    double = replace(tree, self_ns=tree.self_ns * 2, total_ns=tree.total_ns * 2)
    assert not difference(double, tree, normalised=True).total_ns.any()


@given(data=st.data())
def test_normalised_has_as_much_in_all(data):
    """Normalised, all of `before` is all of `after`, and each self time is in proportion to within a nanosecond."""
    before, after = draw_trees(data, rich_profiles())
    found = difference(before, after, normalised=True)
    plain = difference(before, after, normalised=False)
    whole(found.before)
    assert np.array_equal(found.after.self_ns, plain.after.self_ns)
    assert np.array_equal(found.before.count, plain.before.count)
    if before.all_ns:
        assert found.before.all_ns == after.all_ns
        expected = plain.before.self_ns * (after.all_ns / before.all_ns)
        assert np.all(np.abs(found.before.self_ns - expected) <= 1 + 1e-9 * expected)
        assert np.all(found.before.self_ns >= 0)
    else:
        assert not found.before.self_ns.any()


def test_lines_move():
    """A function that moved in its file is the same; it is shown at its line in the later profile."""
    found = difference(tree_of((0, 9, 0, "f"), line=3), tree_of((0, 5, 0, "f"), line=8), normalised=False)
    assert [frame.line for frame in found.after.profile.frames] == [8]
    assert found.total_ns.tolist() == [-4]


def test_percentiles_where_they_are_known():
    """Percentiles stay on paths that only one stack has, -1 stands for what is not there, and None for none."""
    before, after = tree_of((0, 9, 0, "f"), (1, 3, 1, "g")), tree_of((0, 5, 0, "f"), (6, 7, 0, "f"))
    found = difference(before, after, normalised=True)
    names = [found.after.profile.frames[i].name for i in found.after.profile.stacks.frame.tolist()]
    assert names == ["f", "g"]
    assert found.before.p50_ns.tolist() == [9, 2]
    assert found.after.p50_ns.tolist() == [1, -1]
    assert found.after.p95_ns.tolist() == [5, -1]
    none = difference(replace(before, p50_ns=None, p95_ns=None), after, normalised=False)
    assert none.before.p50_ns is None
