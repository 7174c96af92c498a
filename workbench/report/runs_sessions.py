"""Sessions of one suite, and what those on one machine say together: each counts as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis import Analysis, Comparison
from workbench.bench.statistics import Estimate, least_count, paired_ratio
from workbench.report.bench_page import Check, moment

CONFIDENCE = 0.95
LEAST_SESSIONS = least_count(CONFIDENCE)
"""Sessions on one machine whose interval reaches the confidence: 6."""
BETWEEN = "between sessions"


@dataclass(frozen=True)
class Session:
    """One run among several."""

    label: str
    machine: str
    analysis: Analysis
    check: Check
    comparisons: dict[str, Comparison]

    @property
    def started(self) -> str:
        """When it began."""
        return moment(self.analysis.results.head["started"])

    @property
    def delta(self) -> float:
        """The smallest difference in speed that matters."""
        return float(self.analysis.results.head["delta"])


def sound(group: Sequence[Session]) -> list[Session]:
    """Return the sessions that are not void."""
    return [session for session in group if not session.analysis.check.void]


def compared(group: Sequence[Session], name: str) -> list[Comparison]:
    """Return what the sessions that are not void say of a variant."""
    found = [session.comparisons.get(name) for session in sound(group)]
    return [c for c in found if c is not None and c.value is not None]


def between_ratio(group: Sequence[Session], name: str) -> Estimate | None:
    """Return the median of the sessions' ratios with its interval, each session one value; None where they are few."""
    ratios = [c.speed.ratio.value for c in compared(group, name) if c.speed is not None]
    if len(ratios) < LEAST_SESSIONS:
        return None
    return paired_ratio(ratios, [1.0] * len(ratios), CONFIDENCE)


def verdict_of(ratio: Estimate, delta: float) -> str:
    """Return the verdict on a ratio between sessions."""
    low, high = 1 / (1 + delta), 1 + delta
    if ratio.high < low:
        return "faster"
    if ratio.low > high:
        return "slower"
    return "equivalent" if low < ratio.low and ratio.high < high else "inconclusive"
