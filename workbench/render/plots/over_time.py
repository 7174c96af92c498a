"""A figure over stored experiments, in the order of time: each with its interval and its verdict, and what changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.render.plots._svg import (
    ChartAxis,
    Drawing,
    box,
    element,
    error_words,
    percent,
    polyline,
    ticks,
)
from workbench.text import as_seconds

HEIGHT, TOP, FOOT = 120, 18, 22
"""Pixels of the part with the points, and above and below it for words."""
MAX_LARGE = 60
"""Experiments up to which points are large."""
_CORNERS = {
    ("faster", "error-better"): ((-1.0, -1.15), (1.3, 0.0), (-1.0, 1.15)),
    ("slower", "error-worse"): ((1.0, -1.15), (-1.3, 0.0), (1.0, 1.15)),
    ("equivalent", "error-same", "error-not-worse"): ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)),
    ("baseline",): ((0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)),
}
"""Verdicts whose point is no circle: its corners, by the radius of that. They are the signs of the page's key."""


@dataclass(frozen=True)
class TimePoint:
    """A figure in one experiment."""

    value: float
    low: float
    high: float
    kind: str
    """Its verdict: a class of `plots.css`."""
    words: str
    """All of it, for who points at it."""


@dataclass(frozen=True)
class TimeMark:
    """A change: a line before the experiment of this index."""

    index: int
    kind: str
    words: str


def over_time_chart(
    points: Sequence[TimePoint | None],
    marks: Sequence[TimeMark],
    ends: tuple[str, str],
    label: str,
    *,
    is_time: bool,
) -> Markup:
    """Draw a figure above zero by experiment on a logarithmic axis; None is an experiment without it.

    Args:
        points: One for each experiment.
        marks: The changes.
        ends: Words of the first and the last experiment, below.
        label: All of it in words, for screen readers.
        is_time: Whether the figure is seconds, or an error.
    """
    known = [point for point in points if point is not None]
    axis = _axis(min(point.low for point in known), max(point.high for point in known), is_time)
    words: Callable[[float], str] = as_seconds if is_time else error_words
    drawing = Drawing()
    drawing.levels((_y(axis, tick), words(tick)) for tick in _ticks(axis))
    count = len(points)
    places = [(i + 0.5) / count for i in range(count)]
    begins = [0, *(mark.index for mark in marks)]
    for begin, end in zip(begins, [*begins[1:], count], strict=True):  # no line leads over a change
        line = [
            (places[i], axis.share(point.value))
            for i, point in enumerate(points[begin:end], begin)
            if point is not None
        ]
        if len(line) > 1:
            drawing.add("g", box(polyline(line, "wp-trend"), HEIGHT, TOP))
    for x, point in zip(places, points, strict=True):
        if point is None:
            drawing.add("text", "×", x=percent(x), y=TOP + HEIGHT, text_anchor="middle", cls="wp-missing")
        else:
            _add(drawing, axis, percent(x), point, small=count > MAX_LARGE)
    for mark in marks:
        share = mark.index / count
        at, anchor = percent(share), "start" if share < 0.5 else "end"
        drawing.add("line", x1=at, x2=at, y1=TOP - 4, y2=TOP + HEIGHT, cls=f"wp-change {mark.kind}")
        drawing.add("text", mark.words, x=at, y=TOP - 7, text_anchor=anchor, cls=f"wp-change {mark.kind}")
    drawing.add("text", ends[0], x="0", y=TOP + HEIGHT + 16, cls="wp-tick")
    if count > 1:
        drawing.add("text", ends[1], x="100%", y=TOP + HEIGHT + 16, text_anchor="end", cls="wp-tick")
    return drawing.svg(label, TOP + HEIGHT + FOOT, "wp-over-time")


def _axis(low: float, high: float, is_time: bool) -> ChartAxis:
    """Return a logarithmic axis, at least a factor of 1.1 wide, or 2 for errors: what differs by less is little."""
    room = max((high / low) ** 0.06, ((1.1 if is_time else 2.0) * low / high) ** 0.5)
    return ChartAxis(low / room, high * room)


def _ticks(axis: ChartAxis) -> list[float]:
    """Return round values: where the axis is narrow, at equal steps."""
    if axis.high > 3 * axis.low:
        return ticks(axis, 4)
    reach = (axis.high - axis.low) / 2
    step = 10.0 ** math.floor(math.log10(reach))
    step *= max(factor for factor in (1, 2, 5) if factor * step <= reach)
    first = math.ceil(axis.low / step)
    return [float(f"{i * step:.6g}") for i in range(first, math.floor(axis.high / step) + 1)]


def _add(drawing: Drawing, axis: ChartAxis, at: str, point: TimePoint, *, small: bool) -> None:
    inner, kind = element("title", point.words), f"{point.kind}{' thin' if small else ''}"
    if point.high > point.low:
        low, high = _y(axis, point.low), _y(axis, point.high)
        drawing.add("line", x1=at, x2=at, y1=low, y2=high, cls=f"wp-whisker {kind}")
    mark = element("path", inner, d=_shape(point.kind, 2.2 if small else 4.0), cls=f"wp-point {kind}")
    drawing.add("svg", mark, x=at, y=_y(axis, point.value), cls="wp-box")


def _shape(kind: str, r: float) -> str:
    """Return the path of a verdict's sign around the origin; what has none is a circle."""
    corners = next((corners for kinds, corners in _CORNERS.items() if kind in kinds), None)
    if corners is None:
        return f"M{-r:g} 0a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
    return "M" + "L".join(f"{r * x:.3g} {r * y:.3g}" for x, y in corners) + "z"


def _y(axis: ChartAxis, value: float) -> float:
    return TOP + HEIGHT * (1 - axis.share(value))
