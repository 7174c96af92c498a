"""What explains a run: recordings of its variants, and the suite's own tables. Nothing of it is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import load
from workbench.bench import Table
from workbench.bench.beside import table_line
from workbench.bench.results import read_results
from workbench.bench.run import BenchOptions, run_suite
from workbench.errors import InvalidInputError

WriteSuite = Callable[..., Path]
Options = Callable[..., BenchOptions]
HEAD = """
from workbench import scope
from workbench.bench import Case, Suite, Table
def tables():
    TABLES
suite = Suite("s", baseline="one", variants={"one": {"how": 1}, "two": {"how": 2}}, tables=tables)
def work(how):
    with scope(f"work {how}"):
        FAIL
"""
BODY = "return Case(run=lambda: work(how), quality=lambda r: {})"


def suite_of(write_suite: WriteSuite, tables: str = "return []", fail: str = "pass") -> Path:
    return write_suite(BODY, head=HEAD.replace("TABLES", tables).replace("FAIL", fail))


def test_each_variant_is_recorded_once(write_suite: WriteSuite, options: Options) -> None:
    """Behind the blocks each variant runs once with its guards recorded; the arms that are measured record nothing."""
    suite = suite_of(write_suite)
    results = run_suite(options(suite, profiled=True))
    for variant, name in (("one", "work 1"), ("two", "work 2")):
        profile = load(results.recording_folder(variant))
        assert {frame.name for frame in profile.frames} == {name}
    assert len(results.arms) == 3
    before = [folder.stat().st_ctime_ns for folder in sorted(results.folder.glob("recordings/*"))]
    run_suite(options(suite, profiled=True, resume=True))
    assert [folder.stat().st_ctime_ns for folder in sorted(results.folder.glob("recordings/*"))] == before


def test_programs_without_guards_leave_no_recording(good_suite: Path, options: Options) -> None:
    """Where a variant has no guards there is nothing to keep, and the others are not run for it."""
    results = run_suite(options(good_suite, profiled=True))
    assert list((results.folder / "recordings").iterdir()) == []


def test_a_variant_that_fails_while_it_is_recorded_is_told(write_suite: WriteSuite, options: Options) -> None:
    """What goes wrong behind the measured blocks is one line, and takes nothing from them."""
    suite = suite_of(write_suite, fail="import os; how == 2 and 'WORKBENCH_RECORD' in os.environ and 1 / 0")
    said: list[str] = []
    results = run_suite(options(suite, profiled=True), say=said.append)
    assert said == ["two failed when its scopes were recorded: ZeroDivisionError: division by zero"]
    assert results.complete_blocks() == [0]
    assert [folder.name for folder in (results.folder / "recordings").iterdir()] == ["one"]


def test_tables_are_made_once(write_suite: WriteSuite, options: Options) -> None:
    """The suite's tables stand in the results, and a run that is gone on with has them once."""
    suite = suite_of(write_suite, "return [Table('t', ['a', 'b'], [['x', 1.5], ['y', None]], 'a note')]")
    run_suite(options(suite))
    results = run_suite(options(suite, resume=True))
    (table,) = results.tables
    assert (table["title"], table["columns"], table["note"]) == ("t", ["a", "b"], "a note")
    assert table["rows"] == [["x", 1.5], ["y", None]]
    assert (results.folder / "results.jsonl").read_text().count('"kind": "table"') == 1


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ("return [5]", "tables gave int: give workbench.bench.Table objects"),
        ("return [Table('t', ['a'], [['x', 1]])]", "the table 't' cannot be shown"),
        ("return [Table('t', ['a'], [[float('nan')]])]", "the table 't' cannot be shown"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_wrong_tables_are_told(
    write_suite: WriteSuite, options: Options, tables: str, complaint: str
) -> None:
    """A table that cannot be made or shown is one line, and the run stands."""
    said: list[str] = []
    results = run_suite(options(suite_of(write_suite, tables)), say=said.append)
    assert len(said) == 1
    assert said[0].startswith(f"the suite's tables failed: {complaint}")
    assert read_results(results.folder).tables == ()


def test_a_table_has_a_cell_for_each_column() -> None:
    """Rows that do not fit, or numbers that JSON has not, are refused with the table's name."""
    assert table_line(Table("t", ["a"], [[1.0], ["x"], [None]]))["kind"] == "table"
    for rows in ([[1, 2]], [[True]], [[float("inf")]], ["x", [1]], [[1.0]] * 2000):
        with pytest.raises(InvalidInputError, match="the table 't' cannot be shown"):
            table_line(Table("t", ["a"], rows))  # type: ignore[arg-type]
