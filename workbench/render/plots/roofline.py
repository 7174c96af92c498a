"""The roofline: what scopes reach, against what the machine can do with as many operations for each byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.render.plots._labels import Places, write_label
from workbench.render.plots._svg import ChartAxis, Corner, Drawing, is_drawable, ticks
from workbench.text import shortened

WIDTH, HEIGHT = 560, 380
"""Pixels: the least width of the part with the points, and its height."""
MIN_RADIUS, MAX_RADIUS = 4.5, 21.0
"""Pixels of a point's radius; between them its area goes by its time."""
NAME_LENGTH = 30


@dataclass(frozen=True)
class Roof:
    """What the machine can do with so many threads, in 10⁹ a second."""

    label: str
    """How many threads: "1 thread"."""
    gflops: float
    gbytes_per_s: float
    single_gflops: float = 0.0
    """The same in single precision; 0 where it is not known."""

    @property
    def words(self) -> str:
        """Return the roof for a key."""
        single = f", float32 {self.single_gflops:.3g}" if self.single_gflops > 0 else ""
        return f"{self.label}: {self.gflops:.3g} GFLOP/s{single}, {self.gbytes_per_s:.3g} GB/s"


@dataclass(frozen=True)
class RoofPoint:
    """One scope."""

    label: str
    flops_per_byte: float
    gflops: float
    seconds: float
    """The time inside it: its area."""


def drawable(flops_per_byte: float, gflops: float) -> bool:
    """Return whether a logarithmic plot can show a point, and others beside it."""
    return is_drawable(flops_per_byte) and is_drawable(gflops)


def roofline_chart(points: Sequence[RoofPoint], roofs: Sequence[Roof] = ()) -> Markup:
    """Draw points below roofs: each roof rises with the memory's rate and is level where arithmetic limits.

    A point has its name where that covers nothing, or else its number, from 1 on; those with the most time come
    first, and one for which there is no room at all has neither.

    Args:
        points: The scopes, in the order in which they are numbered.
        roofs: One for each number of threads; none where the machine is not known.

    Raises:
        InvalidInputError: There are no points, or a number is not above 0 or not finite.
    """
    _check(points, roofs)
    across, up = _axes(points, roofs)
    drawing, places = Drawing(), Places(WIDTH, HEIGHT)
    _ground(drawing, across, up)
    radii = _radii(points)
    for point, radius in zip(points, radii, strict=True):
        places.take(WIDTH * across.share(point.flops_per_byte), _y(up, point.gflops), radius)
    for i, roof in enumerate(roofs):
        _roof(drawing, across, up, roof, i, places)
    ordered = sorted(range(len(points)), key=lambda i: -radii[i])  # small ones stay visible on large ones
    for i in ordered:
        drawing.add(
            "circle",
            cx=across.percent(points[i].flops_per_byte),
            cy=_y(up, points[i].gflops),
            r=radii[i],
            cls="wp-scope",
        )
    for i in ordered:
        x, y = WIDTH * across.share(points[i].flops_per_byte), _y(up, points[i].gflops)
        label = places.beside(x, y, radii[i], (shortened(points[i].label, NAME_LENGTH), str(i + 1)))
        if label is not None:
            write_label(drawing, label, across.percent(points[i].flops_per_byte), y)
    for i, roof in enumerate(roofs):
        y = HEIGHT + 58 + 20 * i
        drawing.add("line", x1=0, x2=30, y1=y, y2=y, cls=f"wp-roof s{i % 3 + 1}")
        drawing.add("text", roof.words, x=38, y=y + 4)
    return drawing.svg("Roofline", HEIGHT + 48 + 20 * len(roofs), "wp-roofline")


def _check(points: Sequence[RoofPoint], roofs: Sequence[Roof]) -> None:
    if not points:
        raise InvalidInputError("no scope states both flops and bytes: there is nothing to draw")
    for point in points:
        if not drawable(point.flops_per_byte, point.gflops):
            raise InvalidInputError(
                f"the scope {point.label!r} has {point.flops_per_byte:g} flops per byte and {point.gflops:g} GFLOP/s: "
                "give finite ones above 0"
            )
        if not (math.isfinite(point.seconds) and point.seconds >= 0):
            raise InvalidInputError(
                f"the scope {point.label!r} took {point.seconds:g} s: give a finite time from 0 on"
            )
    for roof in roofs:
        if not drawable(roof.gbytes_per_s, roof.gflops):
            raise InvalidInputError(
                f"the roof of {roof.label} is at {roof.gflops:g} GFLOP/s and {roof.gbytes_per_s:g} GB/s: "
                "give finite ones above 0"
            )


def _radii(points: Sequence[RoofPoint]) -> list[float]:
    longest = max(point.seconds for point in points) or 1.0
    return [max(MIN_RADIUS, MAX_RADIUS * math.sqrt(point.seconds / longest)) for point in points]


def _axes(points: Sequence[RoofPoint], roofs: Sequence[Roof]) -> tuple[ChartAxis, ChartAxis]:
    """Return axes that have the points, and of each roof its ridge with some of both sides."""
    peaks = [max(roof.gflops, roof.single_gflops) for roof in roofs]
    across = [point.flops_per_byte for point in points]
    across += [2 * peak / roof.gbytes_per_s for peak, roof in zip(peaks, roofs, strict=True)]
    up = [point.gflops for point in points] + peaks + [roof.gflops / 4 for roof in roofs]
    return _axis(across), _axis(up)


def _axis(values: Sequence[float]) -> ChartAxis:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.09 * (high - low), (1.6 - (high - low)) / 2, 0.45)
    return ChartAxis(10 ** (low - room), 10 ** (high + room))


def _y(axis: ChartAxis, value: float) -> float:
    return HEIGHT * (1 - axis.share(value))


def _ground(drawing: Drawing, across: ChartAxis, up: ChartAxis) -> None:
    drawing.levels((_y(up, tick), f"{tick:g}") for tick in ticks(up))
    drawing.uprights(((across.share(tick), f"{tick:g}") for tick in ticks(across)), HEIGHT)
    drawing.add(
        "text", "GFLOP/s over flops per byte", x="50%", y=HEIGHT + 38, text_anchor="middle", cls="wp-tick"
    )


def _roof(drawing: Drawing, across: ChartAxis, up: ChartAxis, roof: Roof, i: int, places: Places) -> None:
    ridge = roof.gflops / roof.gbytes_per_s
    begin = max(across.low, up.low / roof.gbytes_per_s)
    corners = [(begin, begin * roof.gbytes_per_s), (ridge, roof.gflops), (across.high, roof.gflops)]
    further: list[Corner] = []
    if roof.single_gflops > roof.gflops:
        corner = (roof.single_gflops / roof.gbytes_per_s, roof.single_gflops)
        further = [(ridge, roof.gflops), corner, (across.high, roof.single_gflops)]
    for line, cls in ((corners, f"wp-roof s{i % 3 + 1}"), (further, f"wp-roof s{i % 3 + 1} single")):
        for (a, b), (c, d) in pairwise(line):
            drawing.add(
                "line", x1=across.percent(a), y1=_y(up, b), x2=across.percent(c), y2=_y(up, d), cls=cls
            )
            if b == d:
                places.take_level(_y(up, b), WIDTH * across.share(a), WIDTH * across.share(c))
