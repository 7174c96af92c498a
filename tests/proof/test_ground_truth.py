"""Programs whose shares are known by construction, sampled in-process.

What is known stands in `ground_truth/`: a function `in_X` runs only inside a scope that ends in its name, and the
recorder says of the same run exactly for how long each scope was open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from workbench.profile import FrameKind, Profile, Track

pytestmark = pytest.mark.proof

POINTS = 0.015


@dataclass(frozen=True)
class Truth:
    """What is known of a program."""

    program: str
    where: dict[str, str]
    """By function, the one scope that it runs in; with a slash in it, all scopes."""
    foreign: dict[str, set[str]] = field(default_factory=dict)
    """By function, scopes of other threads or tasks, which none of its samples may be under."""
    shares: tuple[str, ...] = ()
    """Scopes of which the share of a thread's time is compared."""
    options: dict[str, Any] = field(default_factory=dict)


TRUTHS = [
    Truth(
        "pure_python",
        {"in_first": "first", "in_second": "second", "in_third": "third"},
        shares=("first", "second", "third"),
    ),
    Truth(
        "ufuncs",
        {"in_tanh": "tanh", "in_exp": "exp", "in_sort": "sort"},
        shares=("tanh", "exp", "sort"),
    ),
    Truth("blas", {"in_product": "product", "in_factor": "factor"}, shares=("product", "factor")),
    Truth("sleeping", {"in_wait": "wait", "in_compute": "compute"}, shares=("wait", "compute")),
    Truth(
        "two_threads",
        {
            "in_one_computes": "one computes",
            "in_one_rests": "one rests",
            "in_two_computes": "two computes",
            "in_two_rests": "two rests",
        },
        foreign={
            "in_one_computes": {"two computes", "two rests"},
            "in_one_rests": {"two computes", "two rests"},
            "in_two_computes": {"one computes", "one rests"},
            "in_two_rests": {"one computes", "one rests"},
        },
        shares=("one computes", "one rests", "two computes", "two rests"),
    ),
    Truth(
        "loky_workers",
        {"in_load": "load", "in_compute": "compute"},
        shares=("load", "compute", "send"),
        options={"rate": 100, "native": False, "seconds": 12.0},
    ),
    Truth(
        "recursion",
        {f"in_level_{i}": "/".join(["walk", "level"] * i) for i in (1, 2, 3)},
        shares=("walk", "level"),
    ),
    Truth(
        "generators",
        {"in_read": "read", "in_use": "use"},
        foreign={"in_use": {"reading"}},
        shares=("read", "use"),
    ),
    Truth(
        "tasks",
        {"in_fetch": "fetch", "in_store": "store"},
        foreign={"in_fetch": {"store", "storing"}, "in_store": {"fetch", "fetching"}},
        shares=("fetch", "store"),
    ),
    Truth(
        "lengths",
        {f"in_{name}": name.replace("_", " ") for name in ("50_us", "1_ms", "10_ms", "100_ms", "1_s")},
        shares=("50 us", "1 ms", "10 ms", "100 ms", "1 s"),
        options={"seconds": 12.0},
    ),
]


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.program)
def test_shares_and_scopes(
    truth: Truth, seen: Callable[..., Profile], record_property: Callable[[str, object], None]
) -> None:
    """Shares are within 1.5 points and the binomial error; every sample is under its scope."""
    found = seen(truth.program, **truth.options)
    worst = worst_share(truth, found)
    counts = counted(truth, found)
    figures = {
        "shares differ by at most": f"{100 * worst.difference:.2f} points of {100 * worst.allowed:.2f} ({worst.name})",
        "under their scope": f"{counts}",
    }
    for name, value in figures.items():
        record_property(f"{truth.program}, {name}", value)
        print(f"{truth.program}, {name}: {value}")
    assert counts.total >= 100
    assert worst.difference <= worst.allowed
    assert counts.right == counts.total
    assert counts.foreign == 0


@dataclass(frozen=True)
class Share:
    """How far a share by samples is from what the recorder says."""

    name: str
    difference: float
    allowed: float


def worst_share(truth: Truth, merged: Profile) -> Share:
    """Return the share that is farthest from the truth, over the tracks that have both."""
    found: list[Share] = []
    for track, samples in sampled_threads(merged):
        start, end = int(samples.at_ns[0]), int((samples.at_ns + samples.weight_ns)[-1])
        scopes = [set(scopes_of(merged, stack)) for stack in range(len(merged.stacks))]
        for name in truth.shares:
            true = open_ns(merged, track, name, start, end) / (end - start)
            under = np.array([name in scopes[stack] for stack in samples.stack.tolist()])
            share = float(samples.weight_ns[under].sum() / samples.weight_ns.sum())
            error = 1.96 * math.sqrt(max(true * (1 - true), 1e-6) / len(samples))
            if true > 0 or share > 0:
                found.append(Share(name, abs(share - true), POINTS + error))
    return max(found, key=lambda share: share.difference / share.allowed)


def sampled_threads(merged: Profile) -> Iterator[tuple[list[Track], Any]]:
    """Yield the samples of each thread with all tracks of it that have spans, its tasks' among them."""
    for track in merged.tracks:
        if track.samples is not None and len(track.samples) >= 50:
            own = [
                t for t in merged.tracks if (t.pid, t.tid) == (track.pid, track.tid) and t.spans is not None
            ]
            if own:
                yield own, track.samples


def open_ns(profile: Profile, tracks: list[Track], name: str, start: int, end: int) -> int:
    """Return for how long the outermost scopes of a name were open between two times."""
    total = 0
    for track in tracks:
        spans = track.spans
        assert spans is not None
        for stack, first, last in zip(
            spans.stack.tolist(), spans.start_ns.tolist(), spans.end_ns.tolist(), strict=True
        ):
            path = scopes_of(profile, stack)
            if path[-1] == name and name not in path[:-1]:
                total += max(0, min(last, end) - max(first, start))
    return total


def scopes_of(profile: Profile, stack: int) -> list[str]:
    frames = (profile.frames[i] for i in profile.stacks.path(stack))
    return [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]


@dataclass
class Counted:
    """Samples of the functions that run in one scope only."""

    right: int = 0
    wrong: int = 0
    foreign: int = 0

    @property
    def total(self) -> int:
        return self.right + self.wrong

    def __str__(self) -> str:
        share = 100 * self.right / max(self.total, 1)
        return (
            f"{share:.2f} % of {self.total} ({self.wrong} elsewhere, "
            f"{self.foreign} of another thread or task)"
        )


def counted(truth: Truth, merged: Profile) -> Counted:
    """Return under which scopes the samples of these functions are."""
    found = Counted()
    verdicts: dict[int, tuple[str, bool] | None] = {}
    for track in merged.tracks:
        for stack in track.samples.stack.tolist() if track.samples is not None else ():
            if stack not in verdicts:
                verdicts[stack] = verdict(truth, merged, stack)
            judged = verdicts[stack]
            if judged is not None:
                setattr(found, judged[0], getattr(found, judged[0]) + 1)
                found.foreign += judged[1]
    return found


def verdict(truth: Truth, merged: Profile, stack: int) -> tuple[str, bool] | None:
    """Return whether a stack is right or wrong, and foreign; None: it has no such function."""
    frames = [merged.frames[i] for i in merged.stacks.path(stack)]
    at = next((i for i in reversed(range(len(frames))) if frames[i].name in truth.where), None)
    if at is None:
        return None
    function = frames[at].name
    wanted = truth.where[function].split("/")
    around = [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]
    foreign = bool(truth.foreign.get(function, set()) & set(around))
    found = around if len(wanted) > 1 else around[-1:]
    return ("right" if found == wanted else "wrong"), foreign
