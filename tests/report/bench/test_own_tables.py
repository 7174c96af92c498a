"""A suite's own tables on the page: numbers as people write them, and every column sorts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.recorded_runs import TABLE, with_tables, write_recorded_run
from workbench.bench.results.results import Results
from workbench.report.bench.own_tables import own_tables
from workbench.report.bench.page import write_page
from workbench.text import as_short_number


@pytest.fixture
def own(tmp_path: Path) -> Results:
    """A run with a table."""
    return write_recorded_run(tmp_path / "run", recorded=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0, "0"), (12, "12"), (123456, "123,456"), (1.0, "1"), (-2.5, "−2.5"), (0.43841805, "0.438"),
        (2.9981e-5, "3.00·10⁻⁵"), (-1.2345e-8, "−1.23·10⁻⁸"), (12345.6, "12,300"), (999.6, "1,000"),
        (1.5e9, "1.50·10⁹"), (12_345_678, "1.23·10⁷"), (1e308, "1.00·10³⁰⁸"), (0.001, "0.001"),
    ],
)  # fmt: skip
def test_numbers_of_tables(value: float, text: str) -> None:
    """Three significant digits; whole numbers in full, very large and very small ones as powers of ten."""
    assert as_short_number(value) == text


def test_own_tables_sort_by_what_they_say(own: Results) -> None:
    """Numbers sort by themselves, texts by the alphabet and behind numbers, and nothing stays last."""
    found = own_tables(own)
    assert [(each.title, each.note) for each in found] == [("kernels", "Errors are the largest.")]
    table = found[0].table
    assert [row.name for row in table.rows] == ["exact", "fast", "none"]
    assert [column.is_text for column in table.columns] == [True, False, False]
    keys = [[cell.value for cell in row.cells] for row in table.rows]
    assert keys[0][0] is not None
    assert keys[1][0] is not None
    assert keys[1][0] < keys[0][0]
    assert [key[1] for key in keys] == [0.0, 2.5e-8, None]
    assert [[cell.text for cell in row.cells] for row in table.rows][2] == ["–", "–", "–"]


def test_names_that_are_numbers_sort_as_numbers(own: Results) -> None:
    """A first column of numbers is sorted by them, not by how they are written."""
    rows = [[1e-9, "a"], [None, "b"], [12, "c"], [0.5, 7]]
    results = with_tables(own, [TABLE | {"columns": ["step", "what"], "rows": rows}])
    table = own_tables(results)[0].table
    assert [row.value for row in table.rows] == [1e-9, None, 12.0, 0.5]
    assert [row.name for row in table.rows] == ["1.00·10⁻⁹", "–", "12", "0.5"]
    assert [row.cells[0].value for row in table.rows] == [8.0, 9.0, 10.0, 7.0]
    assert 'data-v="1e-09"' in write_page(results).read_text(encoding="utf-8")
