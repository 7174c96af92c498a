"""The roofline: roofs where the rates put them, points where their numbers put them, labels that cover nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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
    monkeypatch.setattr(_figures, "svg_text", lambda figure, prefix: made.append(figure) or "")

    def draw(points: Sequence[RoofPoint], roofs: Sequence[Roof] = ()) -> Axes:
        roofline_plot(points, roofs, title="Roofline")
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
