"""`workbench doctor`: what is there, and what to do about what is not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from workbench import record, scope
from workbench.bench.machine import calibration, environment
from workbench.bench.machine import rates as machine_rates
from workbench.cli.doctor import command, findings
from workbench.errors import WorkbenchError
from workbench.eventlog import read_recording


def test_all_that_is_there_is_named() -> None:
    """The text names machine, versions, BLAS and each finding."""
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0
    for word in (
        "machine",
        "python",
        "numpy",
        "blas",
        "recorder",
        "fast tanh",
        "sampler",
        "tracing",
        "calibration",
    ):
        assert word in done.stdout


def test_json_is_for_machines() -> None:
    """`--json` parses, and holds what the text says."""
    facts = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert facts["packages"]["numpy"]
    assert facts["cores"] >= 1
    assert [set(finding) for finding in facts["findings"]] == [{"fine", "text"}] * 6
    assert facts["calibration"] is None


def test_brief_prints_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all is well `--brief` is silent; else it has a line for each remedy."""
    fine = {"fine": True, "text": "good"}
    monkeypatch.setattr("workbench.cli.doctor.findings", lambda: [fine])
    assert CliRunner().invoke(command, ["--brief"]).stdout == ""
    monkeypatch.setattr(
        "workbench.cli.doctor.findings", lambda: [fine, {"fine": False, "text": "bad; do this"}]
    )
    assert CliRunner().invoke(command, ["--brief"]).stdout.split(maxsplit=1) == ["note", "bad; do this\n"]


def test_each_lack_comes_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No native recorder, no kernels, no sampler, no package, no right to trace: each says what to do."""
    monkeypatch.setenv("WORKBENCH_PY_SPY", "/nonexistent")
    monkeypatch.setattr("workbench.trainer.kernels.implementation", lambda name: "numpy")
    monkeypatch.setattr("workbench.scopes.engine.name", "python")
    monkeypatch.delenv("WORKBENCH_RECORDER", raising=False)
    monkeypatch.setattr("workbench.cli.doctor.shutil.which", lambda name: None)
    monkeypatch.setattr("workbench.cli.doctor.os.geteuid", lambda: 1000)
    monkeypatch.setattr("workbench.cli.doctor.Path.read_text", lambda path: "3\n")
    absent = ("py-spy", "joblib", "workbench")
    monkeypatch.setattr(environment, "version", lambda name: None if name in absent else "1.0")
    texts = [str(finding["text"]) for finding in findings() if not finding["fine"]]
    assert len(texts) == 5
    for remedy in (
        "pip install joblib py-spy",
        "recorder: in Python",
        "install a C compiler",
        "the in-process sampler needs the compiled recorder",
        "py-spy needs root",
    ):
        assert any(remedy in text for text in texts)


@pytest.mark.parametrize("engine", ["native", "python"])
def test_the_recorder_in_use_is_named_with_its_cost(engine: str) -> None:
    """Doctor says which recorder serves a program that starts here, what a scope costs, and how to get the other."""
    program = "from workbench.cli.doctor import findings; import json; print(json.dumps(findings()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"WORKBENCH_RECORDER": engine},
        capture_output=True,
        text=True,
        check=True,
    )
    (finding,) = [found for found in json.loads(done.stdout) if found["text"].startswith("recorder: ")]
    assert re.search(r"a scope costs \d+ ns here", finding["text"])
    if engine == "python":
        assert not finding["fine"]
        assert "unset" in finding["text"]
    elif finding["fine"]:
        assert finding["text"].startswith("recorder: native")
    else:  # there was no compiler
        assert "workbench again" in finding["text"]


def test_a_compiler_that_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a compiler is found, the remedy for the Python recorder is to install again."""
    monkeypatch.setattr("workbench.scopes.engine.name", "python")
    monkeypatch.delenv("WORKBENCH_RECORDER", raising=False)
    monkeypatch.setattr("workbench.cli.doctor.shutil.which", lambda name, **options: f"/usr/bin/{name}")
    texts = [str(finding["text"]) for finding in findings()]
    assert any(text.startswith("recorder: in Python") and "install workbench again" in text for text in texts)


def test_a_recording_that_goes_on_is_not_disturbed(tmp_path: Path) -> None:
    """Doctor does not measure while something records: measuring would take the recorder's place."""
    with record(tmp_path / "recording"), scope("outer"):
        text = next(str(found["text"]) for found in findings() if str(found["text"]).startswith("recorder"))
        with scope("inner"):
            pass
    assert "ns here" not in text
    profile = read_recording(tmp_path / "recording")
    assert {frame.name for frame in profile.frames} >= {"outer", "inner"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure small things three times."""
    small = partial(machine_rates.measure, seconds=0.0, orders=(32,), copied_bytes=1 << 16)
    monkeypatch.setattr("workbench.bench.machine.rates.measure", small)


def line_on_calibration() -> dict[str, object]:
    (found,) = [finding for finding in findings() if str(finding["text"]).startswith("calibration")]
    return found


def test_a_machine_is_calibrated_once(quick: None, own_state_folder: Path) -> None:
    """Before, doctor says how; `--calibrate` prints what it measured and keeps it; then doctor says what and when."""
    assert line_on_calibration() == {
        "fine": True,
        "text": "calibration: none; workbench doctor --calibrate measures what rooflines of this machine need",
    }
    done = CliRunner().invoke(command, ["--calibrate"])
    assert done.exit_code == 0
    (path,) = own_state_folder.iterdir()
    known = calibration.load()
    assert known is not None
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for rate in known.rates:
        figures = f"{rate.median:.3g} [{rate.low:.3g}, {rate.high:.3g}] {calibration.UNITS[rate.what]}"
        threads = f"{rate.threads} thread{'s' * (rate.threads > 1)}, 3 repetitions"
        assert f"{rate.what} {figures}, {threads}" in lines
    assert any(str(known.machine) in line for line in lines)
    assert any(line.startswith("kept in") and line.endswith(path.name) for line in lines)
    text = str(line_on_calibration()["text"])
    assert all(f"{rate.median:.3g}" in text for rate in known.rates)
    assert known.measured.astimezone().strftime("%Y-%m-%d %H:%M") in text


def test_a_calibration_for_machines(quick: None, own_state_folder: Path) -> None:
    """`--calibrate --json` prints what stands in the file and where that is; plain `--json` then has it too."""
    document = json.loads(CliRunner().invoke(command, ["--calibrate", "--json"]).stdout)
    kept = json.loads(Path(document.pop("file")).read_text())
    assert isinstance(document.pop("warnings"), list)
    assert document == kept
    assert json.loads(CliRunner().invoke(command, ["--json"]).stdout)["calibration"] == kept


def test_piped_it_is_quiet(quick: None) -> None:
    """Where standard error is no terminal, nothing is written to it."""
    assert CliRunner().invoke(command, ["--calibrate"]).stderr == ""


@pytest.mark.parametrize("content", ["", "{", "3", "[]", '{"format": "workbench calibration", "version": 1}'])
def test_a_damaged_calibration_is_one_line(quick: None, content: str) -> None:
    """Doctor names the file and the remedy, `--json` has no rates, and calibrating again puts it right."""
    path = calibration.calibration_file(calibration.this_machine())
    path.parent.mkdir(parents=True)
    path.write_text(content)
    found = line_on_calibration()
    assert not found["fine"]
    assert re.fullmatch(
        rf"calibration {re.escape(str(path))} is damaged \(.+\); .+ --calibrate", str(found["text"])
    )
    assert json.loads(CliRunner().invoke(command, ["--json"]).stdout)["calibration"] is None
    assert CliRunner().invoke(command, ["--calibrate"]).exit_code == 0
    assert line_on_calibration()["fine"]


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is refused before anything is measured."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(calibration.VARIABLE, str(tmp_path / "file" / "folder"))
    monkeypatch.setattr("workbench.bench.machine.rates.measure", lambda **options: pytest.fail("it measured"))
    error = CliRunner().invoke(command, ["--calibrate"]).exception
    assert isinstance(error, WorkbenchError)
    assert "name another folder with the variable WORKBENCH_STATE" in str(error)


def test_another_package_of_our_import_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip install workbench` installs another project over our files: doctor says how to repair that."""
    monkeypatch.setattr(environment, "version", lambda name: "0.0.33")
    (finding,) = [found for found in findings() if str(found["text"]).startswith("packages: ")]
    assert not finding["fine"]
    assert "pip uninstall workbench" in str(finding["text"])
