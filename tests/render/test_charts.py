"""What flame graphs, differences and timelines promise alike: text that is safe, self-contained and of bounded size."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.trees import sampled_tree
from workbench.errors import InvalidInputError
from workbench.profile import Counter, Frame, FrameKind, Marks, ProfileBuilder, SpanRecord, difference
from workbench.render.flamegraph.difference import difference_svg
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.render.policy import content_security_policy, script_hashes, style_hashes
from workbench.render.timeline.timeline import timeline_svg
from workbench.text import printable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
Draw = Callable[..., str]


def flame_graph(name: str = "f", other: str = "g", **options: Any) -> str:
    tree = sampled_tree([([Frame(name, other)], 5), ([Frame(name), Frame(other, kind=FrameKind.NATIVE)], 5)])
    return flamegraph_svg(tree, **({"title": name, "subtitle": other, "threads": [(name, tree)]} | options))


def change(name: str = "f", other: str = "g", **options: Any) -> str:
    before, after = sampled_tree([([Frame(name, other)], 5)]), sampled_tree([([Frame(other, name)], 7)])
    words = {"title": name, "before_name": other, "after_name": name, "subtitle": other}
    return difference_svg(difference(before, after, normalised=False), **(words | options))


def timeline(name: str = "f", other: str = "g", **options: Any) -> str:
    builder = ProfileBuilder("test")
    builder.add_track(
        name,
        pid=1,
        tid=1,
        process=other,
        spans=builder.spans([SpanRecord(0, 10, 0, Frame(name, other, kind=FrameKind.SCOPE))]),
        counters=(Counter(name, np.array([1]), np.array([1.0])),),
        marks=Marks(np.array([2]), (name,)),
    )
    return timeline_svg(builder.build(), **({"title": name, "subtitle": other} | options))


CHARTS = pytest.mark.parametrize("draw", [flame_graph, change, timeline])


@CHARTS
@settings(deadline=None, max_examples=50)
@given(name=ANY_TEXT, other=ANY_TEXT)
def test_any_name_makes_valid_xml(draw: Draw, name: str, other: str) -> None:
    """Whatever a frame, a file, a track or a title is called, the SVG parses, and its data have the name as shown."""
    svg = draw(name, other)
    data = json.loads(ET.fromstring(svg).findtext("{*}metadata") or "")
    assert printable(name) in [label[0] for label in data["labels"]]
    svg.encode("utf-8")


@CHARTS
def test_markup_in_names_stays_text(draw: Draw) -> None:
    """A name adds no element, whether it closes a script, a CDATA section or an attribute."""
    plain = [e.tag for e in ET.fromstring(draw("f" * 40, "g")).iter()]
    for name in ("</script><script>alert(1)</script>", "]]><b/>", '"/><a href="x">', "<!--", "&lt;x&gt;"):
        svg = draw(name, "g")
        assert [e.tag for e in ET.fromstring(svg).iter()] == plain
        assert svg.count("]]>") == 1
        assert svg.count("</script") == 1


@CHARTS
def test_nothing_is_fetched_and_a_policy_forbids_nothing(draw: Draw) -> None:
    """The file names no address but XML namespaces, and has no style attribute, handler, id or code from text."""
    svg = draw()
    addresses = set(re.findall(r"https?://[^\"'\s)]+", svg))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert not re.search(r"@import|url\(|\bhref\b|\bsrc\b|fetch\(|XMLHttpRequest|\beval\(|new Function", svg)
    attributes = {name for element in ET.fromstring(svg).iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in {"style", "id"}]


def root_classes(svg: str) -> list[str]:
    return re.search(r'<svg [^>]*class="([^"]+)"', svg).group(1).split()  # type: ignore[union-attr]


@CHARTS
def test_charts_of_one_page_do_not_meet(draw: Draw) -> None:
    """Each root has a class of its own, and every rule of its style starts with a class of the root."""
    svgs = [draw(title=f"Chart {i}") for i in range(5)]
    assert len({root_classes(svg)[-1] for svg in svgs}) == 5
    named = draw(prefix="mine")
    assert root_classes(named)[-1] == "mine"
    style = re.search(r"<style>(.*?)</style>", named, re.DOTALL).group(1)  # type: ignore[union-attr]
    media = "@media screen and (prefers-color-scheme: dark) {"
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", style):
        for selector in selectors.replace(media, "").split(","):
            assert selector.strip().startswith("." + root_classes(named)[0])


@CHARTS
def test_one_hash_allows_all_scripts(draw: Draw) -> None:
    """A page with many charts of a kind allows one script, by the hash of what a browser reads."""
    page = "".join(draw(f"name {i}", "g") for i in range(5))
    (script,) = script_hashes(page)
    element = ET.fromstring(draw()).find("{*}script")
    digest = hashlib.sha256((element.text or "").encode()).digest()  # type: ignore[union-attr]
    assert script == "sha256-" + base64.b64encode(digest).decode()
    policy = content_security_policy(page, img_src="data:")
    assert f"script-src '{script}'" in policy
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert "unsafe" not in policy


def test_flame_graphs_and_differences_share_script_and_style() -> None:
    """A page with both allows one script and one style; data and scripts of other files have no hash."""
    page = flame_graph() + change() + flame_graph("other")
    assert len(script_hashes(page)) == len(style_hashes(page)) == 1
    data = "<script type='application/json'>{}</script><script src=x.js></script>"
    assert script_hashes(data) == []
    assert "script-src 'none'" in content_security_policy(data)


NOTHING = sampled_tree([])


@pytest.mark.parametrize(
    ("svg", "said"),
    [
        (flamegraph_svg(NOTHING, title="Empty"), "No samples"),
        (difference_svg(difference(NOTHING, NOTHING, normalised=True), title="Empty"), "No samples"),
        (timeline_svg(ProfileBuilder("none").build(), title="Empty"), "No spans and no samples"),
    ],
)
def test_nothing_recorded_is_a_sentence(svg: str, said: str) -> None:
    """A profile without events is a chart with that sentence, and without a script."""
    assert said in svg
    assert "<script" not in svg
    ET.fromstring(svg)


@CHARTS
@pytest.mark.parametrize("options", [{"width": 199}, *({"prefix": p} for p in ("1a", "a{", "é", "a\n"))])
def test_unusable_options_are_refused(draw: Draw, options: dict[str, Any]) -> None:
    """A value that cannot be drawn is an error that names it."""
    with pytest.raises(InvalidInputError, match=re.escape(repr(*options.values()))):
        draw(**options)


@pytest.mark.parametrize("draw", [flame_graph, change])
@pytest.mark.parametrize("share", [1.0, -0.1])
def test_a_share_is_below_all(draw: Draw, share: float) -> None:
    """Boxes cannot be merged below a share that is none."""
    with pytest.raises(InvalidInputError, match=str(share)):
        draw(minimum_share=share)
