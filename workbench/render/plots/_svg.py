"""Charts as SVG that has no width of its own: places along x are in percent, so that text keeps its size on any page.

Colours are classes of `plots.css`, so that a chart is light or dark as its page is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from workbench.text import as_factor, as_scientific, as_seconds

Corner = tuple[float, float]
COLOURS = 6
"""Parts and curves with a colour of their own."""
MAX_TICKS = 7
_BEYOND = 1e100
_FINE = (1, 1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2, 3, 5)
"""Steps where an axis has little more than 1 on it."""
_FLATTENING = 4.0
"""A variant that needs so many times the room of all others is not what an axis goes by."""


@dataclass(frozen=True)
class ChartAxis:
    """An axis from `low` to `high`: logarithmic, or from 0."""

    low: float
    high: float
    is_linear: bool = False

    def share(self, value: float) -> float:
        """Return where a value is, from 0 to 1; what is beyond the axis is at its end."""
        if self.is_linear:
            return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        if value <= self.low:
            return 0.0
        if value >= self.high:
            return 1.0
        return math.log(value / self.low) / math.log(self.high / self.low)

    def percent(self, value: float) -> str:
        """Return where a value is, as a place along x."""
        return percent(self.share(value))

    def has(self, value: float) -> bool:
        """Return whether a value is on the axis."""
        return self.low <= value <= self.high


def percent(share: float) -> str:
    """Return a share as a place along x."""
    return f"{100 * share:.2f}%"


def is_drawable(value: float) -> bool:
    """Return whether a logarithmic axis can show a value, and others beside it."""
    return 1 / _BEYOND < value < _BEYOND


def around_one(intervals: Sequence[tuple[float, float]], band: float) -> ChartAxis:
    """Return a logarithmic axis of ratios around 1 that has the intervals and the band.

    Intervals that need several times the room of all others do not count: they end in an arrow at the edge.
    """
    ends = [[end for end in interval if is_drawable(end)] for interval in intervals]
    usual = _usual([max(abs(math.log(end)) for end in each) for each in ends if each])
    least = 3 * math.log1p(band)
    known = [math.log(end) for each in ends for end in each if abs(math.log(end)) <= usual]
    low, high = min([-least, *known]), max([least, *known])
    room = 0.05 * (high - low) or 0.1
    return ChartAxis(math.exp(low - room), math.exp(high + room))


def _usual(reaches: Iterable[float]) -> float:
    """Return the largest of the distances that do not flatten all smaller ones."""
    ordered = sorted(reaches)
    for i in range(len(ordered) // 2 + 1, len(ordered)):
        if ordered[i] > _FLATTENING * max(ordered[i - 1], 1e-3):
            return ordered[i - 1]
    return ordered[-1] if ordered else 0.0


def usual_amount(amounts: Iterable[float]) -> float:
    """Return the largest amount that does not flatten the others."""
    return _usual(amounts)


def ticks(axis: ChartAxis, most: int = MAX_TICKS) -> list[float]:
    """Return round values for a logarithmic axis."""
    decades = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    if len(decades) > most + 2:
        every = -(-len(decades) // most)
        return [10.0**decade for decade in decades[::every] if axis.has(10.0**decade)]
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, *range(2, 10))):
        finer = [float(f"{step * 10.0**decade:.4g}") for decade in decades for step in steps]
        finer = [tick for tick in finer if axis.has(tick)]
        if len(finer) > most:
            return found or finer[:: -(-len(finer) // most)]
        found = finer
        if len(found) >= 4:
            return found
    return found


def factor_ticks(axis: ChartAxis, most: int = MAX_TICKS) -> list[float]:
    """Return ticks for an axis of factors around 1: 1, round factors, and their inverses."""
    reach = max(axis.high, 1 / axis.low)
    decades = range(math.ceil(math.log10(reach)) + 1)
    found = [1.0]
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.1, 1.2, 1.5, *range(2, 10)), _FINE):
        factors = [float(f"{step * 10.0**decade:.4g}") for decade in decades for step in steps]
        finer = sorted({1.0, *factors, *(1 / each for each in factors)})
        finer = [tick for tick in finer if axis.has(tick)]
        if len(finer) > most:
            return found if len(found) > 1 else [*finer[:: -(-len(finer) // most)]]
        found = finer
    return found


def factor_words(tick: float) -> str:
    """Return a tick of an axis of factors: always from 1 on, whatever its side."""
    return "1" if tick == 1 else f"{as_factor(math.log10(max(tick, 1 / tick)))}×"


def error_words(tick: float) -> str:
    """Return a tick of an axis of errors."""
    mantissa = tick / 10.0 ** math.floor(math.log10(tick))
    return as_scientific(tick, 0 if abs(mantissa - round(mantissa)) < 0.01 else 1)


def time_axis(low: float, high: float) -> ChartAxis:
    """Return a logarithmic axis of seconds, at least a factor of 1.5 wide."""
    room = max((high / low) ** 0.04, (1.5 * low / high) ** 0.5, 1.02)
    return ChartAxis(low / room, high * room)


class Drawing:
    """The elements of an SVG, in their order; all text and all attributes are escaped."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._parts: list[Markup] = []

    def add(self, tag: str, text: str | Markup | None = None, **attributes: object) -> None:
        """Add an element. Names of attributes have _ for -, and `cls` is the class."""
        self._parts.append(element(tag, text, **attributes))

    def band(self, axis: ChartAxis, reach: float, height: float) -> None:
        """Shade what differs from 1 by less than a factor."""
        low, high = axis.share(1 / reach), axis.share(reach)
        self.add("rect", x=percent(low), y=0, width=percent(high - low), height=height, cls="wp-band")

    def levels(self, places: Iterable[tuple[float, str]], strong: str = "") -> None:
        """Add level lines across the chart, each with its words at the left; the one named `strong` stands out."""
        for y, words in places:
            self.add("line", x1="0", x2="100%", y1=y, y2=y, cls="wp-one" if words == strong else "wp-grid")
            self.add("text", words, x="0", dx=-6, y=y + 4, text_anchor="end", cls="wp-tick")

    def uprights(self, places: Iterable[tuple[float, str]], bottom: float, strong: str = "") -> None:
        """Add upright lines down to the bottom, at shares of the width, each with its words below."""
        for share, words in places:
            at = percent(share)
            self.add("line", x1=at, x2=at, y1=0, y2=bottom, cls="wp-one" if words == strong else "wp-grid")
            self.add("text", words, x=at, y=bottom + 18, text_anchor="middle", cls="wp-tick")

    def body(self) -> Markup:
        """Return the elements."""
        return Markup("").join(self._parts)

    def svg(self, label: str, height: float, cls: str = "", **more: object) -> Markup:
        """Return an SVG as wide as its place on a page."""
        return element(
            "svg",
            self.body(),
            cls=f"wp {cls}".strip(),
            width="100%",
            height=f"{height:g}",
            role="img",
            aria_label=label,
            **more,
        )


def element(tag: str, text: str | Markup | None = None, **attributes: object) -> Markup:
    """Return an element with its attributes and its text, escaped. Tags and names of attributes are ours."""
    shown = "".join(
        f' {"class" if name == "cls" else name.replace("_", "-")}="{escape(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None and value != ""
    )
    return Markup(f"<{tag}{shown}/>" if text is None else f"<{tag}{shown}>{escape(text)}</{tag}>")  # noqa: S704  escaped


def _plain(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


def polyline(corners: Sequence[Corner], cls: str) -> Markup:
    """Return a line through places in shares of a box: from left to right, and from its bottom up."""
    path = "M" + "L".join(f"{100 * x:.2f} {100 - 100 * y:.2f}" for x, y in corners)
    return element("path", d=path, cls=cls, vector_effect="non-scaling-stroke")


def box(content: Markup, height: float, top: float = 0.0) -> Markup:
    """Return lines of `polyline` in a box as wide as the chart."""
    return element(
        "svg",
        content,
        y=top,
        width="100%",
        height=height,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        cls="wp-box",
    )


def time_marks(axis: ChartAxis, gap: float) -> list[tuple[float, str]]:
    """Return ticks of an axis of seconds with their words, at least a share `gap` of it apart."""
    found: list[float] = []
    for tick in ticks(axis):
        if not found or axis.share(tick) - axis.share(found[-1]) >= gap:
            found.append(tick)
    return [(tick, as_seconds(tick)) for tick in found]
