"""The tree of callers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.random_profiles import by_path, deep_profile, rich_profiles
from tests.helpers.trees import scopes_of
from workbench.profile import ROOT, aggregate, invert
from workbench.profile import _invert as module


@given(data=st.data())
def test_self_times_by_reversed_path(data):
    """Each reversed path has the self time of all stacks that end in it, and the calls of what is on top."""
    profile = data.draw(rich_profiles())
    for of in ("spans", "samples"):
        tree = aggregate(profile, of=of)
        callers = invert(tree)
        callers.profile.check()
        expected, calls = {}, {}
        for amounts, found in ((tree.self_ns, expected), (tree.count, calls)):
            for path, amount in by_path(tree, amounts).items():
                for end in range(len(path)):
                    key = path[::-1][: end + 1]
                    found[key] = found.get(key, 0) + amount
        assert by_path(callers) == {key: amount for key, amount in expected.items() if amount}
        assert by_path(callers, callers.count) == {key: amount for key, amount in calls.items() if amount}


@given(data=st.data())
def test_sums_stay(data):
    """The sum of self times and all time stay, self plus children is the total, and no path stands twice."""
    profile = data.draw(rich_profiles())
    for of in ("spans", "samples"):
        tree = aggregate(profile, of=of)
        callers = invert(tree)
        stacks = callers.profile.stacks
        assert callers.self_ns.sum() == tree.self_ns.sum()
        assert callers.all_ns == tree.all_ns
        children = np.zeros_like(callers.total_ns)
        inner = stacks.parent != ROOT
        np.add.at(children, stacks.parent[inner], callers.total_ns[inner])
        assert np.array_equal(callers.total_ns, callers.self_ns + children)
        assert int(callers.count[~inner].sum()) == int(tree.count.sum())
        assert len(set(zip(stacks.parent.tolist(), stacks.frame.tolist(), strict=True))) == len(stacks)


def test_a_known_profile():
    """One function that two call has both as its callers, each with its part."""
    profile = scopes_of((0, 40, 0, "a"), (0, 30, 1, "tanh"), (50, 90, 0, "b"), (55, 65, 1, "tanh"))
    callers = invert(aggregate(profile, of="spans"))
    found = {"<".join(frame.name for frame in path): ns for path, ns in by_path(callers).items()}
    assert found == {"tanh": 40, "tanh<a": 30, "tanh<b": 10, "a": 10, "b": 30}


@pytest.mark.parametrize("names", [1, 7, 3000])
def test_paths_too_deep_to_follow_are_cut(names, monkeypatch):
    """Within a bounded number of steps, nothing is lost: what goes further is cut, and it says how far it goes."""
    monkeypatch.setattr(module, "MOST_STEPS", 100_000)
    tree = aggregate(deep_profile(3000, names), of="spans")
    callers = invert(tree)
    assert len(callers.profile.stacks) <= 100_000
    assert callers.all_ns == tree.all_ns == int(callers.self_ns.sum())
    depth = callers.profile.facts["callers_cut"]
    assert 100_000 / 3000 - 1 <= depth <= 100_000 / 3000 + 2
    assert "callers_cut" not in invert(aggregate(deep_profile(300, names), of="spans")).profile.facts
