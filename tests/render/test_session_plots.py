"""Plots of a session: every block is there, and a missed target is a curve that does not reach the top."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.render.plots import (
    BlockRatios,
    PlotPoint,
    _figures,
    block_ratios_plot,
    ratio_plot,
    time_to_target_plot,
)
from workbench.render.plots._experiment import _deviations, _reach
from workbench.text import as_seconds

NAN, INF = math.nan, math.inf
ROWS = [
    BlockRatios("fast <&>", [0.5, 0.51, NAN, 0.49, 0.9, 0.5], "median 0.5×"),
    BlockRatios("drifts $x$", [1.0, 1.01, 1.02, 1.03, 1.04, 1.05], "median 1.02×, drifts"),
    BlockRatios("always failed", [NAN] * 6),
]
TIMES = {"exact <&>": [0.1, 0.2, 0.3], "half": [0.1, INF, 0.4], "never": [INF] * 3, "not measured": []}


def draw(kind: str, path: Path | None, *, as_svg: bool = False, prefix: str = "p") -> str:
    if kind == "blocks":
        return block_ratios_plot(path, ROWS, title="Blocks", band=0.02, as_svg=as_svg, prefix=prefix)
    return time_to_target_plot(path, TIMES, title="Target", as_svg=as_svg, prefix=prefix)


KINDS = pytest.mark.parametrize("kind", ["blocks", "targets"])


def test_misses_are_counted_beside_the_curve() -> None:
    """Each label says in how many blocks the target was reached; what was not measured has none."""
    svg = draw("targets", None, as_svg=True)
    for label in ("exact &lt;&amp;&gt;  3/3", "half  2/3", "never  0/3"):
        assert f">{label}<" in svg
    assert "not measured" not in svg


def test_a_curve_ends_at_its_share_of_hits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve rises by one block at a time, at the time of each, and stays where it ends."""
    kept: list[object] = []
    monkeypatch.setattr(_figures, "save", lambda figure, path, **options: kept.append(figure) or "")
    draw("targets", None)
    lines = kept[0].axes[0].lines  # type: ignore[attr-defined]
    half = next(line for line in lines if len(line.get_xdata()) == 4)
    assert half.get_xdata()[1:3].tolist() == [0.1, 0.4]
    assert np.allclose(half.get_ydata(), [0, 1 / 3, 2 / 3, 2 / 3])


def test_rows_without_a_ratio_are_left_out() -> None:
    """A variant that always failed has no row; the others have theirs, and their notes."""
    svg = draw("blocks", None, as_svg=True)
    assert "always failed" not in svg
    assert ">drifts $x$<" in svg
    assert "median 1.02×, drifts" in svg


def test_unusable_data_are_refused() -> None:
    """Nothing to draw, and times that are none, are errors that say so."""
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        block_ratios_plot(None, [BlockRatios("a", [NAN])], title="t")
    with pytest.raises(InvalidInputError, match="no variant has reached the target"):
        time_to_target_plot(None, {"a": [INF], "b": []}, title="t")
    with pytest.raises(InvalidInputError, match="a time to the target is -1 s"):
        time_to_target_plot(None, {"a": [-1.0, 2.0]}, title="t")


def test_one_block_alone_is_drawn() -> None:
    """A run of one block, without any spread, has a picture."""
    assert "<svg" in block_ratios_plot(None, [BlockRatios("a", [0.5])], title="t", as_svg=True)
    assert "<svg" in time_to_target_plot(None, {"a": [0.5]}, title="t", as_svg=True)
    assert "<svg" in time_to_target_plot(None, {"a": [0.0], "b": [0.0, INF]}, title="t", as_svg=True)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30))
def test_deviations_are_from_the_median(ratios: list[float]) -> None:
    """The median of a row is its middle line, and the rows' height is more than nothing."""
    deviations = _deviations(ratios)
    assert abs(float(np.median(deviations))) < 1e-9
    assert _reach([deviations], 2.0) >= 4.0
    assert _reach([deviations], 0.0) > 0


@given(st.floats(1e-9, 1e5), st.floats(1, 1e6))
def test_a_time_axis_has_few_ticks(low: float, factor: float) -> None:
    """At any range there are some labelled ticks within it, and not so many that they touch."""
    with _figures.style():
        axes = _figures.new_figure().subplots()
        _figures.time_axis(axes, low, low * factor)
        left, right = axes.get_xlim()
        shown = [t for t in axes.get_xticks() if left <= t <= right]
    assert left < low <= low * factor < right
    assert 2 <= len(shown) <= 14


@pytest.mark.parametrize(
    ("seconds", "text"), [(75.0, "75 s"), (0.02, "20 ms"), (3e-6, "3 µs"), (5e-9, "5 ns")]
)
def test_seconds_for_people(seconds: float, text: str) -> None:
    """A time has the unit that reads best."""
    assert as_seconds(seconds) == text


def test_verdicts_have_shapes_of_their_own() -> None:
    """What a point looks like goes by its verdict, and an interval without an end is said to have none."""
    kinds = ("faster", "slower", "equivalent", "inconclusive")
    points = [PlotPoint(kind, 0.9, 0.8, 0.95, verdict=kind) for kind in kinds]
    points.append(PlotPoint("open", 1.1, 0.9, INF))
    svg = ratio_plot(None, points, title="t", baseline="none", band=0.02, as_svg=True)
    for colour in (_figures.BLUE, _figures.VERMILION, _figures.GREEN, _figures.GREY):
        assert colour in svg
    assert "1.100× [0.900, ∞]" in svg
    assert not re.search(r"\b(?:nan|inf)\b", svg)
