"""The residuals of all variants on one axis: a line for each, and one for those that are alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from workbench.errors import InvalidInputError
from workbench.render.plots._svg import (
    COLOURS,
    ChartAxis,
    Corner,
    Drawing,
    box,
    element,
    error_words,
    polyline,
    ticks,
)
from workbench.text import printable, shortened

HEIGHT = 320
BINS = 120
"""Parts of the axis, in each of which the largest residual is drawn."""
ALIKE = 0.02
"""Of the largest residual: curves that differ by no more are one line."""
LABEL_LENGTH = 26
_GAP = 17.0
"""Pixels between two labels."""


@dataclass(frozen=True)
class ResidualCurve:
    """The residuals of one variant, or of several that have the same."""

    labels: Sequence[str]
    x: NDArray[np.float64]
    """(n,)"""
    residual: NDArray[np.float64]
    """(n,)"""


def residual_curves(found: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> list[ResidualCurve]:
    """Return the residuals of all variants; those that are nearly the same are one curve.

    Args:
        found: By variant: x and residual, each (n,).

    Raises:
        InvalidInputError: They have other shapes, or no points.
    """
    curves: list[ResidualCurve] = []
    for name, parts in found.items():
        x, residual = (np.asarray(part, dtype=np.float64) for part in parts)
        if x.ndim != 1 or x.shape != residual.shape or not len(x):
            raise InvalidInputError(
                f"x and residual of {name!r} have shapes {x.shape} and {residual.shape}: they need one, equal, "
                "non-zero length"
            )
        curve = ResidualCurve([name], x, residual)
        same = next((i for i, other in enumerate(curves) if _is_same(other, curve)), None)
        if same is None:
            curves.append(curve)
        else:
            curves[same] = replace(curves[same], labels=[*curves[same].labels, name])
    return curves


def _is_same(one: ResidualCurve, other: ResidualCurve) -> bool:
    """Return whether two lines could not be distinguished."""
    if not np.array_equal(one.x, other.x):
        return False
    largest = float(np.max(np.abs(one.residual), initial=0.0))
    return bool(np.allclose(one.residual, other.residual, rtol=0, atol=ALIKE * largest))


def residuals_chart(curves: Sequence[ResidualCurve]) -> Markup | None:
    """Draw the size of residuals along x, a line for each curve, on one logarithmic axis.

    Each line is the largest residual in every part of the axis. Where none has a residual there is no chart. Names are
    beside the lines, and in a list below, which a narrow page shows instead.
    """
    lines = [(curve, _largest_by_x(curve)) for curve in curves]
    heights = [y for _, line in lines for _, y in line]
    if not heights:
        return None
    low, high = math.log10(min(heights)), math.log10(max(heights))
    room = 0.06 * (high - low) or 0.3
    up = ChartAxis(10 ** (low - room), 10 ** (high + room))
    begin, end = (float(each) for each in (min(c.x.min() for c in curves), max(c.x.max() for c in curves)))
    across = ChartAxis(begin, end if end > begin else begin + 1, is_linear=True)
    drawing = Drawing()
    drawing.levels((_y(up, tick), error_words(tick)) for tick in ticks(up))
    width = across.high - across.low
    drawing.uprights(((share, f"{across.low + share * width:.3g}") for share in (0.0, 0.5, 1.0)), HEIGHT)
    drawn = [
        polyline([(across.share(x), up.share(y)) for x, y in line], f"wp-line {_look(k)}")
        for k, (_, line) in enumerate(lines)
        if line
    ]
    drawing.add("g", box(Markup("").join(drawn), HEIGHT))
    shown = [k for k, (_, line) in enumerate(lines) if line]
    wanted = [_y(up, float(np.median([y for _, y in lines[k][1]]))) for k in shown]
    for k, y in zip(shown, _spread(wanted), strict=True):
        drawing.add("rect", x="100%", y=y - 5, width=10, height=10, cls=f"wp-part {_look(k)} wp-beside")
        drawing.add("text", _label(lines[k][0].labels), x="100%", dx=24, y=y + 4, cls="wp-name")
    chart = drawing.svg("Residuals of all variants", HEIGHT + 26, "wp-residuals")
    return chart + element("ul", Markup("").join(_sign(k, lines[k][0].labels) for k in shown), cls="wp-below")


def _largest_by_x(curve: ResidualCurve) -> list[Corner]:
    """Return the middle of each part of the axis that has points, and the largest residual above zero there."""
    x, residual = curve.x, np.abs(curve.residual)
    edges = np.linspace(x.min(), x.max(), BINS + 1)
    part = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BINS - 1)
    largest = np.zeros(BINS)
    np.maximum.at(largest, part, np.where(np.isfinite(residual), residual, 0.0))
    middles = (edges[1:] + edges[:-1]) / 2
    return [(float(middles[i]), float(largest[i])) for i in np.flatnonzero(largest > 0)]


def _y(axis: ChartAxis, value: float) -> float:
    return HEIGHT * (1 - axis.share(value))


def _look(k: int) -> str:
    """Return the classes of the k-th line: a colour, and behind the last a dash."""
    return f"s{k % COLOURS}" + (f" dash{k // COLOURS % 3}" if k >= COLOURS else "")


def _label(names: Sequence[str]) -> str:
    first = shortened(printable(names[0]), LABEL_LENGTH)
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _sign(k: int, names: Sequence[str]) -> Markup:
    line = element("line", x2=22, y1=5, y2=5, cls=f"wp-line {_look(k)}")
    sign = element("svg", line, width=22, height=10, cls="wp-sign", aria_hidden="true")
    return element("li", sign + " " + _label(names))


def _spread(wanted: Sequence[float]) -> list[float]:
    """Return heights near the wanted ones, in their order and as far apart as labels need."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = 8.0
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + _GAP
    ceiling = HEIGHT - 4.0
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - _GAP
    return placed
