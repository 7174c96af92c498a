"""The difference flame graph in a real browser: both numbers, colours, the scale, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.profile_sets import write_set
from tests.helpers.trees import sampled_tree
from workbench.profile import (
    Frame,
    FrameKind,
    TreeDifference,
    difference,
)
from workbench.render.flamegraph.difference import FrameNote, difference_svg
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.render.policy import content_security_policy
from workbench.report.profile.difference import DifferenceOptions, compare
from workbench.report.profile.difference_page import page

pytestmark = pytest.mark.browser
MS = 1_000_000

MAIN = Frame("main", "run.py", 3)
SOLVE, TANH = Frame("solve", kind=FrameKind.SCOPE), Frame("tanh", kind=FrameKind.SCOPE)
OLD, NEW = Frame("old kernel", kind=FrameKind.NATIVE), Frame("new kernel", kind=FrameKind.NATIVE)


def faster_tanh(*, normalised: bool = False) -> TreeDifference:
    """600 ms of the old kernel became 150 of a new one; solve took 300 and takes 330."""
    before = [([MAIN, TANH, OLD], 600 * MS), ([MAIN, SOLVE], 300 * MS), ([MAIN], 100 * MS)]
    after = [([MAIN, TANH, NEW], 150 * MS), ([MAIN, SOLVE], 330 * MS), ([MAIN], 100 * MS)]
    return difference(sampled_tree(before), sampled_tree(after), normalised=normalised)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "difference.svg"
    path.write_text(
        difference_svg(faster_tanh(), title="Faster tanh", before_name="exact", after_name="fast"),
        encoding="utf-8",
    )
    return path


def box(page: Any, name: str) -> Any:
    return page.locator(".wf-box").filter(has_text=name).first


def step(page: Any, name: str) -> str:
    """Return the class that colours a box."""
    classes = str(box(page, name).get_attribute("class")).split()
    return next(c for c in classes if c.startswith("wf-d"))


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_both_numbers_in_the_details(open_page: Callable[..., Any], file: Path, how: str) -> None:
    """Before, after, the change absolute and relative, and both shares, by hover and by focus."""
    watched = open_page(file)
    page = watched.page

    def details(name: str) -> str:
        if how == "mouse":
            box(page, name).hover()
        else:
            box(page, "all").focus()
            for _ in range(12):
                if page.evaluate("() => document.activeElement.textContent") == name:
                    break
                page.keyboard.press("ArrowUp")
            else:
                box(page, name).focus()
        return str(page.locator(".wf-tip").inner_text())

    main = details("main")
    assert "total 1 s → 580 ms · −420 ms · −42.0 %" in main
    assert "self 100 ms → 100 ms · same" in main
    assert "exact → fast" in main
    tanh = details("tanh")
    assert "total 600 ms → 150 ms · −450 ms · −75.0 %" in tanh
    assert "of all 60.0 % → 25.9 %" in tanh
    assert "of parent 60.0 % → 25.9 %" in tanh
    assert "total 600 ms → 0 ns · −600 ms · gone" in details("old kernel")
    watched.assert_quiet()
    assert watched.requests == [page.url.partition("#")[0]]


def test_colours_and_widths(open_page: Callable[..., Any], file: Path) -> None:
    """What is gone and what is new have boxes beside each other in the strongest colours, what stayed is grey."""
    page = open_page(file).page
    found = {name: step(page, name) for name in ("all", "tanh", "old kernel", "new kernel", "solve")}
    assert found == {
        "all": "wf-d2",
        "tanh": "wf-d1",
        "old kernel": "wf-d0",
        "new kernel": "wf-d8",
        "solve": "wf-d5",
    }
    fills = """() => ['.wf-d0', '.wf-d8']
        .map(c => getComputedStyle(document.querySelector('.wf-box' + c + ' rect')).fill)"""
    for dark in (False, True):
        blue, red = (
            [int(part) for part in fill[4:-1].split(",")]
            for fill in open_page(file, dark=dark).page.evaluate(fills)
        )
        assert blue[2] > blue[0]
        assert red[0] > red[2]
    widths = {
        name: float(box(page, name).locator("rect").get_attribute("width"))
        for name in ("tanh", "old kernel", "new kernel")
    }
    assert widths["tanh"] == pytest.approx(widths["old kernel"] + widths["new kernel"], abs=2)


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_colours_by_self_time(open_page: Callable[..., Any], file: Path, how: str) -> None:
    """A button and a key colour by self time, so that what only stands below a change is grey; the link keeps it."""
    watched = open_page(file)
    page = watched.page
    if how == "mouse":
        page.locator(".wf-own").click()
    else:
        box(page, "all").focus()
        page.keyboard.press("o")
    assert page.locator(".wf-own").get_attribute("aria-pressed") == "true"
    assert step(page, "main") == "wf-d4"
    assert step(page, "old kernel") == "wf-d0"
    page.wait_for_function("() => location.hash.includes('own=1')")
    assert step(open_page(page.url).page, "main") == "wf-d4"
    watched.assert_quiet()


def test_noise_is_pale_and_waiting_is_hatched(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Of what is known only what changes as its frame does is coloured, and the details say what is known of it."""
    idle = Frame("sleep", kind=FrameKind.IDLE)
    before = sampled_tree([([MAIN, SOLVE], 300 * MS), ([MAIN, TANH], 300 * MS), ([MAIN, idle], 100 * MS)])
    after = sampled_tree([([MAIN, SOLVE], 309 * MS), ([MAIN, TANH], 600 * MS), ([MAIN, idle], 900 * MS)])
    notes = {
        SOLVE: FrameNote(1, 1, ("self of all its boxes +3.0 % [+2.0 %, +4.0 %], slower",)),
        TANH: FrameNote(0, 0, ("self of all its boxes ×2 [−20.0 %, ×4], within noise",)),
    }
    svg = difference_svg(difference(before, after, normalised=False), title="D", notes=notes)
    (tmp_path / "d.svg").write_text(svg, encoding="utf-8")
    watched = open_page(tmp_path / "d.svg")
    page = watched.page
    steps = {name: step(page, name) for name in ("all", "main", "solve", "tanh", "sleep")}
    assert steps == {"all": "wf-d4", "main": "wf-d4", "solve": "wf-d5", "tanh": "wf-d4", "sleep": "wf-d9"}
    assert box(page, "sleep").locator(".wf-hatch").count() == 1
    assert page.locator(".wf-hatch").count() == 1 + page.locator(".wf-static .wf-hatch").count()
    legend = page.locator(".wf-step").all_inner_texts()
    assert legend[3:6] == ["less", "within noise", "more"]
    assert legend[-1] == "waiting"
    box(page, "tanh").hover()
    assert "×2 [−20.0 %, ×4], within noise" in page.locator(".wf-tip").inner_text()
    watched.assert_quiet()


def test_zoom_and_search(open_page: Callable[..., Any], file: Path) -> None:
    """Zoom, path, search and reset work as in a flame graph; the match is told for both sides."""
    watched = open_page(file)
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type("kernel")
    assert page.locator(".wf-matched").inner_text() == "matched: 60.0 % → 25.9 %"
    assert page.locator(".wf-hit").count() == 2
    page.keyboard.press("Escape")
    box(page, "tanh").click()
    assert box(page, "solve").count() == 0
    assert "tanh" in page.locator(".wf-crumbs b").inner_text()
    page.locator(".wf-crumbs button", has_text="main").click()
    assert box(page, "solve").count() == 1
    page.locator(".wf-reset").click()
    assert page.locator(".wf-reset").is_hidden()
    page.locator(".wf-view").click()
    page.locator(".wf-icicle").click()
    assert box(page, "main").bounding_box()["y"] > box(page, "all").bounding_box()["y"]
    watched.assert_quiet()


@pytest.mark.parametrize(("width", "scripts"), [(1400, True), (400, False)])
def test_the_scale_is_shown(open_page: Callable[..., Any], file: Path, width: int, scripts: bool) -> None:
    """The legend has nine steps, alive and dead, none of them outside of the page."""
    page = open_page(file, width=width, scripts=scripts).page
    for word in ("gone", "½×", "0.8×", "0.95×", "same", "1.05×", "1.25×", "2×", "new"):
        place = page.get_by_text(word, exact=True).first.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= width


def test_normalised_is_said(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Scaled amounts are called so in the head and in the details."""
    (tmp_path / "n.svg").write_text(
        difference_svg(faster_tanh(normalised=True), title="N", before_name="A", after_name="B"),
        encoding="utf-8",
    )
    page = open_page(tmp_path / "n.svg").page
    assert page.get_by_text("A scaled to the total of B", exact=True).is_visible()
    box(page, "tanh").hover()
    assert "A → B, scaled to the same total" in page.locator(".wf-tip").inner_text()


@pytest.mark.parametrize(("inlined", "width"), [(False, 1200), (True, 400)])
def test_hostile_names(open_page: Callable[..., Any], tmp_path: Path, inlined: bool, width: int) -> None:
    """Names of frames, sides and titles are only text, as a file and in a page with a strict policy."""
    before = sampled_tree(([MAIN, Frame(name, name)], 50 * MS) for name in HOSTILE)
    after = sampled_tree(([MAIN, Frame(name + "!"), Frame(name, name)], 40 * MS) for name in HOSTILE)
    diff = difference(before, after, normalised=False)
    svg = difference_svg(
        diff, title=HOSTILE[0], before_name=HOSTILE[1], after_name=HOSTILE[6], subtitle=HOSTILE[2]
    )
    target = tmp_path / ("page.html" if inlined else "file.svg")
    if inlined:
        policy = content_security_policy(svg)
        svg = f'<!doctype html><meta charset=utf-8><meta http-equiv="Content-Security-Policy" content="{policy}">{svg}'
        svg += "<p id=after>after</p>"
    target.write_text(svg, encoding="utf-8")
    watched = open_page(target, width=width)
    page = watched.page
    count = page.locator(".wf-box").count()
    assert count >= 2 + len(HOSTILE)
    middle = """box => {
        box.scrollIntoView({ block: "nearest" });
        const { x, y, width, height } = box.querySelector("rect").getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    }"""
    for handle in page.locator(".wf-box").element_handles():
        page.mouse.move(*handle.evaluate(middle))
        tip = page.evaluate("() => document.querySelector('.wf-tip').getBoundingClientRect().width")
        assert 0 < tip < width
    overflowing = """() => [...document.querySelectorAll('.wf-box text')].filter(text =>
        text.getBoundingClientRect().right > text.previousSibling.getBoundingClientRect().right + 0.5).length"""
    assert page.evaluate(overflowing) == 0
    page.locator(".wf-search").fill("</script>")
    assert page.locator(".wf-hit").count() >= 4
    assert page.evaluate("() => window.ran") is None
    if inlined:
        assert page.locator("#after").evaluate("e => e.parentElement.localName") == "body"
    watched.assert_quiet()


def test_beside_flame_graphs(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """On a page with flame graphs each flame graph acts alone."""
    diff = faster_tanh()
    svgs = [
        difference_svg(diff, title="D"),
        flamegraph_svg(diff.before, title="F"),
        difference_svg(diff, title="D"),
    ]
    page_file = tmp_path / "page.html"
    page_file.write_text("<!doctype html><meta charset=utf-8>" + "<hr>".join(svgs), encoding="utf-8")
    watched = open_page(page_file)
    charts = watched.page.locator("svg")
    charts.nth(2).locator(".wf-own").click()
    box(charts.nth(2), "tanh").click()
    assert step(charts.nth(0), "main") == "wf-d2"
    assert charts.nth(1).locator(".wf-own").is_hidden()
    assert watched.page.locator(".wf-reset:visible").count() == 1
    watched.assert_quiet()


def test_printed(open_page: Callable[..., Any], file: Path) -> None:
    """On paper the boxes are there, in light colours."""
    page = open_page(file, dark=True).page
    page.emulate_media(media="print")
    page.locator(".wf-static").wait_for()
    fill = page.locator(".wf-static .wf-d0 rect").first.evaluate("e => getComputedStyle(e).fill")
    assert fill == "rgb(11, 60, 125)"


def test_a_screen_reader_is_told_the_change(open_page: Callable[..., Any], file: Path) -> None:
    """The items of the tree say both amounts and the change in words, and the scale has a name."""
    page = open_page(file).page
    labels = page.locator("[role=treeitem]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert "old kernel, 600 ms to 0 ns, gone" in labels
    assert "tanh, 600 ms to 150 ms, −75.0 %" in labels
    assert "ratio of fast to exact" in str(page.locator(".wf-legend").get_attribute("aria-label"))


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
def test_the_page_of_two_sets(open_page: Callable[..., Any], tmp_path: Path, width: int, dark: bool) -> None:
    """The answer and the table are on the first screen, nothing is wider than the page, and nothing is asked for."""
    before = write_set(tmp_path / "before", 6, seed=1)
    after = write_set(tmp_path / "after", 6, seed=2, solve=1.5)
    (tmp_path / "diff.html").write_text(page(compare(DifferenceOptions(before, after))), encoding="utf-8")
    watched = open_page(tmp_path / "diff.html", width=width, dark=dark)
    shown = watched.page
    for part in (shown.locator(".answer"), shown.get_by_role("row").filter(has_text="solve")):
        place = part.bounding_box()
        assert place["x"] >= 0
        assert place["y"] + place["height"] <= 700
        assert place["x"] + place["width"] <= width
    assert shown.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert step(shown, "solve") == "wf-d6"
    assert step(shown, "load") == "wf-d4"
    watched.assert_quiet()
    assert len(watched.requests) == 1
