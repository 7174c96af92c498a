"""The page of a profile in a real browser: every interaction by mouse and by keyboard, on any screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.written import Written
from tests.helpers.hostile import HOSTILE
from workbench.text import printable

pytestmark = pytest.mark.browser
HOW = pytest.mark.parametrize("how", ["mouse", "keyboard"])


def names(page: Any, key: str = "scopes") -> list[str]:
    """Return the names of the rows that are shown, in order."""
    return list(page.locator(f"#{key} .frames tbody tr:not(.gone) .name").all_text_contents())


def chosen(page: Any, key: str = "scopes") -> str:
    """Return the name in the middle of the callers and callees."""
    return str(page.locator(f"#{key} .sandwich .middle .name").text_content())


def listed(page: Any, side: int, key: str = "scopes") -> list[str]:
    """Return the callers (0) or the callees (2) as they stand."""
    items = page.locator(f"#{key} .sandwich > div").nth(side).locator("li")
    return [" ".join(text.split()) for text in items.all_inner_texts()]


@HOW
def test_sorting(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A head sorts by its column, again the other way; aria-sort says how; what is unknown stands last."""
    watched = open_page(written("profile"))
    page = watched.page

    def press(label: str) -> str:
        button = page.locator("#scopes thead button", has_text=re.compile(f"^{re.escape(label)}$"))
        if how == "mouse":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        return str(button.locator("..").get_attribute("aria-sort"))

    assert names(page) == ["fit", "epoch", "solve", "fib"]
    assert press("self") == "descending"
    assert names(page) == ["solve", "fib", "epoch", "fit"]
    assert press("self") == "ascending"
    assert names(page) == ["fit", "epoch", "fib", "solve"]
    assert press("scope") == "ascending"
    assert names(page) == ["epoch", "fib", "fit", "solve"]
    assert press("scope") == "descending"
    assert press("GFLOP/s") == "descending"
    assert names(page)[0] == "solve"
    assert press("GFLOP/s") == "ascending"
    assert names(page)[0] == "solve"
    assert page.locator("#scopes th[aria-sort=ascending], #scopes th[aria-sort=descending]").count() == 1
    watched.assert_quiet()


def test_searching(written: Written, open_page: Callable[..., Any]) -> None:
    """Text or a regular expression, of either case; what is no expression is text; Escape ends it."""
    page = open_page(written("profile")).page
    for text, left in (
        ("f", ["fit", "fib"]),
        ("^(fit|solve)$", ["fit", "solve"]),
        ("FIB", ["fib"]),
        ("(", []),
        ("nothing", []),
    ):
        page.locator("#scopes .find").focus()
        page.keyboard.type(text)
        assert names(page) == left, text
        assert page.locator("#scopes .found").text_content() == f"{len(left)} of 4"
        page.keyboard.press("Escape")
        assert len(names(page)) == 4
        assert page.locator("#scopes .found").text_content() == ""


@HOW
def test_functions_are_found_by_their_file(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """The place of a function is searched too, and Enter goes on to the rows that were found."""
    page = open_page(written("profile")).page
    find = page.locator("#samples .find")
    if how == "mouse":
        find.click()
    else:
        find.focus()
    page.keyboard.type("libblas")
    assert names(page, "samples") == ["dgemm"]
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert chosen(page, "samples") == "dgemm"


@HOW
def test_callers_and_callees(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A row that is chosen shows who called it and what it calls; each of these can be chosen in turn."""
    watched = open_page(written("profile"))
    page = watched.page
    assert chosen(page) == "fit"  # at first the one that took longest
    if how == "mouse":
        page.locator("#scopes .frames tbody tr", has_text="epoch").click()
    else:
        page.locator("#scopes .frames tbody tr[tabindex='0']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    assert chosen(page) == "epoch"
    assert listed(page, 0) == ["fit 90 ms · 100.0 %"]
    assert listed(page, 2) == ["solve 60 ms · 66.7 %", "itself: self time 30 ms · 33.3 %"]
    assert page.locator("#scopes tr[aria-current=true] .name").all_text_contents() == ["epoch"]
    callee = page.locator("#scopes .sandwich > div").nth(2).get_by_role("button", name="solve")
    if how == "mouse":
        callee.click()
    else:
        callee.focus()
        page.keyboard.press("Enter")
    assert chosen(page) == "solve"
    assert listed(page, 0) == ["epoch 60 ms · 100.0 %"]
    assert page.locator("#scopes tr[aria-current=true] .name").all_text_contents() == ["solve"]
    watched.assert_quiet()


def test_recursion_counts_once(written: Written, open_page: Callable[..., Any]) -> None:
    """What calls itself has no time twice: it is called by nobody, and all is its own."""
    page = open_page(written("profile")).page
    page.locator("#scopes .frames tbody tr", has_text="fib").click()
    assert listed(page, 0) == ["nobody: outermost 40 ms · 100.0 %"]
    assert listed(page, 2) == ["itself: self time 40 ms · 100.0 %"]


def test_rows_by_keyboard(written: Written, open_page: Callable[..., Any]) -> None:
    """Tab reaches one row, arrows, Home and End the others, in the order that is shown; Space chooses."""
    page = open_page(written("profile")).page
    rows = page.locator("#scopes .frames tbody tr")
    assert [row.get_attribute("tabindex") for row in rows.all()].count("0") == 1
    page.locator("#scopes .scroll").focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.frames tbody tr')"):
            break
    assert page.evaluate("document.activeElement.querySelector('.name').textContent") == "fit"
    for key, name in (
        ("End", "fib"),
        ("ArrowDown", "fib"),
        ("ArrowUp", "solve"),
        ("Home", "fit"),
        ("PageDown", "fib"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.querySelector('.name').textContent") == name
    page.keyboard.press("Space")
    assert chosen(page) == "fib"
    assert page.evaluate("getComputedStyle(document.activeElement.firstElementChild).boxShadow") != "none"


@HOW
@pytest.mark.parametrize(("key", "name"), [("scopes", "solve"), ("samples", "dgemm")])
def test_the_flame_graph_chooses(
    written: Written, open_page: Callable[..., Any], key: str, name: str, how: str
) -> None:
    """The frame that a flame graph is zoomed to is the one whose callers and callees are shown."""
    watched = open_page(written("profile"))
    page = watched.page
    box = page.locator(f"#{key} .wf-box").filter(has_text=name).first
    if how == "mouse":
        box.click()
    else:
        box.focus()
        page.keyboard.press("Enter")
    assert chosen(page, key) == name
    assert page.locator(f"#{key} tr[aria-current=true] .name").text_content() == name
    other = {"scopes": "samples", "samples": "scopes"}[key]
    assert chosen(page, other) != name
    watched.assert_quiet()


def test_charts_work_inside_the_page(written: Written, open_page: Callable[..., Any]) -> None:
    """Flame graph and timeline are live under the policy: search, by thread, zoom in time."""
    watched = open_page(written("profile"))
    page = watched.page
    page.locator("#scopes .wf-search").fill("solve")
    assert "%" in str(page.locator("#scopes .wf-matched").text_content())
    page.locator("#scopes .wf-view").click()
    page.locator("#scopes .wf-threads").click()
    assert page.locator("#scopes .wf-box").filter(has_text="worker").count() == 1
    page.locator("#timeline .wt-chart").focus()
    before = page.locator("#timeline .wt-where").text_content()
    page.keyboard.press("+")
    page.wait_for_function("text => document.querySelector('.wt-where').textContent !== text", arg=before)
    watched.assert_quiet()


def test_hostile_names(written: Written, open_page: Callable[..., Any]) -> None:
    """Each name is shown in the table, in the middle of its callers, and as a callee; and nothing runs."""
    watched = open_page(written("hostile profile"))
    page = watched.page
    in_table, in_samples = names(page), names(page, "samples")
    for name in map(printable, HOSTILE):
        assert name in in_table
        page.evaluate(
            "name => [...document.querySelectorAll('#scopes tbody tr')]"
            ".find(row => row.querySelector('.name').textContent === name).click()",
            name,
        )
        assert chosen(page) == name
        assert f"{name}!" in in_samples
        assert page.evaluate("window.ran") is None, name
        watched.assert_quiet()


def test_names_that_differ_in_case_are_two(written: Written, open_page: Callable[..., Any]) -> None:
    """`solve` and `Solve` have rows of their own, beside each other when sorted by name."""
    page = open_page(written("hostile profile")).page
    page.locator("#scopes thead button").first.click()
    sorted_names = names(page)
    assert abs(sorted_names.index("solve") - sorted_names.index("Solve")) == 1


def test_without_scripts(written: Written, open_page: Callable[..., Any]) -> None:
    """Summary, static charts, tables and files are there where no script runs."""
    page = open_page(written("profile"), scripts=False).page
    assert names(page) == ["fit", "epoch", "solve", "fib"]
    assert page.locator("#scopes .wf-static").is_visible()
    assert page.locator("#files a").count() >= 6
    assert not page.locator("#scopes .sandwich").is_visible()


def test_on_paper(written: Written, open_page: Callable[..., Any]) -> None:
    """In print there is no navigation and no search, and nothing is cut off by a scrolled container."""
    page = open_page(written("profile"), width=750).page
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator("#scopes .find").is_visible()
    assert page.locator("#scopes .frames tbody tr").last.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll.tall')).overflow") == "visible"
    assert page.evaluate("document.querySelector('#scopes .frames').getBoundingClientRect().width") <= 750
    assert len(page.pdf()) > 10_000


def test_tables_scroll_in_their_own_container(written: Written, open_page: Callable[..., Any]) -> None:
    """On a narrow screen a table is wider than the page, its names stay in sight, and it scrolls by keyboard."""
    page = open_page(written("profile"), width=400).page
    box = page.locator("#scopes .scroll")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth && e.tabIndex === 0")
    box.evaluate("e => { e.scrollLeft = 300 }")
    place = page.locator("#scopes .frames tbody th").first.bounding_box()
    assert place is not None
    assert 0 <= place["x"] < 60


def test_parts_are_linked(written: Written, open_page: Callable[..., Any]) -> None:
    """The links at the top lead to the parts, and the charts beside the page open."""
    watched = open_page(written("profile"))
    page = watched.page
    for link in page.locator("nav a").all():
        assert page.locator(str(link.get_attribute("href"))).count() == 1
    page.locator("#files a[href='scopes.svg']").click()
    page.locator(".wf-box").first.wait_for()
    watched.assert_quiet()


@pytest.mark.parametrize("width", [1400, 400])
def test_samples_in_the_table_of_scopes(written: Written, open_page: Callable[..., Any], width: int) -> None:
    """Each scope says in full what was on top of its samples, on any screen; it is sorted and found by that too."""
    watched = open_page(written("merged profile"), width=width)
    page = watched.page
    row = page.locator("#scopes .frames tbody tr", has_text="activation")
    note = row.locator(".native")
    assert " ".join(str(note.text_content()).split()) == "83 % tanh, 10 % Python, 6.7 % waiting"
    assert "DOUBLE_tanh_X86_V4" in str(note.get_attribute("title"))
    assert note.evaluate("e => e.scrollHeight <= e.clientHeight + 1 && e.scrollWidth <= e.clientWidth + 1")
    page.locator("#scopes thead button", has_text=re.compile("^samples$")).click()
    assert names(page)[-1] == "too short to be seen"
    page.locator("#scopes .find").fill("tanh")
    assert sorted(names(page)) == ["activation", "fit"]
    watched.assert_quiet()


def test_what_is_outside_any_scope(written: Written, open_page: Callable[..., Any]) -> None:
    """A link leads to what is outside any scope, and the scope that would name it is there to be copied."""
    page = open_page(written("merged profile"), width=400).page
    page.get_by_role("link", name="Outside any scope").click()
    section = page.locator("#outside_scopes")
    assert section.locator("code").inner_text() == 'with scope("load data"):'
    assert "75 % in load_data" in section.inner_text()


def test_scopes_and_samples_on_one_track(written: Written, open_page: Callable[..., Any]) -> None:
    """One timeline has each thread once, with its scopes and its samples; a search finds what is in both."""
    watched = open_page(written("merged profile"))
    page = watched.page
    page.locator("#timeline .wt-canvas").wait_for()
    # of each process the span and its samples; of the function there are samples alone
    for text, found in (("^activation$", "4 matches"), ("^load_data$", "1 match")):
        page.locator("#timeline .wt-search").fill(text)
        assert page.locator("#timeline .wt-matched").inner_text() == found
    watched.assert_quiet()
