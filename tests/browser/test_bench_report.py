"""The page of a benchmark, and of several, in a real browser: readable anywhere, and asking nobody for anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.measures import FAINT, OVERFLOWING
from tests.helpers.bench_runs import FACTORS, FINGERPRINT, TARGETS, write_run, write_training_run
from tests.helpers.hostile import HOSTILE
from workbench.report.bench_page import write_page
from workbench.report.runs_page import write_runs_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def bench_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run like the reference suite's."""
    return write_page(write_training_run(tmp_path_factory.mktemp("bench") / "run"))


@pytest.fixture(scope="module")
def void_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run whose baseline differs from itself."""
    arms = {"exact": [(1.0, 0.1)] * 7, "fast": [(0.5, 0.1)] * 7, "slow": [(1.5, 0.2)] * 7}
    run = write_run(tmp_path_factory.mktemp("void") / "run", arms, again=[(1.3, 0.1)] * 7)
    return write_page(run)


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run whose names are written to do harm."""
    names = HOSTILE[:11]
    arms = {
        name: [{"value_s": 1.0 + i / 9, "quality": {names[0]: 0.1 * (i + 1)}}] * 6
        for i, name in enumerate(names)
    }
    arms["fails"] = list(names[:7])
    head = {"suite": names[0], "started": names[1], "quality": names[0]}
    descriptions = dict.fromkeys(names, names[0])
    folder = tmp_path_factory.mktemp("hostile") / "run"
    return write_page(write_run(folder, arms, descriptions=descriptions, **head))


@pytest.fixture(scope="module")
def runs_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of seven sessions on one machine, one of them void, and two on another."""
    folder = tmp_path_factory.mktemp("sessions")
    runs = []
    for day in range(9):
        elsewhere = {
            **FINGERPRINT,
            "machine": "another machine, " + "with a long name " * 4,
            "python": "3.13",
        }
        more: dict[str, Any] = {"fingerprint": elsewhere} if day > 6 else {}
        runs.append(
            write_training_run(
                folder / f"2026-01-0{day + 1}-101500",
                seed=day,
                again=1.4 if day == 2 else 1.0,
                scale=1 + day / 20,
                started=f"2026-01-0{day + 1}T10:15:00+00:00",
                **more,
            )
        )
    write_page(runs[0])
    return write_runs_page(runs, folder / "sessions")


@pytest.fixture(scope="module")
def compare_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a comparison whose sides differ in what is installed, one name and version of great length."""
    packages = {f"package-{i}": f"{i}.0" for i in range(9)}
    sides = {
        "base (1a2b3c)": {"python": "3.11.7", "packages": {**packages, "project": "1.0"}},
        "new (4d5e6f)": {"python": "3.13.1", "packages": {"project": "1.1+" + "local" * 30, "x" * 80: "1"}},
    }
    arms = {side: [(1.0 - i / 5, 0.1)] * 7 for i, side in enumerate(sides)}
    return write_page(write_run(tmp_path_factory.mktemp("compare") / "run", arms, sides=sides))


ALL = ["bench_page", "void_page", "hostile_page", "runs_page", "compare_page"]


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("name", ALL)
def test_pages_open_from_a_folder(
    name: str, width: int, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """No error, no request but for the page, every picture there, and nothing wider than the screen, light or dark."""
    file: Path = request.getfixturevalue(name)
    watched = open_page(file, width=width)
    page = watched.page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")
        plots = page.evaluate(
            "[...document.querySelectorAll('svg.wb-plot')].map(e => e.getBoundingClientRect())"
            ".map(box => [box.width, box.height])"
        )
        assert len(plots) >= 2
        assert min(min(sizes) for sizes in plots) > 100
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
        if folder := os.environ.get("WORKBENCH_SCREENSHOTS"):
            page.screenshot(path=Path(folder, f"{name}-{width}-{scheme}.png"), full_page=True)
    assert page.evaluate("window.ran") is None
    assert [url for url in watched.requests if not url.startswith("data:")] == [file.as_uri()]
    watched.assert_quiet()


def test_every_section_of_a_run_is_there_in_order(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """What is found comes first, the baseline against itself next, and the raw results last."""
    page = open_page(bench_page).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == [
        "summary", "check", "table", "time", "trade", "targets", "errors", "blocks", "fits", "conditions",
        "budget", "environment", "notes", "raw",
    ]  # fmt: skip
    assert page.evaluate("document.images.length") == 3
    assert page.locator("#targets svg.wb-plot").count() == len(TARGETS) + 1


@pytest.mark.parametrize("name", ALL)
def test_text_can_be_read(name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    """Every text stands out from its ground with the contrast of WCAG AA, in light and in dark."""
    page = open_page(request.getfixturevalue(name)).page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(FAINT) == [], scheme


PAPER = 964
"""Pixels between the margins of a Letter sheet on its side, the narrower of the usual ones."""
CUT = """[...document.querySelectorAll('main *')].filter(e => {
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    return box.width && !e.closest('svg, pre') && (box.right > innerWidth + 1
        || (style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1)
        || (style.overflowY !== 'visible' && e.scrollHeight > e.clientHeight + 1));
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("name", ALL)
def test_paper_shows_all_of_it(
    name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """In print nothing is cut off by a box that would scroll or by the sheet, and colours are those for white paper."""
    page = open_page(request.getfixturevalue(name), width=PAPER, height=720).page
    for scheme in ("light", "dark"):
        page.emulate_media(media="print", color_scheme=scheme)
        assert page.evaluate(CUT) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
        assert page.evaluate(FAINT) == [], scheme
        seen = "[...document.querySelectorAll('nav, #raw details')].map(e => getComputedStyle(e).display)"
        assert set(page.evaluate(seen)) == {"none"}


@pytest.mark.parametrize("name", ["bench_page", "runs_page"])
def test_a_figure_fits_on_one_sheet(
    name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """No picture with its caption is higher than a sheet on its side, and neither it nor a card or row is parted."""
    page = open_page(request.getfixturevalue(name), width=PAPER, height=720).page
    page.emulate_media(media="print")
    heights = page.evaluate("[...document.querySelectorAll('figure, .card')].map(e => e.offsetHeight)")
    assert max(heights) < (210 - 24) * 96 / 25.4
    parted = "[...document.querySelectorAll('figure, .card, tr')].map(e => getComputedStyle(e).breakInside)"
    assert set(page.evaluate(parted)) == {"avoid"}
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert 2 < pdf.count(b"/Type /Page\n") < 40


FIRST = "[...document.querySelectorAll('#table tbody tr')].map(row => row.cells[0].firstChild.textContent)"
VALUES = "[...document.querySelectorAll('#table tbody tr')].map(row => Number(row.cells[2].dataset.v))"
SORTS = "[...document.querySelectorAll('#table th[aria-sort]')].map(e => e.getAttribute('aria-sort'))"


def test_tables_are_sorted_by_mouse(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """A click on a head sorts up, the next one down, and the head says so; what is unknown stays last."""
    page = open_page(bench_page).page
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


def test_tables_are_sorted_by_keyboard(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """Tab reaches each head, and Enter and the space bar sort by it."""
    page = open_page(bench_page).page
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


@pytest.mark.parametrize("name", ALL)
def test_every_column_sorts(name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    """Each button of each table sorts without an error, keeps all rows, and leaves what is unknown at the end."""
    watched = open_page(request.getfixturevalue(name))
    presses, wrong = watched.page.evaluate(PRESSED)
    assert wrong == []
    assert presses > 4
    watched.assert_quiet()


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


@pytest.mark.parametrize("name", ["bench_page", "runs_page"])
def test_the_policy_is_in_force(
    name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """A style attribute, a script or a request that comes later is refused."""
    watched = open_page(request.getfixturevalue(name))
    page = watched.page
    assert page.evaluate("document.querySelectorAll('[style], [onclick], [onload], [onerror]').length") == 0
    page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = 1';
        document.body.append(script);
    }""")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("fetch('https://example.org/').then(() => 'there', () => 'refused')") == "refused"


def test_the_page_is_whole_without_scripts(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """Where no script runs, every verdict, table and picture is there nonetheless."""
    page = open_page(bench_page, scripts=False).page
    assert page.locator("#summary .pill").count() > 7
    assert page.locator("#table tbody tr").count() == len(FACTORS)
    assert page.locator("svg.wb-plot").count() >= 7


@pytest.mark.parametrize("name", ["bench_page", "runs_page"])
def test_plots_stay_readable_on_a_narrow_screen(
    name: str, open_page: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    """The text of plots is at least 9 pixels high, whatever the width of the screen; tables scroll by keyboard."""
    page = open_page(request.getfixturevalue(name), width=400).page
    heights = page.evaluate(
        "[...document.querySelectorAll('svg.wb-plot text')].filter(t => t.textContent.trim().length > 1)"
        ".map(t => t.getBoundingClientRect()).map(b => Math.min(b.width, b.height))"
    )
    assert min(height for height in heights if height) >= 9
    tabs = page.evaluate("[...document.querySelectorAll('.scroll, pre.raw')].map(e => e.tabIndex)")
    assert set(tabs) == {0}


def test_sections_of_a_comparison_and_of_sessions(
    compare_page: Path, runs_page: Path, open_page: Callable[..., Any]
) -> None:
    """What the sides have installed is on a comparison's page, and the history on that of several runs."""
    page = open_page(compare_page).page
    names = page.locator("#sides tbody th").all_text_contents()
    assert names[:2] == ["Python", "package-0"]
    assert "project" in names
    page = open_page(runs_page).page
    sections = page.evaluate("[...document.querySelectorAll('main > section')].map(e => e.id)")
    assert sections == ["sessions", "ratios", "history", "plots", "times"]
    assert page.locator("#history svg.wb-plot").count() == 1


def test_results_lie_beside_the_page(bench_page: Path, open_page: Callable[..., Any]) -> None:
    """The link to the raw results leads to the file."""
    page = open_page(bench_page).page
    link = page.get_by_role("link", name="results.jsonl").evaluate("link => link.href")
    assert link == (bench_page.parent / "results.jsonl").as_uri()


def test_a_session_leads_to_its_own_page(runs_page: Path, open_page: Callable[..., Any]) -> None:
    """From several runs side by side, the name of one that has a page leads there."""
    watched = open_page(runs_page)
    watched.page.locator("#sessions a").first.click()
    watched.page.locator("#summary").wait_for()
    watched.assert_quiet()
