"""The speed-up of a variant in each round, in order of time: its distribution, and whether it drifts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from workbench.render.plots._svg import ChartAxis, Drawing, around_one, factor_ticks, factor_words

HEIGHT = 110


def rounds_chart(speed_ups: Sequence[float], median: float, band: float, label: str) -> Markup:
    """Draw a point for each round, and a line at the median.

    Args:
        speed_ups: By round, above 1 is faster than the baseline; NaN where one of the two failed.
        median: The median speed-up.
        band: Differences up to this share are none that matter: shaded.
        label: All of it in words, for screen readers.
    """
    known = [value for value in speed_ups if math.isfinite(value) and value > 0]
    axis = around_one([(value, value) for value in known], band)
    drawing = Drawing()
    top, bottom = _y(axis, 1 + band), _y(axis, 1 / (1 + band))
    drawing.add("rect", x="0", y=top, width="100%", height=bottom - top, cls="wp-band")
    way = {False: " slower", True: " faster"}
    drawing.levels(
        (
            (_y(axis, tick), factor_words(tick) + ("" if tick == 1 else way[tick > 1]))
            for tick in factor_ticks(axis, 5)
        ),
        "1",
    )
    if math.isfinite(median) and median > 0:
        y = _y(axis, median)
        drawing.add("line", x1="0", x2="100%", y1=y, y2=y, cls="wp-median")
    for i, value in enumerate(speed_ups):
        x = f"{100 * (i + 0.5) / len(speed_ups):.2f}%"
        if not (math.isfinite(value) and value > 0):
            drawing.add("text", "×", x=x, y=_y(axis, 1) + 5, text_anchor="middle", cls="wp-missing")
        elif axis.has(value):
            drawing.add("circle", cx=x, cy=_y(axis, value), r=3.5, cls="wp-round")
        else:
            sign = "▴" if value > axis.high else "▾"
            drawing.add("text", sign, x=x, y=_y(axis, value) + 5, text_anchor="middle", cls="wp-missing")
    drawing.add("text", "round, in order of time", x="0", y=HEIGHT + 20, cls="wp-tick")
    return drawing.svg(label, HEIGHT + 26, "wp-rounds")


def _y(axis: ChartAxis, value: float) -> float:
    return 6 + (HEIGHT - 6) * (1 - axis.share(value))
