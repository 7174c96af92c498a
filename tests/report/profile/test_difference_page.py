"""The page of a comparison: the answer first, a table with intervals, and the flame graph, in one file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.profile_sets import SCOPES, write_profile, write_set
from workbench.report.profile.difference import Comparison, DifferenceOptions, compare
from workbench.report.profile.difference_page import flame_graph, page
from workbench.report.profile.difference_text import answers, as_json, as_text, change_rows


@pytest.fixture
def sets(tmp_path: Path) -> Comparison:
    before = write_set(tmp_path / "old", 8, seed=1)
    return compare(
        DifferenceOptions(before, write_set(tmp_path / "new", 8, seed=2, solve=1.3), fail_slower=0.05)
    )


def body(found: Comparison) -> str:
    """Return the page's text before the flame graph."""
    return page(found).partition("<main>")[2].partition('<section id="flame"')[0]


def test_the_answer_comes_first(sets: Comparison) -> None:
    """The gate and the sentences are above the table, with the interval of wall time."""
    text = body(sets)
    order = [text.index(part) for part in (sets.gate.words, answers(sets)[0], "<table")]
    assert order == sorted(order)
    assert re.search(r"new is slower than old: wall time .* → .*, \+\d+\.\d % \[\+\d", answers(sets)[0])


def test_what_differs_is_coloured_and_named(sets: Comparison) -> None:
    """A row that differs has a colour and a word; one within noise has neither colour nor verdict."""
    text = body(sets)
    assert re.search(r'<tr class="more"><td><span class="name">solve</span>', text)
    assert re.search(r'<tr class="noise"><td><span class="name">load</span>', text)
    assert text.count(">slower</td>") == 2  # and the total of run, which calls it
    assert text.count(">within noise</td>") == 2


def test_page_terminal_and_json_agree(sets: Comparison) -> None:
    """The change of a scope, its interval and the verdict read the same everywhere."""
    (row,) = (row for row in change_rows(sets, 15) if row.name == "solve")
    terminal = "\n".join(as_text(sets))
    text = body(sets).replace("\u00a0", " ")
    for figure in (row.before, row.after, row.by, row.change, row.interval):
        assert figure in text
        assert figure in terminal
    assert as_json(sets)["answer"] == answers(sets)


def test_the_axis_holds_every_interval(sets: Comparison) -> None:
    """Each bar is in the axis, around its value, and on the side of zero that its verdict says."""
    bars = re.findall(
        r'class="bar( cut)?" d="M([\d.]+) 7H([\d.]+)"/><path class="value" d="M([\d.]+) ', body(sets)
    )
    assert len(bars) == 4
    for cut, low, high, value in bars:
        assert not cut
        assert 0 <= float(low) <= float(value) <= float(high) <= 100
    assert float(bars[0][1]) > 50


def test_two_profiles_have_no_verdict(tmp_path: Path) -> None:
    """Of one profile a side the page says this run only, and neither slower nor faster."""
    one = write_profile(tmp_path / "one", SCOPES)
    two = write_profile(tmp_path / "two", {name: 2 * ms for name, ms in SCOPES.items()})
    text = body(compare(DifferenceOptions(one, two)))
    assert "this run only" in text
    assert not re.search(r">(slower|faster)<", text)


def test_nothing_outside_and_only_text(tmp_path: Path) -> None:
    """The page asks for no other file, and names are only text."""
    names = dict.fromkeys(HOSTILE, 100.0)
    one = write_profile(tmp_path / "one", names)
    two = write_profile(tmp_path / "two", dict.fromkeys(names, 150.0))
    found = compare(DifferenceOptions(one, two, title=HOSTILE[0]))
    text = page(found)
    assert "<img" not in text.lower()
    assert not re.search(r'(?:src|href)="(?!data:,|#)', text)
    assert flame_graph(found) in text
