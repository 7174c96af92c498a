"""Writes labels into a plot where they cover nothing that is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from workbench.render.plots import _figures
from workbench.render.plots._figures import Corner

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""
_NEAREST = (3, 8, 14, 22, 32, 44, 60, 80, 110)
"""Pixels between a point's edge and its label, tried in this order."""
_AROUND = ((1, 0), (0.7, 0.7), (0.7, -0.7), (0, 1), (0, -1), (-1, 0), (-0.7, 0.7), (-0.7, -0.7))
_APART = 15
"""Pixels from which on a thin line joins a label to its point."""
_RADIUS = 7.0
"""Pixels from the middle of a point to its edge, where points are alike."""
_STEP = 8.0
"""Pixels between the boxes that stand for a line."""
_SPACE = 4
"""Pixels left and right of a label that are taken with it."""


class Places:
    """What of a plot is taken; its limits and labels of axes must be set before, as pixels are final from then on."""

    def __init__(self, axes: Axes) -> None:
        """Begin with an empty plot."""
        self._axes = axes
        canvas: Any = FigureCanvasAgg(axes.get_figure(root=True))  # its methods carry no types
        canvas.draw()
        self._renderer = canvas.get_renderer()
        inside = axes.get_window_extent(self._renderer)
        self._inside: Box = (inside.x0 + 2, inside.y0 + 2, inside.x1 - 2, inside.y1 - 2)
        self._solid: list[Box] = []
        self._thin: list[Box] = []
        self._points: list[tuple[float, float, float]] = []

    def take_point(self, x: float, y: float, radius: float) -> None:
        """Keep labels off a point."""
        across, up = self._pixels((x, y))
        self._points.append((across, up, radius))
        self._solid.append((across - radius, up - radius, across + radius, up + radius))

    def take_line(self, begin: Corner, end: Corner) -> None:
        """Keep labels off a line, where they find another place."""
        self._thin += _boxes(self._pixels(begin), self._pixels(end))

    def write_beside(
        self, at: Corner, radius: float, labels: tuple[str, ...], *, crossing: bool = False
    ) -> bool:
        """Write the first of the labels that has room near a point; return whether one had.

        Where `crossing` is true, the line from a point to its label may cross others.
        """
        x, y = self._pixels(at)
        for obstacles in (self._solid + self._thin, self._solid):
            for label in labels:
                if self._write(x, y, radius, label, np.array(obstacles).reshape(-1, 4), crossing):
                    return True
        return False

    def _write(
        self, x: float, y: float, radius: float, label: str, taken: NDArray[np.float64], crossing: bool
    ) -> bool:
        text = self._axes.text(0, 0, label, transform=None, fontsize=13, color=_figures.INK, zorder=5)
        size = text.get_window_extent(self._renderer)
        for gap in _NEAREST:
            for dx, dy in _AROUND:
                box = self._beside(x, y, radius + gap, (dx, dy), (size.width, size.height))
                near = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3]))
                if not _is_free(box, taken, self._inside):
                    continue
                if gap > _APART and not crossing and not self._is_clear((x, y), near, radius):
                    continue
                if gap <= _APART and not self._is_nearest(box, (x, y, radius)):
                    continue
                text.set_transform(self._axes.transData)
                text.set_position(self._data(box[0], box[1]))
                text.set_verticalalignment("bottom")
                self._solid.append((box[0] - _SPACE, box[1], box[2] + _SPACE, box[3]))
                if gap > _APART:
                    ends = np.array([self._data(x, y), self._data(*near)])
                    self._axes.plot(ends[:, 0], ends[:, 1], color=_figures.GREY, linewidth=0.8, zorder=1)
                    if not crossing:
                        self._solid += _boxes((x, y), near, radius)
                return True
        text.remove()
        return False

    def _beside(self, x: float, y: float, distance: float, side: Corner, size: Corner) -> Box:
        dx, dy = side
        width, height = size
        left = x + dx * distance - (0 if dx > 0 else width if dx < 0 else width / 2)
        base = y + dy * distance - (0 if dy > 0 else height if dy < 0 else height / 2)
        if dx == 0:  # above and below it may slide, as far as the plot's edge wants
            left = min(max(left, self._inside[0]), self._inside[2] - width)
        return left, base, left + width, base + height

    def _is_nearest(self, box: Box, point: tuple[float, float, float]) -> bool:
        """Return whether a label is nearer to its point than to any other: nobody is to take it for another's."""
        x, y, radius = np.array([point, *self._points]).T
        across = x - np.clip(x, box[0], box[2])
        up = y - np.clip(y, box[1], box[3])
        gaps = np.hypot(across, up) - radius
        others = np.hypot(x - x[0], y - y[0]) > 0
        return bool((gaps[others] > gaps[0] + 1).all())

    def _is_clear(self, begin: Corner, end: Corner, skipped: float) -> bool:
        """Return whether a line from a point's edge to its label crosses nothing."""
        taken = np.array(self._solid)
        return all(_is_free(box, taken, self._inside) for box in _boxes(begin, end, skipped))

    def _pixels(self, at: Corner) -> Corner:
        x, y = self._axes.transData.transform(at).tolist()
        return x, y

    def _data(self, x: float, y: float) -> Corner:
        across, up = self._axes.transData.inverted().transform((x, y)).tolist()
        return across, up


def write_labels(
    axes: Axes, points: Sequence[Corner], labels: Sequence[str], bars: Sequence[tuple[Corner, Corner]] = ()
) -> None:
    """Write a label beside each point where it covers nothing; where a plot is too full for that, right of it."""
    places = Places(axes)
    for x, y in points:
        places.take_point(x, y, _RADIUS)
    for begin, end in bars:
        places.take_line(begin, end)
    for point, label in zip(points, labels, strict=True):
        if not any(places.write_beside(point, _RADIUS, (label,), crossing=c) for c in (False, True)):
            axes.annotate(label, point, (9, 0), textcoords="offset points", fontsize=13, color=_figures.INK)


def _boxes(begin: Corner, end: Corner, skipped: float = 0.0) -> list[Box]:
    """Return boxes that stand for a line, without what is nearer to its beginning than `skipped`."""
    (x0, y0), (x1, y1) = begin, end
    length = math.hypot(x1 - x0, y1 - y0)
    count = max(2, math.ceil(length / _STEP))
    found = []
    for share in np.linspace(
        min(1.0, (skipped + 2) / max(length, 1.0)) if skipped else 0.0, 1.0, count
    ).tolist():
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        found.append(
            (x - 2, y - 2, x + 2, y + 2) if skipped else (x - _STEP / 2, y - 3, x + _STEP / 2, y + 3)
        )
    return found


def _is_free(box: Box, taken: NDArray[np.float64], inside: Box) -> bool:
    left, bottom, right, top = inside
    if box[0] < left or box[1] < bottom or box[2] > right or box[3] > top:
        return False
    beside = (taken[:, 2] <= box[0] - _SPACE) | (taken[:, 0] >= box[2] + _SPACE)
    return bool((beside | (taken[:, 3] <= box[1]) | (taken[:, 1] >= box[3])).all())
