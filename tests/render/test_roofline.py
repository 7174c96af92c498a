"""The roofline: roofs where the rates put them, points where their numbers put them, labels that cover nothing."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workbench.errors import InvalidInputError
from workbench.render.plots import Roof, RoofPoint, _figures, _roofline, roofline_plot

ROOFS = [Roof("1 thread", 80.0, 10.0, 160.0), Roof("2 threads", 150.0, 14.0, 310.0)]
POINTS = [
    RoofPoint("solve <&>", 20.0, 30.0, 4.0),
    RoofPoint("$x$", 0.5, 2.0, 1.0),
    RoofPoint("_hidden", 0.1, 0.5, 0.0),
]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Axes]:
    """Return a function that draws a roofline and returns its axes, settled."""
    made: list[Figure] = []
    save = _figures.save

    def keep(figure: Figure, path: Any, **more: Any) -> str:
        made.append(figure)
        return save(figure, path, **more)

    monkeypatch.setattr(_figures, "save", keep)

    def draw(points: Sequence[RoofPoint], roofs: Sequence[Roof] = ()) -> Axes:
        roofline_plot(None, points, roofs, title="Roofline")
        FigureCanvasAgg(made[-1]).draw()
        return made[-1].axes[0]

    return draw


def lines(axes: Axes) -> list[tuple[list[float], list[float]]]:
    """Return the corners of each line that is no point."""
    return [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.lines
        if line.get_marker() == "None"
    ]


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def crowd(count: int, seed: int = 0) -> list[RoofPoint]:
    random = np.random.default_rng(seed)
    return [
        RoofPoint(f"a scope with the name {i}", float(x), float(y), float(t))
        for i, (x, y, t) in enumerate(
            zip(
                10 ** random.uniform(-1, 1.5, count),
                10 ** random.uniform(-1, 1.5, count),
                -np.sort(-random.exponential(size=count)),
                strict=True,
            )
        )
    ]


def test_roofs_are_where_the_rates_put_them(figures: Callable[..., Axes]) -> None:
    """Each rises by its copy rate to the ridge and is level from there on; single precision goes on to its own."""
    axes = figures(POINTS, ROOFS)
    right = axes.get_xlim()[1]
    found = lines(axes)
    for roof in ROOFS:
        ridge = roof.gflops / roof.gbytes_per_s
        (line,) = [(x, y) for x, y in found if x[1] == ridge and len(x) == 3 and y[-1] == roof.gflops]
        assert line[1][0] == pytest.approx(line[0][0] * roof.gbytes_per_s)
        assert line[0][2] == right
        assert (
            [ridge, roof.single_gflops / roof.gbytes_per_s, right],
            [roof.gflops, *[roof.single_gflops] * 2],
        ) in found
        assert axes.get_xlim()[0] < ridge < right
        assert axes.get_ylim()[0] < roof.gflops < axes.get_ylim()[1]


def test_points_are_where_their_numbers_put_them(figures: Callable[..., Axes]) -> None:
    """A point for each scope; its area goes by its time, and the least is still to be seen."""
    axes = figures(POINTS)
    found = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markersize()
        for line in axes.lines
        if line.get_marker() == "o"
    }
    assert set(found) == {(point.flops_per_byte, point.gflops) for point in POINTS}
    largest, middle, least = (found[point.flops_per_byte, point.gflops] for point in POINTS)
    assert (largest / middle) ** 2 == pytest.approx(4.0)
    assert 0 < least < middle
    assert lines(axes) == []


def test_labels_cover_nothing(figures: Callable[..., Axes]) -> None:
    """In a crowd no label covers a point or another label, or leaves the plot; each is a name or the number."""
    for count in (1, 12, 40):
        points = crowd(count)
        axes = figures(points, ROOFS)
        inside = axes.get_window_extent()
        boxes = [text.get_window_extent() for text in axes.texts]
        for i, box in enumerate(boxes):
            assert inside.x0 <= box.x0
            assert box.x1 <= inside.x1
            assert not any(box.overlaps(other) for other in boxes[:i])
            for line in axes.lines:
                if line.get_marker() == "o":
                    x, y = axes.transData.transform((line.get_xdata()[0], line.get_ydata()[0]))
                    assert not box.padded(-1).contains(x, y)
        names = {point.label for point in points} | {str(i + 1) for i in range(count)}
        assert set(written(axes)) <= names
        assert len(boxes) >= 0.7 * count
        assert {points[0].label, "1"} & set(written(axes)), "the longest has a label"


def test_names_beyond_measure_are_cut(figures: Callable[..., Axes]) -> None:
    """A long name ends with an ellipsis."""
    (name,) = written(figures([RoofPoint("x" * 500, 1.0, 1.0, 1.0)]))
    assert name == "x" * (_roofline.NAME_LENGTH - 1) + "…"


def test_everything_is_named() -> None:
    """Scopes and roofs stand in it as they are called, also what matplotlib would hide or typeset."""
    svg = roofline_plot(None, POINTS, ROOFS, title="Roofs & points", as_svg=True)
    texts = [(e.text or "").strip() for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]
    for words in (
        *(point.label for point in POINTS),
        "Roofs & points",
        "flops per byte",
        "GFLOP/s",
        "1 thread: 80 GFLOP/s, 10 GB/s",
        "2 threads: 150 GFLOP/s, 14 GB/s",
        "float32: 160 / 310 GFLOP/s",
    ):
        assert words in texts


@pytest.mark.parametrize(
    ("points", "roofs", "words"),
    [
        ([], ROOFS, "no scope states both flops and bytes"),
        ([RoofPoint("a", 0.0, 1.0, 1.0)], (), "'a' has 0 flops per byte and 1 GFLOP/s"),
        ([RoofPoint("a", 1.0, math.nan, 1.0)], (), "nan GFLOP/s"),
        ([RoofPoint("a", 1.0, math.inf, 1.0)], (), "inf GFLOP/s"),
        ([RoofPoint("a", 1.0, 1.0, -1.0)], (), "'a' took -1 s"),
        (POINTS, [Roof("1 thread", 1.0, 0.0)], "the roof of 1 thread is at 1 GFLOP/s and 0 GB/s"),
    ],
)
def test_bad_input(points: Any, roofs: Any, words: str) -> None:
    """What cannot be drawn is said with its value."""
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        roofline_plot(None, points, roofs, title="T")


@given(
    st.lists(st.tuples(st.floats(-60, 60), st.floats(-60, 60), st.floats(0, 1e9)), min_size=1, max_size=8),
    st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_any_points_are_drawn(found: list[tuple[float, float, float]], with_roofs: bool) -> None:
    """Wherever the points are, the picture is valid and states no number that is none."""
    points = [RoofPoint(f"scope {i}", 10**x, 10**y, t) for i, (x, y, t) in enumerate(found)]
    svg = roofline_plot(None, points, ROOFS if with_roofs else (), title="T", as_svg=True)
    ET.fromstring(svg)
    assert not re.search(r"\b(?:nan|inf)\b", svg)
