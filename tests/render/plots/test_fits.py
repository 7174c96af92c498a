"""The plot of a fit: written, valid, and the same each time."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from workbench.errors import InvalidInputError
from workbench.render.plots.fits import fit_plot

X = np.linspace(-1, 1, 40)
Y = np.sin(X)
PAIRS = np.stack([X, X**2], axis=1)
FITS: dict[str, Callable[[Path], None]] = {
    "fit": lambda path: fit_plot(path, X, Y, Y + 0.1, Y, title="<&>", split=X > 0),
    "outputs": lambda path: fit_plot(path, PAIRS, PAIRS, PAIRS + 0.01, title="<&>"),
}


@pytest.mark.parametrize("kind", FITS)
def test_png_at_twice_the_density(kind: str, tmp_path: Path) -> None:
    """A PNG is 900 pixels of a page wide, at twice the density, and the same each time."""
    FITS[kind](tmp_path / "a.png")
    FITS[kind](tmp_path / "b.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">I", content[16:20]) == (1800,)
    assert content == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("kind", FITS)
def test_svg(kind: str, tmp_path: Path) -> None:
    """SVG is valid, has its text as text, and is the same each time. Drawing changes no setting of matplotlib."""
    before = dict(mpl.rcParams)
    for name in ("a.svg", "b.svg"):
        FITS[kind](tmp_path / name)
    assert dict(mpl.rcParams) == before
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert svg == (tmp_path / "b.svg").read_text(encoding="utf-8")
    ET.fromstring(svg)
    assert "&lt;&amp;&gt;" in svg


def fit(*arrays: Any, path: str = "a.png", **more: Any) -> None:
    fit_plot(path, *arrays, title="t", **more)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: fit(X, Y, Y, path="a.pdf"), ".png or .svg"),
        (lambda: fit(X, X[1:], X[1:]), "equal, non-zero lengths"),
        (lambda: fit(X, X, X, split=[True]), "split has shape"),
    ],
)
def test_bad_input(draw: Callable[[], object], message: str) -> None:
    """What cannot be drawn is refused with its value."""
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        draw()
