"""Results: what was written is read, what is damaged is counted, what is foreign is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workbench import records
from workbench.bench.design.suite import AGAIN
from workbench.bench.results.lines import Arm, Head
from workbench.bench.results.results import FILE, read_results
from workbench.bench.results.writer import ResultsWriter
from workbench.errors import InvalidInputError, WorkbenchError

HEAD: dict[str, Any] = {
    "suite": "tiny",
    "baseline": "one",
    "variants": {"one": {}, "two": {}},
    "arms": ["one", "two", AGAIN],
    "descriptions": {},
    "targets": [],
    "delta": 0.02,
    "margin": 0.1,
    "started": "2026-01-01",
    "environment": {"packages": {}},
}


def arm_of(block: int, name: str, /, **changes: Any) -> Arm:
    found: Arm = msgspec.structs.replace(records.convert(arm(block, name), Arm), **changes)
    return found


RUN: Head = records.convert({"kind": "run", **HEAD}, Head)


def arm(block: int, name: str, /, **changes: Any) -> dict[str, Any]:
    line = {
        "kind": "arm",
        "block": block,
        "attempt": 0,
        "arm": name,
        "variant": "one" if name == AGAIN else name,
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
    """A run of two blocks, the second without its last arm."""
    writer = ResultsWriter(tmp_path / "run", RUN)
    for line in (
        arm_of(0, "two"),
        arm_of(0, AGAIN),
        arm_of(0, "one", error="boom"),
        arm_of(1, AGAIN),
        arm_of(1, "one"),
    ):
        writer.append(line)
    writer.close()
    return tmp_path / "run"


def test_what_is_written_is_read(folder: Path) -> None:
    """Arms come back in their order; a block counts when every arm ran, whether or not it failed."""
    results = read_results(folder)
    assert [(a.block, a.arm) for a in results.arms] == [
        (0, "two"),
        (0, AGAIN),
        (0, "one"),
        (1, AGAIN),
        (1, "one"),
    ]
    assert results.complete_blocks() == [0]
    assert results.values("one", [0]) == [None]
    assert results.values(AGAIN, [0]) == [arm_of(0, AGAIN)]
    assert results.torn == 0
    assert read_results(folder / FILE).arms == results.arms


def test_each_line_is_on_the_disk_before_the_next_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line is flushed and synced as it is appended, so that a kill takes none that was written."""
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    writer = ResultsWriter(tmp_path / "run", RUN)
    writer.append(arm_of(0, "one"))
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
        writer.append(arm_of(0, "one", value_s=float("nan")))
    writer.close()


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "arm", "block": 1, "vari',
        "[1, 2]",
        "null",
        "NaN",
        "[" * 100_000,
        '{"kind": "surprise"}',
        json.dumps(arm(1, "three")),
        json.dumps(arm(1, "two", block="1")),
        json.dumps(arm(1, "two", value_s="fast")),
        json.dumps(arm(1, "two", value_s=0)),
        json.dumps(arm(1, "two", value_s=True)),
        json.dumps(arm(1, "two", value_s=float("nan"))),
        json.dumps(arm(1, "two", value_s=float("inf"))),
        json.dumps(arm(1, "two", quality={"e": None})),
        json.dumps(arm(1, "two", quality=[1])),
        json.dumps(arm(1, "two", error=7)),
        json.dumps(arm(1, "two", arm=["two"])),
        json.dumps(arm(1, "two", curve=[[1.0]])),
        json.dumps(arm(1, "two", attempt=-1)),
        json.dumps({"kind": "plan", "blocks": "many"}),
        json.dumps(arm(1, "two", value_s=10**400)),
        json.dumps(arm(1, "two", value_s=1e300)).replace("1e+300", "9" * 5000),
        json.dumps(arm(1, "two")).replace('"error"', '"block": 1, "error"'),
        json.dumps(arm(1, "two", steps_s=["1"])),
        json.dumps({"kind": "table", "title": "", "note": "", "columns": ["a"], "rows": [[10**400]]}),
        json.dumps({"kind": "abandoned", "block": 1}),
        "\x00\x00\x00",
        "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    ],
)
def test_torn_and_strange_lines_are_left_out_and_counted(folder: Path, line: str) -> None:
    """A line that a kill cut short, or that is no result, is not taken for one and spoils none."""
    with (folder / FILE).open("a") as file:
        file.write(line + "\n" + json.dumps(arm(1, "two")) + "\n")
    results = read_results(folder)
    assert results.torn == 1
    assert results.complete_blocks() == [0, 1]


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        (json.dumps({"kind": "run", **HEAD, "schema": 1}), "has schema 1; this workbench reads schema 3"),
        (json.dumps({"kind": "arm"}), "does not describe a run"),
        (json.dumps({"kind": "run", "schema": 3}), "is damaged"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "baseline": "three"}), "is damaged"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "baseline": []}), "is damaged"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "delta": 10**400}), r"damaged.*out of range"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "sides": {"a": None}}), r"damaged.*sides"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "scaling": "n_jobs"}), r"damaged.*scaling"),
        (json.dumps({"kind": "run", "schema": 3, **HEAD, "pairs": {"one": ["one", "x"]}}), "names no arm"),
        ("", "does not describe a run"),
        ("no JSON", "does not describe a run"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, first: str, complaint: str) -> None:
    """Another schema, or a file of something else, is named and not misread."""
    (tmp_path / FILE).write_text(first + "\n" + json.dumps(arm(0, "one")) + "\n")
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


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """A path that is a file, or below one, is refused with what is wrong."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInputError, match="it is a file"):
        ResultsWriter(tmp_path / "file", RUN)
    with pytest.raises(InvalidInputError, match="file is a file; choose another folder"):
        ResultsWriter(tmp_path / "file" / "run", RUN)


def test_the_first_figure_stands_for_quality_unless_the_suite_names_one(folder: Path) -> None:
    """A suite that names no figure is compared by the first that its arms give."""
    assert read_results(folder).quality == "e"


def test_results_of_the_earlier_schema_are_read(folder: Path) -> None:
    """Schema 2, whose plan has one number of loops for all variants, is read as what it says."""
    path = folder / FILE
    plan = {"kind": "plan", "blocks": 1, "why": "enough", "loops": 8, "values": 5}
    path.write_text(path.read_text().replace('"schema": 3', '"schema": 2') + json.dumps(plan) + "\n")
    results = read_results(folder)
    assert (results.complete_blocks(), results.torn) == ([0], 0)
    assert results.plan is not None
    assert results.plan.loops == {"one": 8, "two": 8}


def test_an_abandoned_block_counts_for_nothing(folder: Path) -> None:
    """Of a block that was cut only the attempt that came behind is read; the plan that counts is the last."""
    lines = [
        {"kind": "plan", "blocks": 0, "why": "not known yet", "loops": {}, "values": {}},
        {"kind": "abandoned", "block": 1, "attempt": 0},
        *(arm(1, name, attempt=1, value_s=2.0) for name in ("one", AGAIN, "two")),
        {"kind": "plan", "blocks": 2, "why": "enough", "loops": {}, "values": {}},
    ]
    with (folder / FILE).open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    results = read_results(folder)
    assert (results.complete_blocks(), results.torn, results.abandoned) == ([0, 1], 0, {1: 1})
    assert [a.value_s for a in results.arms if a.block == 1] == [2.0, 2.0, 2.0]
    assert results.plan is not None
    assert results.plan.blocks == 2


def test_a_torn_tail_is_cut_before_more_is_written(folder: Path) -> None:
    """What a kill left of the last line is cut when the run is gone on with, so that the next line is whole."""
    with (folder / FILE).open("a") as file:
        file.write('{"kind": "arm", "blo')
    writer = ResultsWriter(folder, RUN, resumed=True)
    writer.append(arm_of(1, "two"))
    writer.close()
    results = read_results(folder)
    assert (results.complete_blocks(), results.torn) == ([0, 1], 0)


def test_one_process_alone_writes(folder: Path) -> None:
    """A run that is being measured is not gone on with by another process."""
    writer = ResultsWriter(folder, RUN, resumed=True)
    with pytest.raises(WorkbenchError, match="writing there already"):
        ResultsWriter(folder, RUN, resumed=True)
    writer.close()
    ResultsWriter(folder, RUN, resumed=True).close()
