"""An experiment as text: as wide as the terminal, with every column."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import Results
from workbench.report.bench.page import write_page
from workbench.report.bench.rows import as_text


@pytest.mark.parametrize("width", [None, 60, 40])
def test_a_table_is_as_wide_as_the_terminal(make_results: Callable[..., Results], width: int | None) -> None:
    """What does not fit stands below, beside the variants again; without a terminal it is one table."""
    variants = {"slow, float64": [1.0] * 7, "fast, float32": [0.5] * 7}
    analysis = analyse(make_results(variants, quality=None))
    whole = as_text(analysis)
    found = as_text(analysis, width)
    table = found[: next(i for i, line in enumerate(found) if line.startswith("A/A"))]
    heads = [line.split() for line in table if line.startswith(("verdict", "variant"))]
    assert heads[0][:2] == ["verdict", "variant"]
    assert list(dict.fromkeys(head for row in heads for head in row)) == whole[0].split()
    assert all(len(line) <= (width or 1000) for line in table)
    assert sum("fast, float32" in line for line in table) == len(heads)
    assert (len(heads) > 1) == (width is not None)
    assert found[len(table) :] == whole[3:]


def test_one_round_has_no_interval(make_results: Callable[..., Results]) -> None:
    """Its ratios are said without one, once why, and JSON has null in the place of the ends."""
    results = make_results({"base": [(1.0, 0.1)], "other": [(0.5, 0.2)]})
    analysis = analyse(results)
    lines = as_text(analysis)
    assert "[" not in "\n".join(lines)
    assert any("2.00× faster" in line and "2.00× larger error" in line for line in lines)
    assert sum("no interval" in line for line in lines) == 1
    assert write_page(results).read_text().count("no interval") == 1
    ratio = analysis.to_json()["comparisons"][1]["speed"]["ratio"]
    assert ratio == {"value": 0.5, "low": None, "high": None, "confidence": 0.0, "count": 1}
