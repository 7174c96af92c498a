"""Places for labels beside points where they cover nothing, in a chart that may become wider but not narrower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.render.plots._svg import Drawing
from workbench.render.text_width import cells

FONT = 13
"""Pixels."""
_LETTER = 0.56 * FONT
"""Pixels of a letter, generous for a proportional font."""
_HEIGHT = 16
_NEAREST = (2, 6, 12, 20, 30, 42, 56)
"""Pixels between a point's edge and its label, tried in this order."""
_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7))


@dataclass(frozen=True)
class _Box:
    """What is taken, and the x of what it belongs to."""

    left: float
    top: float
    right: float
    bottom: float
    anchor: float

    def is_free_of(self, other: _Box) -> bool:
        """Return whether both stay apart however wide the chart becomes.

        One is beside the other for good if it is on the side on which its point is.
        """
        if self.bottom <= other.top or other.bottom <= self.top:
            return True
        if self.right <= other.left:
            return self.anchor <= other.anchor
        return other.right <= self.left and other.anchor <= self.anchor


@dataclass(frozen=True)
class Label:
    """A label with its place relative to its point."""

    text: str
    dx: float
    dy: float
    anchor: str
    is_apart: bool = False
    """Whether another point is as near, so that a line has to join it to its own."""


class Places:
    """What of a chart is taken."""

    def __init__(self, width: float, height: float) -> None:
        """Begin with an empty chart of the least width that it may have."""
        self._width, self._height = width, height
        self._solid: list[_Box] = []
        self._thin: list[_Box] = []
        self._points: list[tuple[float, float]] = []

    def take(self, x: float, y: float, radius: float) -> None:
        """Keep labels off a point."""
        self._points.append((x, y))
        self._solid.append(_Box(x - radius, y - radius, x + radius, y + radius, x))

    def take_level(self, y: float, begin: float, end: float) -> None:
        """Keep labels off a level line, where they find another place."""
        self._thin.append(_Box(begin, y - 2, end, y + 2, (begin + end) / 2))

    def beside(self, x: float, y: float, radius: float, texts: Sequence[str]) -> Label | None:
        """Return the first of the texts that has room near a point; None where none has."""
        both = [*self._solid, *self._thin]
        for taken, is_apart in ((both, False), (self._solid, False), (both, True), (self._solid, True)):
            for text in texts:
                for gap in _NEAREST:
                    for across, down in _AROUND:
                        offset = ((radius + gap) * across, (radius + gap) * down)
                        label = self._try(x, y, text, offset, taken, is_apart)
                        if label is not None:
                            return label
        return None

    def _try(
        self,
        x: float,
        y: float,
        text: str,
        offset: tuple[float, float],
        taken: Sequence[_Box],
        is_apart: bool,
    ) -> Label | None:
        dx, dy = offset
        width = _LETTER * cells(text)
        left = x + dx - (0 if dx > 0 else width if dx < 0 else width / 2)
        middle = y + dy + (_HEIGHT / 2 if dy > 0 else -_HEIGHT / 2 if dy < 0 else 0)
        found = _Box(left - 2, middle - _HEIGHT / 2, left + width + 2, middle + _HEIGHT / 2, x)
        if left < 0 or left + width > self._width or found.top < 0 or found.bottom > self._height:
            return None
        if not all(found.is_free_of(each) for each in taken if not _is_own(each, x, y)):
            return None
        own = _distance(found, x, y)
        is_unclear = any(_distance(found, *point) <= own for point in self._points if point != (x, y))
        if is_unclear and not is_apart:
            return None  # it would be taken for another's
        self._solid.append(found)
        anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
        return Label(text, dx, middle - y + 4.5, anchor, is_unclear)


def _distance(taken: _Box, x: float, y: float) -> float:
    """Return how far a point is from a label."""
    return math.hypot(x - min(max(x, taken.left), taken.right), y - min(max(y, taken.top), taken.bottom))


def _is_own(taken: _Box, x: float, y: float) -> bool:
    """Return whether it is the point itself."""
    return (taken.left + taken.right) / 2 == x and (taken.top + taken.bottom) / 2 == y


def write_label(drawing: Drawing, label: Label, at: str, y: float) -> None:
    """Draw a label beside its point, with a line between them where another point is as near."""
    if label.is_apart:
        end = y + label.dy - 4.5 + (_HEIGHT / 2 if label.dy < 0 else -_HEIGHT / 2)
        drawing.add("line", x1=at, x2=at, y1=y, y2=end, cls="wp-joins")
    drawing.add(
        "text", label.text, x=at, y=y + label.dy, dx=label.dx, text_anchor=label.anchor, cls="wp-name"
    )
