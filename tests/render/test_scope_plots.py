"""Stacked bars: each part has its colour and its place, and what is written in them is true."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.render.plots import _figures, stacked_bars_plot

BARS = {"exact <&>": [0.5, 0.25, 0.01], "$x$": [0.1, 0.0, 0.0], "_hidden": [0.0, 0.0, 0.9]}
PARTS = ["predict", "_own <&>", "the rest"]


def draw(
    path: Path | None = None,
    bars: Mapping[str, Sequence[float]] = BARS,
    parts: Sequence[str] = PARTS,
    **more: Any,
) -> str:
    options = {"title": "Times", "axis": "seconds", "rest": True} | more
    return stacked_bars_plot(path, bars, parts, **options)


def test_everything_is_named() -> None:
    """Bars, parts, marks and amounts stand in it as they are called, also what matplotlib would hide or typeset."""
    svg = draw(as_svg=True, ends=[0.7, math.nan, 1.0], end="by the clock", words="{:.2f} s".format)
    texts = [
        (element.text or "").strip() for element in ET.fromstring(svg).iter() if element.tag.endswith("text")
    ]
    for name in [*BARS, *PARTS, "by the clock", "Times", "seconds", "0.50 s", "0.25 s", "0.90 s"]:
        assert name in texts
    assert "0.01 s" not in texts, "there is no room for it"


def test_parts_have_their_colours() -> None:
    """Each part has a colour of its own in every bar, and the rest is grey."""
    svg = draw(as_svg=True)
    for colour in (_figures.BLUE, _figures.VERMILION, _figures.GREY):
        assert colour in svg
    assert _figures.GREEN not in svg


@pytest.mark.parametrize(
    ("bars", "parts", "more", "words"),
    [
        ({}, PARTS, {}, "nothing to draw"),
        ({"a": []}, [], {}, "nothing to draw"),
        ({"a": [1.0]}, PARTS, {}, "1 amounts for 3 parts"),
        ({"a": [1.0, -1.0, 0.0]}, PARTS, {}, "amount -1"),
        ({"a": [1.0, math.nan, 0.0]}, PARTS, {}, "amount nan"),
        ({"a": [1.0, math.inf, 0.0]}, PARTS, {}, "amount inf"),
        ({"a": [1.0] * 8}, list("abcdefgh"), {}, "8 parts are more"),
        ({"a": [1.0] * 3}, PARTS, {"ends": [1.0, 2.0]}, "2 ends for 1 bars"),
        ({"a": [1.0] * 3}, PARTS, {"prefix": "a b"}, "no identifier"),
    ],
)
def test_bad_input(bars: Any, parts: Any, more: Any, words: str) -> None:
    """What cannot be drawn is said with its value."""
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        draw(None, bars, parts, as_svg=True, **more)


@given(
    st.lists(st.lists(st.floats(0, 1e15), min_size=3, max_size=3), min_size=1, max_size=12),
    st.text(max_size=200),
)
@settings(max_examples=25, deadline=None)
def test_any_amounts_are_drawn(amounts: list[list[float]], name: str) -> None:
    """Whatever the amounts are, zeros alone too, the picture is valid and states no number that is none."""
    printed = name.encode("ascii", "replace").decode()
    printed = "".join(c for c in printed if c.isprintable())
    svg = draw(None, {f"{i} {printed}": each for i, each in enumerate(amounts)}, as_svg=True)
    ET.fromstring(svg)
    assert (
        not re.search(r"\b(?:nan|inf)\b", re.sub(re.escape(printed), "", svg))
        or "nan" in printed
        or "inf" in printed
    )
