"""What explains a run, in a real browser: pictures that can be worked with, on a page that asks nobody for anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.measures import FAINT, OVERFLOWING
from tests.helpers.recorded_runs import write_hostile_run, write_recorded_run
from workbench.report.bench_page import write_page

pytestmark = pytest.mark.browser

OPEN_ALL = "document.querySelectorAll('main details').forEach(e => e.open = true)"
ALL_DRAWN = "() => [...document.querySelectorAll('#flames svg')].every(e => e.querySelector('.wf-box'))"


@pytest.fixture(scope="module")
def recorded_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with recordings, workers, and a table."""
    return write_page(write_recorded_run(tmp_path_factory.mktemp("recorded") / "run"))


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run in which all names are written to do harm."""
    return write_page(write_hostile_run(tmp_path_factory.mktemp("hostile") / "run"))


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", ["recorded_page", "hostile_page"])
def test_page_opens_from_a_folder(
    name: str, width: int, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """No error, no request but for the page, and nothing wider than the screen, folded or unfolded, light or dark."""
    file: Path = request.getfixturevalue(name)
    watched = open_page(file, width=width)
    page = watched.page
    for unfold in (False, True):
        if unfold:
            page.evaluate(OPEN_ALL)
            page.wait_for_function(ALL_DRAWN)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(OVERFLOWING) == []
            if unfold:
                assert page.evaluate(FAINT) == [], scheme
                if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
                    shot = Path(folder, f"{name}-explained-{width}-{scheme}.png")
                    page.screenshot(path=shot, full_page=True)
    watched.assert_quiet()
    assert [url for url in watched.requests if not url.startswith("data:")] == [file.as_uri()]
    assert page.evaluate("window.ran") is None
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert [each for each in sections if each in ("scopes", "flames", "scaling", "own-tables")] == [
        "scopes", "flames", "scaling", "own-tables",
    ]  # fmt: skip


def test_baseline_is_open_and_zooms(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """The baseline's picture is there at once, drawn by its script, and a click on a box zooms it."""
    watched = open_page(recorded_page)
    page = watched.page
    picture = page.locator("#flames > .picture > svg")
    assert picture.count() == 1
    before = picture.locator(".wf-box").count()
    assert before >= 6
    box = picture.locator(".wf-box", has_text="share").first
    assert box.is_visible()
    box.click()
    assert picture.locator(".wf-box[aria-selected=true]").text_content() == "share"
    watched.assert_quiet()


def test_others_are_drawn_when_they_are_unfolded(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """A variant's flame graph and difference are folded; they fill the page's width as soon as they are open."""
    watched = open_page(recorded_page)
    page = watched.page
    for i in range(page.locator("#flames details").count()):
        details = page.locator("#flames details").nth(i)
        pictures = details.locator("svg")
        assert pictures.count() == 2
        assert not pictures.first.is_visible()
        details.locator("summary").click()
        details.locator(".wf-box").first.wait_for()
        for k in range(2):
            size = pictures.nth(k).bounding_box()
            assert size is not None
            assert size["width"] > 1000
            assert pictures.nth(k).locator(".wf-box").count() >= 4
    watched.assert_quiet()


def test_pictures_do_not_disturb_each_other(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """A search in one picture marks boxes in that one alone."""
    page = open_page(recorded_page).page
    page.evaluate(OPEN_ALL)
    page.wait_for_function(ALL_DRAWN)
    pictures = page.locator("#flames svg")
    pictures.nth(1).locator("input").fill("part")
    pictures.nth(1).locator(".wf-hit").first.wait_for()
    assert [pictures.nth(i).locator(".wf-hit").count() > 0 for i in range(3)] == [False, True, False]


def test_tables_are_sorted(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """The suite's table sorts by numbers and by texts, and what is unknown stays last."""
    watched = open_page(recorded_page)
    page = watched.page
    names = (
        "[...document.querySelectorAll('#own-tables tbody tr')].map(row => row.cells[0].textContent.trim())"
    )
    for head, first in (("error", "exact"), ("calls", "fast"), ("runs as", "fast")):
        page.locator("#own-tables thead").get_by_role("button", name=head).click()
        order = page.evaluate(names)
        assert (order[0], order[-1]) == (first, "none")
    watched.assert_quiet()


def test_whole_without_scripts(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """Where no script runs, plots, dead flame graphs and tables are there nonetheless."""
    page = open_page(recorded_page, scripts=False).page
    assert page.locator("#flames > .picture svg .wf-static text").count() > 5
    assert page.locator("#scopes svg.wb-plot").is_visible()
    assert page.locator("#scaling svg.wb-plot").is_visible()
    assert page.locator("#own-tables tbody tr").count() == 3


def test_on_paper(recorded_page: Path, open_page: Callable[..., Any]) -> None:
    """Printed, the baseline's picture is the whole one, light, and not wider than the sheet."""
    page = open_page(recorded_page, dark=True).page
    page.emulate_media(media="print")
    page.locator("#flames > .picture svg .wf-static").wait_for()
    assert len(page.pdf()) > 10_000
