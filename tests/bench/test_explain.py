"""What explains a run: recordings of its variants, and the suite's own tables. Nothing of it is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import load
from workbench.bench import Table
from workbench.bench.beside import table_line
from workbench.bench.explain import record_variants, sample_variants
from workbench.bench.results import Results, read_results
from workbench.bench.run import BenchOptions, run_suite
from workbench.capture.program import Sampler
from workbench.errors import InvalidInputError
from workbench.outputs import OutputFolder
from workbench.profile import FrameKind

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


def suite_of(write_suite: WriteSuite, tables: str = "return []", fail: str = "sum(range(100_000))") -> Path:
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
    assert not (results.folder / "recordings").exists()


def test_a_variant_that_fails_while_it_is_recorded_is_told(write_suite: WriteSuite, options: Options) -> None:
    """What goes wrong behind the measured blocks is one line, and takes nothing from them."""
    suite = suite_of(write_suite, fail="import os; how == 2 and 'WORKBENCH_RECORD' in os.environ and 1 / 0")
    said: list[str] = []
    results = run_suite(options(suite, profiled=True), say=said.append)
    assert said[-1:] == ["two failed when its scopes were recorded: ZeroDivisionError: division by zero"]
    assert results.complete_blocks() == [0]
    assert [folder.name for folder in (results.folder / "recordings").iterdir()] == ["one"]


BUSY = """pass
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            sum(range(10_000))"""
SLEEPY = "pass; time.sleep(0.4)"


def test_each_variant_is_sampled_under_its_guards(write_suite: WriteSuite, options: Options) -> None:
    """Behind the recordings each variant runs once more, sampled; gone on with, what is there stays."""
    suite = suite_of(write_suite, fail=f"import time\n        {BUSY}")
    results = run_suite(options(suite, profiled=True))
    for variant, name in (("one", "work 1"), ("two", "work 2")):
        profile = load(results.samples_file(variant))
        assert profile.name == "in-process with native frames"
        seen = [
            profile.frames[i].name
            for track in profile.tracks
            if track.samples is not None
            for stack in set(track.samples.stack.tolist()) - {-1}
            for i in profile.stacks.path(stack)
            if profile.frames[i].kind is FrameKind.SCOPE
        ]
        assert name in seen
    files = sorted(results.folder.glob("samples/*"))
    assert len(files) == 2
    before = [file.stat().st_mtime_ns for file in files]
    files[1].unlink()
    run_suite(options(suite, profiled=True, resume=True))
    assert files[0].stat().st_mtime_ns == before[0]
    assert files[1].stat().st_mtime_ns > before[1]
    assert sorted(results.folder.glob("samples/*")) == files


def recorded(suite: Path, options: Options) -> Results:
    """Measure and record a suite, and sample nothing."""
    results = run_suite(options(suite))
    with OutputFolder(results.folder) as output:
        record_variants(results, output, 60.0, lambda now: None, pytest.fail)
    return results


def sample(
    results: Results, sampler: Sampler = "auto", timeout_s: float = 60.0
) -> tuple[list[str], list[str]]:
    """Return which variants were sampled, and what was said."""
    ran: list[str] = []
    said: list[str] = []
    with OutputFolder(results.folder) as output:
        sample_variants(
            results, output, timeout_s, lambda now: ran.append(now.variant), said.append, sampler=sampler
        )
    return ran, said


def test_waiting_is_told_when_samples_are_read_again(write_suite: WriteSuite, options: Options) -> None:
    """What a thread waited is known from the file, by which the page tells what workers wait."""
    results = recorded(suite_of(write_suite, fail=f"import time; {SLEEPY}"), options)
    sample(results)
    profile = load(results.samples_file("one"))
    tops = [
        profile.frames[profile.stacks.frame[stack]].kind
        for track in profile.tracks
        if track.samples is not None
        for stack in track.samples.stack.tolist()
        if stack >= 0 and "work 1" in [profile.frames[i].name for i in profile.stacks.path(stack)]
    ]
    assert tops.count(FrameKind.IDLE) > len(tops) / 2


def test_recordings_serve_where_nothing_can_sample(write_suite: WriteSuite, options: Options) -> None:
    """Without a sampler one line says so, once, and no variant is run for it again; pyinstrument may stand in."""
    results = recorded(suite_of(write_suite, fail=f"import time\n        {BUSY}"), options)
    assert sample(results, "none") == (["sampling one"], ["samples for the page: there is no sampler"])
    assert list(results.folder.glob("samples/*")) == []
    ran, said = sample(results, "pyinstrument")
    assert ran == ["sampling one", "sampling two"]
    assert said == ["samples for the page: by pyinstrument"]
    assert load(results.samples_file("two")).name == "pyinstrument"


def test_a_variant_that_fails_or_hangs_while_it_is_sampled_is_told(
    write_suite: WriteSuite, options: Options
) -> None:
    """What goes wrong in one is a line, the others are sampled, and no file is half there."""
    body = "import os, pathlib, time; how == 1 and exec(pathlib.Path(__file__).with_name('what.txt').read_text())"
    suite = suite_of(write_suite, fail=body)
    what = suite.with_name("what.txt")
    what.write_text("pass")
    results = recorded(suite, options)
    for code, complaint, timeout_s in (
        ("1 / 0", "ZeroDivisionError: division by zero", 60.0),
        ("os._exit(7)", "it ended with exit code 7 and no result", 60.0),
        ("time.sleep(60)", "no result within 5 s", 5.0),
    ):
        what.write_text(code)
        ran, said = sample(results, timeout_s=timeout_s)
        assert "sampling one" in ran
        assert f"one failed when it was sampled: {complaint}" in said
        assert not results.samples_file("one").exists()


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
