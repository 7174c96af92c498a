"""The samples of one process, on the tracks of its threads and of their asyncio tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import ProcessLog, SampleSegment
from workbench.eventlog.sample_records import MAX_NS, ThreadSamples, read_thread
from workbench.eventlog.sampled_frames import SampledFrames
from workbench.eventlog.stack_shape import StackShaper
from workbench.eventlog.symbols import Symbols
from workbench.profile import ProfileBuilder, SamplerRun, Samples, ThreadState
from workbench.profile.row_selection import sample_rows, side_by_side
from workbench.profile.stacks import Int32, Int64

DEFAULT_PERIOD_NS = 10_000_000
"""Period if a log does not state it."""
MAX_PERIOD_NS = 10**12
"""Longer periods are damage."""
_RUNS = (ThreadState.PYTHON, ThreadState.NATIVE)


@dataclass(frozen=True)
class SampledThread:
    """A thread without a recorded track, or a second one with the same track."""

    name: str
    tid: int
    """Its native id."""
    track: int
    """The number of the track that it shares with another thread; 0: none."""
    samples: Samples


@dataclass(frozen=True)
class SampledTracks:
    """The samples of one process."""

    of_track: Mapping[int, Samples]
    """By number of a recorded track."""
    others: tuple[SampledThread, ...]
    damaged: int
    last_ns: int
    """Time of the last sample on the profile's clock; 0: none."""


NOTHING = SampledTracks({}, (), 0, 0)


def sampled_tracks(
    builder: ProfileBuilder,
    log: ProcessLog,
    symbols: Symbols,
    path_of: Callable[[int], list[int] | None],
    until_ns: int,
) -> SampledTracks:
    """Return the samples of a process, on the profile's clock.

    A sample covers the periods of its ticks, so a thread's samples are adjacent: a row begins with the period of its
    tick, or earlier if the thread could not take the sample in time.

    Invariant: of each thread the sum of weights is its ticks times the period.

    Args:
        builder: The profile's builder.
        log: The process's log.
        symbols: Names of native functions.
        path_of: See `SampledFrames`.
        until_ns: Later samples, on the profile's clock, are left out.
    """
    parts: dict[int, list[tuple[ThreadSamples, SampleSegment]]] = {}
    for segment in log.samples:
        for number, chunks in segment.threads.items():
            parts.setdefault(number, []).append((read_thread(chunks), segment))
    frames = SampledFrames(builder, log, symbols, path_of)
    threads = {number: _joined(own, frames) for number, own in parts.items()}
    for thread in threads.values():
        # An older thread has used CPU time before sampling began.
        since_start = np.maximum(thread.at_ns[:1] - min(log.sampler[1] if log.sampler else MAX_NS, MAX_NS), 0)
        thread.cpu_ns[:1] = np.minimum(thread.cpu_ns[:1], since_start)
    shaper = frames.shaper()
    threads = {number: replace(thread, state=_states(thread, shaper)) for number, thread in threads.items()}
    period, start = _period(log, list(threads.values()))
    damaged = frames.damaged + sum(found.damaged for own in parts.values() for found, _ in own)
    made = []
    for number, thread in sorted(threads.items()):
        at_ns = thread.at_ns + np.int64(max(-MAX_NS, min(MAX_NS, log.moved_ns)))
        kept = (at_ns >= 0) & (at_ns <= until_ns)
        whole = float(thread.ticks[kept].sum(dtype=np.float64)) * period
        if whole >= MAX_NS:
            damaged += 1  # longer than a program can have run
            continue
        keys = thread.stack[kept].astype(np.int64) * 256 + thread.state[kept]
        distinct, of_key = np.unique(keys, return_inverse=True)
        stack = np.array([shaper.stack(key >> 8, key & 255) for key in distinct.tolist()], dtype=np.int32)
        offset = start + log.moved_ns
        ticks, cpu_ns = _ran_until_seen(thread, kept, (at_ns[kept] - offset) // period, period)
        weight = ticks * period
        samples = Samples(
            stack[of_key] if len(distinct) else stack,
            side_by_side(at_ns[kept] - (at_ns[kept] - offset) % period, weight),
            weight,
            ticks.astype(np.int32),
            cpu_ns,
            thread.state[kept],
            thread.line[kept],
        )
        if len(samples):
            made.append((_thread(number, parts[number]), samples, thread.track[kept]))
    last = max((int((samples.at_ns + samples.weight_ns).max()) for _, samples, _ in made), default=0)
    of_track, others = _on_tracks(log, made)
    return SampledTracks(of_track, tuple(others), damaged, last)


def sampler_run(log: ProcessLog) -> SamplerRun | None:
    """Return the counts that a process's sampler states, with times on the profile's clock."""
    if log.sampler is None:
        return None
    moved = log.moved_ns
    period, start, last, ticks, samples, unknown, cut, signals, interrupted, *rest = log.sampler
    handler_ns, helper_ns, incomplete, no_room, signal, native, end = rest
    counts = (ticks, samples, unknown, cut, signals, interrupted, handler_ns, helper_ns, incomplete, no_room)
    times = (period, start + moved, last + moved)
    return SamplerRun(log.pid, *times, *counts, signal, bool(native), end + moved if end else 0)


@dataclass(frozen=True)
class _ThreadColumns:
    """A thread's samples over all segments, in the order in which they were taken."""

    stack: Int64
    at_ns: Int64
    ticks: Int64
    cpu_ns: Int64
    state: NDArray[np.uint8]
    track: Int64
    line: Int32


def _joined(parts: list[tuple[ThreadSamples, SampleSegment]], frames: SampledFrames) -> _ThreadColumns:
    tops = [frames.add(found, segment) for found, segment in parts]
    found = [each for each, _ in parts]
    return _ThreadColumns(
        np.concatenate([stack for stack, _ in tops]),
        np.concatenate([each.at_ns for each in found]),
        np.concatenate([each.ticks for each in found]),
        np.concatenate([each.cpu_ns for each in found]),
        np.concatenate([each.state for each in found]),
        np.concatenate([each.track for each in found]),
        np.concatenate([line for _, line in tops]),
    )


def _states(thread: _ThreadColumns, shaper: StackShaper) -> NDArray[np.uint8]:
    """Return (samples,) what the thread did, as its stacks say, too."""
    distinct, of_key = np.unique(thread.stack.astype(np.int64) * 256 + thread.state, return_inverse=True)
    found = [shaper.state(key >> 8, key & 255) for key in distinct.tolist()]
    return np.array(found, dtype=np.uint8)[of_key] if found else thread.state


def _period(log: ProcessLog, threads: list[_ThreadColumns]) -> tuple[int, int]:
    """Return the sampler's period and the start of its first one, on the process's clock."""
    if log.sampler is not None and 0 < log.sampler[0] <= MAX_PERIOD_NS:
        return log.sampler[0], log.sampler[1] if log.sampler[1] < MAX_NS else 0
    steps = [np.diff(thread.at_ns)[thread.ticks[:-1] == 1] for thread in threads if len(thread.at_ns)]
    step = float(np.median(np.concatenate(steps))) if sum(map(len, steps)) else 0.0
    return int(step) if 0 < step <= MAX_PERIOD_NS else DEFAULT_PERIOD_NS, 0


def _ran_until_seen(
    thread: _ThreadColumns, kept: NDArray[np.bool_], at: Int64, period: int
) -> tuple[Int64, Int64]:
    """Return ticks and CPU time of the kept samples, which were taken in the periods `at`.

    If a thread ran at one sample and sleeps at the next, some periods later, its CPU time says how many of them
    it ran. They are moved to the sample before.
    """
    ticks, cpu_ns, state = thread.ticks[kept].copy(), thread.cpu_ns[kept].copy(), thread.state[kept]
    late = np.minimum(np.diff(at) - 1, ticks[1:] - 1)
    fell_asleep = (state[1:] == ThreadState.SLEEPING) & np.isin(state[:-1], _RUNS)
    moved = np.where(fell_asleep, np.maximum(np.minimum(late, cpu_ns[1:] // period), 0), 0)
    ticks[:-1] += moved
    ticks[1:] -= moved
    cpu_ns[:-1] += moved * period
    cpu_ns[1:] -= moved * period
    return ticks, cpu_ns


def _thread(number: int, parts: list[tuple[ThreadSamples, SampleSegment]]) -> tuple[int, str]:
    """Return a thread's native id and its name."""
    tid = next((found.tid for found, _ in parts if found.tid), 0)
    name = next((found.name for found, _ in reversed(parts) if found.name), "")
    return tid, name or f"Thread {tid or number}"


def _on_tracks(
    log: ProcessLog, made: list[tuple[tuple[int, str], Samples, Int64]]
) -> tuple[dict[int, Samples], list[SampledThread]]:
    """Return samples by recorded track, and those of threads without one."""
    of_track: dict[int, Samples] = {}
    others: list[SampledThread] = []
    named = {int(track) for _, _, tracks in made for track in np.unique(tracks)}
    of_tid: dict[object, list[int]] = {}  # the first one last
    for number, facts in reversed(log.tracks.items()):
        if isinstance(facts.get("native_id"), int) and not _is_task(facts):
            of_tid.setdefault(facts["native_id"], []).append(number)
    for (tid, name), samples, tracks in made:
        own = [
            int(track) for track in np.unique(tracks) if track and not _is_task(log.tracks.get(int(track)))
        ]
        if not own:
            # A track that another thread's samples name is not this one's: native ids are reused.
            same = of_tid.get(tid, []) if tid else []
            while same and (same[-1] in named or same[-1] in of_track):
                same.pop()
            own = same[-1:]
        of_thread = own[0] if own else 0
        of_sample = np.where(tracks == 0, of_thread, tracks)
        for track in np.unique(of_sample).tolist():
            here = sample_rows(samples, of_sample == track)
            if track and track not in of_track:
                of_track[track] = here
            else:
                is_main = tid == log.pid and not track
                others.append(SampledThread("MainThread" if is_main else name, tid, track, here))
    return of_track, others


def _is_task(facts: Mapping[str, Any] | None) -> bool:
    return facts is not None and facts.get("task") is not None
