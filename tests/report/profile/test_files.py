"""What `workbench profile` leaves in its folder: the formats, the images, the page, the summary."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.page_profiles import training
from workbench.capture.load import load
from workbench.capture.program import Capture, CaptureOptions
from workbench.capture.warnings import CaptureWarning, WarningCode
from workbench.profile import Counter, Profile, samples_only, scope_totals, without_samples
from workbench.report.profile.downloads import event_count
from workbench.report.profile.files import summary, write_profile_files

SLOW = CaptureWarning(WarningCode.OTHER, {"text": "slow"})


def capture_of(folder: Path, scopes: Profile | None, samples: Profile | None) -> Capture:
    options = CaptureOptions(program=("fit.py", "-q"), folder=folder)
    return Capture(options, 0, 1.25, "py-spy", 10, scopes, samples, False, (SLOW,), one_clock=True)


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """A capture with scopes and samples."""
    profile = training()
    return capture_of(tmp_path, without_samples(profile), samples_only(profile))


def test_all_files_and_the_page(capture: Capture) -> None:
    """Speedscope files, flame graphs, the page that links them, and the summary; all are named."""
    files = write_profile_files(capture, title="tiny: one")
    names = {file.name for file in files}
    assert {
        "index.html", "profile.json", "scopes.speedscope.json", "samples.speedscope.json", "samples.folded",
        "samples.svg", "scopes.svg",
    } <= names  # fmt: skip
    assert names | {".workbench.json"} == {file.name for file in capture.options.folder.iterdir()}
    page = (capture.options.folder / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{name}"' in page for name in names - {"index.html", "profile.json"})
    assert all(words in page for words in ("tiny: one", "1.25 s", "slow", "dgemm", "solve"))


def test_very_many_scopes_are_merged_for_speedscope(
    capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file says so; every scope keeps its total, and a file of few scopes has each of them."""
    monkeypatch.setattr("workbench.report.profile.downloads.MAX_SPANS", 8)
    monkeypatch.setattr("workbench.report.profile.downloads.MIN_WIDTH", 1)
    write_profile_files(capture)
    assert capture.scopes is not None
    written = load(capture.options.folder / "scopes.speedscope.json")
    assert event_count(written) <= 8 < event_count(capture.scopes)
    assert "scopes, merged where shorter than" in written.name
    assert "merged where shorter than" in (capture.options.folder / "index.html").read_text(encoding="utf-8")
    totals = {name: each.total_ns for name, each in scope_totals(capture.scopes).items()}
    assert {name: each.total_ns for name, each in scope_totals(written).items()} == totals
    monkeypatch.undo()
    write_profile_files(capture)
    whole = load(capture.options.folder / "scopes.speedscope.json")
    assert [len(track.spans or ()) for track in whole.tracks] == [
        len(track.spans or ()) for track in capture.scopes.tracks
    ]


def test_a_folder_is_of_one_run(capture: Capture) -> None:
    """What an earlier run left and this one has nothing for is gone."""
    write_profile_files(capture)
    files = write_profile_files(replace(capture, merged=None))
    left = {file.name for file in capture.options.folder.iterdir()}
    assert left == {".workbench.json", *(file.name for file in files)}
    assert not [name for name in left if name.startswith("samples")]


def test_the_summary_has_the_figures(capture: Capture, tmp_path: Path) -> None:
    """Totals of scopes, the last value of each counter, and what the scopes cost; JSON that anyone reads."""
    facts = summary(capture)
    assert facts["scopes"] == 11
    assert facts["scopes_cost_s"] == pytest.approx(11 * 250e-9)
    assert facts["counters"] == [{"name": "loss", "track": "MainThread", "last": 0.25}]
    totals = facts["scope_totals"]
    assert isinstance(totals, list)
    assert totals[0] == {"name": "fit", "calls": 1, "total_s": 0.1, "self_s": 0.01}
    assert totals[2] == {
        "name": "solve",
        "calls": 3,
        "total_s": 0.06,
        "self_s": 0.06,
        "gflops": pytest.approx(2),
    }
    write_profile_files(capture)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    json.loads((tmp_path / "profile.json").read_text(), parse_constant=refuse)


def test_a_counter_that_is_not_finite(tmp_path: Path) -> None:
    """JSON has no infinity: such a value is a word."""
    profile = without_samples(training())
    odd = tuple(Counter(f"c{i}", np.array([1]), np.array([v])) for i, v in enumerate((np.nan, np.inf, 2.0)))
    scopes = replace(profile, tracks=(replace(profile.tracks[0], counters=odd),))
    counters = summary(capture_of(tmp_path, scopes, None))["counters"]
    assert isinstance(counters, list)
    assert [counter["last"] for counter in counters] == ["nan", "inf", 2.0]
    write_profile_files(capture_of(tmp_path, scopes, None))


def test_nothing_but_scopes_without_samples(tmp_path: Path) -> None:
    """Without scopes and samples there is a page that says so, and a summary."""
    write_profile_files(capture_of(tmp_path, None, None))
    assert "Nothing was recorded" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "profile.json").read_text())["scope_totals"] == []
