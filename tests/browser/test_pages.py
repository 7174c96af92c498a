"""What every page promises: it opens from a folder, narrow or wide, light or dark, and asks nobody for anything."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.measures import FAINT, OVERFLOWING
from tests.browser.written import PAGES, Written
from tests.helpers.bench_runs import write_experiment
from tests.helpers.html import Page
from workbench.bench.results.results import RESIDUALS
from workbench.report.bench.page import write_page

pytestmark = pytest.mark.browser
RUNS = [name for name in PAGES if "profile" not in name and name != "suite"]
SCROLLING_TABLES = """() => [...document.querySelectorAll('.scroll:not(.plot)')]
    .filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute('aria-label'))"""
ALL_DRAWN = "() => [...document.querySelectorAll('main svg.wf')].every(e => e.querySelector('.wf-box'))"


@pytest.mark.parametrize("name", PAGES)
def test_it_opens_from_a_folder(name: str, written: Written, open_page: Callable[..., Any]) -> None:
    """No error, no request outside the folder, every chart there, no text faint or cut off, no table too wide."""
    file = written(name)
    watched = open_page(file, width=1400)
    page = watched.page
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    for width in (1400, 1000, 400):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("() => [...document.images].every(image => image.complete)")
            assert page.evaluate("[...document.images].every(image => image.naturalWidth)")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(OVERFLOWING) == []
            assert width > 400 or page.evaluate(SCROLLING_TABLES) == []
            assert page.evaluate(FAINT) == [], scheme
            if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
                page.screenshot(path=Path(folder, f"{name}-{width}-{scheme}.png"), full_page=True)
        page.evaluate("document.querySelectorAll('main details').forEach(e => e.open = true)")
    assert page.evaluate("window.ran") is None
    here = file.parent.as_uri()
    assert all(url.startswith((here, "data:")) for url in watched.requests), watched.requests
    watched.assert_quiet()


def test_names_of_variants_are_broken_between_words(written: Written, open_page: Callable[..., Any]) -> None:
    """On a telephone, a word such as "backpropagation" stays whole in the index of a suite's profiles."""
    page = open_page(written("suite"), width=400).page
    cell = page.locator("table.variants td:first-child", has_text="other")
    lines = """e => {
        document.querySelectorAll('table.variants tbody tr').forEach(row => row.contains(e) || row.remove());
        document.querySelector('table.variants th:nth-child(5)').textContent = 'error of the validation data';
        e.textContent = 'exact, backpropagation';
        const range = document.createRange();
        range.setStart(e.firstChild, 7);
        range.setEnd(e.firstChild, 22);
        return range.getClientRects().length;
    }"""
    assert cell.evaluate(lines) == 1


@pytest.mark.parametrize("name", ["run", "runs", "suite", "profile"])
def test_the_policy_is_in_force(name: str, written: Written, open_page: Callable[..., Any]) -> None:
    """A script, a style attribute, a handler or a request that the page did not come with is refused."""
    # As it is written: scripts may style what they draw, which the policy allows them.
    page_as_written = Page(written(name).read_text(encoding="utf-8"))
    attributes = {attribute for _, found in page_as_written.tags for attribute in found}
    assert not {each for each in attributes if each == "style" or each.startswith("on")}
    watched = open_page(written(name))
    page = watched.page
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = 1';
        document.body.append(script);
        const box = document.createElement('div');
        box.innerHTML = '<b style="position: fixed" onclick="window.ran = 2" id="probe">x</b>';
        document.body.append(box);
        document.getElementById('probe').click();
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('probe')).position") == "static"
    assert page.evaluate("fetch('https://example.org/').then(() => 'there', () => 'refused')") == "refused"
    assert len([text for _, text in watched.console if "Content Security Policy" in text]) >= 3


PRESSED = """() => {
    let presses = 0;
    const wrong = [];
    for (const table of document.querySelectorAll('table.sortable')) {
        const rows = table.tBodies[0].rows.length;
        for (const button of table.tHead.querySelectorAll('button')) {
            const i = button.closest('th').cellIndex;
            for (const time of ['first', 'second']) {
                button.click();
                presses++;
                const known = [...table.tBodies[0].rows].map(row => row.cells[i].dataset.v !== undefined);
                const isLast = known.lastIndexOf(true) === known.filter(Boolean).length - 1;
                if (known.length !== rows || (i && !isLast))
                    wrong.push(`${table.id} ${button.textContent} ${time}: ${known}`);
            }
        }
    }
    return [presses, wrong];
}"""
"""Presses each button of each table twice; returns how many presses that were, and what was wrong after which."""


@pytest.mark.parametrize("name", RUNS)
def test_every_column_sorts(name: str, written: Written, open_page: Callable[..., Any]) -> None:
    """Each button of each table sorts without an error, keeps all rows, and leaves what is unknown at the end."""
    watched = open_page(written(name))
    presses, wrong = watched.page.evaluate(PRESSED)
    assert wrong == []
    assert presses > 4
    watched.assert_quiet()


PAPER = 964
"""Pixels between the margins of a Letter sheet on its side, the narrower of the usual ones."""
CUT = """[...document.querySelectorAll('main *')].filter(e => {
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    return box.width && !e.closest('svg, pre') && (box.right > innerWidth + 1
        || (style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1)
        || (style.overflowY !== 'visible' && e.scrollHeight > e.clientHeight + 1));
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("name", ["run", "void run", "hostile run", "runs", "comparison"])
def test_paper_shows_all_of_it(name: str, written: Written, open_page: Callable[..., Any]) -> None:
    """In print nothing is cut off by a box that would scroll or by the sheet, and colours are those for white paper."""
    page = open_page(written(name), width=PAPER, height=720).page
    for scheme in ("light", "dark"):
        page.emulate_media(media="print", color_scheme=scheme)
        assert page.evaluate(CUT) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
        assert page.evaluate(FAINT) == [], scheme
        seen = "[...document.querySelectorAll('nav, #raw')].map(e => getComputedStyle(e).display)"
        assert set(page.evaluate(seen)) == {"none"}


@pytest.mark.parametrize("name", ["run"])
def test_a_figure_fits_on_one_sheet(name: str, written: Written, open_page: Callable[..., Any]) -> None:
    """No chart with its caption is higher than a sheet on its side, and neither it nor a row is parted."""
    page = open_page(written(name), width=PAPER, height=720).page
    page.emulate_media(media="print")
    heights = page.evaluate("[...document.querySelectorAll('figure')].map(e => e.offsetHeight)")
    assert max(heights) < (210 - 24) * 96 / 25.4
    parted = "[...document.querySelectorAll('figure, tr')].map(e => getComputedStyle(e).breakInside)"
    assert set(page.evaluate(parted)) == {"avoid"}
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 2 < pdf.count(b"/Type /Page\n") < 40


@pytest.mark.parametrize("name", ["run"])
def test_plots_stay_readable_on_a_narrow_screen(
    name: str, written: Written, open_page: Callable[..., Any]
) -> None:
    """The text of plots is at least 9 pixels high, whatever the width of the screen; tables scroll by keyboard."""
    page = open_page(written(name), width=400).page
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.wp text')].filter(t => t.textContent.trim().length > 1)"
        ".map(t => t.getBoundingClientRect()).map(b => Math.min(b.width, b.height))"
    )
    assert min(height for height in heights if height) >= 9
    tabs = page.evaluate("[...document.querySelectorAll('.scroll, pre.raw')].map(e => e.tabIndex)")
    assert set(tabs) == {0}


def test_summary_and_differences(written: Written, open_page: Callable[..., Any]) -> None:
    """The page begins with sentences; each variant's difference opens as a chart that works, and links back."""
    page = open_page(written("suite")).page
    assert re.search("× (faster|slower)", page.locator("ol.brief").inner_text())
    links = page.locator("table.variants a", has_text="difference")
    assert links.count() == 2
    for href in [link.get_attribute("href") for link in links.all()]:
        watched = open_page(written("suite").parent / href)
        assert watched.page.locator(".wf-box").count() > 3
        watched.page.locator(".crumbs a", has_text="Profiles: tiny").click()
        watched.page.locator("table.variants").wait_for()
        watched.assert_quiet()


def test_each_variant_links_its_page(written: Written, open_page: Callable[..., Any]) -> None:
    """From the index, a variant's name leads to the page of its profile, which works."""
    watched = open_page(written("suite"))
    page = watched.page
    page.locator("table.variants a").first.click()
    page.locator("#samples .wf-box").first.wait_for()
    page.locator("#table-scopes tbody tr").nth(3).wait_for(state="attached")
    watched.assert_quiet()


def test_a_narrow_page_has_the_residuals_whole(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """At 400 pixels the chart of residuals is as wide as the page, and the names of its lines are below it."""
    results = write_experiment(tmp_path / "run", {"base": [1.0] * 7, "other": [0.5] * 7}, kept=True)
    x = np.linspace(0, 1, 50)
    for name, residual in {"base": np.sin(x), "other": 2 * np.cos(x)}.items():
        np.savez_compressed(results.fit_folder(name) / RESIDUALS, x=x, residual=residual)
    page = open_page(write_page(results), width=400).page
    chart = page.locator(".residuals .scroll")
    assert chart.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert [each.inner_text().strip() for each in page.locator(".wp-below li").all()] == ["base", "other"]
    assert page.locator(".wp-residuals .wp-name").first.is_hidden()
