"""Results: what was written is read, what is damaged is counted, what is foreign is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench import records
from workbench.bench.analysis.analysis import analyse
from workbench.bench.compare.gate import Limits
from workbench.bench.compare.sessions import compare_sessions
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.export import export
from workbench.bench.results.lines import Head, Run
from workbench.bench.results.results import FILE, read_results
from workbench.bench.results.writer import ResultsWriter
from workbench.errors import InvalidInputError, WorkbenchError

STORED = Path(__file__).parent / "stored" / "schema-3"
"""An experiment as an earlier version stored it."""
HEAD: dict[str, Any] = {
    "schema": 4,
    "suite": "tiny",
    "baseline": "one",
    "variants": {"one": {}, "two": {}},
    "runs": ["one", "two", AA_CONTROL],
    "descriptions": {},
    "targets": [],
    "delta": 0.02,
    "margin": 0.1,
    "started": "2026-01-01",
    "environment": {"packages": {}},
}


def run_of(number: int, name: str, /, **changes: Any) -> Run:
    found: Run = msgspec.structs.replace(records.convert(run(number, name), Run), **changes)
    return found


RUN: Head = records.convert({"kind": "experiment", **HEAD}, Head)


def run(number: int, name: str, /, **changes: Any) -> dict[str, Any]:
    line = {
        "kind": "run",
        "round": number,
        "attempt": 0,
        "name": name,
        "variant": "one" if name == AA_CONTROL else name,
        "error": None,
        "value_s": 1.0,
        "values_s": [1.0],
        "loops": 1,
        "steps_s": [],
        "quality": {"e": 1},
        "curve": [],
    }
    return line | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two rounds, the second without its last run."""
    writer = ResultsWriter(tmp_path / "run", RUN)
    for line in (
        run_of(0, "two"),
        run_of(0, AA_CONTROL),
        run_of(0, "one", error="boom"),
        run_of(1, AA_CONTROL),
        run_of(1, "one"),
    ):
        writer.append(line)
    writer.close()
    return tmp_path / "run"


def test_what_is_written_is_read(folder: Path) -> None:
    """Runs come back in their order; a round counts when every run ran, whether or not it failed."""
    results = read_results(folder)
    assert [(a.round, a.name) for a in results.runs] == [
        (0, "two"),
        (0, AA_CONTROL),
        (0, "one"),
        (1, AA_CONTROL),
        (1, "one"),
    ]
    assert results.complete_rounds() == [0]
    assert results.values("one", [0]) == [None]
    assert results.values(AA_CONTROL, [0]) == [run_of(0, AA_CONTROL)]
    assert results.torn == 0
    assert read_results(folder / FILE).runs == results.runs


def test_each_line_is_on_the_disk_before_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line is flushed and synced as it is appended, so that a kill takes none that was written."""
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    writer = ResultsWriter(tmp_path / "run", RUN)
    writer.append(run_of(0, "one"))
    text = (tmp_path / "run" / FILE).read_bytes()
    assert [sizes[0], sizes[-1]] == [
        text.index(b"\n") + 1,
        len(text),
    ]  # between them the folder, for its new name
    writer.close()


def test_results_are_strict_json(tmp_path: Path) -> None:
    """NaN and infinities, which JSON does not have, are never written."""
    writer = ResultsWriter(tmp_path / "run", RUN)
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.append(run_of(0, "one", value_s=float("nan")))
    writer.close()


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "run", "round": 1, "vari',
        "[1, 2]",
        "null",
        "NaN",
        "[" * 100_000,
        '{"kind": "surprise"}',
        json.dumps(run(1, "three")),
        json.dumps(run(1, "two", round="1")),
        json.dumps(run(1, "two", value_s="fast")),
        json.dumps(run(1, "two", value_s=0)),
        json.dumps(run(1, "two", value_s=True)),
        json.dumps(run(1, "two", value_s=float("nan"))),
        json.dumps(run(1, "two", value_s=float("inf"))),
        json.dumps(run(1, "two", quality={"e": None})),
        json.dumps(run(1, "two", quality=[1])),
        json.dumps(run(1, "two", error=7)),
        json.dumps(run(1, "two", name=["two"])),
        json.dumps(run(1, "two", curve=[[1.0]])),
        json.dumps(run(1, "two", attempt=-1)),
        json.dumps({"kind": "plan", "rounds": "many"}),
        json.dumps(run(1, "two", value_s=10**400)),
        json.dumps(run(1, "two", value_s=1e300)).replace("1e+300", "9" * 5000),
        json.dumps(run(1, "two")).replace('"error"', '"round": 1, "error"'),
        json.dumps(run(1, "two", steps_s=["1"])),
        json.dumps({"kind": "table", "title": "", "note": "", "columns": ["a"], "rows": [[10**400]]}),
        json.dumps({"kind": "abandoned", "round": 1}),
        "\x00\x00\x00",
        "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    ],
)
def test_torn_and_strange_lines_are_left_out_and_counted(folder: Path, line: str) -> None:
    """A line that a kill cut short, or that is no result, is not taken for one and spoils none."""
    with (folder / FILE).open("a") as file:
        file.write(line + "\n" + json.dumps(run(1, "two")) + "\n")
    results = read_results(folder)
    assert results.torn == 1
    assert results.complete_rounds() == [0, 1]


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        (
            json.dumps({"kind": "run", **HEAD, "schema": 1}),
            "has schema 1; this workbench reads schemas 2 to 4",
        ),
        (json.dumps({"kind": "plan"}), "does not describe an experiment"),
        (json.dumps({"kind": "experiment", "schema": 4}), "is damaged"),
        (json.dumps({"kind": "experiment", **HEAD, "baseline": "three"}), "is damaged"),
        (json.dumps({"kind": "experiment", **HEAD, "baseline": []}), "is damaged"),
        (json.dumps({"kind": "experiment", **HEAD, "delta": 10**400}), r"damaged.*out of range"),
        (json.dumps({"kind": "experiment", **HEAD, "sides": {"a": None}}), r"damaged.*sides"),
        (json.dumps({"kind": "experiment", **HEAD, "scaling": "n_jobs"}), r"damaged.*scaling"),
        (json.dumps({"kind": "experiment", **HEAD, "pairs": {"one": ["one", "x"]}}), "names no run"),
        ("", "does not describe an experiment"),
        ("no JSON", "does not describe an experiment"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, first: str, complaint: str) -> None:
    """Another schema, or a file of something else, is named and not misread."""
    (tmp_path / FILE).write_text(first + "\n" + json.dumps(run(0, "one")) + "\n")
    with pytest.raises(InvalidInputError, match=complaint):
        read_results(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    """The message names the folder and the file that it lacks."""
    with pytest.raises(InvalidInputError, match=r"holds no results: results\.jsonl"):
        read_results(tmp_path)


def test_an_existing_run_is_not_touched(folder: Path) -> None:
    """Runs are never mixed: a folder that holds results is refused and stays as it is."""
    before = (folder / FILE).read_bytes()
    with pytest.raises(WorkbenchError, match="already holds results"):
        ResultsWriter(folder, RUN)
    assert (folder / FILE).read_bytes() == before


def test_an_empty_file_of_that_name_is_not_ours(tmp_path: Path) -> None:
    """It is refused in one line and stays empty: ours gets its name with its first line, and nothing is left of it."""
    (tmp_path / FILE).touch()
    with pytest.raises(
        InvalidInputError, match=r"results\.jsonl is in the way and was not written by workbench"
    ):
        ResultsWriter(tmp_path, RUN)
    assert (tmp_path / FILE).read_bytes() == b""
    ResultsWriter(tmp_path / "new", RUN).close()
    assert read_results(tmp_path / "new").head == RUN
    assert {path.name for path in (tmp_path / "new").iterdir() if not path.name.startswith(".")} == {FILE}
    assert not list((tmp_path / "new").glob(f".workbench-*{FILE}"))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """A path that is a file, or below one, is refused with what is wrong."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInputError, match="it is a file"):
        ResultsWriter(tmp_path / "file", RUN)
    with pytest.raises(InvalidInputError, match="file is a file; choose another folder"):
        ResultsWriter(tmp_path / "file" / "run", RUN)


def test_the_first_figure_stands_for_quality_unless_the_suite_names_one(folder: Path) -> None:
    """A suite that names no figure is compared by the first that its runs give."""
    assert read_results(folder).quality == "e"


@pytest.mark.parametrize("schema", [2, 3])
def test_results_of_earlier_schemas_are_read(tmp_path: Path, schema: int) -> None:
    """Stored experiments, which call a run "arm" and a round "block", are read, shown, exported and compared."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED, folder)
    path = folder / FILE
    if schema == 2:  # one number of loops and of values for all variants
        text = path.read_text().replace('"schema": 3', '"schema": 2')
        path.write_text(re.sub(r'"(loops|values)": \{"quick": (\d+)[^}]*\}', r'"\1": \2', text))
    results = read_results(folder)
    assert (results.complete_rounds(), results.torn, results.planned) == ([0, 1, 2, 3, 4, 5], 0, 6)
    assert {run.name: run.variant for run in results.runs} == {
        "quick": "quick",
        "merge": "merge",
        AA_CONTROL: "quick",
    }
    assert results.plan is not None
    assert results.plan.values == {"quick": 5, "merge": 5}
    assert "slower" in analyse(results).sentences()["merge"]
    assert export(results, "csv").count(b"\n") == 19
    assert compare_sessions([results], [read_results(STORED)], Limits()).verdict == "inconclusive"


def test_an_experiment_of_an_earlier_schema_is_resumed(tmp_path: Path) -> None:
    """Lines of this schema are added behind those of an earlier one, and both are read."""
    shutil.copytree(STORED, tmp_path / "stored")
    head = read_results(STORED).head
    writer = ResultsWriter(tmp_path / "stored", head, resumed=True)
    for name in head.runs:
        writer.append(run_of(6, name, quality={"disorder": 0.0}))
    writer.close()
    assert read_results(tmp_path / "stored").complete_rounds() == list(range(7))


def test_an_abandoned_round_counts_for_nothing(folder: Path) -> None:
    """Of a round that was cut only the attempt that came behind is read; the plan that counts is the last."""
    lines = [
        {"kind": "plan", "rounds": 0, "why": "not known yet", "loops": {}, "values": {}},
        {"kind": "abandoned", "round": 1, "attempt": 0},
        *(run(1, name, attempt=1, value_s=2.0) for name in ("one", AA_CONTROL, "two")),
        {"kind": "plan", "rounds": 2, "why": "enough", "loops": {}, "values": {}},
    ]
    with (folder / FILE).open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    results = read_results(folder)
    assert (results.complete_rounds(), results.torn, results.abandoned) == ([0, 1], 0, {1: 1})
    assert [a.value_s for a in results.runs if a.round == 1] == [2.0, 2.0, 2.0]
    assert results.plan is not None
    assert results.plan.rounds == 2


def test_a_torn_tail_is_cut_before_more_is_written(folder: Path) -> None:
    """What a kill left of the last line is cut when the run is resumed, so that the next line is whole."""
    with (folder / FILE).open("a") as file:
        file.write('{"kind": "run", "rou')
    writer = ResultsWriter(folder, RUN, resumed=True)
    writer.append(run_of(1, "two"))
    writer.close()
    results = read_results(folder)
    assert (results.complete_rounds(), results.torn) == ([0, 1], 0)


def test_one_process_alone_writes(folder: Path) -> None:
    """A run that is being measured is not resumed by another process."""
    writer = ResultsWriter(folder, RUN, resumed=True)
    with pytest.raises(WorkbenchError, match="writing there already"):
        ResultsWriter(folder, RUN, resumed=True)
    writer.close()
    ResultsWriter(folder, RUN, resumed=True).close()
