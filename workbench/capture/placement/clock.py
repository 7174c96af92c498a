"""How a sampler's clock stands on the recording's, and how well that is known.

A sampler such as py-spy stamps a stack after it was seen, by a clock that knows no epoch. What both saw ties them. A
stamp is never early, and most are hardly late; so the offset is the one at which most samples show what the recording
says was open, beyond which samples would show scopes that had not begun. How late the latest ones are is what remains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

UNKNOWN_NS = 1 << 60
LEAST_NS = 100_000
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

    A sample that is stamped t was taken between `at(t) - late_ns` and `at(t) + early_ns`.
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
    def same(cls, gap_ns: int, late_ns: int = LEAST_NS) -> Clock:
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
        """Return the shift at which most of some samples agree, and by how much it may be wrong."""
        span = RANGE_NS + 4 * clock.gap_ns
        step = max(clock.gap_ns // 10, FINE_NS)
        low, high = self._widest(clock, rows, -clock.early_ns - step, span, step)
        low, high = self._widest(clock, rows, low - step, high + step, max(FINE_NS, (high - low) // 100))
        return (low + high) // 2, (high - low) // 2 + FINE_NS

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
            moved = replace(moved, drift=drift, origin_ns=int(self.stamp_ns[0]))
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
        clear = 2 * float(found[:, 1].max()) + 10 * LEAST_NS
        return slope if abs(slope) * span > clear else 0.0


def measured(clock: Clock, changes_late_ns: Int64, needed_ns: Int64) -> Clock:
    """Return the clock with what is left of its error.

    Args:
        clock: With its offset.
        changes_late_ns: How long after a dated change the first sample that shows it is stamped.
        needed_ns: (samples,) how late each stamp has to be at least, for its stack to be one that was there.
    """
    change_ns, late = clock.change_ns, clock.late_ns
    if len(changes_late_ns) >= FEW:
        change_ns, usual = (int(np.quantile(np.abs(changes_late_ns), q)) for q in (STATED, USUAL))
        late = max(LEAST_NS, usual - clock.gap_ns)
    if len(needed_ns) >= FEW:
        late = max(late, int(np.quantile(needed_ns, USUAL)))
    return replace(clock, late_ns=late, change_ns=max(change_ns, late), changes=len(changes_late_ns))
