"""What flame graphs, differences and timelines promise alike, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.trees import sampled_tree
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord, difference
from workbench.render.flamegraph.difference import difference_svg
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.render.policy import content_security_policy
from workbench.render.timeline.timeline import timeline_svg

pytestmark = pytest.mark.browser
MS = 1_000_000


def flame_graph(names: list[str], title: str) -> str:
    return flamegraph_svg(sampled_tree(([Frame(name)], 50 * MS) for name in names), title=title)


def change(names: list[str], title: str) -> str:
    before, after = (sampled_tree(([Frame(name)], each * MS) for name in names) for each in (50, 80))
    diff = difference(before, after, normalised=False)
    return difference_svg(diff, title=title, before_name=title, after_name=title)


def timeline(names: list[str], title: str) -> str:
    builder = ProfileBuilder(title)
    records = [
        SpanRecord(i * 50 * MS, (i + 1) * 50 * MS, 0, Frame(name, kind=FrameKind.SCOPE))
        for i, name in enumerate(names)
    ]
    builder.add_track(title, pid=1, tid=1, spans=builder.spans(records))
    return timeline_svg(builder.build(), title=title)


@dataclass(frozen=True)
class Kind:
    """A kind of chart, and where its parts are."""

    draw: Callable[[list[str], str], str]
    drawn: str
    """There as soon as the script has drawn."""
    prefix: str
    hint: str
    zoom: Callable[[Any], None]
    zoomed: str
    """A selector of the charts that are zoomed."""


def click_box(chart: Any) -> None:
    chart.locator(".wf-box").filter(has_text="one").first.click()


FLAMES = ("wf", "open in a browser to zoom and search", click_box, ".wf-reset:visible")
KINDS = {
    "flame graph": Kind(flame_graph, ".wf-box", *FLAMES),
    "difference": Kind(change, ".wf-box", *FLAMES),
    "timeline": Kind(
        timeline,
        ".wt-canvas",
        "wt",
        "open in a browser to pan and zoom",
        lambda chart: chart.locator(".wt-in").click(),
        ".wt-reset:enabled",
    ),
}
NAMES = ["one", "two", "three"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def opened(open_page: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that opens markup, as a page or as a file of SVG."""

    def open_it(markup: str, *, page: bool = False, **options: Any) -> Any:
        path = tmp_path / ("page.html" if page else "file.svg")
        path.write_text(f"<!doctype html><meta charset=utf-8>{markup}" if page else markup, encoding="utf-8")
        return open_page(path, **options)

    return open_it


def test_without_scripts(kind: Kind, opened: Callable[..., Any]) -> None:
    """Without scripts the boxes are drawn and named, and a line says how to get more; with scripts it is gone."""
    svg = kind.draw(NAMES, "Numbers")
    page = opened(svg, scripts=False).page
    assert page.get_by_text(kind.hint).is_visible()
    assert page.get_by_text("two", exact=True).is_visible()
    assert page.locator("svg[role=img][aria-label=Numbers]").count() == 1
    assert page.locator(f".{kind.prefix}-static g > title").count() >= 3
    live = opened(svg).page
    live.locator(kind.drawn).first.wait_for()
    assert live.locator(f".{kind.prefix}-static").count() == 0
    assert live.get_by_text(kind.hint).count() == 0


@pytest.mark.parametrize("page", [False, True])
def test_hostile_names_without_scripts(kind: Kind, opened: Callable[..., Any], page: bool) -> None:
    """Names are only text where no script runs, as a file and in a page, and keep within it."""
    watched = opened(kind.draw(HOSTILE, HOSTILE[1]) + "<p id=after>after" * page, page=page, scripts=False)
    assert watched.page.get_by_text("nul \\x00").count() > 0
    if page:
        assert watched.page.locator("#after").evaluate("e => e.parentElement.localName") == "body"
    watched.assert_quiet()
    assert watched.requests == [watched.page.url]


def test_a_chart_in_a_closed_part_waits(kind: Kind, opened: Callable[..., Any]) -> None:
    """A chart that is not shown yet is laid out when it is."""
    watched = opened(f"<details><summary>open</summary>{kind.draw(NAMES, 'Hidden')}</details>", page=True)
    watched.page.locator("summary").click()
    chart = watched.page.locator(kind.drawn).first
    chart.wait_for()
    assert chart.bounding_box()["width"] > 1000
    watched.assert_quiet()


def test_many_under_a_strict_policy_act_alone(kind: Kind, opened: Callable[..., Any]) -> None:
    """A page that allows nothing but the hashes runs ten charts; zoom, search and keys reach one of them."""
    svgs = "".join(kind.draw(NAMES, f"Chart {i} {HOSTILE[i][:99]}") for i in range(10))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy(svgs)}">'
    watched = opened(f"{policy}<input id=other>{svgs}", page=True)
    page, charts = watched.page, watched.page.locator(f"svg:has({kind.drawn})")
    charts.nth(9).wait_for()
    assert charts.count() == 10
    kind.zoom(charts.nth(8))
    assert page.locator(kind.zoomed).count() == 1
    charts.nth(9).locator("input").fill("two")
    matched = page.locator(f".{kind.prefix}-matched")
    assert [bool(matched.nth(i).inner_text()) for i in range(10)] == [False] * 9 + [True]
    page.locator("#other").focus()
    page.mouse.move(600, 2)
    page.keyboard.type("/0+")
    assert page.locator("#other").input_value() == "/0+", "keys typed elsewhere stay there"
    assert page.locator(kind.zoomed).count() == 1
    watched.assert_quiet()
    page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.ran = 1'; document.body.append(s); }"
    )
    assert page.evaluate("() => window.ran") is None, "the policy is on"


def test_nothing_recorded_says_so(kind: Kind, opened: Callable[..., Any]) -> None:
    """A profile without events is a chart with a sentence, and no error."""
    watched = opened(kind.draw([], "Empty"))
    assert watched.page.get_by_text("No s").is_visible()
    watched.assert_quiet()


def test_as_an_image(kind: Kind, opened: Callable[..., Any], tmp_path: Path) -> None:
    """As an image, where scripts never run, it fills its place in the right proportion."""
    (tmp_path / "chart.svg").write_text(kind.draw(NAMES, "Image"), encoding="utf-8")
    page = opened(
        "<body style='margin:0'><img src='chart.svg' style='max-width:100%'>", page=True, width=800
    ).page
    place = page.locator("img").bounding_box()
    assert place["width"] == pytest.approx(800, abs=1)
    assert 60 < place["height"] < 200
