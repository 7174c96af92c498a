"""Placing the samples of one thread: each under the innermost scope that was open on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.clock import Clock
from workbench.capture.placement.places import Anchor, Places
from workbench.capture.placement.stacks import place_scopes, with_scopes
from workbench.capture.placement.tasks import TaskScopes
from workbench.capture.placement.timeline import Open, State, Timeline, changes
from workbench.profile import Frame, Profile, ProfileBuilder, Samples

MOST_STATES = 64
"""Intervals within the clock's error among which lines may decide."""


@dataclass
class Tally:
    """What came of the samples of a run."""

    samples: int = 0
    """Moments at which a thread was seen; one stack that stays is seen as often as there were gaps in its time."""
    placed: int = 0
    """Under a scope."""
    unguarded: int = 0
    """Under none, because none was open."""
    unplaced: int = 0
    """Within the clock's error of a change that only time can tell."""
    checked: int = 0
    """Placed by lines and, independently, by time."""
    agreed: int = 0


class Placer:
    """Places samples into one profile; what is alike is done once."""

    def __init__(
        self, builder: ProfileBuilder, sampled: Profile, anchors: list[tuple[Anchor, ...]], places: Places
    ) -> None:
        self._builder = builder
        self._sampled = sampled
        self._anchors = anchors
        self._places = places
        self._frames: dict[int, list[Frame]] = {}
        self._placed: dict[tuple[object, ...], tuple[int, int]] = {}
        self.tally = Tally()

    def place(
        self,
        looks: Samples,
        timeline: Timeline,
        clock: Clock,
        held_up_ns: NDArray[np.int64],
        tasks: TaskScopes | None,
        opened: frozenset[str],
    ) -> Samples:
        """Return the samples of one thread, by its own clock, on the recording's and under its scopes.

        Args:
            looks: One for each time that the sampler looked, on the sampler's clock.
            timeline: Which scopes were open on the thread, those of tasks left out.
            clock: How its times stand on the recording's.
            held_up_ns: (looks,) how much later than usual each may have been stamped.
            tasks: What asyncio tasks on it had open; None: there were none. What lines show may be theirs.
            opened: Names of all scopes that the thread ever opened: a child that was forked inside a scope has the
                lines of its parent's on its stack.
        """
        at = clock.at(looks.at_ns)
        earliest, latest = at - clock.late_ns - held_up_ns, at + clock.early_ns
        low, high = timeline.at(earliest), timeline.at(latest)
        hidden = tasks.any_open(earliest, latest) if tasks else np.zeros(len(at), dtype=np.bool_)
        changed, timed = changes(timeline.state), changes(timeline.timed)
        is_certain, is_timed = changed[low] == changed[high], timed[low] == timed[high]
        context = _Context(timeline, looks, at, clock)
        own: dict[int, tuple[Anchor, ...]] = {}
        # Where as many scopes had been opened, each was last opened at the same time.
        begun = np.searchsorted(np.sort(timeline.begun_ns), at, side="right")
        runs = _runs(looks.stack, low, high, hidden, begun)
        count = np.diff(runs, append=len(at))
        columns = (looks.stack, low, high, is_certain, is_timed, hidden)
        rows = zip(runs.tolist(), count.tolist(), *(each[runs].tolist() for each in columns), strict=True)
        stack: list[int] = []
        for i, times, seen, first, last, certain, timed_alike, task in rows:
            anchors = own.get(seen)
            if anchors is None:
                anchors = own[seen] = tuple(a for a in self._anchors[seen] if a.name in opened)
            state: State | None = timeline.states[timeline.state[last]]
            if not certain:
                state = self._decide(anchors, timeline, first, last, alike=timed_alike)
            elif tasks is None:
                self._check(anchors, state or (), times)
            is_known = state is not None
            if state is None:
                state = _common(timeline, first, last)
            if task and tasks is not None and tasks.may_be_on(self.frames(seen)):
                is_known = False
            shared = tuple(context.shared(i, each, self) if each.by_time else 0 for each in state)
            stack.append(self._stack(seen, anchors, state, shared, times, is_known=is_known))
        return Samples(np.repeat(np.array(stack, dtype=np.int32), count), at, looks.weight_ns)

    def _check(self, anchors: tuple[Anchor, ...], state: State, times: int) -> None:
        """Compare what lines show with what time says, where both know, of so many looks that are alike."""
        by_time = self._places.told(each for each in state if not each.by_time)
        by_line = self._places.told(anchors)
        if by_time or by_line:
            self.tally.checked += times
            self.tally.agreed += times if by_time == by_line else 0

    def _decide(
        self, anchors: tuple[Anchor, ...], timeline: Timeline, first: int, last: int, *, alike: bool
    ) -> State | None:
        """Return the state of a sample between changes: one that lines agree with; None where that leaves a choice."""
        if last - first > MOST_STATES:
            return timeline.states[timeline.state[last]] if alike else None
        shown = self._places.told(anchors)
        states = {int(each): None for each in timeline.state[first : last + 1]}
        fitting = [
            state
            for state in (timeline.states[i] for i in states)
            if self._places.told(each for each in state if not each.by_time) == shown
        ]
        if fitting and len({tuple(each.name for each in state if each.by_time) for state in fitting}) == 1:
            return fitting[-1]
        return timeline.states[timeline.state[last]] if alike else None

    def _stack(
        self,
        seen: int,
        anchors: tuple[Anchor, ...],
        state: State,
        shared: tuple[int, ...],
        times: int,
        *,
        is_known: bool,
    ) -> int:
        """Return the stack, in the profile that is made, of so many looks that are alike; count them."""
        tally = self.tally
        tally.samples += times
        key = (seen, anchors, state, shared, is_known)
        found = self._placed.get(key)
        if found is None:
            frames = self.frames(seen)
            placed = place_scopes(frames, anchors, state, self._places, shared)
            merged = with_scopes(frames, placed, unknown=not is_known)
            found = self._placed[key] = self._builder.stack_of(merged), len(placed)
        if not is_known:
            tally.unplaced += times
        elif found[1]:
            tally.placed += times
        else:
            tally.unguarded += times
        return found[0]

    def frames(self, stack: int) -> list[Frame]:
        """Return the frames of a sampled stack, root first, with their lines."""
        frames = self._frames.get(stack)
        if frames is None:
            frames = [self._sampled.frames[i] for i in self._sampled.stacks.path(stack)]
            self._frames[stack] = frames
        return frames


def _runs(*columns: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return where each run begins of rows that are alike in all columns."""
    begins = np.ones(len(columns[0]), dtype=np.bool_)
    begins[1:] = np.logical_or.reduce([each[1:] != each[:-1] for each in columns])
    return np.flatnonzero(begins)


def _common(timeline: Timeline, first: int, last: int) -> State:
    """Return the scopes that were open in all of some intervals, outermost first; none, where these are many."""
    if last - first > MOST_STATES:
        return ()
    states = [timeline.states[i] for i in np.unique(timeline.state[first : last + 1])]
    same = (each for each, *others in zip(*states, strict=False) if all(each == other for other in others))
    return tuple(same)


class _Context:
    """A thread's samples before each, to find out which frames are around a scope that no line shows."""

    def __init__(self, timeline: Timeline, looks: Samples, at: NDArray[np.int64], clock: Clock) -> None:
        self._timeline = timeline
        self._looks = looks
        self._at = at
        self._clock = clock

    def shared(self, i: int, scope: Open, placer: Placer) -> int:
        """Return how many frames of a sample have been there since before a scope was opened."""
        opened = self._timeline.begun(scope.stack, int(self._at[i]))
        if opened is None:
            return 0
        before = int(np.searchsorted(self._at, opened - self._clock.late_ns)) - 1
        if before < 0:
            return 0
        now, then = placer.frames(int(self._looks.stack[i])), placer.frames(int(self._looks.stack[before]))
        count = 0
        for one, other in zip(now, then, strict=False):
            if (one.name, one.file) != (other.name, other.file):
                break
            count += 1
        return count
