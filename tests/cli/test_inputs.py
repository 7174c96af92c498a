"""Every command that reads a profile takes every kind of input, or says in one line which command does."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import workbench
from tests.cli.conftest import Outcome
from tests.helpers.bench_runs import write_experiment
from tests.helpers.commands import run_workbench
from workbench import cli
from workbench.errors import InvalidInputError
from workbench.scopes import record, scope

PROGRAM = """
import time
from workbench import scope
with scope("fit"):
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        sum(range(1000))
"""
COMMANDS = ("load", "convert", "diff", "show", "report", "view")
EXPERIMENT = "is an experiment, not a profile: use workbench show, report, compare or export"
SEVERAL = r"has 2 profiles: name one of them, such as .*/1"
NOTHING = "holds no profile, recording or experiment: make a profile with workbench profile"
A_PROGRAM = "is a program, not a profile: make one with workbench profile"
FINE: dict[str, str] = {}
TABLE: dict[str, dict[str, str]] = {
    "profile": FINE,
    "profile of another sampler": FINE,
    "profile/recording": FINE,
    "in progress": FINE,
    "fit.speedscope.json": FINE,
    "fit.folded": FINE,
    "pyinstrument.json": FINE,
    "experiment": {
        **dict.fromkeys(("load", "convert", "diff"), EXPERIMENT),
        "report": "whose page is in its own folder: leave -o out",
    },
    "experiment/results.jsonl": {
        **dict.fromkeys(("load", "convert", "diff"), EXPERIMENT),
        "report": "whose page is in its own folder: leave -o out",
    },
    "several": {
        **dict.fromkeys(("load", "convert", "show", "report"), SEVERAL),
        "diff": "has 1 profile and .* has 2 profiles: compare two folders",
    },
    "empty": dict.fromkeys(("load", "convert", "diff", "show", "report"), NOTHING),
    "fit.py": dict.fromkeys(COMMANDS, A_PROGRAM),
    "missing": dict.fromkeys(COMMANDS, "cannot be read: No such file|does not exist"),
}
"""For each input what a command that cannot take it says; others succeed."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with each kind of input."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "fit.py").write_text(PROGRAM)
    for name, *options in (("profile",), ("profile of another sampler", "--sampler", "pyinstrument")):
        done = run_workbench("profile", *options, "-o", name, "fit.py", cwd=folder, text=True)
        assert done.returncode == 0, done.stderr
    shutil.copy(folder / "profile of another sampler" / "pyinstrument.json", folder)
    for suffix in ("speedscope.json", "folded"):
        done = run_workbench("convert", "profile", f"fit.{suffix}", cwd=folder, text=True)
        assert done.returncode == 0, done.stderr
    for number in "12":
        shutil.copytree(folder / "profile", folder / "several" / number)
    write_experiment(folder / "experiment", {"a": [(1.0, 0.1)] * 7, "b": [(0.5, 0.1)] * 7})
    (folder / "empty").mkdir()
    with record(folder / "in progress"), scope("fit"):
        with scope("step"):
            pass
        yield folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs a command line in this process; a server ends as soon as it has begun."""
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", lambda self, **options: None)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return Outcome(int(stop.value.code or 0), *capsys.readouterr())

    return run


@pytest.mark.parametrize("name", TABLE)
def test_every_command_takes_every_input_or_says_what_does(
    inputs: Path, tmp_path: Path, run: Any, name: str
) -> None:
    """A command succeeds, or ends with one line that names the path and a command that takes it."""
    path = str(inputs / name)
    lines = {
        "convert": (path, str(tmp_path / "out.speedscope.json")),
        "diff": (str(inputs / "profile"), path),
        "show": (path,),
        "report": (path, "-o", str(tmp_path / "page")),
        "view": ("--no-browser", path),
    }
    refused = TABLE[name]
    for command, arguments in lines.items():
        outcome = run(command, *arguments)
        if command in refused:
            outcome.assert_refused(refused[command])
            assert path in outcome.err
        else:
            assert outcome.code == 0, (command, outcome.err)
    if "load" in refused:
        with pytest.raises(InvalidInputError, match=refused["load"]):
            workbench.load(path)
    else:
        profile = workbench.load(path)
        assert any(track.spans is not None or track.samples is not None for track in profile.tracks)


def test_samples_of_another_clock_are_named(inputs: Path) -> None:
    """Samples of another sampler are in a file of their own, which a warning of the profile names."""
    (line,) = workbench.load(inputs / "profile of another sampler").file.warnings
    assert line.endswith("samples.speedscope.json")
