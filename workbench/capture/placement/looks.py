"""When a sampler looked, out of a trace that holds changes alone; and when it was held up.

py-spy looks at random times: the gap between two looks is that which was asked for on average, and exponentially
distributed, so that one in seven is twice as long and one in twenty three times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Profile, Samples

SURE_GAPS = 4
"""Gaps before a stack was seen to have changed at which it was still there: in 98 of 100 cases."""
LONG_GAPS = 7
"""Gaps between two looks that are as good as never that long: one in a thousand is."""
HELD_GAPS, BURST = 2.5, 3
"""A sampler was held up where it stamped nothing for so many gaps, and so many times within half a gap behind them:
the looks that it had missed."""


def all_stamps(sampled: Profile) -> NDArray[np.int64]:
    """Return when anything was stamped, of any thread: in order, each time once."""
    stamps = [track.samples.at_ns for track in sampled.tracks if track.samples is not None]
    return np.unique(np.concatenate(stamps)) if stamps else np.zeros(0, dtype=np.int64)


def ticks(samples: Samples, gap_ns: int, stamps_ns: NDArray[np.int64]) -> Samples:
    """Return a sample for each time that the sampler looked.

    A trace of changes holds a stack until it changes: each change is one look. What remains of as many looks as the
    thread's time has gaps is shared out among the stacks that stayed for so long that they were seen again, at times at
    which they were surely still there: no more to each than its own time has gaps. So the looks are as many as the
    sampler's, or fewer. Where it was held up, it did not look: then nothing at all is stamped for a while, and at once
    come the looks that it had missed. The weights of the parts add up to that of the whole.

    Args:
        samples: Changes of one thread.
        gap_ns: The gap between two looks.
        stamps_ns: When anything was stamped, of any thread, in order and each time once.
    """
    seen = samples.stack != ROOT
    weight, at, stack = samples.weight_ns[seen], samples.at_ns[seen], samples.stack[seen]
    first, behind = np.searchsorted(stamps_ns, at, side="right"), np.searchsorted(stamps_ns, at + weight)
    burst = np.searchsorted(stamps_ns, at + weight + gap_ns // 2) - behind
    held = (first >= behind) & (burst >= BURST)
    stayed = np.where(held | (weight < LONG_GAPS * gap_ns), 0, weight - SURE_GAPS * gap_ns)
    most = np.where(stayed > 0, weight // gap_ns, 0)
    missing = max(0, int(weight.sum()) // gap_ns - len(weight))
    count = 1 + _shared_out(min(missing, int(most.sum())), most)
    row = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    step, rest = np.divmod(
        stayed[row], np.maximum(count[row] - 1, 1)
    )  # multiplied first, hours would overflow
    when = at[row] + step * number + rest * number // np.maximum(count[row] - 1, 1)
    until = np.where(number + 1 < count[row], np.append(when[1:], 0), (at + weight)[row])
    return Samples(stack[row], when, until - when)


def _shared_out(number: int, weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (weights,) whole numbers in proportion to weights; their sum is the number."""
    total = max(float(weight.sum()), 1.0)
    until: NDArray[np.int64] = np.floor(np.cumsum(weight) * (number / total) + 0.5).astype(np.int64)
    until[1:] -= until[:-1].copy()
    return until


def held_up(at_ns: NDArray[np.int64], gap_ns: int, stamps_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much later than usual each stamp may be, because the sampler was held up before it.

    The sampler stamps all that it saw in one round, and then begins the next: what it stamps was seen since the last
    stamp. That is no news where it came in time, or where nothing had changed for a while; but where looks that it had
    missed follow at once, it was held up all that time.
    """
    place = np.minimum(np.searchsorted(stamps_ns, at_ns), max(len(stamps_ns) - 1, 0))
    if not len(stamps_ns):
        return np.zeros(len(at_ns), dtype=np.int64)
    since = np.diff(stamps_ns, prepend=stamps_ns[0])
    follow = np.searchsorted(stamps_ns, stamps_ns + gap_ns // 2) - np.arange(len(stamps_ns))
    held = np.where((since > HELD_GAPS * gap_ns) & (follow >= BURST), since, 0)
    return np.where(stamps_ns[place] == at_ns, held[place], 0)
