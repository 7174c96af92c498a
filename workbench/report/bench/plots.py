"""The plots of a benchmark's page, as they stand in it: each from the analysis, with a prefix of its own."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from markupsafe import Markup

from workbench import records
from workbench.bench.analysis.analysis import Analysis, VariantComparison
from workbench.bench.analysis.verdict import SURE
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import Estimate, reaches
from workbench.render.plots import (
    PlotPoint,
    RoundRatios,
    error_curves,
    ratio_plot,
    round_ratios_plot,
    speed_quality_plot,
    time_to_target_plot,
)
from workbench.render.plots.pareto import pareto_front
from workbench.report.pages import inline_plot
from workbench.text import as_fine_ratio, as_scientific, printable

LABEL_WIDTH = 34
MAX_BARS = 60
"""Variants in a plot of bars; the table below it has all of them."""
MAX_TARGETS = 6
"""Plots of single targets; all of them together have one of their own."""
HISTORY = "history.json"
MAX_HISTORY = 64 << 20
"""Bytes of a history that is read: one of a million epochs has about as many."""


class ErrorHistory(msgspec.Struct, frozen=True):
    """The errors by epoch that a training suite keeps in `history.json`, among other things; empty by default."""

    initial_train_mse: records.Number | None = None
    train_mse: list[records.Number | None] = []
    validation_mse: list[records.Number | None] = []


@dataclass(frozen=True)
class Plots:
    """What a page shows; None where there is nothing to draw."""

    ratios: Markup | None
    trade: Markup | None
    not_traded: Sequence[str]
    """Labels of what has no place in it: an error of zero, or none."""
    front: Sequence[str]
    """Labels of what no other beats on both speed and error, by their medians; of a void session none."""
    targets: Sequence[Markup]
    curves: Markup | None
    rounds: Markup | None


def draw_plots(analysis: Analysis) -> Plots:
    """Draw all plots of an analysis."""
    results = analysis.results
    labels = plot_labels([*results.variants, AA_CONTROL])
    points = _points(analysis, labels)
    traded = [point for point in points if point.label != labels[AA_CONTROL]]
    best = [] if analysis.check.void else pareto_front([(point.ratio, point.quality) for point in traded])
    front = [traded[i].label for i in best]
    return Plots(
        _ratios(points, labels, analysis),
        _trade([point for point in traded if _has_place(point)], labels, results, front),
        [point.label for point in traded if not _has_place(point)],
        front,
        _targets(analysis, labels),
        _curves(results, labels),
        _rounds(analysis, labels),
    )


def _has_place(point: PlotPoint) -> bool:
    """Return whether a logarithmic axis can show a point's error beside others."""
    return 1e-100 < point.quality < 1e100


def plot_labels(names: Iterable[str]) -> dict[str, str]:
    """Return names as plots have room for, no two the same, and all that does not print as escapes."""
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


def _short(name: str) -> str:
    return plot_labels([name])[name]


def _points(analysis: Analysis, labels: Mapping[str, str]) -> list[PlotPoint]:
    baseline = analysis.results.baseline
    points = []
    for c in analysis.comparisons:
        if c.variant == baseline:
            if c.value is not None:
                points.append(
                    _point(labels[baseline], Estimate(1.0, 1.0, 1.0, 1.0, c.value.count), c.quality)
                )
            again = analysis.check.ratio
            if again is not None:
                verdict = _again_verdict(analysis, again)
                points.append(_point(labels[AA_CONTROL], again, None, verdict))
        elif c.speed is not None:
            points.append(_point(labels[c.variant], c.speed.ratio, c.quality, c.speed.kind))
    return points


def _again_verdict(analysis: Analysis, ratio: Estimate) -> str:
    """Return how the baseline against itself is drawn; "" goes by its interval."""
    if not reaches(ratio.confidence, SURE):
        return "inconclusive"
    limit = 1 + float(analysis.results.head.delta)
    return "equivalent" if 1 / limit < ratio.low and ratio.high < limit else ""


def _point(label: str, ratio: Estimate, quality: Estimate | None, verdict: str = "") -> PlotPoint:
    figures = (quality.value, quality.low, quality.high) if quality is not None else (math.nan,) * 3
    return PlotPoint(label, ratio.value, ratio.low, ratio.high, *figures, verdict=verdict)


def _ratios(points: Sequence[PlotPoint], labels: Mapping[str, str], analysis: Analysis) -> Markup | None:
    if not points:
        return None
    results = analysis.results
    return inline_plot(
        ratio_plot(
            points,
            title="Time, relative to the baseline",
            baseline=labels[results.baseline],
            band=float(results.head.delta),
        )
    )


def _trade(
    drawn: Sequence[PlotPoint], labels: Mapping[str, str], results: Results, front: Sequence[str]
) -> Markup | None:
    if len({point.quality for point in drawn}) < 2:
        return None  # where no error differs there is nothing to weigh speed against
    quality = _short(results.quality or "error")
    return inline_plot(
        speed_quality_plot(
            drawn,
            title=f"Speed against {quality}",
            baseline=labels[results.baseline],
            quality=quality,
            band=float(results.head.delta),
            margin=float(results.head.margin),
            front=front,
        )
    )


def _targets(analysis: Analysis, labels: Mapping[str, str]) -> list[Markup]:
    """Draw the distribution of times to each target; then to all of them, where there are several."""
    targets = [figures.target for figures in analysis.comparisons[0].targets]
    sets = [
        (
            f"Down to {as_scientific(target)}",
            "rounds",
            {labels[c.variant]: c.targets[i].times for c in analysis.comparisons},
        )
        for i, target in enumerate(targets)
    ]
    together = {
        labels[c.variant]: tuple(time for figures in c.targets for time in figures.times)
        for c in analysis.comparisons
    }
    sets = sets[:MAX_TARGETS]
    if len(targets) > 1:
        sets.append(("All targets together", "all targets", together))
    return [
        inline_plot(time_to_target_plot(times, title=title, of=of, prefix=f"target-{i}"))
        for i, (title, of, times) in enumerate(sets)
        if any(math.isfinite(time) for each in times.values() for time in each)
    ]


def rounds_in_time(results: Results) -> list[int]:
    """Return the complete rounds in the order in which they ran."""
    first: dict[int, int] = {}
    for run in results.runs:
        first.setdefault(run.round, len(first))
    return sorted(results.complete_rounds(), key=first.__getitem__)


def _rounds(analysis: Analysis, labels: Mapping[str, str]) -> Markup | None:
    results = analysis.results
    rounds = rounds_in_time(results)
    base = results.values(results.baseline, rounds)
    comparisons = {c.variant: c for c in analysis.comparisons}
    rows = []
    for name in (AA_CONTROL, *(each for each in results.variants if each != results.baseline)):
        ratios = [
            math.nan if run is None or other is None else run.seconds / other.seconds
            for run, other in zip(results.values(name, rounds), base, strict=True)
        ]
        rows.append(RoundRatios(labels[name], ratios, _note(name, comparisons.get(name), analysis)))
    if all(math.isnan(ratio) for row in rows for ratio in row.ratios):
        return None
    return inline_plot(
        round_ratios_plot(
            rows,
            title="Ratio in each round, from the variant’s median",
            band=float(results.head.delta),
            prefix="round-plot",
        )
    )


def _note(name: str, comparison: VariantComparison | None, analysis: Analysis) -> str:
    if name == AA_CONTROL:
        ratio, drift = analysis.check.ratio, False
    elif comparison is not None and comparison.speed is not None:
        ratio, drift = comparison.speed.ratio, comparison.drift
    else:
        return ""
    return "" if ratio is None else f"median {as_fine_ratio(ratio.value)}×{', drifts' if drift else ''}"


def _curves(results: Results, labels: Mapping[str, str]) -> Markup | None:
    """Draw the errors that the first round kept: histories where the suite keeps them, else the runs' curves."""
    histories = {labels[variant]: history for variant, history in _histories(results).items()}
    title, words = "Error by epoch, first round", {}
    if not histories:
        histories = {labels[variant]: history for variant, history in _first_curves(results).items()}
        of = _short(str(results.head.target_of or "error"))
        title, words = f"{of} by step, first round", {"step": "step", "error": of}
    drawable = any(value > 0 for history in histories.values() for value in history["training"])
    return (
        inline_plot(error_curves(histories, title=title, prefix="error-plot", **words)) if drawable else None
    )


def _first_curves(results: Results) -> dict[str, dict[str, list[float]]]:
    for number in rounds_in_time(results):
        found: dict[str, dict[str, list[float]]] = {}
        for variant in results.variants:
            run = results.values(variant, [number])[0]
            if run is not None and run.curve:
                found[variant] = {"training": [value for _, value in run.curve]}
        if found:
            return found
    return {}


def _histories(results: Results) -> dict[str, dict[str, list[float]]]:
    """Return the error curves that the first round kept, where the suite keeps histories."""
    found = {name: _history(*results.fit_file(name, HISTORY)) for name in results.variants}
    return {
        name: {
            "training": _numbers([kept.initial_train_mse, *kept.train_mse]),
            "validation": _numbers([None, *kept.validation_mse]),
        }
        for name, kept in found.items()
        if kept.train_mse
    }


def _history(folder: Path, name: str) -> ErrorHistory:
    """Return the history that a case kept in a folder; an empty one where there is none, or another file."""
    try:
        return records.parse(records.read_inside(folder, name, MAX_HISTORY) or b"", ErrorHistory)
    except ValueError:
        return ErrorHistory()


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]
