"""Figures of what a program allocated, by scope and by line: from the numbers of its scopes, and from snapshots."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile._allocations import BytesPerCall, Leak, LineBytes, ScopeBytes
from workbench.profile._record import Frame, FrameKind, Profile, Spans
from workbench.profile.stacks import ROOT, Int64, outermost
from workbench.scopes.layout import MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK

MIN_CALLS = 16
"""Of which the later half is enough for an interval."""
BLOCKS = 8
"""Of consecutive calls: means are more nearly independent than single calls, as one may free what another keeps."""
T = 2.3646
"""Standard errors within which the mean of so many blocks is with 95 %: Student's t with seven degrees of freedom."""
MAX_LINES = 10


class Held(NamedTuple):
    """What one stack of a snapshot holds."""

    stack: int
    line: Frame
    bytes: int
    blocks: int


class Calls(NamedTuple):
    """Calls of one scope on one track, in columns."""

    start_ns: Int64
    end_ns: Int64
    entry: NDArray[np.float64]
    left: NDArray[np.float64]
    peak: NDArray[np.float64]
    shared: NDArray[np.bool_]
    """Whether another track had a scope open at any time meanwhile."""
    alone: NDArray[np.bool_]
    """Whether none had as the call began and as it ended."""


def held(profile: Profile) -> Iterator[Held]:
    """Return what each stack of a snapshot holds, with the line of the program's own code that made it."""
    places, of_line = profile.lines.places, profile.lines.stacks.frame
    for samples in (track.samples for track in profile.tracks if track.samples is not None):
        lines = samples.line if samples.line is not None else np.full(len(samples), ROOT)
        rows = (samples.stack, lines, samples.weight_ns, samples.count)
        for stack, line, size, blocks in zip(*(column.tolist() for column in rows), strict=True):
            top = profile.frames[int(profile.stacks.frame[stack])]
            yield Held(stack, places[int(of_line[line])] if line != ROOT else top, size, blocks)


def line_bytes(end: Profile | None, peak: Profile | None) -> tuple[LineBytes, ...]:
    """Return all lines that held memory at a snapshot, those with the most bytes at the end first."""
    return _lines(
        [] if end is None else list(held(end)),
        [] if peak is None else list(held(peak)),
    )


def _lines(end: list[Held], peak: list[Held]) -> tuple[LineBytes, ...]:
    sums: dict[Frame, list[int]] = {}
    for at, snapshot in enumerate((end, peak)):
        for each in snapshot:
            row = sums.setdefault(each.line, [0, 0, 0, 0])
            row[2 * at] += each.bytes
            row[2 * at + 1] += each.blocks
    rows = [LineBytes(line.file, line.line, line.name, *row) for line, row in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.end_bytes, -row.peak_bytes, row.file, row.line)))


def scope_bytes(
    recorded: Profile, end: Profile | None, peak: Profile | None, unknown: Collection[Frame] = ()
) -> tuple[ScopeBytes, ...]:
    """Return the figures of each scope that ended in a recording with traced memory, largest peaks first.

    Args:
        recorded: Has the spans.
        end: The last snapshots, with scopes on their stacks.
        peak: The snapshots near the peaks.
        unknown: Frames that stand for scopes that are not known. Where a snapshot has any, or lacks a process, a scope
            of which it has nothing may hold something.
    """
    at_end, at_peak = (_HeldByScope.of(profile, unknown) for profile in (end, peak))
    rows = []
    for name, processes in _calls(recorded).items():
        calls = [call for process in processes.values() for call in process]
        ended, near = at_end.of_scope(name, processes), at_peak.of_scope(name, processes)
        rows.append(
            ScopeBytes(
                name,
                sum(len(call.left) for call in calls),
                int(sum(call.left.sum() for call in calls)),
                sum(int(call.shared.sum()) for call in calls),
                int(max(call.peak.max() for call in calls)),
                None if ended is None else sum(each.bytes for each in ended),
                None if ended is None else sum(each.blocks for each in ended),
                None if near is None else sum(each.bytes for each in near),
                _leak(list(processes.values()), ended),
                _lines(ended or [], [])[:MAX_LINES],
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.peak_bytes))


def traced_peak(recorded: Profile, pid: int) -> int:
    """Return the largest traced memory of a process while any scope was open."""
    found = [0]
    for spans in (track.spans for track in recorded.tracks if track.pid == pid and track.spans is not None):
        if MEMORY_PEAK in spans.work:
            level = spans.work[MEMORY_ENTRY] + spans.work[MEMORY_PEAK]
            found.append(int(np.nan_to_num(level).max(initial=0)))
    return max(found)


@dataclass(frozen=True)
class _HeldByScope:
    """What scopes hold at snapshots; a stack counts once for a scope that is on it twice."""

    found: Mapping[str, list[Held]]
    pids: frozenset[int]
    """Of which there are snapshots."""
    is_sure: bool
    """Whether they have all that a scope holds."""

    @classmethod
    def of(cls, profile: Profile | None, unknown: Collection[Frame]) -> _HeldByScope:
        """Return what the scopes of snapshots hold."""
        if profile is None:
            return cls({}, frozenset(), is_sure=False)
        pids = frozenset(track.pid for track in profile.tracks)
        return cls(_by_scope(profile), pids, is_sure=not any(frame in profile.frames for frame in unknown))

    def of_scope(self, name: str, pids: Iterable[int]) -> list[Held] | None:
        """Return what a scope that ran in some processes holds; None: nobody knows."""
        if name in self.found:
            return self.found[name]
        return [] if self.is_sure and self.pids.issuperset(pids) else None


def _by_scope(profile: Profile) -> Mapping[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    names: dict[int, set[str]] = {}
    for each in held(profile):
        if each.stack not in names:
            frames = [profile.frames[i] for i in profile.stacks.path(each.stack)]
            names[each.stack] = {frame.name for frame in frames if frame.kind is FrameKind.SCOPE}
        for name in names[each.stack]:
            found.setdefault(name, []).append(each)
    return found


def _calls(recorded: Profile) -> dict[str, dict[int, list[Calls]]]:
    """Return the calls of each scope that have numbers, by process, a record for each track."""
    stacks = recorded.stacks
    names = [recorded.frames[frame].name for frame in stacks.frame.tolist()]
    is_first = np.array(outermost(stacks, names), dtype=np.bool_)
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    of_stack = np.array([number[name] for name in names], dtype=np.int64)
    open_scopes = {pid: _open_scopes(recorded, pid) for pid in {track.pid for track in recorded.tracks}}
    found: dict[str, dict[int, list[Calls]]] = {}
    for track in recorded.tracks:
        spans = track.spans
        if spans is None or MEMORY_LEFT not in spans.work:
            continue
        columns = [spans.work[name] for name in (MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK)]
        known = is_first[spans.stack] & np.isfinite(columns[0]) & np.isfinite(columns[1])
        shared, alone = _beside(spans, *open_scopes[track.pid])
        for name, i in number.items():
            rows = known & (of_stack[spans.stack] == i)
            if rows.any():
                entry, left, peak = (column[rows] for column in columns)
                call = Calls(
                    spans.start_ns[rows], spans.end_ns[rows], entry, left, peak, shared[rows], alone[rows]
                )
                found.setdefault(name, {}).setdefault(track.pid, []).append(call)
    return found


def _open_scopes(recorded: Profile, pid: int) -> tuple[Int64, Int64]:
    """Return when tracks of a process came to have a scope open, and when they had none any more, both sorted."""
    starts, ends = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for spans in (track.spans for track in recorded.tracks if track.pid == pid and track.spans is not None):
        here = np.ones(len(spans), dtype=np.bool_) if spans.propagated is None else ~spans.propagated
        start, end = spans.start_ns[here], np.maximum.accumulate(spans.end_ns[here])
        if len(start):
            begins = np.flatnonzero(np.append(True, start[1:] >= end[:-1]))
            starts.append(start[begins])
            ends.append(end[np.append(begins[1:] - 1, len(end) - 1)])
    return np.sort(np.concatenate(starts)), np.sort(np.concatenate(ends))


def _beside(spans: Spans, starts: Int64, ends: Int64) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return (spans,) whether another track had a scope open meanwhile, and whether none had at both ends."""
    start, end = spans.start_ns, spans.end_ns
    begun = np.searchsorted(starts, start, "right"), np.searchsorted(starts, end, "left")
    ended = np.searchsorted(ends, start, "right"), np.searchsorted(ends, end, "left")
    meanwhile = begun[1] - ended[0] > 1
    return meanwhile, (begun[0] - ended[0] <= 1) & (begun[1] - ended[1] <= 1)


def _leak(processes: list[list[Calls]], ended: list[Held] | None) -> Leak | None:
    """Return what the later calls of a scope left behind; None: there are too few.

    Args:
        processes: Its calls in each process, a record for each track.
        ended: What it holds at the last snapshot; None: there is none.
    """
    alone_calls = [sum(int(call.alone.sum()) for call in tracks) for tracks in processes]
    if sum(count - count // 2 for count in alone_calls if count > 1) < MIN_CALLS // 2:
        return None  # many processes of a call or two have no later ones
    left, growth = [np.zeros(0)], [np.zeros(0)]
    calls = 0
    for tracks in processes:
        alone = [(call.end_ns[call.alone], call.entry[call.alone], call.left[call.alone]) for call in tracks]
        end_ns, entry, own = (np.concatenate(column) for column in zip(*alone, strict=True))
        order = np.argsort(end_ns, kind="stable")
        half = max(len(order) // 2, 1)
        calls += len(order)
        left.append(own[order][half:])
        growth.append(np.diff((entry + own)[order])[half - 1 :])
    if calls < MIN_CALLS:
        return None
    changes = np.concatenate(left)
    found = Leak(len(changes), _mean(changes), _mean(np.concatenate(growth)), None)
    if ended is None:
        return found
    size, blocks = sum(each.bytes for each in ended), sum(each.blocks for each in ended)
    is_of_all = size >= found.left.mean * calls / 2
    is_of_each = blocks >= found.calls and size >= found.per_call.mean * found.calls / 2
    return replace(found, stays=is_of_all or is_of_each)


def _mean(values: NDArray[np.float64]) -> BytesPerCall:
    """Return the mean of changes in chronological order, with its interval from the means of blocks of them."""
    means = np.array(
        [block.mean() for block in np.array_split(values, min(BLOCKS, len(values))) if len(block)]
    )
    error = T * float(means.std(ddof=1)) / len(means) ** 0.5 if len(means) > 1 else np.inf
    mean = float(values.mean())
    return BytesPerCall(mean, mean - error, mean + error)
