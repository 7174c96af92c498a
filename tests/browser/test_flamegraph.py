"""The flame graph in a real browser: zoom, search, details, keyboard, and text that keeps to its box."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.trees import sampled_tree
from workbench.profile import Frame, FrameKind, ProfileBuilder, SpanRecord, StackTree, aggregate
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.report.profile.page import write_report
from workbench.report.profile.run import run_of_profile

pytestmark = pytest.mark.browser
MS = 1_000_000

MAIN = Frame("main", "run.py", 3)
TRAIN = Frame("train", kind=FrameKind.SCOPE)
SOLVE = Frame("solve", kind=FrameKind.SCOPE)
TANH = Frame("tanh", kind=FrameKind.SCOPE)
KERNEL = Frame("DOUBLE_tanh_X86_V4", "umath.so", kind=FrameKind.NATIVE)
DPOTRF = Frame("dpotrf_parallel", "libopenblas.so", kind=FrameKind.NATIVE)
WAIT = Frame("wait", "threading.py", 331, FrameKind.IDLE)


def training() -> StackTree:
    """One second: 600 ms in tanh, of which 500 in the kernel below it; 300 in solve; 100 idle."""
    return sampled_tree(
        [
            ([MAIN, TRAIN, TANH], 100 * MS),
            ([MAIN, TRAIN, TANH, KERNEL], 500 * MS),
            ([MAIN, TRAIN, SOLVE, DPOTRF], 300 * MS),
            ([WAIT], 100 * MS),
        ]
    )


@pytest.fixture
def training_file(tmp_path: Path) -> Path:
    path = tmp_path / "training.svg"
    path.write_text(flamegraph_svg(training(), title="Training", subtitle="one second"), encoding="utf-8")
    return path


def box(page: Any, name: str) -> Any:
    """Return the first box whose text starts with a name."""
    return page.locator(".wf-box").filter(has_text=name).first


def width_of(locator: Any) -> float:
    return float(locator.locator("rect").get_attribute("width"))


def overflowing(page: Any, boxes: str = ".wf-box") -> list[str]:
    """Return the texts that reach out of their box, by half a pixel or more."""
    script = """boxes => [...document.querySelectorAll(boxes)].filter(g => {
        const text = g.querySelector('text');
        if (!text) return false;
        const inner = text.getBoundingClientRect(), outer = g.querySelector('rect').getBoundingClientRect();
        return inner.right > outer.right + 0.5 || inner.left < outer.left - 0.5;
    }).map(g => g.textContent)"""
    return list(page.evaluate(script, boxes))


def hovered(page: Any) -> list[float]:
    """Move the mouse onto each box in turn; return how wide the details are that show."""
    middle = """box => {
        box.scrollIntoView({ block: "nearest" });
        const { x, y, width, height } = box.querySelector("rect").getBoundingClientRect();
        return [x + width / 2, y + height / 2];
    }"""
    found = []
    for handle in page.locator(".wf-box").element_handles():
        page.mouse.move(*handle.evaluate(middle))
        found.append(page.evaluate("() => document.querySelector('.wf-tip').getBoundingClientRect().width"))
    return found


def assert_only_the_file_itself(watched: Any) -> None:
    """Fail where the page asked for anything but itself."""
    assert watched.requests == [watched.page.url.partition("#")[0]]


def test_zoom_by_mouse_and_back(open_page: Callable[..., Any], training_file: Path) -> None:
    """A click makes a box as wide as the flame graph; the button, the path above and Escape bring all back."""
    watched = open_page(training_file)
    page = watched.page
    before = width_of(box(page, "solve"))
    whole = width_of(box(page, "all"))
    assert before == pytest.approx(0.3 * whole, abs=1)
    box(page, "solve").click()
    assert width_of(box(page, "solve")) == pytest.approx(whole, abs=0.1)
    assert width_of(box(page, "dpotrf")) == pytest.approx(whole, abs=0.1)
    assert box(page, "tanh").count() == 0, "what is beside the zoomed box is out of the chart"
    assert "solve 30.0 %" in page.locator(".wf-crumbs").inner_text()
    page.locator(".wf-reset").click()
    assert width_of(box(page, "solve")) == before
    box(page, "solve").click()
    page.locator(".wf-crumbs button", has_text="main").click()
    assert width_of(box(page, "solve")) == pytest.approx(whole / 3, abs=1)
    page.keyboard.press("Escape")
    assert width_of(box(page, "solve")) == before
    assert page.locator(".wf-reset").is_hidden()
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


def test_keyboard_alone_is_enough(open_page: Callable[..., Any], training_file: Path) -> None:
    """Arrows move between boxes, Enter zooms, Escape resets, and details follow the focus."""
    watched = open_page(training_file)
    page = watched.page
    box(page, "all").focus()
    focused = "() => document.activeElement.textContent"
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "main", "up goes to the widest child"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "wait"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "tanh"
    assert "total 600 ms · 60.0 % of all · 66.7 % of parent" in page.locator(".wf-tip").inner_text()
    page.keyboard.press("Enter")
    assert width_of(box(page, "tanh")) == pytest.approx(width_of(box(page, "all")), abs=0.1)
    assert page.evaluate(focused) == "tanh", "the focus stays on the box"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "train"
    page.keyboard.press("Escape")
    assert page.locator(".wf-reset").is_hidden()
    watched.assert_quiet()


def test_search(open_page: Callable[..., Any], training_file: Path) -> None:
    """Text and regular expressions highlight boxes, and the matched share counts nested ones once."""
    watched = open_page(training_file)
    page = watched.page
    for query, share, hits in (
        ("TANH", "60.0 %", 2),  # the kernel inside tanh is counted once
        ("^(solve|wait)$", "40.0 %", 2),
        ("libopenblas", "30.0 %", 1),  # the file of the frame
        ("tanh(", "0.0 %", 0),  # no regular expression: taken as text
        ("all", "30.0 %", 1),  # dpotrf_parallel; the box for all is no frame
    ):
        page.keyboard.press("/")
        page.keyboard.type(query)
        assert page.locator(".wf-matched").inner_text() == f"matched: {share}", query
        assert page.locator(".wf-hit").count() == hits, query
        page.locator(".wf-clear").click()
        assert page.locator(".wf-matched").inner_text() == ""
        assert page.locator(".wf-hit").count() == 0
        page.keyboard.press("Control+f")
        page.keyboard.type("solve")
        assert page.locator(".wf-hit").count() == 1
        page.keyboard.press("Escape")
        assert page.locator(".wf-hit").count() == 0
    watched.assert_quiet()


def test_a_search_outlives_a_zoom(open_page: Callable[..., Any], training_file: Path) -> None:
    """Boxes that a zoom brings in are highlighted too."""
    page = open_page(training_file).page
    page.keyboard.press("/")
    page.keyboard.type("kernel|double")
    box(page, "tanh").click()
    assert page.locator(".wf-hit").count() == 1
    assert page.locator(".wf-matched").inner_text() == "matched: 50.0 %"


def test_details_on_hover(open_page: Callable[..., Any], training_file: Path) -> None:
    """Name, place, total, self and shares are shown near the pointer, inside the flame graph, and go again."""
    page = open_page(training_file).page
    box(page, "DOUBLE").hover()
    tip = page.locator(".wf-tip")
    text = tip.inner_text()
    for part in (
        "DOUBLE_tanh_X86_V4",
        "umath.so",
        "total 500 ms",
        "50.0 % of all",
        "83.3 % of parent",
        "native",
    ):
        assert part in text
    assert "self 500 ms" in text
    place = tip.bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= 1200
    page.mouse.move(5, 5)
    assert tip.is_hidden()
    box(page, "main").hover()
    assert "run.py:3" in tip.inner_text()
    assert "self 0 ns · 0.0 % of all" in tip.inner_text()


@pytest.mark.parametrize("width", [1200, 400])
def test_hostile_names_are_only_text(open_page: Callable[..., Any], tmp_path: Path, width: int) -> None:
    """No name runs, breaks the flame graph or overflows its box, whatever it is made of."""
    paths = [
        ([MAIN, Frame(name, name), Frame(name + "!", kind=FrameKind(i % 4))], 50 * MS)
        for i, name in enumerate(HOSTILE)
    ]
    (tmp_path / "hostile.svg").write_text(
        flamegraph_svg(sampled_tree(paths), title=HOSTILE[0], subtitle=HOSTILE[7] + HOSTILE[8]),
        encoding="utf-8",
    )
    watched = open_page(tmp_path / "hostile.svg", width=width)
    page = watched.page
    assert page.locator(".wf-box").count() == 2 + 2 * len(HOSTILE)
    assert overflowing(page) == []
    widths = hovered(page)
    assert len(widths) == 2 + 2 * len(HOSTILE)
    assert 0 < min(widths) <= max(widths) < width
    page.keyboard.press("/")
    page.keyboard.type("</script>")
    assert page.locator(".wf-hit").count() == 4, "two names, each in two boxes"
    page.keyboard.press("Escape")
    for start in ("long", "</scr", "漢", "\\u202e", "nul", "surr", "🧪", "ال"):
        target = page.locator(".wf-box").filter(has_text=start).first
        if target.count():
            target.click()
            assert overflowing(page) == []
            page.keyboard.press("Escape")
    assert page.evaluate("() => window.ran") is None
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_names_in_a_page(open_page: Callable[..., Any], tmp_path: Path, scripts: bool) -> None:
    """The same holds where the SVG stands in an HTML page, whose parser has other rules."""
    paths = [([Frame(name)], 50 * MS) for name in HOSTILE]
    svg = flamegraph_svg(sampled_tree(paths), title=HOSTILE[1])
    page_file = tmp_path / "page.html"
    page_file.write_text(f"<!doctype html><meta charset=utf-8>{svg}<p id=after>after</p>", encoding="utf-8")
    watched = open_page(page_file, scripts=scripts)
    assert watched.page.locator("#after").evaluate("e => e.parentElement.localName") == "body"
    if scripts:
        assert watched.page.locator(".wf-box").count() == 1 + len(HOSTILE)
        assert overflowing(watched.page) == []
        assert watched.page.evaluate("() => window.ran") is None
    else:
        assert watched.page.get_by_text("nul \\x00").count() > 0
        assert overflowing(watched.page, "[class^=wf-k]") == []
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


def deep_and_wide(size: int) -> StackTree:
    """Return a random tree with boxes of all widths, some names long."""
    generator = random.Random(7)
    frames = [Frame(f"function_{i}" + "_long" * (i % 9), f"module_{i % 30}.py", i) for i in range(300)]
    frames += [Frame(f"scope {i}", kind=FrameKind.SCOPE) for i in range(20)]
    paths: dict[tuple[Frame, ...], int] = {(frames[0],): 1}
    known = [(frames[0],)]
    while len(paths) < size:
        first = max(0, len(known) - 2000) if generator.random() < 0.5 else 0
        path = (*known[generator.randrange(first, len(known))], generator.choice(frames))
        if len(path) < 40 and path not in paths:
            paths[path] = int(generator.lognormvariate(12, 2)) + 1
            known.append(path)
    return sampled_tree((list(path), weight) for path, weight in paths.items())


@pytest.mark.parametrize(("width", "scripts"), [(1400, True), (400, True), (400, False)])
def test_text_keeps_to_its_box(
    open_page: Callable[..., Any], tmp_path: Path, width: int, scripts: bool
) -> None:
    """No name reaches out of its box, at any width, before and after a zoom, alive or dead."""
    (tmp_path / "wide.svg").write_text(flamegraph_svg(deep_and_wide(2000), title="Wide"), encoding="utf-8")
    page = open_page(tmp_path / "wide.svg", width=width, scripts=scripts).page
    if not scripts:
        assert overflowing(page, "[class^=wf-k]") == []
        return
    assert page.locator(".wf-box text").count() > 10
    assert overflowing(page) == []
    page.locator(".wf-box").nth(4).click()
    assert overflowing(page) == []
    page.set_viewport_size({"width": 700, "height": 600})
    page.wait_for_function("() => document.documentElement.viewBox.baseVal.width < 701")
    assert overflowing(page) == []
    ends = "() => [...document.querySelectorAll('.wf-box rect')].map(r => r.getBoundingClientRect().right)"
    right = max(page.evaluate(ends))
    assert right <= 700


@pytest.mark.proof
def test_thirty_thousand_boxes_are_few_elements(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """What is narrow is drawn in a few paths, in its colour, and can be pointed at all the same.

    How quick that is, benchmarks/flamegraphs.py measures.
    """
    (tmp_path / "large.svg").write_text(
        flamegraph_svg(deep_and_wide(30_000), title="Large", minimum_share=0), encoding="utf-8"
    )
    watched = open_page(tmp_path / "large.svg", width=1400)
    page = watched.page
    assert page.locator(".wf-box").count() < 2500
    assert page.locator("path.wf-thin").count() == 1, "boxes too thin to see run together"
    assert 1 <= page.locator("path.wf-speck").count() <= 30, "one path for each colour"
    speck = page.evaluate(
        """() => {
            for (const path of document.querySelectorAll('path.wf-speck'))
                for (const part of path.getAttribute('d').split('M').slice(1)) {
                    const [, x, y, w] = part.match(/^(\\d+) (\\d+)h(\\d+)/).map(Number);
                    if (w > 20) return { x: (x + w / 2) / 10, y: y + 9 };
                }
        }"""
    )
    page.mouse.move(speck["x"], speck["y"])
    tip = page.locator(".wf-tip").inner_text()
    assert "total" in tip
    page.mouse.click(speck["x"], speck["y"])
    assert page.locator(".wf-crumbs b").inner_text().split()[0] == tip.split("\n")[0].split()[0][:200]
    page.keyboard.press("/")
    page.keyboard.type("function_1")
    page.locator(".wf-search").press("Escape")
    page.locator(".wf-reset").click()
    page.locator(".wf-search").fill("function_1")
    assert page.locator(".wf-speck-hits").count() == 1
    watched.assert_quiet()


def test_dark_pages_get_dark_colours(open_page: Callable[..., Any], training_file: Path) -> None:
    """Ground, text and boxes follow the colour scheme, in a scheme as in the other."""
    script = """() => ['.wf-k0 rect', '.wf-k0 text', '.wf-k1 rect']
        .map(where => getComputedStyle(document.querySelector(where)).fill)
        .concat(getComputedStyle(document.documentElement).backgroundColor)"""
    light = open_page(training_file).page.evaluate(script)
    dark = open_page(training_file, dark=True).page.evaluate(script)
    assert all(a != b for a, b in zip(light, dark, strict=True))


def test_four_hundred_pixels(open_page: Callable[..., Any], training_file: Path) -> None:
    """On a narrow page the text keeps its size, nothing scrolls sideways, and the tools are all there."""
    watched = open_page(training_file, width=400, height=600)
    page = watched.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert page.locator(".wf-box text").first.evaluate("e => getComputedStyle(e).fontSize") == "12px"
    assert page.locator(".wf-box text").first.evaluate("e => e.getScreenCTM().a") == pytest.approx(1)
    box(page, "main").click()
    page.keyboard.press("/")
    page.keyboard.type("solve")
    for part in (".wf-search", ".wf-clear", ".wf-reset", ".wf-matched"):
        place = page.locator(part).bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 400
        assert place["y"] + place["height"] <= box(page, "DOUBLE").bounding_box()["y"]
    watched.assert_quiet()


def flip(page: Any, button: str) -> None:
    """Click a switch; the rare ones are in a row that “view” opens."""
    if page.locator(button).is_hidden():
        page.locator(".wf-view").click()
    page.locator(button).click()


def pressed(page: Any, button: str) -> bool:
    return bool(page.locator(button).get_attribute("aria-pressed") == "true")


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_icicle_or_flame(open_page: Callable[..., Any], training_file: Path, how: str) -> None:
    """A button and a key turn the flame graph upside down and back, and keep zoom and focus."""
    watched = open_page(training_file)
    page = watched.page
    box(page, "solve").click()

    def turn() -> None:
        if how == "mouse":
            flip(page, ".wf-icicle")
        else:
            box(page, "solve").focus()
            page.keyboard.press("i")

    assert box(page, "main").bounding_box()["y"] < box(page, "all").bounding_box()["y"]
    turn()
    assert pressed(page, ".wf-icicle")
    assert box(page, "main").bounding_box()["y"] > box(page, "all").bounding_box()["y"]
    assert box(page, "tanh").count() == 0, "still zoomed"
    box(page, "solve").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.textContent") == "dpotrf_parallel"
    turn()
    assert not pressed(page, ".wf-icicle")
    assert box(page, "main").bounding_box()["y"] < box(page, "all").bounding_box()["y"]
    watched.assert_quiet()


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_by_thread(open_page: Callable[..., Any], tmp_path: Path, how: str) -> None:
    """A switch shows each thread on a box of its own and back; the search stays, and finds threads by name."""
    one = sampled_tree([([MAIN, TANH], 600 * MS)])
    two = sampled_tree([([MAIN, SOLVE], 300 * MS), ([WAIT], 100 * MS)])
    (tmp_path / "threads.svg").write_text(
        flamegraph_svg(training(), title="Threads", threads=[("MainThread", one), ("pool-1", two)]),
        encoding="utf-8",
    )
    watched = open_page(tmp_path / "threads.svg")
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type("tanh|solve")
    assert page.locator(".wf-matched").inner_text() == "matched: 90.0 %"

    def switch() -> None:
        if how == "mouse":
            flip(page, ".wf-threads")
        else:
            page.locator(".wf-box").first.focus()
            page.keyboard.press("t")

    switch()
    assert pressed(page, ".wf-threads")
    assert width_of(box(page, "pool-1")) == pytest.approx(0.4 * width_of(box(page, "all")), abs=1)
    assert page.locator(".wf-box text").get_by_text("main", exact=True).count() == 2
    assert page.locator(".wf-matched").inner_text() == "matched: 90.0 %"
    assert page.locator(".wf-hit").count() == 2
    assert "thread" in page.locator(".wf-legend").inner_text()
    page.locator(".wf-search").fill("pool-")
    assert page.locator(".wf-matched").inner_text() == "matched: 40.0 %"
    switch()
    assert not pressed(page, ".wf-threads")
    assert page.locator(".wf-box").filter(has_text="pool-1").count() == 0
    watched.assert_quiet()


def test_calls_and_percentiles(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Calls with mean, p50 and p95 are told where they are known, by hover and by focus."""
    builder = ProfileBuilder("test")
    records = [SpanRecord(0, 1000 * MS, 0, TRAIN)]
    lengths = [10] * 18 + [50, 90]
    at = 0
    for length in lengths:
        records.append(SpanRecord(at * MS, (at + length) * MS, 1, TANH))
        at += length
    builder.add_track("main", pid=1, tid=1, spans=builder.spans(records))
    tree = aggregate(builder.build(), of="spans", percentiles=True)
    (tmp_path / "calls.svg").write_text(flamegraph_svg(tree, title="Calls"), encoding="utf-8")
    page = open_page(tmp_path / "calls.svg").page
    box(page, "tanh").hover()
    line = "20 calls · mean 16 ms · p50 10 ms · p95"
    assert line in page.locator(".wf-tip").inner_text()
    box(page, "train").hover()
    assert "1 call" in page.locator(".wf-tip").inner_text()
    page.mouse.move(5, 5)
    box(page, "all").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert line in page.locator(".wf-tip").inner_text()
    assert line in page.evaluate("() => document.activeElement.getAttribute('aria-label')")


def test_keys_along_a_row_and_one_step_out(open_page: Callable[..., Any], training_file: Path) -> None:
    """Home and End go to the ends of a row, and Backspace zooms out by one box."""
    page = open_page(training_file).page
    focused = "() => document.activeElement.textContent"
    box(page, "tanh").focus()
    page.keyboard.press("Home")
    assert page.evaluate(focused) == "solve"
    page.keyboard.press("End")
    assert page.evaluate(focused) == "tanh"
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    assert "train" in page.locator(".wf-crumbs b").inner_text()


def test_the_address_keeps_the_state(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Zoom, search, orientation and threads are in the fragment; a link shows the same, Back goes back."""
    path = tmp_path / "state.svg"
    path.write_text(
        flamegraph_svg(training(), title="State", threads=[("MainThread", training())]), encoding="utf-8"
    )
    watched = open_page(path)
    page = watched.page
    flip(page, ".wf-threads")
    box(page, "solve").click()
    flip(page, ".wf-icicle")
    page.locator(".wf-search").fill("dpotrf|[")
    page.wait_for_function("() => /zoom=.*search=.*view=1.*icicle=1/.test(location.hash)")
    link = page.url
    other = open_page(link).page
    assert "solve" in other.locator(".wf-crumbs b").inner_text()
    assert other.locator(".wf-search").evaluate("e => e.value") == "dpotrf|["
    assert pressed(other, ".wf-icicle")
    assert pressed(other, ".wf-threads")
    # The same flame graph made again, with more in it: the path is found by its names.
    more = [([Frame("aaa")], 5 * MS), ([MAIN, TRAIN, SOLVE, DPOTRF], 300 * MS)]
    path.write_text(
        flamegraph_svg(sampled_tree(more), title="Again", threads=[("MainThread", sampled_tree(more))]),
        encoding="utf-8",
    )
    again = open_page(link).page
    assert "solve" in again.locator(".wf-crumbs b").inner_text()
    page.go_back()
    page.wait_for_function("() => document.querySelector('.wf-reset').hidden")
    page.go_forward()
    page.wait_for_function("() => !document.querySelector('.wf-reset').hidden")
    watched.assert_quiet()


@pytest.mark.parametrize(
    "fragment",
    ["zoom=nonsense", "zoom=%00&search=%F0%9F&view=99&icicle=x", "search=(((", "%%%", "view=-1&own=1"],
)
def test_a_strange_address_is_harmless(
    open_page: Callable[..., Any], training_file: Path, fragment: str
) -> None:
    """What a link says that the flame graph does not have is left out."""
    watched = open_page(f"{training_file.as_uri()}#{fragment}")
    assert watched.page.locator(".wf-box").count() == 8
    watched.assert_quiet()


def test_a_page_keeps_its_address(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Inlined flame graphs leave the page's fragment alone."""
    page_file = tmp_path / "page.html"
    svg = flamegraph_svg(training(), title="Inlined")
    page_file.write_text(f"<!doctype html><meta charset=utf-8>{svg}{svg}", encoding="utf-8")
    watched = open_page(f"{page_file.as_uri()}#zoom=here")
    page = watched.page
    box(page.locator("svg").nth(1), "solve").click()
    page.locator("svg").nth(0).locator(".wf-search").fill("tanh")
    page.wait_for_timeout(400)
    assert page.evaluate("() => location.hash") == "#zoom=here"
    watched.assert_quiet()


def test_on_paper(open_page: Callable[..., Any], training_file: Path) -> None:
    """A print shows the whole static flame graph, in light colours; afterwards the live one is as it was."""
    watched = open_page(training_file, dark=True)
    page = watched.page
    box(page, "solve").click()
    page.emulate_media(media="print")
    page.locator(".wf-static").wait_for()
    assert page.locator(".wf-box").count() == 0
    assert page.get_by_text("DOUBLE_tanh_X86_V4", exact=True).is_visible()
    colours = [
        page.evaluate(f"() => getComputedStyle(document.querySelector('.wf-static .{part}')).fill")
        for part in ("wf-back", "wf-ink")
    ]
    assert colours == ["rgb(255, 255, 255)", "rgb(29, 33, 41)"]
    page.emulate_media(media="screen")
    page.locator(".wf-box").first.wait_for()
    assert page.locator(".wf-static").count() == 0
    assert "solve" in page.locator(".wf-crumbs b").inner_text()
    assert len(page.pdf()) > 1000
    page.wait_for_function("() => document.querySelectorAll('.wf-static').length === 0")
    watched.assert_quiet()


def test_a_screen_reader_gets_the_tree(open_page: Callable[..., Any], training_file: Path) -> None:
    """The boxes are a tree whose items have levels and say what they took; buttons and search have names."""
    page = open_page(training_file).page
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]

    def text(node: Any, part: str) -> str:
        return str(node.get(part, {}).get("value", ""))

    def level(node: Any) -> int:
        return next((p["value"]["value"] for p in node["properties"] if p["name"] == "level"), 0)

    trees = [node for node in nodes if text(node, "role") == "tree"]
    items = [node for node in nodes if text(node, "role") == "treeitem"]
    assert len(trees) == 1
    assert text(trees[0], "name").startswith("Training, 8 boxes")
    found = {text(node, "name"): level(node) for node in items}
    assert found == {
        "all, 1 s, 100.0 %": 1,
        "main, 900 ms, 90.0 %": 2,
        "train, 900 ms, 90.0 %": 3,
        "solve, 300 ms, 30.0 %": 4,
        "dpotrf_parallel, 300 ms, 30.0 %": 5,
        "tanh, 600 ms, 60.0 %": 4,
        "DOUBLE_tanh_X86_V4, 500 ms, 50.0 %": 5,
        "wait, 100 ms, 10.0 %": 2,
    }
    named = {text(node, "name") for node in nodes if text(node, "role") in {"button", "textbox"}}
    assert {"by self time", "view", "search names and files, text or regular expression"} <= named
    box(page, "tanh").click()
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    chosen = [
        text(node, "name")
        for node in nodes
        if any(p["name"] == "selected" and p["value"]["value"] is True for p in node.get("properties", []))
    ]
    assert chosen == ["tanh, 600 ms, 60.0 %"]


@pytest.mark.parametrize("factor", [0.5, 1.25, 3])
def test_text_keeps_to_its_box_at_any_zoom_of_the_page(
    open_page: Callable[..., Any], tmp_path: Path, factor: float
) -> None:
    """Where the page itself is zoomed, names still end inside their boxes."""
    svg = flamegraph_svg(deep_and_wide(500), title="Zoomed")
    page_file = tmp_path / "zoomed.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8><body style='zoom:{factor}'>{svg}", encoding="utf-8"
    )
    page = open_page(page_file, width=1400).page
    assert page.locator(".wf-box text").count() > 5
    assert overflowing(page) == []
    page.locator(".wf-box").nth(3).click()
    assert overflowing(page) == []


LOAD = Frame("_find_and_load", "<frozen importlib._bootstrap>")
NUMPY = Frame("<module>", "/env/lib/python3.11/site-packages/numpy/__init__.py")
FIB = Frame("fib", "/home/me/fit.py", 9)
RUN = Frame("Thread.run", "/usr/lib/python3.11/threading.py", 7)


def busy() -> StackTree:
    """One second: 400 ms in fib, two deep at most; 100 importing; 200 in BLAS; 200 waiting, 100 helpers."""
    return sampled_tree(
        [
            ([MAIN, FIB], 100 * MS),
            ([MAIN, FIB, FIB], 200 * MS),
            ([MAIN, FIB, FIB, FIB], 100 * MS),
            ([MAIN, LOAD, NUMPY], 100 * MS),
            ([MAIN, DPOTRF], 200 * MS),
            ([RUN, WAIT], 200 * MS),
            ([RUN, Frame("feed", "/usr/lib/python3.11/multiprocessing/queues.py")], 100 * MS),
        ]
    )


@pytest.fixture
def busy_file(tmp_path: Path) -> Path:
    path = tmp_path / "busy.svg"
    path.write_text(flamegraph_svg(busy(), title="Busy"), encoding="utf-8")
    return path


def boxes_on(page: Any) -> dict[str, float]:
    """Return the names on the chart and their shares of the whole; of equal names the last."""
    whole = width_of(box(page, "all"))
    texts = page.locator(".wf-box").all()
    return {each.text_content(): round(width_of(each) / whole, 2) for each in texts if each.text_content()}


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
@pytest.mark.parametrize(
    ("switch", "key", "gone", "there"),
    [
        (".wf-unfolded", "u", {"(imports)"}, {"_find_and_load": 0.1}),
        (".wf-hidden", "w", {"wait", "feed", "Thread.run"}, {"main": 1.0, "dpotrf_parallel": 0.29}),
        (".wf-inverted", "v", set(), {"dpotrf_parallel": 0.2, "feed": 0.1, "Thread.run": 0.1}),
        (".wf-merged", "r", set(), {"fib": 0.4, "main": 0.7}),
    ],
)
def test_switches(
    open_page: Callable[..., Any],
    busy_file: Path,
    how: str,
    switch: str,
    key: str,
    gone: set[str],
    there: dict[str, float],
) -> None:
    """Each switch shows its tree by mouse and by key, and the first one again."""
    watched = open_page(busy_file)
    page = watched.page

    def turn() -> None:
        if how == "mouse":
            flip(page, switch)
        else:
            page.locator(".wf-box").first.focus()
            page.keyboard.press(key)

    before = boxes_on(page)
    assert before["(imports)"] == 0.1
    turn()
    assert pressed(page, switch)
    found = boxes_on(page)
    assert not gone & found.keys()
    assert found.items() >= there.items()
    turn()
    assert boxes_on(page) == before
    watched.assert_quiet()


def test_recursion_is_one_box(open_page: Callable[..., Any], busy_file: Path) -> None:
    """Three boxes of a function that calls itself are one, with all of their time."""
    page = open_page(busy_file).page
    assert page.locator(".wf-box").filter(has_text="fib").count() == 3
    flip(page, ".wf-merged")
    assert page.locator(".wf-box").filter(has_text="fib").count() == 1
    box(page, "fib").hover()
    assert "self 400 ms · 40.0 % of all" in page.locator(".wf-tip").inner_text()


def test_self_time_and_callers(open_page: Callable[..., Any], busy_file: Path) -> None:
    """By self time the details say what is whose."""
    page = open_page(busy_file).page
    flip(page, ".wf-inverted")
    box(page, "fib").hover()
    assert "self 400 ms · 40.0 % of all" in page.locator(".wf-tip").inner_text()
    page.locator(".wf-box").filter(has_text="main").last.hover()
    assert "of the self time of" in page.locator(".wf-tip").inner_text()


def test_waiting_says_how_much_it_is(open_page: Callable[..., Any], busy_file: Path) -> None:
    """The switch has both shares, and without them the shares are of what is shown."""
    page = open_page(busy_file).page
    assert page.locator(".wf-hidden").inner_text() == "hide waiting 20.0 %, helpers 10.0 %"
    flip(page, ".wf-hidden")
    assert "shown 700 ms" in page.locator(".wf-crumbs").inner_text()
    box(page, "dpotrf").hover()
    assert "28.6 % of what is shown" in page.locator(".wf-tip").inner_text()


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_colours_by_package(open_page: Callable[..., Any], busy_file: Path, how: str) -> None:
    """A switch gives each package a colour of its own, and the legend names them."""
    page = open_page(busy_file).page
    fill = """() => getComputedStyle([...document.querySelectorAll('.wf-box')]
        .find((each) => each.textContent === 'fib').firstChild).fill"""
    before = page.evaluate(fill)
    if how == "mouse":
        flip(page, ".wf-packages")
    else:
        page.locator(".wf-box").first.focus()
        page.keyboard.press("p")
    legend = page.locator(".wf-legend").inner_text().split()
    assert {"program", "Python", "libopenblas.so"} <= set(legend)
    assert "native" not in legend
    assert page.evaluate(fill) != before


def test_rows_fit_what_is_wide_and_refit_on_zoom(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Rows of boxes under half a percent are not drawn but counted, until they are zoomed into."""
    deep = [Frame(f"deep {i}") for i in range(30)]
    tree = sampled_tree([([MAIN], 996 * MS), ([MAIN, *deep], 4 * MS)])
    (tmp_path / "deep.svg").write_text(flamegraph_svg(tree, title="Deep"), encoding="utf-8")
    page = open_page(tmp_path / "deep.svg", width=1400).page
    assert "30 more rows of boxes under 0.5 %" in page.locator(".wf-footer").text_content()
    assert page.locator(".wf-box").count() == 2
    page.locator(".wf-search").fill("deep 0")
    assert "no match is in view" in page.locator(".wf-footer").text_content()
    box(page, "main").click()
    assert page.locator(".wf-hit").count() == 1
    assert "29 more rows" in page.locator(".wf-footer").text_content()
    page.locator(".wf-box").last.click()
    assert page.locator(".wf-footer").text_content() == ""
    assert page.locator(".wf-box").count() == 32
    page.locator(".wf-reset").click()
    assert page.locator(".wf-box").count() == 2


EMBED = "<!doctype html><meta charset=utf-8><input id=page-search>{}<p id=said></p>"


def embedded(tmp_path: Path, **options: Any) -> Path:
    page_file = tmp_path / "page.html"
    page_file.write_text(
        EMBED.format(flamegraph_svg(busy(), title="Busy", embedded=True, **options)), encoding="utf-8"
    )
    return page_file


def test_in_a_page(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Embedded it has no title and no search of its own; the page searches, selects, and hears of a chosen box."""
    watched = open_page(embedded(tmp_path))
    page = watched.page
    page.evaluate(
        "() => { window.heard = []; addEventListener('workbench:frame', (event) => heard.push(event.detail)); }"
    )
    assert page.locator(".wf-title").count() == 0
    assert page.locator(".wf-search").is_hidden()
    page.evaluate("() => document.querySelector('svg').chart.search('fib')")
    assert page.locator(".wf-matched").inner_text() == "matched: 40.0 %"
    page.evaluate("() => document.querySelector('svg').chart.select({ name: 'main', place: 'run.py:3' })")
    assert page.locator(".wf-chosen").count() == 1
    assert page.locator(".wf-reset").is_hidden(), "a selection does not zoom"
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.localName") == "body", "the page's search, not ours"
    box(page, "dpotrf").click()
    box(page, "main").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("() => heard") == [
        {"name": "dpotrf_parallel", "place": "libopenblas.so"},
        {"name": "main", "place": "run.py:3"},
    ]
    page.evaluate(
        "() => { const { chart } = document.querySelector('svg'); chart.search(''); chart.select(null); }"
    )
    assert page.locator(".wf-chosen, .wf-hit").count() == 0
    watched.assert_quiet()


def test_a_part_of_the_run(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """A tree that the page gives is shown with all that was chosen, and then the whole run again."""
    watched = open_page(embedded(tmp_path, threads=[("MainThread", busy())]))
    page = watched.page
    box(page, "main").click()
    part = """() => document.querySelector('svg').chart.showTree({
        labels: [['all', '', 4, 0], ['main', 'run.py:3', 1, 0],
            ['_find_and_load', '<frozen importlib._bootstrap>', 1, 0], ['late', '', 0, 0]],
        label: [0, 1, 2, 3], depth: [0, 1, 2, 2], total: [80e6, 60e6, 20e6, 30e6],
        self: [20e6, 10e6, 20e6, 30e6], calls: [-1, 1, 2, 3],
    })"""
    page.evaluate(part)
    assert "main 75.0 %" in page.locator(".wf-crumbs b").inner_text(), "the zoom stays"
    assert page.locator(".wf-box").all_text_contents() == ["all", "main", "(imports)", "late"]
    page.locator(".wf-view").click()
    assert page.locator(".wf-threads").is_hidden(), "a part is of all threads together"
    nothing = "{ labels: [['all', '', 4, 0]], label: [0], depth: [0], total: [0], self: [0], calls: [-1] }"
    page.evaluate(f"() => document.querySelector('svg').chart.showTree({nothing})")
    assert page.locator(".wf-box").all_text_contents() == ["all"]
    assert "all 0 ns" in page.locator(".wf-crumbs").inner_text()
    page.evaluate(part)
    box(page, "main").click()
    page.evaluate("() => document.querySelector('svg').chart.showTree(null)")
    assert "main 70.0 %" in page.locator(".wf-crumbs b").inner_text()
    assert page.locator(".wf-threads").is_visible()
    watched.assert_quiet()


def test_what_changes_while_it_is_hidden_is_there_when_it_is_seen(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    """In a closed tab search, selection and tree are kept, and drawn when the tab opens."""
    watched = open_page(embedded(tmp_path))
    page = watched.page
    page.evaluate(
        """() => {
            const chart = document.querySelector('svg');
            chart.style.display = 'none';
            chart.getBoundingClientRect();
            return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
                chart.chart.search('late');
                chart.chart.select({ name: 'late', place: '' });
                chart.chart.showTree({ labels: [['all', '', 4, 0], ['late', '', 0, 0]], label: [0, 1], depth: [0, 1],
                    total: [5, 5], self: [0, 5], calls: [-1, 1] });
                chart.style.display = '';
                done();
            })));
        }"""
    )
    page.locator(".wf-hit.wf-chosen").wait_for()
    assert page.locator(".wf-box").all_text_contents() == ["all", "late"]
    assert page.locator(".wf-matched").inner_text() == "matched: 100.0 %"
    watched.assert_quiet()


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_switches_on_a_profile_page(open_page: Callable[..., Any], tmp_path: Path, how: str) -> None:
    """On the page of a profile each switch works by mouse and by key, and the sentence at its head agrees."""
    builder = ProfileBuilder("busy")
    paths = [
        ([MAIN, TRAIN, FIB], 3),
        ([MAIN, TRAIN, FIB, FIB], 2),
        ([MAIN, TRAIN, WAIT], 2),
        ([MAIN, LOAD, NUMPY], 2),
        ([RUN, Frame("feed", "/usr/lib/python3.11/multiprocessing/queues.py")], 1),
    ]
    stacks = [builder.stack_of(path) for path, count in paths for _ in range(count)]
    samples = builder.samples(stacks, [i * 10 * MS for i in range(10)], [10 * MS] * 10)
    spans = builder.spans([SpanRecord(0, 70 * MS, 0, TRAIN)])
    for name, tid, only in (("MainThread", 1, slice(0, 9)), ("feeder", 2, slice(9, 10))):
        part = replace(
            samples, stack=samples.stack[only], at_ns=samples.at_ns[only], weight_ns=samples.weight_ns[only]
        )
        builder.add_track(name, pid=1, tid=tid, spans=spans if tid == 1 else None, samples=part)
    watched = open_page(write_report(run_of_profile(builder.build()), tmp_path / "page"), width=1000)
    page = watched.page
    chart = page.locator("#samples svg.wf-embedded")
    assert "50 % fib" in page.locator("main, body").first.inner_text()
    boxes = chart.locator(".wf-box")
    whole = boxes.all_text_contents()
    assert {"(imports)", "wait", "train", "fib"} <= set(whole)
    for switch, key, is_shown in (
        ("hidden", "w", lambda found: not {"wait", "feed"} & set(found)),
        ("inverted", "v", lambda found: found[1] == "fib"),
        ("merged", "r", lambda found: found.count("fib") == 1),
        ("unfolded", "u", lambda found: "(imports)" not in found and "_find_and_load" in found),
        ("threads", "t", lambda found: "feeder" in found),
        (
            "packages",
            "p",
            lambda _: boxes.filter(has_text="fib").first.get_attribute("class") == "wf-box wf-p0",
        ),
        ("icicle", "i", lambda _: boxes.first.bounding_box()["y"] > boxes.last.bounding_box()["y"]),
    ):
        button = chart.locator(f".wf-{switch}")
        for pressed_now in (True, False):
            if how == "keyboard":
                boxes.first.focus()
                page.keyboard.press(key)
            else:
                if button.is_hidden():
                    chart.locator(".wf-view").click()
                button.click()
            assert (button.get_attribute("aria-pressed") == "true") == (
                pressed_now != (switch == "icicle")
            ), switch
            assert not pressed_now or is_shown(boxes.all_text_contents()), switch
        assert boxes.all_text_contents() == whole
    watched.assert_quiet()
