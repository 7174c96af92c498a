"""What the sides of a comparison have installed: all that differs is on the page."""

from __future__ import annotations

from collections.abc import Callable

from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from workbench.bench.results.results import Results
from workbench.report.bench.page import write_page
from workbench.report.bench.tables import sides_of

Make = Callable[..., Results]
BASE = {
    "suite": "/tmp/a/suite.py",
    "python": "3.11.7",
    "packages": {"numpy": "2.0", "SciPy": "1.15", "old": "1"},
}
NEW = {
    "suite": "/tmp/b/suite.py",
    "python": "3.13.1",
    "packages": {"numpy": "2.1", "SciPy": "1.15", "fresh": "3"},
}


def compared(make_results: Make, sides: object) -> Results:
    return make_results({"base (1a)": [(1.0, 0.1)] * 6, "new (2b)": [(0.5, 0.1)] * 6}, sides=sides)


def test_what_differs_is_listed(make_results: Make) -> None:
    """Python and packages of other versions, or on one side alone, stand there with both; what is the same does not."""
    results = compared(make_results, {"base (1a)": BASE, "new (2b)": NEW})
    found = sides_of(results)
    assert found is not None
    assert list(found.names) == ["base (1a)", "new (2b)"]
    assert [(name, list(versions)) for name, versions in found.rows] == [
        ("Python", ["3.11.7", "3.13.1"]),
        ("fresh", ["not there", "3"]),
        ("numpy", ["2.0", "2.1"]),
        ("old", ["1", "not there"]),
    ]
    text = Page(write_page(results).read_text(encoding="utf-8")).text
    section = text.partition("What each side has installed")[2].partition("Raw results")[0]
    assert "measured together with the code" in section
    assert "SciPy" not in section
    assert "numpy 2.0 2.1" in section.replace("numpy2.0", "numpy 2.0").replace("2.02.1", "2.0 2.1")


def test_equal_sides_are_said_to_be_equal(make_results: Make) -> None:
    """Where nothing differs one line says what both have."""
    text = Page(write_page(compared(make_results, {"a": BASE, "b": BASE})).read_text(encoding="utf-8")).text
    assert "Both have Python 3.11.7 and the same 3 packages." in text


def test_other_runs_have_no_sides(make_results: Make) -> None:
    """A run of a suite, which is no comparison, has no such section."""
    results = make_results({"base": [1.0] * 6, "other": [0.5] * 6})
    assert sides_of(results) is None
    assert "What each side has installed" not in write_page(results).read_text(encoding="utf-8")


def test_hostile_names_are_text(make_results: Make) -> None:
    """Names of sides and packages, and versions, are shown and never run."""
    sides = {
        HOSTILE[0]: {"python": HOSTILE[1], "packages": dict.fromkeys(HOSTILE, HOSTILE[2])},
        "b": {"python": "3", "packages": {}},
    }
    page = Page(write_page(compared(make_results, sides)).read_text(encoding="utf-8"))
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
