"""Intervals inside the cells of a table, all on one axis whose right side is the better one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.render.plots._svg import ChartAxis, Drawing, around_one, factor_ticks, factor_words

EDGE = 0.24
"""Share of the head at either side that has words, and no ticks."""
HEIGHT, HEAD_HEIGHT = 22, 16
"""Pixels of a cell, and of the axis in the head."""
_MIDDLE = HEIGHT / 2
_BAR, _MARK = 8, 14
"""Pixels that an interval is thick, and that the mark of its middle is high."""


@dataclass(frozen=True)
class IntervalScale:
    """The axis of a column of intervals: of factors, above 1 for better."""

    axis: ChartAxis
    band: float
    """Factors up to it, and down to its inverse, are none that matter."""
    worse: str
    """What is left of 1: "slower"."""
    better: str

    def head(self) -> Markup:
        """Return the axis with its ticks, for the column's head."""
        drawing = Drawing()
        for tick in factor_ticks(self.axis, 5):
            if EDGE < self.axis.share(tick) < 1 - EDGE:
                at = self.axis.percent(tick)
                drawing.add("text", factor_words(tick), x=at, y=12, text_anchor="middle")
        drawing.add("text", self.worse, x="0", y=12)
        drawing.add("text", self.better, x="100%", y=12, text_anchor="end")
        return drawing.svg(f"left {self.worse}, right {self.better}", HEAD_HEIGHT, "wp-head")

    def cell(self, value: float, low: float, high: float, kind: str, label: str) -> Markup:
        """Return an interval with its middle.

        Args:
            value: The factor.
            low: Where its interval begins.
            high: Where it ends.
            kind: The verdict: a class of `plots.css`.
            label: All of it in words.
        """
        axis, drawing = self.axis, Drawing()
        self._ground(drawing)
        begin, end = axis.share(low), axis.share(high)
        drawing.add(
            "rect",
            x=axis.percent(low),
            y=_MIDDLE - _BAR / 2,
            width=f"{100 * (end - begin):.2f}%",
            height=_BAR,
            cls=f"wp-interval {kind}",
        )
        if axis.has(value):
            at = axis.percent(value)
            drawing.add(
                "line", x1=at, x2=at, y1=_MIDDLE - _MARK / 2, y2=_MIDDLE + _MARK / 2, cls=f"wp-mark {kind}"
            )
        if low < axis.low:
            drawing.add("text", "◂", x="0", y=_MIDDLE + 5, cls=f"wp-beyond {kind}")
        if high > axis.high:
            drawing.add("text", "▸", x="100%", y=_MIDDLE + 5, text_anchor="end", cls=f"wp-beyond {kind}")
        return drawing.svg(label, HEIGHT, "wp-cell")

    def empty(self, label: str) -> Markup:
        """Return a cell with nothing but 1, for the baseline."""
        drawing = Drawing()
        self._ground(drawing)
        drawing.add("text", "◆", x=self.axis.percent(1), y=_MIDDLE + 4, text_anchor="middle", cls="wp-base")
        return drawing.svg(label, HEIGHT, "wp-cell")

    def _ground(self, drawing: Drawing) -> None:
        drawing.band(self.axis, self.band, HEIGHT)
        one = self.axis.percent(1)
        drawing.add("line", x1=one, x2=one, y1=0, y2=HEIGHT, cls="wp-one")


def interval_scale(
    intervals: Sequence[tuple[float, float]], band: float, worse: str, better: str
) -> IntervalScale:
    """Return the scale of a column from the intervals in it.

    Args:
        intervals: Factors, above 1 for better.
        band: The share up to which a difference does not matter.
        worse: What is left of 1.
        better: What is right of it.
    """
    return IntervalScale(around_one(intervals, band), 1 + band, worse, better)
