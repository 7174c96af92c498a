"""Placing the samples of one thread: each under the innermost scope that was open on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.capture.placement.clock import Clock
from workbench.capture.placement.places import Anchor, Places
from workbench.capture.placement.stacks import place_scopes, with_scopes
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
        *,
        has_tasks: bool,
    ) -> Samples:
        """Return the samples of one thread, by its own clock, on the recording's and under its scopes.

        Args:
            looks: One for each time that the sampler looked, on the sampler's clock.
            timeline: Which scopes were open on the thread, those of tasks left out.
            clock: How its times stand on the recording's.
            held_up_ns: (looks,) how much later than usual each may have been stamped.
            has_tasks: Whether asyncio tasks ran on it: what lines show may be theirs.
        """
        at = clock.at(looks.at_ns)
        low = timeline.at(at - clock.late_ns - held_up_ns)
        high = timeline.at(at + clock.early_ns)
        changed, timed = changes(timeline.state), changes(timeline.timed)
        is_certain, is_timed = changed[low] == changed[high], timed[low] == timed[high]
        stack = np.empty(len(looks), dtype=np.int32)
        context = _Context(timeline, looks, at, clock)
        rows = zip(
            looks.stack.tolist(),
            low.tolist(),
            high.tolist(),
            is_certain.tolist(),
            is_timed.tolist(),
            strict=True,
        )
        for i, (seen, first, last, certain, timed_alike) in enumerate(rows):
            anchors = self._anchors[seen]
            state: State | None = timeline.states[timeline.state[last]]
            if certain:
                self._check(anchors, state or (), has_tasks)
            else:
                state = self._decide(anchors, timeline, first, last, alike=timed_alike)
            stack[i] = self._stack(seen, anchors, state, context, i)
        return Samples(stack, at, looks.weight_ns)

    def _check(self, anchors: tuple[Anchor, ...], state: State, has_tasks: bool) -> None:
        """Compare what lines show with what time says, where both know and nothing may be suspended."""
        if has_tasks or any(anchor.suspends for anchor in anchors):
            return
        exact = [each.name for each in state if not each.by_time]
        if any(place.suspends for name in exact for place in self._places.of_name.get(name, ())):
            return
        if exact or anchors:
            self.tally.checked += 1
            self.tally.agreed += exact == [anchor.name for anchor in anchors]

    def _decide(
        self, anchors: tuple[Anchor, ...], timeline: Timeline, first: int, last: int, *, alike: bool
    ) -> State | None:
        """Return the state of a sample between changes: one that lines agree with; None where that leaves a choice."""
        if last - first > MOST_STATES:
            return timeline.states[timeline.state[last]] if alike else None
        shown = [anchor.name for anchor in anchors if not anchor.suspends]
        states = {int(each): None for each in timeline.state[first : last + 1]}
        fitting = [
            state
            for state in (timeline.states[i] for i in states)
            if [each.name for each in state if not each.by_time] == shown
        ]
        if fitting and len({tuple(each.name for each in state if each.by_time) for state in fitting}) == 1:
            return fitting[-1]
        return timeline.states[timeline.state[last]] if alike else None

    def _stack(
        self, seen: int, anchors: tuple[Anchor, ...], state: State | None, context: _Context, i: int
    ) -> int:
        tally = self.tally
        tally.samples += 1
        shared = (
            ()
            if state is None
            else tuple(context.shared(i, each, self) if each.by_time else 0 for each in state)
        )
        key = (seen, state, shared)
        found = self._placed.get(key)
        if found is None:
            frames = self.frames(seen)
            if state is None:
                placed = [(anchor.position, anchor.name) for anchor in anchors]
            else:
                placed = place_scopes(frames, anchors, state, self._places, shared)
            merged = with_scopes(frames, placed, unknown=state is None)
            found = self._placed[key] = self._builder.stack_of(merged), len(placed)
        if state is None:
            tally.unplaced += 1
        elif found[1]:
            tally.placed += 1
        else:
            tally.unguarded += 1
        return found[0]

    def frames(self, stack: int) -> list[Frame]:
        """Return the frames of a sampled stack, root first, with their lines."""
        frames = self._frames.get(stack)
        if frames is None:
            frames = [self._sampled.frames[i] for i in self._sampled.stacks.path(stack)]
            self._frames[stack] = frames
        return frames


class _Context:
    """A thread's samples before each, to find out which frames are around a scope that no line shows."""

    def __init__(self, timeline: Timeline, looks: Samples, at: NDArray[np.int64], clock: Clock) -> None:
        self._timeline = timeline
        self._looks = looks
        self._at = at
        self._clock = clock
        self._opened: dict[int, NDArray[np.int64]] = {}

    def shared(self, i: int, scope: Open, placer: Placer) -> int:
        """Return how many frames of a sample have been there since before a scope was opened."""
        opened = self._opened.get(scope.stack)
        if opened is None:
            has = np.array([any(o.stack == scope.stack for o in state) for state in self._timeline.states])
            inside = has[self._timeline.state]
            opened = self._timeline.edges[np.flatnonzero(inside & ~np.concatenate([[False], inside[:-1]]))]
            self._opened[scope.stack] = opened
        place = int(np.searchsorted(opened, self._at[i], side="right")) - 1
        if place < 0:
            return 0
        before = int(np.searchsorted(self._at, opened[place] - self._clock.late_ns)) - 1
        if before < 0:
            return 0
        now, then = placer.frames(int(self._looks.stack[i])), placer.frames(int(self._looks.stack[before]))
        count = 0
        for one, other in zip(now, then, strict=False):
            if (one.name, one.file) != (other.name, other.file):
                break
            count += 1
        return count
