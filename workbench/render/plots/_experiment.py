"""Plots of one session: the ratio of every round in order of time, and how often a target was reached by when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures

ROW_HEIGHT = 104
"""Pixels for the rounds of one variant."""
LABEL_GAP = 0.068


@dataclass(frozen=True)
class RoundRatios:
    """One variant: its ratio to the baseline in every round, in order of time."""

    label: str
    ratios: Sequence[float]
    """NaN where there is none, because one of the two failed."""
    note: str = ""
    """Stands at the right, over the row."""


def round_ratios_plot(
    rows: Sequence[RoundRatios],
    *,
    title: str,
    band: float = 0.0,
    prefix: str = "rounds",
) -> str:
    """Draw each round's ratio as its difference from the variant's median, in order of time, a row a variant.

    All rows have the same height in percent, so that their noise can be compared; what lies beyond is a
    triangle at the edge, and a round without a ratio is a cross on the middle line.

    Args:
        rows: One for each variant, all of the same rounds.
        title: The heading.
        band: Differences up to this share are none that matter: shaded.
        prefix: Start of every id in the SVG; each plot of a page needs its own.

    Raises:
        InvalidInputError: No row has a ratio.
    """
    drawn = [(row, _deviations(row.ratios)) for row in rows]
    drawn = [(row, deviations) for row, deviations in drawn if np.isfinite(deviations).any()]
    if not drawn:
        raise InvalidInputError("no variant has a ratio above zero in any round: there is nothing to draw")
    reach = _reach([deviations for _, deviations in drawn], 100 * band)
    with _figures.style():
        figure = _figures.new_figure(height=100 + ROW_HEIGHT * len(drawn))
        panels = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (row, deviations) in zip(panels, drawn, strict=True):
            _draw_row(axes, deviations, reach, 100 * band)
            axes.set_title(row.label, fontsize=13, pad=3, fontweight="normal")
            axes.set_title(
                row.note, fontsize=12, pad=3, fontweight="normal", loc="right", color=_figures.SOFT
            )
        figure.suptitle(title, x=0.008, horizontalalignment="left", fontsize=16, fontweight="bold")
        panels[-1].set_xlabel("round, in order of time")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return _figures.svg_text(figure, prefix)


def _deviations(ratios: Sequence[float]) -> NDArray[np.float64]:
    """Return differences from the median in percent; NaN where there is no ratio."""
    values = np.asarray(ratios, dtype=np.float64)
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    if np.isnan(values).all():
        return values
    deviations: NDArray[np.float64] = 100 * (values / np.nanmedian(values) - 1)
    return deviations


def _reach(rows: Sequence[NDArray[np.float64]], band: float) -> float:
    """Return the half height of a row: of the noisiest variant all but its outliers."""
    usual = max(float(np.nanpercentile(np.abs(row), 85)) for row in rows)
    return max(2 * band, 1.5 * usual) or 1.0


def _draw_row(axes: Axes, deviations: NDArray[np.float64], reach: float, band: float) -> None:
    rounds = np.arange(1, len(deviations) + 1)
    if band > 0:
        axes.axhspan(-band, band, color=_figures.GREY, alpha=0.18, linewidth=0, zorder=0.4)
    axes.axhline(0, color=_figures.GREY, linewidth=1.1, zorder=0.5)
    axes.plot(
        rounds, np.clip(deviations, -reach, reach), color=_figures.BLUE, linewidth=0.9, alpha=0.45, zorder=1
    )
    points = (
        (np.abs(deviations) <= reach, deviations, "o", _figures.BLUE),
        (deviations > reach, np.full_like(deviations, reach), "^", _figures.VERMILION),
        (deviations < -reach, np.full_like(deviations, -reach), "v", _figures.VERMILION),
        (np.isnan(deviations), np.zeros_like(deviations), "x", _figures.VERMILION),
    )
    for chosen, heights, marker, colour in points:
        if chosen.any():  # the layout cannot place lines of no points
            axes.plot(
                rounds[chosen], heights[chosen], marker, markersize=6, color=colour, clip_on=False, zorder=3
            )
    axes.set_xlim(0.4, len(deviations) + 0.6)
    axes.set_ylim(-1.08 * reach, 1.08 * reach)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, symmetric=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))


def _percent(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+.3g} %".replace("-", "−")


def time_to_target_plot(
    times: Mapping[str, Sequence[float]],
    *,
    title: str,
    of: str = "rounds",
    prefix: str = "targets",
) -> str:
    """Draw for each variant the share of its rounds that had reached the target by a time: the ECDF with misses.

    A curve that ends below 1 has missed the target in the rest of its rounds (Hansen et al., COCO, 2021,
    Optim. Methods Softw. 36, 114: runtime profiles). Higher and further left is better.

    Args:
        times: By variant: seconds in each round, infinite for a miss.
        title: The heading.
        of: What the share is of, for the axis.
        prefix: Start of every id in the SVG; each plot of a page needs its own.

    Raises:
        InvalidInputError: No variant has reached the target, or a time is below 0.
    """
    curves = {label: np.sort(np.asarray(values, dtype=np.float64)) for label, values in times.items()}
    curves = {label: values for label, values in curves.items() if len(values)}
    reached = [values[np.isfinite(values)] for values in curves.values()]
    if not any(len(values) for values in reached):
        raise InvalidInputError("no variant has reached the target: there is nothing to draw")
    finite = np.concatenate(reached)
    if finite.min() < 0:
        raise InvalidInputError(
            f"a time to the target is {finite.min():g} s: give times from 0 on, infinite for a miss"
        )
    positive = finite[finite > 0]  # where a run began at the target its curve begins above 0
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    with _figures.style():
        figure = _figures.new_figure(height=max(400, 130 + 26 * len(curves)))
        axes = figure.subplots()
        _figures.time_axis(axes, low, high)
        left, right = axes.get_xlim()
        for k, (values, found) in enumerate(zip(curves.values(), reached, strict=True)):
            shares = np.arange(len(found) + 1) / len(values)
            axes.step(
                [left, *np.maximum(found, left), right],
                [*shares, shares[-1]],
                where="post",
                solid_capstyle="butt",
                **_line(k),
            )
            if len(found) < len(values):  # where a curve stops for good
                axes.plot(
                    right, shares[-1], marker="o", markersize=7, markerfacecolor="none", clip_on=False,
                    color=_line(k)["color"],
                )  # fmt: skip
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axes.set_xlabel("time to the target (left is faster)")
        axes.set_ylabel(f"share of {of} (up is better)")
        axes.set_title(title)
        _label_curves(axes, curves)
        return _figures.svg_text(figure, prefix)


def _line(k: int) -> dict[str, Any]:
    """Return the look of the k-th line; the same as in the curves of errors."""
    dashes = _figures.DASHES[k // len(_figures.LINES) % len(_figures.DASHES)]
    return {"color": _figures.LINES[k % len(_figures.LINES)], "linestyle": dashes}


def _label_curves(axes: Axes, curves: Mapping[str, NDArray[np.float64]]) -> None:
    """Write each label at the right, near where its curve ends, with its line and how often it got there."""
    hits = [int(np.isfinite(values).sum()) for values in curves.values()]
    shares = [hit / len(values) for hit, values in zip(hits, curves.values(), strict=True)]
    medians = np.argsort(np.argsort([float(values[len(values) // 2]) for values in curves.values()]))
    wanted = [share / 1.02 - 1e-6 * rank for share, rank in zip(shares, medians.tolist(), strict=True)]
    gap = min(LABEL_GAP, 1 / max(len(wanted) - 1, 1))
    for k, height in enumerate(_figures.spread(wanted, gap, 0.0, 1.0)):
        axes.plot(
            [1.02, 1.055],
            [height, height],
            transform=axes.transAxes,
            clip_on=False,
            linewidth=2.4,
            **_line(k),
        )
        label, values = list(curves.items())[k]
        axes.annotate(
            f"{label}  {hits[k]}/{len(values)}",
            (1.065, height),
            xycoords="axes fraction",
            verticalalignment="center",
            color=_figures.INK,
            fontsize=13,
        )
