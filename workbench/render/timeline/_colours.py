"""The colours of a flame graph, with shades of one kind further apart.

In a timeline the same few names stand beside each other again and again, mostly scopes, and it is by their shades
that a reader sees the rhythm of a run. A name has the shade that it has in a flame graph, only stronger.
"""

from __future__ import annotations

import colorsys

from workbench.profile import FrameKind
from workbench.render.colours import SHADES, Shade, shades

_HUE = (7 / 360, 2 / 360, 2 / 360, 0.0)
"""Added for each step from the middle shade, by kind: kinds must still be told apart."""
_LIGHTNESS = (0.03, 0.008, 0.01, 0.01)
"""The same: little where the text on it would lose its contrast, or idle frames their calm."""


def timeline_shades(*, dark: bool) -> list[list[Shade]]:
    """Return the shades of every kind of frame, for a light or a dark page."""
    return [
        [_stronger(shade, step - SHADES // 2, kind) for step, shade in enumerate(own)]
        for kind, own in enumerate(shades(dark=dark)[: len(FrameKind)])
    ]


def _stronger(shade: Shade, step: int, kind: int) -> Shade:
    red, green, blue = (int(shade.fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    light = min(max(lightness + _LIGHTNESS[kind] * step, 0.0), 1.0)
    mixed = colorsys.hls_to_rgb((hue + _HUE[kind] * step) % 1, light, saturation)
    return Shade("#" + "".join(f"{round(255 * c):02x}" for c in mixed), shade.ink)
