"""What each repetition of a scope leaves behind, in order of time: whether it is always the same, and how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from workbench.render.plots._svg import ChartAxis, Drawing, element, percent
from workbench.text import as_amount, as_size

HEIGHT, TOP = 90, 8
MAX_POINTS = 240
"""Where there are more repetitions, a point is the mean of several, with a line from the least to the most."""


def repetitions_chart(
    left: Sequence[float], counted: int, interval: tuple[float, float], label: str
) -> Markup:
    """Draw the bytes that each repetition left, and the interval of the mean of the later ones as a band.

    Args:
        left: Bytes by repetition, in chronological order; at least one.
        counted: How many of the last ones the interval is of.
        interval: Of their mean.
        label: All of it in words, for screen readers.
    """
    values = np.array(left, dtype=np.float64)
    axis = _axis(values[-counted:], interval)
    drawing = Drawing()
    drawing.levels(((_y(axis, tick), as_size(round(tick))) for tick in _ticks(axis)), "0 B")
    first = 1 - min(counted, len(values)) / len(values)
    high, low = _y(axis, interval[1]), _y(axis, interval[0])
    drawing.add(
        "rect", x=percent(first), width=percent(1 - first), y=high, height=max(low - high, 2), cls="wp-band"
    )
    each = -(-len(values) // MAX_POINTS)
    for at in range(0, len(values), each):
        _add(drawing, axis, values[at : at + each], at, len(values))
    drawing.add("text", "call, in order of time", x="0", y=TOP + HEIGHT + 18, cls="wp-tick")
    drawing.add("text", f"{len(values):,}", x="100%", y=TOP + HEIGHT + 18, text_anchor="end", cls="wp-tick")
    return drawing.svg(label, TOP + HEIGHT + 24, "wp-repetitions")


def _add(drawing: Drawing, axis: ChartAxis, values: NDArray[np.float64], first: int, count: int) -> None:
    at = percent((first + len(values) / 2) / count)
    mean, least, most = (float(value) for value in (values.mean(), values.min(), values.max()))
    calls = f"call {first + 1:,}" if len(values) == 1 else f"calls {first + 1:,} to {first + len(values):,}"
    title = element("title", f"{calls}: {as_amount(round(mean), 'bytes')}")
    if not axis.has(mean):
        sign = "▴" if mean > axis.high else "▾"
        drawing.add(
            "text",
            Markup("{}{}").format(sign, title),
            x=at,
            y=_y(axis, mean) + 5,
            text_anchor="middle",
            cls="wp-missing",
        )
        return
    if most > least:
        drawing.add("line", x1=at, x2=at, y1=_y(axis, most), y2=_y(axis, least), cls="wp-trend")
    drawing.add("circle", title, cx=at, cy=_y(axis, mean), r=2, cls="wp-round")


def _axis(values: NDArray[np.float64], interval: tuple[float, float]) -> ChartAxis:
    """Return an axis with zero and the later repetitions on it; earlier ones that fill caches may be beyond."""
    low, high = min(0.0, float(values.min()), interval[0]), max(0.0, float(values.max()), interval[1])
    room = 0.08 * (high - low) or 1.0
    return ChartAxis(low - (room if low < 0 else 0), high + room, is_linear=True)


def _ticks(axis: ChartAxis) -> list[float]:
    """Return three to five round values, with zero."""
    least = (axis.high - axis.low) / 4
    step = 10.0 ** np.floor(np.log10(least))
    step *= min(factor for factor in (1, 2, 5, 10) if factor * step >= least)
    return [float(i * step) for i in range(int(np.ceil(axis.low / step)), int(axis.high // step) + 1)]


def _y(axis: ChartAxis, value: float) -> float:
    return TOP + HEIGHT * (1 - axis.share(value))
