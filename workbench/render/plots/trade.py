"""Speed against error: a point each variant with both intervals, its name beside it, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.render.plots._labels import Places, write_label
from workbench.render.plots._svg import (
    MAX_TICKS,
    ChartAxis,
    Corner,
    Drawing,
    around_one,
    error_words,
    factor_ticks,
    factor_words,
    is_drawable,
    ticks,
)
from workbench.render.plots.pareto import stair
from workbench.text import shortened

WIDTH, HEIGHT = 560, 340
"""Pixels: the least width of the part with the points, and its height."""
NARROW = 220
"""Pixels of the same on a telephone."""
NAME_LENGTH = 34
_RADIUS = 6.0


@dataclass(frozen=True)
class TradePoint:
    """One variant: its speed-up and its error, each with its interval."""

    label: str
    speed_up: float
    """Above 1 is faster than the baseline."""
    speed_up_low: float
    speed_up_high: float
    error: float
    """Smaller is better."""
    error_low: float
    error_high: float
    kind: str
    """The verdict: a class of `plots.css`."""


def trade_chart(
    points: Sequence[TradePoint],
    *,
    band: float,
    margin: float,
    baseline: str,
    front: Collection[str],
    width: int = WIDTH,
) -> Markup:
    """Draw speed against error: the lower right is fast and good.

    Args:
        points: One for each variant, the baseline among them.
        band: Differences in speed up to this share are none that matter: shaded.
        margin: Orders of magnitude by which the error may be larger than the baseline's: shaded.
        baseline: Its label.
        front: Labels of the points that no other beats on both: a stair line joins them.
        width: Pixels: the least width of the part with the points. On a narrow one only short labels have room.

    Raises:
        InvalidInputError: Nothing can be drawn on logarithmic axes.
    """
    points = [point for point in points if is_drawable(point.speed_up) and is_drawable(point.error)]
    if not points:
        raise InvalidInputError(
            "no variant has both a speed-up and an error above zero: there is nothing to draw"
        )
    across = around_one([(p.speed_up_low, p.speed_up_high) for p in points], band)
    up = _error_axis(points)
    drawing = Drawing()
    level = next((p.error for p in points if p.label == baseline), None)
    _ground(drawing, across, up, band, margin, level, MAX_TICKS if width >= WIDTH else 5)
    places = [(p.speed_up, p.error) for p in points if p.label in front]
    if places:
        _front(drawing, across, up, places)
    for point in points:
        _point(drawing, across, up, point)
    _labels(drawing, across, up, points, width)
    return drawing.svg("Speed against error", HEIGHT + 44, "wp-trade")


def _labels(
    drawing: Drawing, across: ChartAxis, up: ChartAxis, points: Sequence[TradePoint], width: int
) -> None:
    """Write the names beside the points; points at one place have one label."""
    places = [(width * across.share(p.speed_up), _y(up, p.error)) for p in points]
    groups: dict[int, list[str]] = {}
    for i, (x, y) in enumerate(places):
        near = (k for k in groups if math.hypot(x - places[k][0], y - places[k][1]) < _RADIUS)
        groups.setdefault(next(near, i), []).append(shortened(points[i].label, NAME_LENGTH))
    taken = Places(width, HEIGHT)
    for i, point in enumerate(points):
        if i in groups:
            taken.take(*places[i], _RADIUS)
        ends = width * across.share(point.speed_up_low), width * across.share(point.speed_up_high)
        taken.take_level(places[i][1], *ends)
    for i, names in groups.items():
        x, y = places[i]
        label = taken.beside(
            x, y, _RADIUS, (" · ".join(names), f"{names[0]} and {len(names) - 1} more", names[0])
        )
        if label is not None:
            write_label(drawing, label, across.percent(points[i].speed_up), y)


def _error_axis(points: Sequence[TradePoint]) -> ChartAxis:
    ends = [end for p in points for end in (p.error, p.error_low, p.error_high) if is_drawable(end)]
    low, high = math.log10(min(ends)), math.log10(max(ends))
    room = 0.08 * (high - low) or 0.3
    return ChartAxis(10 ** (low - room), 10 ** (high + room))


def _y(axis: ChartAxis, value: float) -> float:
    return HEIGHT * (1 - axis.share(value))


def _ground(
    drawing: Drawing,
    across: ChartAxis,
    up: ChartAxis,
    band: float,
    margin: float,
    level: float | None,
    most: int,
) -> None:
    drawing.band(across, 1 + band, HEIGHT)
    if level is not None and margin > 0:
        top, bottom = _y(up, level * 10**margin), _y(up, level / 10**margin)
        drawing.add("rect", x="0", y=top, width="100%", height=bottom - top, cls="wp-band")
    drawing.levels((_y(up, tick), error_words(tick)) for tick in ticks(up))
    drawing.uprights(
        ((across.share(tick), factor_words(tick)) for tick in factor_ticks(across, most)), HEIGHT, "1"
    )
    drawing.add("text", "slower", x="0", y=HEIGHT + 38, cls="wp-tick")
    drawing.add("text", "faster", x="100%", y=HEIGHT + 38, text_anchor="end", cls="wp-tick")


def _front(drawing: Drawing, across: ChartAxis, up: ChartAxis, places: Sequence[Corner]) -> None:
    """Draw the stair line of a front; it goes from what is fast to what is good."""
    inverted = sorted({(1 / speed_up, error) for speed_up, error in places})
    for (a, b), (c, d) in pairwise(stair(inverted, 1 / across.low, up.high)):
        drawing.add(
            "line",
            x1=across.percent(1 / a),
            y1=_y(up, b),
            x2=across.percent(1 / c),
            y2=_y(up, d),
            cls="wp-front",
        )


def _point(drawing: Drawing, across: ChartAxis, up: ChartAxis, point: TradePoint) -> None:
    x, y = across.percent(point.speed_up), _y(up, point.error)
    ends = (across.percent(point.speed_up_low), across.percent(point.speed_up_high))
    drawing.add("line", x1=ends[0], x2=ends[1], y1=y, y2=y, cls=f"wp-whisker {point.kind}")
    low, high = (
        _y(up, end if is_drawable(end) else point.error) for end in (point.error_low, point.error_high)
    )
    drawing.add("line", x1=x, x2=x, y1=low, y2=high, cls=f"wp-whisker {point.kind}")
    drawing.add("circle", cx=x, cy=y, r=5, cls=f"wp-point {point.kind}")
