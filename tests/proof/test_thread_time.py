"""What threads did inside scopes, of a program that says so itself by the system's clocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbench.profile import Profile, scope_samples

pytestmark = pytest.mark.proof

POINTS = 0.02
QUIET = 0.05
"""A part of a scope's time: threads that wait longer for a processor are on a machine that is too busy for this."""
SCOPES = {"one fights", "two fights", "no lock", "alone", "sleeps", "blas", "naps", "computes"}


def test_waiting_and_cpu(
    seen: Callable[..., Profile], record_property: Callable[[str, object], None]
) -> None:
    """Parts of a scope's time on a processor and waiting for the lock are within two points of what is known."""
    profile = seen("lock", seconds=30.0)
    found = scope_samples(profile)
    known = {each.name: float(each.value[-1]) for track in profile.tracks for each in track.counters}
    assert {name.partition(",")[0] for name in known} == SCOPES
    ready = max(known.pop(f"{name}, ready") for name in SCOPES)
    if ready > QUIET:
        pytest.skip(
            f"the machine is busy: a thread waited for a processor for {100 * ready:.1f} % of its time"
        )
    worst, inside = [], []
    for name, true in known.items():
        scope, _, what = name.partition(", ")
        share = getattr(found[scope], what)
        worst.append((abs(share.share - true), name))
        inside.append(share.low <= true <= share.high)
        record_property(name, f"{100 * share.share:.2f} %, known {100 * true:.2f} %")
    off, name = max(worst)
    record_property("farthest", f"{100 * off:.2f} points ({name})")
    record_property("intervals that hold", f"{sum(inside)} of {len(inside)}")
    assert off <= POINTS, f"{name} is {100 * off:.2f} points off"
