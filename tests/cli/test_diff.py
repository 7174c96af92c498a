"""`workbench diff`: a flame graph, a table, and one line for whatever cannot be compared."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

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


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_flame_graph_and_the_table(tmp_path: Path, pair: tuple[str, str]) -> None:
    """The flame graph is written, and the table has the largest changes, first the largest of all."""
    out = tmp_path / "out.svg"
    lines = run(*pair, "--absolute", "-o", str(out)).splitlines()
    assert lines[0] == "all samples: 1 s → 750 ms"
    assert lines[2].split() == ["600", "ms", "150", "ms", "−450", "ms", "−75.0", "%", "tanh"]
    assert [line.split()[-1] for line in lines[3:]] == ["solve", "new", "gone"]
    svg = out.read_text(encoding="utf-8")
    assert "before.folded → after.folded" in svg
    ET.fromstring(svg)


def test_normalised_is_the_default(pair: tuple[str, str]) -> None:
    """Without --absolute both sides have the same total."""
    found = json.loads(run(*pair, "--json"))
    assert found["normalised"] is True
    assert found["before_ns"] == found["after_ns"] == 750_000_000
    by_name = {change["name"]: change for change in found["changes"]}
    assert by_name["tanh"]["before_ns"] == 450_000_000
    assert by_name["gone"]["after_ns"] == by_name["new"]["before_ns"] == 0
    assert sum(change["by_ns"] for change in found["changes"]) == 0


def test_a_pipe_has_the_flame_graph_alone(pair: tuple[str, str]) -> None:
    """With `-o -` standard output is the SVG and nothing else, and the table goes to standard error."""
    done = CliRunner().invoke(command, [*pair, "-o", "-"], catch_exceptions=False)
    ET.fromstring(done.stdout)
    assert "self time of" in done.stderr


def test_two_recordings(tmp_path: Path) -> None:
    """Folders of recordings are compared by their spans."""
    for name, extra in (("one", 0), ("two", 1)):
        with record(tmp_path / name), scope("outer"):
            for _ in range(1 + extra):
                with scope(f"inner {extra}"):
                    pass
    found = json.loads(run(str(tmp_path / "one"), str(tmp_path / "two"), "--json", "--absolute"))
    assert found["of"] == "spans"
    assert {"outer", "inner 0", "inner 1"} == {change["name"] for change in found["changes"]}


def test_equal_profiles(pair: tuple[str, str]) -> None:
    """Against itself nothing changed, and that is said."""
    assert "no frame's self time changed" in run(pair[0], pair[0])


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
