"""One fact has one figure: what the recorder knows of a scope is what pages and files say of it, after a real run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from workbench import load
from workbench.bench.analysis.analysis import analyse
from workbench.bench.run.experiment import BenchOptions, run_suite
from workbench.capture.samplers import Sampling
from workbench.capture.samplers.base import SamplerError
from workbench.profile import Profile, ScopeTotals, scope_totals, time_inside
from workbench.report.bench.page import write_page
from workbench.report.bench.profiles import profiles_of
from workbench.report.bench.recordings import recordings_of
from workbench.report.bench.rows import rows_of
from workbench.report.suite.profiles import SuiteProfileOptions, profile_suite
from workbench.text import as_rough_share, as_seconds

SUITE = """
import time
from workbench import scope
from workbench.bench import Case, Suite
from workbench.suites.reference.commentary import COMMENTARY, SCALING
suite = Suite(
    "trained", baseline="a", variants={"a": {"tanh": "exact"}}, scaling=SCALING, commentary=COMMENTARY
)

def spend(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(1000))

def turn():
    with scope("epoch"):
        with scope("compute jacobian"):
            with scope("columns"):
                spend(0.05)
                with scope("activation"):
                    spend(0.1)
        with scope("solve"):
            spend(0.05)

@suite.workload
def workload(tanh, *, seed):
    return Case(run=lambda: [turn() for _ in range(3)], quality=lambda result: {})
"""
SCOPES = {"epoch", "compute jacobian", "columns", "activation", "solve"}


class Run(NamedTuple):
    """A suite that was profiled."""

    index: str
    folder: Path
    """Of the variant."""
    recorded: Profile

    @property
    def totals(self) -> Mapping[str, ScopeTotals]:
        return scope_totals(self.recorded)

    @property
    def facts(self) -> dict[str, Any]:
        """What machines are told."""
        facts: dict[str, Any] = json.loads((self.folder / "profile.json").read_text())
        return facts

    def share(self, name: str, whole: str) -> float:
        part, all_of_it = time_inside(self.recorded, name, within=[whole])
        return part / all_of_it


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run under each sampler."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "trained_suite.py").write_text(SUITE)
    options = SuiteProfileOptions(
        str(folder / "trained_suite.py"), folder / "out", seconds=0.0, sampling=Sampling("in-process", 200)
    )
    index = profile_suite(options).read_text(encoding="utf-8")
    return Run(index, folder / "out" / "a", load(folder / "out" / "a" / "recording"))


def test_a_sentence_has_the_figure_of_the_table(run: Run) -> None:
    """Both are the recorder's."""
    exact = as_rough_share(run.share("activation", "columns"))
    sentences = re.findall(r"<li>(.*?)</li>", run.index.partition("one run each")[0], re.DOTALL)
    assert f"tanh takes {exact} of the Jacobian" in sentences[0]
    assert f'<td class="more">{exact}</td>' in run.index.partition("Agreement of samplers")[0]


def test_a_scope_has_one_row_in_the_tables_of_its_page(run: Run) -> None:
    """Its times are the recorder's; the table of sampled functions has functions alone."""
    page = (run.folder / "index.html").read_text(encoding="utf-8")
    found: dict[str, list[list[str]]] = {}
    for name, cells in re.findall(
        r'<tr data-row="\d+"><th scope="row"><span class="name">(.*?)</span>.*?</th>(.*?)</tr>',
        page,
        re.DOTALL,
    ):
        found.setdefault(unescape(name), []).append(re.findall(r'<td data-v="([^"]*)"', cells))
    assert set(run.totals) == SCOPES
    for name, totals in run.totals.items():
        (cells,) = found[name]
        assert float(cells[0]) == totals.total_ns
    assert "spend" in found


def test_machines_are_told_the_same(run: Run) -> None:
    """Times of scopes in `profile.json` are the recorder's, and those of the table of agreement too."""
    told = {each["name"]: each["total_s"] for each in run.facts["scope_totals"]}
    assert told == {name: totals.total_ns / 1e9 for name, totals in run.totals.items()}
    shares = {each["name"]: each["exact"]["in-process"] for each in run.facts["agreement"]["scopes"]}
    assert shares == {name: run.share(name, "epoch") for name in SCOPES}


def test_two_samplers_were_compared(run: Run) -> None:
    """Each had a run of its own; py-spy's file is there, and the page says in one table what both saw."""
    agreement = run.facts["agreement"]
    assert (run.folder / "py-spy.speedscope.json").is_file()
    assert agreement["functions"][0]["name"] == "spend"
    assert min(agreement["samples"].values()) > 0
    assert run.index.count('<table class="agreement">') == 1
    assert "the in-process sampler and py-spy" in run.index.lower() or "too few samples" in run.index


def test_without_py_spy_one_line_says_why(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All else is on the page, and machines are told the same."""

    def missing() -> None:
        raise SamplerError("py-spy is nowhere: install it")

    monkeypatch.setattr("workbench.capture.samplers.py_spy.find_py_spy", missing)
    suite = run.folder.parent.parent / "trained_suite.py"
    index = profile_suite(
        SuiteProfileOptions(str(suite), tmp_path / "out", seconds=0.0, sampling=Sampling("in-process"))
    )
    page, why = index.read_text(encoding="utf-8"), "no samples by py-spy: py-spy is nowhere: install it"
    assert f"Two samplers cannot be compared on any variant: {why}" in page
    assert '<table class="agreement">' not in page
    assert "tanh takes" in page
    agreement = json.loads((tmp_path / "out" / "a" / "profile.json").read_text())["agreement"]
    assert agreement["agrees"] is None
    assert agreement["why"].startswith(why)


def scopes_took_s(profile: Profile) -> float:
    """Return the seconds from the first scope's start to the last one's end."""
    spans = [track.spans for track in profile.tracks if track.spans is not None]
    return (max(each.end_ns.max() for each in spans) - min(each.start_ns.min() for each in spans)) / 1e9


@pytest.mark.proof
def test_a_benchmark_tells_the_recorder_s_figures(run: Run, tmp_path: Path) -> None:
    """Its recording has samples, one run gives both, and the page has the recorder's time."""
    suite = run.folder.parent.parent / "trained_suite.py"
    results = run_suite(BenchOptions(str(suite), tmp_path / "run", rounds=1, profiled=True))
    recorded = load(results.recording_folder("a"))
    analysis = analyse(results)
    times = profiles_of(analysis, rows_of(analysis)).times
    assert times is not None
    assert [row.took for row in times.rows] == [as_seconds(recordings_of(results).found["a"].wall_s)]
    assert not results.samples_file("a").exists()
    of_page = recordings_of(results).found["a"]
    assert of_page.wall_s * of_page.count == pytest.approx(
        scopes_took_s(recorded)
    )  # imports are sampled, too
    assert "samples inside the scopes of" in write_page(results).read_text(encoding="utf-8")
