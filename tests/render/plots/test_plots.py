"""Plots: written, valid, with ids of their own, and none of their labels over another."""

from __future__ import annotations

import math
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.render.plots import (
    PlotPoint,
    Roof,
    RoofPoint,
    RoundRatios,
    _figures,
    error_curves,
    fit_plot,
    ratio_plot,
    roofline_plot,
    round_ratios_plot,
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
    PlotPoint("open", 1.1, 0.9, float("inf")),
]
X = np.linspace(-1, 1, 40)


NAN, INF = math.nan, math.inf
Y = np.sin(X)
PAIRS = np.stack([X, X**2], axis=1)
HISTORIES = {"a": {"training": [1, 0.1, 0.0, NAN], "validation": [1, 0.2]}, "b": {"training": [1]}}
ROWS = [RoundRatios("exact <&>", [0.5, NAN, 0.9], "median 0.7×"), RoundRatios("always failed", [NAN] * 3)]
TIMES = {"exact <&>": [0.1, 0.2, 0.3], "half": [0.1, INF, 0.4], "never": [INF] * 3, "not measured": []}
BARS = {"exact <&>": [0.5, 0.25, 0.01], "$x$": [0.1, 0.0, 0.0], "_hidden": [0.0, 0.0, 0.9]}
PARTS = ["predict", "_own <&>", "the rest"]
ROOFS = [Roof("1 thread <&>", 80.0, 10.0, 160.0), Roof("2 threads", 150.0, 14.0, 310.0)]
SCOPES = [RoofPoint("solve <&>", 20.0, 30.0, 4.0), RoofPoint("_hidden", 0.1, 0.5, 0.0)]
FITS: dict[str, Callable[[Path], None]] = {
    "fit": lambda path: fit_plot(path, X, Y, Y + 0.1, Y, title="<&>", split=X > 0),
    "outputs": lambda path: fit_plot(path, PAIRS, PAIRS, PAIRS + 0.01, title="<&>"),
}
PLOTS: dict[str, Callable[[str], str]] = {
    "errors": lambda prefix: error_curves(HISTORIES, title="<&>", prefix=prefix),
    "speed": lambda prefix: speed_quality_plot(POINTS, title="T", baseline="exact <&>", prefix=prefix),
    "ratio": lambda prefix: ratio_plot(POINTS, title="T", baseline="exact <&>", prefix=prefix),
    "rounds": lambda prefix: round_ratios_plot(ROWS, title="T", band=0.02, prefix=prefix),
    "one round": lambda prefix: round_ratios_plot([RoundRatios("<&>", [0.5])], title="T", prefix=prefix),
    "targets": lambda prefix: time_to_target_plot(TIMES, title="T", prefix=prefix),
    "at once": lambda prefix: time_to_target_plot({"<&>": [0.0], "b": [0.0, INF]}, title="T", prefix=prefix),
    "bars": lambda prefix: stacked_bars_plot(
        BARS,
        PARTS,
        title="T",
        axis="seconds",
        rest=True,
        ends=[0.7, NAN, 1.0],
        end="by the clock",
        prefix=prefix,
    ),
    "no time": lambda prefix: stacked_bars_plot({"<&>": [0.0]}, ["a"], title="T", axis="s", prefix=prefix),
    "roofline": lambda prefix: roofline_plot(SCOPES, ROOFS, title="T", prefix=prefix),
    "far": lambda prefix: roofline_plot(
        [RoofPoint("<&>", 1e-60, 1e60, 0.0), RoofPoint("b", 1e60, 1e-60, 1e9)], title="T", prefix=prefix
    ),
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


@pytest.mark.parametrize("kind", [*FITS, *PLOTS])
def test_svg(kind: str, tmp_path: Path) -> None:
    """SVG is valid and the same each time, has its own ids, takes the text's colour and fetches nothing.

    Drawing changes no setting of matplotlib.
    """

    def draw() -> tuple[str, str]:
        if kind in PLOTS:
            return PLOTS[kind]("mine"), "mine"
        FITS[kind](tmp_path / "a.svg")
        return (tmp_path / "a.svg").read_text(encoding="utf-8"), "fit"

    before = dict(mpl.rcParams)
    svg, prefix = draw()
    assert draw()[0] == svg
    assert dict(mpl.rcParams) == before
    root = ET.fromstring(svg)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith(prefix) for name in ids if name)
    used = re.findall(r"(?:href=\"|url\()#([^\")]+)", svg)
    assert set(used) <= set(ids)
    assert "currentColor" in svg
    assert "viewBox" in svg
    assert "&lt;&amp;&gt;" in svg
    assert not re.search(r"\b(?:nan|inf)\b", svg)
    assert root.get("width") == "100%"
    assert not re.search(r"<style[^>]*>\s*\*", svg), "a rule that would reach the whole page"


@pytest.mark.parametrize(
    ("kind", "shown", "hidden"),
    [
        ("ratio", ["slow $x$", "exact <&>", "0.800× [0.780, 0.830]", "1.100× [0.900, ∞]"], []),
        ("targets", ["exact <&>  3/3", "half  2/3", "never  0/3"], ["not measured"]),
        ("rounds", ["exact <&>", "median 0.7×"], ["always failed"]),
        ("bars", [*BARS, *PARTS, "by the clock", "seconds", "0.5", "0.25", "0.9"], ["0.01"]),
        (
            "roofline",
            [
                *(point.label for point in SCOPES),
                *("flops per byte", "GFLOP/s", "float32: 160 / 310 GFLOP/s"),
                *("1 thread <&>: 80 GFLOP/s, 10 GB/s", "2 threads: 150 GFLOP/s, 14 GB/s"),
            ],
            [],
        ),
    ],
)
def test_texts(kind: str, shown: list[str], hidden: list[str]) -> None:
    """Names are shown letter by letter, also those that matplotlib would hide or typeset; intervals are complete."""
    root = ET.fromstring(PLOTS[kind]("p"))
    texts = {(element.text or "").strip() for element in root.iter() if element.tag.endswith("text")}
    assert set(shown) <= texts
    assert not set(hidden) & texts


def test_colours_tell_verdicts_and_parts() -> None:
    """Each verdict has its colour; each part of a bar has its own, and the rest is grey."""
    kinds = ("faster", "slower", "equivalent", "inconclusive")
    points = [PlotPoint(kind, 0.9, 0.8, 0.95, verdict=kind) for kind in kinds]
    svg = ratio_plot(points, title="t", baseline="none", band=0.02)
    assert all(c in svg for c in (_figures.BLUE, _figures.VERMILION, _figures.GREEN, _figures.GREY))
    svg = PLOTS["bars"]("p")
    assert all(c in svg for c in (_figures.BLUE, _figures.VERMILION, _figures.GREY))
    assert _figures.GREEN not in svg


def fit(*arrays: Any, path: str = "a.png", **more: Any) -> None:
    fit_plot(path, *arrays, title="t", **more)


def bars(amounts: Any, parts: Any = ("a", "b", "c"), **more: Any) -> str:
    return stacked_bars_plot(amounts, parts, title="t", axis="s", rest=True, **more)


def roofs(points: Any, roofs: Any = ()) -> str:
    return roofline_plot(points, roofs, title="t")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: fit(X, Y, Y, path="a.pdf"), ".png or .svg"),
        (lambda: fit(X, X[1:], X[1:]), "equal, non-zero lengths"),
        (lambda: fit(X, X, X, split=[True]), "split has shape"),
        (lambda: error_curves({}, title="t"), "no histories"),
        (lambda: speed_quality_plot([PlotPoint("a", 1, 1, 1)], title="t", baseline="a"), "nothing to draw"),
        (lambda: ratio_plot([], title="t", baseline="a"), "nothing to draw"),
        (lambda: ratio_plot(POINTS, title="t", baseline="a", prefix='"'), "identifier"),
        (lambda: round_ratios_plot([RoundRatios("a", [NAN])], title="t"), "nothing to draw"),
        (lambda: time_to_target_plot({"a": [INF], "b": []}, title="t"), "no variant has reached the target"),
        (lambda: time_to_target_plot({"a": [-1.0, 2.0]}, title="t"), "a time to the target is -1 s"),
        (lambda: bars({}), "nothing to draw"),
        (lambda: bars({"a": []}, []), "nothing to draw"),
        (lambda: bars({"a": [1.0]}), "1 amounts for 3 parts"),
        (lambda: bars({"a": [1.0, -1.0, 0.0]}), "amount -1"),
        (lambda: bars({"a": [1.0, NAN, 0.0]}), "amount nan"),
        (lambda: bars({"a": [1.0, INF, 0.0]}), "amount inf"),
        (lambda: bars({"a": [1.0] * 8}, list("abcdefgh")), "8 parts are more"),
        (lambda: bars({"a": [1.0] * 3}, ends=[1.0, 2.0]), "2 ends for 1 bars"),
        (lambda: roofs([], ROOFS), "no scope states both flops and bytes"),
        (lambda: roofs([RoofPoint("a", 0.0, 1.0, 1.0)]), "'a' has 0 flops per byte and 1 GFLOP/s"),
        (lambda: roofs([RoofPoint("a", 1.0, NAN, 1.0)]), "nan GFLOP/s"),
        (lambda: roofs([RoofPoint("a", 1.0, INF, 1.0)]), "inf GFLOP/s"),
        (lambda: roofs([RoofPoint("a", 1.0, 1.0, -1.0)]), "'a' took -1 s"),
        (
            lambda: roofs(SCOPES, [Roof("1 thread", 1.0, 0.0)]),
            "the roof of 1 thread is at 1 GFLOP/s and 0 GB/s",
        ),
    ],
)
def test_bad_input(draw: Callable[[], object], message: str) -> None:
    """What cannot be drawn is refused with its value."""
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        draw()


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


@pytest.mark.parametrize("axis", [_figures.ratio_axis, _figures.time_axis])
@given(low=st.floats(1e-3, 1e3), factor=st.floats(1, 1e3))
def test_an_axis_has_few_ticks(axis: Callable[..., None], low: float, factor: float) -> None:
    """At any range there are some labelled ticks, and not so many that they touch."""
    with _figures.style():
        axes = _figures.new_figure().subplots()
        axis(axes, low, low * factor)
        left, right = axes.get_xlim()
        shown = [t for t in axes.get_xticks() if left <= t <= right]
    assert left < low <= low * factor < right
    assert 2 <= len(shown) <= 14


def test_a_front_is_a_stair_from_edge_to_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The points that are named are joined by a line that runs on to the top and to the right; else there is none."""
    kept: list[mpl.figure.Figure] = []
    monkeypatch.setattr(_figures, "svg_text", lambda figure, prefix: kept.append(figure) or "")
    for front in ((), ("fast", "exact <&>")):
        speed_quality_plot(POINTS, title="t", baseline=BASE.label, front=front)
    bare, axes = (figure.axes[0] for figure in kept)
    assert not [line for line in bare.lines if line.get_gid() == "front"]
    (line,) = [line for line in axes.lines if line.get_gid() == "front"]
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    assert np.allclose(line.get_xdata(), [0.8, 0.8, 1, 1, right])
    assert np.allclose(line.get_ydata(), [top, 1.1e-6, 1.1e-6, 1e-6, 1e-6])
    assert bare.get_xlim() == axes.get_xlim()
    assert bare.get_ylim() == axes.get_ylim()


def test_a_curve_ends_at_its_share_of_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve rises by one round at a time, at the time of each, and stays where it ends."""
    kept: list[mpl.figure.Figure] = []
    monkeypatch.setattr(_figures, "svg_text", lambda figure, prefix: kept.append(figure) or "")
    time_to_target_plot(TIMES, title="t")
    half = next(line for line in kept[0].axes[0].lines if len(line.get_xdata()) == 4)
    assert half.get_xdata()[1:3].tolist() == [0.1, 0.4]
    assert np.allclose(half.get_ydata(), [0, 1 / 3, 2 / 3, 2 / 3])
