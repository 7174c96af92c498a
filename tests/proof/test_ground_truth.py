"""Programs whose shares are known by construction, sampled in-process.

What is known stands in `ground_truth/`: a function `in_X` runs only inside a scope that ends in its name, and the
recorder says of the same run exactly for how long each scope was open. A run is cut into windows of whole periods of
the sampler, each as a run of its own would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from workbench.profile import (
    FrameKind,
    Profile,
    SampledShare,
    Samples,
    Track,
    scope_samples,
)

pytestmark = pytest.mark.proof

SECONDS = 32.0
RUN_TICKS = 10_000
POINT = 0.01
"""Shares of `RUN_TICKS` samples are so near to the truth, in `RUNS_NEAR` of all runs."""
RUNS_NEAR = 0.95
BUSY_POINTS = 0.015
"""The same where more threads compute than there are cores."""
INTERVAL_TICKS = 500
MIN_INTERVALS = 1000
INTERVALS_HOLD = 0.93
LIVES_RATE = 200

Seen = Callable[..., Profile]


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
    seconds: float = SECONDS


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
        "names",
        {f"in_job_{i}": f"job {i}" for i in range(12)} | {"in_one_line": "one line"},
        shares=("job 3", "one line", "made first", "made second"),
    ),
    Truth(
        "loky_workers",
        {"in_load": "send/load", "in_compute": "send/compute"},
        shares=("load", "compute"),
        seconds=12.0,
    ),
    Truth(
        "executor_workers",
        {"in_load": "send/load", "in_compute": "send/compute"},
        shares=("load", "compute"),
        seconds=12.0,
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
    ),
]
BUSY = Truth(
    "busy_workers",
    {"in_short": "short", "in_middle": "middle", "in_long": "long"},
    shares=("short", "middle", "long"),
    seconds=24.0,
)


@pytest.mark.parametrize("truth", [*TRUTHS, BUSY], ids=lambda truth: truth.program)
def test_scopes(truth: Truth, seen: Seen, record_property: Callable[[str, object], None]) -> None:
    """Every sample of a thread with scopes is under the scope that was open."""
    counts = counted(truth, seen(truth.program, seconds=truth.seconds))
    record_property(f"{truth.program}, under their scope", str(counts))
    assert counts.total >= 1000
    assert not counts.strange


def test_shares(seen: Seen, record_property: Callable[[str, object], None]) -> None:
    """Shares of 10,000 samples are within one point of the exact time, in 95 % of the runs."""
    worst: list[tuple[float, str]] = []
    for truth in TRUTHS:
        for window in windows(seen(truth.program, seconds=truth.seconds), truth.shares, RUN_TICKS):
            errors = [(abs(found.share - true), name) for name, (true, found) in window.items()]
            error, name = max(errors)
            worst.append((error, f"{truth.program}, {name}"))
    near = sum(error <= POINT for error, _ in worst) / len(worst)
    error, where = max(worst)
    record_property("runs within one point", f"{100 * near:.0f} % of {len(worst)}")
    record_property("farthest", f"{100 * error:.2f} points ({where})")
    assert len(worst) >= 20
    assert near >= RUNS_NEAR


def test_intervals(seen: Seen, record_property: Callable[[str, object], None]) -> None:
    """The exact share is inside at least 93 % of the intervals, pooled over all programs."""
    inside: dict[str, list[bool]] = {}
    for truth in TRUTHS:
        for window in windows(seen(truth.program, seconds=truth.seconds), truth.shares, INTERVAL_TICKS):
            for true, found in window.values():
                inside.setdefault(truth.program, []).append(found.low <= true <= found.high)
    pooled = [each for of_program in inside.values() for each in of_program]
    hold = sum(pooled) / len(pooled)
    record_property("intervals that hold the exact share", f"{100 * hold:.1f} % of {len(pooled):,}")
    for program, found in inside.items():
        record_property(f"intervals of {program}", f"{100 * sum(found) / len(found):.1f} % of {len(found)}")
    assert len(pooled) >= MIN_INTERVALS
    assert hold >= INTERVALS_HOLD


def test_more_workers_than_cores(seen: Seen, record_property: Callable[[str, object], None]) -> None:
    """Shares of four workers that compute all the time are within 1.5 points, on two cores."""
    found = list(windows(seen(BUSY.program, seconds=BUSY.seconds), BUSY.shares, RUN_TICKS))
    assert len(found) >= 4
    worst = max(abs(share.share - true) for window in found for true, share in window.values())
    record_property("four workers, farthest", f"{100 * worst:.2f} points of {100 * BUSY_POINTS:.1f}")
    assert worst <= BUSY_POINTS


def test_lives(seen: Seen, record_property: Callable[[str, object], None]) -> None:
    """A thread's sampled time is its life but for a period at either end, and on average exact, whatever it does last.

    Samples are taken at one random moment of each period: where a life begins or ends within a period, that has one
    sample or none.
    """
    profile = seen("lives", seconds=20.0, rate=LIVES_RATE)
    period = round(1e9 / LIVES_RATE)
    (main,) = [track for track in profile.tracks if track.name == "MainThread"]
    errors = []
    for track in profile.tracks:
        if track.name.startswith("with_"):
            assert track.spans is not None
            inside = int(track.spans.end_ns.max() - track.spans.start_ns.min())
            around = int(np.diff(outermost(profile, main, track.name)).sum())
            sampled = 0 if track.samples is None else int(track.samples.weight_ns.sum())
            errors.append(((sampled - inside) / period, (sampled - around) / period))
    too_short, too_long = np.array(errors).T
    record_property(
        "lives, farthest", f"{too_short.min():+.2f}, {too_long.max():+.2f} periods of {len(errors)} threads"
    )
    record_property("lives, on average", f"{too_short.mean():+.2f}, {too_long.mean():+.2f} periods")
    assert len(errors) >= 20
    assert too_short.min() > -2
    assert too_long.max() < 2
    assert too_short.mean() > -0.5
    assert too_long.mean() < 0.5


def windows(
    profile: Profile, names: tuple[str, ...], ticks: int
) -> Iterator[dict[str, tuple[float, SampledShare]]]:
    """Yield by scope its exact share of a thread's time and the sampled one, for each so many ticks of each thread."""
    runs = {run.pid: run for run in profile.recording.samplers}
    for pid, tid in dict.fromkeys((track.pid, track.tid) for track in profile.tracks):
        tracks = [track for track in profile.tracks if (track.pid, track.tid) == (pid, tid)]
        spans = {
            name: np.concatenate([outermost(profile, track, name) for track in tracks]) for name in names
        }
        if not any(len(each) for each in spans.values()) or pid not in runs:
            continue
        run = runs[pid]
        samples = of_thread(tracks)
        first = min(int(each[:, 0].min()) for each in spans.values() if len(each))
        last = max(int(each[:, 1].max()) for each in spans.values() if len(each))
        begin = run.started_ns + run.period_ns * (1 + (first - run.started_ns) // run.period_ns)
        length = ticks * run.period_ns
        for start in range(begin, last - length, length):
            part = between(samples, start, start + length, run.period_ns)
            window = replace(profile, tracks=(replace(tracks[0], samples=part, spans=None),))
            seen_at = scope_samples(window)
            nothing = SampledShare(0, 0.0, 0.0, 3 / ticks)
            found = {}
            for name in names:
                open_ns = overlap(spans[name], start, start + length)
                if name in seen_at or open_ns:
                    of_all = seen_at[name].of_all if name in seen_at else nothing
                    found[name] = (open_ns / length, of_all)
            if found:
                yield found


def of_thread(tracks: list[Track]) -> Samples:
    """Return the samples of one thread, its tasks' among them, in chronological order."""
    parts = [track.samples for track in tracks if track.samples is not None]
    columns = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("stack", "at_ns", "weight_ns", "ticks", "cpu_ns", "state")
    ]
    order = np.argsort(columns[1], kind="stable")
    return Samples(*(column[order] for column in columns))


def between(samples: Samples, start: int, end: int, period_ns: int) -> Samples:
    """Return what samples stand for between two times, which begin periods."""
    low = np.maximum(samples.at_ns, start)
    weight = np.minimum(samples.at_ns + samples.weight_ns, end) - low
    ticks = np.round(weight / period_ns).astype(np.int32)
    keep = ticks > 0
    assert samples.cpu_ns is not None
    assert samples.state is not None
    return Samples(
        samples.stack[keep],
        low[keep],
        weight[keep],
        ticks[keep],
        samples.cpu_ns[keep],
        samples.state[keep],
    )


def outermost(profile: Profile, track: Track, name: str) -> np.ndarray:
    """Return (spans, 2) when the outermost scopes of a name begin and end."""
    spans = track.spans
    found = []
    if spans is not None:
        of_stack = {stack: scopes_of(profile, stack) for stack in set(spans.stack.tolist())}
        wanted = [
            path[-1] == name and name not in path[:-1] for path in map(of_stack.get, spans.stack.tolist())
        ]
        keep = np.array(wanted, dtype=np.bool_)
        found = np.stack([spans.start_ns[keep], spans.end_ns[keep]], axis=1)
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def overlap(spans: np.ndarray, start: int, end: int) -> int:
    """Return for how long spans are open between two times."""
    return int(np.maximum(np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], start), 0).sum())


def scopes_of(profile: Profile, stack: int) -> list[str]:
    frames = (profile.frames[i] for i in profile.stacks.path(stack))
    return [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]


@dataclass
class Counted:
    """Samples of the functions that run in one scope only."""

    right: int = 0
    wrong: int = 0
    foreign: int = 0
    strange: dict[str, int] = field(default_factory=dict)
    """Stacks of samples that are wrong or foreign, with how many there are."""

    @property
    def total(self) -> int:
        return self.right + self.wrong

    def __str__(self) -> str:
        share = 100 * self.right / max(self.total, 1)
        return (
            f"{share:.2f} % of {self.total:,} ({self.wrong} elsewhere, "
            f"{self.foreign} of another thread or task)"
        )


def counted(truth: Truth, profile: Profile) -> Counted:
    """Return under which scopes the samples of these functions are."""
    found = Counted()
    verdicts: dict[int, tuple[str, bool] | None] = {}
    for track in profile.tracks:
        if track.samples is None:
            continue
        for stack, ticks in zip(track.samples.stack.tolist(), track.samples.count.tolist(), strict=True):
            if stack not in verdicts:
                verdicts[stack] = verdict(truth, profile, stack)
            judged = verdicts[stack]
            if judged is not None:
                setattr(found, judged[0], getattr(found, judged[0]) + ticks)
                found.foreign += judged[1] * ticks
                if judged[0] == "wrong" or judged[1]:
                    path = " > ".join(
                        f"{{{f.name}}}" if f.kind is FrameKind.SCOPE else f.name
                        for f in (profile.frames[i] for i in profile.stacks.path(stack))
                    )
                    found.strange[path] = found.strange.get(path, 0) + ticks
    return found


def verdict(truth: Truth, profile: Profile, stack: int) -> tuple[str, bool] | None:
    """Return whether a stack is right or wrong, and foreign; None: it has no such function."""
    frames = [profile.frames[i] for i in profile.stacks.path(stack)]
    at = next((i for i in reversed(range(len(frames))) if frames[i].name in truth.where), None)
    if at is None:
        return None
    function = frames[at].name
    wanted = truth.where[function].split("/")
    around = [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]
    foreign = bool(truth.foreign.get(function, set()) & set(around))
    found = around if len(wanted) > 1 else around[-1:]
    return ("right" if found == wanted else "wrong"), foreign
