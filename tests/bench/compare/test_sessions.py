"""Stored runs: what sessions differ by is known from several of each side, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.bench_runs import ENVIRONMENT, write_experiment
from workbench.bench.analysis.sessions import read_sessions
from workbench.bench.compare.gate import FINE, INCONCLUSIVE, REGRESSION, Limits
from workbench.bench.compare.sessions import compare_sessions
from workbench.bench.results.results import Results
from workbench.errors import InvalidInputError


def sessions(folder: Path, seconds: Sequence[float], error: float = 1.0, **head: object) -> list[Results]:
    """Write a run of three rounds for each session."""
    runs = [{"one": [(value, error)] * 3, "two": [(value, error)] * 3} for value in seconds]
    return [write_experiment(folder / f"run {i}", each, **head) for i, each in enumerate(runs)]


AROUND_1 = [0.98, 0.99, 1.0, 1.0, 1.01, 1.02]


@pytest.mark.parametrize(
    ("new", "error", "verdict"),
    [
        ([1.5 * value for value in AROUND_1], 1.0, REGRESSION),
        ([0.98, 0.99, 1.0, 1.01, 1.0, 1.02], 1.0, FINE),
        ([0.7, 1.5, 1.0, 1.3, 0.9, 1.1], 1.0, INCONCLUSIVE),
        (AROUND_1, 2.0, REGRESSION),
        (AROUND_1, 0.0, FINE),
    ],
)
def test_six_sessions_of_each_side_are_compared(
    tmp_path: Path, new: list[float], error: float, verdict: str
) -> None:
    """A difference is judged against what sessions of one side differ by."""
    sides = sessions(tmp_path / "base", AROUND_1), sessions(tmp_path / "new", new, error)
    assert compare_sessions(*sides, Limits()).verdict == verdict


def test_equal_errors_are_equal_also_where_they_are_zero(tmp_path: Path) -> None:
    """A figure that is zero on both sides has not changed."""
    sides = sessions(tmp_path / "base", AROUND_1, 0.0), sessions(tmp_path / "new", AROUND_1, 0.0)
    found = compare_sessions(*sides, Limits())
    assert found.verdict == FINE
    assert found.pairs[0].quality is not None
    assert found.pairs[0].quality.words == "same error (limit 1.26×)"


@pytest.mark.parametrize(("base", "new"), [(1, 1), (6, 5), (5, 6)])
def test_fewer_sessions_are_inconclusive_whatever_they_show(tmp_path: Path, base: int, new: int) -> None:
    """Two runs, however long and far apart, say nothing of how much two runs differ."""
    sides = sessions(tmp_path / "base", [1.0] * base), sessions(tmp_path / "new", [9.0] * new)
    found = compare_sessions(*sides, Limits())
    assert found.verdict == INCONCLUSIVE
    assert found.note is not None
    assert f"{base} and {new} stored experiments" in found.note


def test_other_machines_are_inconclusive(tmp_path: Path) -> None:
    """Runs of two machines are not compared."""
    other = ENVIRONMENT | {"machine": "another"}
    sides = sessions(tmp_path / "base", AROUND_1), sessions(tmp_path / "new", AROUND_1, environment=other)
    found = compare_sessions(*sides, Limits())
    assert found.verdict == INCONCLUSIVE
    assert "different machines" in str(found.note)


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    """Other suites, variants that are not there, and one run on both sides are named."""
    base = sessions(tmp_path / "base", AROUND_1)
    with pytest.raises(InvalidInputError, match="different suites, other and tiny"):
        compare_sessions(base, sessions(tmp_path / "new", AROUND_1, suite="other"), Limits())
    with pytest.raises(InvalidInputError, match=r"unknown variant of .*'tow': did you mean 'two'"):
        compare_sessions(base, sessions(tmp_path / "two", AROUND_1), Limits(), ["tow"])
    with pytest.raises(InvalidInputError, match="is named twice"):
        compare_sessions(base, base, Limits())


def test_a_side_is_a_run_or_a_folder_of_runs(tmp_path: Path) -> None:
    """A run's folder or file is one session, a folder has one for each run in it, and another is refused."""
    sessions(tmp_path / "base", AROUND_1)
    assert len(read_sessions(tmp_path / "base")) == 6
    assert len(read_sessions(tmp_path / "base" / "run 0")) == 1
    assert len(read_sessions(tmp_path / "base" / "run 0" / "results.jsonl")) == 1
    with pytest.raises(InvalidInputError, match="holds no results: name the folder of an experiment"):
        read_sessions(tmp_path)
