"""What each worker of a run did when: worked, waited for the interpreter's lock, waited, or was not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    Profile,
    SampleCounts,
    Samples,
    Spans,
    ThreadState,
    Track,
)
from workbench.profile.stacks import Stacks
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.sampled import shares_by_time
from workbench.text import as_amount, as_sampled_share, as_share, printable

Int64 = NDArray[np.int64]

MAX_WORKERS = 64
"""Those with the most work are shown."""
COLUMNS, LEVELS = 300, 12
"""Of a strip: steps in time, and of how much of a step was spent on one thing."""
_NOTHING = "–"
_NAMES = (
    ("working", "working"),
    ("stalled", "stalled: neither running nor asleep"),
    ("lock", "waiting for the interpreter's lock"),
    ("waiting", "waiting"),
)
"""Classes and words of what `Doing` names, in its order."""


class Doing(IntEnum):
    """What a worker does, as far as its samples say; what it does beyond these is not known."""

    WORKING = 0
    STALLED = 1
    """It was neither asleep nor running: it lacked a processor, or looked for a lock again and again. Known where the
    sampler reads the thread's clock."""
    WAITING_FOR_LOCK = 2
    WAITING = 3


_OF_STATE = {
    ThreadState.PYTHON: Doing.WORKING,
    ThreadState.NATIVE: Doing.WORKING,
    ThreadState.SIGNAL_BLOCKED: Doing.WORKING,
    ThreadState.WAITING_FOR_GIL: Doing.WAITING_FOR_LOCK,
    ThreadState.SLEEPING: Doing.WAITING,
}


@dataclass(frozen=True)
class Worker:
    """A thread of a process, with the tasks that ran on it."""

    name: str
    start_ns: int
    """When it was first seen, from the start of the run."""
    end_ns: int
    spent_ns: Sequence[NDArray[np.float64]]
    """(columns,) each: what it spent of a step of time on what `Doing` names, in its order."""
    cpu_ns: int | None
    """What its clock says that it ran; None: nobody read it."""
    samples: SampleCounts | None
    """Its samples by `Doing`, those that stall as working; None: only its scopes are known."""

    @property
    def busy_ns(self) -> float:
        """How long it worked."""
        return float(self.spent_ns[Doing.WORKING].sum()) if self.cpu_ns is None else float(self.cpu_ns)


@dataclass(frozen=True)
class WorkerRow:
    """A row of the page."""

    name: str
    strip: Sequence[tuple[str, str]]
    """Classes and paths, in a box of `COLUMNS` by `LEVELS`."""
    shares: Sequence[str]
    """Of the time that it was seen: what `Doing` names, in its order."""
    starts: str
    """Where it starts late."""


@dataclass(frozen=True)
class Parallelism:
    """The section of a page."""

    sentence: str
    took: str
    """The length of the strips."""
    rows: Sequence[WorkerRow]
    left_out: int
    """Workers that did the least, which are not there."""
    by_scopes: bool
    """Whether some workers have no samples, and count as working while a scope is open."""
    names: tuple[tuple[str, str], ...] = _NAMES
    columns: int = COLUMNS
    levels: int = LEVELS


def parallelism(run: ProfileRun) -> Parallelism | None:
    """Return what the workers of a run did when; None where it had fewer than two."""
    profile = run.together or run.samples or run.scopes
    if profile is None or profile.end_ns <= profile.start_ns:
        return None
    by_time = shares_by_time(run.sampler)
    found = workers(profile, by_time=by_time)
    if len(found) < 2:
        return None
    busiest = sorted(range(len(found)), key=lambda i: -found[i].busy_ns)[:MAX_WORKERS]
    shown = [found[i] for i in sorted(busiest)]
    took = profile.end_ns - profile.start_ns
    return Parallelism(
        sentence=_sentence(profile, found, by_time=by_time),
        took=as_amount(took, "ns"),
        rows=[_row(worker, took) for worker in shown],
        left_out=len(found) - len(shown),
        by_scopes=any(worker.samples is None for worker in shown),
    )


def workers(profile: Profile, *, by_time: bool = False) -> list[Worker]:
    """Return the threads of a profile that have spans or samples, in its order.

    Args:
        profile: Spans and samples, those of waiting threads too.
        by_time: Whether shares of samples are of the time that they stand for, and not of their number.
    """
    threads: dict[tuple[int, int], list[Track]] = {}
    for track in profile.tracks:
        is_known = track.samples is not None and np.any(_doing(profile, track.samples) != ROOT)
        if is_known or (track.spans is not None and len(track.spans)):
            threads.setdefault((track.pid, track.tid), []).append(track)
    several = len({pid for pid, _ in threads}) > 1
    return [_worker(profile, tracks, several=several, by_time=by_time) for tracks in threads.values()]


def _worker(profile: Profile, tracks: Sequence[Track], *, several: bool, by_time: bool) -> Worker:
    name = tracks[0].name or f"thread {tracks[0].tid}"
    sampled = [track for track in tracks if track.samples is not None and len(track.samples)]
    spans = [track.spans for track in tracks if track.spans is not None and len(track.spans)]
    samples = [track.samples for track in sampled if track.samples is not None]
    edges = np.linspace(profile.start_ns, profile.end_ns, COLUMNS + 1)
    clock = _clock(samples, edges)
    if samples:
        ran, lock, waiting = (
            _covered([_intervals(profile, each, doing) for each in samples], edges)
            for doing in (Doing.WORKING, Doing.WAITING_FOR_LOCK, Doing.WAITING)
        )
        working = ran if clock is None else np.minimum(ran, clock)
        spent = [working, ran - working, lock, waiting]
    else:
        spent = [np.zeros(COLUMNS) for _ in Doing]
        spent[Doing.WORKING] = _covered([_own(each) for each in spans], edges)
    seen = [(each.start_ns, each.end_ns) for each in spans]
    seen += [_intervals(profile, each, doing) for each in samples for doing in Doing]
    there = [(start, end) for start, end in seen if len(start)]
    return Worker(
        name=printable(f"{name} · process {tracks[0].pid}" if several else name),
        start_ns=min(int(start.min()) for start, _ in there) - profile.start_ns,
        end_ns=max(int(end.max()) for _, end in there) - profile.start_ns,
        spent_ns=spent,
        cpu_ns=None
        if clock is None
        else sum(int(each.cpu_ns.sum()) for each in samples if each.cpu_ns is not None),
        samples=SampleCounts.of(_by_doing(profile, sampled), by_time=by_time) if sampled else None,
    )


def _clock(samples: Sequence[Samples], edges: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return (columns,) how far the clock of a thread went in each column; None where it was not read."""
    if not samples or any(each.cpu_ns is None for each in samples):
        return None
    at = np.concatenate([each.at_ns for each in samples])
    cpu = np.concatenate([each.cpu_ns for each in samples if each.cpu_ns is not None])
    order = np.argsort(at, kind="stable")
    clock: NDArray[np.float64] = np.interp(edges, at[order].astype(np.float64), np.cumsum(cpu[order]))
    return clock[1:] - clock[:-1]


def _intervals(profile: Profile, samples: Samples, doing: Doing) -> tuple[Int64, Int64]:
    there = _doing(profile, samples) == doing
    return samples.at_ns[there], samples.at_ns[there] + samples.weight_ns[there]


def _doing(profile: Profile, samples: Samples) -> NDArray[np.int64]:
    """Return (samples,) what `Doing` names, or `ROOT` where it is not known."""
    if samples.state is not None:
        of_state = np.full(max(ThreadState) + 1, ROOT, dtype=np.int64)
        for state, doing in _OF_STATE.items():
            of_state[state] = doing
        return of_state[np.minimum(samples.state, max(ThreadState))]
    waits = np.array([frame.kind is FrameKind.IDLE for frame in profile.frames], dtype=np.bool_)
    there = samples.stack != ROOT
    what = np.full(len(samples), ROOT, dtype=np.int64)
    what[there] = np.where(waits[profile.stacks.frame[samples.stack[there]]], Doing.WAITING, Doing.WORKING)
    return what


def _own(spans: Spans) -> tuple[Int64, Int64]:
    own = slice(None) if spans.propagated is None else ~spans.propagated
    return spans.start_ns[own], spans.end_ns[own]


def _covered(parts: Iterable[tuple[Int64, Int64]], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (columns,) how many nanoseconds of each column are in any of the intervals."""
    whole = list(parts)
    if not sum(len(start) for start, _ in whole):
        return np.zeros(len(edges) - 1)
    start, end = (np.concatenate(column) for column in zip(*whole, strict=True))
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    begins = np.append(True, start[1:] > reach[:-1])
    start, end = start[begins], np.append(reach[:-1][begins[1:]], reach[-1])
    moments = np.stack([start, end], axis=1).ravel().astype(np.float64)
    sums = np.cumsum(end - start)
    before = np.stack([np.append(0, sums[:-1]), sums], axis=1).ravel()
    return np.diff(np.interp(edges, moments, before))


def _by_doing(profile: Profile, tracks: Sequence[Track]) -> Profile:
    """Return the samples of tracks, each on a stack that says what its thread did."""
    frames = tuple(Frame(doing.name) for doing in Doing)
    stacks = Stacks(np.full(len(Doing), ROOT, dtype=np.int32), np.arange(len(Doing), dtype=np.int32))
    moved = tuple(
        replace(
            track,
            spans=None,
            samples=replace(track.samples, stack=_doing(profile, track.samples).astype(np.int32)),
        )
        for track in tracks
        if track.samples is not None
    )
    return replace(profile, frames=frames, stacks=stacks, tracks=moved)


def _sentence(profile: Profile, found: Sequence[Worker], *, by_time: bool) -> str:
    busy = sum(worker.busy_ns for worker in found) / (profile.end_ns - profile.start_ns)
    words = f"On average {busy:.2g} of {len(found)} workers work at a time."
    sampled = [track for track in profile.tracks if track.samples is not None and len(track.samples)]
    if not sampled:
        return words
    counts = SampleCounts.of(_by_doing(profile, sampled), by_time=by_time)
    clocks = [worker.cpu_ns for worker in found if worker.samples is not None]
    known = [clock for clock in clocks if clock is not None]
    seen = sum(int(track.samples.weight_ns.sum()) for track in sampled if track.samples is not None)
    shares = _shares(counts, sum(known) / max(seen, 1) if len(known) == len(clocks) else None)
    parts = [
        f"{name.partition(':')[0]} {share}"
        for (_, name), share in zip(_NAMES[1:], shares[1:], strict=True)
        if share != _NOTHING
    ]
    return f"{words} Of their time: {', '.join(parts)}."


def _row(worker: Worker, took: int) -> WorkerRow:
    return WorkerRow(
        name=worker.name,
        strip=list(_strip(worker, took)),
        shares=_shares_of(worker),
        starts=as_amount(worker.start_ns, "ns") if worker.start_ns > took / COLUMNS else _NOTHING,
    )


def _strip(worker: Worker, took: int) -> Iterable[tuple[str, str]]:
    """Yield what is drawn over what: each layer has all that is below it, up to how much of each step that is."""
    left, right = (COLUMNS * at / took for at in (worker.start_ns, worker.end_ns))
    yield "there", f"M{left:.1f} 0H{max(right, left + 0.5):.1f}V{LEVELS}H{left:.1f}z"
    for doing in sorted(Doing, reverse=True):
        height = np.rint(np.sum(worker.spent_ns[: doing + 1], axis=0) * (LEVELS * COLUMNS / took)).astype(
            np.int64
        )
        if worker.spent_ns[doing].any():
            yield _NAMES[doing][0], _area(np.minimum(height, LEVELS))


def _area(height: Int64) -> str:
    ends = np.append(np.flatnonzero(np.diff(height)) + 1, len(height)).tolist()
    steps = "".join(f"V{LEVELS - height[end - 1]}H{end}" for end in ends)
    return f"M0 {LEVELS}{steps}V{LEVELS}z"


def _shares_of(worker: Worker) -> list[str]:
    there = max(worker.end_ns - worker.start_ns, 1)
    if worker.samples is None:
        return [as_share(min(worker.busy_ns / there, 1.0)), _NOTHING, _NOTHING, _NOTHING]
    return _shares(worker.samples, None if worker.cpu_ns is None else worker.cpu_ns / there)


def _shares(samples: SampleCounts, cpu: float | None) -> list[str]:
    """Return what is said of each `Doing`: parts of the samples, and of the clock where it was read."""
    ran, _, lock, waiting = (samples.part(np.array([doing])) for doing in Doing)
    others = [as_sampled_share(lock), as_sampled_share(waiting)]
    if cpu is None:
        return [as_sampled_share(ran), _NOTHING, *others]
    share, low, high = (max(each - cpu, 0.0) for each in (ran.share, ran.low, ran.high))
    return [as_share(cpu), as_sampled_share(replace(ran, share=share, low=low, high=high)), *others]
