"""The changes that guards and sampler both saw, found, and each process's clock from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.clock import FEW, Agreement, Clock, from_pulses, measured
from workbench.capture.placement.looks import SURE_GAPS, all_stamps, held_up
from workbench.capture.placement.places import Anchor, Named, Places
from workbench.capture.placement.threads import match
from workbench.capture.placement.timeline import Timeline, Timelines, opened_on
from workbench.profile import ROOT, Profile
from workbench.scopes import _pulses

LONG = 2.5
"""Sampling gaps that a scope must last for its begin to be a change that every sampler sees."""
BACK_NS = 100_000_000
MOST_OFF = 2000
"""Samples at which is looked to see how far off they are."""


def tie_clocks(
    sampled: Profile, recording: Profile | None, pulses: Sequence[int], gap_ns: int
) -> dict[int, Clock]:
    """Return the clock of each sampled process.

    All processes share the sampler's clock, but stamps of one come later in a round than those of another. So a
    process is tied by its own samples where it has enough of them, else by those of all.

    Args:
        sampled: What the sampler saw, with lines, on its own clock.
        recording: What the guards recorded; None: there are pulses alone.
        pulses: When each pulse of the bootstrap began, on the recording's clock.
        gap_ns: The sampling gap.
    """
    common = from_pulses(pulses, _seen_pulses(sampled), gap_ns)
    pids = {track.pid for track in sampled.tracks}
    if recording is None or not common.is_known:
        return dict.fromkeys(pids, common)
    seen = _shown(sampled, recording, gap_ns)
    everything = [each for of_pid in seen.values() for each in of_pid]
    common = _tied(everything, common)
    return {pid: _tied(seen.get(pid, []), common) for pid in pids}


def _tied(threads: Sequence[Shown], clock: Clock) -> Clock:
    """Return a clock that was tied by the samples of some threads; the clock itself, where they are too few."""
    if sum(len(thread.change) for thread in threads) < FEW:
        return clock
    # Where a stack stayed long, that it was still there tells as much as that it came.
    stayed = [np.flatnonzero(thread.stayed_ns) for thread in threads]
    number = [
        np.concatenate([np.arange(len(thread.stamp_ns)), own])
        for thread, own in zip(threads, stayed, strict=True)
    ]
    owner = np.repeat(np.arange(len(threads)), [len(each) for each in number])
    stamps = np.concatenate(
        [
            np.concatenate([thread.stamp_ns, thread.stamp_ns[own] + thread.stayed_ns[own]])
            for thread, own in zip(threads, stayed, strict=True)
        ]
    )
    order = np.argsort(stamps, kind="stable")
    owner, path = (
        owner[order],
        np.concatenate([thread.path[own] for thread, own in zip(threads, number, strict=True)])[order],
    )

    edges = Edges.of(threads)

    def agrees(rows: NDArray[np.int64], at_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = edges.path_at(owner[rows], at_ns) == path[rows]
        return found

    tied = Agreement(stamps[order], agrees).tied(clock)
    if tied.early_ns > max(2 * clock.early_ns, clock.gap_ns // 2):
        return clock  # so much of it agrees at any offset that it says less than what is known
    late = np.concatenate([thread.changes_late(tied) for thread in threads])
    past, future = (np.concatenate(each) for each in zip(*(t.off(tied) for t in threads), strict=True))
    # Changes come as often as samples that show them; the others say nothing.
    dated = len(edges.path) - len(threads)
    seen_gap_ns = sum(int(np.ptp(thread.stamp_ns)) for thread in threads) // len(stamps)
    return measured(tied, late, past, future, max(seen_gap_ns, clock.gap_ns) / dated)


def _seen_pulses(sampled: Profile) -> dict[int, int]:
    """Return by the number of each pulse the stamp of the first sample that shows it."""
    of_stack: dict[int, int] = {}
    for stack, (parent, index) in enumerate(
        zip(sampled.stacks.parent.tolist(), sampled.stacks.frame.tolist(), strict=True)
    ):
        frame = sampled.frames[index]
        if parent in of_stack:
            of_stack[stack] = of_stack[parent]
        elif frame.file == _pulses.FILE and frame.name.startswith("pulse_"):
            of_stack[stack] = int(frame.name.removeprefix("pulse_"))
    seen: dict[int, int] = {}
    for track in sampled.tracks:
        if track.samples is not None:
            for stack, at in zip(track.samples.stack.tolist(), track.samples.at_ns.tolist(), strict=True):
                if stack in of_stack:
                    seen.setdefault(of_stack[stack], at)
    return seen


def _shown(sampled: Profile, recording: Profile, gap_ns: int) -> dict[int, list[Shown]]:
    """Return by process its threads, those without asyncio tasks that ever had a scope open.

    Samples that the sampler stamped late because it was held up are left out.
    """
    places = Places.of(recording)
    paths = Paths(places.anchors(sampled), places)
    timelines = Timelines(recording, places)
    stamps = all_stamps(sampled)
    found: dict[int, list[Shown]] = {}
    for thread in match(sampled, recording):
        samples = thread.sampled.samples
        if not thread.own or thread.tasks or samples is None:
            continue
        there = np.flatnonzero((samples.stack != ROOT) & (held_up(samples.at_ns, gap_ns, stamps) == 0))
        own = [recording.tracks[i] for i in thread.own]
        timeline = timelines.of(own)
        path = paths.of_states(timeline)[timeline.state]
        edge = np.concatenate([[0], np.flatnonzero(path[1:] != path[:-1]) + 1])
        shown = Shown(
            samples.at_ns[there],
            np.maximum(samples.weight_ns[there] - SURE_GAPS * gap_ns, 0),
            paths.of_stacks(samples.stack[there], opened_on(recording, own)),
            timeline.edges[edge],
            path[edge],
        )
        if len(there) and len(edge) > 1:
            found.setdefault(thread.sampled.pid, []).append(shown)
    return found


@dataclass(frozen=True)
class Shown:
    """A thread's samples with what their lines show, and when what lines can show changed."""

    stamp_ns: NDArray[np.int64]
    """(samples,) when each change of the stack was stamped"""
    stayed_ns: NDArray[np.int64]
    """(samples,) for how long it surely stayed"""
    path: NDArray[np.int64]
    """(samples,) a number for the scopes that lines show"""
    edge_ns: NDArray[np.int64]
    """(edges,) on the recording's clock"""
    true_path: NDArray[np.int64]
    """(edges,) what lines show from each edge on"""

    @property
    def change(self) -> NDArray[np.int64]:
        """The samples that show something else than the one before them."""
        return np.flatnonzero(self.path[1:] != self.path[:-1]) + 1

    def changes_late(self, clock: Clock) -> NDArray[np.int64]:
        """Return how late dated changes are seen that no sampler misses, in ns."""
        lasts = np.diff(self.edge_ns[1:], append=self.edge_ns[-1])
        long = np.flatnonzero(lasts >= LONG * clock.gap_ns) + 1
        change = self.change
        at = clock.at(self.stamp_ns[change])
        late: list[int] = []
        for i in long.tolist():
            true, wanted = int(self.edge_ns[i]), int(self.true_path[i])
            until = true + int(lasts[i - 1])
            k = int(np.searchsorted(at, true - clock.early_ns))
            while k < len(at) and at[k] < until:
                if self.path[change[k]] == wanted:
                    late.append(int(at[k]) - true)
                    break
                k += 1
        return np.array(late, dtype=np.int64)

    def off(self, clock: Clock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return by how much at least samples are stamped late, and early, that show what was open at another time.

        Those that show what was open at no time near it are left out.
        """
        at = clock.at(self.stamp_ns)
        edge = np.searchsorted(self.edge_ns, at, side="right") - 1
        rows = np.flatnonzero(self.true_path[edge] != self.path)
        each = -(-len(rows) // MOST_OFF)  # so many are like the one that is looked at
        rows = rows[:: max(each, 1)]
        back, ahead = self._nearest(edge[rows], self.path[rows], at[rows])
        nearest = np.minimum(back, ahead)
        near, is_late = nearest < BACK_NS, back <= ahead
        return np.repeat(nearest[near & is_late], each), np.repeat(nearest[near & ~is_late], each)

    def _nearest(
        self, edge: NDArray[np.int64], wanted: NDArray[np.int64], at_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how long before some times, and how long behind them, lines would show what is wanted.

        Where that is long, it is `BACK_NS`. `edge` has the last edge up to each time, where lines show something else.
        """
        size = len(self.edge_ns)
        known = np.sort(self.true_path * size + np.arange(size))  # the edges of each path in time order
        behind = np.searchsorted(known, wanted * size + edge)
        before, after = known[behind - 1], known[np.minimum(behind, size - 1)]
        has_before, has_after = (behind > 0) & (before // size == wanted), after // size == wanted
        has_after &= behind < size
        back, ahead = (np.full(len(at_ns), BACK_NS) for _ in range(2))
        left = self.edge_ns[before[has_before] % size + 1]  # one before the last edge has a next one
        back[has_before] = np.minimum(at_ns[has_before] - left, BACK_NS)
        ahead[has_after] = np.minimum(self.edge_ns[after[has_after] % size] - at_ns[has_after], BACK_NS)
        return back, ahead


@dataclass(frozen=True)
class Edges:
    """The edges of many threads, so that times of all threads are found at once."""

    times: NDArray[np.int64]
    """(times,) at which any thread has an edge, in order, each once"""
    key: NDArray[np.int64]
    """(edges,) in order: the thread's number times the number of times, and the place of the edge among these"""
    path: NDArray[np.int64]
    """(edges,) what lines show from each on"""

    @classmethod
    def of(cls, threads: Sequence[Shown]) -> Edges:
        """Return the edges of some threads, which are known by their places in this order."""
        times, place = np.unique(np.concatenate([each.edge_ns for each in threads]), return_inverse=True)
        thread = np.repeat(np.arange(len(threads)), [len(each.edge_ns) for each in threads])
        path = np.concatenate([each.true_path for each in threads])
        return cls(times, thread * len(times) + place.reshape(-1), path)

    def path_at(self, thread: NDArray[np.int64], at_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what the lines of some threads show, each at a time of its own."""
        place = np.searchsorted(self.times, at_ns, side="right") - 1
        return self.path[np.searchsorted(self.key, thread * len(self.times) + place, side="right") - 1]


class Paths:
    """Numbers for the sequences of scopes that lines show, without what may be suspended."""

    def __init__(self, anchors: Sequence[tuple[Anchor, ...]], places: Places) -> None:
        self._places = places
        self._anchors = anchors
        self._number: dict[tuple[str, ...], int] = {}

    def of_stacks(self, stacks: NDArray[np.int32], opened: frozenset[str]) -> NDArray[np.int64]:
        """Return (stacks,) the number of what the lines of each show, of the scopes that its thread ever opened."""
        distinct, place = np.unique(stacks, return_inverse=True)
        shown = ([a for a in self._anchors[each] if a.name in opened] for each in distinct.tolist())
        return np.array([self._of(each) for each in shown], dtype=np.int64)[place]

    def of_states(self, timeline: Timeline) -> NDArray[np.int64]:
        """Return (states,) the number of what lines would show in each."""
        shown = ([each for each in state if not each.by_time] for state in timeline.states)
        return np.array([self._of(each) for each in shown], dtype=np.int64)

    def _of(self, scopes: Iterable[Named]) -> int:
        return self._number.setdefault(self._places.told(scopes), len(self._number))
