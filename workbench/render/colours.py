"""Colours of flame graphs, in light and dark: by kind of frame, and by change from before to after.

Each kind has one hue; on a light page each name has one shade of it, on a dark one all have one tone, because
neighbours that differ a little glare there. The kinds differ in lightness as well as in hue, so
they can be distinguished without colour vision: scopes are dark on a light page and bright on a dark one, idle
frames are grey. Changes go from blue over grey to red, which no common kind of colour blindness confuses.
"""

from __future__ import annotations

import colorsys
import zlib
from functools import cache
from typing import NamedTuple

SHADES = 5
MERGED = 4
"""The kind of boxes that stand for no frame: all of it, and small boxes merged."""
THREAD = 5
"""The kind of boxes that stand for a thread or task, with all that ran on it."""
KINDS = ("scope", "Python", "native", "idle", "merged", "thread")


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
    _Base(266, 0.54, 0.785, 0.018, "#1d2129"),
    _Base(210, 0.06, 0.885, 0.012, "#3a414b"),
    _Base(210, 0.14, 0.92, 0.0, "#3a414b"),
    _Base(210, 0.14, 0.85, 0.0, "#1d2129"),
)
_DARK = (
    _Base(207, 0.85, 0.67, 0.0, "#0a1220"),
    _Base(38, 0.54, 0.27, 0.0, "#fdf3df"),
    _Base(262, 0.36, 0.395, 0.0, "#f6f2fc"),
    _Base(215, 0.07, 0.23, 0.0, "#c6ccd4"),
    _Base(215, 0.12, 0.19, 0.0, "#c6ccd4"),
    _Base(215, 0.12, 0.27, 0.0, "#e8ebef"),
)


def shade_of(name: str) -> int:
    """Return which shade of its kind a name has: always the same one, in every chart."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % SHADES


@cache
def shades(*, dark: bool) -> tuple[tuple[Shade, ...], ...]:
    """Return the shades of every kind, for a light or a dark page."""
    return tuple(
        tuple(_shade(base, step - SHADES // 2) for step in range(SHADES))
        for base in (_DARK if dark else _LIGHT)
    )


_PACKAGES_LIGHT = (
    ("#f2b84b", "#1d2129"),
    ("#6ea0b9", "#1d2129"),
    ("#c39883", "#1d2129"),
    ("#8181e4", "#1d2129"),
    ("#d9d98c", "#1d2129"),
    ("#da7d4e", "#1d2129"),
    ("#e8d9ba", "#1d2129"),
    ("#dde1e6", "#1d2129"),
)
_PACKAGES_DARK = (
    ("#7a5a1e", "#f4f6f9"),
    ("#387594", "#f4f6f9"),
    ("#3e3ea3", "#f4f6f9"),
    ("#437052", "#f4f6f9"),
    ("#4a2b1c", "#f4f6f9"),
    ("#3a7878", "#f4f6f9"),
    ("#323267", "#f4f6f9"),
    ("#343a42", "#f4f6f9"),
)
"""Chosen to be as far apart as they can for the red-green blind, too."""


def package_shades(*, dark: bool) -> tuple[Shade, ...]:
    """Return the colours of packages, the first for the program itself, the last for all that have no other."""
    return tuple(Shade(*pair) for pair in (_PACKAGES_DARK if dark else _PACKAGES_LIGHT))


def _shade(base: _Base, step: int) -> Shade:
    turn = 3 * step if base.spread else 0
    hue = (base.hue + turn) % 360 / 360
    red, green, blue = colorsys.hls_to_rgb(hue, base.lightness + base.spread * step, base.saturation)
    return Shade("#" + "".join(f"{round(255 * c):02x}" for c in (red, green, blue)), base.ink)


_TIMELINE_HUE = (7 / 360, 2 / 360, 2 / 360, 0.0)
"""Added for each step from the middle shade, by kind, so that kinds stay distinct."""
_TIMELINE_LIGHTNESS = (0.03, 0.008, 0.01, 0.01)
"""The same: little where the text on it would lose its contrast, or idle frames their calm."""


def timeline_shades(*, dark: bool) -> list[list[Shade]]:
    """Return the shades of every kind of frame for a timeline, further apart than those of a flame graph.

    In a timeline the same few names are beside each other, mostly scopes, and their shades show the rhythm of a run.
    On a dark page a kind has one flat tone.
    """
    of_kinds = shades(dark=dark)[: len(_TIMELINE_HUE)]
    if dark:
        return [list(own) for own in of_kinds]
    return [
        [_stronger(shade, step - SHADES // 2, kind) for step, shade in enumerate(own)]
        for kind, own in enumerate(of_kinds)
    ]


def _stronger(shade: Shade, step: int, kind: int) -> Shade:
    red, green, blue = (int(shade.fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = min(max(lightness + _TIMELINE_LIGHTNESS[kind] * step, 0.0), 1.0)
    mixed = colorsys.hls_to_rgb((hue + _TIMELINE_HUE[kind] * step) % 1, light, saturation)
    return Shade("#" + "".join(f"{round(255 * c):02x}" for c in mixed), shade.ink)


STEPS = ("gone", "½×", "0.8×", "0.95×", "same", "1.05×", "1.25×", "2×", "new")
"""Changes by ratio of after to before: up to, and from, the ratio named. The middle is too little to matter."""
MIDDLE = len(STEPS) // 2
WAITING = len(STEPS)
"""The step of what waits, which is outside of the scale."""
_LESS, _MORE = (0.5, 0.8, 0.95), (1.05, 1.25, 2.0)

_STEPS_LIGHT = (
    ("#0b3c7d", "#ffffff"),
    ("#2166ac", "#ffffff"),
    ("#85b6dc", "#10202f"),
    ("#c3dbec", "#1d2129"),
    ("#e9e9e6", "#1d2129"),
    ("#f8d3c3", "#1d2129"),
    ("#f0a07e", "#2a1208"),
    ("#c0392b", "#ffffff"),
    ("#7d0f1c", "#ffffff"),
    ("#f4f5f7", "#3a414b"),
)
_STEPS_DARK = (
    ("#8ecbff", "#06182b"),
    ("#4a9ae6", "#04121f"),
    ("#265f96", "#f2f8ff"),
    ("#243f5a", "#e3edf7"),
    ("#33373d", "#e3e6ea"),
    ("#5a352b", "#fbe9e2"),
    ("#98402a", "#fff4ef"),
    ("#f0765a", "#240803"),
    ("#ffb4a0", "#330b06"),
    ("#20252c", "#c6ccd4"),
)


def step_of(before: float, after: float) -> int:
    """Return which of `STEPS` a change is."""
    if before <= 0 or after <= 0:
        return MIDDLE if before == after else 0 if after <= 0 else len(STEPS) - 1
    ratio = after / before
    if ratio < 1:
        return 1 + sum(ratio > limit for limit in _LESS)
    return MIDDLE + sum(ratio >= limit for limit in _MORE)


def step_shades(*, dark: bool) -> list[Shade]:
    """Return the colours of `STEPS`, and of what waits behind them."""
    return [Shade(*pair) for pair in (_STEPS_DARK if dark else _STEPS_LIGHT)]
