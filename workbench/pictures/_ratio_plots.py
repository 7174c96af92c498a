"""Plots of variants against a baseline: ratios with their intervals, and speed against quality."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from workbench.errors import InvalidInputError
from workbench.pictures import _figures as look
from workbench.pictures._figures import Target


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


def speed_quality_plot(
    path: Target,
    points: Sequence[PlotPoint],
    *,
    title: str,
    baseline: str,
    time: str = "time",
    quality: str = "error",
    as_svg: bool = False,
    prefix: str = "speed-quality",
) -> str:
    """Draw time against quality, both with their intervals: the lower left is fast and good.

    Args:
        path: File to write, or `None`.
        points: One for each variant, the baseline among them.
        title: The heading.
        baseline: Label of the baseline.
        time: What the ratio is of, for the axis: "time per epoch".
        quality: What the quality is: "training MSE".
        as_svg: Whether to return SVG text.
        prefix: Start of every id in it.
    """
    drawn = [p for p in points if _is_positive(p.ratio) and _is_positive(p.quality)]
    if not drawn:
        raise InvalidInputError(
            "no variant has both a ratio and a quality above zero: there is nothing to draw"
        )
    with look.style():
        figure = look.new_figure()
        axes = figure.subplots()
        axes.set_yscale("log")
        for p in drawn:
            colour, marker = (look.INK, "D") if p.label == baseline else (look.BLUE, "o")
            axes.errorbar(
                p.ratio,
                p.quality,
                xerr=_arms(p.ratio, p.ratio_low, p.ratio_high),
                yerr=_arms(p.quality, p.quality_low, p.quality_high),
                fmt=marker,
                markersize=8,
                color=colour,
                elinewidth=1.6,
                alpha=0.95,
            )
        axes.axvline(1, color=look.GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0.5)
        axes.margins(y=0.14)
        look.error_axis(axes)
        _set_ratio_limits(axes, drawn)
        axes.set_xlabel(f"{time}, ratio to the baseline (left is faster)")
        axes.set_ylabel(f"{quality} (down is better)")
        axes.set_title(title)
        labels = [f"{p.label} (baseline)" if p.label == baseline else p.label for p in drawn]
        bars = [bar for p in drawn for bar in _bars(p)]
        look.place_labels(axes, [(p.ratio, p.quality) for p in drawn], labels, bars)
        return look.save(figure, path, as_svg=as_svg, prefix=prefix)


def ratio_plot(
    path: Target,
    points: Sequence[PlotPoint],
    *,
    title: str,
    baseline: str,
    as_svg: bool = False,
    prefix: str = "ratios",
) -> str:
    """Draw ratios to the baseline's time with their intervals, one line a variant, the first on top.

    An interval on one side of 1 is blue (faster) or vermilion (slower); one that holds 1 is grey and hollow.
    """
    drawn = [p for p in points if _is_positive(p.ratio)]
    if not drawn:
        raise InvalidInputError("no variant has a ratio above zero: there is nothing to draw")
    with look.style():
        figure = look.new_figure(height=130 + 42 * max(len(drawn), 2))
        axes = figure.subplots()
        axes.axvline(1, color=look.GREY, linewidth=1.4, zorder=0.5)
        for row, p in enumerate(drawn):
            colour, marker, face = _verdict_look(p, baseline)
            arms = _arms(p.ratio, p.ratio_low, p.ratio_high)
            axes.errorbar(
                p.ratio,
                row,
                xerr=arms,
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
                color=look.SOFT if p.label == baseline else look.INK,
                fontsize=13,
            )
        axes.set_yticks(range(len(drawn)), [textwrap.fill(p.label, 34) for p in drawn])
        axes.set_ylim(len(drawn) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelcolor=look.INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        _set_ratio_limits(axes, drawn)
        axes.set_xlabel("time, ratio to the baseline (left is faster)")
        axes.set_title(title)
        return look.save(figure, path, as_svg=as_svg, prefix=prefix)


def _set_ratio_limits(axes: Axes, points: Sequence[PlotPoint]) -> None:
    values = [v for p in points for v in (p.ratio, p.ratio_low, p.ratio_high) if _is_positive(v)]
    look.ratio_axis(axes, min(values), max(values))


def _verdict_look(point: PlotPoint, baseline: str) -> tuple[str, str, str]:
    """Return colour, marker and its fill; hollow where the interval holds 1."""
    if point.label == baseline:
        return look.INK, "D", look.INK
    if point.ratio_high < 1:
        return look.BLUE, "o", look.BLUE
    if point.ratio_low > 1:
        return look.VERMILION, "o", look.VERMILION
    return look.GREY, "o", "none"


def _ratio_words(point: PlotPoint) -> str:
    if not (_is_positive(point.ratio_low) and np.isfinite(point.ratio_high)):
        return look.format_ratio(point.ratio)
    middle, low, high = (f"{v:#.3g}".rstrip(".") for v in (point.ratio, point.ratio_low, point.ratio_high))
    return f"{middle}× [{low}, {high}]"


def _bars(point: PlotPoint) -> list[tuple[look.Corner, look.Corner]]:
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


def _arms(value: float, low: float, high: float) -> list[list[float]] | None:
    """Return the interval as matplotlib wants it; an end that is not known is left out."""
    below = value - low if _is_positive(low) else 0.0
    above = high - value if _is_positive(high) else 0.0
    return [[max(below, 0.0)], [max(above, 0.0)]]


def _is_positive(value: float) -> bool:
    return bool(np.isfinite(value)) and value > 0
