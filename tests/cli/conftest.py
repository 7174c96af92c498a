"""Running `workbench` for what it prints and how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import run_workbench
from workbench import cli


class Outcome:
    """Exit code and output of a command line."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def assert_refused(self, complaint: str) -> None:
        """Fail unless this is one line on standard error, and exit code 2."""
        assert (self.code, self.out) == (2, ""), (self.out, self.err)
        assert self.err.startswith("workbench: ")
        assert self.err.count("\n") == 1
        assert re.search(complaint, self.err), self.err


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Return a function that runs `workbench train` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["workbench", "train", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return Outcome(stop.value.code, *capsys.readouterr())  # type: ignore[arg-type]

    return run


@pytest.fixture
def workbench() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs `workbench` with these arguments to its end, and returns its text."""
    return lambda *arguments, **options: run_workbench(*arguments, text=True, **options)
