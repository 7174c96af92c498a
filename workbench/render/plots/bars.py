"""Stacked bars: what a whole is made of, a row for each label, with parts that have one colour in all rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.render.plots._svg import COLOURS, ChartAxis, Drawing, element, percent, usual_amount
from workbench.text import printable

HEIGHT = 22
_ROOM = 0.085
"""The least share of the axis for a part that has its amount written on it."""


@dataclass(frozen=True)
class Bars:
    """Stacked bars, and the key of their colours."""

    rows: Mapping[str, Markup]
    """By label."""
    key: Sequence[Markup]
    """A sign with its name for each part."""
    beyond: Sequence[str]
    """Labels of the bars that are longer than the axis, which would flatten all others."""


def stacked_bars(
    bars: Mapping[str, Sequence[float]],
    parts: Sequence[str],
    *,
    rest: bool = False,
    ends: Mapping[str, float] | None = None,
    words: Callable[[float], str],
) -> Bars:
    """Draw a bar for each label.

    Args:
        bars: By label: the amount of each part, from 0 on.
        parts: What the parts are called, at most as many as there are colours, and the rest.
        rest: Whether the last part is what is left over: grey.
        ends: By label an amount that is marked on the bar by a line.
        words: Writes an amount.

    Raises:
        InvalidInputError: There are too many parts, or an amount is below 0 or not finite.
    """
    if len(parts) - rest > COLOURS:
        raise InvalidInputError(
            f"{len(parts)} parts are more than there are colours: put small ones together, {COLOURS} and a rest"
        )
    for label, values in bars.items():
        if len(values) != len(parts):
            raise InvalidInputError(f"the bar {label!r} has {len(values)} amounts for {len(parts)} parts")
        for value in values:
            if not (math.isfinite(value) and value >= 0):
                raise InvalidInputError(
                    f"the bar {label!r} has the amount {value:g}: give finite ones from 0 on"
                )
    marks = ends or {}
    lengths = {label: max(math.fsum(values), marks.get(label, 0.0)) for label, values in bars.items()}
    axis = ChartAxis(0.0, usual_amount(lengths.values()) or 1.0, is_linear=True)
    classes = [f"wp-part s{i}" for i in range(len(parts) - rest)] + ["wp-part rest"] * rest
    rows = {
        label: _bar(label, values, parts, classes, axis, marks.get(label), words)
        for label, values in bars.items()
    }
    signs = [
        element("svg", element("rect", width=12, height=12, cls=cls), cls="wp wp-sign", width=12, height=12)
        for cls in classes
    ]
    key = [Markup("{} {}").format(sign, name) for sign, name in zip(signs, parts, strict=True)]
    return Bars(rows, key, [label for label, length in lengths.items() if length > axis.high])


def _bar(
    label: str,
    values: Sequence[float],
    parts: Sequence[str],
    classes: Sequence[str],
    axis: ChartAxis,
    mark: float | None,
    words: Callable[[float], str],
) -> Markup:
    drawing, begin = Drawing(), 0.0
    for value, part, cls in zip(values, parts, classes, strict=True):
        left, right = axis.share(begin), axis.share(begin + value)
        begin += value
        if right <= left:
            continue
        title = element("title", f"{part}: {words(value)}")
        drawing.add(
            "rect", title, x=percent(left), y=1, width=percent(right - left), height=HEIGHT - 2, cls=cls
        )
        if right - left >= _ROOM:
            middle = percent((left + right) / 2)
            drawing.add("text", words(value), x=middle, y=15, text_anchor="middle", cls="wp-amount")
    if mark is not None:
        at = axis.percent(mark)
        drawing.add("line", x1=at, x2=at, y1=0, y2=HEIGHT, cls="wp-end")
    if max(begin, mark or 0.0) > axis.high * (1 + 1e-9):
        drawing.add("text", "▸", x="100%", y=16, text_anchor="end", cls="wp-amount always")
    return drawing.svg(f"{printable(label)}: {', '.join(map(words, values))}", HEIGHT, "wp-bar")
