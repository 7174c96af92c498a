"""When a sampler looked, out of a trace that holds changes alone; and when it was held up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.profile import ROOT, Profile, Samples

BURST = 3
"""Stamps within a gap by which a sampler makes up for looks that it missed."""


def all_stamps(sampled: Profile) -> NDArray[np.int64]:
    """Return when anything was stamped, of any thread: in order, each time once."""
    stamps = [track.samples.at_ns for track in sampled.tracks if track.samples is not None]
    return np.unique(np.concatenate(stamps)) if stamps else np.zeros(0, dtype=np.int64)


def ticks(samples: Samples, gap_ns: int, stamps_ns: NDArray[np.int64]) -> Samples:
    """Return a sample for each time that the sampler looked.

    A trace of changes holds a stack until it changes; the sampler looked once in each gap. Not so where it was held
    up: then nothing at all is stamped for a while, and behind it come at once the looks that it had missed. The
    weights of the parts add up to that of the whole.

    Args:
        samples: Changes of one thread.
        gap_ns: The gap between two looks.
        stamps_ns: When anything was stamped, of any thread, in order and each time once.
    """
    seen = samples.stack != ROOT
    weight, at, stack = samples.weight_ns[seen], samples.at_ns[seen], samples.stack[seen]
    count = np.maximum(1, (weight + gap_ns // 2) // gap_ns)
    first, behind = np.searchsorted(stamps_ns, at, side="right"), np.searchsorted(stamps_ns, at + weight)
    burst = np.searchsorted(stamps_ns, at + weight + gap_ns) - behind
    count[(first == behind) & (burst >= BURST)] = 1  # held up: see below
    row = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    begin, end = weight[row] * number // count[row], weight[row] * (number + 1) // count[row]
    return Samples(stack[row], at[row] + begin, end - begin)


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
    follow = np.searchsorted(stamps_ns, stamps_ns + gap_ns) - np.arange(len(stamps_ns))
    held = np.where((since > gap_ns + gap_ns // 2) & (follow >= BURST), since, 0)
    return np.where(stamps_ns[place] == at_ns, held[place], 0)
