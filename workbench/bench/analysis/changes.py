"""Where a figure changed over a series of experiments, as a verdict: the figures before and after are too far apart.

The experiments of one machine are cut where the ranks before and after differ most, and each part again. A cut is a
change where the interval of Mann and Whitney, on at most `MAX_BESIDE` experiments of either side, is beyond the
difference that matters; its confidence allows for all places at which there could have been one (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.bench.analysis.sessions import MIN_SESSIONS
from workbench.bench.analysis.verdict import SURE
from workbench.bench.stats.intervals import Estimate, family_confidence, is_above, is_below
from workbench.bench.stats.shift import independent_shift

MAX_BESIDE = 30


@dataclass(frozen=True)
class Change:
    """A change of a figure from one experiment to the next."""

    index: int
    """Of the first experiment behind it."""
    ratio: Estimate
    """After by before."""


def changes_of(values: Sequence[float], band: float) -> list[Change]:
    """Return the changes of a figure, in the order of the experiments.

    Args:
        values: The figure in each experiment, above zero.
        band: The least difference that matters, as a share.
    """
    places = len(values) - 2 * MIN_SESSIONS + 1
    confidence = family_confidence(places, SURE)
    found: list[Change] = []
    parts = [(0, len(values))] if places > 0 else []
    while parts:
        start, stop = parts.pop()
        if stop - start < 2 * MIN_SESSIONS:
            continue
        cut = start + _cut(values[start:stop])
        shift = independent_shift(
            values[max(start, cut - MAX_BESIDE) : cut], values[cut : min(stop, cut + MAX_BESIDE)], confidence
        )
        reach = math.log1p(band)
        if is_above(shift, reach, confidence) or is_below(shift, -reach, confidence):
            found.append(Change(cut, shift.exp()))
            parts += [(start, cut), (cut, stop)]
    return sorted(found, key=lambda change: change.index)


def _cut(values: Sequence[float]) -> int:
    """Return at which index the ranks before and from it on differ most, by their standard deviation."""
    array = np.asarray(values, dtype=float)
    n = len(array)
    # Equal values share the mean of their ranks.
    ranks = (np.searchsorted(np.sort(array), array) + np.searchsorted(np.sort(array), array, "right") + 1) / 2
    before = np.arange(MIN_SESSIONS, n - MIN_SESSIONS + 1)
    excess = np.cumsum(ranks)[before - 1] - before * (n + 1) / 2
    return int(before[np.argmax(np.abs(excess) / np.sqrt(before * (n - before)))])
