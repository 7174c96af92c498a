"""Plots: written, valid, with ids of their own, and none of their labels over another."""

from __future__ import annotations

import math
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.render.plots import (
    BlockRatios,
    PlotPoint,
    Roof,
    RoofPoint,
    _figures,
    block_ratios_plot,
    error_curves,
    fit_plot,
    ratio_plot,
    roofline_plot,
    speed_quality_plot,
    stacked_bars_plot,
    time_to_target_plot,
)
from workbench.render.plots._labels import write_labels

BASE = PlotPoint("exact <&>", 1, 1, 1, 1e-6, 5e-7, 2e-6)
POINTS = [
    BASE,
    PlotPoint("fast", 0.8, 0.78, 0.83, 1.1e-6, 6e-7, 2e-6),
    PlotPoint("table", 0.82, 0.7, 1.2, 3e-4, 2e-4, 5e-4),
    PlotPoint("slow $x$", 1.4, 1.3, 1.5, 1e-6, 5e-7, 2e-6),
    PlotPoint("no interval", 1.1, float("nan"), float("inf"), 1e-5),
]
X = np.linspace(-1, 1, 40)


NAN, INF = math.nan, math.inf
Y = np.sin(X)
PAIRS = np.stack([X, X**2], axis=1)
HISTORIES = {"a": {"training": [1, 0.1, 0.0, NAN], "validation": [1, 0.2]}, "b": {"training": [1]}}
ROWS = [BlockRatios("exact <&>", [0.5, NAN, 0.9], "median 0.7×"), BlockRatios("always failed", [NAN] * 3)]
TIMES = {"exact <&>": [0.1, 0.2, 0.3], "half": [0.1, INF, 0.4], "never": [INF] * 3, "not measured": []}
BARS = {"exact <&>": [0.5, 0.25], "_hidden": [0.0, 0.9]}
ROOFS = [Roof("1 thread <&>", 80.0, 10.0, 160.0)]
SCOPES = [RoofPoint("solve <&>", 20.0, 30.0, 4.0), RoofPoint("_hidden", 0.1, 0.5, 0.0)]
PLOTS: dict[str, Callable[..., str]] = {
    "fit": lambda path, **more: fit_plot(path, X, Y, Y + 0.1, Y, title="<&>", split=X > 0, **more),
    "outputs": lambda path, **more: fit_plot(path, PAIRS, PAIRS, PAIRS + 0.01, title="<&>", **more),
    "errors": lambda path, **more: error_curves(path, HISTORIES, title="<&>", **more),
    "speed": lambda path, **more: speed_quality_plot(path, POINTS, title="T", baseline="exact <&>", **more),
    "ratio": lambda path, **more: ratio_plot(path, POINTS, title="T", baseline="exact <&>", **more),
    "blocks": lambda path, **more: block_ratios_plot(path, ROWS, title="T", band=0.02, **more),
    "targets": lambda path, **more: time_to_target_plot(path, TIMES, title="T", **more),
    "bars": lambda path, **more: stacked_bars_plot(path, BARS, ["a", "b"], title="T", axis="s", **more),
    "roofline": lambda path, **more: roofline_plot(path, SCOPES, ROOFS, title="T", **more),
}
KINDS = pytest.mark.parametrize("kind", PLOTS)


def draw(kind: str, path: Path | None, *, as_svg: bool = False, prefix: str = "p") -> str:
    return PLOTS[kind](path, as_svg=as_svg, prefix=prefix)


@KINDS
def test_png_at_twice_the_density(kind: str, tmp_path: Path) -> None:
    """A PNG is 900 pixels of a page wide, at twice the density, and the same each time."""
    assert draw(kind, tmp_path / "a.png") == ""
    draw(kind, tmp_path / "b.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">I", content[16:20]) == (1800,)
    assert content == (tmp_path / "b.png").read_bytes()


@KINDS
def test_svg_for_a_page(kind: str, tmp_path: Path) -> None:
    """SVG text is valid and the same each time, has its own ids, takes the text's colour and fetches nothing."""
    svg = draw(kind, tmp_path / "a.svg", as_svg=True, prefix="mine")
    assert svg == (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert svg == draw(kind, None, as_svg=True, prefix="mine")
    root = ET.fromstring(svg)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("mine") for name in ids if name)
    used = re.findall(r"(?:href=\"|url\()#([^\")]+)", svg)
    assert set(used) <= set(ids)
    assert "currentColor" in svg
    assert "viewBox" in svg
    assert "&lt;&amp;&gt;" in svg
    assert not re.search(r"\b(?:nan|inf)\b", svg)
    assert root.get("width") == "100%"
    assert not re.search(r"<style[^>]*>\s*\*", svg), "a rule that would reach the whole page"


@KINDS
def test_nothing_global_is_left_behind(kind: str, tmp_path: Path) -> None:
    """Drawing changes no setting of matplotlib, and keeps no figure."""
    before = dict(mpl.rcParams)
    draw(kind, tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_labels_are_text() -> None:
    """Names are shown letter by letter: no formula, no markup."""
    svg = draw("ratio", None, as_svg=True)
    assert ">slow $x$<" in svg
    assert "exact &lt;&amp;&gt;" in svg
    assert "0.800× [0.780, 0.830]" in svg


def test_other_file_types_are_refused(tmp_path: Path) -> None:
    """Only what the pages and reports use is written."""
    with pytest.raises(InvalidInputError, match=r"\.png or \.svg"):
        draw("fit", tmp_path / "a.pdf")


def test_unusable_data_are_refused() -> None:
    """Lengths that differ, and nothing to draw, are errors that say so."""
    with pytest.raises(InvalidInputError, match="equal, non-zero lengths"):
        fit_plot(None, X, X[1:], X[1:], title="t")
    with pytest.raises(InvalidInputError, match="split has shape"):
        fit_plot(None, X, X, X, title="t", split=[True])
    with pytest.raises(InvalidInputError, match="no histories"):
        error_curves(None, {}, title="t")
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        speed_quality_plot(None, [PlotPoint("a", 1, 1, 1)], title="t", baseline="a")
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        ratio_plot(None, [], title="t", baseline="a")
    with pytest.raises(InvalidInputError, match="identifier"):
        ratio_plot(None, POINTS, title="t", baseline="a", as_svg=True, prefix='"')


def test_labels_of_points_do_not_overlap() -> None:
    """Labels of a dozen points near one another cover neither each other nor a point."""
    generator = np.random.default_rng(3)
    points = [(float(x), float(y)) for x, y in generator.uniform(0.4, 0.6, (12, 2))]
    with _figures.style():
        figure = _figures.new_figure()
        axes = figure.subplots()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        write_labels(axes, points, [f"variant {i}" for i in range(12)])
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in axes.texts]
        pixels = axes.transData.transform(points)
    for i, box in enumerate(boxes):
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in pixels)
        for other in boxes[:i]:
            assert min(box.x1, other.x1) - max(box.x0, other.x0) < 1 or (
                min(box.y1, other.y1) - max(box.y0, other.y0) < 1
            )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_spread_keeps_order_and_distance(wanted: list[float]) -> None:
    """Labels at the ends of lines keep their order, their distance and their limits."""
    placed = _figures.spread(wanted, 0.05, 0, 1)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights = [placed[i] for i in order]
    assert all(b - a >= 0.05 - 1e-9 for a, b in pairwise(heights))
    assert min(heights) >= -1e-9
    assert max(heights) <= 1 + 1e-9


@given(st.floats(1e-3, 1e3), st.floats(1, 1e3))
def test_a_ratio_axis_has_few_ticks(low: float, factor: float) -> None:
    """At any range there are some labelled ticks, and not so many that they touch."""
    with _figures.style():
        axes = _figures.new_figure().subplots()
        _figures.ratio_axis(axes, low, low * factor)
        shown = [t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    assert 2 <= len(shown) <= 12


def test_a_front_is_a_stair_from_edge_to_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The points that are named are joined by a line that runs on to the top and to the right; else there is none."""
    kept: list[mpl.figure.Figure] = []
    monkeypatch.setattr(_figures, "save", lambda figure, path, **options: kept.append(figure) or "")
    for front in ((), ("fast", "exact <&>")):
        speed_quality_plot(None, POINTS, title="t", baseline=BASE.label, front=front)
    bare, axes = (figure.axes[0] for figure in kept)
    assert not [line for line in bare.lines if line.get_gid() == "front"]
    (line,) = [line for line in axes.lines if line.get_gid() == "front"]
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    assert np.allclose(line.get_xdata(), [0.8, 0.8, 1, 1, right])
    assert np.allclose(line.get_ydata(), [top, 1.1e-6, 1.1e-6, 1e-6, 1e-6])
    assert bare.get_xlim() == axes.get_xlim()
    assert bare.get_ylim() == axes.get_ylim()
