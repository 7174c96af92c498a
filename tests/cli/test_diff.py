"""`workbench diff`: what differs by more than noise, a flame graph, a gate, and one line for bad input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from tests.helpers.profile_sets import SCOPES, write_profile, write_set
from workbench.cli.diff import command
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.scopes import record, scope


def write_folded(path: Path, **weights: int) -> Path:
    path.write_text("".join(f"main;{name} {weight}\n" for name, weight in weights.items()))
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    before = write_folded(tmp_path / "before.folded", solve=300_000, tanh=600_000, gone=100_000)
    after = write_folded(tmp_path / "after.folded", solve=450_000, tanh=150_000, new=150_000)
    return str(before), str(after)


@pytest.fixture
def sets(tmp_path: Path) -> tuple[str, str]:
    """Two sets of eight profiles; the second takes 10 % more in solve."""
    return (
        str(write_set(tmp_path / "old", 8, seed=1)),
        str(write_set(tmp_path / "new", 8, seed=2, solve=1.1)),
    )


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert done.exit_code == code
    return done.stdout


def as_json(*arguments: str, code: int = 0) -> Any:
    """Return the JSON, which is as the published schema says."""
    found = json.loads(run(*arguments, "--json", code=code))
    schema = resources.files("workbench.report.profile").joinpath("difference.schema.json").read_text()
    jsonschema.Draft202012Validator(json.loads(schema)).validate(found)
    return found


def findings(found: Any, what: str = "self") -> dict[str, str]:
    return {each["name"]: each["finding"] for each in found["changes"] if each["what"] == what}


def test_absolute_times_and_the_flame_graph(tmp_path: Path, pair: tuple[str, str]) -> None:
    """By default times are compared as measured, the largest change first; the flame graph is written."""
    out = tmp_path / "out.svg"
    lines = run(*pair, "-o", str(out)).splitlines()
    assert lines[0] == "Wall time 1 s → 750 ms (−25.0 %), this run only."
    rows = [line.split() for line in lines if "ms" in line and "→" not in line]
    assert rows[0][:5] == ["600", "ms", "150", "ms", "−450"]
    assert {"tanh", "solve", "new", "gone"} <= {word for row in rows for word in row}
    assert run(*pair, "--absolute") == run(*pair)
    svg = out.read_text(encoding="utf-8")
    assert "before.folded → after.folded" in svg
    ET.fromstring(svg)


def test_relative_scales_to_one_total(pair: tuple[str, str]) -> None:
    """With --relative both sides have the same total, and it is said."""
    found = as_json(*pair, "--relative")
    assert found["relative"] is True
    assert found["before_ns"] == found["after_ns"] == 750_000_000
    by_name = {change["name"]: change for change in found["changes"] if change["what"] == "self"}
    assert by_name["tanh"]["before_ns"] == 450_000_000
    assert by_name["gone"]["after_ns"] == by_name["new"]["before_ns"] == 0
    assert "shares of samples are compared" in run(*pair, "--relative")


def test_one_profile_of_a_side_has_no_verdict(pair: tuple[str, str]) -> None:
    """Intervals are of the sampling alone, are said to be of this run only, and nothing is slower or faster."""
    found = as_json(*pair)
    assert found["intervals"] == "sampling, this run only"
    assert not {"slower", "faster"} & {*findings(found).values(), found["wall"]["finding"]}
    text = run(*pair)
    assert "this run only" in text
    assert "does not show whether one is slower" in text
    for each in found["changes"]:
        ratio = each["ratio"]
        if ratio and None not in ratio.values():
            assert ratio["low"] <= ratio["value"] <= ratio["high"]


def test_sets_are_compared_between_runs(sets: tuple[str, str]) -> None:
    """Of two sets what was slowed down is slower, by about as much; the rest is within noise."""
    found = as_json(*sets)
    assert (found["profiles"], found["intervals"]) == (8, "between runs")
    assert findings(found) == {"solve": "slower", "load": "within noise", "fit": "within noise"}
    solve = next(each for each in found["changes"] if each["name"] == "solve")
    assert solve["ratio"]["low"] < 1.1 < solve["ratio"]["high"]
    assert solve["ratio"]["confidence"] >= 0.95
    assert "Beyond noise: solve +" in run(*sets)
    assert "solve  slower" in run(*sets)


def test_equal_programs_differ_by_noise(tmp_path: Path) -> None:
    """Of two sets of one program nothing is said to differ."""
    one, two = (write_set(tmp_path / str(seed), 8, seed=seed) for seed in (3, 4))
    found = as_json(str(one), str(two))
    assert set(findings(found).values()) == {"within noise"}
    assert found["wall"]["finding"] == "within noise"
    assert "none differs by more than noise" in run(str(one), str(two))


def test_one_odd_run_hides_nothing(tmp_path: Path, sets: tuple[str, str]) -> None:
    """A run that was ten times slower changes neither what is found nor the times that are shown by much."""
    odd = tmp_path / "new" / "3"
    for path in odd.iterdir():
        path.unlink()
    odd.rmdir()
    write_profile(odd, {name: 10 * ms for name, ms in SCOPES.items()})
    found = as_json(*sets)
    assert findings(found)["solve"] == "slower"
    assert findings(found)["load"] == "within noise"
    assert next(each for each in found["changes"] if each["name"] == "load")["after_ns"] < 400e6


def test_calls_that_differ_are_said(tmp_path: Path) -> None:
    """Where a scope was entered more often, both counts and the change of one call are there."""
    one = write_profile(tmp_path / "one", {"solve": 100}, calls=2)
    two = write_profile(tmp_path / "two", {"solve": 150}, calls=5)
    assert "solve (calls 2 → 5, per call −40.0 %)" in run(str(one), str(two))
    (solve,) = (each for each in as_json(str(one), str(two))["changes"] if each["name"] == "solve")
    assert solve["per_call"]["value"] == pytest.approx(0.6)
    assert solve["per_call"]["confidence"] == 1


def test_the_change_of_a_call_has_an_interval(tmp_path: Path) -> None:
    """Of sets the change of one call has an interval between runs, as all that is estimated."""
    one = write_set(tmp_path / "one", 6, seed=1)
    two = write_set(tmp_path / "two", 6, seed=2, calls=2)
    (solve,) = (each for each in as_json(str(one), str(two))["changes"] if each["name"] == "solve")
    assert (solve["before_calls"], solve["after_calls"], solve["finding"]) == (1, 2, "within noise")
    assert 0.4 < solve["per_call"]["low"] < 0.5 < solve["per_call"]["high"] < 0.6
    assert re.search(r"calls 1 → 2, per call −\d+\.\d % \[−", run(str(one), str(two)))


@pytest.mark.parametrize(
    ("limit", "code", "verdict"), [("5%", 1, "regression"), ("20%", 0, "fine"), ("10%", 3, "inconclusive")]
)
def test_the_gate(sets: tuple[str, str], limit: str, code: int, verdict: str) -> None:
    """A scope above the limit is a regression, below it fine, and neither is inconclusive; the exit code says so."""
    found = as_json(*sets, "--fail-slower", limit, "--scope", "solve", code=code)
    assert found["gate"]["verdict"] == verdict
    assert run(*sets, "--fail-slower", limit, "--scope", "solve", code=code).startswith(verdict.upper())


def test_the_gate_on_wall_time(sets: tuple[str, str]) -> None:
    """Without a scope wall time is judged: 2 % more is below 5 %."""
    assert "FINE: wall time 1.0" in run(*sets, "--fail-slower", "5%")


@pytest.mark.parametrize("count", [1, 5])
def test_too_few_profiles_pass_no_gate(tmp_path: Path, count: int) -> None:
    """With fewer than six of a side the gate is inconclusive, however large the difference is."""
    one = write_set(tmp_path / "one", count, seed=1)
    two = write_set(tmp_path / "two", count, seed=2, solve=3.0)
    assert "an interval of 95 % needs 6" in run(str(one), str(two), "--fail-slower", "5%", code=3)


def test_failed_runs_are_left_out(tmp_path: Path, sets: tuple[str, str]) -> None:
    """A profile of a run that failed is not in its set, and a line says so."""
    write_profile(tmp_path / "old" / "9", {"solve": 1.0}, returncode=130)
    done = CliRunner().invoke(command, [*sets], catch_exceptions=False)
    assert "old/9 is of a run that failed, and is left out" in done.stderr
    assert "8 profiles of each" in done.stdout


def test_a_pipe_has_the_flame_graph_alone(pair: tuple[str, str]) -> None:
    """With `-o -` standard output is the SVG and nothing else, and the table goes to standard error."""
    done = CliRunner().invoke(command, [*pair, "-o", "-"], catch_exceptions=False)
    ET.fromstring(done.stdout)
    assert "self time in samples of" in done.stderr


def test_two_recordings(tmp_path: Path) -> None:
    """Folders of recordings are compared by their spans."""
    for name, extra in (("one", 0), ("two", 1)):
        with record(tmp_path / name), scope("outer"):
            for _ in range(1 + extra):
                with scope(f"inner {extra}"):
                    pass
    found = as_json(str(tmp_path / "one"), str(tmp_path / "two"))
    assert found["of"] == "spans"
    assert {"outer", "inner 0", "inner 1"} == {change["name"] for change in found["changes"]}


def test_equal_profiles(tmp_path: Path, pair: tuple[str, str]) -> None:
    """Against itself nothing changed, and that is said."""
    assert "none differs by more than noise" in run(pair[0], pair[0])
    one = str(write_profile(tmp_path / "one", SCOPES))
    assert "Nothing changed." in run(one, one)


def test_what_cannot_be_compared_is_one_line(tmp_path: Path, pair: tuple[str, str]) -> None:
    """A missing, an unreadable and an empty input are named, each in one line of an error for users."""
    (tmp_path / "broken.folded").write_bytes(b"\xff\xfe no weight here\n")
    (tmp_path / "empty.folded").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("missing.folded", "broken.folded", "empty.folded", "folder"):
        for inputs in ([str(tmp_path / name), pair[0]], [pair[0], str(tmp_path / name)]):
            with pytest.raises(InvalidInputError) as failed:
                CliRunner().invoke(command, inputs, catch_exceptions=False)
            assert name in str(failed.value)
            assert "\n" not in str(failed.value)


def test_bad_requests_are_one_line(tmp_path: Path, sets: tuple[str, str]) -> None:
    """A scope that is not there, sets of two sizes, and a scope without a limit are named with what helps."""
    write_set(tmp_path / "six", 6, seed=5)
    for arguments, words in (
        (("--fail-slower", "5%", "--scope", "sovle"), "unknown scope 'sovle': did you mean 'solve'"),
        (("--scope", "solve"), "--scope solve names what --fail-slower judges"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            CliRunner().invoke(command, [*sets, *arguments], catch_exceptions=False)
    with pytest.raises(
        InvalidInputError, match=r"has 8 profiles and .*six has 6 profiles: profile .*six until"
    ):
        CliRunner().invoke(command, [sets[0], str(tmp_path / "six")], catch_exceptions=False)
    with pytest.raises(InvalidInputError, match=r"has 8 profiles and .*1 has 1 profile: compare two folders"):
        CliRunner().invoke(command, [sets[0], str(tmp_path / "six" / "1")], catch_exceptions=False)
    done = CliRunner().invoke(command, [*sets, "--fail-slower", "500%"])
    assert done.exit_code == 2
    assert "'500%' is not a share: write 2% or 0.02" in done.stderr


def test_spans_and_samples_are_not_mixed(tmp_path: Path, pair: tuple[str, str]) -> None:
    """A recording of scopes is not compared with samples."""
    with record(tmp_path / "scopes"), scope("outer"):
        pass
    with pytest.raises(InvalidInputError, match="compare two of the same sort"):
        CliRunner().invoke(command, [str(tmp_path / "scopes"), pair[0]], catch_exceptions=False)
    with pytest.raises(InvalidInputError, match="no time in spans"):
        CliRunner().invoke(command, [*pair, "--of", "spans"], catch_exceptions=False)


def test_output_that_cannot_be(tmp_path: Path, pair: tuple[str, str]) -> None:
    """A folder that does not exist is named, and two outputs do not share a pipe."""
    with pytest.raises(WorkbenchError, match=r"nowhere.*-o"):
        CliRunner().invoke(
            command, [*pair, "-o", str(tmp_path / "nowhere" / "x.svg")], catch_exceptions=False
        )
    with pytest.raises(InvalidInputError, match="standard output"):
        CliRunner().invoke(command, [*pair, "-o", "-", "--json"], catch_exceptions=False)


def test_the_program_says_one_line(tmp_path: Path) -> None:
    """As a program it exits with 2, and no traceback."""
    program = [sys.executable, "-m", "workbench", "diff", str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("workbench: ")
    assert done.stderr.count("\n") == 1
