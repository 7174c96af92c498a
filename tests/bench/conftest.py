"""Suites in files of a few lines, as a user writes them."""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.bench.run import origins
from workbench.bench.run.experiment import BenchOptions

HEAD = """
import os, signal, subprocess, sys, time
from workbench.bench import Case, Suite
suite = Suite("tiny", baseline="one", variants={"one": {"how": "one"}, "two": {"how": "two"}})
"""


installed = functools.cache(origins.installed)


@pytest.fixture(autouse=True)
def _modules_and_path() -> Iterator[None]:
    """Take back what loading a suite does to this process."""
    path, modules = sys.path.copy(), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if hasattr(sys.modules[name], "__workbench_suite__"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _packages_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run asks for all packages, of which none changes while we test."""
    monkeypatch.setattr("workbench.bench.run.fingerprint.installed", installed)


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a suite of the variants "one" and "two" around the body of its workload."""

    def write(body: str, *, head: str = HEAD, name: str = "tiny_suite.py") -> Path:
        path = tmp_path / name
        workload = "@suite.workload\ndef workload(how, *, seed):\n"
        path.write_text(
            head + (workload + textwrap.indent(textwrap.dedent(body).strip(), "    ") if body else "")
        )
        return path

    return write


@pytest.fixture
def good_suite(write_suite: Callable[..., Path]) -> Path:
    """A suite that works: its quality is its seed, so that variants of a round agree."""
    return write_suite(
        "return Case(run=lambda: time.sleep(2e-4) or seed, quality=lambda result: {'error': 1.0 + result})"
    )


@pytest.fixture
def options(tmp_path: Path) -> Callable[..., BenchOptions]:
    """Return a function that makes the options of a run into a new folder, of one round by default."""

    def make(suite: Path | str, **changes: object) -> BenchOptions:
        given: dict[str, object] = {
            "rounds": 1,
            "timeout_s": 60.0,
            "folder": tmp_path / "run",
            "profiled": False,
        }
        return BenchOptions(suite=str(suite), **(given | changes))  # type: ignore[arg-type]

    return make
