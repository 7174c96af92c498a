"""The flame graph's text: valid, escaped, the same for the same profile, and readable in every colour."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.helpers.trees import sampled_tree
from workbench.profile import (
    BYTES,
    FileFacts,
    Frame,
    FrameKind,
    ProfileBuilder,
    StackTree,
    aggregate,
    difference,
)
from workbench.render.colours import STEPS, package_shades, shade_of, shades, step_shades, timeline_shades
from workbench.render.flamegraph.difference import difference_svg
from workbench.render.flamegraph.flamegraph import (
    flamegraph_svg,
    threads_of,
)
from workbench.render.text_width import CELL, cells, fit

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


def tree_of(*paths: tuple[list[Frame], int]) -> StackTree:
    return sampled_tree(paths)


def tiny() -> StackTree:
    main, scope = Frame("main", "run.py", 3), Frame("solve <A & b>", kind=FrameKind.SCOPE)
    native, idle = Frame("dpotrf", "libblas.so", kind=FrameKind.NATIVE), Frame("wait", kind=FrameKind.IDLE)
    return tree_of(([main], 10_000_000), ([main, scope, native], 60_000_000), ([idle], 30_000_000))


@pytest.mark.parametrize("name", ["tiny.svg", "threads.svg"])
def test_golden(name: str, assert_golden: Callable[..., None]) -> None:
    """The flame graph of a small profile is the one that was looked at."""
    if name == "tiny.svg":
        assert_golden(name, flamegraph_svg(tiny(), title="Tiny", subtitle="four frames"))
    else:
        threads = [("MainThread", tiny()), ("worker & <co>", tiny())]
        assert_golden(name, flamegraph_svg(tiny(), title="Threads", threads=threads))


def test_a_golden_that_differs_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_golden: Callable[..., None]
) -> None:
    """The message of a changed flame graph shows the changed lines, not the file."""
    monkeypatch.setenv("WORKBENCH_BLESS", "1")
    assert_golden("x.svg", flamegraph_svg(tiny(), title="Before"), tmp_path)
    monkeypatch.delenv("WORKBENCH_BLESS")
    assert_golden("x.svg", flamegraph_svg(tiny(), title="Before"), tmp_path)
    with pytest.raises(pytest.fail.Exception) as failed:
        assert_golden("x.svg", flamegraph_svg(tiny(), title="After"), tmp_path)
    message = str(failed.value)
    assert "Before" in message
    assert "After" in message
    assert len(message) < 4000


def test_the_static_chart_shows_what_is_wide() -> None:
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


def test_amounts_are_in_the_unit_of_the_profile() -> None:
    """Of a profile of memory they are bytes, of blocks, for viewers with scripts and without."""
    tree = tree_of(([Frame("main"), Frame("outer")], 412_000_000), ([Frame("main")], 1500))
    tree = replace(tree, profile=replace(tree.profile, file=FileFacts(unit=BYTES)))
    svg = flamegraph_svg(tree, title="Memory")
    assert "outer 412 MB (100.0 %)" in svg
    assert data_of(svg)["unit"] == "bytes"
    changed = difference(tree, tree, normalised=False)
    assert "412 MB → 412 MB" in difference_svg(changed, title="Memory")


def test_a_large_static_chart_is_bounded() -> None:
    """However many boxes there are, the file holds at most a few thousand of them as elements."""
    paths = [([Frame("main"), Frame(f"f{i}"), Frame(f"g{j}")], 100) for i in range(100) for j in range(100)]
    svg = flamegraph_svg(tree_of(*paths), title="Large", minimum_share=0, width=20_000)
    assert svg.count("<rect") < 1500
    assert svg.count("<") < 6000


@pytest.mark.proof
def test_a_large_file_is_bounded() -> None:
    """A million letters of names and a hundred thousand paths fit into a file of a megabyte or two."""
    paths = [([Frame("main"), Frame(f"f{i}" * 200)], 100 + i) for i in range(1500)]
    paths += [([Frame("main"), Frame(f"f{i % 100}" * 200), Frame(f"g{i}")], 90) for i in range(20_000)]
    bounded = flamegraph_svg(tree_of(*paths), title="Large", minimum_share=0, max_boxes=5000)
    assert len(bounded) < 1_000_000
    assert "the narrowest, together" in bounded
    assert len(flamegraph_svg(tree_of(*paths), title="Large")) < 1_000_000


def test_merged_boxes_are_counted_in_the_footer() -> None:
    """What was too narrow is said in words."""
    paths = [([Frame(f"f{i}")], 1) for i in range(1200)] + [([Frame("rest")], 998_800)]
    svg = flamegraph_svg(tree_of(*paths), title="t")
    assert "merged: 1,200 boxes, under 0.05 % of all, together 0.1 %" in svg


def data_of(svg: str) -> dict[str, Any]:
    return dict(json.loads(ET.fromstring(svg).findtext("{*}metadata") or ""))


def test_what_is_known_of_calls_is_in_the_data() -> None:
    """Calls, and percentiles where they are known, come with the word for what was counted."""
    tree = tiny()
    plain = data_of(flamegraph_svg(tree, title="t"))
    assert plain["counted"] == "samples"
    assert "p50" not in plain["views"][0]
    known = replace(tree, p50_ns=tree.count * 10, p95_ns=tree.count * 20)
    data = data_of(flamegraph_svg(known, title="t"))
    assert data["counted"] == "calls"
    assert max(data["views"][0]["p95"]) == 20
    assert data_of(flamegraph_svg(tree, title="t", counted="visits"))["counted"] == "visits"


def test_threads_are_a_second_view() -> None:
    """The same time is in both views."""
    threads = [("one", tiny()), ("two", tiny())]
    both = tree_of(([Frame("main", "run.py", 3)], 200_000_000))
    views = data_of(flamegraph_svg(both, title="t", threads=threads))["views"]
    assert [view["name"] for view in views] == ["all threads together", "by thread"]
    assert [view["total"][0] for view in views] == [200_000_000, 200_000_000]


def test_threads_of_a_profile() -> None:
    """Each track with time is one, the process is named where there are several, and the times add up."""
    builder = ProfileBuilder("test")
    stack = builder.stack_of([Frame("f")])
    for pid, name in ((1, "MainThread"), (1, "worker"), (2, "")):
        builder.add_track(name, pid=pid, tid=7, process="run.py", samples=builder.samples([stack], [0], [5]))
    builder.add_track("empty", pid=1, tid=8, samples=builder.samples([], [], []))
    profile = builder.build()
    threads = threads_of(profile, of="samples")
    assert [name for name, _ in threads] == ["run.py 1: MainThread", "run.py 1: worker", "run.py 2: thread 7"]
    assert sum(tree.all_ns for _, tree in threads) == aggregate(profile, of="samples").all_ns


def linear(colour: str) -> NDArray[np.float64]:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted((float(weights @ linear(one)), float(weights @ linear(other))))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE TVCG 15 (2009), table 1: linear RGB at full severity.
SIGHT = {
    "all cones": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
TO_XYZ = np.array(
    [[0.412456, 0.357576, 0.180438], [0.212673, 0.715152, 0.072175], [0.019334, 0.119192, 0.950304]]
)


def seen_apart(one: str, other: str, sight: str) -> float:
    """Return the distance of two colours in CIELAB (CIE 1976): 2.3 is just noticeable side by side."""

    def lab(colour: str) -> NDArray[np.float64]:
        seen = np.clip(SIGHT[sight] @ linear(colour), 0, 1)
        x, y, z = np.array(TO_XYZ @ seen) / np.array([0.95047, 1.0, 1.08883])
        fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
        return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])

    return float(np.linalg.norm(lab(one) - lab(other)))


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_on_every_colour(dark: bool) -> None:
    """Names have the contrast that WCAG asks of small text, 4.5 to 1, in light and dark, on kinds and changes."""
    kinds = (
        *shades(dark=dark),
        *timeline_shades(dark=dark),
        step_shades(dark=dark),
        package_shades(dark=dark),
    )
    for shade in itertools.chain(*kinds):
        assert contrast(shade.fill, shade.ink) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_text_is_readable_where_boxes_are_pale(dark: bool) -> None:
    """Boxes below a zoom, and beside what a search found, are 35 % of their colour; their text still has 4.5 to 1."""
    ink, back = ("#e8ebef", "#14171c") if dark else ("#1d2129", "#ffffff")
    style = flamegraph_svg(tiny(), title="t")
    assert style.count(f"--back: {back}; --ink: {ink};") == 1
    assert style.count("fill-opacity: 0.35") >= 2

    def pale(fill: str) -> str:
        mixed = [0.35 * int(fill[i : i + 2], 16) + 0.65 * int(back[i : i + 2], 16) for i in (1, 3, 5)]
        return "#" + "".join(f"{round(part):02x}" for part in mixed)

    kinds = (
        *shades(dark=dark),
        *timeline_shades(dark=dark),
        step_shades(dark=dark),
        package_shades(dark=dark),
    )
    for shade in itertools.chain(*kinds):
        assert contrast(pale(shade.fill), ink) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", SIGHT)
def test_kinds_are_distinct(dark: bool, sight: str) -> None:
    """Scope, Python, native and idle differ in every pair of shades, also for the red-green blind."""
    kinds = shades(dark=dark)[: FrameKind.IDLE + 1]
    for one, other in itertools.combinations(kinds, 2):
        assert min(seen_apart(a.fill, b.fill, sight) for a in one for b in other) >= 15


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", SIGHT)
def test_more_and_less_are_distinct(dark: bool, sight: str) -> None:
    """Every step of the scale differs from its neighbours, and any red from any blue, for everybody."""
    fills = [shade.fill for shade in step_shades(dark=dark)][: len(STEPS)]
    assert min(seen_apart(a, b, sight) for a, b in itertools.pairwise(fills)) >= 10
    assert min(seen_apart(a, b, sight) for a in fills[:4] for b in fills[5:]) >= 20


@pytest.mark.parametrize("dark", [False, True])
def test_scopes_stand_out(dark: bool) -> None:
    """A scope differs from Python and native frames in lightness, so no colour vision is needed."""
    scope, python, native, *_ = shades(dark=dark)
    for other in (*python, *native):
        assert min(contrast(shade.fill, other.fill) for shade in scope) >= 2


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("sight", SIGHT)
def test_packages_are_distinct(dark: bool, sight: str) -> None:
    """Every two packages have colours apart, and all are apart from scopes, for everybody."""
    fills = [shade.fill for shade in package_shades(dark=dark)]
    assert min(seen_apart(a, b, sight) for a, b in itertools.combinations(fills, 2)) >= 15
    assert min(seen_apart(a, scope.fill, sight) for a in fills for scope in shades(dark=dark)[0]) >= 15


def test_a_kind_is_one_flat_tone_in_the_dark() -> None:
    """Names have shades on a light page alone."""
    assert all(len(set(kind)) == 1 for kind in shades(dark=True))
    assert all(len(set(kind)) > 1 for kind in shades(dark=False)[: FrameKind.IDLE + 1])


def test_one_name_one_shade() -> None:
    """A name has the same shade in every flame graph and every process."""
    assert [shade_of(name) for name in ("tanh", "solve", "compute jacobian", "\ud800")] == [0, 4, 3, 0]


@given(ANY_TEXT, st.floats(0, 400))
def test_fitted_text_fits(text: str, width: float) -> None:
    """The part that is kept, with its ellipsis, is no wider than the box."""
    kept = fit(text, width, 12)
    assert cells(kept) * CELL * 12 <= width + 1e-6
    assert kept == text or not kept or (kept.endswith("…") and text.startswith(kept[:-1]))
