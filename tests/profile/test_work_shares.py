"""A scope's share of the work, and how much of the workers' time is none, on profiles made by hand."""

from __future__ import annotations

import pytest

from tests.helpers import training_profiles
from tests.helpers.training_profiles import MS, parallel, serial
from workbench.profile import (
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    SpanRecord,
    samples_only,
    share_of_whole,
    workers_idle,
)

J, SPANS, TrainingProfile = training_profiles.J, training_profiles.SPANS, training_profiles.TrainingProfile


def profile_of(*tracks: list[tuple[int, int, int, str]]) -> Profile:
    """Return a profile of tracks given as (start, end, depth, name), in milliseconds."""
    builder = ProfileBuilder("by hand")
    for number, spans in enumerate(tracks):
        records = [
            SpanRecord(start * MS, end * MS, depth, Frame(name, kind=FrameKind.SCOPE))
            for start, end, depth, name in spans
        ]
        builder.add_track(f"track {number}", pid=1, tid=number, spans=builder.spans(records))
    return builder.build().check()


def share(profile: Profile) -> float | None:
    return share_of_whole(profile, "activation", whole="compute jacobian", work="columns")


def idle(profile: Profile, workers: int = 2) -> float | None:
    return workers_idle(profile, workers, whole="compute jacobian", work="columns")


def test_tanh_is_that_of_the_columns() -> None:
    """Tanh and the Jacobian count inside of columns alone."""
    assert share(serial()) == 0.65
    assert idle(serial(), workers=1) is None


def test_tanh_of_parallel_columns_is_that_of_the_workers() -> None:
    """While workers compute, the main thread waits in "compute jacobian": that time is not the columns'."""
    found = profile_of(
        [(0, 100, 0, "fit"), (0, 100, 1, "epoch"), (0, 90, 2, "compute jacobian")],
        [(10, 50, 0, "columns"), (10, 50, 1, "predict"), (10, 20, 2, "activation")],
        [(10, 70, 0, "columns"), (10, 40, 1, "predict"), (10, 40, 2, "activation")],
    )
    assert share(found) == pytest.approx(40 / 100)


def test_without_columns_it_is_that_of_the_jacobian() -> None:
    """Without a scope of the work the whole scope is what the share is of."""
    scopes = [(0, 100, 0, "epoch"), (0, 80, 1, "compute jacobian"), (5, 9, 2, "activation")]
    assert share(profile_of(scopes)) == 4 / 80


def test_what_parallel_columns_cost() -> None:
    """The time of workers that is not in columns, of as many as there are while the Jacobian is computed."""
    assert idle(parallel()) == pytest.approx(1 - 1000 / 1600)


def test_more_work_than_workers_is_not_explained() -> None:
    """Where more was worked than so many workers have time for, there is no share of it that was idle."""
    made = TrainingProfile().thread([*SPANS, (0, 790, "columns")], [(1, J)])
    made.thread([(0, 900, "columns")], [(1, "fit")])
    assert idle(made.build()) is None


@pytest.mark.parametrize(
    "profile", [ProfileBuilder("empty").build(), samples_only(serial()), profile_of([(0, 10, 0, "work")])]
)
def test_nothing_is_said_of_nothing(profile: Profile) -> None:
    """Without scopes that were recorded neither is known."""
    assert (share(profile), idle(profile)) == (None, None)
