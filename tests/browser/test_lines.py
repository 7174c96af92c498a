"""The lines of a profile's page in a real browser: by mouse and by keyboard, under a scope, with folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.workspace import press
from workbench.profile import Frame, FrameKind, ProfileBuilder
from workbench.report.profile.page import write_report
from workbench.report.profile.run import ProfileRun

pytestmark = pytest.mark.browser

SOURCE = (
    "".join(f"# {i}\n" for i in range(1, 21))
    + "def solve():\n    step()\n    '<b>bold</b>'\n"
    + "# more\n" * 30
    + "main()\n"
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page: one sample in the module, four in a function that it calls, of which three are in a scope."""
    builder = ProfileBuilder("made")
    module, solve = Frame("<module>", "/home/me/fit.py"), Frame("solve", "/home/me/fit.py")
    outside = builder.stack_of([module, solve])
    inside = builder.stack_of([module, solve, Frame("step", kind=FrameKind.SCOPE)])
    stacks = [builder.stack_of([module]), outside, inside, inside, inside]
    samples = builder.samples(stacks, list(range(5)), [1] * 5)
    main = module._replace(line=54)
    lines = [builder.line_stack_of([main])] + [
        builder.line_stack_of([main, solve._replace(line=line)]) for line in (22, 22, 22, 23)
    ]
    builder.add_track("main", pid=1, tid=1, samples=replace(samples, line=np.array(lines, dtype=np.int32)))
    run = ProfileRun("made", samples=builder.build(), sources={"/home/me/fit.py": SOURCE})
    return write_report(run, tmp_path_factory.mktemp("lines"))


@pytest.fixture
def opened(path: Path, open_page: Callable[..., Any]) -> Any:
    """The page with its lines in view, and the frames that were chosen there in `window.chosen`."""
    watched = open_page(path)
    page = watched.page
    page.locator("#tab-lines").click()
    page.evaluate(
        "window.chosen = []; lines.addEventListener('workbench:frame', (e) => chosen.push(e.detail))"
    )
    yield page
    watched.assert_quiet()


def shares(page: Any) -> dict[str, str]:
    """Return the share of each line that has one."""
    rows = page.locator("#lines tr.sampled")
    found = {row.locator(".number").inner_text(): row.locator(".of-self").inner_text() for row in rows.all()}
    return {line: share for line, share in found.items() if share}


def test_shares_are_of_the_run_or_of_a_scope(opened: Any) -> None:
    """Lines have their shares of the run; inside a scope they have those, of all samples, too."""
    assert [each.split()[0] for each in shares(opened).values()] == ["60", "20", "20"]
    opened.evaluate("lines.chart.showScope('step')")
    assert [each.split()[0] for each in shares(opened).values()] == ["40", "20"]
    opened.locator("#lines select").select_option("")
    assert list(shares(opened)) == ["22", "23", "54"]


def test_lines_follow_the_range_of_the_timeline(opened: Any) -> None:
    """In a range lines have their shares of the samples in it, inside a scope too; the whole run is as before."""
    whole = shares(opened)
    opened.evaluate("document.querySelector('#timeline svg').chart.setRange({ from: 1, to: 5 })")
    opened.locator("#lines .of-range").filter(has_text="of the 4 samples in the range").wait_for()
    assert {line: each.split()[0] for line, each in shares(opened).items()} == {"22": "75", "23": "25"}
    opened.locator("#lines select").select_option("step")
    assert [each.split()[0] for each in shares(opened).values()] == ["50", "25"]
    opened.locator("#lines select").select_option("")
    opened.locator(".range button").click()
    assert shares(opened) == whole
    assert opened.locator("#lines .of-range").is_hidden()


def test_lines_choose_their_frame(opened: Any) -> None:
    """A click on a line, or Enter, chooses the function of its samples; arrows go to the next line with samples."""
    opened.locator("#lines tr.sampled").first.click()
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("ArrowDown")
    opened.keyboard.press("Enter")
    assert opened.evaluate("chosen.map(({ name }) => name)") == ["solve", "<module>"]
    assert opened.evaluate("chosen[0].place") == "/home/me/fit.py"


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_the_first_screen_shows_a_line(path: Path, open_page: Callable[..., Any], how: str) -> None:
    """One of the hottest lines of the first screen is shown in its file, and its function is selected."""
    page = open_page(path).page
    button = page.locator(".overview button.place", has_text="fit.py:23")
    press(page, button, how)
    assert page.get_by_role("tab", name="Lines").get_attribute("aria-selected") == "true"
    assert page.locator("#lines tr:focus .number").inner_text() == "23"
    assert page.locator(".side h3").inner_text() == "solve"


def test_a_frame_is_marked_and_a_search_marks_lines(opened: Any) -> None:
    """The lines of the selected function are marked and in view, and so are those that a search finds."""
    opened.evaluate("lines.chart.select({ name: 'solve', place: '/home/me/fit.py' })")
    assert opened.locator("#lines tr.chosen .number").all_inner_texts() == ["21", "22", "23"]
    opened.evaluate("lines.chart.select(null)")
    assert opened.locator("#lines tr.chosen").count() == 0
    opened.evaluate("lines.chart.search('<b>')")
    assert opened.locator("#lines tr.hit .number").all_inner_texts() == ["23"]
    assert opened.locator("#lines .hits").inner_text() == "1 line matches"
    opened.evaluate("lines.chart.search('')")
    assert opened.locator("#lines tr.hit").count() == 0


def test_the_page_drives_the_lines(opened: Any) -> None:
    """The one search and the selected frame are those of the lines, too; a selected scope is the one that is shown."""
    opened.locator("#lines tr.sampled").first.click()
    assert (
        opened.locator(".side").inner_text().startswith("solve")
        or "solve" in opened.locator(".side").inner_text()
    )
    assert opened.locator("#lines tr.chosen").count() == 3
    opened.keyboard.press("/")
    opened.keyboard.type("step")
    assert opened.locator("#lines tr.hit .number").all_inner_texts() == ["22"]
    opened.locator("#tab-table").click()
    opened.locator("#table-samples tbody tr", has_text="step").first.click()
    opened.locator("#tab-lines").click()
    assert opened.locator("#lines select").input_value() == "step"
    assert [each.split()[0] for each in shares(opened).values()] == ["40", "20"]
    opened.locator("#tab-table").click()
    opened.keyboard.press("Escape")
    opened.locator("#table-samples tbody tr", has_text="solve").first.click()
    opened.locator(".side button.place").click()  # the way from the side panel to the source
    assert opened.locator("#lines tr.chosen").first.is_visible()


def test_folds_open(opened: Any) -> None:
    """Lines without samples nearby are folded, and a fold opens by the keyboard; text of the source is text."""
    folds = opened.locator("#lines .fold button")
    assert folds.all_inner_texts() == ["… 18 lines", "… 24 lines"]
    folds.first.focus()
    opened.keyboard.press("Enter")
    assert opened.locator("#lines .fold button").all_inner_texts() == ["… 24 lines"]
    assert "# 7" in opened.locator("#lines .code").inner_text()
    assert opened.locator("#lines b").count() == 0
