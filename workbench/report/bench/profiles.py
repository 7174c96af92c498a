"""Where the time of a benchmark's variants goes, from one recorded run of each: times by scope, and flame graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.stats.intervals import Estimate
from workbench.profile import scope_totals
from workbench.render.plots import stacked_bars
from workbench.report.bench.charts import plot_labels
from workbench.report.bench.flames import Flame, flames_of
from workbench.report.bench.own_tables import OwnTable, own_tables
from workbench.report.bench.recordings import Recorded, recordings_of
from workbench.report.bench.rows import BenchRow
from workbench.report.bench.scaling import ScalingPart, scaling_of
from workbench.report.bench.tables import is_stepped
from workbench.text import as_seconds, named

NEAR = 0.1
"""A recorded step that differs from the measured median by at most this share is near it."""
MAX_SCOPES = 6
"""Scopes with a colour of their own; the others are one part."""


@dataclass(frozen=True)
class ScopeTimes:
    """The time in each scope of one variant's step."""

    variant: str
    bar: Markup
    took: str
    """A step by the clock, when it was recorded."""
    measured: str
    """The median of the measured ones, where the recorded one is not near it."""
    is_baseline: bool
    is_beyond: bool
    """Whether the bar is longer than the axis."""


@dataclass(frozen=True)
class TimesPart:
    """The time in each scope, side by side."""

    rows: Sequence[ScopeTimes]
    key: Sequence[Markup]


@dataclass(frozen=True)
class Profiles:
    """What a page says beside what was measured; each part is None or empty where there is nothing."""

    times: TimesPart | None
    flames: Mapping[str, Flame]
    """By variant."""
    scaling: ScalingPart | None
    tables: Sequence[OwnTable]
    warnings: Sequence[str]
    step: str
    """What times are of: a step, or a run."""
    with_first: Sequence[str]
    """Variants that are shown with their first step, because it could not be distinguished from the others."""


def profiles_of(analysis: Analysis, rows: Sequence[BenchRow]) -> Profiles:
    """Return what the recordings and the suite itself say of an experiment, in the order of its rows."""
    results = analysis.results
    recordings = recordings_of(results)
    found = recordings.found
    step = "step" if is_stepped(results) else "run"
    flames, not_drawn = flames_of(recordings, _measured_s(analysis), results.baseline, step)
    warnings = list(recordings.warnings)
    if not_drawn:
        warnings.append(
            f"The page has no room for the flame graphs of {', '.join(not_drawn)}: workbench report makes a page "
            "of each recording."
        )
    return Profiles(
        _times(found, rows) if found else None,
        flames,
        scaling_of(analysis, found, step),
        own_tables(results),
        warnings,
        step,
        [named(each.variant) for each in found.values() if each.is_whole],
    )


def _measured_s(analysis: Analysis) -> dict[str, float]:
    """Return the seconds of a step of each variant, as they were measured."""
    return {c.variant: c.value.value for c in analysis.comparisons if c.value is not None}


def _times(found: Mapping[str, Recorded], rows: Sequence[BenchRow]) -> TimesPart:
    self_s = {variant: _self_seconds(each) for variant, each in found.items()}
    names = _largest(self_s)
    others = any(name not in names for times in self_s.values() for name in times)
    parts = plot_labels(names)
    bars = stacked_bars(
        {variant: _parts(times, names, others) for variant, times in self_s.items()},
        [parts[name] for name in names] + (["all other scopes"] if others else []),
        rest=others,
        ends={variant: each.wall_s for variant, each in found.items()},
        words=as_seconds,
    )
    shown = [row for row in rows if row.comparison.variant in found]
    return TimesPart(
        [
            ScopeTimes(
                row.name,
                bars.rows[row.comparison.variant],
                as_seconds(found[row.comparison.variant].wall_s),
                _far_median(row.comparison.value, found[row.comparison.variant].wall_s),
                row.is_baseline,
                row.comparison.variant in bars.beyond,
            )
            for row in shown
        ],
        bars.key,
    )


def _far_median(measured: Estimate | None, recorded_s: float) -> str:
    """Return the median of the measured times where a recorded one is neither in its interval nor near it."""
    if measured is None or measured.low <= recorded_s <= measured.high:
        return ""
    is_near = abs(recorded_s / measured.value - 1) <= NEAR if measured.value > 0 else False
    return "" if is_near else as_seconds(measured.value)


def _self_seconds(recorded: Recorded) -> dict[str, float]:
    """Return the seconds of a step that each scope took itself, over all tracks."""
    totals = scope_totals(recorded.profile)
    return {name: max(each.self_ns, 0) / 1e9 / recorded.count for name, each in totals.items()}


def _largest(self_s: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the scopes with the largest shares, the largest first. Each variant counts as much as any other."""
    shares: dict[str, float] = {}
    for times in self_s.values():
        whole = math.fsum(times.values())
        for name, seconds in times.items():
            shares[name] = shares.get(name, 0.0) + (seconds / whole if whole > 0 else 0.0)
    ranked = sorted(shares, key=lambda name: (-shares[name], name))
    return ranked[:MAX_SCOPES]


def _parts(times: Mapping[str, float], names: Sequence[str], others: bool) -> list[float]:
    rest = math.fsum(seconds for name, seconds in times.items() if name not in names)
    return [times.get(name, 0.0) for name in names] + ([rest] if others else [])
