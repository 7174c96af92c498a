"""What a profile says of a training's story, on profiles made by hand."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from tests.helpers import story_profiles
from tests.helpers.story_profiles import MS, parallel, serial
from workbench.bench.design.beside import Scaling
from workbench.profile import (
    Profile,
    ProfileBuilder,
    SampledShare,
    idle_stacks,
    samples_only,
    stacks_inside,
    without_samples,
)
from workbench.report.suite import facts as of_profile
from workbench.report.suite.facts import StoryFacts
from workbench.suites.reference.commentary import SCALING

J, SPANS, TrainingSummary = story_profiles.J, story_profiles.SPANS, story_profiles.Training


def story_facts(merged: Profile, **changes: Any) -> StoryFacts:
    """Return what a profile with the trainer's scopes says of its tanh."""
    return of_profile.story_facts(merged, **({"scaling": SCALING, "part": "activation"} | changes))


def numbers(share: SampledShare | None) -> tuple[int, float]:
    assert share is not None
    return share.samples, share.share


def test_tanh_is_that_of_the_columns() -> None:
    """Tanh and the Jacobian count inside of columns alone, for the recorder's share and for that of samples."""
    facts = story_facts(serial())
    assert facts.samples == 100
    assert facts.inner == 0.65
    assert numbers(facts.inner_samples) == (60, 0.6)
    assert facts.native_name == "tanh_v4"
    assert numbers(facts.native) == (50, 0.5)
    assert (facts.sender_waits, facts.outside_work, facts.work_waits, facts.workers_idle) == (None,) * 4


def test_the_interval_is_the_one_of_a_binomial_share() -> None:
    """The ends are the shares that lie so far from what was seen that it is just within 95 % of theirs."""
    share = story_facts(serial()).inner_samples
    assert share is not None
    z = NormalDist().inv_cdf(0.975)
    for end in (share.low, share.high):
        assert abs(0.6 - end) == pytest.approx(z * np.sqrt(end * (1 - end) / 100))


def test_without_columns_shares_are_of_the_whole_jacobian() -> None:
    """A Jacobian that is computed in one piece is what shares are of."""
    made = TrainingSummary().thread(
        SPANS, [(3, f"{J} > predict > activation"), (9, f"{J} > =dgemm"), (4, "fit")]
    )
    facts = story_facts(made.build())
    assert facts.samples == 12
    assert numbers(facts.inner_samples) == (3, 0.25)
    assert (facts.native_name, facts.native) == ("", None)


def test_a_tanh_that_was_never_seen_has_a_share_of_none() -> None:
    """Where the scope was entered and no look met it, that is a figure; where there is no such scope, it is none."""
    spans = [*SPANS, (10, 20, "activation")]
    entered = story_facts(TrainingSummary().thread(spans, [(12, f"{J} > =dgemm")]).build())
    assert numbers(entered.inner_samples) == (0, 0.0)
    assert entered.inner_samples is not None
    assert entered.inner_samples.high > 0.2
    assert story_facts(TrainingSummary().thread(SPANS, [(12, f"{J} > =dgemm")]).build()).inner_samples is None


def test_what_parallel_columns_cost() -> None:
    """Waiting is told of the thread that shares out, of workers outside of columns, and of workers inside them."""
    facts = story_facts(parallel(), workers=2)
    assert facts.samples == 80
    assert numbers(facts.inner_samples) == (60, 0.75)
    assert numbers(facts.sender_waits) == (90, 0.9)
    assert numbers(facts.outside_work) == (20, 0.2)
    assert numbers(facts.work_waits) == (20, 0.25)
    assert facts.workers_idle == pytest.approx(1 - 1000 / 1600)


def test_looks_at_two_workers_at_a_time_count_once() -> None:
    """Threads that are seen at one look are not independent: the interval is that of as many looks as were made."""
    one = TrainingSummary().thread([], [(50, f"{J} > columns > activation"), (50, f"{J} > columns")])
    two = TrainingSummary()
    for _ in range(2):
        two.thread([], [(50, f"{J} > columns > activation"), (50, f"{J} > columns")])
    alone, both = story_facts(one.build()).inner_samples, story_facts(two.build()).inner_samples
    assert alone is not None
    assert both is not None
    assert both.samples == 2 * alone.samples
    assert (both.low, both.high) == pytest.approx((alone.low, alone.high))


def test_shares_of_time_weigh_samples() -> None:
    """Samples of a sampler that looks at calls stand for the time since it last did."""
    weights = [MS, MS, 8 * MS]
    looks = [(2, f"{J} > columns > predict"), (1, f"{J} > columns > activation")]
    profile = TrainingSummary().thread([], looks, weights_ns=weights).build()
    assert numbers(story_facts(profile).inner_samples) == (1, pytest.approx(1 / 3))
    assert numbers(story_facts(profile, by_time=True).inner_samples) == (1, pytest.approx(0.8))


def test_a_sender_that_works_alone_has_nothing_on_waiting() -> None:
    """Where no other thread has worked, nothing was shared out, whatever the options say."""
    facts = story_facts(serial(), workers=2)
    assert (facts.sender_waits, facts.outside_work, facts.work_waits) == (None, None, None)


def test_more_work_than_workers_is_not_explained() -> None:
    """Where more was worked than so many workers have time for, there is no share of it that was idle."""
    made = TrainingSummary().thread([*SPANS, (0, 790, "columns")], [(1, J)])
    made.thread([(0, 900, "columns")], [(1, "fit")])
    assert story_facts(made.build(), workers=2).workers_idle is None


def test_names_are_those_of_the_suite() -> None:
    """A suite that names its own scopes is told by these."""
    scaling = Scaling(option="n", whole="epoch", work="predict")
    facts = story_facts(serial(), scaling=scaling)
    assert facts.samples == 105
    assert numbers(facts.inner_samples) == (65, pytest.approx(65 / 105))


@pytest.mark.parametrize("profile", [
    ProfileBuilder("empty").build(), without_samples(serial()), TrainingSummary().thread([], [(3, "main")]).build(),
])  # fmt: skip
def test_nothing_is_said_of_nothing(profile: Profile) -> None:
    """Without samples inside the Jacobian nothing is sampled of it, and what the recorder knows is left."""
    found = story_facts(profile, workers=2)
    assert found == StoryFacts(inner=found.inner, workers_idle=found.workers_idle)


def test_samples_alone_tell_the_shares() -> None:
    """Shares need no spans; what guards say of workers does."""
    whole, alone = parallel(), samples_only(parallel())
    facts = story_facts(alone, workers=2)
    assert facts.inner_samples == story_facts(whole, workers=2).inner_samples
    assert facts.workers_idle is None


def test_stacks_inside_a_scope_have_it_as_a_scope() -> None:
    """A function of the same name is no scope; a waiting frame tells only on top."""
    made = (
        TrainingSummary()
        .thread([], [(1, "=columns > a"), (1, "fit > ~wait > b"), (1, "fit > ~wait")])
        .build()
    )
    assert not stacks_inside(made, "columns").any()
    tops = [made.frames[i].name for i in made.stacks.frame[idle_stacks(made)].tolist()]
    assert tops == ["wait"]
