"""Sessions of one suite, and what those on one machine say together: each counts as one value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis import Analysis, Comparison
from workbench.bench.statistics import least_count
from workbench.bench.verdict import SpeedVerdict, judge_speed
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
        return moment(self.analysis.results.head.started)

    @property
    def delta(self) -> float:
        """The smallest difference in speed that matters."""
        return float(self.analysis.results.head.delta)


def sound(group: Sequence[Session]) -> list[Session]:
    """Return the sessions that are not void."""
    return [session for session in group if not session.analysis.check.void]


def compared(group: Sequence[Session], name: str) -> list[Comparison]:
    """Return what the sessions that are not void say of a variant."""
    found = [session.comparisons.get(name) for session in sound(group)]
    return [c for c in found if c is not None and c.value is not None]


def between_sessions(group: Sequence[Session], name: str) -> SpeedVerdict | None:
    """Return the verdict on the median of the sessions' ratios, each one value in the order of time; None of few."""
    ratios = [c.speed.ratio.value for c in compared(group, name) if c.speed is not None]
    if len(ratios) < LEAST_SESSIONS:
        return None
    return judge_speed([math.log(ratio) for ratio in ratios], group[0].delta, CONFIDENCE)
