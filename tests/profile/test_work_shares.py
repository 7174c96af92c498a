"""A scope's share of the work, and how much of the workers' time is none, on profiles made by hand."""

from __future__ import annotations

import pytest

from tests.helpers import training_profiles
from tests.helpers.training_profiles import parallel, serial
from workbench.profile import Profile, ProfileBuilder, samples_only, share_of_whole, workers_idle

J, SPANS, TrainingProfile = training_profiles.J, training_profiles.SPANS, training_profiles.TrainingProfile


def share(profile: Profile) -> float | None:
    return share_of_whole(profile, "activation", whole="compute jacobian", work="columns")


def idle(profile: Profile, workers: int = 2) -> float | None:
    return workers_idle(profile, workers, whole="compute jacobian", work="columns")


def test_tanh_is_that_of_the_columns() -> None:
    """Tanh and the Jacobian count inside of columns alone."""
    assert share(serial()) == 0.65
    assert idle(serial(), workers=1) is None


def test_what_parallel_columns_cost() -> None:
    """The time of workers that is not in columns, of as many as there are while the Jacobian is computed."""
    assert idle(parallel()) == pytest.approx(1 - 1000 / 1600)


def test_more_work_than_workers_is_not_explained() -> None:
    """Where more was worked than so many workers have time for, there is no share of it that was idle."""
    made = TrainingProfile().thread([*SPANS, (0, 790, "columns")], [(1, J)])
    made.thread([(0, 900, "columns")], [(1, "fit")])
    assert idle(made.build()) is None


@pytest.mark.parametrize("profile", [ProfileBuilder("empty").build(), samples_only(serial())])
def test_nothing_is_said_of_nothing(profile: Profile) -> None:
    """Without scopes that were recorded neither is known."""
    assert (share(profile), idle(profile)) == (None, None)
