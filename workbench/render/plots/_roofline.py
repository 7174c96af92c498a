"""The roofline: what scopes reach, against what the machine can do with as many operations for each byte."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures
from workbench.render.plots._labels import Places
from workbench.text import shortened

MIN_RADIUS, MAX_RADIUS = 4.5, 21.0
"""Pixels of a point's radius; between them its area goes by its time."""
NAME_LENGTH = 30
_BEYOND = 1e100
_COLOURS = (_figures.GREEN, _figures.VERMILION, _figures.PURPLE)
_LINES: tuple[tuple[Any, float], ...] = (("-", 2.0), ((0, (6, 2)), 2.0), ((0, (7, 2, 1.5, 2)), 2.0))
_SINGLE: tuple[Any, float] = ((0, (1, 2.5)), 1.6)
"""Dashes and widths of the roofs, and of what they are in single precision."""
_POINTS_PER_PIXEL = 0.72


@dataclass(frozen=True)
class Roof:
    """What the machine can do with so many threads, in 10⁹ a second."""

    label: str
    """How many threads: "1 thread"."""
    gflops: float
    gbytes_per_s: float
    single_gflops: float = 0.0
    """The same in single precision; 0 where it is not known."""


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
    return all(1 / _BEYOND < value < _BEYOND for value in (flops_per_byte, gflops))


def roofline_plot(
    points: Sequence[RoofPoint],
    roofs: Sequence[Roof] = (),
    *,
    title: str,
    prefix: str = "roofline",
) -> str:
    """Draw points below roofs: each roof rises with the memory's rate and is level where arithmetic limits.

    A point has its name where that covers nothing, or else its number, from 1 on; those with the most time come
    first, and one for which there is no room at all has neither.

    Args:
        points: The scopes, in the order in which they are numbered.
        roofs: One for each number of threads; none where the machine is not known.
        title: The heading.
        prefix: Start of every id in the SVG; each plot of a page needs its own.

    Raises:
        InvalidInputError: There are no points, or a number is not above 0 or not finite.
    """
    _check(points, roofs)
    with _figures.style():
        figure = _figures.new_figure(height=560)
        axes = figure.subplots()
        _scales(axes, points, roofs)
        axes.set_xlabel("flops per byte")
        axes.set_ylabel("GFLOP/s")
        axes.set_title(title)
        radii = _radii(points)
        ordered = sorted(range(len(points)), key=lambda i: -radii[i])  # small ones stay visible on large ones
        for i in ordered:
            axes.plot(
                points[i].flops_per_byte,
                points[i].gflops,
                "o",
                markersize=2 * radii[i] * _POINTS_PER_PIXEL,
                markerfacecolor=f"{_figures.BLUE}88",
                markeredgecolor=_figures.BLUE,
                markeredgewidth=1.3,
                zorder=3,
            )
        _add_legend(figure, roofs)
        places = Places(axes)
        for point, radius in zip(points, radii, strict=True):
            places.take_point(point.flops_per_byte, point.gflops, radius)
        _draw_roofs(axes, roofs, places)
        for i in ordered:
            at = (points[i].flops_per_byte, points[i].gflops)
            places.write_beside(at, radii[i], (shortened(points[i].label, NAME_LENGTH), str(i + 1)))
        return _figures.svg_text(figure, prefix)


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


def _scales(axes: Axes, points: Sequence[RoofPoint], roofs: Sequence[Roof]) -> None:
    """Show the points, and of each roof its ridge with some of both sides."""
    peaks = [max(roof.gflops, roof.single_gflops) for roof in roofs]
    across = [point.flops_per_byte for point in points]
    across += [2 * peak / roof.gbytes_per_s for peak, roof in zip(peaks, roofs, strict=True)]
    up = [point.gflops for point in points] + peaks + [roof.gflops / 4 for roof in roofs]
    for axis, scale, values in (
        (axes.xaxis, axes.set_xscale, across),
        (axes.yaxis, axes.set_yscale, up),
    ):
        low, high = math.log10(min(values)), math.log10(max(values))
        room = max(0.09 * (high - low), (1.6 - (high - low)) / 2, 0.45)
        scale("log")
        limits = 10 ** (low - room), 10 ** (high + room)
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(*limits)
        axis.set_major_locator(FixedLocator(_ticks(*limits)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = -(-len(decades) // _figures.MAX_DECADES)
    steps = (1, 3) if len(decades) <= 4 else (1,)
    ticks = [float(f"{step * 10.0**decade:.4g}") for decade in decades[::every] for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _draw_roofs(axes: Axes, roofs: Sequence[Roof], places: Places) -> None:
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    for i, roof in enumerate(roofs):
        ridge = roof.gflops / roof.gbytes_per_s
        begin = max(axes.get_xlim()[0], bottom / roof.gbytes_per_s)
        corners = [(begin, begin * roof.gbytes_per_s), (ridge, roof.gflops), (right, roof.gflops)]
        further: list[_figures.Corner] = []
        if roof.single_gflops > roof.gflops:
            corner = (roof.single_gflops / roof.gbytes_per_s, roof.single_gflops)
            further = [(ridge, roof.gflops), corner, (right, roof.single_gflops)]
        for line, (dash, width) in ((corners, _LINES[i % len(_LINES)]), (further, _SINGLE)):
            if line:
                axes.plot(
                    *zip(*line, strict=True),
                    color=_COLOURS[i % len(_COLOURS)],
                    linestyle=dash,
                    linewidth=width,
                )
            for begin_, end in pairwise(line):
                places.take_line(begin_, end)


def _add_legend(figure: Figure, roofs: Sequence[Roof]) -> None:
    if not roofs:
        return
    handles: list[Artist] = []
    names = []
    for i, roof in enumerate(roofs):
        dash, width = _LINES[i % len(_LINES)]
        handles.append(Line2D([], [], color=_COLOURS[i % len(_COLOURS)], linestyle=dash, linewidth=width))
        names.append(f"{roof.label}: {roof.gflops:.3g} GFLOP/s, {roof.gbytes_per_s:.3g} GB/s")
    single = [f"{roof.single_gflops:.3g}" for roof in roofs if roof.single_gflops > 0]
    if single:
        handles.append(Line2D([], [], color=_figures.GREY, linestyle=_SINGLE[0], linewidth=_SINGLE[1]))
        names.append(f"float32: {' / '.join(single)} GFLOP/s")
    figure.legend(handles, names, loc="outside lower left", ncols=2, handlelength=2.2, columnspacing=1.4)
