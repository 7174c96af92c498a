"""Plots of variants against a baseline: ratios with their intervals, and speed against quality."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures
from workbench.render.plots._labels import write_labels
from workbench.render.plots.pareto import stair


@dataclass(frozen=True)
class PlotPoint:
    """One variant: its ratio to the baseline's time and its quality, with their intervals."""

    label: str
    ratio: float
    ratio_low: float
    ratio_high: float
    quality: float = float("nan")
    """The figure that is drawn against time; smaller is better."""
    quality_low: float = float("nan")
    quality_high: float = float("nan")
    verdict: str = ""
    """What is said of its speed: faster, slower, equivalent or inconclusive; "" goes by the interval alone."""


LOOKS = {
    "faster": (_figures.BLUE, "<", _figures.BLUE),
    "slower": (_figures.VERMILION, ">", _figures.VERMILION),
    "equivalent": (_figures.GREEN, "s", _figures.GREEN),
    "inconclusive": (_figures.GREY, "o", "none"),
}
"""Colour, marker and its fill for each verdict: the shapes alone tell them apart, too."""
_BEYOND = 1e100
_BASELINE = (_figures.INK, "D", _figures.INK)


def speed_quality_plot(
    points: Sequence[PlotPoint],
    *,
    title: str,
    baseline: str,
    quality: str = "error",
    band: float = 0.0,
    margin: float = 0.0,
    front: Collection[str] = (),
    prefix: str = "speed-quality",
) -> str:
    """Draw time against quality, both with their intervals: the lower left is fast and good.

    Markers are those of `ratio_plot`.

    Args:
        points: One for each variant, the baseline among them.
        title: The heading.
        baseline: Label of the baseline.
        quality: What the quality is: "training MSE".
        band: Differences in time up to this share are none that matter: shaded.
        margin: Orders of magnitude by which the quality may be worse than the baseline's: shaded.
        front: Labels of the points that a thin stair line joins: those that no other beats on both.
        prefix: Start of every id in the SVG; each plot of a page needs its own.
    """
    drawn = [p for p in points if _is_positive(p.ratio) and _is_positive(p.quality)]
    if not drawn:
        raise InvalidInputError(
            "no variant has both a ratio and a quality above zero: there is nothing to draw"
        )
    with _figures.style():
        figure = _figures.new_figure()
        axes = figure.subplots()
        axes.set_yscale("log")
        for p in drawn:
            colour, marker, face = _verdict_look(p, baseline)
            axes.errorbar(
                p.ratio,
                p.quality,
                xerr=_error_bars(p.ratio, p.ratio_low, p.ratio_high),
                yerr=_error_bars(p.quality, p.quality_low, p.quality_high),
                fmt=marker,
                markersize=8,
                markerfacecolor=face,
                markeredgewidth=1.8,
                color=colour,
                elinewidth=1.6,
                alpha=0.95,
            )
        axes.axvline(1, color=_figures.GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0.5)
        axes.margins(y=0.14)
        _shade_band(axes, band)
        level = next((p.quality for p in drawn if p.label == baseline), None)
        if margin > 0 and level is not None:
            axes.axhspan(level / 10**margin, level * 10**margin, color=_figures.GREY, alpha=0.13, linewidth=0)
        _figures.error_axis(axes)
        _set_ratio_limits(axes, drawn)
        axes.set_xlabel("time, ratio to the baseline (left is faster)")
        axes.set_ylabel(f"{quality} (down is better)")
        axes.set_title(title)
        labels = [f"{p.label} (baseline)" if p.label == baseline else p.label for p in drawn]
        bars = [bar for p in drawn for bar in _bars(p)]
        bars += _draw_front(axes, [(p.ratio, p.quality) for p in drawn if p.label in front])
        write_labels(axes, [(p.ratio, p.quality) for p in drawn], labels, bars)
        return _figures.svg_text(figure, prefix)


def _draw_front(
    axes: Axes, places: Sequence[_figures.Corner]
) -> list[tuple[_figures.Corner, _figures.Corner]]:
    """Draw the stair line of a front from edge to edge, and return its steps."""
    if not places:
        return []
    corners = stair(sorted(set(places)), axes.get_xlim()[1], axes.get_ylim()[1])
    across, up = zip(*corners, strict=True)
    axes.autoscale(enable=False)
    axes.plot(across, up, color=_figures.PURPLE, linewidth=1.1, zorder=0.8, gid="front")
    return list(pairwise(corners))


def ratio_plot(
    points: Sequence[PlotPoint],
    *,
    title: str,
    baseline: str,
    band: float = 0.0,
    prefix: str = "ratios",
) -> str:
    """Draw ratios to the baseline's time with their intervals, one line a variant, the first on top.

    Faster points left and is blue, slower points right and is vermilion, equivalent is a green square, and
    what is inconclusive is grey and hollow. An interval without an end reaches the edge.

    Args:
        points: One for each variant; a point without a verdict is judged by its interval and the band.
        title: The heading.
        baseline: Label of the baseline.
        band: Differences up to this share are none that matter: shaded, from 1/(1 + band) to 1 + band.
        prefix: Start of every id in the SVG; each plot of a page needs its own.
    """
    drawn = [p for p in points if _is_positive(p.ratio)]
    if not drawn:
        raise InvalidInputError("no variant has a ratio above zero: there is nothing to draw")
    with _figures.style():
        figure = _figures.new_figure(height=130 + 42 * max(len(drawn), 2))
        axes = figure.subplots()
        axes.axvline(1, color=_figures.GREY, linewidth=1.4, zorder=0.5)
        _shade_band(axes, band)
        _set_ratio_limits(axes, drawn)
        edge = axes.get_xlim()[1]
        for row, p in enumerate(drawn):
            colour, marker, face = _verdict_look(p, baseline, band)
            high = edge if p.ratio_high == np.inf and _is_positive(p.ratio_low) else p.ratio_high
            bars = _error_bars(p.ratio, p.ratio_low, high)
            axes.errorbar(
                p.ratio,
                row,
                xerr=bars,
                fmt=marker,
                markersize=8.5,
                color=colour,
                markerfacecolor=face,
                markeredgewidth=1.8,
                elinewidth=2.4,
            )
            axes.annotate(
                "baseline" if p.label == baseline else _ratio_words(p),
                (1.0, row),
                xycoords=("axes fraction", "data"),
                xytext=(8, 0),
                textcoords="offset points",
                verticalalignment="center",
                color=_figures.SOFT if p.label == baseline else _figures.INK,
                fontsize=13,
            )
        axes.set_yticks(range(len(drawn)), [textwrap.fill(p.label, 34) for p in drawn])
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=_figures.INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("time, ratio to the baseline (left is faster)")
        axes.set_title(title)
        return _figures.svg_text(figure, prefix)


def _set_ratio_limits(axes: Axes, points: Sequence[PlotPoint]) -> None:
    values = [v for p in points for v in (p.ratio, p.ratio_low, p.ratio_high) if _is_positive(v)]
    _figures.ratio_axis(axes, min(values), max(values))


def _shade_band(axes: Axes, band: float) -> None:
    if band > 0:
        axes.axvspan(1 / (1 + band), 1 + band, color=_figures.GREY, alpha=0.18, linewidth=0, zorder=0.4)


def _verdict_look(point: PlotPoint, baseline: str, band: float = 0.0) -> tuple[str, str, str]:
    """Return colour, marker and its fill."""
    if point.label == baseline:
        return _BASELINE
    if point.verdict:
        return LOOKS[point.verdict]
    if point.ratio_high < 1 / (1 + band):
        return LOOKS["faster"]
    return LOOKS["slower" if point.ratio_low > 1 + band else "inconclusive"]


def _ratio_words(point: PlotPoint) -> str:
    if not _is_positive(point.ratio_low):
        return _figures.format_ratio(point.ratio)
    values = (point.ratio, point.ratio_low, point.ratio_high)
    middle, low, high = map(_digits, values)
    return f"{middle}× [{low}, {high}]"


def _digits(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "∞"
    return f"{ratio:.3f}" if 0.1 <= ratio < 10 else f"{ratio:#.3g}".rstrip(".")


def _bars(point: PlotPoint) -> list[tuple[_figures.Corner, _figures.Corner]]:
    """Return the lower and upper ends of a point's intervals."""
    left, right, low, high = (
        end if _is_positive(end) else middle
        for end, middle in (
            (point.ratio_low, point.ratio),
            (point.ratio_high, point.ratio),
            (point.quality_low, point.quality),
            (point.quality_high, point.quality),
        )
    )
    across = ((left, point.quality), (right, point.quality))
    return [across, ((point.ratio, low), (point.ratio, high))]


def _error_bars(value: float, low: float, high: float) -> list[list[float]] | None:
    """Return the interval as matplotlib wants it; an end that is not known is left out."""
    below = value - low if _is_positive(low) else 0.0
    above = high - value if _is_positive(high) else 0.0
    return [[max(below, 0.0)], [max(above, 0.0)]]


def _is_positive(value: float) -> bool:
    """Return whether a logarithmic axis can show a value, and others beside it."""
    return 1 / _BEYOND < value < _BEYOND
