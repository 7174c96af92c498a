"""Exports: each is read by its real reader, or by that reader's own rules, and says what the run says."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import jsonschema
import pyperf
import pytest

from tests.helpers.bench_runs import write_experiment
from tests.helpers.hostile import HOSTILE
from workbench.bench.export import COLUMNS, FORMATS, export, write_export
from workbench.bench.results.results import Results
from workbench.errors import InvalidInputError, WorkbenchError

# Written from https://bencher.dev/bmf.json and the name rules of its parser (lib/bencher_valid): a measure has a value
# and up to two bounds, names are not empty, begin and end with no space, and have an end.
METRIC = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
    "required": ["value"],
    "additionalProperties": False,
}
BENCHER = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": r"^\S(.*\S)?$"},
        "required": ["latency"],
        "additionalProperties": METRIC,
    },
}


@pytest.fixture
def run(tmp_path: Path) -> Results:
    """A run of two variants in six rounds, the second twice as slow and with ten times the error."""
    exact = [(0.010 + 0.0001 * number, 1e-4) for number in range(6)]
    fast = [(0.020 + 0.0001 * number, 1e-3) for number in range(6)]
    return write_experiment(tmp_path / "run", {"exact": exact, "fast": fast})


@pytest.fixture
def ragged(tmp_path: Path) -> Results:
    """A run with failures, a variant that never worked, and a last round that was cut."""
    return write_experiment(
        tmp_path / "ragged",
        {"exact": [0.5, "it broke", 0.5, 0.5], "never": ["no", "no", "no", "no"], "half": ["no", 0.25, 0.25]},
    )


def loaded(content: bytes) -> Any:
    """Return what JSON says, and fail where it holds what no number is."""
    return json.loads(content, parse_constant=pytest.fail)


def test_pyperf_reads_a_benchmark_for_each_variant(run: Results, tmp_path: Path) -> None:
    """Pyperf's own loader finds each variant, a run for each process with its kept values, and no warmup."""
    path = tmp_path / "run.json"
    path.write_bytes(export(run, "pyperf"))
    suite = pyperf.BenchmarkSuite.load(str(path))
    assert suite.get_benchmark_names() == ["tiny/exact", "tiny/fast"]
    fast = suite.get_benchmark("tiny/fast")
    assert fast.get_unit() == "second"
    assert [each.values for each in fast.get_runs()] == [(0.020 + 0.0001 * number,) for number in range(6)]
    assert not any(each.warmups for each in fast.get_runs())
    assert fast.median() == pytest.approx(0.02025)
    assert suite.get_metadata()["cpu_model_name"] == "a machine"


def test_pyperf_gets_what_a_value_was_made_of(tmp_path: Path) -> None:
    """Kept values and their loops go as they are; of a run in steps the steps go, without the first."""
    runs = [
        {"value_s": 1e-6, "values_s": [1e-6, 2e-6], "loops": 64, "steps_s": [], "quality": {}},
        {"value_s": 0.5, "values_s": [9.0], "loops": 1, "steps_s": [8.0, 0.5, 0.5], "quality": {}},
    ]
    results = write_experiment(tmp_path / "run", {"one": runs})
    benchmark = pyperf.Benchmark.loads(export(results, "pyperf").decode())
    assert [each.values for each in benchmark.get_runs()] == [(1e-6, 2e-6), (0.5, 0.5)]
    assert [each.get_loops() for each in benchmark.get_runs()] == [64, 1]


def test_bencher_gets_nanoseconds_and_quality(run: Results) -> None:
    """Latency is in nanoseconds, as Bencher's measure of that name is, and quality stands beside it under its name."""
    found = loaded(export(run, "bencher"))
    jsonschema.validate(found, BENCHER)
    assert list(found) == ["tiny/exact", "tiny/fast"]
    latency = found["tiny/fast"]["latency"]
    assert latency["value"] == pytest.approx(20.25e6)
    assert latency["lower_value"] == pytest.approx(20.0e6)
    assert latency["upper_value"] == pytest.approx(20.5e6)
    assert found["tiny/fast"]["error"]["value"] == 1e-3
    assert found["tiny/fast"]["peak-memory"]["upper_value"] == 90_000_000


def test_a_figure_called_latency_does_not_take_the_place_of_the_time(tmp_path: Path) -> None:
    """Whatever a suite calls its figures, each measure is there once, under a name that Bencher takes."""
    names = ["latency", "peak-memory", "x" * 100, "x" * 100 + "y", " ", "é" * 60]
    runs = [{"value_s": 2.0, "quality": {name: i + 1.0 for i, name in enumerate(names)}}] * 6
    found = loaded(export(write_experiment(tmp_path / "run", {"one": runs}, quality=None), "bencher"))
    jsonschema.validate(found, BENCHER)
    measures = found["tiny/one"]
    assert measures["latency"]["value"] == 2e9
    assert sorted(each["value"] for each in measures.values()) == [1, 2, 3, 4, 5, 6, 90e6, 2e9]
    assert all(len(name.encode()) <= 64 for name in measures)


def accepted_by_the_action(entries: Any) -> bool:
    """Return whether github-action-benchmark takes this, by the rules of its src/extract.ts and extractRangeInfo.ts."""
    if not isinstance(entries, list) or not entries:  # "No benchmark result was found"
        return False
    for entry in entries:
        texts = [entry["name"], entry["unit"], entry.get("range", ""), entry.get("extra", "")]
        if not all(isinstance(text, str) for text in texts) or set(entry) - {
            "name", "unit", "value", "range", "extra",
        }:  # fmt: skip
            return False
        if isinstance(entry["value"], bool) or not isinstance(entry["value"], int | float):
            return False
        if "range" in entry:  # only of such a one does the action convert the unit
            match = re.search(r"(?:\+-|±)\s*(\d.*)", entry["range"])
            if match is None or not math.isfinite(float(match[1])):
                return False
    return True


def test_the_action_gets_times_and_quality_of_which_smaller_is_better(run: Results) -> None:
    """Each variant has its time in a unit that the action knows, and its figure, with half the interval's width."""
    found = loaded(export(run, "github"))
    assert accepted_by_the_action(found)
    by_name = {entry["name"]: entry for entry in found}
    figures = ["", ": error", ": peak memory"]
    assert list(by_name) == [f"tiny/{name}{each}" for name in ("exact", "fast") for each in figures]
    time = by_name["tiny/fast"]
    assert (time["value"], time["unit"], time["range"]) == (20.25, "ms", "± 0.25")
    assert "6 rounds" in time["extra"]
    assert "slower" in time["extra"]
    assert by_name["tiny/fast: error"]["value"] == 1e-3
    memory = by_name["tiny/fast: peak memory"]
    assert (memory["value"], memory["unit"], memory["range"]) == (90, "MB", "± 0")


@pytest.mark.parametrize(
    ("seconds", "unit"), [(90.0, "s"), (0.5, "ms"), (5e-6, "us"), (3e-9, "ns"), (1e-12, "ns")]
)
def test_units_are_those_that_the_action_converts(tmp_path: Path, seconds: float, unit: str) -> None:
    """Seconds to nanoseconds, by size: between them the action converts when a later run has another."""
    entry = loaded(export(write_experiment(tmp_path / "run", {"one": [seconds] * 6}), "github"))[0]
    assert entry["unit"] == unit
    assert entry["value"] * {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit] == pytest.approx(seconds)


def test_a_figure_without_a_ratio_does_not_go_to_the_action(tmp_path: Path) -> None:
    """The action divides; a negative figure would turn its alerts around."""
    runs = [{"value_s": 1.0, "quality": {"score": -2.0, "zero": 0.0}, "peak_rss_bytes": None}] * 6
    found = loaded(export(write_experiment(tmp_path / "run", {"one": runs}, quality=None), "github"))
    assert [entry["name"] for entry in found] == ["tiny/one", "tiny/one: zero"]


@pytest.mark.parametrize("to", ["bencher", "github"])
def test_too_few_rounds_have_no_range(tmp_path: Path, to: str) -> None:
    """Fewer rounds than an interval takes give a value alone: no bound is exported that does not hold."""
    text = export(write_experiment(tmp_path / "run", {"one": [1.0, 2.0, 3.0]}), to).decode()
    assert "value" in text
    assert "lower_value" not in text
    assert "range" not in text


def test_the_table_has_a_line_for_each_run(ragged: Results) -> None:
    """Failed runs and the second copy of the baseline are in the table, under columns that do not change."""
    table = list(csv.DictReader(export(ragged, "csv").decode().splitlines()))
    assert tuple(table[0])[: len(COLUMNS)] == COLUMNS
    assert len(table) == len(ragged.runs)
    assert [line["name"] for line in table[:4]] == ["exact", "never", "half", "A/A control"]
    broken = next(line for line in table if line["error"] == "it broke")
    assert (broken["round"], broken["variant"], broken["value_s"]) == ("1", "exact", "")
    assert {line["variant"] for line in table if line["name"] == "A/A control"} == {"exact"}


def test_the_table_holds_options_and_figures(tmp_path: Path) -> None:
    """Each option of a variant and each figure has a column, so that a table can be grouped by them."""
    variants = {"a": {"tanh": "exact"}, "b": {"tanh": "fast", "jobs": 2}}
    runs = {name: [{"value_s": 1.0, "quality": {"MSE, mean": 0.5}}] for name in variants}
    text = export(write_experiment(tmp_path / "run", runs, variants=variants), "csv").decode()
    line = next(line for line in csv.DictReader(text.splitlines()) if line["name"] == "b")
    assert (line["option: tanh"], line["option: jobs"], line["quality: MSE, mean"]) == ("fast", "2", "0.5")


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_what_failed_is_left_out(ragged: Results, to: str) -> None:
    """A variant that never worked has no result in any tool's format, and the others have theirs."""
    text = export(ragged, to).decode()
    if to != "csv":
        assert "never" not in text
    assert "half" in text


@pytest.mark.parametrize("to", ["pyperf", "bencher", "github"])
def test_a_run_without_a_complete_round_is_one_line(tmp_path: Path, to: str) -> None:
    """Nothing complete is nothing to export, and said so."""
    results = write_experiment(tmp_path / "run", {"one": [1.0]}, again=[])
    with pytest.raises(InvalidInputError, match="holds no complete round"):
        export(results, to)


@pytest.mark.parametrize("to", sorted(FORMATS))
def test_any_name_can_be_exported(tmp_path: Path, to: str) -> None:
    """Names with lines, controls, quotes, half characters or no end go out in a form that is read."""
    names = [*HOSTILE[:11], *(f"{name}\n" for name in HOSTILE[:11])]
    runs = {name: [(1.0 + i, 1.0)] * 6 for i, name in enumerate(names)}
    content = export(write_experiment(tmp_path / "run", runs, suite="".join(HOSTILE), quality=None), to)
    text = content.decode("utf-8")
    if to == "pyperf":
        assert len(pyperf.BenchmarkSuite.loads(text)) == len(names)
    elif to == "bencher":
        jsonschema.validate(loaded(content), BENCHER)
        assert len(loaded(content)) == len(names)
        assert "\\ud800" not in text  # Rust has no such strings
    elif to == "github":
        assert accepted_by_the_action(loaded(content))
        assert len({entry["name"] for entry in loaded(content)}) == 3 * len(names)
    else:
        assert len(list(csv.reader(io.StringIO(text, newline="")))) == 1 + 6 * (len(names) + 1)


def test_a_number_too_large_is_refused(tmp_path: Path) -> None:
    """Where a conversion leaves the numbers, no infinity is written: JSON has none."""
    with pytest.raises(InvalidInputError, match="too large"):
        export(write_experiment(tmp_path / "run", {"one": [1e305] * 6}), "bencher")


def test_an_unknown_format_is_named_with_the_nearest(run: Results) -> None:
    """A wrong format is one line with those that there are."""
    with pytest.raises(InvalidInputError, match="unknown format 'pyprf': did you mean 'pyperf'"):
        export(run, "pyprf")


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up leaves the old file, and nothing beside it."""
    path = tmp_path / "out.json"
    write_export(b"old", path)

    def full(self: Path, content: bytes) -> None:
        self.open("wb").write(content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WorkbenchError, match=r"cannot write .*: No space left on device"):
        write_export(b"new", path)
    assert path.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == [".workbench.json", "out.json"]


def test_cells_are_no_formulas(tmp_path: Path) -> None:
    """Text that a spreadsheet would run has an apostrophe before it; numbers stay numbers."""
    name = "=HYPERLINK(A1)"
    runs = {"base": [{"value_s": 1.0, "quality": {"@e": -2.5}}], name: [1.0]}
    variants: dict[str, Any] = {"base": {"x": -1}, name: {"x": "+1"}}
    run = write_experiment(tmp_path / "run", runs, variants=variants, suite="-tiny")
    table = list(csv.DictReader(export(run, "csv").decode().splitlines()))
    assert {row["suite"] for row in table} == {"'-tiny"}
    assert [row["variant"] for row in table] == ["base", f"'{name}", "base"]
    assert [row["option: x"] for row in table] == ["-1", "'+1", "-1"]
    assert table[0]["quality: @e"] == "-2.5"
