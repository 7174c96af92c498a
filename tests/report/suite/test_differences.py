"""Differences of a suite's variants: which samples, scaled to what, and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers import training_profiles
from tests.helpers.training_profiles import parallel, serial
from workbench.capture.attribution import NOT_ATTRIBUTABLE
from workbench.profile import ProfileBuilder, StackTree, aggregate, in_scopes, scaled, without_samples
from workbench.report.suite.differences import difference_flame_graph, sampled_tree

J, SPANS, TrainingProfile, GAP = (
    training_profiles.J,
    training_profiles.SPANS,
    training_profiles.TrainingProfile,
    training_profiles.GAP,
)


def total_of(tree: StackTree, name: str) -> int:
    """Return the self time of all stacks with a frame on top."""
    tops = [tree.profile.frames[i].name == name for i in tree.profile.stacks.frame.tolist()]
    return int(tree.self_ns[np.array(tops)].sum())


def test_samples_of_a_step_stand_on_it() -> None:
    """Of the samples inside the scope all are there with the scope at the root, and none of the others."""
    seen = in_scopes(serial(), "epoch").check()
    tree = aggregate(seen, of="samples")
    assert tree.all_ns == 110 * GAP
    roots = seen.stacks.frame[seen.stacks.parent == -1].tolist()
    assert [seen.frames[i].name for i in roots] == ["epoch"]
    assert {f"{seen.frames[i].name}" for i in seen.stacks.frame.tolist()} >= {"step", "tanh_v4", "dgemm"}
    assert [len(track.spans) for track in seen.tracks if track.spans is not None] == [4]


def test_samples_of_any_scope_leave_out_what_is_not_certain() -> None:
    """Without a step, whatever scope is outermost is the root; samples whose scope is unknown are left out."""
    tree = aggregate(in_scopes(serial(), without=[NOT_ATTRIBUTABLE]), of="samples")
    assert tree.all_ns == 110 * GAP
    assert aggregate(in_scopes(ProfileBuilder("empty").build()), of="samples").all_ns == 0


def test_workers_stand_on_the_scopes_that_they_work_for() -> None:
    """Without the functions between scopes, what a worker does is on the stack of the same done in place."""
    for profile in (serial(), parallel()):
        seen = in_scopes(profile, "epoch", between=False).check()
        there = np.flatnonzero(aggregate(seen, of="samples").total_ns).tolist()
        paths = {" > ".join(seen.frames[i].name for i in seen.stacks.path(stack)) for stack in there}
        assert "epoch > compute jacobian > columns > predict > activation > tanh_v4" in paths
        assert not any("step" in path for path in paths)
        assert (
            aggregate(seen, of="samples").all_ns
            == aggregate(in_scopes(profile, "epoch"), of="samples").all_ns
        )
        spans = [track.spans for track in seen.tracks if track.spans is not None]
        assert {seen.frames[seen.stacks.frame[i]].name for each in spans for i in each.stack.tolist()} >= {
            "epoch",
            "columns",
        }


def test_a_step_is_as_long_as_it_was_without_the_profiler() -> None:
    """The samples on the thread that takes the steps add up to the time that was measured, however many there were."""
    compared = sampled_tree("a", serial(), step="epoch", step_ns=55e6)
    assert compared is not None
    assert compared.is_timed
    assert compared.tree.all_ns == 55_000_000
    assert total_of(compared.tree, "tanh_v4") == pytest.approx(55e6 * 55 / 110)


def test_workers_are_scaled_by_the_same_factor() -> None:
    """What threads beside the one that takes the steps did is not squeezed into the step."""
    compared = sampled_tree("a", parallel(), step="epoch", step_ns=60e6)
    assert compared is not None
    # 120 samples of the thread, and 50 of each worker.
    assert compared.tree.all_ns == pytest.approx(60e6 * 220 / 120, abs=10)


@pytest.mark.parametrize("known", [{"step": None, "step_ns": 1e6}, {"step": "epoch", "step_ns": None}])
def test_unknown_times_leave_shares(known: dict[str, Any]) -> None:
    """Where a step or its time is unknown the samples stay as they are, and shares are compared."""
    before = sampled_tree("a", serial(), **known)
    after = sampled_tree("b", serial(20), step="epoch", step_ns=1e6)
    assert before is not None
    assert after is not None
    assert (before.is_timed, after.is_timed) == (False, True)
    graph = difference_flame_graph(before, after, step="an epoch")
    assert "samples, by share" in graph
    assert "a scaled to the total of b" in graph


def test_no_samples_nothing_to_compare() -> None:
    """A variant without samples, or with none inside of the step, has nothing to compare."""
    assert sampled_tree("a", None, step="epoch", step_ns=1.0) is None
    assert sampled_tree("a", without_samples(serial()), step="epoch", step_ns=1.0) is None
    assert sampled_tree("a", serial(), step="no such scope", step_ns=1.0) is None


def test_the_graph_is_of_times_where_both_are_timed() -> None:
    """Amounts are those of a step by the clock of the measurement, on either compared."""
    before = sampled_tree("exact", serial(60), step="epoch", step_ns=110e6)
    after = sampled_tree("fast", serial(20), step="epoch", step_ns=110e6)
    assert before is not None
    assert after is not None
    graph = difference_flame_graph(before, after, step="an epoch", prefix="wb-change")
    assert "samples of an epoch, as long as without the profiler · amounts as measured" in graph
    assert "tanh_v4 50 ms → 10 ms (−80.0 %)" in graph
    assert "dgemm 40 ms → 80 ms (×2)" in graph
    assert len(graph) < 200_000


def test_scaling_keeps_counts_and_sums() -> None:
    """All times are times the factor, and each total is still the sum of what is below it."""
    tree = aggregate(serial(), of="samples")
    half = scaled(tree, 0.5)
    assert half.all_ns == tree.all_ns // 2
    assert (half.count == tree.count).all()
    sums = half.self_ns.copy()
    for stack in range(len(sums) - 1, -1, -1):
        if (parent := half.profile.stacks.parent[stack]) >= 0:
            sums[parent] += sums[stack]
    assert (sums == half.total_ns).all()
