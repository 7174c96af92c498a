"""The page of a benchmark, and of several, in a real browser: readable anywhere, and asking nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.written import Written
from tests.helpers.bench_runs import FACTORS, TARGETS

pytestmark = pytest.mark.browser


def test_every_section_of_a_run_is_there_in_order(written: Written, open_page: Callable[..., Any]) -> None:
    """What is found comes first, the baseline against itself next, and the raw results last."""
    page = open_page(written("run")).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == [
        "summary", "check", "table", "time", "trade", "targets", "errors", "rounds", "fits", "conditions",
        "budget", "environment", "notes", "raw",
    ]  # fmt: skip
    assert page.evaluate("document.images.length") == 3
    assert page.locator("#targets svg.wb-plot").count() == len(TARGETS) + 1


FIRST = "[...document.querySelectorAll('#table tbody tr')].map(row => row.cells[0].firstChild.textContent)"
VALUES = "[...document.querySelectorAll('#table tbody tr')].map(row => Number(row.cells[2].dataset.v))"
SORTS = "[...document.querySelectorAll('#table th[aria-sort]')].map(e => e.getAttribute('aria-sort'))"


def test_tables_are_sorted_by_mouse(written: Written, open_page: Callable[..., Any]) -> None:
    """A click on a head sorts up, the next one down, and the head says so; what is unknown stays last."""
    page = open_page(written("run")).page
    before = page.evaluate(FIRST)
    assert before[0] == "exact"
    assert set(page.evaluate(SORTS)) == {"none"}
    ratio = page.locator("#table thead").get_by_role("button", name="time ratio")
    ratio.click()
    values = page.evaluate(VALUES)
    assert values == sorted(values)
    assert page.evaluate(SORTS)[:3] == ["none", "none", "ascending"]
    ratio.click()
    assert page.evaluate(VALUES) == sorted(values, reverse=True)
    assert page.evaluate(SORTS)[:3] == ["none", "none", "descending"]
    page.locator("#table thead").get_by_role("button", name="variant").click()
    assert page.evaluate(FIRST) == sorted(before)
    assert page.evaluate(SORTS)[:3] == ["ascending", "none", "none"]


def test_tables_are_sorted_by_keyboard(written: Written, open_page: Callable[..., Any]) -> None:
    """Tab reaches each head, and Enter and the space bar sort by it."""
    page = open_page(written("run")).page
    page.locator("#table thead button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "time ratio"
    page.keyboard.press("Enter")
    values = page.evaluate(VALUES)
    assert values == sorted(values)
    page.keyboard.press("Space")
    assert page.evaluate(VALUES) == sorted(values, reverse=True)
    assert page.evaluate("document.activeElement.textContent") == "time ratio"


def test_the_page_is_whole_without_scripts(written: Written, open_page: Callable[..., Any]) -> None:
    """Where no script runs, every verdict, table and chart is there nonetheless."""
    page = open_page(written("run"), scripts=False).page
    assert page.locator("#summary .pill").count() > 7
    assert page.locator("#table tbody tr").count() == len(FACTORS)
    assert page.locator("svg.wb-plot").count() >= 7


def test_sections_of_a_comparison_and_of_sessions(written: Written, open_page: Callable[..., Any]) -> None:
    """What the sides have installed is on a comparison's page, and the history on that of several runs."""
    page = open_page(written("comparison")).page
    names = page.locator("#sides tbody th").all_text_contents()
    assert names[:2] == ["Python", "package-0"]
    assert "project" in names
    page = open_page(written("runs")).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == ["sessions", "ratios", "history", "times"]
    assert page.locator("#history svg.wb-plot").count() >= 1


def test_results_lie_beside_the_page(written: Written, open_page: Callable[..., Any]) -> None:
    """The link to the raw results leads to the file."""
    page = open_page(written("run")).page
    link = page.get_by_role("link", name="results.jsonl").evaluate("link => link.href")
    assert link == (written("run").parent / "results.jsonl").as_uri()


def test_a_session_leads_to_its_own_page(written: Written, open_page: Callable[..., Any]) -> None:
    """From several runs side by side, the name of one that has a page leads there."""
    watched = open_page(written("runs"))
    watched.page.locator("#sessions a").first.click()
    watched.page.locator("#summary").wait_for()
    watched.assert_quiet()
