"""Colours of a flame graph: one hue for each kind of frame, one shade for each name, in light and dark.

The kinds differ in lightness as well as in hue, so they can be told apart without colour vision: scopes
are dark on a light page and bright on a dark one, idle frames are grey.
"""

from __future__ import annotations

import colorsys
import zlib
from typing import NamedTuple

SHADES = 5
MERGED = 4
"""The kind of boxes that stand for no frame: all of it, and small boxes merged."""
KINDS = ("scope", "Python", "native", "idle", "merged")


class Shade(NamedTuple):
    """The fill of a box and of the text on it, as `#rrggbb`."""

    fill: str
    ink: str


class _Base(NamedTuple):
    hue: float
    saturation: float
    lightness: float
    spread: float
    ink: str


_LIGHT = (
    _Base(211, 0.70, 0.37, 0.02, "#ffffff"),
    _Base(40, 0.90, 0.70, 0.03, "#1d2129"),
    _Base(268, 0.42, 0.81, 0.025, "#1d2129"),
    _Base(210, 0.06, 0.87, 0.012, "#3a414b"),
    _Base(210, 0.14, 0.92, 0.0, "#3a414b"),
)
_DARK = (
    _Base(207, 0.85, 0.67, 0.025, "#0a1220"),
    _Base(38, 0.54, 0.27, 0.02, "#fdf3df"),
    _Base(262, 0.32, 0.345, 0.02, "#f0ebfa"),
    _Base(215, 0.07, 0.24, 0.012, "#c6ccd4"),
    _Base(215, 0.12, 0.19, 0.0, "#c6ccd4"),
)


def shade_of(name: str) -> int:
    """Return which shade of its kind a name has: always the same one, in every picture."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % SHADES


def shades(*, dark: bool) -> list[list[Shade]]:
    """Return the shades of every kind, for a light or a dark page."""
    return [
        [_shade(base, step - SHADES // 2) for step in range(SHADES)] for base in (_DARK if dark else _LIGHT)
    ]


def _shade(base: _Base, step: int) -> Shade:
    hue = (base.hue + 3 * step) % 360 / 360
    red, green, blue = colorsys.hls_to_rgb(hue, base.lightness + base.spread * step, base.saturation)
    return Shade("#" + "".join(f"{round(255 * c):02x}" for c in (red, green, blue)), base.ink)
