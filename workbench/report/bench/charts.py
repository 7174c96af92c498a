"""The charts of a benchmark's page: each from the analysis."""

from __future__ import annotations

import io
import math
import textwrap
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.analysis.targets import TargetFigures
from workbench.bench.results.results import RESIDUALS, Results
from workbench.bench.stats.intervals import Estimate
from workbench.errors import InvalidInputError
from workbench.records import read_inside
from workbench.render.plots import (
    IntervalScale,
    ReachedChart,
    TradePoint,
    interval_scale,
    reached_charts,
    residual_curves,
    residuals_chart,
    rounds_chart,
    trade_chart,
)
from workbench.render.plots.pareto import pareto_front
from workbench.render.plots.trade import NARROW, WIDTH
from workbench.report.bench.rows import BenchRow
from workbench.text import inverse, printable

LABEL_WIDTH = 34
MAX_RESIDUALS = 64 << 20
"""Bytes of a file of residuals that is read."""


def plot_labels(names: Iterable[str]) -> dict[str, str]:
    """Return names as charts have room for, no two the same, and all that does not print as escapes."""
    labels: dict[str, str] = {}
    for name in names:
        shown = printable(name)
        label, number = textwrap.shorten(shown, LABEL_WIDTH, placeholder=" …"), 1
        label = label if len(shown) <= LABEL_WIDTH or len(label) > 2 else f"{shown[: LABEL_WIDTH - 1]}…"
        while label in labels.values():
            number += 1
            label = f"{label.partition(' #')[0]} #{number}"
        labels[name] = label
    return labels


@dataclass(frozen=True)
class Intervals:
    """A column of intervals: its head, and a cell for each row; a cell is None where there is nothing to draw."""

    head: Markup
    cells: Sequence[Markup | None]


def speed_intervals(rows: Sequence[BenchRow], delta: float) -> Intervals | None:
    """Draw the speed-up of each row; None where no row has one."""
    factors = [
        speed_up_of(row.comparison.speed.ratio) if row.comparison.speed is not None else None for row in rows
    ]
    if not any(factors):
        return None
    scale = interval_scale(
        [(each.low, each.high) for each in factors if each is not None], delta, "slower", "faster"
    )
    kinds = [row.verdict[0].kind for row in rows]
    texts = [str(row.speed) for row in rows]
    return _intervals(scale, rows, factors, kinds, texts)


def error_intervals(rows: Sequence[BenchRow], margin: float) -> Intervals | None:
    """Draw the change of the error of each row, a smaller one to the right; None where no row has one."""
    changes = [None if row.is_baseline else row.comparison.quality_verdict.change for row in rows]
    factors = [_error_factor(change) if change is not None else None for change in changes]
    if not any(factors):
        return None
    band = 10.0**margin - 1
    scale = interval_scale(
        [(each.low, each.high) for each in factors if each is not None], band, "larger", "smaller"
    )
    kinds = [f"error-{row.comparison.quality_verdict.kind.replace(' ', '-')}" for row in rows]
    return _intervals(scale, rows, factors, kinds, [str(row.error) for row in rows])


def speed_up_of(ratio: Estimate) -> Estimate:
    """Return a ratio of times the other way round: above 1 is faster."""
    return Estimate(
        inverse(ratio.value), inverse(ratio.high), inverse(ratio.low), ratio.confidence, ratio.count
    )


def _error_factor(change: Estimate) -> Estimate:
    """Return how many times smaller an error is."""
    value, low, high = (
        10.0 ** max(-300.0, min(300.0, -each)) for each in (change.value, change.high, change.low)
    )
    return Estimate(value, low, high, change.confidence, change.count)


def _intervals(
    scale: IntervalScale,
    rows: Sequence[BenchRow],
    factors: Sequence[Estimate | None],
    kinds: Sequence[str],
    texts: Sequence[str],
) -> Intervals:
    cells: list[Markup | None] = []
    for row, factor, kind, text in zip(rows, factors, kinds, texts, strict=True):
        if row.is_baseline:
            cells.append(scale.empty("the baseline"))
        elif factor is None:
            cells.append(None)
        else:
            cells.append(scale.cell(factor.value, factor.low, factor.high, kind, text))
    return Intervals(scale.head(), cells)


@dataclass(frozen=True)
class Trade:
    """Speed against error."""

    chart: Markup
    narrow: Markup
    """The same for narrow screens, with a number at each point."""
    numbered: Sequence[str]
    """Names of those points, from number 1 on."""
    front: Sequence[str]
    """Names of what no other beats on both, by their medians; of a void experiment none."""
    not_drawn: Sequence[str]
    """Names of what has no place in it: an error of zero."""


def trade_of(analysis: Analysis, rows: Sequence[BenchRow]) -> Trade | None:
    """Return speed against error; None where no error differs, so that there is nothing to weigh."""
    points = []
    labels = plot_labels(row.comparison.variant for row in rows)
    for row in rows:
        c, error = row.comparison, row.comparison.quality
        if error is None or (c.speed is None and not row.is_baseline):
            continue
        speed = Estimate(1.0, 1.0, 1.0, 1.0, 1) if c.speed is None else speed_up_of(c.speed.ratio)
        points.append(
            TradePoint(
                labels[c.variant],
                speed.value,
                speed.low,
                speed.high,
                error.value,
                error.low,
                error.high,
                row.verdict[0].kind,
            )
        )
    drawn = [point for point in points if 1e-100 < point.error < 1e100]
    if len({point.error for point in drawn}) < 2:
        return None
    best = (
        []
        if analysis.check.void
        else pareto_front([(inverse(point.speed_up), point.error) for point in points])
    )
    front = [points[i].label for i in best]
    head = analysis.results.head

    def chart(name: Mapping[str, str], width: int) -> Markup:
        return trade_chart(
            [replace(point, label=name[point.label]) for point in drawn],
            band=head.delta,
            margin=head.margin,
            baseline=name.get(labels[head.baseline], ""),
            front=[name[label] for label in front if label in name],
            width=width,
        )

    numbered = [point.label for point in drawn]
    numbers = {label: str(number) for number, label in enumerate(numbered, start=1)}
    wide, narrow = chart({label: label for label in numbered}, WIDTH), chart(numbers, NARROW)
    return Trade(wide, narrow, numbered, front, [point.label for point in points if point not in drawn])


def common_target(analysis: Analysis) -> float | None:
    """Return the hardest target that the baseline reaches in at least half of the rounds."""
    reached = [each.target for each in analysis.comparisons[0].targets if 2 * each.hits >= each.rounds > 0]
    return min(reached, default=None)


def target_of(row: BenchRow, target: float) -> TargetFigures:
    """Return a variant's figures of a target."""
    return next(each for each in row.comparison.targets if each.target == target)


def reached_of(analysis: Analysis, rows: Sequence[BenchRow]) -> list[ReachedChart]:
    """Draw when each variant had reached how many of all targets."""
    times = {row.name: [time for figures in row.comparison.targets for time in figures.times] for row in rows}
    return reached_charts(times, printable(analysis.results.baseline))


def rounds_in_time(results: Results) -> list[int]:
    """Return the complete rounds in the order in which they ran."""
    first: dict[int, int] = {}
    for run in results.runs:
        first.setdefault(run.round, len(first))
    return sorted(results.complete_rounds(), key=first.__getitem__)


def rounds_of(analysis: Analysis, row: BenchRow) -> Markup | None:
    """Draw the speed-up of a variant in each round; None where there is none."""
    results, speed = analysis.results, row.comparison.speed
    if speed is None:
        return None
    rounds = rounds_in_time(results)
    base = results.values(results.baseline, rounds)
    speed_ups = [
        math.nan if run is None or other is None else other.seconds / run.seconds
        for run, other in zip(results.values(row.comparison.variant, rounds), base, strict=True)
    ]
    return rounds_chart(
        speed_ups, inverse(speed.ratio.value), results.head.delta, f"{row.name} in each round"
    )


@dataclass(frozen=True)
class ResidualsPart:
    """The residuals of all variants on one axis."""

    chart: Markup
    alike: Sequence[Sequence[str]]
    """Names of variants with the same residuals."""


def residuals_of(results: Results) -> ResidualsPart | None:
    """Return the residuals that the first round kept; None where the suite has none."""
    ordered = [results.baseline, *(name for name in results.variants if name != results.baseline)]
    found = {name: arrays for name in ordered if (arrays := _residuals(*results.fit_file(name, RESIDUALS)))}
    try:
        curves = residual_curves(found)
    except InvalidInputError:  # a file of that name which is not ours
        return None
    chart = residuals_chart(curves)
    if chart is None:
        return None
    alike = [[printable(name) for name in curve.labels] for curve in curves if len(curve.labels) > 1]
    return ResidualsPart(chart, alike)


def _residuals(folder: Path, name: str) -> tuple[ArrayLike, ArrayLike] | None:
    content = read_inside(folder, name, MAX_RESIDUALS)
    if content is None:
        return None
    try:
        with np.load(io.BytesIO(content)) as arrays:
            return arrays["x"], arrays["residual"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
