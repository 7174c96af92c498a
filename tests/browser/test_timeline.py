"""The timeline in a real browser: pan, zoom, search, details, keyboard, folding, and names that mean harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.page_profiles import waits
from workbench.profile import (
    ROOT,
    Counter,
    Frame,
    FrameKind,
    Marks,
    Profile,
    ProfileBuilder,
    Samples,
    SpanRecord,
    Spans,
)
from workbench.render.timeline.timeline import timeline_svg

pytestmark = pytest.mark.browser
MS = 1_000_000
TOP = 54  # the band of the whole run, and the axis
HEAD, CURVE, ROW, GAP = 24, 36, 18, 6


def scope(name: str) -> Frame:
    return Frame(name, "train.py", 7, FrameKind.SCOPE)


def training() -> Profile:
    """One second on two tracks.

    The first: a counter, two marks, `fit` all the time, in it `jacobian` from 100 to 400 ms with a `tanh` of 50 ns,
    and `solve` from 500 to 900 ms, unfinished. The second: samples in `main`, `kernel` and `wait`.
    """
    builder = ProfileBuilder("training")
    frames = [builder.frame(scope(name)) for name in ("fit", "jacobian", "tanh", "solve")]
    fit = builder.stack(ROOT, frames[0])
    jacobian, solve = builder.stack(fit, frames[1]), builder.stack(fit, frames[3])
    tanh = builder.stack(jacobian, frames[2])
    spans = Spans(
        np.array([fit, jacobian, tanh, solve], dtype=np.int32),
        np.array([0, 100 * MS, 200 * MS, 500 * MS]),
        np.array([1000 * MS, 400 * MS, 200 * MS + 50, 900 * MS]),
        np.array([False, False, False, True]),
        work={"flops": np.array([np.nan, 6e8, np.nan, np.nan])},
    )
    counter = Counter("damping", np.array([0, 500 * MS]), np.array([4.0, 1.0]))
    marks = Marks(np.array([300 * MS, 700 * MS]), ("accepted", "rejected"))
    builder.add_track("MainThread", pid=1, tid=1, spans=spans, counters=(counter,), marks=marks)
    main, kernel = Frame("main", "run.py", 3), Frame("kernel", "lib.so", kind=FrameKind.NATIVE)
    stacks = [builder.stack_of([main, kernel]), builder.stack_of([Frame("wait", kind=FrameKind.IDLE)])]
    samples = Samples(
        np.array([stacks[0]] * 5 + [stacks[1]] * 5, dtype=np.int32),
        np.arange(10) * 100 * MS,
        np.full(10, 100 * MS),
    )
    builder.add_track("sampler", pid=1, tid=2, samples=samples)
    return builder.build()


def both() -> Profile:
    """One second of `fit`, with ten samples under it."""
    builder = ProfileBuilder("both")
    kernel = builder.stack_of([scope("fit"), Frame("kernel", "lib.so", kind=FrameKind.NATIVE)])
    samples = Samples(np.full(10, kernel, dtype=np.int32), np.arange(10) * 100 * MS, np.full(10, 100 * MS))
    spans = builder.spans([SpanRecord(0, 1000 * MS, 0, scope("fit"))])
    builder.add_track("main", pid=1, tid=1, spans=spans, samples=samples)
    return builder.build()


MARKS_Y = TOP + HEAD + CURVE + ROW // 2
SPANS_Y = MARKS_Y + ROW
"""Middle of the row of `fit`; the rows of what is in it follow."""
SECOND_HEAD = TOP + HEAD + CURVE + 4 * ROW + GAP + HEAD // 2
SAMPLES_Y = SECOND_HEAD + HEAD // 2 + ROW // 2


@pytest.fixture
def training_file(tmp_path: Path) -> Path:
    path = tmp_path / "training.svg"
    path.write_text(timeline_svg(training(), title="Training", subtitle="one second"), encoding="utf-8")
    return path


@pytest.fixture
def opened(open_page: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that opens a profile's timeline and waits until it is drawn."""

    def open_it(
        profile: Profile,
        *,
        inlined: bool = False,
        title: str = "T",
        embedded: bool = False,
        **options: Any,
    ) -> Any:
        svg = timeline_svg(profile, title=title, embedded=embedded)
        path = tmp_path / ("page.html" if inlined else "file.svg")
        page = f"<!doctype html><meta charset=utf-8><body>{svg}<p id=after>after</p>"
        path.write_text(page if inlined else svg, encoding="utf-8")
        watched = open_page(path, **options)
        watched.page.locator(".wt-chart").wait_for()
        return watched

    return open_it


def spot(page: Any, share: float, y: float) -> tuple[float, float]:
    """Return the point of the page at a share of the chart's width, and pixels below its top."""
    box = page.locator(".wt-chart").first.bounding_box()
    return box["x"] + share * box["width"], box["y"] + y


def point_at(page: Any, share: float, y: float) -> str:
    """Move the mouse there, and return the details that show."""
    page.mouse.move(*spot(page, share, y))
    tip = page.locator(".wt-tip").first
    return tip.inner_text() if tip.is_visible() else ""


def shown(page: Any) -> str:
    return page.locator(".wt-where").first.inner_text()


def pixel(page: Any, share: float, y: float) -> list[int]:
    """Return red, green and blue of the chart, in the next frame."""
    script = """async ([share, y]) => {
        await new Promise(requestAnimationFrame);
        const canvas = document.querySelector('.wt-canvas');
        return [...canvas.getContext('2d').getImageData(share * canvas.width, y, 1, 1).data].slice(0, 3);
    }"""
    return list(page.evaluate(script, [share, y]))


def assert_only_the_file_itself(watched: Any) -> None:
    """Fail where the page asked for anything but itself."""
    assert [url for url in watched.requests if not url.startswith("blob:")] == [watched.page.url]


def test_details_on_hover(opened: Callable[..., Any]) -> None:
    """Name, place, start, duration, self, shares, work and state stand near the pointer, and go again."""
    watched = opened(training(), inlined=False)
    page = watched.page
    text = point_at(page, 0.25, SPANS_Y + ROW)
    for part in (
        "jacobian",
        "train.py:7",
        "duration 300 ms (300,000,000 ns) · 30.0 % of the run · 30.0 % of parent",
        "self 300 ms · 100.0 % of it",
        "starts at 100.000000 ms",
        "2 GFLOP/s · 600 MFLOP",
        "scope",
    ):
        assert part in text
    assert "unfinished" in point_at(page, 0.7, SPANS_Y + ROW)
    assert "self 300 ms · 30.0 % of it" in point_at(page, 0.05, SPANS_Y)
    assert "50 ns" in point_at(page, 0.2, SPANS_Y + 2 * ROW), "a span far narrower than a pixel"
    assert "damping\n4 since 0" in point_at(page, 0.3, TOP + HEAD + 20)
    assert "accepted\nmark at 300.000000 ms" in point_at(page, 0.3, MARKS_Y)
    assert point_at(page, 0.95, SPANS_Y + ROW) == ""
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


def test_samples_are_ticks(opened: Callable[..., Any]) -> None:
    """Samples have a count, about a time and no more digits; where each can be seen it is a tick with its stack."""
    watched = opened(training())
    page = watched.page
    page.mouse.click(*spot(page, 0.5, SECOND_HEAD))
    box = point_at(page, 0.35, SAMPLES_Y + ROW)
    assert (
        "kernel\nlib.so\n5 samples ≈ 500 ms · ≈ 50 % of the track's samples\nself 5 samples ≈ 500 ms" in box
    )
    assert "seen from 0 to 500 ms\nnative · from samples" in box
    assert "ns" not in box
    tick = point_at(page, 0.3, SAMPLES_Y)
    assert "1 sample at 300 ms, of 5 samples ≈ 500 ms in a row\nstack, innermost first:\n" in tick
    assert re.search(r"kernel\n.*▸ main", tick, re.DOTALL)
    assert point_at(page, 0.45, SAMPLES_Y) == "", "nothing is known between the last sample and the next"
    between, on = (pixel(page, share, SAMPLES_Y + ROW // 2 - 3) for share in (0.35, 0.3005))
    assert between != on != [255, 255, 255]
    page.keyboard.press("/")
    page.keyboard.type("kernel")
    assert page.locator(".wt-matched").inner_text() == "1 match"
    watched.assert_quiet()


def test_samples_beside_scopes_open_on_demand(opened: Callable[..., Any]) -> None:
    """Below the scopes of a track a line says how many samples there are; a click, a key or a button shows them."""
    watched = opened(both())
    page = watched.page

    def height() -> float:
        return float(page.locator(".wt-chart").bounding_box()["height"])

    closed = height()
    line = TOP + HEAD + ROW + ROW // 2
    assert point_at(page, 0.5, line) == "main\nclick shows or hides the rows of its samples"
    page.mouse.click(*spot(page, 0.5, line))
    assert height() == closed + 2 * ROW
    assert "10 samples ≈ 1 s" in point_at(page, 0.55, line + ROW)
    page.mouse.click(*spot(page, 0.5, line))
    assert height() == closed
    page.keyboard.press("s")
    assert height() == closed + 2 * ROW
    page.locator(".wt-samples").click()
    assert height() == closed
    page.keyboard.press("/")
    page.keyboard.type("kernel")
    page.keyboard.press("Enter")
    assert height() == closed + 2 * ROW, "the search goes to a sample"
    assert page.locator(".wt-said").inner_text().startswith("kernel, 10 samples ≈ 1 s")
    watched.assert_quiet()


def test_resources_of_a_process(opened: Callable[..., Any]) -> None:
    """Above its scopes: what was read, with time and unit; a click or a key shows the rest; all of it zooms."""
    watched = opened(waits())
    page = watched.page
    resident, cpu = TOP + HEAD + CURVE // 2, TOP + HEAD + CURVE + CURVE // 2
    assert point_at(page, 0.42, resident) == "resident set\n18 MB at 400 ms"
    assert point_at(page, 0.72, cpu) == "CPU\n100 % of one core, from 700 ms to 750 ms"
    assert point_at(page, 0.42, cpu) == "CPU\n0 % of one core, from 400 ms to 450 ms"
    switch = TOP + HEAD + 2 * CURVE + ROW // 2
    threads, written = switch + ROW // 2 + CURVE // 2, switch + ROW // 2 + CURVE + CURVE // 2
    assert point_at(page, 0.42, switch) == "process 7\nclick or r shows or hides threads, written"
    assert "fit" in point_at(page, 0.1, switch + ROW + GAP + HEAD), "the scopes follow"
    for show in (lambda: page.mouse.click(*spot(page, 0.42, switch)), lambda: page.keyboard.press("r")):
        show()
        assert point_at(page, 0.42, threads) == "threads\n2 at 400 ms"
        assert point_at(page, 0.72, written) == "written\n81.9 kB/s, from 700 ms to 750 ms"
        show()
        assert "threads" not in point_at(page, 0.42, threads)
    page.mouse.click(*spot(page, 0.42, TOP + HEAD // 2))
    assert "process 7" not in point_at(page, 0.42, switch)
    page.keyboard.press("r")
    assert "threads" in point_at(page, 0.42, threads), "it opens what is folded"
    page.mouse.move(*spot(page, 0.75, resident))
    page.keyboard.press("+")
    assert point_at(page, 0.999, resident) == "resident set\n24 MB at 700 ms"
    assert "r shows more of each process" in page.locator(".wt-chart").get_attribute("aria-label")
    watched.assert_quiet()


def test_deep_stacks_open_on_demand(opened: Callable[..., Any]) -> None:
    """Of very deep stacks the outer rows are shown, and a line that opens the others, as the search does."""
    builder = ProfileBuilder("deep")
    stack = builder.stack_of([Frame("<module>", "/x/run.py", 1), *(Frame(f"f{i}") for i in range(39))])
    samples = Samples(np.array([stack], dtype=np.int32), np.array([0]), np.array([10 * MS]))
    builder.add_track("main", pid=1, tid=1, samples=samples)
    watched = opened(builder.build(), inlined=True)
    page = watched.page
    closed = page.locator(".wt-chart").bounding_box()["height"]
    assert closed == TOP + HEAD + 25 * ROW + GAP + 6
    assert point_at(page, 0.001, TOP + HEAD + ROW // 2).startswith(
        "<module> run.py\n/x/run.py:1\n1 sample at 0"
    )
    page.mouse.click(*spot(page, 0.5, TOP + HEAD + 24 * ROW + ROW // 2))
    assert page.locator(".wt-chart").bounding_box()["height"] == closed + 15 * ROW
    again = opened(builder.build(), inlined=True).page
    again.locator(".wt-search").fill("f38")
    again.keyboard.press("Enter")
    assert again.locator(".wt-chart").bounding_box()["height"] == closed + 15 * ROW
    watched.assert_quiet()


def test_double_click_fits_a_span_and_escape_shows_all(opened: Callable[..., Any]) -> None:
    """The span fills the width, with a little around it; Escape, Home, 0 and the button bring all back."""
    watched = opened(training())
    page = watched.page
    assert shown(page).startswith("1 s")
    for back in ("Escape", "Home", "0", "button"):
        page.mouse.dblclick(*spot(page, 0.6, SPANS_Y + ROW))
        assert shown(page).startswith("416 ms from 492")
        assert "solve" in point_at(page, 0.03, SPANS_Y + ROW)
        assert point_at(page, 0.01, SPANS_Y + ROW) == ""
        page.locator(".wt-reset").click() if back == "button" else page.keyboard.press(back)
        assert shown(page).startswith("1 s")
        assert page.locator(".wt-reset").is_disabled()
    watched.assert_quiet()


def test_from_the_whole_run_to_a_nanosecond(opened: Callable[..., Any]) -> None:
    """Zooming in by keys ends at one nanosecond in view, exactly where it is; and the axis and details say so."""
    watched = opened(training())
    page = watched.page
    page.mouse.dblclick(*spot(page, 0.2001, SPANS_Y + 2 * ROW))
    assert shown(page).startswith("52 ns from 199.999999 ms")
    point_at(page, 0.5, SPANS_Y)
    for _ in range(12):
        page.keyboard.press("+")
    assert shown(page).startswith("1 ns from 200.0000")
    assert "50 ns" in point_at(page, 0.5, SPANS_Y + 2 * ROW)
    for _ in range(40):
        page.keyboard.press("-")
    assert shown(page).startswith("1 s")
    watched.assert_quiet()


def test_wheel_zooms_at_the_pointer(opened: Callable[..., Any]) -> None:
    """Plain and with Ctrl the wheel zooms, and what is under the pointer stays there; Shift and sideways it pans."""
    watched = opened(training())
    page = watched.page
    for held in (None, "Control"):
        page.mouse.move(*spot(page, 0.1, SPANS_Y + ROW))
        if held:
            page.keyboard.down(held)
        for _ in range(5):
            page.mouse.wheel(0, -300)
        if held:
            page.keyboard.up(held)
        page.wait_for_function("() => !document.querySelector('.wt-where').textContent.startsWith('1 s')")
        assert "jacobian" in point_at(page, 0.11, SPANS_Y + ROW), "the span's edge is still under the pointer"
        assert "jacobian" not in point_at(page, 0.09, SPANS_Y + ROW)
        before = shown(page)
        page.mouse.wheel(200, 0)
        page.wait_for_function("text => document.querySelector('.wt-where').textContent !== text", arg=before)
        assert "jacobian" in point_at(page, 0.05, SPANS_Y + ROW)
        assert shown(page).split(" from")[0] == before.split(" from")[0], "as much as before"
        page.keyboard.press("Escape")
    watched.assert_quiet()


def test_a_page_scrolls_over_a_chart_without_the_focus(opened: Callable[..., Any]) -> None:
    """A wheel over a timeline that has not the focus scrolls the page, and leaves the timeline as it is."""
    page = opened(training(), inlined=True, height=200).page
    page.mouse.move(*spot(page, 0.5, SPANS_Y))
    page.mouse.wheel(0, 120)
    page.wait_for_function("() => scrollY > 50")
    assert shown(page).startswith("1 s")


def test_drag_pans_and_the_band_glides(opened: Callable[..., Any]) -> None:
    """A drag takes the timeline along, is no click, and stops at the ends; the band on top shows any part."""
    watched = opened(training())
    page = watched.page
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert shown(page).startswith("250 ms from 375.0 ms")
    page.mouse.move(*spot(page, 0.2, SPANS_Y))
    page.mouse.down()
    page.mouse.move(*spot(page, 0.4, SPANS_Y))
    page.mouse.move(*spot(page, 0.6, SPANS_Y))
    page.mouse.up()
    assert shown(page).startswith("250 ms from 275.0 ms")
    assert page.locator(".wt-said").inner_text() == "", "nothing was picked"
    page.mouse.move(*spot(page, 0.1, SPANS_Y))
    page.mouse.down()
    for share in (0.5, 0.99, 0.99):
        page.mouse.move(*spot(page, share, SPANS_Y))
    page.mouse.up()
    page.mouse.move(*spot(page, 0.1, SPANS_Y))
    page.mouse.down()
    for share in (0.5, 0.99):
        page.mouse.move(*spot(page, share, SPANS_Y))
    page.mouse.up()
    assert shown(page).startswith("250 ms from 0 to"), "no further than the start"
    page.mouse.click(*spot(page, 0.75, 15))
    assert shown(page).startswith("250 ms from 625.0 ms")
    watched.assert_quiet()


def test_keyboard_alone_is_enough(opened: Callable[..., Any]) -> None:
    """Arrows pan, or move between parent, child and neighbours once a span is picked; Enter fits, Escape resets."""
    watched = opened(training(), inlined=True)
    page = watched.page
    page.keyboard.press("Tab")
    for _ in range(20):
        if page.evaluate("() => document.activeElement.className === 'wt-chart'"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("+")
    assert shown(page).startswith("500 ms from 250.0 ms")
    page.keyboard.press("ArrowRight")
    assert shown(page).startswith("500 ms from 325.0 ms")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    said, tip = page.locator(".wt-said"), page.locator(".wt-tip")

    def press(key: str, expected: str) -> None:
        page.keyboard.press(key)
        assert said.inner_text().startswith(expected), key

    press("Enter", "accepted, mark")
    press("ArrowRight", "rejected, mark")
    press("ArrowDown", "fit, duration 1 s")
    press("ArrowDown", "solve, duration 400 ms")  # the longest child
    assert "unfinished" in tip.inner_text()
    press("ArrowLeft", "jacobian")
    press("ArrowDown", "tanh, duration 50 ns")
    page.keyboard.press("Enter")
    assert shown(page).startswith("52 ns")
    press("ArrowUp", "jacobian")
    press("ArrowUp", "fit")
    press("ArrowUp", "accepted")  # the nearest mark in time
    press("ArrowUp", "track MainThread, open, 4 spans")
    press("ArrowLeft", "track MainThread, folded")
    press("ArrowDown", "track sampler")
    press("ArrowRight", "track sampler, open, 10 samples")
    press("ArrowDown", "main, 5 samples ≈ 500 ms")
    press("ArrowRight", "wait")
    page.keyboard.press("Escape")
    assert shown(page).startswith("1 s")
    assert tip.is_hidden()
    watched.assert_quiet()


def test_a_click_picks_a_span(opened: Callable[..., Any]) -> None:
    """After a click, arrows start from there, and Shift with an arrow pans."""
    watched = opened(training())
    page = watched.page
    page.mouse.click(*spot(page, 0.3, SPANS_Y + ROW))
    assert page.locator(".wt-said").inner_text().startswith("jacobian")
    page.keyboard.press("ArrowRight")
    assert page.locator(".wt-said").inner_text().startswith("solve")
    page.keyboard.press("+")
    before = shown(page)
    page.keyboard.press("Shift+ArrowLeft")
    assert shown(page) != before
    watched.assert_quiet()


def test_search(opened: Callable[..., Any]) -> None:
    """Text, expressions and files count and highlight spans and marks; Enter goes from match to match."""
    watched = opened(training())
    page = watched.page
    matched, said = page.locator(".wt-matched"), page.locator(".wt-said")
    plain = pixel(page, 0.6, SPANS_Y + ROW + 4)
    for query, count in (
        ("SOLVE", "1 match"),
        ("^(fit|tanh)$", "2 matches"),
        ("lib.so", "1 match"),
        ("tanh(", "0 matches"),
        ("jected", "1 match"),
    ):
        page.keyboard.press("/")
        page.keyboard.type(query)
        assert matched.inner_text() == count
        page.keyboard.press("Escape")
        assert matched.inner_text() == ""
    page.keyboard.press("Control+f")
    page.keyboard.type("solve")
    hit = pixel(page, 0.6, SPANS_Y + ROW + 4)
    assert hit == [0xB4, 0x14, 0x6B]
    assert hit != plain
    dim = pixel(page, 0.2, SPANS_Y + ROW + 4)
    assert min(dim) > 150, "what is not found is pale"
    page.locator(".wt-search").fill("fit|jacobian|kernel|tanh")
    page.keyboard.press("Enter")
    assert said.inner_text().startswith("fit")
    for expected in ("kernel", "jacobian", "tanh", "fit"):
        page.keyboard.press("Enter")
        assert said.inner_text().startswith(expected)
    page.keyboard.press("Shift+Enter")
    assert said.inner_text().startswith("tanh")
    page.locator(".wt-clear").click()
    assert pixel(page, 0.6, SPANS_Y + ROW + 4) == plain
    watched.assert_quiet()


def test_tracks_fold(opened: Callable[..., Any]) -> None:
    """A click on a track's head folds it to a strip and opens it again; a button does it for all."""
    watched = opened(training())
    page = watched.page
    page.mouse.click(*spot(page, 0.5, SECOND_HEAD))
    height = page.locator(".wt-chart").bounding_box()["height"]
    page.mouse.click(*spot(page, 0.5, TOP + 10))
    folded = page.locator(".wt-chart").bounding_box()["height"]
    assert folded == height - CURVE - 4 * ROW + 10
    assert "fit" in point_at(page, 0.5, TOP + HEAD + 4), "the strip shows the outermost spans"
    page.mouse.click(*spot(page, 0.5, TOP + 10))
    assert page.locator(".wt-chart").bounding_box()["height"] == height
    page.locator(".wt-fold").click()
    assert page.locator(".wt-chart").bounding_box()["height"] < folded
    page.locator(".wt-fold").click()
    assert page.locator(".wt-chart").bounding_box()["height"] == height
    watched.assert_quiet()


CHART = "document.querySelector('svg').chart"
LISTEN = """() => {
    const root = document.querySelector('svg');
    window.told = [];
    for (const what of ['frame', 'range'])
        document.body.addEventListener('workbench:' + what, (event) => window.told.push([what, event.detail]));
    return root.chart.ready;
}"""


def told(page: Any, count: int) -> list[Any]:
    """Return what the timeline told the page since the last time, so many events."""
    page.wait_for_function("count => window.told.length >= count", arg=count)
    return list(page.evaluate("() => window.told.splice(0)"))


def test_a_page_drives_an_embedded_timeline(opened: Callable[..., Any]) -> None:
    """It has no title and no search: these and the range come from the page, which is told what the user did."""
    watched = opened(training(), inlined=True, embedded=True)
    page = watched.page
    page.evaluate(LISTEN)
    for part in (".wt-title", ".wt-search", ".wt-reset"):
        assert page.locator(part).filter(visible=True).count() == 0
    page.mouse.click(*spot(page, 0.3, SPANS_Y + ROW))
    assert told(page, 1) == [["frame", {"name": "jacobian", "place": "train.py:7"}]]
    page.keyboard.press("Enter")
    seen = told(page, 2)
    assert [what for what, _ in seen] == ["frame", "range"]
    assert seen[1][1] == {"from": 94 * MS, "to": 406 * MS} == page.evaluate(f"() => {CHART}.range()")
    plain = pixel(page, 0.5, SPANS_Y + ROW + 6)
    page.evaluate(f"() => {CHART}.select({{name: 'jacobian', place: 'train.py:7'}})")
    assert pixel(page, 0.5, SPANS_Y + ROW + 6) != plain, "marked"
    assert page.evaluate(f"() => {CHART}.range()") == seen[1][1], "and not zoomed to"
    page.evaluate(f"() => {CHART}.search('fit')")
    assert pixel(page, 0.5, SPANS_Y) == [0xB4, 0x14, 0x6B]
    page.evaluate(f"() => {CHART}.setRange({{from: 500 * 1e6, to: 900 * 1e6}})")
    assert told(page, 1) == [["range", {"from": 500 * MS, "to": 900 * MS}]]
    tree = page.evaluate(f"() => {CHART}.treeOf('spans', {CHART}.range())")
    assert [tree["labels"][label][0] for label in tree["label"]] == ["all", "fit", "solve"]
    assert (tree["total"], tree["self"], tree["calls"]) == ([400 * MS] * 3, [0, 0, 400 * MS], [0, 1, 1])
    page.evaluate(f"() => {CHART}.setRange(null)")
    assert told(page, 1) == [["range", None]]
    page.locator("#after").click()
    page.keyboard.press("+")
    assert page.evaluate(f"() => {CHART}.range()") is None, "keys are for what has the focus"
    watched.assert_quiet()


def test_a_drag_on_the_band_selects_a_range(opened: Callable[..., Any]) -> None:
    """A drag on the band selects what it goes over; inside of what is in view, it moves that."""
    watched = opened(training())
    page = watched.page

    def drag(start: float, end: float) -> None:
        page.mouse.move(*spot(page, start, 15))
        page.mouse.down()
        page.mouse.move(*spot(page, (start + end) / 2, 15))
        page.mouse.move(*spot(page, end, 15))
        page.mouse.up()

    drag(0.8, 0.2)
    assert shown(page).startswith("600 ms from 200.0 ms")
    drag(0.5, 0.6)
    assert shown(page).startswith("600 ms from 300.0 ms")
    drag(0.1, 0.2)
    assert shown(page).startswith("100 ms from 100.0")
    watched.assert_quiet()


def test_a_timeline_grows_with_the_page(opened: Callable[..., Any]) -> None:
    """On a page rows do not scroll inside of the chart, up to a limit that the timeline states."""
    few = opened(wide(20, tracks=25), inlined=True, height=500).page
    box = few.locator(".wt-chart").bounding_box()
    assert box["height"] == TOP + 25 * (HEAD + GAP) + 20 * 2 * ROW + 5 * 10 + 6
    assert few.locator(".wt-more").inner_text() == ""
    many = opened(wide(20, tracks=80), inlined=True, height=500).page
    assert many.locator(".wt-chart").bounding_box()["height"] == 1600
    assert many.locator(".wt-more").inner_text().startswith("More rows than fit")


def wide(spans: int, tracks: int = 1) -> Profile:
    """Return many equal spans, each of 60 ns in 100, in one span for all."""
    builder = ProfileBuilder("wide")
    outer = builder.stack(ROOT, builder.frame(scope("all")))
    inner = [builder.stack(outer, builder.frame(scope(f"part {i}"))) for i in range(3)]
    start = np.concatenate([[0], np.arange(spans) * 100])
    end = np.concatenate([[100 * spans], np.arange(spans) * 100 + 60])
    stack = np.concatenate([[outer], np.array(inner)[np.arange(spans) % 3]]).astype(np.int32)
    for track in range(tracks):
        builder.add_track(
            f"thread {track}",
            pid=1,
            tid=track,
            spans=Spans(stack, start, end, np.zeros(len(start), dtype=np.bool_)),
        )
    return builder.build()


def test_spans_too_narrow_to_see_stand_together(opened: Callable[..., Any]) -> None:
    """From afar a row is a stretch that says how many; zoomed in, each span is there, exactly."""
    watched = opened(wide(200_000))
    page = watched.page
    y = TOP + HEAD + ROW + ROW // 2
    crowd = point_at(page, 0.5, y)
    assert re.search(r"^\d[\d,]+ spans here\nmostly part", crowd)
    assert "60.0 % of" in crowd
    shade = pixel(page, 0.5, y)
    assert shade != [255, 255, 255]
    for _ in range(17):
        page.mouse.wheel(0, -400)
    page.wait_for_function(
        "() => /^\\d{1,3} ns|^\\d\\.\\d+ µs/.test(document.querySelector('.wt-where').textContent)"
    )
    found = {point_at(page, share / 40, y) for share in range(1, 40)}
    assert any("duration 60 ns" in text for text in found)
    assert "" in found, "gaps are gaps"
    watched.assert_quiet()


def test_many_tracks_scroll(opened: Callable[..., Any]) -> None:
    """The axis stays while tracks scroll, by keys, by the bar and by dragging; the focus brings its track in."""
    watched = opened(wide(50, tracks=60), height=700)
    page = watched.page
    top = TOP + 10
    assert point_at(page, 0.5, top).startswith("thread 0")
    page.keyboard.press("PageDown")
    pixel(page, 0.5, top)  # in the next frame
    assert not point_at(page, 0.5, top).startswith("thread 0")
    page.keyboard.press("PageUp")
    box = page.locator(".wt-chart").bounding_box()
    assert box["y"] + box["height"] <= 701
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + TOP + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 300)
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 900)
    page.mouse.up()
    assert point_at(page, 0.5, box["height"] - 14).split("\n")[0] in ("all", "thread 59", ""), "the end"
    page.keyboard.press("/")
    page.keyboard.type("part 1")
    page.keyboard.press("Enter")
    assert "track thread 0" in page.locator(".wt-said").inner_text()
    watched.assert_quiet()


@pytest.mark.parametrize(("width", "inlined"), [(1200, False), (400, True)])
def test_hostile_names_are_only_text(opened: Callable[..., Any], width: int, inlined: bool) -> None:
    """No name runs or breaks anything, whatever it is made of, and it is shown with its strange letters named."""
    builder = ProfileBuilder("hostile")
    records = [
        SpanRecord(i * 100 * MS, (i + 1) * 100 * MS, 0, Frame(name, name, 1, FrameKind(i % 4)))
        for i, name in enumerate(HOSTILE)
    ]
    at = np.arange(len(HOSTILE)) * 100 * MS
    counters = tuple(Counter(name, at, np.array([1.0] * len(at))) for name in HOSTILE[:3])
    for name in HOSTILE[:3]:
        builder.add_track(
            name,
            pid=1,
            tid=1,
            process=name,
            spans=builder.spans(records),
            counters=counters,
            marks=Marks(at, tuple(HOSTILE)),
        )
    watched = opened(builder.build(), inlined=inlined, title=HOSTILE[1] + HOSTILE[5], width=width)
    page = watched.page
    y = TOP + HEAD + 3 * CURVE + ROW + ROW // 2
    for i, name in enumerate(HOSTILE):
        text = point_at(page, (i + 0.5) / len(HOSTILE) * (0.97 if i else 1), y)
        assert name[:4].isascii() is False or not name.isprintable() or text.startswith(name[:20]), name
        assert page.locator(".wt-tip").bounding_box()["width"] <= width
    assert "\\u202etxt.exe\\u200f" in page.locator(".wt-facts").evaluate(
        "e => JSON.parse(e.textContent).labels.map(l => l[0]).join()"
    )
    page.locator(".wt-chart").focus()
    page.keyboard.press("/")
    page.keyboard.type("</script>")
    assert page.locator(".wt-matched").inner_text() == "12 matches", (
        "two names, spans and marks, on three tracks"
    )
    page.keyboard.press("Enter")
    assert page.evaluate("() => window.ran") is None
    if inlined:
        assert page.locator("#after").evaluate("e => e.parentElement.localName") == "body"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


def test_colours_follow_the_page_and_the_printer(opened: Callable[..., Any]) -> None:
    """The ground is dark on a dark page, light on a light one, and white on paper, without a reload."""
    watched = opened(training(), dark=True)
    page = watched.page
    ground = """red => {
        const canvas = document.querySelector('.wt-canvas');
        return canvas.getContext('2d').getImageData(0.95 * canvas.width, 160, 1, 1).data[0] === red;
    }"""
    page.wait_for_function(ground, arg=0x14)
    page.emulate_media(media="print")
    page.wait_for_function(ground, arg=255)
    page.emulate_media(media="screen")
    page.wait_for_function(ground, arg=0x14)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(ground, arg=255)
    watched.assert_quiet()


def test_four_hundred_pixels(opened: Callable[..., Any]) -> None:
    """On a narrow page nothing scrolls sideways, all tools are there, and the text keeps its size."""
    watched = opened(training(), width=400, height=700)
    page = watched.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    page.keyboard.press("/")
    page.keyboard.type("solve")
    for part in (".wt-search", ".wt-clear", ".wt-reset", ".wt-matched", ".wt-in", ".wt-out", ".wt-fold"):
        place = page.locator(part).bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 400
        assert place["y"] + place["height"] <= page.locator(".wt-chart").bounding_box()["y"] + 1
    watched.assert_quiet()


def test_a_screen_reader_gets_a_summary(opened: Callable[..., Any]) -> None:
    """The chart has a role, a name that sums it up, and says what has the focus politely."""
    page = opened(training()).page
    label = page.locator(".wt-chart").get_attribute("aria-label")
    assert label.startswith("T: 9 boxes on 2 tracks over 1 s.")
    assert page.locator(".wt-chart").get_attribute("role") == "application"
    assert page.locator(".wt-said").get_attribute("aria-live") == "polite"


def test_a_frame_costs_pixels_not_spans(opened: Callable[..., Any]) -> None:
    """A hundred times the spans are drawn by about as many strokes, at every zoom."""
    count = """async () => {
        const draw = CanvasRenderingContext2D.prototype;
        let strokes = 0;
        for (const name of ['fillRect', 'fillText', 'drawImage']) {
            const original = draw[name];
            draw[name] = function (...all) { strokes++; return original.apply(this, all); };
        }
        const most = [];
        for (let i = 0; i < 12; i++) {
            strokes = 0;
            document.querySelector('.wt-in').click();
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            most.push(strokes);
        }
        return Math.max(...most);
    }"""
    few = opened(wide(3_000)).page.evaluate(count)
    many = opened(wide(300_000)).page.evaluate(count)
    assert many < 1.5 * few + 200
    assert many < 2000


def test_two_fingers_zoom(opened: Callable[..., Any]) -> None:
    """Fingers that move apart zoom in, about the place between them; one finger pans."""
    watched = opened(training(), width=1000)
    page = watched.page
    page.evaluate(
        """() => {
        const chart = document.querySelector('.wt-chart');
        chart.setPointerCapture = () => {};
        const { left, top } = chart.getBoundingClientRect();
        const touch = (type, pointerId, x) => chart.dispatchEvent(new PointerEvent('pointer' + type,
            { pointerId, pointerType: 'touch', clientX: left + x, clientY: top + 150, button: 0, bubbles: true }));
        touch('down', 1, 400);
        touch('down', 2, 600);
        touch('move', 2, 800);
        touch('up', 2, 800);
        touch('up', 1, 400);
    }"""
    )
    assert shown(page).startswith("500 ms from 300.0 ms")
    watched.assert_quiet()
