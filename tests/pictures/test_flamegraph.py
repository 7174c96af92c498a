"""The flame graph's text: valid, escaped, the same for the same profile, and readable in every colour."""

from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidInputError
from workbench.pictures._colours import shade_of, shades
from workbench.pictures._text import CELL, cells, fit, format_amount, format_share, json_for_markup, printable
from workbench.pictures.flamegraph import flamegraph_svg, write_flamegraph
from workbench.profile import Frame, FrameKind, ProfileBuilder, StackTree, aggregate

GOLDEN = Path(__file__).parent / "golden" / "tiny.svg"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


def tree_of(*paths: tuple[list[Frame], int]) -> StackTree:
    builder = ProfileBuilder("test")
    stacks = [builder.stack_of(path) for path, _ in paths]
    weights = [weight for _, weight in paths]
    starts = [sum(weights[:i]) for i in range(len(weights))]
    builder.add_track("main", pid=1, tid=1, samples=builder.samples(stacks, starts, weights))
    return aggregate(builder.build(), of="samples")


def tiny() -> StackTree:
    main, scope = Frame("main", "run.py", 3), Frame("solve <A & b>", kind=FrameKind.SCOPE)
    native, idle = Frame("dpotrf", "libblas.so", kind=FrameKind.NATIVE), Frame("wait", kind=FrameKind.IDLE)
    return tree_of(([main], 10_000_000), ([main, scope, native], 60_000_000), ([idle], 30_000_000))


def test_golden() -> None:
    """The picture of a small profile is the one that was looked at; WORKBENCH_BLESS=1 accepts a new one."""
    svg = flamegraph_svg(tiny(), title="Tiny", subtitle="four frames")
    if os.environ.get("WORKBENCH_BLESS"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(svg, encoding="utf-8")
    assert svg == GOLDEN.read_text(encoding="utf-8"), "look at the new picture, then set WORKBENCH_BLESS=1"


@given(ANY_TEXT, ANY_TEXT)
def test_any_name_makes_valid_xml(name: str, other: str) -> None:
    """Whatever a frame, a file or a title is called, the SVG parses, and the data hold the name as shown."""
    tree = tree_of(([Frame(name, other)], 5), ([Frame(name), Frame(other, kind=FrameKind.NATIVE)], 5))
    svg = flamegraph_svg(tree, title=name, subtitle=other, unit=other)
    root = ET.fromstring(svg)
    data = json.loads(root.findtext("{*}metadata") or "")
    assert printable(name) in [label[0] for label in data["labels"]]
    svg.encode("utf-8")


def test_markup_in_names_stays_text() -> None:
    """A name adds no element, whether it closes a script, a CDATA section or an attribute."""
    plain = flamegraph_svg(tree_of(([Frame("f" * 40)], 5)), title="t")
    for name in ("</script><script>alert(1)</script>", "]]><b/>", '"/><a href="x">', "<!--", "&lt;x&gt;"):
        svg = flamegraph_svg(tree_of(([Frame(name)], 5)), title="t")
        assert [e.tag for e in ET.fromstring(svg).iter()] == [e.tag for e in ET.fromstring(plain).iter()]
        assert svg.count("]]>") == 1
        assert svg.count("</script") == 1


def test_nothing_is_fetched() -> None:
    """The file names no address but the XML namespaces, and imports nothing."""
    svg = flamegraph_svg(tiny(), title="Tiny")
    addresses = set(re.findall(r"https?://[^\"'\s)]+", svg))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert not re.search(r"@import|url\(|\bhref\b|\bsrc\b|fetch\(|XMLHttpRequest", svg)


def test_pictures_of_one_page_share_no_names() -> None:
    """Each has a class of its own, all style rules start with it, and there are no ids."""
    one = flamegraph_svg(tiny(), title="One")
    two = flamegraph_svg(tiny(), title="Two")
    named = flamegraph_svg(tiny(), title="Two", prefix="mine")
    classes = [re.search(r'<svg [^>]*class="([^"]+)"', svg).group(1) for svg in (one, two, named)]  # type: ignore[union-attr]
    assert len(set(classes)) == 3
    assert classes[2] == "mine"
    style = re.search(r"<style>(.*?)</style>", named, re.DOTALL).group(1)  # type: ignore[union-attr]
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", style):
        for selector in selectors.replace("@media (prefers-color-scheme: dark) {", "").split(","):
            assert selector.strip().startswith(".mine")
    assert not re.search(r"<[^>]*\sid=", named)


def test_the_dead_picture_shows_what_is_wide() -> None:
    """Boxes of a pixel and more are elements, so that a viewer without scripts shows them, with names."""
    svg = flamegraph_svg(tiny(), title="Tiny")
    root = ET.fromstring(svg)
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    for expected in (
        "all",
        "main",
        "solve <A & b>",
        "dpotrf",
        "wait",
        "open in a browser to zoom and search",
    ):
        assert expected in texts
    tips = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "dpotrf 60 ms (60.0 %)" in tips


def test_a_large_dead_picture_is_bounded() -> None:
    """However many boxes there are, the file holds at most a few thousand of them as elements."""
    paths = [([Frame("main"), Frame(f"f{i}"), Frame(f"g{j}")], 100) for i in range(100) for j in range(100)]
    svg = flamegraph_svg(tree_of(*paths), title="Large", minimum_share=0, width=20_000)
    assert svg.count("<rect") < 3000


def test_merged_boxes_are_counted_in_the_footer() -> None:
    """What was too narrow is said in words."""
    paths = [([Frame(f"f{i}")], 1) for i in range(1200)] + [([Frame("rest")], 998_800)]
    svg = flamegraph_svg(tree_of(*paths), title="t")
    assert "merged: 1,200 boxes under 0.05 % of all, together 0.1 %" in svg


def test_an_empty_tree() -> None:
    """No samples is a sentence, not a failure."""
    svg = flamegraph_svg(tree_of(), title="Empty")
    assert "No samples" in svg
    assert "<script" not in svg
    ET.fromstring(svg)


def test_the_file_is_the_text(tmp_path: Path) -> None:
    """The function that writes and the one that returns agree, also on names that UTF-8 cannot hold."""
    tree = tree_of(([Frame("alone \ud800")], 5))
    write_flamegraph(tmp_path / "f.svg", tree, title="t \udfff", icicle=True, minimum_share=0.1)
    written = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert written == flamegraph_svg(tree, title="t \udfff", icicle=True, minimum_share=0.1)


@pytest.mark.parametrize(
    "options",
    [{"width": 100}, {"minimum_share": 1.0}, {"minimum_share": -0.1}, {"prefix": "a b"}, {"prefix": "1"}],
)
def test_unusable_options_are_refused(options: dict[str, object]) -> None:
    """A value that cannot be drawn is an error that names it."""
    with pytest.raises(InvalidInputError, match=re.escape(repr(next(iter(options.values()))))):
        flamegraph_svg(tiny(), title="t", **options)  # type: ignore[arg-type]


def luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_on_every_shade(dark: bool) -> None:
    """Names have the contrast that WCAG asks of small text, 4.5 to 1, in light and dark."""
    for kind in shades(dark=dark):
        for shade in kind:
            assert contrast(shade.fill, shade.ink) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_scopes_stand_out(dark: bool) -> None:
    """A scope differs from Python and native frames in lightness, so no colour vision is needed."""
    scope, python, native, *_ = shades(dark=dark)
    for other in (*python, *native):
        assert min(contrast(shade.fill, other.fill) for shade in scope) >= 2.4


def test_one_name_one_shade() -> None:
    """A name has the same shade in every picture and every process."""
    assert [shade_of(name) for name in ("tanh", "solve", "compute jacobian", "\ud800")] == [0, 4, 3, 0]


@given(ANY_TEXT)
def test_printable_text_prints(text: str) -> None:
    """What is drawn is printable and keeps every printable character."""
    shown = printable(text)
    assert shown.isprintable()
    assert text == shown or not text.isprintable()


def test_what_does_not_print_is_escaped() -> None:
    """Controls, marks of direction and lone surrogates are shown as what they are."""
    assert printable("a\x00\n\u202e\ud800") == "a\\x00\\n\\u202e\\ud800"


@given(ANY_TEXT, st.floats(0, 400))
def test_fitted_text_fits(text: str, width: float) -> None:
    """The part that is kept, with its ellipsis, is no wider than the box."""
    kept = fit(text, width, 12)
    assert cells(kept) * CELL * 12 <= width + 1e-6
    assert kept == text or not kept or (kept.endswith("…") and text.startswith(kept[:-1]))


@pytest.mark.parametrize(
    ("amount", "unit", "words"),
    [
        (0, "ns", "0 ns"),
        (999, "ns", "999 ns"),
        (1_500, "ns", "1.5 µs"),
        (41_234_567, "ns", "41.2 ms"),
        (83_000_000_000, "ns", "83 s"),
        (7_200_000_000_000, "ns", "7,200 s"),
        (12_345, "samples", "12,345 samples"),
    ],
)
def test_amounts_in_words(amount: int, unit: str, words: str) -> None:
    """Nanoseconds become the unit that reads best; other units stay."""
    assert format_amount(amount, unit) == words


def test_shares_in_words() -> None:
    """A small share is told from none."""
    assert [format_share(s) for s in (0, 0.412, 1, 0.0005, 1e-9)] == [
        "0.0 %", "41.2 %", "100.0 %", "0.05 %", "under 0.0001 %",
    ]  # fmt: skip


def test_json_ends_no_element() -> None:
    """JSON for markup has no character that XML or HTML could read, and means the same."""
    value = {"</script>": ["]]>", "&amp;", "\ud800", 5]}
    text = json_for_markup(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value
