"""`--keep N`: the newest experiments of a suite and machine stay, and nothing is deleted that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.bench_runs import FINGERPRINT, write_experiment
from workbench import record
from workbench.bench.results.results import Results, read_results
from workbench.bench.results.retention import retire
from workbench.bench.run.experiment import BenchOptions, planned, run_suite
from workbench.errors import InvalidOptionError
from workbench.outputs import OutputFolder
from workbench.report.bench.page import write_page


def stored(folder: Path, day: int, **head: object) -> Results:
    results = write_experiment(folder, {"one": [1.0]}, started=f"2026-01-{day:02}T00:00:00+00:00", **head)
    write_page(results)
    return results


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_newest_stay(tmp_path: Path) -> None:
    """Of five experiments with the new one three stay; those of another suite or machine are not counted."""
    for day in (4, 1, 3, 2):
        stored(tmp_path / f"day-{day}", day)
    stored(tmp_path / "other suite", 1, suite="other")
    stored(tmp_path / "other machine", 1, fingerprint={**FINGERPRINT, "machine": "elsewhere"})
    new = stored(tmp_path / "new", 5)
    assert retire(new, 3) == ["deleted 2 of the oldest experiments: day-1, day-2"]
    assert names(tmp_path) == {"day-3", "day-4", "new", "other suite", "other machine"}
    assert retire(new, 3) == []


def test_a_baseline_stays(tmp_path: Path) -> None:
    """An experiment called baseline, one that a link leads to, and the new one itself are never deleted."""
    for day, name in enumerate(("baseline", "linked", "old"), 1):
        stored(tmp_path / name, day)
    (tmp_path / "v1.0").symlink_to("linked")
    new = stored(tmp_path / "new", 1)
    assert retire(new, 1) == ["deleted 1 of the oldest experiments: old"]
    assert names(tmp_path) == {"baseline", "linked", "v1.0", "new"}


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """A file of the user's, and a page that was changed by hand, are left, and the folder with them."""
    old = stored(tmp_path / "old", 1).folder
    (old / "notes.txt").write_text("why")
    (old / "index.html").write_text("mine")
    assert retire(stored(tmp_path / "new", 2), 1) == [
        "deleted 1 of the oldest experiments: old",
        f"{old} still has files that workbench did not write",
    ]
    assert names(old) == {"notes.txt", "index.html"}


def test_an_experiment_in_progress_stays(tmp_path: Path) -> None:
    """A folder that another command is writing to is kept, and one line says so."""
    old = stored(tmp_path / "old", 1).folder
    new = stored(tmp_path / "new", 2)
    with OutputFolder(old):
        (line,) = retire(new, 1)
    assert line.startswith(f"{old} is kept: cannot write to {old}")
    assert read_results(old).head.suite == "tiny"


def test_recordings_and_kept_files_go(tmp_path: Path) -> None:
    """All that an experiment wrote is deleted: its recordings, and what its variants kept."""
    old = stored(tmp_path / "old", 1)
    with record(old.recording_folder("one")):
        pass
    with OutputFolder(old.folder) as output:
        output.write("fits/one/fit.png", b"x")
    retire(stored(tmp_path / "new", 2), 1)
    assert names(tmp_path) == {"new"}


def test_a_measurement_retires_and_a_dry_run_lists(
    good_suite: Path, options: Callable[..., BenchOptions], tmp_path: Path
) -> None:
    """Each stored run leaves as many as are kept; the dry run names what the next would delete, and deletes nothing."""
    said: list[str] = []
    for name in ("a", "b"):
        run_suite(options(good_suite, folder=tmp_path / "runs" / name, keep=1), say=said.append)
    assert said == ["deleted 1 of the oldest experiments: a"]
    lines = planned(options(good_suite, folder=tmp_path / "runs" / "c", keep=1))
    assert lines[-1] == f"would delete {tmp_path}/runs/b"
    assert (
        planned(options(good_suite, folder=tmp_path / "runs" / "c", keep=2))[-1]
        == "would delete no older experiment"
    )
    assert names(tmp_path / "runs") == {"b"}
    with pytest.raises(InvalidOptionError, match="keep"):
        planned(options(good_suite, keep=0))
