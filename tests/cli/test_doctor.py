"""`workbench doctor`: what is there, and what to do about what is not."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from workbench.bench import environment
from workbench.capture.sampler import SamplerError
from workbench.cli.doctor import command, findings


def test_all_that_is_there_is_named() -> None:
    """The text names machine, versions, BLAS and each finding."""
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0
    for word in ("machine", "python", "numpy", "blas", "fast tanh", "sampler", "tracing"):
        assert word in done.stdout


def test_json_is_for_machines() -> None:
    """`--json` parses, and holds what the text says."""
    facts = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert facts["packages"]["numpy"]
    assert facts["cores"] >= 1
    assert [set(finding) for finding in facts["findings"]] == [{"fine", "text"}] * 4


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
    """No compiled kernels, no sampler, no package, no right to trace: each says what to do."""

    def absent() -> str:
        raise SamplerError("py-spy is not installed (pip install py-spy)")

    monkeypatch.setattr("workbench.capture.sampler.find_py_spy", absent)
    monkeypatch.setattr("workbench.trainer.kernels.implementation", lambda name: "numpy")
    monkeypatch.setattr("workbench.cli.doctor.shutil.which", lambda name: None)
    monkeypatch.setattr("workbench.cli.doctor.os.geteuid", lambda: 1000)
    monkeypatch.setattr("workbench.cli.doctor.Path.read_text", lambda path: "3\n")
    monkeypatch.setattr(environment, "version", lambda name: None if name in ("py-spy", "joblib") else "1.0")
    texts = [str(finding["text"]) for finding in findings() if not finding["fine"]]
    assert len(texts) == 4
    for remedy in (
        "pip install joblib py-spy",
        "install a C compiler",
        "pip install py-spy",
        "py-spy needs root",
    ):
        assert any(remedy in text for text in texts)
