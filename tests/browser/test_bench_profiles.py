"""What explains a run, in a real browser: charts that can be worked with, on a page that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.written import Written

pytestmark = pytest.mark.browser

OPEN_ALL = "document.querySelectorAll('main details').forEach(e => e.open = true)"
ALL_DRAWN = "() => [...document.querySelectorAll('#flames svg')].every(e => e.querySelector('.wf-box'))"


def test_baseline_is_open_and_zooms(written: Written, open_page: Callable[..., Any]) -> None:
    """The baseline's chart is there at once, drawn by its script, and a click on a box zooms it."""
    watched = open_page(written("recorded run"))
    page = watched.page
    chart = page.locator("#flames > .chart > svg")
    assert chart.count() == 1
    before = chart.locator(".wf-box").count()
    assert before >= 6
    box = chart.locator(".wf-box", has_text="share").first
    assert box.is_visible()
    box.click()
    assert chart.locator(".wf-box[aria-selected=true]").text_content() == "share"
    watched.assert_quiet()


def test_others_are_drawn_when_they_are_unfolded(written: Written, open_page: Callable[..., Any]) -> None:
    """A variant's flame graph and difference are folded; they fill the page's width as soon as they are open."""
    watched = open_page(written("recorded run"))
    page = watched.page
    for i in range(page.locator("#flames details").count()):
        details = page.locator("#flames details").nth(i)
        charts = details.locator("svg")
        assert charts.count() == 2
        assert not charts.first.is_visible()
        details.locator("summary").click()
        details.locator(".wf-box").first.wait_for()
        for k in range(2):
            size = charts.nth(k).bounding_box()
            assert size is not None
            assert size["width"] > 1000
            assert charts.nth(k).locator(".wf-box").count() >= 4
    watched.assert_quiet()


def test_whole_without_scripts(written: Written, open_page: Callable[..., Any]) -> None:
    """Where no script runs, plots, static flame graphs and tables are there nonetheless."""
    page = open_page(written("recorded run"), scripts=False).page
    assert page.locator("#flames > .chart svg .wf-static text").count() > 5
    assert page.locator("#scopes svg.wb-plot").is_visible()
    assert page.locator("#scaling svg.wb-plot").is_visible()
    assert page.locator("#own-tables tbody tr").count() == 3


def test_on_paper(written: Written, open_page: Callable[..., Any]) -> None:
    """Printed, the baseline's chart is the whole one, light, and not wider than the sheet."""
    page = open_page(written("recorded run"), dark=True).page
    page.emulate_media(media="print")
    page.locator("#flames > .chart svg .wf-static").wait_for()
    assert len(page.pdf()) > 10_000
