"""The page of a memory run in a real browser: bytes at the peak and at the end, lines, scopes, and what leaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.workspace import figures, neighbours, row, selected, show
from tests.browser.written import Written

pytestmark = pytest.mark.browser


@pytest.fixture
def page(written: Written, open_page: Callable[..., Any]) -> Iterator[Any]:
    """The page of the run made by hand."""
    watched = open_page(written("memory profile"), width=1200)
    yield watched.page
    watched.assert_quiet()


def crumbs(page: Any, source: str) -> str:
    """Return what a flame graph says of all of it."""
    return str(page.locator(f"#{source} .wf-all").text_content())


def test_flame_graphs_by_bytes(page: Any) -> None:
    """One switch goes from the bytes at the peak to those at the end; a box says bytes and blocks."""
    show(page, "flame", "peak")
    assert crumbs(page, "peak") == "all 50.1 MB"
    box = page.locator("#peak .wf-box", has_text="jacobian").first
    box.hover()
    tip = page.locator("#peak .wf-tip").inner_text()
    assert "total 40 MB" in tip
    show(page, "flame", "end")
    assert crumbs(page, "end") == "all 10.1 MB"
    assert not page.locator("#end .wf-box", has_text="jacobian").count()


def test_a_frame_has_its_bytes_and_a_scope_its_memory(page: Any) -> None:
    """The side panel has bytes, blocks, callers and callees by bytes, and of a scope what it needs and leaves."""
    show(page, "table", "peak")
    row(page, "outer", "peak").click()
    assert selected(page) == "outer"
    assert figures(page) == {"total": "50.0 MB · 99.7 %", "self": "50.0 MB · 99.7 %", "blocks": "3"}
    assert neighbours(page, "called by") == ["jacobian 40.0 MB · 80.0 %", "load 10.0 MB · 20.0 %"]
    assert neighbours(page, "calls") == ["itself 50.0 MB · 100.0 %"]
    page.locator(".side button", has_text="jacobian").click()
    found = figures(page)
    assert (found["peak"], found["held at peak"], found["held at end"]) == ("40 MB", "40 MB", "0 B")


def test_the_table_of_scopes_begins_with_memory(page: Any) -> None:
    """Its first columns are bytes, by which it is sorted; the times are there too."""
    show(page, "table", "scopes")
    heads = [
        head.strip("↓ ") for head in page.locator("#table-scopes thead button:visible").all_inner_texts()
    ]
    assert heads[:3] == ["scope", "peak", "net"]
    first = row(page, "load").locator("td").first.inner_text()
    assert first == "12.0MB"
    assert page.locator("#table-scopes [aria-sort=descending]").inner_text().endswith("peak")


def test_lines_have_bytes(page: Any) -> None:
    """Lines have bytes at the peak and at the end, inside a scope too; bars go by the chosen snapshot."""
    show(page, "lines")
    line = page.locator("#lines tr.sampled", has_text="return [0.0] * n")
    assert line.locator("td").all_inner_texts()[:2] == ["50 MB", "10 MB"]
    left = page.locator("#lines tr.sampled", has_text="history.append")
    narrow = left.locator(".bar rect").evaluate("bar => Number(bar.getAttribute('width'))")
    page.locator(".switch [data-source=end]").click()
    assert left.locator(".bar rect").evaluate("bar => Number(bar.getAttribute('width'))") > narrow
    page.locator("#lines select").select_option("jacobian")
    assert line.locator("td").all_inner_texts()[:2] == ["40 MB", ""]
    assert left.locator("td").all_inner_texts()[:2] == ["", ""]


def test_what_leaks(page: Any) -> None:
    """The scope that leaks has its chart, its estimate and its lines; its name selects it."""
    show(page, "leaks")
    leak = page.locator("#leaks .leak")
    assert leak.count() == 1
    assert "1.5 kB" in leak.locator("dl").inner_text()
    assert leak.locator("circle").count() == 40
    assert "fit.py:7" in leak.locator("table").inner_text()
    leak.locator("h3 button").click()
    assert selected(page) == "epoch"
    assert figures(page)["leaks per call"] == "1.5 kB"
    names = page.locator("#leaks .sortable tbody th").all_inner_texts()
    assert sorted(names) == ["epoch", "jacobian"]


@pytest.mark.parametrize("width", [400, 1000, 1400])
def test_it_fits(width: int, written: Written, open_page: Callable[..., Any]) -> None:
    """On no screen is the page wider than the screen."""
    watched = open_page(written("memory profile"), width=width)
    for tab in ("flame", "table", "lines", "leaks"):
        show(watched.page, tab)
        for scheme in ("light", "dark"):
            watched.page.emulate_media(color_scheme=scheme)
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, (tab, scheme)
    watched.assert_quiet()


@pytest.mark.parametrize("dark", [False, True])
def test_a_narrow_screen_has_all_figures_of_a_scope(
    dark: bool, written: Written, open_page: Callable[..., Any]
) -> None:
    """The rows of scopes wrap, each figure under its head, and none is hidden or beside the screen."""
    page = open_page(written("memory profile"), width=400, dark=dark).page
    cells = page.locator(".overview .scopes tbody tr").first.locator("td[data-label]").all()
    heads = [cell.get_attribute("data-label") for cell in cells]
    assert heads == ["net", "per call", "peak", "held at end", "calls"]
    for cell in cells:
        box = cell.bounding_box()
        assert box is not None
        assert box["width"] > 0
        assert box["x"] + box["width"] <= 400
        assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
