"""A scope's share of the work, and where the time of workers goes, on profiles made by hand."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from tests.helpers import training_profiles
from tests.helpers.training_profiles import MS, parallel, serial
from workbench.profile import (
    Profile,
    ProfileBuilder,
    SampledShare,
    WorkFacts,
    idle_stacks,
    samples_only,
    stacks_inside,
    without_samples,
    work_facts,
)

J, SPANS, TrainingProfile = training_profiles.J, training_profiles.SPANS, training_profiles.TrainingProfile


def facts_of(merged: Profile, **changes: Any) -> WorkFacts:
    """Return what a profile with the trainer's scopes says of its tanh."""
    names = {"whole": "compute jacobian", "work": "columns", "part": "activation"}
    return work_facts(merged, **(names | changes))


def numbers(share: SampledShare | None) -> tuple[int, float]:
    assert share is not None
    return share.samples, share.share


def test_tanh_is_that_of_the_columns() -> None:
    """Tanh and the Jacobian count inside of columns alone, for the recorder's share and for that of samples."""
    facts = facts_of(serial())
    assert facts.samples == 100
    assert facts.inner == 0.65
    assert numbers(facts.inner_samples) == (60, 0.6)
    assert facts.native_name == "tanh_v4"
    assert numbers(facts.native) == (50, 0.5)
    assert (facts.sender_waits, facts.outside_work, facts.work_waits, facts.workers_idle) == (None,) * 4


def test_the_interval_is_the_one_of_a_binomial_share() -> None:
    """The ends are the shares that lie so far from what was seen that it is just within 95 % of theirs."""
    share = facts_of(serial()).inner_samples
    assert share is not None
    z = NormalDist().inv_cdf(0.975)
    for end in (share.low, share.high):
        assert abs(0.6 - end) == pytest.approx(z * np.sqrt(end * (1 - end) / 100))


def test_without_columns_shares_are_of_the_whole_jacobian() -> None:
    """A Jacobian that is computed in one piece is what shares are of."""
    made = TrainingProfile().thread(
        SPANS, [(3, f"{J} > predict > activation"), (9, f"{J} > =dgemm"), (4, "fit")]
    )
    facts = facts_of(made.build())
    assert facts.samples == 12
    assert numbers(facts.inner_samples) == (3, 0.25)
    assert (facts.native_name, facts.native) == ("", None)


def test_a_tanh_that_was_never_seen_has_a_share_of_none() -> None:
    """Where the scope was entered and no sample met it, that is a figure; where there is no such scope, it is none."""
    spans = [*SPANS, (10, 20, "activation")]
    entered = facts_of(TrainingProfile().thread(spans, [(12, f"{J} > =dgemm")]).build())
    assert numbers(entered.inner_samples) == (0, 0.0)
    assert entered.inner_samples is not None
    assert entered.inner_samples.high > 0.2
    assert facts_of(TrainingProfile().thread(SPANS, [(12, f"{J} > =dgemm")]).build()).inner_samples is None


def test_what_parallel_columns_cost() -> None:
    """Waiting is told of the thread that shares out, of workers outside of columns, and of workers inside them."""
    facts = facts_of(parallel(), workers=2)
    assert facts.samples == 80
    assert numbers(facts.inner_samples) == (60, 0.75)
    assert numbers(facts.sender_waits) == (90, 0.9)
    assert numbers(facts.outside_work) == (20, 0.2)
    assert numbers(facts.work_waits) == (20, 0.25)
    assert facts.workers_idle == pytest.approx(1 - 1000 / 1600)


def test_samples_of_two_workers_at_a_time_count_once() -> None:
    """Threads that are sampled at one time are not independent: the interval is that of as many samples as of one."""
    one = TrainingProfile().thread([], [(50, f"{J} > columns > activation"), (50, f"{J} > columns")])
    two = TrainingProfile()
    for _ in range(2):
        two.thread([], [(50, f"{J} > columns > activation"), (50, f"{J} > columns")])
    alone, both = facts_of(one.build()).inner_samples, facts_of(two.build()).inner_samples
    assert alone is not None
    assert both is not None
    assert both.samples == 2 * alone.samples
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))


def test_shares_of_time_weigh_samples() -> None:
    """Samples of a sampler that samples at calls stand for the time since the one before."""
    weights = [MS, MS, 8 * MS]
    samples = [(2, f"{J} > columns > predict"), (1, f"{J} > columns > activation")]
    profile = TrainingProfile().thread([], samples, weights_ns=weights).build()
    assert numbers(facts_of(profile).inner_samples) == (1, pytest.approx(1 / 3))
    assert numbers(facts_of(profile, by_time=True).inner_samples) == (1, pytest.approx(0.8))


def test_a_sender_that_works_alone_has_nothing_on_waiting() -> None:
    """Where no other thread has worked, nothing was shared out, whatever the options say."""
    facts = facts_of(serial(), workers=2)
    assert (facts.sender_waits, facts.outside_work, facts.work_waits) == (None, None, None)


def test_more_work_than_workers_is_not_explained() -> None:
    """Where more was worked than so many workers have time for, there is no share of it that was idle."""
    made = TrainingProfile().thread([*SPANS, (0, 790, "columns")], [(1, J)])
    made.thread([(0, 900, "columns")], [(1, "fit")])
    assert facts_of(made.build(), workers=2).workers_idle is None


def test_names_are_those_of_the_suite() -> None:
    """A suite that names its own scopes is told by these."""
    facts = facts_of(serial(), whole="epoch", work="predict")
    assert facts.samples == 105
    assert numbers(facts.inner_samples) == (65, pytest.approx(65 / 105))


@pytest.mark.parametrize("profile", [
    ProfileBuilder("empty").build(), without_samples(serial()), TrainingProfile().thread([], [(3, "main")]).build(),
])  # fmt: skip
def test_nothing_is_said_of_nothing(profile: Profile) -> None:
    """Without samples inside the Jacobian nothing is sampled of it, and what the recorder knows is left."""
    found = facts_of(profile, workers=2)
    assert found == WorkFacts(inner=found.inner, workers_idle=found.workers_idle)


def test_samples_alone_tell_the_shares() -> None:
    """Shares need no spans; what scopes say of workers does."""
    whole, alone = parallel(), samples_only(parallel())
    facts = facts_of(alone, workers=2)
    assert facts.inner_samples == facts_of(whole, workers=2).inner_samples
    assert facts.workers_idle is None


def test_stacks_inside_a_scope_have_it_as_a_scope() -> None:
    """A function of the same name is no scope; a waiting frame tells only on top."""
    made = (
        TrainingProfile()
        .thread([], [(1, "=columns > a"), (1, "fit > ~wait > b"), (1, "fit > ~wait")])
        .build()
    )
    assert not stacks_inside(made, "columns").any()
    tops = [made.frames[i].name for i in made.stacks.frame[idle_stacks(made)].tolist()]
    assert tops == ["wait"]
