"""The page of a benchmark, and of several, in a real browser: readable anywhere, and asking nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.written import Written
from tests.helpers.bench_runs import FACTORS

pytestmark = pytest.mark.browser


def test_every_section_of_a_run_is_there_in_order(written: Written, open_page: Callable[..., Any]) -> None:
    """The table comes first, and what few readers want is closed at the end."""
    page = open_page(written("run")).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == ["variants", "trade", "targets", "more"]
    closed = page.evaluate("[...document.querySelectorAll('#more > details')].map(e => [e.id, e.open])")
    assert closed == [
        ["method", False], ["conditions", False], ["budget", False], ["notes", False], ["raw", False],
    ]  # fmt: skip
    assert page.evaluate("document.documentElement.scrollHeight") <= 6 * 900


def test_a_row_opens_by_mouse_and_keyboard(written: Written, open_page: Callable[..., Any]) -> None:
    """A click on a variant's name shows its rounds, flame graph and difference; the space bar closes it again."""
    watched = open_page(written("recorded run"))
    page = watched.page
    rows = page.locator(".variants tbody")
    for i in range(rows.count()):
        button, more = rows.nth(i).locator("th button"), rows.nth(i).locator(".more")
        assert not more.is_visible()
        button.click()
        assert button.get_attribute("aria-expanded") == "true"
        charts = more.locator(".chart > svg")
        assert charts.count() == (1 if rows.nth(i).get_attribute("class") else 2)
        charts.last.locator(".wf-box").first.wait_for()
        size = charts.last.bounding_box()
        assert size is not None
        assert size["width"] > 1000
        button.press("Space")
        assert not more.is_visible()
    watched.assert_quiet()


def test_a_flame_graph_in_a_row_zooms(written: Written, open_page: Callable[..., Any]) -> None:
    """The baseline's chart is drawn by its script as soon as its row is open, and a click on a box zooms it."""
    watched = open_page(written("recorded run"))
    baseline = watched.page.locator(".variants tbody.baseline")
    baseline.locator("th button").click()
    chart = baseline.locator(".chart > svg")
    chart.locator(".wf-box").first.wait_for()
    box = chart.locator(".wf-box", has_text="share").first
    box.click()
    assert chart.locator(".wf-box[aria-selected=true]").text_content() == "share"
    watched.assert_quiet()


FIRST = (
    "[...document.querySelectorAll('#conditions tbody tr')].map(row => row.cells[0].firstChild.textContent)"
)
SORTS = "[...document.querySelectorAll('#conditions th[aria-sort]')].map(e => e.getAttribute('aria-sort'))"


@pytest.mark.parametrize(("width", "shown"), [(1400, ".wide"), (400, ".narrow"), (320, ".narrow")])
def test_speed_against_error_fits_the_screen(
    width: int, shown: str, written: Written, open_page: Callable[..., Any]
) -> None:
    """On a telephone nothing is scrolled sideways: points have numbers there, and names are in a list."""
    page = open_page(written("run"), width=width).page
    drawn = page.locator("#trade :is(.wide, .narrow):visible")
    assert drawn.count() == 1
    assert drawn.evaluate("(e, shown) => e.matches(shown) && e.scrollWidth <= e.clientWidth", shown)
    assert page.locator("#trade li").all_text_contents().count("faster, Jacobian only") == 1
    assert page.locator("#trade li").count() == len(FACTORS)


def test_tables_are_sorted_by_mouse_and_keyboard(written: Written, open_page: Callable[..., Any]) -> None:
    """A click on a head sorts up, the next one down, and the head says so; Enter and the space bar do the same."""
    page = open_page(written("run")).page
    page.locator("#conditions summary").click()
    assert set(page.evaluate(SORTS)) == {"none"}
    name = page.locator("#conditions thead").get_by_role("button", name="run")
    name.click()
    rising = page.evaluate(FIRST)
    assert rising == sorted(rising, key=str.lower)
    assert page.evaluate(SORTS)[:2] == ["ascending", "none"]
    name.press("Enter")
    assert page.evaluate(FIRST) == rising[::-1]
    name.press("Space")
    assert page.evaluate(FIRST) == rising


def test_the_page_is_whole_without_scripts(written: Written, open_page: Callable[..., Any]) -> None:
    """Where no script runs, every verdict and chart is there nonetheless, and all rows are open."""
    page = open_page(written("recorded run"), scripts=False).page
    assert page.locator(".variants .pill").count() >= 4
    assert page.locator("#why svg.wp-bar").first.is_visible()
    assert page.locator("#scaling svg.wp-bar").first.is_visible()
    assert page.locator(".variants .chart svg .wf-static text").first.is_visible()
    page = open_page(written("run"), scripts=False).page
    assert page.locator(".variants tbody").count() == len(FACTORS)
    assert page.locator("svg.wp").count() > 2 * len(FACTORS)


def test_on_paper(written: Written, open_page: Callable[..., Any]) -> None:
    """Printed, the table and the charts are there, and what is closed is open."""
    page = open_page(written("run"), dark=True).page
    page.emulate_media(media="print")
    assert page.locator(".variants .wp-cell").first.is_visible()
    assert len(page.pdf()) > 10_000


def test_sections_of_a_comparison_and_of_sessions(written: Written, open_page: Callable[..., Any]) -> None:
    """What the sides have installed is on a comparison's page, and times are drawn on that of several runs."""
    page = open_page(written("comparison")).page
    names = page.locator("#sides tbody th").all_text_contents()
    assert names[:2] == ["Python", "package-0"]
    assert "project" in names
    page = open_page(written("runs")).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == ["times", "quality", "experiments"]
    assert page.locator("#times svg.wp-over-time").count() >= 2


def test_results_lie_beside_the_page(written: Written, open_page: Callable[..., Any]) -> None:
    """The link to the raw results leads to the file."""
    page = open_page(written("run")).page
    link = page.locator("a", has_text="results.jsonl").evaluate("link => link.href")
    assert link == (written("run").parent / "results.jsonl").as_uri()


def test_a_session_leads_to_its_own_page(written: Written, open_page: Callable[..., Any]) -> None:
    """In the table of stored experiments, the name of one that has a page leads there."""
    watched = open_page(written("runs"))
    watched.page.locator("#experiments tbody a").first.click()
    watched.page.locator("#variants").wait_for()
    watched.assert_quiet()
