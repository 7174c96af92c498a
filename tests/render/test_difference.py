"""The difference flame graph's text: both sides in the data, the right colours, valid whatever names are."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.trees import sampled_tree
from workbench.profile import (
    Frame,
    FrameKind,
    StackTree,
    TreeDifference,
    difference,
)
from workbench.render.colours import STEPS, step_of
from workbench.render.flamegraph.difference import difference_svg

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
MS = 1_000_000


def tree_of(*paths: tuple[list[Frame], int]) -> StackTree:
    return sampled_tree(paths)


MAIN, SOLVE = Frame("main", "run.py", 3), Frame("solve <A & b>", kind=FrameKind.SCOPE)
OLD, NEW = Frame("tanh", "libm.so", kind=FrameKind.NATIVE), Frame("fast_tanh", kind=FrameKind.NATIVE)


def small(*, normalised: bool = False) -> TreeDifference:
    before = tree_of(([MAIN], 10 * MS), ([MAIN, SOLVE], 30 * MS), ([MAIN, OLD], 60 * MS))
    after = tree_of(([MAIN], 10 * MS), ([MAIN, SOLVE], 45 * MS), ([MAIN, NEW], 15 * MS))
    return difference(before, after, normalised=normalised)


def data_of(svg: str) -> dict[str, Any]:
    return dict(json.loads(ET.fromstring(svg).findtext("{*}metadata") or ""))


def amounts_of(svg: str) -> dict[str, tuple[int, int]]:
    """Return before and after of each name."""
    data = data_of(svg)
    view = data["views"][0]
    names = [data["labels"][i][0] for i in view["label"]]
    return dict(zip(names, zip(view["before"], view["after"], strict=True), strict=True))


@pytest.mark.parametrize("normalised", [False, True])
def test_golden(normalised: bool, assert_golden: Callable[..., None]) -> None:
    """The flame graph of a small difference is the one that was looked at; WORKBENCH_BLESS=1 accepts a new one."""
    svg = difference_svg(small(normalised=normalised), title="Small", before_name="exact", after_name="fast")
    assert_golden("normalised.svg" if normalised else "difference.svg", svg)


def test_both_numbers_of_every_frame_are_in_the_data() -> None:
    """Frames that one side lacks are there with nothing on that side."""
    assert amounts_of(difference_svg(small(), title="t")) == {
        "all": (100 * MS, 70 * MS),
        "main": (100 * MS, 70 * MS),
        "fast_tanh": (0, 15 * MS),
        "solve <A & b>": (30 * MS, 45 * MS),
        "tanh": (60 * MS, 0),
    }


def test_normalised_is_said() -> None:
    """Where amounts were scaled, the flame graph and its data say so."""
    svg = difference_svg(
        small(normalised=True), title="t", before_name="A", after_name="B", subtitle="on two cores"
    )
    assert "on two cores · A scaled to the total of B" in svg
    assert data_of(svg)["normalised"] is True
    assert amounts_of(svg)["all"] == (70 * MS, 70 * MS)
    assert "amounts as measured" in difference_svg(small(), title="t")


def test_the_static_chart_shows_changes_and_the_scale() -> None:
    """Without scripts the boxes have their colour and name, a tip with the change, and the legend is drawn."""
    root = ET.fromstring(difference_svg(small(), title="t"))
    groups = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.find("{*}title") is not None]
    found = {g.findtext("{*}text"): (g.get("class"), g.findtext("{*}title")) for g in groups}
    assert found["tanh"] == ("wf-d0", "tanh 60 ms → 0 ns (gone)")
    assert found["fast_tanh"] == ("wf-d8", "fast_tanh 0 ns → 15 ms (new)")
    assert found["solve <A & b>"] == ("wf-d6", "solve <A & b> 30 ms → 45 ms (+50.0 %)")
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(STEPS) <= set(texts)


def test_one_empty_side() -> None:
    """Against nothing, all is new."""
    svg = difference_svg(difference(tree_of(), small().after, normalised=False), title="t")
    assert all(before == 0 for before, _ in amounts_of(svg).values())
    assert 'class="wf-d8"' in svg


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_steps_are_symmetric_and_in_order(before: int, after: int) -> None:
    """More is right of the middle and less left of it, and what is swapped stands on the other side."""
    step, middle = step_of(before, after), len(STEPS) // 2
    assert (step > middle) <= (after > before)
    assert (step < middle) <= (after < before)
    assert abs(step_of(after, before) - (2 * middle - step)) <= 1  # 1.25 is 1/0.8, but for rounding
    assert (step in {0, 2 * middle}) == (min(before, after) == 0 < max(before, after))
