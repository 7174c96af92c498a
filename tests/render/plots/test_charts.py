"""Charts of pages: valid SVG with places in percent, figures where they belong and names that cover nothing."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from workbench.errors import InvalidInputError
from workbench.render.plots import (
    Roof,
    RoofPoint,
    TimePoint,
    TradePoint,
    interval_scale,
    over_time_chart,
    reached_charts,
    repetitions_chart,
    roofline_chart,
    rounds_chart,
    stacked_bars,
    trade_chart,
)

NAN, INF = math.nan, math.inf
HARM = '<&"'


def point(label: str, speed_up: float = 1.0, error: float = 1e-6, kind: str = "faster") -> TradePoint:
    return TradePoint(label, speed_up, speed_up / 1.1, speed_up * 1.1, error, error / 2, 2 * error, kind)


POINTS = [
    point(HARM, kind="baseline"),
    point("fast", 1.25, 1.1e-6),
    point("table", 1.2, 3e-4, "inconclusive"),
    TradePoint("open", 0.9, 0.0, INF, 1e-5, 0.0, INF, "slower"),
]
ROOFS = [Roof("1 thread <&>", 80.0, 10.0, 160.0), Roof("2 threads", 150.0, 14.0, 310.0)]
SCOPES = [RoofPoint(HARM, 20.0, 30.0, 4.0), RoofPoint("b", 0.5, 2.0, 1.0), RoofPoint("c", 0.1, 0.5, 0.0)]
SCALE = interval_scale([(0.9, 1.2), (1.3, 1.4)], 0.02, "slower", "faster")
TIMES = {"base": [0.1, 0.2, 0.4], HARM: [0.05, 0.1, INF]}
CHARTS: dict[str, Callable[[], Markup]] = {
    "head": SCALE.head,
    "cell": lambda: SCALE.cell(1.1, 0.9, 1.2, "faster", HARM),
    "open cell": lambda: SCALE.cell(1.1, 0.0, INF, "inconclusive", HARM),
    "empty cell": lambda: SCALE.empty(HARM),
    "trade": lambda: trade_chart(POINTS, band=0.02, margin=0.1, baseline=HARM, front=["fast", HARM]),
    "rounds": lambda: rounds_chart([1.1, NAN, 1.3, 0.0, 900.0, 1.2, 1.1], 1.1, 0.02, HARM),
    "repetitions": lambda: repetitions_chart([9e6, -2e3, *[1500.0] * 900], 451, (1400.0, 1600.0), HARM),
    "one repetition": lambda: repetitions_chart([0.0], 1, (0.0, 0.0), HARM),
    "one round": lambda: rounds_chart([1.0], 1.0, 0.02, HARM),
    "bars": lambda: stacked_bars({HARM: [0.5, 0.1]}, ["a", HARM], words=str, ends={HARM: 0.7}).rows[HARM],
    "reached": lambda: reached_charts(TIMES, "base")[0].chart,
    "roofline": lambda: roofline_chart(SCOPES, ROOFS),
    "far": lambda: roofline_chart([RoofPoint("a", 1e-60, 1e60, 0.0), RoofPoint("b", 1e60, 1e-60, 1e9)]),
}


def elements(chart: Markup, name: str, cls: str = "") -> list[ET.Element]:
    """Return the elements of a chart with a name and a class."""
    return [
        each
        for each in ET.fromstring(chart).iter(name)
        if not cls or cls in (each.get("class") or "").split()
    ]


@pytest.mark.parametrize("kind", CHARTS)
def test_charts_are_valid_and_as_wide_as_their_place(kind: str) -> None:
    """Each is one SVG without a width of its own, without styles and ids, the same each time, names escaped."""
    svg = CHARTS[kind]()
    assert svg == CHARTS[kind]()
    root = ET.fromstring(svg)
    assert root.get("width") == "100%"
    assert root.get("viewBox") is None
    assert not re.search(r"\b(?:nan|inf)\b|style=|\bid=", svg)
    for each in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            place = each.get(name, "0")
            assert place.endswith("%") or place in ("0", "30", "38"), place


def test_an_interval_is_where_its_axis_says() -> None:
    """The bar reaches from its low end to its high one, the mark is between, and what is beyond ends in an arrow."""
    chart = SCALE.cell(1.1, 0.9, 1.2, "faster", "")
    (bar,), (mark,) = elements(chart, "rect", "wp-interval"), elements(chart, "line", "wp-mark")
    left = float(bar.attrib["x"].rstrip("%"))
    right = left + float(bar.attrib["width"].rstrip("%"))
    assert left == pytest.approx(100 * SCALE.axis.share(0.9), abs=0.02)
    assert right == pytest.approx(100 * SCALE.axis.share(1.2), abs=0.02)
    assert left < float(mark.attrib["x1"].rstrip("%")) < right
    assert elements(chart, "text", "wp-beyond") == []
    assert [each.text for each in elements(CHARTS["open cell"](), "text", "wp-beyond")] == ["◂", "▸"]
    assert float(bar.attrib["height"]) > 2.5, "an interval is thicker than its mark"


def test_one_variant_flattens_no_other() -> None:
    """An axis goes by what most need; one that is far slower ends at the edge."""
    scale = interval_scale([(0.9, 1.1), (1.2, 1.3), (0.95, 1.05), (1 / 30, 1 / 28)], 0.02, "slower", "faster")
    assert scale.axis.low > 0.5
    both = interval_scale([(0.9, 1.1), (1 / 30, 1 / 28)], 0.02, "slower", "faster")
    assert both.axis.low < 1 / 28, "of two none is the odd one"


@given(st.floats(0.3, 1), st.floats(1, 300))
def test_an_axis_has_few_ticks(low: float, high: float) -> None:
    """At any range there are some ticks, and not so many that they touch."""
    scale = interval_scale([(low, high)], 0.02, "slower", "faster")
    assert scale.axis.low < low
    assert high < scale.axis.high
    texts = [each.text for each in elements(scale.head(), "text")]
    assert 3 <= len(texts) <= 12


def test_points_at_one_place_have_one_label() -> None:
    """Names of points that cover each other are one label; every name of a quiet chart is there."""
    chart = trade_chart(
        [point("one", kind="baseline"), point("two"), point("far", 3.0, 1e-3)],
        band=0.02, margin=0.1, baseline="one", front=[],
    )  # fmt: skip
    assert [each.text for each in elements(chart, "text", "wp-name")] == ["one · two", "far"]
    assert elements(chart, "line", "wp-front") == []


def test_a_front_is_a_stair() -> None:
    """The points that are named are joined by level and upright lines."""
    lines = elements(CHARTS["trade"](), "line", "wp-front")
    assert len(lines) == 4
    assert all(line.get("x1") == line.get("x2") or line.get("y1") == line.get("y2") for line in lines)


def labels_of(chart: Markup, width: float) -> list[tuple[float, float, float, float]]:
    """Return where the names are if the chart is so wide: left, top, right and bottom."""
    found = []
    for text in elements(chart, "text", "wp-name"):
        x = width * float(text.attrib["x"].rstrip("%")) / 100 + float(text.attrib.get("dx", 0))
        y, wide = float(text.attrib["y"]) - 4.5, 0.5 * 13 * len(text.text or "")
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.attrib["text-anchor"]]
        found.append((left, y - 7, left + wide, y + 7))
    return found


@pytest.mark.parametrize("width", [560, 1200])
def test_names_cover_no_other(width: float) -> None:
    """Among many scopes no name covers another, on a narrow page and on a wide one; most have a name or number."""
    random = np.random.default_rng(1)
    for count in (1, 12, 40):
        scopes = [
            RoofPoint(f"a scope with the name {i}", *(10 ** random.uniform(-1, 1.5, 2)).tolist(), float(i))
            for i in range(count)
        ]
        boxes = labels_of(roofline_chart(scopes, ROOFS), width)
        assert len(boxes) >= 0.6 * count
        for a, b in combinations(boxes, 2):
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_parts_are_stacked() -> None:
    """Parts follow each other, each with its colour, the rest grey; the key has the same order."""
    bars = stacked_bars({"a": [1.0, 2.0, 1.0], "b": [0.0, 1.0, 0.0]}, ["x", "y", "z"], rest=True, words=str)
    parts = elements(bars.rows["a"], "rect")
    assert [each.attrib["x"] for each in parts] == ["0.00%", "25.00%", "75.00%"]
    assert [each.attrib["class"] for each in parts] == ["wp-part s0", "wp-part s1", "wp-part rest"]
    assert len(elements(bars.rows["b"], "rect")) == 1
    assert [sign.rpartition("> ")[2] for sign in bars.key] == ["x", "y", "z"]


def test_a_bar_that_would_flatten_all_others_is_cut() -> None:
    """It ends in an arrow, and is named."""
    bars = stacked_bars({"a": [1.0], "b": [1.1], "c": [0.9], "d": [40.0]}, ["x"], words=str)
    assert bars.beyond == ["d"]
    assert [each.text for each in elements(bars.rows["d"], "text", "always")] == ["▸"]
    assert elements(bars.rows["a"], "text", "always") == []


def test_each_verdict_over_time_has_its_shape() -> None:
    """Points differ by their shape, too, and those of time and error with the same sense are alike."""
    kinds = ["faster", "slower", "equivalent", "baseline", "inconclusive", "error-better", "error-worse"]
    points = [TimePoint(1.0, 0.9, 1.1, kind, kind) for kind in kinds]
    chart = over_time_chart(points, [], ("first", "last"), "chart", is_time=True)
    shapes = [each.attrib["d"] for each in elements(chart, "path", "wp-point")]
    assert len(set(shapes)) == 5
    assert (shapes[5], shapes[6]) == (shapes[0], shapes[1])


def test_equal_times_share_a_chart() -> None:
    """Variants with the same times are drawn once, with how often they got there; far slower ones on an own scale."""
    charts = reached_charts(
        {"base": [0.1, 0.2], "a": [0.1, INF], "b": [INF, 0.1], "slow": [90.0, 99.0], "never": [INF, INF]},
        "base",
    )
    assert [(list(each.names), each.reached, each.has_own_axis) for each in charts] == [
        (["a", "b"], "1 of 2", False), (["slow"], "2 of 2", True), (["never"], "0 of 2", False),
    ]  # fmt: skip
    assert reached_charts({"base": [INF], "a": [INF]}, "base") == []


def test_a_roof_rises_to_its_ridge_and_is_level() -> None:
    """Each roof has a rising and a level line, single precision two more; its rates are in the key."""
    chart = roofline_chart(SCOPES, ROOFS)
    lines = elements(chart, "line", "wp-roof")
    assert len(lines) == 2 * 4 + 2
    texts = {each.text for each in elements(chart, "text")}
    assert "1 thread <&>: 80 GFLOP/s, float32 160, 10 GB/s" in texts
    radii = [float(each.attrib["r"]) for each in elements(chart, "circle")]
    assert radii[0] / radii[1] == pytest.approx(2.0)


def bars_of(amounts: list[float], parts: str = "abc") -> object:
    return stacked_bars({"a": amounts}, list(parts), rest=True, words=str)


def trade_of(points: list[TradePoint]) -> Markup:
    return trade_chart(points, band=0.02, margin=0.1, baseline="a", front=[])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: trade_of([point("a", error=0.0)]), "nothing to draw"),
        (lambda: bars_of([1.0]), "1 amounts for 3 parts"),
        (lambda: bars_of([1.0, -1.0, 0.0]), "amount -1"),
        (lambda: bars_of([1.0, NAN, 0.0]), "amount nan"),
        (lambda: bars_of([1.0] * 8, "abcdefgh"), "8 parts are more"),
        (lambda: roofline_chart([], ROOFS), "no scope states both flops and bytes"),
        (lambda: roofline_chart([RoofPoint("a", 0.0, 1.0, 1.0)]), "'a' has 0 flops per byte and 1 GFLOP/s"),
        (lambda: roofline_chart([RoofPoint("a", 1.0, INF, 1.0)]), "inf GFLOP/s"),
        (lambda: roofline_chart([RoofPoint("a", 1.0, 1.0, -1.0)]), "'a' took -1 s"),
        (
            lambda: roofline_chart(SCOPES, [Roof("1 thread", 1.0, 0.0)]),
            "the roof of 1 thread is at 1 GFLOP/s and 0 GB/s",
        ),
    ],
)
def test_bad_input(draw: Callable[[], object], message: str) -> None:
    """What cannot be drawn is refused with its value."""
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        draw()


def test_repetitions_are_bounded_and_none_is_lost() -> None:
    """Thousands of repetitions are a few hundred points, each of several; what is beyond the axis is an arrow."""
    left = [9e6, *[1500.0 + 100 * (i % 3) for i in range(5_000)]]
    chart = repetitions_chart(left, 2_500, (1500.0, 1700.0), "left")
    titles = [element.text or "" for element in ET.fromstring(chart).iter("title")]
    assert len(titles) <= 240
    assert titles[0].startswith("calls 1 to ")
    assert "to 5,001:" in titles[-1]
    assert [element.text for element in elements(chart, "text", "wp-missing")] == ["▴"]
    assert elements(chart, "rect", "wp-band")
