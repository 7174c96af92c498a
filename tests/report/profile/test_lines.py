"""The source on a profile's page, with the share of samples beside each line."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.html import Page
from tests.helpers.lines_of_ranges import Question, lines_of_ranges
from workbench.outputs import OutputFolder
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    LineSamples,
    Profile,
    ProfileBuilder,
    Samples,
    ThreadState,
    between,
)
from workbench.report.profile.line_rows import WORK_WORDS
from workbench.report.profile.lines import PageLines, page_lines
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.page import write_profile_page, write_report
from workbench.report.profile.run import ProfileRun
from workbench.report.profile.source_lines import copied_sources

SOURCE = "".join(f"line({i})\n" for i in range(1, 101))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Python file of 100 lines, older than any run."""
    file = tmp_path / "p.py"
    file.write_text(SOURCE)
    os.utime(file, (1e9, 1e9))
    return file


def sampled(file: Path, lines: list[int], *, native: bool = False, **facts: bool) -> ProfileRun:
    """Return a run with one sample at each of the lines, in Python code or in native code below it."""
    builder = ProfileBuilder("made")
    function = Frame("f", str(file))
    below = [Frame("tanh", "/np/_umath.so", kind=FrameKind.NATIVE)] if native else []
    stack = builder.stack_of([function, *below])
    samples = builder.samples([stack] * len(lines), list(range(len(lines))), [1] * len(lines))
    samples = replace(
        samples,
        line=np.array(
            [builder.line_stack_of([function._replace(line=line)]) for line in lines], dtype=np.int32
        ),
    )
    builder.add_track("main", pid=1, tid=1, samples=samples)
    profile: Profile = builder.build()
    return ProfileRun("made", samples=profile, **facts)


def page(run: ProfileRun) -> PageLines:
    found = page_lines(run, overview_of(run).found)
    assert found is not None
    return found


def test_lines_around_samples_are_shown(source: Path) -> None:
    """Three lines around each line with samples are shown; parts that nearly touch are one, the rest is folded."""
    (file,) = page(sampled(source, [1, 50, 57, 90])).files
    assert file.shown == ((1, 4), (47, 60), (87, 93))
    assert (file.name, file.place, file.lines, file.note) == ("p.py", str(source), 100, "")
    assert file.texts == ((1, tuple(SOURCE.splitlines())),)


def test_functions_are_shown_as_a_whole(source: Path) -> None:
    """A function with samples is shown from its decorator to its end; of a long one what is around the samples."""
    short = "@wraps\ndef f():\n" + "    pass\n" * 8
    long = "def f():\n" + "    pass\n" * 99
    for text, shown in ((short, ((1, 10),)), (long, ((1, 1), (47, 53)))):
        run = sampled(source, [50 if text is long else 7])
        (file,) = page(replace(run, sources={str(source): text})).files
        assert file.shown == shown
        assert [name for name, _, _ in file.functions] == ["f"]


def test_rows_have_shares_of_the_run_and_of_each_scope(source: Path) -> None:
    """A line's share inside a scope is of all samples, too, so that scopes can be compared."""
    builder = ProfileBuilder("made")
    function, fit = Frame("f", str(source)), Frame("fit", kind=FrameKind.SCOPE)
    stacks = [builder.stack_of([function]), builder.stack_of([function, fit])]
    samples = builder.samples([stacks[0], stacks[1], stacks[1], stacks[1]], [0, 1, 2, 3], [1] * 4)
    lines = [builder.line_stack_of([function._replace(line=line)]) for line in (7, 7, 7, 9)]
    builder.add_track("main", pid=1, tid=1, samples=replace(samples, line=np.array(lines, dtype=np.int32)))
    found = page(ProfileRun("made", samples=builder.build()))
    shares = {scope: [(each.line, each.of_all.share) for each in rows] for scope, rows in found.rows.items()}
    assert shares == {None: [(7, 0.75), (9, 0.25)], "fit": [(7, 0.5), (9, 0.25)]}
    assert found.data["scopes"][0][0] == "fit"
    assert found.data["run"][0][:5] == [0, 7, "f", 7500, found.data["run"][0][4]]


def test_a_total_has_the_lines_that_called(source: Path) -> None:
    """A line that calls a function of the program's own has its samples in its total, and not in itself."""
    builder = ProfileBuilder("made")
    outer, inner = Frame("main", str(source)), Frame("f", str(source))
    samples = builder.samples([builder.stack_of([outer, inner])] * 2, [0, 1], [1, 1])
    line = builder.line_stack_of([outer._replace(line=90), inner._replace(line=5)])
    builder.add_track(
        "main", pid=1, tid=1, samples=replace(samples, line=np.array([line] * 2, dtype=np.int32))
    )
    rows = page(ProfileRun("made", samples=builder.build())).rows[None]
    assert [(each.line, each.of_all.samples, each.total.samples) for each in rows] == [(5, 2, 2), (90, 0, 2)]


def test_lines_that_the_file_does_not_have(source: Path) -> None:
    """Samples of lines beyond the end of the file show none of it."""
    (file,) = page(sampled(source, [5000])).files
    assert file.shown == ()


@pytest.mark.parametrize(
    ("what", "note"), [("gone", "is not there"), ("large", "up to 1 MiB"), ("no Python", "up to 1 MiB")]
)
def test_files_that_are_not_shown(source: Path, what: str, note: str) -> None:
    """A file that cannot be shown is named with the reason."""
    if what == "gone":
        source.unlink()
    elif what == "large":
        source.write_text(SOURCE + "#" * (1 << 20))
    else:
        source = source.rename(source.with_suffix(".txt"))
    (file,) = page(sampled(source, [3])).files
    assert (file.lines, file.name) == (0, source.name)
    assert note in file.note


def test_a_foreign_profile_names_no_file_of_ours(source: Path) -> None:
    """Of a profile that anybody may have written no source is read."""
    run = sampled(source, [3], is_foreign=True)
    assert page_lines(run, overview_of(run).found) is None


def test_copied_files_are_read_and_no_others(source: Path) -> None:
    """Where source was copied with the profile, the files themselves are not read, whatever it names."""
    run = sampled(source, [3])
    copied = copied_sources(run, [str(source), str(source.with_name("gone.py"))])
    assert copied == {str(source): SOURCE}
    source.write_text("secret = 1\n" * 100)
    (file,) = page(replace(run, sources=copied)).files
    assert file.texts[0][1][2] == "line(3)"
    (file,) = page(replace(run, sources={})).files
    assert (file.lines, file.note) == (0, "not shown: not copied with the profile")


def test_what_is_copied_is_bounded(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are copied until the bound of all is reached, those with the most samples first."""
    other = source.with_name("q.py")
    other.write_text(SOURCE)
    os.utime(other, (1e9, 1e9))
    monkeypatch.setattr("workbench.report.profile.source_lines.MAX_ALL_BYTES", len(SOURCE) + 10)
    assert list(copied_sources(sampled(source, [3]), [str(source), str(other)])) == [str(source)]


def test_a_narrow_terminal_has_shares_and_sources(source: Path) -> None:
    """Rows fit the terminal: what was done at a line is left out where the source would have no space."""
    run = sampled(source, [3], native=True)
    wide, narrow = (as_text(overview_of(run), width) for width in (100, 36))
    assert [line.split()[:2] for line in wide if "native" in line] == [["of", "samples"]]
    assert not any("native" in line for line in narrow)
    assert any("p.py:3" in line and "line(3)" in line for line in narrow)
    assert max(map(len, wide)) <= 100
    assert max(map(len, narrow)) <= 36


def sampled_in_scopes() -> Profile:
    """Two threads with ticks, clocks and states: lines 1 to 4, and on thread 2 a scope around some of it."""
    draw = np.random.default_rng(7)
    builder = ProfileBuilder("made")
    f, g = Frame("f", "/p.py"), Frame("g", "/p.py")
    scope, native = Frame("step", kind=FrameKind.SCOPE), Frame("tanh", "/np/_umath.so", kind=FrameKind.NATIVE)
    paths = [[f], [f, native], [f, scope, g], [f, scope, g, native], []]
    stacks = [builder.stack_of(path) for path in paths[:4]] + [ROOT]
    lines = [builder.line_stack_of([f._replace(line=line)]) for line in (1, 2)]
    lines += [builder.line_stack_of([f._replace(line=3), g._replace(line=line)]) for line in (4, 4)] + [ROOT]
    for tid in (1, 2):
        which = draw.integers(0, 5, 60)
        ticks = draw.integers(1, 4, 60).astype(np.int32)
        weight = ticks.astype(np.int64) * 10_000
        samples = Samples(
            np.array(stacks, dtype=np.int32)[which],
            np.cumsum(weight) - weight,
            weight,
            ticks,
            draw.integers(0, 10_001, 60) * ticks,
            draw.choice([ThreadState.PYTHON, ThreadState.NATIVE, ThreadState.WAITING_FOR_GIL], 60).astype(
                np.uint8
            ),
            np.array(lines, dtype=np.int32)[which],
        )
        builder.add_track(f"thread {tid}", pid=1, tid=tid, samples=samples)
    return builder.build().check()


def test_lines_of_a_range_are_those_of_that_part(tmp_path: Path) -> None:
    """In a range, under a scope or not, the page counts shares and kinds of work as Python does of that part."""
    profile = sampled_in_scopes()
    run = ProfileRun("made", samples=profile, sampler="in-process")
    html = Page(write_report(run, tmp_path).read_text(encoding="utf-8"))
    questions: list[Question] = [
        (scope, begin, end)
        for begin, end in ((0, 10**9), (0, 400_000), (333_333, 871_000))
        for scope in (None, "step")
    ]
    found = lines_of_ranges(html, "samples", questions)
    for (scope, begin, end), rows in zip(questions, found, strict=True):
        right = LineSamples.of(between(profile, begin, end)).lines(scope)
        assert len(rows) == len(right) == (2 if scope else 4)
        for line in right:
            row = rows[f"p.py:{line.line}"]
            assert row["self"] == pytest.approx(line.of_all.share)
            assert row["total"] == pytest.approx(line.total.share)
            for work, share in line.work.items():
                assert row.get(WORK_WORDS[work], 0) == pytest.approx(share.share)
            if end == 10**9:  # what is cut has the CPU time of its part
                assert line.cpu is not None
                assert row["CPU"] == pytest.approx(line.cpu.share, abs=1e-4)


def test_lines_of_merged_samples(tmp_path: Path) -> None:
    """Where the samples of a long run are merged, lines keep theirs, and the page says below which length."""
    profile = replace(sampled_in_scopes(), end_ns=10**10)
    run = ProfileRun("made", samples=profile, sampler="in-process")
    with OutputFolder(tmp_path, ["index.html"]) as output:
        page_file = write_profile_page(run, output, max_boxes=60)
    html = Page(page_file.read_text(encoding="utf-8"))
    assert re.search(r'<section id="lines" data-merged="[\d.]+ .?s">', html.source)
    (whole,) = lines_of_ranges(html, "samples", [(None, 0, 10**10)])
    for line in LineSamples.of(profile).lines():
        assert whole[f"p.py:{line.line}"]["self"] == pytest.approx(line.of_all.share)
