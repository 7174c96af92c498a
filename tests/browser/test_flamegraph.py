"""The flame graph in a real browser: zoom, search, details, keyboard, and text that keeps to its box."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from workbench.pictures.flamegraph import flamegraph_svg, write_flamegraph
from workbench.profile import Frame, FrameKind, ProfileBuilder, StackTree, aggregate

pytestmark = pytest.mark.browser
MS = 1_000_000

MAIN = Frame("main", "run.py", 3)
TRAIN = Frame("train", kind=FrameKind.SCOPE)
SOLVE = Frame("solve", kind=FrameKind.SCOPE)
TANH = Frame("tanh", kind=FrameKind.SCOPE)
KERNEL = Frame("DOUBLE_tanh_X86_V4", "umath.so", kind=FrameKind.NATIVE)
DPOTRF = Frame("dpotrf_parallel", "libopenblas.so", kind=FrameKind.NATIVE)
WAIT = Frame("wait", "threading.py", 331, FrameKind.IDLE)

HOSTILE = [
    "</script><script>window.ran = 1</script>",
    "]]><script>window.ran = 2</script>",
    '"><image href="x" onerror="window.ran = 3"/>',
    "javascript:window.ran = 4",
    "{{ 7 * 7 }} ${window.ran = 5} &lt;b&gt; --> \\u003c",
    "long " + "x" * 10_000,
    "\u202etxt.exe\u200f and \u2066more",
    "nul \x00 bell \x07 escape \x1b nel \x85 not a character \uffff",
    "surrogate \ud800 alone",
    "漢字 " * 40,
    "العربية " * 30 + "\ufdfd" * 10,
    "🧪🧪🧪 " * 30,
    "Ǆ" * 60,  # a letter that no monospace font has, and over two cells wide
    "",
]


def tree_of(paths: Iterable[tuple[list[Frame], int]]) -> StackTree:
    """Return the tree of stacks with their own times."""
    builder = ProfileBuilder("test")
    stacks: list[int] = []
    weights: list[int] = []
    for path, weight in paths:
        stacks.append(builder.stack_of(path))
        weights.append(weight)
    samples = builder.samples(stacks, [sum(weights[:i]) for i in range(len(weights))], weights)
    builder.add_track("main", pid=1, tid=1, samples=samples)
    return aggregate(builder.build(), of="samples")


def training() -> StackTree:
    """One second: 600 ms in tanh, of which 500 in the kernel below it; 300 in solve; 100 idle."""
    return tree_of(
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
    write_flamegraph(path, training(), title="Training", subtitle="one second")
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


def assert_only_the_file_itself(watched: Any) -> None:
    """Fail where the page asked for anything but itself."""
    assert watched.requests == [watched.page.url]


def test_zoom_by_mouse_and_back(open_page: Callable[..., Any], training_file: Path) -> None:
    """A click makes a box as wide as the picture; the button, the path above and Escape bring all back."""
    watched = open_page(training_file)
    page = watched.page
    before = width_of(box(page, "solve"))
    whole = width_of(box(page, "all"))
    assert before == pytest.approx(0.3 * whole, abs=1)
    box(page, "solve").click()
    assert width_of(box(page, "solve")) == pytest.approx(whole, abs=0.1)
    assert width_of(box(page, "dpotrf")) == pytest.approx(whole, abs=0.1)
    assert box(page, "tanh").count() == 0, "what is beside the zoomed box is out of the picture"
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


def test_an_icicle_grows_downwards(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """With the roots on top, the arrow to a child is the one that points down."""
    write_flamegraph(tmp_path / "icicle.svg", training(), title="Icicle", icicle=True)
    page = open_page(tmp_path / "icicle.svg").page
    assert box(page, "main").bounding_box()["y"] > box(page, "all").bounding_box()["y"]
    box(page, "all").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.textContent") == "main"


@pytest.mark.parametrize(
    ("query", "share", "hits"),
    [
        ("TANH", "60.0 %", 2),  # the kernel inside tanh is counted once
        ("^(solve|wait)$", "40.0 %", 2),
        ("libopenblas", "30.0 %", 1),  # the file of the frame
        ("tanh(", "0.0 %", 0),  # no regular expression: taken as text
        ("all", "30.0 %", 1),  # dpotrf_parallel; the box for all is no frame
    ],
)
def test_search(
    open_page: Callable[..., Any], training_file: Path, query: str, share: str, hits: int
) -> None:
    """Text and regular expressions highlight boxes, and the matched share counts nested ones once."""
    watched = open_page(training_file)
    page = watched.page
    page.keyboard.press("/")
    page.keyboard.type(query)
    assert page.locator(".wf-matched").inner_text() == f"matched: {share}"
    assert page.locator(".wf-hit").count() == hits
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
    """Name, place, total, self and shares are shown near the pointer, inside the picture, and go again."""
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
    """No name runs, breaks the picture or overflows its box, whatever it is made of."""
    paths = [
        ([MAIN, Frame(name, name), Frame(name + "!", kind=FrameKind(i % 4))], 50 * MS)
        for i, name in enumerate(HOSTILE)
    ]
    write_flamegraph(
        tmp_path / "hostile.svg", tree_of(paths), title=HOSTILE[0], subtitle=HOSTILE[7] + HOSTILE[8]
    )
    watched = open_page(tmp_path / "hostile.svg", width=width)
    page = watched.page
    assert page.locator(".wf-box").count() == 2 + 2 * len(HOSTILE)
    assert overflowing(page) == []
    for i in range(page.locator(".wf-box").count()):
        page.locator(".wf-box").nth(i).hover()
        assert page.locator(".wf-tip").bounding_box()["width"] < width
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
    svg = flamegraph_svg(tree_of(paths), title=HOSTILE[1])
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
        path = (
            *generator.choice(known[-2000:] if generator.random() < 0.5 else known),
            generator.choice(frames),
        )
        if len(path) < 40 and path not in paths:
            paths[path] = int(generator.lognormvariate(12, 2)) + 1
            known.append(path)
    return tree_of((list(path), weight) for path, weight in paths.items())


@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scripts", [True, False])
def test_text_keeps_to_its_box(
    open_page: Callable[..., Any], tmp_path: Path, width: int, scripts: bool
) -> None:
    """No name reaches out of its box, at any width, before and after a zoom, alive or dead."""
    write_flamegraph(tmp_path / "wide.svg", deep_and_wide(2000), title="Wide")
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


def test_thirty_thousand_boxes_are_quick(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """A large profile is written in two seconds, and a zoom in it takes well under one."""
    tree = deep_and_wide(30_000)
    began = time.perf_counter()
    write_flamegraph(tmp_path / "large.svg", tree, title="Large", minimum_share=0)
    assert time.perf_counter() - began < 2
    watched = open_page(tmp_path / "large.svg")
    page = watched.page
    assert page.locator(".wf-thin").count() == 1, "boxes too thin to see run together"
    clicked = """() => {
        const began = performance.now();
        const box = document.querySelectorAll('.wf-box')[2];
        box.dispatchEvent(new MouseEvent('click', { bubbles: true }));
        document.documentElement.getBoundingClientRect();
        return performance.now() - began;
    }"""
    assert page.evaluate(clicked) < 1000
    watched.assert_quiet()


def test_two_pictures_on_one_page_act_alone(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Zoom, search and keys reach one picture, even where both show the same profile."""
    svg = flamegraph_svg(training(), title="Twin")
    style = "<style>svg { max-width: 600px } .hit, .box { display: none }</style>"
    page_file = tmp_path / "two.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8>{style}{svg}<hr><input id=other>{svg}", encoding="utf-8"
    )
    watched = open_page(page_file)
    page = watched.page
    first, second = page.locator("svg").nth(0), page.locator("svg").nth(1)
    box(first, "solve").click()
    assert box(first, "tanh").count() == 0
    assert box(second, "tanh").count() == 1
    box(second, "tanh").hover()
    page.keyboard.press("/")
    inside_first = "() => document.querySelector('svg').contains(document.activeElement)"
    second.locator(".wf-search").fill("solve")
    assert second.locator(".wf-hit").count() == 1
    assert first.locator(".wf-hit").count() == 0
    second.locator(".wf-search").press("Escape")
    assert first.locator(".wf-reset").is_visible(), "Escape in the second leaves the first zoomed"
    page.locator("#other").focus()
    page.keyboard.type("/")
    assert page.locator("#other").input_value() == "/", "keys typed elsewhere stay there"
    box(first, "solve").focus()
    assert page.evaluate(inside_first)
    page.keyboard.press("Escape")
    assert first.locator(".wf-reset").is_hidden()
    watched.assert_quiet()
    assert_only_the_file_itself(watched)


def test_a_picture_in_a_closed_part_waits(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """A picture that is not shown yet is laid out when it is."""
    svg = flamegraph_svg(training(), title="Hidden")
    page_file = tmp_path / "closed.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8><details><summary>open</summary>{svg}</details>"
    )
    watched = open_page(page_file)
    watched.page.locator("summary").click()
    watched.page.locator(".wf-box").first.wait_for()
    assert width_of(box(watched.page, "all")) > 1000
    watched.assert_quiet()


@pytest.mark.parametrize("dark", [False, True])
def test_dead_picture(open_page: Callable[..., Any], training_file: Path, dark: bool) -> None:
    """Without scripts the boxes are drawn all the same, and a line says how to get more; with, it is gone."""
    page = open_page(training_file, dark=dark, scripts=False).page
    assert page.get_by_text("open in a browser to zoom and search").is_visible()
    assert page.get_by_text("dpotrf_parallel", exact=True).is_visible()
    live = open_page(training_file, dark=dark).page
    assert live.get_by_text("open in a browser to zoom and search").count() == 0
    assert live.locator(".wf-static").count() == 0


def test_picture_in_an_img_element(open_page: Callable[..., Any], training_file: Path) -> None:
    """As an image, where scripts never run, it fills its place in the right proportion."""
    page_file = training_file.parent / "image.html"
    page_file.write_text(
        "<!doctype html><body style='margin:0'><img src='training.svg' style='max-width:100%'>"
    )
    place = open_page(page_file, width=800).page.locator("img").bounding_box()
    assert place["width"] == pytest.approx(800, abs=1)
    assert 80 < place["height"] < 200


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


def test_an_empty_tree_says_so(open_page: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing recorded is a picture with that sentence, and no error."""
    write_flamegraph(tmp_path / "empty.svg", tree_of([]), title="Empty")
    watched = open_page(tmp_path / "empty.svg")
    assert watched.page.get_by_text("No samples").is_visible()
    watched.assert_quiet()
