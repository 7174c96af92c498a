"""What profiling costs, as profiles state it: in the summary, on the page, and on pages that are made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.page_profiles import training
from workbench.bench.machine.environment import processor
from workbench.bench.profiling_cost import Check, Conditions, Cost, Ratio, write_cost
from workbench.capture.program import Capture, CaptureOptions
from workbench.profile import samples_only, without_samples
from workbench.report.profile.facts import figures
from workbench.report.profile.files import write_profile_files
from workbench.report.profile.run import read_run, run_of_profile
from workbench.system import usable_cores


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """A capture with scopes and samples of native frames."""
    profile = training()
    options = CaptureOptions(program=("fit.py", "-q"), folder=tmp_path)
    scopes, samples = without_samples(profile), samples_only(profile)
    return Capture(options, 0, 1.25, "in-process with native frames", 10, scopes, samples, False, ())


def measured(*program: str) -> Cost:
    """Return a cost of 1.25."""
    ratios = (Ratio("scopes", "bare", 1.0, 1.0, 1.0), Ratio("in-process", "bare", 1.25, 1.2, 1.3))
    here = Conditions(processor(), usable_cores())
    return Cost(program, 100, True, "2026-11-26T10:11:12+00:00", here, Check(False), ratios)


def test_a_profile_states_what_profiling_costs(capture: Capture, tmp_path: Path) -> None:
    """Summary and page have the last known figure, and `cost.json` is not taken for a file of an earlier run."""
    path = write_cost(measured("fit.py", "-q"), tmp_path)
    content = path.read_bytes()
    write_profile_files(capture)
    write_profile_files(capture)
    assert path.read_bytes() == content
    sentence = (
        "profiling makes this program 1.25 × [1.20, 1.30] as long (recording scopes 1.000 × [1.000, 1.000], "
        "measured 2026-11-26)"
    )
    assert json.loads((tmp_path / "profile.json").read_text())["profiling_cost"] == sentence
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "time when profiled" in page
    assert sentence in page
    (again,) = [figure for figure in figures(read_run(tmp_path)) if figure.what == "time when profiled"]
    assert (again.value, again.more) == ("1.25 × [1.20, 1.30]", sentence)


def test_what_is_unknown_is_said_to_be(capture: Capture, tmp_path: Path) -> None:
    """Without a measurement the page says how to make one, and has no figure of another program's."""
    for other in (None, measured("g.py")):
        if other is not None:
            write_cost(other, tmp_path)
        write_profile_files(capture)
        (figure,) = [each for each in figures(read_run(tmp_path)) if each.what == "time when profiled"]
        assert figure.value == "unknown"
        assert "measure it with workbench profile --cost" in figure.more
        assert json.loads((tmp_path / "profile.json").read_text())["profiling_cost"] == figure.more


def test_a_foreign_profile_has_no_such_figure() -> None:
    """Of a profile that we did not make nothing is said."""
    run = run_of_profile(training())
    assert "time when profiled" not in [figure.what for figure in figures(run)]
