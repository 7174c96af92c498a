"""The page of a profile, as a file: what it says, what it allows, what stands beside it, what it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.hostile import HOSTILE
from tests.helpers.html import Page
from tests.helpers.page_profiles import hostile, scope, training
from workbench import load
from workbench.errors import InvalidInputError
from workbench.formats.speedscope import write_speedscope
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, RecordingFacts, SpanRecord, Spans
from workbench.report.profile import page as profile_page
from workbench.report.profile import tables as profile_tables
from workbench.report.profile.page import write_report
from workbench.report.profile.run import ProfileRun, read_run, run_of_profile
from workbench.report.profile.tables import functions_table, scopes_cost_ns, scopes_table
from workbench.text import printable

MS = 1_000_000


def page_of(run: ProfileRun | Profile, folder: Path) -> Page:
    run = run if isinstance(run, ProfileRun) else run_of_profile(run)
    return Page(write_report(run, folder).read_text(encoding="utf-8"))


def test_summary_tables_and_points(tmp_path: Path) -> None:
    """The page says what ran, how long, with what, and has a row for each scope, function, counter and mark."""
    page = page_of(training(), tmp_path / "out")
    assert "python fit.py" in page.text
    for words in (
        "covers 100 ms",
        "process 1",
        "threads 2",
        "scopes 11 of 4 names",
        "samples 10",
        "cost of recording 2.75 µs",
    ):
        assert words in page.text
    rows = [row["data-row"] for row in page.of("tr") if "data-row" in row]
    assert rows[:6] == ["0", "1", "0", "1", "2", "3"]
    assert all(
        word in page.text for word in ("loss", "0.25", "saved", "50 ms", "70 ms", "GFLOP/s", "recording")
    )


def test_numbers_of_scopes_are_those_of_the_library() -> None:
    """Each cell is what `scope_table` gives; a rate that no scope states has no column."""
    table = scopes_table(training()).table
    assert [row.name for row in table.rows] == ["fit", "epoch", "solve", "fib"]
    labels = [column.label for column in table.columns]
    assert "GFLOP/s" in labels
    assert "GB/s" not in labels
    solve = dict(zip(labels, table.rows[2].cells, strict=True))
    assert (solve["total"].value, solve["calls"].value, solve["mean"].text) == (60 * MS, 3, "20.0")
    assert (solve["mean"].unit, solve["p50"].text) == ("ms", "20.0")
    assert "p95" not in labels, "three calls have none"
    assert solve["GFLOP/s"].text == "2"
    fit = dict(zip(labels, table.rows[0].cells, strict=True))
    assert fit["GFLOP/s"].value is None


def test_work_that_ran_at_once_has_its_wall_time() -> None:
    """Where threads were in a scope at once, the time of all and that on the clock are two columns."""
    builder = ProfileBuilder("workers")
    fit, part = scope("fit"), scope("part")
    spans = builder.spans([SpanRecord(0, 100 * MS, 0, fit), SpanRecord(10 * MS, 50 * MS, 1, part)])
    builder.add_track("main", pid=1, tid=1, spans=spans)
    for worker, start in ((2, 20), (3, 70)):
        sent = builder.spans(
            [
                SpanRecord(start * MS, (start + 20) * MS, 0, fit),
                SpanRecord(start * MS, (start + 20) * MS, 1, part),
            ]
        )
        sent = replace(sent, propagated=np.array([True, False]))
        builder.add_track("worker", pid=1, tid=worker, spans=sent)
    table = scopes_table(builder.build()).table
    labels = [column.label for column in table.columns]
    assert labels[:2] == ["wall", "CPU × workers"]
    assert table.sorted_by == 1
    assert {row.name: tuple(cell.value for cell in row.cells[:2]) for row in table.rows} == {
        "fit": (100 * MS, 140 * MS),
        "part": (60 * MS, 80 * MS),
    }
    assert labels[0] not in [column.label for column in scopes_table(training()).table.columns]


def test_columns_are_left_out_by_their_rank() -> None:
    """A narrow table has those without which it says nothing; each further one has its room, the least last."""
    columns = scopes_table(training()).table.columns
    assert [column.label for column in columns if not column.room] == ["total", "self", "calls"]
    ranked = sorted((column for column in columns if column.rank), key=lambda column: column.rank)
    widths = [column.room for column in ranked]
    assert widths == sorted(widths)
    assert len(set(widths)) == len(widths)


def test_functions_are_sorted_by_self_time() -> None:
    """The table of samples has every function with its own and all time, and samples on top."""
    table = functions_table(training()).table
    assert [(row.name, *(note.text for note in row.notes)) for row in table.rows] == [
        ("dgemm", "native · libblas.so"),
        ("train", "Python · fit.py:3"),
    ]
    assert [cell.text for cell in table.rows[1].cells] == ["40.0", "100.0", "40.0", "100", "4"]
    assert [cell.unit for cell in table.rows[1].cells] == ["±26.0", "±13.9", "ms", "ms", ""]


def test_callers_and_callees_are_in_the_page(tmp_path: Path) -> None:
    """The script is given each frame's callers and callees; recursion counts once."""
    page = page_of(training(), tmp_path / "out")
    data = page.data("table-scopes")
    names = [frame[0] for frame in data["frames"]]
    callers, callees = data["edges"][names.index("epoch")]
    assert callers == [[names.index("fit"), 90 * MS]]
    assert callees == [[names.index("solve"), 60 * MS]]
    assert data["edges"][names.index("fib")] == [[[-1, 40 * MS]], []]


def test_the_scopes_cost() -> None:
    """Their cost is that of one scope times their number, without propagated ones."""
    profile = training()
    assert scopes_cost_ns(profile) == 11 * 250
    track = profile.tracks[1]
    propagated = replace(track.spans, propagated=np.array([True, False, False, False]))
    assert scopes_cost_ns(replace(profile, tracks=(replace(track, spans=propagated),))) == 3 * 250
    assert scopes_cost_ns(replace(profile, recording=RecordingFacts())) is None


def test_the_policy_allows_what_stands_in_the_page_and_no_more(tmp_path: Path) -> None:
    """No handler and no style attribute; scripts and styles by hash; nothing from elsewhere but images."""
    page = page_of(training(), tmp_path / "out")
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert len(directives["script-src"].split()) == 4  # flame graphs, timelines, lines, the page's own
    assert "connect-src" not in directives
    for _, attributes in page.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
    elsewhere = [a.get("src") or a.get("href") for _, a in page.tags if "src" in a or "href" in a]
    assert [link for link in elsewhere if link and re.match(r"[a-z]+:|//", link)] == ["data:,"]  # no icon


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Every name is shown, as far as it prints, adds no element, and cannot end the data or be the policy."""
    page = page_of(run_of_profile(hostile(), title=HOSTILE[1]), tmp_path / "out")
    assert "img" not in {tag for tag, _ in page.tags}
    plain = page_of(training(), tmp_path / "plain")
    assert len(page.of("script")) == len(plain.of("script"))
    names = {frame[0] for frame in page.data("table-scopes")["frames"]}
    assert {printable(name) for name in HOSTILE} <= names
    for name in HOSTILE:
        assert " ".join(printable(name).split()) in page.text
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src")
    assert "the policy of this page" in page.text


def test_files_beside_the_page_are_linked(tmp_path: Path) -> None:
    """Speedscope files, folded stacks, and flame graphs are there, and each is linked."""
    page = page_of(training(), tmp_path)
    links = {a["href"] for a in page.of("a") if a["href"] and not a["href"].startswith("#")}
    expected = {"scopes.speedscope.json", "samples.speedscope.json", "samples.folded"}
    expected |= {"scopes.svg", "samples.svg"}
    assert expected <= links
    assert all((tmp_path / name).stat().st_size for name in expected)


@pytest.mark.parametrize("what", ["scopes", "samples", "nothing"])
def test_whatever_is_there(tmp_path: Path, what: str) -> None:
    """A profile of scopes alone, of samples alone or of nothing has a page of what it has."""
    profile = training()
    tracks = {
        "scopes": [replace(t, samples=None, counters=(), marks=None) for t in profile.tracks],
        "samples": [replace(t, spans=None, counters=(), marks=None) for t in profile.tracks[:1]],
        "nothing": [],
    }[what]
    page = page_of(replace(profile, tracks=tuple(tracks)), tmp_path)
    ids = {a.get("id") for a in page.of("div")}
    assert ("scopes" in ids, "samples" in ids) == (what == "scopes", what == "samples")
    assert ("Nothing was recorded" in page.text) == (what == "nothing")
    assert "points" not in {a.get("id") for a in page.of("details")}


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    """Damage, what was cut, stopped or not finished, and a failed program, stand at the top."""
    profile = training()
    spans = profile.tracks[1].spans
    tracks = (
        replace(profile.tracks[1], spans=replace(spans, unfinished=np.array([True, False, False, False]))),
    )
    facts = RecordingFacts(
        damaged=2, misnested=1, given_up_bytes=4096, stopped_full=True, stopped_by_error=True
    )
    run = replace(
        run_of_profile(replace(profile, tracks=tracks, recording=facts)), returncode=3, warnings=("slow",)
    )
    page = page_of(run, tmp_path)
    for words in (
        "slow", "exit code 3", "1 scope had not ended", "2 damaged places", "1 scope ended after", "4,096 bytes",
        "reached its max_bytes", "an error of the disk",
    ):  # fmt: skip
        assert words in page.text


def test_many_spans_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeline that would be too large for a page is thinned, and says so; what still is, is left out."""
    builder = ProfileBuilder("many")
    stack = builder.stack_of([Frame("step", kind=FrameKind.SCOPE)])
    start = np.arange(400_000, dtype=np.int64) * 100
    spans = Spans(
        np.full(len(start), stack, dtype=np.int32), start, start + 60, np.zeros(len(start), dtype=np.bool_)
    )
    builder.add_track("main", pid=1, tid=1, spans=spans)
    run = run_of_profile(builder.build())
    (timeline,) = profile_page._timelines(run, 30_000)
    assert timeline.chart is not None
    assert "is merged here" in timeline.note
    assert len(timeline.chart) < 1_000_000
    monkeypatch.setattr(profile_page, "MAX_BYTES", 1000)
    (timeline,) = profile_page._timelines(run, 30_000)
    assert timeline.chart is None
    assert "too large for a page" in timeline.note
    monkeypatch.setattr(profile_page, "MAX_BYTES", 20_000_000)
    (timeline,) = profile_page._timelines(run, 1_000_000)
    assert not timeline.note


def test_more_names_than_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are bounded: what took least is left out and counted, and its callers still know it by name."""
    monkeypatch.setattr(profile_tables, "MAX_ROWS", 10)
    builder = ProfileBuilder("wide")
    spans = builder.spans(
        [SpanRecord(0, 10_000, 0, scope("all"))]
        + [SpanRecord(100 * i, 100 * i + i + 1, 1, scope(f"f{i}")) for i in range(50)]
    )
    paths = [[Frame("top"), Frame(f"g{i}")] for i in range(50)]
    samples = builder.samples(
        [builder.stack_of(p) for p in paths], list(range(0, 5000, 100)), list(range(1, 51))
    )
    builder.add_track("main", pid=1, tid=1, spans=spans, samples=samples)
    profile = builder.build()
    table = scopes_table(profile)
    assert (len(table.table.rows), table.left_out) == (10, 41)
    callees = table.data["edges"][0][1]
    assert len(callees) == 50
    assert {table.data["frames"][other][0] for other, _ in callees} == {f"f{i}" for i in range(50)}
    functions = functions_table(profile)
    assert (len(functions.table.rows), functions.left_out) == (10, 41)
    assert "top" in [row.name for row in functions.table.rows]
    names = [frame[0] for frame in functions.data["frames"]]
    assert names[: len(functions.table.rows)] == [row.name for row in functions.table.rows]
    assert "41 more functions" in page_of(profile, tmp_path).text


def test_a_file_and_a_profile_folder(tmp_path: Path) -> None:
    """A file of any format can be read, and so can a folder that `workbench profile` wrote."""
    source = tmp_path / "run.speedscope.json"
    write_speedscope(training(), source)
    page = page_of(read_run(source), tmp_path / "one")
    assert "run.speedscope.json" in page.text
    folder = tmp_path / "profiled"
    write_report(run_of_profile(training()), folder)
    facts = {
        "program": ["fit.py", "-q"],
        "seconds": 1.5,
        "sampler": "py-spy",
        "rate": 50,
        "warnings": ["w <b>"],
    }
    (folder / "profile.json").write_text(json.dumps(facts))
    before = (folder / "samples.speedscope.json").read_bytes()
    page = page_of(read_run(folder), folder)
    assert all(
        words in page.text for words in ("fit.py -q", "1.5 s", "py-spy, 50 a second", "w <b>", "dgemm")
    )
    assert (folder / "samples.speedscope.json").read_bytes() == before
    assert load(folder / "scopes.speedscope.json").tracks


BROKEN = {
    "truncated": (b'{"program": ["a"', "is none that workbench profile wrote"),
    "odd facts": (b'{"program": 5, "warnings": {}}', "is none that workbench profile wrote"),
    "no number": (b'{"seconds": NaN}', "is none that workbench profile wrote"),
    "twice": (b'{"rate": 1, "rate": 2}', "is none that workbench profile wrote"),
    "a list": (b"[1, 2]", "is none that workbench profile wrote"),
    "deep": (b"[" * 200_000, "is none that workbench profile wrote"),
    "large": (b" " * (1 << 20) + b"{}", "is larger than any"),
    "bytes": (b"\xff\xfe", "is none that workbench profile wrote"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_summary(tmp_path: Path, what: str) -> None:
    """A damaged profile.json is one line that names it."""
    content, message = BROKEN[what]
    (tmp_path / "profile.json").write_bytes(content)
    (tmp_path / "samples.folded").write_text("a 1\n")
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_run(tmp_path)
    assert "profile.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_profile_folder_without_its_profiles(tmp_path: Path) -> None:
    """A folder whose recording and profiles are gone is named with what is missing."""
    (tmp_path / "profile.json").write_text("{}")
    (tmp_path / "samples.folded").write_text("")
    with pytest.raises(InvalidInputError, match="has neither a recording nor"):
        read_run(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the way is one line with the folder and the option."""
    (tmp_path / "out").write_text("")
    with pytest.raises(
        InvalidInputError, match=r"cannot write to .*out: it is a file; choose another folder"
    ):
        write_report(run_of_profile(training()), tmp_path / "out")
