"""Plots of what a whole is made of: stacked bars, such as the time that each variant spends in each scope."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures

ROW_HEIGHT, LEGEND_ROW = 36, 24
"""Pixels for a bar, and for a row of the legend."""
LEGEND_CELLS = 104
"""Letters that a row of the legend has room for."""
_ON_COLOUR = "#0b0e12"
"""Text on a bar: dark on every colour, be the page light or dark."""
_LETTER, _SIDES = 0.0135, 0.012
"""Shares of the axis that a letter of a number takes, and the ground around it."""


def stacked_bars_plot(
    bars: Mapping[str, Sequence[float]],
    parts: Sequence[str],
    *,
    title: str,
    axis: str,
    rest: bool = False,
    ends: Sequence[float] = (),
    end: str = "",
    words: Callable[[float], str] = "{:.3g}".format,
    prefix: str = "bars",
) -> str:
    """Draw a bar for each label, stacked of parts that have one colour and one place in all bars.

    Args:
        bars: By label: the amount of each part, from 0 on.
        parts: What the parts are called, at most as many as there are colours, and the rest.
        title: The heading.
        axis: What the amounts are.
        rest: Whether the last part is what is left over: grey.
        ends: For each bar an amount that is marked on it by a line; NaN where there is none.
        end: What the marks are, for the legend.
        words: Writes an amount, on the axis and in the bars.
        prefix: Start of every id in the SVG; each plot of a page needs its own.

    Raises:
        InvalidInputError: There are no bars or parts, too many parts, or an amount is below 0 or not finite.
    """
    amounts = _checked(bars, parts, rest, ends)
    marks = np.asarray(ends, dtype=np.float64)
    colours = [*_figures.LINES[: len(parts) - rest], *([_figures.GREY] if rest else [])]
    reach = max(float(amounts.sum(axis=1).max()), float(np.nanmax(marks, initial=0.0)))
    handles: list[Artist] = [Patch(color=colour) for colour in colours]
    names = list(parts)
    if end and np.isfinite(marks).any():
        handles.append(Line2D([], [], color=_figures.INK, linewidth=2.4))
        names.append(end)
    columns = max(1, min(len(names), LEGEND_CELLS // (max(map(len, names)) + 6)))
    with _figures.style():
        legend_rows = -(-len(names) // columns)
        figure = _figures.new_figure(height=105 + ROW_HEIGHT * len(bars) + LEGEND_ROW * legend_rows)
        axes = figure.subplots()
        _draw_bars(axes, amounts, colours)
        _write_amounts(axes, amounts, marks, reach, words)
        for row, mark in enumerate(marks.tolist()):
            if math.isfinite(mark):
                axes.plot([mark, mark], [row - 0.46, row + 0.46], color=_figures.INK, linewidth=2.4, zorder=3)
        axes.set_yticks(range(len(bars)), labels=list(bars), color=_figures.INK)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(len(bars) - 0.4, -0.6)  # the first is on top
        axes.set_xlim(0, 1.02 * reach if reach > 0 else 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value) if value else "0"))
        axes.set_xlabel(axis)
        figure.suptitle(title, x=0.008, horizontalalignment="left", fontsize=16, fontweight="bold")
        _add_legend(figure, handles, names, columns)
        return _figures.svg_text(figure, prefix)


def _checked(
    bars: Mapping[str, Sequence[float]], parts: Sequence[str], rest: bool, ends: Sequence[float]
) -> NDArray[np.float64]:
    """Return (bars, parts) the amounts."""
    if not bars or not parts:
        raise InvalidInputError("there are no bars, or no parts of them: there is nothing to draw")
    if len(parts) - rest > len(_figures.LINES):
        raise InvalidInputError(
            f"{len(parts)} parts are more than there are colours: "
            f"put small ones together, {len(_figures.LINES)} and a rest"
        )
    for label, values in bars.items():
        if len(values) != len(parts):
            raise InvalidInputError(f"the bar {label!r} has {len(values)} amounts for {len(parts)} parts")
        for value in values:
            if not (math.isfinite(value) and value >= 0):
                raise InvalidInputError(
                    f"the bar {label!r} has the amount {value:g}: give finite ones from 0 on"
                )
    if len(ends) not in (0, len(bars)):
        raise InvalidInputError(f"{len(ends)} ends for {len(bars)} bars: give one for each, or none")
    return np.array(list(bars.values()), dtype=np.float64)


def _draw_bars(axes: Axes, amounts: NDArray[np.float64], colours: Sequence[str]) -> None:
    rows = np.arange(len(amounts))
    begins = np.cumsum(amounts, axis=1) - amounts
    for part, colour in enumerate(colours):
        axes.barh(
            rows, amounts[:, part], left=begins[:, part], height=0.68, color=colour, linewidth=0, zorder=2
        )


def _write_amounts(
    axes: Axes,
    amounts: NDArray[np.float64],
    marks: NDArray[np.float64],
    reach: float,
    words: Callable[[float], str],
) -> None:
    """Write each amount in its part where there is room for it, beside the mark where that stands in it."""
    for row, values in enumerate(amounts.tolist()):
        begin = 0.0
        mark = float(marks[row]) if len(marks) else math.nan
        for amount in values:
            low, high = begin, begin + amount
            if low < mark < high:
                low, high = max((low, mark), (mark, high), key=lambda side: side[1] - side[0])
            text = words(amount)
            if high - low > (_LETTER * len(text) + _SIDES) * reach:
                axes.text(
                    (low + high) / 2,
                    row,
                    text,
                    color=_ON_COLOUR,
                    fontsize=12,
                    horizontalalignment="center",
                    verticalalignment="center_baseline",
                    zorder=4,
                )
            begin += amount


def _add_legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str], columns: int) -> None:
    # matplotlib leaves out names that begin with an underscore.
    shown = [f" {name}" if name.startswith("_") else name for name in names]
    figure.legend(
        handles,
        shown,
        loc="outside lower left",
        ncols=columns,
        handlelength=1.2,
        handleheight=1.0,
        columnspacing=1.4,
    )
