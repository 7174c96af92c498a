"""The look of the plots, and the ways to save one. No pyplot: nothing global is left behind."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from workbench.errors import InvalidInputError
from workbench.text import as_seconds

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#2f7fc1", "#d1590f", "#0f9468", "#a465b8", "#c58a00", "#4aa8d8"
LINES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
"""Mid-tones of the Okabe-Ito palette: distinct without colour vision, on white and on black."""
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)))
GREY = "#7d8590"
INK = "#262b33"
SOFT = "#5d6672"
"""Ink and its softer sister; in SVG text both become the colour of the page's text."""

Corner = tuple[float, float]

MAX_DECADES = 9
"""Ticks of an axis of times; where it spans more decades, not every one has its own."""
_PIXELS_PER_INCH = 100
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 14,
    "axes.titlesize": 16,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 14,
    "axes.labelcolor": SOFT,
    "axes.titlecolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 13,
    "ytick.labelsize": 13,
    "text.color": INK,
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": 13,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "path.simplify": True,
}


def new_figure(width: int = 900, height: int = 500) -> Figure:
    """Return an empty figure, its size in pixels of a page."""
    figure = Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), dpi=_PIXELS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    return figure


def style() -> Any:
    """Return the context in which figures are made and saved."""
    return mpl.rc_context(_STYLE)


def line_look(number: int) -> dict[str, Any]:
    """Return colour and dashes of a line, different from those of its neighbours."""
    return {
        "color": LINES[number % len(LINES)],
        "linestyle": DASHES[number // len(LINES) % len(DASHES)],
    }


def save(figure: Figure, path: str | Path, *, prefix: str) -> None:
    """Write a figure to a `.png` or `.svg` file."""
    suffix = Path(path).suffix.lower()
    if suffix == ".svg":
        Path(path).write_text(svg_text(figure, prefix), encoding="utf-8")
    elif suffix == ".png":
        # Twice the density, for sharp screens; no date and version, so that equal plots are equal files.
        figure.savefig(path, format="png", dpi=2 * _PIXELS_PER_INCH, metadata={"Software": None})
    else:
        raise InvalidInputError(f"cannot write a plot to {os.fspath(path)!r}: end its name with .png or .svg")


def svg_text(figure: Figure, prefix: str) -> str:
    """Return SVG for a page: ids of its own, no background, and the text in the colour of the page's text."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", prefix):
        raise InvalidInputError(f"prefix {prefix!r} is no identifier: use letters, digits, - and _")
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": prefix}):
        figure.savefig(
            stream,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]  # the page has its own declaration
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{prefix}-", text)
    text = re.sub(
        r"(font(?:-family)?: [^;\"]*?)('DejaVu Sans'[^;\"]*sans-serif)", r"\1system-ui, sans-serif", text
    )
    text = re.sub(f"(?:{INK}|{SOFT})", "currentColor", text)
    # `*{...}` in matplotlib's style element would reach the whole page.
    text = re.sub(
        r"<style[^>]*>\*\{(.*?)\}</style>", rf"<style>#{prefix} *{{\1}}</style>", text, flags=re.DOTALL
    )
    return re.sub(
        r'<svg ([^>]*?)width="[^"]*"',
        rf'<svg id="{prefix}" class="wb-plot" \1width="100%"',
        re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1),
        count=1,
    )


def format_ratio(value: float) -> str:
    """Return a ratio as people write one: 0.25×, 1×, 12×."""
    return f"{value:.3g}×"


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """Make the x axis a logarithmic one of ratios that shows `low` to `high` and 1."""
    low, high = min(low, 0.95), max(high, 1.05)
    room = (high / low) ** 0.06
    low, high = low / room, high * room
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(ratio_ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_ratio(value)))


def time_axis(axes: Axes, low: float, high: float) -> None:
    """Make the x axis a logarithmic one of seconds that shows `low` to `high`, at least half as much again."""
    room = max((high / low) ** 0.04, (1.5 * low / high) ** 0.5, 1.02)
    low, high = low / room, high * room
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator(_time_ticks(low, high)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: as_seconds(value)))


def _time_ticks(low: float, high: float) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    if len(decades) > MAX_DECADES:
        every = -(-len(decades) // MAX_DECADES)
        return [10.0**decade for decade in decades[::every] if low <= 10.0**decade <= high]
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [float(f"{step * 10.0**decade:.4g}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            return ticks
    even = MaxNLocator(nbins=5).tick_values(low, high)
    return [float(tick) for tick in even if low <= tick <= high]


def error_axis(axes: Axes) -> None:
    """Make the y axis a logarithmic one of errors, labelled as people write them: 1e-3."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _format_error(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(
        LogLocator(subs=(1.0,) if high / low >= 1000 else (1.0, 2.0, 5.0), numticks=9)
    )


def _format_error(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def ratio_ticks(low: float, high: float) -> list[float]:
    """Return where an axis of ratios from `low` to `high` has its ticks."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in (
        (1,),
        (1, 3),
        (1, 2, 5),
        (1, 1.5, 2, 3, 5, 7),
        (1, 1.2, 1.5, *range(2, 10)),
        np.arange(10, 100, 5) / 10,
    ):
        ticks = [float(f"{step * 10.0**decade:.4g}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 4:
            return ticks
    # Less than a factor of about 1.2 in all: even steps around 1.
    step = next(s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1) if (high - low) / s <= 5 or s == 0.1)
    return [round(1 + step * k, 4) for k in range(-40, 41) if low <= 1 + step * k <= high]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions near the wanted ones, in their order, at least `gap` apart and within the limits."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed
