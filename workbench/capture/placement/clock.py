"""How a sampler's clock stands on the recording's, and how well that is known.

A sampler such as py-spy looks at random times and stamps a stack after it was seen, by a clock that knows no epoch.
What both saw ties them: the offset is the one at which most samples show what the recording says was open, and the
first of those that are as good, as later samples would show scopes that had not begun. What is left of its error is
read off the samples that show then what had been open before, or what was open only after.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

UNKNOWN_NS = 1 << 60
SAME_NS = 100_000
"""Error of a sampler that reads the recording's own clock."""
LEAST_NS = 300_000
"""Error that a clock has at least that was tied by samples: they are too few to tell less."""
FEW = 20
"""Samples or changes from which on a percentile says something."""
STATED, USUAL = 0.98, 0.9
"""Shares of the changes, or samples, that are no later than what is stated, and than what samples are placed by."""
MOST_USED = 20_000
RANGE_NS = 50_000_000
FINE_NS = 50_000
DRIFT_PARTS, DRIFT_SECONDS = 6, 20.0


@dataclass(frozen=True)
class Clock:
    """How the times of one process's samples stand on the recording's clock.

    A sample that is stamped t was taken between `at(t) - late_ns` and `at(t) + early_ns`, as nine of ten are or more.
    """

    offset_ns: int
    late_ns: int
    early_ns: int
    gap_ns: int
    """Between two samples, on average."""
    changes: int = 0
    """How many dated changes of the stack it rests on."""
    change_ns: int = 0
    """By how much the first sample behind a change may come after it, the wait for that sample included."""
    drift: float = 0.0
    """Nanoseconds that the sampler's clock loses in each."""
    origin_ns: int = 0
    """The stamp from which drift counts."""

    @classmethod
    def same(cls, gap_ns: int, late_ns: int = SAME_NS) -> Clock:
        """Return the clock of a sampler that reads the recording's own."""
        return cls(0, late_ns, late_ns, gap_ns, change_ns=late_ns + gap_ns)

    @classmethod
    def unknown(cls, gap_ns: int) -> Clock:
        """Return the clock of a process of which nothing is known: only lines can place its samples."""
        return cls(0, UNKNOWN_NS, UNKNOWN_NS, gap_ns, change_ns=UNKNOWN_NS)

    @property
    def is_known(self) -> bool:
        """Whether times of samples mean anything."""
        return self.late_ns < UNKNOWN_NS

    @property
    def error_ns(self) -> int:
        """By how much the time of a sample may be wrong."""
        return max(self.late_ns, self.early_ns)

    def stamp(self, at_ns: int) -> int:
        """Return the stamp of a time on the recording's clock."""
        return self.origin_ns + round((at_ns - self.offset_ns - self.origin_ns) / (1.0 + self.drift))

    def at(self, stamp_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return stamps on the recording's clock."""
        moved = stamp_ns + np.int64(self.offset_ns)
        if self.drift:
            moved = moved + np.rint((stamp_ns - self.origin_ns) * self.drift).astype(np.int64)
        return moved


def from_pulses(reached_ns: Sequence[int], seen_ns: Mapping[int, int], gap_ns: int) -> Clock:
    """Return the clock by pulses alone: no stamp is earlier than it says, and most are later.

    Args:
        reached_ns: When each pulse began, on the recording's clock.
        seen_ns: By the number of a pulse, the stamp of the first sample that shows it.
        gap_ns: The sampling gap.
    """
    offsets = [reached_ns[i] - stamp for i, stamp in seen_ns.items() if i < len(reached_ns)]
    if not offsets:
        return Clock.unknown(gap_ns)
    offset = max(offsets)
    change_ns = max(offset - min(offsets), gap_ns)
    # The least of n waits for a sample is still a gap / (n + 1) on average.
    early = gap_ns // (len(offsets) + 1) + LEAST_NS
    return Clock(offset, max(change_ns - gap_ns, LEAST_NS), early, gap_ns, len(offsets), change_ns + early)


class Agreement:
    """How many samples show by their lines what the recording says was open, by any offset.

    Args:
        stamp_ns: (samples,) in time order.
        agrees: Called with (samples,) whether to take each, and (taken,) times on the recording's clock; returns
            (taken,) whether each shows what was open then.
    """

    def __init__(self, stamp_ns: Int64, agrees: Callable[[Int64, Int64], NDArray[np.bool_]]) -> None:
        self.stamp_ns = stamp_ns
        self._agrees = agrees

    def share(self, clock: Clock, shift_ns: int, rows: Int64) -> float:
        """Return the share of some of the samples that agree when the clock is moved by so much."""
        return float(np.mean(self._agrees(rows, clock.at(self.stamp_ns[rows]) + shift_ns)))

    def best(self, clock: Clock, rows: Int64) -> tuple[int, int]:
        """Return the shift at which most of some samples agree, and by how much it may be wrong.

        Where many are as good, the first ones are: later samples would show scopes that had not begun, and of so
        many samples some came right behind a change.
        """
        span = RANGE_NS + 4 * clock.gap_ns
        step = max(clock.gap_ns // 10, FINE_NS)
        low, high = self._widest(clock, rows, -clock.early_ns - step, span, step)
        low, high = self._widest(clock, rows, low - step, min(high, low + step) + step, FINE_NS)
        half = min((high - low) // 2, clock.gap_ns // FEW)
        return low + half, half + FINE_NS

    def _widest(self, clock: Clock, rows: Int64, low: int, high: int, step: int) -> tuple[int, int]:
        """Return the first and the last of the neighbouring shifts at which most agree."""
        shifts = np.arange(low, high + step, step)
        shares = np.array([self.share(clock, int(shift), rows) for shift in shifts])
        first = last = int(np.argmax(shares))
        while last + 1 < len(shares) and shares[last + 1] == shares[first]:
            last += 1
        return int(shifts[first]), int(shifts[last])

    def tied(self, clock: Clock) -> Clock:
        """Return the clock moved to where most samples agree, with the drift of those of a long run."""
        rows = np.arange(len(self.stamp_ns))
        if len(rows) > MOST_USED:
            rows = rows[:: -(-len(rows) // MOST_USED)]
        shift, wrong = self.best(clock, rows)
        moved = replace(clock, offset_ns=clock.offset_ns + shift, early_ns=max(wrong, LEAST_NS))
        drift = self._drift(moved, rows)
        if drift:
            origin_ns = moved.origin_ns if moved.drift else int(self.stamp_ns[0])
            moved = replace(
                moved, drift=moved.drift + drift, origin_ns=origin_ns
            )  # it may have had some before
            shift, wrong = self.best(moved, rows)
            moved = replace(moved, offset_ns=moved.offset_ns + shift, early_ns=max(wrong, LEAST_NS))
        return moved

    def _drift(self, clock: Clock, rows: Int64) -> float:
        """Return by how much the clock loses in each ns; 0 where that is not clear of what is unknown."""
        stamps = self.stamp_ns[rows]
        span = int(stamps[-1] - stamps[0])
        if span < DRIFT_SECONDS * 1e9 or len(rows) < 5 * FEW * DRIFT_PARTS:
            return 0.0
        parts = np.array_split(rows, DRIFT_PARTS)
        found = np.array([self.best(clock, part) for part in parts], dtype=np.float64)
        centre = np.array([float(self.stamp_ns[part].mean()) for part in parts])
        i, j = np.triu_indices(DRIFT_PARTS, 1)
        slope = float(np.median((found[j, 0] - found[i, 0]) / (centre[j] - centre[i])))
        clear = 2 * float(found[:, 1].max()) + 1_000_000
        return slope if abs(slope) * span > clear else 0.0


def measured(clock: Clock, changes_late_ns: Int64, past_ns: Int64, future_ns: Int64, each_ns: float) -> Clock:
    """Return the clock with what is left of its error.

    Args:
        clock: With its offset.
        changes_late_ns: How long after a dated change the first sample that shows it is stamped.
        past_ns: How late at least the samples are that show what had been open before.
        future_ns: How early those are that show what was open only after.
        each_ns: The gap between samples, divided by the number of changes: what one sample stands for.
    """
    change_ns = clock.change_ns
    late = max(LEAST_NS, exceeded_by(past_ns, each_ns, 1 - USUAL))
    count = len(changes_late_ns)
    if count >= FEW:
        change_ns, usual = (int(np.quantile(np.abs(changes_late_ns), q)) for q in (STATED, USUAL))
        # Looks come at random: so long is waited for one in nine of ten cases, and for as few as these perhaps longer.
        waited = math.log(1 / (1 - USUAL)) + 2 * math.sqrt(USUAL / (1 - USUAL) / count)
        late = max(late, usual - round(waited * clock.gap_ns))
    early = max(clock.early_ns, exceeded_by(future_ns, each_ns, 1 - USUAL))
    return replace(
        clock,
        late_ns=late,
        early_ns=early,
        change_ns=max(change_ns, late),
        changes=count,
    )


def exceeded_by(least_ns: Int64, each_ns: float, share: float) -> int:
    """Return the lateness that no more than a share of all samples exceed, from those that show it.

    A sample that is late by l shows the past only if it comes less than l behind a change. So where each of n changes
    is followed by samples that are a gap apart, of those that show the past n · P(lateness > x) / gap in each ns
    are x ns behind the change. P does not rise with x: it is the slope of the least concave majorant of their
    number (U. Grenander, On the theory of mortality measurement, 1956), and falls below the share where their number
    exceeds what the share alone would bring by most.
    """
    ordered = np.sort(least_ns)
    surplus = np.arange(1, len(ordered) + 1) * each_ns - share * ordered
    return int(ordered[np.argmax(surplus)]) if len(ordered) and surplus.max() > 0 else 0
