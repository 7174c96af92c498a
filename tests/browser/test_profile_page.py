"""The page of a profile in a real browser: every interaction by mouse and by keyboard, on any screen and on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.workspace import figures, names, neighbours, press, row, selected, show
from tests.browser.written import Written
from tests.helpers.hostile import HOSTILE
from workbench.outputs import OutputFolder
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord
from workbench.report.profile.page import write_profile_page, write_report
from workbench.report.profile.run import run_of_profile
from workbench.text import printable

pytestmark = pytest.mark.browser
HOW = pytest.mark.parametrize("how", ["mouse", "keyboard"])


def fragment(page: Any, holds: str) -> None:
    """Wait until the address holds some text."""
    page.wait_for_function("text => location.hash.includes(text)", arg=holds)


@HOW
def test_tabs(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """One tab is shown at a time, by click, arrow keys, or its number from anywhere; the address keeps it."""
    watched = open_page(written("profile"))
    page = watched.page
    panels = page.locator("[role=tabpanel]:visible")
    assert panels.count() == 1
    assert page.locator("#samples .wf-box").first.is_visible()
    if how == "mouse":
        page.locator("#tab-timeline").click()
    else:
        page.locator("#tab-flame").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-timeline"
    page.locator("#timeline .wt-canvas").wait_for()
    assert [panel.get_attribute("id") for panel in panels.all()] == ["timeline"]
    fragment(page, "tab=timeline")
    page.locator("body").press("3")
    assert [panel.get_attribute("id") for panel in panels.all()] == ["table"]
    assert page.locator("#tab-table").get_attribute("aria-selected") == "true"
    assert all(url.startswith(("file:", "data:")) for url in watched.requests)
    watched.assert_quiet()


def test_the_workspace_begins_on_the_first_screen(written: Written, open_page: Callable[..., Any]) -> None:
    """On a usual screen the tabs are there without scrolling."""
    page = open_page(written("merged profile"), width=1400, height=900).page
    box = page.locator(".toolbar").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900


@HOW
def test_one_source_for_flame_graph_and_table(
    written: Written, open_page: Callable[..., Any], how: str
) -> None:
    """The switch of the source is of both tabs."""
    page = open_page(written("profile")).page
    button = page.locator(".switch [data-source=scopes]")
    press(page, button, how)
    assert page.locator("#scopes").is_visible()
    assert not page.locator("#samples").is_visible()
    show(page, "table")
    assert names(page) == ["fit", "epoch", "solve", "fib"]
    assert not page.locator("#table-samples").is_visible()


@HOW
def test_sorting(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A head sorts by its column, again the other way; aria-sort says how; what is unknown is last."""
    watched = open_page(written("profile"), width=1400)
    page = watched.page
    show(page, "table", "scopes")

    def press(label: str) -> str:
        button = page.locator("#table-scopes thead button", has_text=re.compile(f"^{re.escape(label)}$"))
        if how == "mouse":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        return str(button.locator("..").get_attribute("aria-sort"))

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
    assert page.locator("#table-scopes :is([aria-sort=ascending], [aria-sort=descending])").count() == 1
    watched.assert_quiet()


def test_one_search_drives_all(written: Written, open_page: Callable[..., Any]) -> None:
    """`/` goes to it from anywhere, text or a regular expression; it says how many match; Escape clears it."""
    watched = open_page(written("profile"))
    page = watched.page
    show(page, "table", "scopes")
    found = page.locator(".found")
    for text, left in (
        ("f", ["fit", "fib"]),
        ("^(fit|solve)$", ["fit", "solve"]),
        ("FIB", ["fib"]),
        ("(", []),
    ):
        page.keyboard.press("/")
        page.keyboard.type(text)
        assert names(page) == left, text
        assert found.text_content() == f"{len(left)} of 4"
        page.keyboard.press("Escape")
        assert len(names(page)) == 4
        assert found.text_content() == ""
        page.keyboard.press("Escape")
    page.keyboard.type("/solve")
    fragment(page, "search=solve")
    show(page, "flame")
    assert page.locator("#scopes .wf-hit").count() == 1
    show(page, "table", "samples")
    page.locator(".find").fill("libblas")
    assert names(page, "samples") == ["dgemm"]
    watched.assert_quiet()


@HOW
def test_callers_and_callees(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A row that is chosen shows who called it and what it calls; each of these can be chosen in turn."""
    watched = open_page(written("profile"))
    page = watched.page
    show(page, "table", "scopes")
    assert selected(page) == "most self time"  # while nothing is selected
    if how == "mouse":
        row(page, "epoch").click()
    else:
        page.locator("#table-scopes tbody tr[tabindex='0']").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    assert selected(page) == "epoch"
    assert neighbours(page, "called by") == ["fit 90.0 ms · 100.0 %"]
    assert neighbours(page, "calls") == ["solve 60.0 ms · 66.7 %", "itself: self time 30.0 ms · 33.3 %"]
    assert page.locator("#table-scopes tr[aria-current=true] .name").all_text_contents() == ["epoch"]
    callee = page.locator(".side").get_by_role("button", name="solve")
    if how == "mouse":
        callee.click()
    else:
        callee.focus()
        page.keyboard.press("Enter")
    assert selected(page) == "solve"
    assert neighbours(page, "called by") == ["epoch 60.0 ms · 100.0 %"]
    assert figures(page) == {
        "total": "60.0 ms · 42.9 %",
        "self": "60.0 ms · 100.0 % of it",
        "calls": "3",
        "mean": "20.0 ms",
        "p50": "20.0 ms",
        "max": "20.0 ms",
    }
    row(page, "fib").click()  # recursion counts once
    assert neighbours(page, "called by") == ["nobody: outermost 40.0 ms · 100.0 %"]
    assert neighbours(page, "calls") == ["itself: self time 40.0 ms · 100.0 %"]
    watched.assert_quiet()


def test_rows_by_keyboard(written: Written, open_page: Callable[..., Any]) -> None:
    """Tab reaches one row, arrows, Home and End the others, in the order that is shown; Space chooses."""
    page = open_page(written("profile")).page
    show(page, "table", "scopes")
    rows = page.locator("#table-scopes tbody tr")
    assert [each.get_attribute("tabindex") for each in rows.all()].count("0") == 1
    page.locator("#table-scopes thead button").last.focus()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.frames tbody tr')"):
            break
    focused = "document.activeElement.querySelector('.name').textContent"
    assert page.evaluate(focused) == "fit"
    for key, name in (
        ("End", "fib"),
        ("ArrowDown", "fib"),
        ("ArrowUp", "solve"),
        ("Home", "fit"),
        ("PageDown", "fib"),
    ):
        page.keyboard.press(key)
        assert page.evaluate(focused) == name
    page.keyboard.press("Space")
    assert selected(page) == "fib"
    assert page.evaluate("getComputedStyle(document.activeElement.firstElementChild).boxShadow") != "none"


@HOW
@pytest.mark.parametrize(("key", "name"), [("scopes", "solve"), ("samples", "dgemm")])
def test_the_flame_graph_chooses(
    written: Written, open_page: Callable[..., Any], key: str, name: str, how: str
) -> None:
    """The frame that is chosen in a flame graph is the one of the side panel and of the table."""
    watched = open_page(written("profile"))
    page = watched.page
    show(page, "flame", key)
    box = page.locator(f"#{key} .wf-box").filter(has_text=name).first
    if how == "mouse":
        box.click()
    else:
        box.focus()
        page.keyboard.press("Enter")
    assert selected(page) == name
    show(page, "table")
    assert page.locator(f"#table-{key} tr[aria-current=true] .name").text_content() == name
    fragment(page, f"name={name}")
    watched.assert_quiet()


def test_a_scope_among_samples_has_its_exact_figures(written: Written, open_page: Callable[..., Any]) -> None:
    """What is known exactly of a scope is shown for it among samples too, beside its share of them."""
    page = open_page(written("merged profile").as_uri() + "#name=activation").page
    assert selected(page) == "activation"
    found = figures(page)
    assert found["total"].startswith("600 ms")
    assert (found["calls"], found["samples"]) == ("2", "60")
    assert found["of samples"] == "50 % ± 10"
    assert any("tanh" in text and text.count("≈") == 1 for text in neighbours(page, "calls"))


@HOW
def test_the_first_screen_selects(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A scope of the first screen is selected in the workspace."""
    page = open_page(written("profile")).page
    button = page.locator(".overview button", has_text="solve")
    press(page, button, how)
    assert selected(page) == "solve"


@HOW
def test_the_first_screen_searches(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """A function of the first screen is searched for."""
    page = open_page(written("profile")).page
    button = page.locator(".overview button", has_text="dgemm")
    press(page, button, how)
    assert page.locator(".find").input_value() == "dgemm"


def test_the_address_brings_all_back(written: Written, open_page: Callable[..., Any]) -> None:
    """Tab, source, search and selection are those of the address; what is not of the workspace is left alone."""
    file = written("profile")
    page = open_page(file.as_uri() + "#tab=table&source=scopes&search=o&name=epoch").page
    assert names(page) == ["epoch", "solve"]
    assert selected(page) == "epoch"
    page.evaluate("location.hash = '#files'")
    page.wait_for_timeout(50)
    assert selected(page) == "epoch"
    page.evaluate("location.hash = '#timeline'")
    page.locator("#timeline .wt-canvas").wait_for()


def test_long_tables_show_their_first_rows(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """Fifty rows are shown, and a button shows all; a search looks at all of them."""
    builder = ProfileBuilder("many")
    scopes = [SpanRecord(10 * i, 10 * i + 9, 0, Frame(f"s{i}", kind=FrameKind.SCOPE)) for i in range(70)]
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(scopes))
    page = open_page(write_report(run_of_profile(builder.build()), tmp_path)).page
    show(page, "table")
    assert len(names(page)) == 50
    page.locator(".find").fill("s69")
    assert names(page) == ["s69"]
    page.locator(".find").fill("")
    more = page.get_by_role("button", name="show all 70")
    more.click()
    assert len(names(page)) == 70
    assert not more.is_visible()


@HOW
def test_one_range_drives_all(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """What the timeline has in view is what flame graph, table and side panel show, until the whole run is wanted."""
    watched = open_page(written("profile"), width=1400)
    page = watched.page
    show(page, "timeline")
    page.locator("#timeline .wt-canvas").wait_for()
    canvas = page.locator("#timeline .wt-canvas").bounding_box()
    assert canvas is not None
    if how == "mouse":  # from 30 to 60 ms, on the band of the whole run
        page.mouse.move(canvas["x"] + 0.3 * canvas["width"], canvas["y"] + 10)
        page.mouse.down()
        page.mouse.move(canvas["x"] + 0.6 * canvas["width"], canvas["y"] + 10, steps=5)
        page.mouse.up()
    else:
        page.locator("#timeline .wt-chart").focus()
        page.keyboard.press("+")
    fragment(page, "from=")
    page.locator(".range button").wait_for()
    show(page, "table", "scopes")
    whole = {"fit": "100", "epoch": "90.0", "solve": "60.0", "fib": "40.0"}
    total = row(page, "fit").locator("td").first
    assert not str(total.text_content()).startswith(whole["fit"])
    assert "in the range" in page.locator(".side").inner_text()
    show(page, "flame")
    assert page.locator("#scopes .wf-box", has_text="fit").count() == 1
    assert "all 140 ms" not in page.locator("#scopes .wf-crumbs").inner_text()
    button = page.locator(".range button")
    press(page, button, how)
    page.locator("#scopes .wf-crumbs", has_text="all 140 ms").wait_for()
    show(page, "table")
    assert {name: str(row(page, name).locator("td").first.text_content())[:-2] for name in whole} == whole
    watched.assert_quiet()


@HOW
def test_costs_of_scopes_follow_the_range(written: Written, open_page: Callable[..., Any], how: str) -> None:
    """CPU time, waiting and the largest resident set are those of the range, in table and side panel, until it ends."""
    watched = open_page(written("profile with resources"), width=1400)
    page = watched.page
    assert "largest resident set 30 MB" in page.locator(".origin").inner_text()
    show(page, "table", "scopes")

    def costs(name: str) -> dict[str, str]:
        row(page, name).click()
        found = figures(page)
        heads = [head.strip() for head in page.locator("#table-scopes thead th:visible").all_inner_texts()]
        cells = [" ".join(cell.split()) for cell in row(page, name).locator("td:visible").all_inner_texts()]
        in_table = dict(zip(heads[1:], cells, strict=True))
        for head, what in (("CPU time", "on a processor"), ("lock wait", "waiting for the lock")):
            assert in_table.get(head, "–").replace(" ", "") == found.get(what, "–").replace(" ", "")
        return {what: text.partition(" ±")[0] for what, text in found.items()}

    def assert_whole() -> None:
        fit, solve = costs("fit"), costs("solve")
        assert (fit["on a processor"], solve["on a processor"]) == ("600 ms", "0.0 ms")
        assert fit["waiting for the lock"] == solve["waiting for the lock"] == "200 ms"
        assert fit["waiting in the system"] == solve["waiting in the system"] == "200 ms"
        assert (fit["largest resident set"], solve["largest resident set"]) == ("30.0 MB", "22.0 MB")

    assert_whole()
    show(page, "timeline")
    chart = page.locator("#timeline .wt-chart")
    chart.evaluate("chart => chart.closest('svg').chart.setRange({ from: 300e6, to: 500e6 })")
    page.locator(".range button").wait_for()
    show(page, "table")
    solve = costs("solve")
    assert solve["waiting for the lock"] == solve["waiting in the system"] == "100 ms"
    assert solve["largest resident set"] == "19.0 MB"
    page.locator("#table-scopes thead button", has_text="CPU time").click()
    show(page, "timeline")
    chart.evaluate("chart => chart.closest('svg').chart.setRange({ from: 0, to: 200e6 })")
    page.locator(".range", has_text="from 0 ns").wait_for()
    show(page, "table")
    assert names(page) == ["fit"]
    assert costs("fit")["on a processor"] == "200 ms"
    button = page.locator(".range button")
    press(page, button, how)
    page.locator(".range").wait_for(state="hidden")
    assert_whole()
    watched.assert_quiet()


def test_one_thread(written: Written, open_page: Callable[..., Any]) -> None:
    """The frames, calls and samples of one thread are those of all tabs, also in a range; the address keeps it."""
    watched = open_page(written("profile"))
    page = watched.page
    show(page, "table", "scopes")
    everywhere = names(page)
    chooser = page.locator(".thread select")
    assert chooser.locator("option").all_text_contents() == ["all threads", "MainThread", "worker"]
    chooser.select_option("worker")
    assert names(page) == ["fib"]
    row(page, "fib").click()
    assert page.locator(".side").get_by_text("on worker", exact=True).is_visible()
    assert figures(page)["p50"] == "36.0 ms"
    fragment(page, "thread=1")
    show(page, "flame", "scopes")
    assert page.locator("#scopes .wf-box").count() == 5  # all, and fib four times
    again = open_page(page.url).page
    again.wait_for_function("document.querySelector('.thread select').value === '1'")
    show(again, "table", "scopes")
    assert names(again) == ["fib"]
    chooser.select_option("")
    show(page, "table", "scopes")
    assert names(page) == everywhere
    watched.assert_quiet()


def test_merged_calls_are_not_counted(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """Where the timeline merges short calls, a part of the run has times and no calls, and says so."""
    builder = ProfileBuilder("long")
    for tid in range(2):
        records = [SpanRecord(0, 10**10, 0, Frame("fit", kind=FrameKind.SCOPE))]
        records += [
            SpanRecord(1000 * i, 1000 * i + 500, 1, Frame("step", kind=FrameKind.SCOPE)) for i in range(3000)
        ]
        builder.add_track(f"worker {tid}", pid=1, tid=tid, spans=builder.spans(records))
    with OutputFolder(tmp_path, ["index.html", "scopes.svg"]) as output:
        written_page = write_profile_page(run_of_profile(builder.build()), output, max_boxes=1000)
    watched = open_page(f"{written_page.as_uri()}#tab=table&thread=1&name=step")
    page = watched.page
    page.locator(".side", has_text="short calls are merged there, and not counted").wait_for()
    assert figures(page) == {"total": "1.50 ms · 0.015 %", "self": "1.50 ms · 100.0 % of it"}
    assert row(page, "step").locator("td:visible").first.text_content() == "1.50ms"
    assert page.locator("#table-scopes th", has_text="calls").is_hidden()
    watched.assert_quiet()


def test_a_range_of_the_address(written: Written, open_page: Callable[..., Any]) -> None:
    """The address brings back the range, in whichever tab; its figures are exact."""
    address = "#tab=table&source=scopes&from=30000000&to=60000000"
    watched = open_page(written("profile").as_uri() + address, width=1400)
    page = watched.page
    page.locator(".range", has_text="30 ms from 30 ms").wait_for()
    cells = {name: row(page, name).locator("td").all_text_contents()[:2] for name in names(page)}
    assert {name: total for name, (total, _) in cells.items()} == {
        "fit": "30.0ms",
        "epoch": "30.0ms",
        "solve": "20.0ms",
        "fib": "10.0ms",
    }
    row(page, "epoch").click()
    assert neighbours(page, "calls") == ["solve 20.0 ms · 66.7 %", "itself: self time 10.0 ms · 33.3 %"]
    show(page, "table", "samples")  # three samples, with what so few are worth
    assert row(page, "dgemm", "samples").locator("td").first.text_content() == "100.0±28.1"
    watched.assert_quiet()


def test_hostile_names(written: Written, open_page: Callable[..., Any]) -> None:
    """Each name is shown in the table, in the side panel, and as a callee; and nothing runs."""
    watched = open_page(written("hostile profile"))
    page = watched.page
    show(page, "table", "scopes")
    in_table = page.locator("#table-scopes .name").all_text_contents()
    in_samples = page.locator("#table-samples .name").all_text_contents()
    for name in map(printable, HOSTILE):
        assert name in in_table
        page.evaluate(
            "name => [...document.querySelectorAll('#table-scopes tbody tr')]"
            ".find(row => row.querySelector('.name').textContent === name).click()",
            name,
        )
        assert selected(page) == name
        assert f"{name}!" in in_samples
        assert page.evaluate("window.ran") is None, name
    watched.assert_quiet()


def test_equal_names_say_which(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    """In a list of the side panel functions of one name have their kind and file, others have the name alone."""
    builder = ProfileBuilder("made")
    main = Frame("main", "/p.py")
    kernels = [Frame("dgemm", f"/lib/lib{x}.so", kind=FrameKind.NATIVE) for x in "ab"]
    stacks = [builder.stack_of([main, frame]) for frame in [*kernels, Frame("tanh", "/p.py")]]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, range(3), [1] * 3))
    page = open_page(write_report(run_of_profile(builder.build()), tmp_path)).page
    names = [each.inner_text() for each in page.locator(".side li .name").all()]
    assert sorted(names) == ["dgemm native · liba.so", "dgemm native · libb.so", "tanh"]


def test_names_that_differ_in_case_are_two(written: Written, open_page: Callable[..., Any]) -> None:
    """`solve` and `Solve` have rows of their own, beside each other when sorted by name."""
    page = open_page(written("hostile profile")).page
    show(page, "table", "scopes")
    page.locator("#table-scopes thead button").first.click()
    sorted_names = names(page)
    assert abs(sorted_names.index("solve") - sorted_names.index("Solve")) == 1


def test_without_scripts(written: Written, open_page: Callable[..., Any]) -> None:
    """Summary, static charts, tables and files are there where no script runs."""
    page = open_page(written("profile"), scripts=False).page
    assert names(page) == ["fit", "epoch", "solve", "fib"]
    assert page.locator("#scopes .wf-static").is_visible()
    assert page.locator("#samples .wf-static").is_visible()
    assert page.locator("#files a").count() >= 6
    assert not page.locator(".toolbar").is_visible()


def test_on_paper(written: Written, open_page: Callable[..., Any]) -> None:
    """In print there are no tabs and no search, and what the tabs hold is below each other."""
    page = open_page(written("profile"), width=750).page
    page.emulate_media(media="print")
    assert not page.locator(".toolbar").is_visible()
    assert page.locator("#table-scopes tbody tr").last.is_visible()
    assert page.locator("#scopes .wf-static").is_visible()
    assert (
        page.evaluate("document.querySelector('#table-scopes .frames').getBoundingClientRect().width") <= 750
    )
    assert len(page.pdf()) > 10_000


@pytest.mark.parametrize("width", [1400, 400])
def test_tables_fit(written: Written, open_page: Callable[..., Any], width: int) -> None:
    """A table is never wider than the page: on a narrow screen it has fewer columns, and the side panel is below."""
    page = open_page(written("merged profile"), width=width).page
    show(page, "table", "scopes")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heads = page.locator("#table-scopes thead th:visible").all_text_contents()
    heads = [head.strip() for head in heads]
    assert {"scope", "self", "calls"} <= set(heads)
    assert ("max" in heads) == (width == 1400)
    table, side = (page.locator(each).bounding_box() for each in (".views", ".side"))
    assert table is not None
    assert side is not None
    assert (side["y"] > table["y"] + 50) == (width == 400)
    note = row(page, "activation").locator(".native")
    assert " ".join(str(note.text_content()).split()) == "83 % tanh, 10 % Python, 6.7 % waiting"
    assert note.evaluate("e => e.scrollHeight <= e.clientHeight + 1 && e.scrollWidth <= e.clientWidth + 1")


def test_where_a_scope_would_help(written: Written, open_page: Callable[..., Any]) -> None:
    """One tip says which scope would name most of what is outside any, and is there to be copied."""
    page = open_page(written("merged profile"), width=400).page
    assert page.locator(".tip code").inner_text() == 'with scope("load data"):'
    assert "load_data (fit.py)" in page.locator(".tip").inner_text()


def test_scopes_and_samples_on_one_track(written: Written, open_page: Callable[..., Any]) -> None:
    """One timeline has each thread once, with its scopes and its samples."""
    watched = open_page(written("merged profile"))
    page = watched.page
    show(page, "timeline")
    page.locator("#timeline .wt-canvas").wait_for()
    assert page.locator("#timeline svg").count() == 1
    watched.assert_quiet()


def test_files_open(written: Written, open_page: Callable[..., Any]) -> None:
    """The charts beside the page open from its list of files."""
    watched = open_page(written("profile"))
    page = watched.page
    page.locator("#files summary").click()
    page.locator("#files a[href='scopes.svg']").click()
    page.locator(".wf-box").first.wait_for()
    watched.assert_quiet()
