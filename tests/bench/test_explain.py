"""What explains a run: recordings of its variants, and the suite's own tables. Nothing of it is measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench import load
from workbench.bench.results.results import Results, read_results
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.bench.run.explain import record_variants
from workbench.capture.samplers import SamplerName
from workbench.outputs import OutputFolder
from workbench.profile import ROOT, FrameKind, Profile, scope_totals

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


def seen_in(profile: Profile) -> list[str]:
    """Return the names of scopes that samples are under, of each sample of a stack once."""
    return [
        profile.frames[i].name
        for track in profile.tracks
        if track.samples is not None
        for stack in set(track.samples.stack.tolist()) - {ROOT}
        for i in profile.stacks.path(stack)
        if profile.frames[i].kind is FrameKind.SCOPE
    ]


BUSY = """import time
        end = time.process_time() + 0.15
        while time.process_time() < end:
            sum(range(10_000))"""


def test_each_variant_is_recorded_and_sampled_once(write_suite: WriteSuite, options: Options) -> None:
    """Behind the rounds each variant runs once more, with samples under its scopes, and is not measured."""
    results = run_suite(options(suite_of(write_suite, fail=BUSY), profiled=True))
    for variant, name in (("one", "work 1"), ("two", "work 2")):
        profile = load(results.recording_folder(variant))
        assert list(scope_totals(profile)) == [name]
        assert name in seen_in(profile)
        assert not results.samples_file(variant).exists()
    assert len(results.runs) == 3


@pytest.mark.proof
def test_a_run_that_is_resumed_records_what_is_missing(write_suite: WriteSuite, options: Options) -> None:
    """Recordings that are there stay as they are."""
    suite = suite_of(write_suite)
    results = run_suite(options(suite, profiled=True))
    kept, gone = (results.recording_folder(variant) for variant in ("one", "two"))
    before = kept.stat().st_ctime_ns
    shutil.rmtree(gone)
    run_suite(options(suite, profiled=True, resume=True))
    assert kept.stat().st_ctime_ns == before
    assert list(scope_totals(load(gone))) == ["work 2"]


def test_a_run_too_short_for_a_sample_is_no_trouble(write_suite: WriteSuite, options: Options) -> None:
    """Nothing is said of it, and its scopes are recorded."""
    results = run_suite(options(suite_of(write_suite), profiled=True), say=pytest.fail)
    assert list(scope_totals(load(results.recording_folder("one")))) == ["work 1"]


def test_programs_without_scopes_leave_no_recording(good_suite: Path, options: Options) -> None:
    """Where a variant has no scopes there is nothing to keep, and the others are not run for it."""
    results = run_suite(options(good_suite, profiled=True))
    assert not (results.folder / "recordings").exists()


def record(results: Results, sampler: SamplerName, timeout_s: float = 60.0) -> tuple[list[str], list[str]]:
    """Return which variants were recorded, and what was said."""
    ran: list[str] = []
    said: list[str] = []
    with OutputFolder(results.folder) as output:
        record_variants(
            results, output, timeout_s, lambda now: ran.append(now.variant), said.append, sampler=sampler
        )
    return ran, said


@pytest.mark.proof
def test_scopes_serve_where_nothing_samples(write_suite: WriteSuite, options: Options) -> None:
    """Without a sampler the scopes are recorded all the same, and nobody is told of what was not asked for."""
    results = run_suite(options(suite_of(write_suite, fail=BUSY)))
    assert record(results, "none") == (["recording one", "recording two"], [])
    profile = load(results.recording_folder("one"))
    assert (list(scope_totals(profile)), seen_in(profile)) == (["work 1"], [])


@pytest.mark.proof
def test_samples_of_another_sampler_are_a_file(write_suite: WriteSuite, options: Options) -> None:
    """They are under the scopes that their lines show, and the file has the sampler's name."""
    suite = suite_of(write_suite, fail=BUSY).with_name("plain.py")
    suite.write_text(suite.with_name("tiny_suite.py").read_text().replace('f"work {how}"', '"work"'))
    results = run_suite(options(suite))
    assert record(results, "pyinstrument") == (["recording one", "recording two"], [])
    profile = load(results.samples_file("two"))
    assert profile.name == "pyinstrument"
    assert "work" in seen_in(profile)


@pytest.mark.proof
def test_a_variant_that_fails_or_hangs_while_it_is_recorded_is_told(
    write_suite: WriteSuite, options: Options
) -> None:
    """What goes wrong in one is a line and takes nothing from what was measured, and the others are recorded."""
    body = "import os, pathlib, time; how == 1 and exec(pathlib.Path(__file__).with_name('what.txt').read_text())"
    suite = suite_of(write_suite, fail=body)
    what = suite.with_name("what.txt")
    what.write_text("pass")
    results = run_suite(options(suite))
    for code, complaint, timeout_s in (
        ("1 / 0", "exit code 1: ZeroDivisionError: division by zero", 60.0),
        ("os._exit(7)", "exit code 7", 60.0),
        ("time.sleep(60)", "no result within 5 s", 5.0),
    ):
        what.write_text(code)
        ran, said = record(results, "auto", timeout_s)
        assert "recording one" in ran
        assert said == [f"one failed when it was recorded: {complaint}"]
        assert [folder.name for folder in (results.folder / "recordings").iterdir()] == ["two"]
    assert results.complete_rounds() == [0]


def test_tables_are_made_once(write_suite: WriteSuite, options: Options) -> None:
    """The suite's tables stand in the results, and a run that is resumed has them once."""
    suite = suite_of(write_suite, "return [Table('t', ['a', 'b'], [['x', 1.5], ['y', None]], 'a note')]")
    run_suite(options(suite))
    results = run_suite(options(suite, resume=True))
    (table,) = results.tables
    assert (table.title, table.columns, table.note) == ("t", ["a", "b"], "a note")
    assert table.rows == [["x", 1.5], ["y", None]]
    assert (results.folder / "results.jsonl").read_text().count('"kind": "table"') == 1


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ("return [5]", "tables gave int: give workbench.bench.Table objects"),
        ("return [Table('t', ['a'], [['x', 1]])]", "the table 't' cannot be shown"),
        ("return [Table('t', ['a'], [[float('nan')]])]", "the table 't' cannot be shown"),
        ("return [Table('t', ['a'], [[True]])]", "the table 't' cannot be shown"),
        ("return [Table('t', ['a'], [[1.0]] * 2000)]", "the table 't' cannot be shown"),
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
