"""Tests of others have the same outcomes under the sampler as without it, at 2,000 samples a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from workbench.eventlog import read_recording

pytestmark = [pytest.mark.proof, pytest.mark.timeout(7200)]
OUTCOMES = Path(__file__).with_name("outcomes.py")
REPEATS = 20
"""Runs on each side of a test whose outcomes differ."""
MANY = 20
"""More tests than that do not differ by chance."""
CPYTHON = ["signal", "threading", "asyncio", "subprocess", "fork1", "gc", "generators", "exceptions"]
SUITES = {
    "numpy": ["pytest", "--pyargs", "numpy", "-m", "not slow", "--continue-on-collection-errors"],
    "scipy.linalg": ["pytest", "--pyargs", "scipy.linalg", "-m", "not slow"],
    "scipy.optimize": ["pytest", "--pyargs", "scipy.optimize", "-m", "not slow"],
    "joblib": ["pytest", "--pyargs", "joblib"],
    **{f"CPython {name}": ["unittest", f"test.test_{name}"] for name in CPYTHON},
}
VERSIONS = ["3.11", "3.12", "3.13"]


@cache
def interpreter(version: str) -> str | None:
    """Return a Python of a version with this workbench: the own one, or one of `.ci/run`'s environments."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    python = Path(__file__).parents[2] / f".venv-{version}" / "bin" / "python"
    return str(python) if python.is_file() else None


def outcomes(python: str, words: list[str], folder: Path, *, recording: Path | None = None) -> dict[str, str]:
    """Return what came of each test, in a run that is sampled into a recording, or in one that is not."""
    file = folder / "outcomes.json"
    file.unlink(missing_ok=True)
    variables = {"OPENBLAS_NUM_THREADS": "1"}
    if recording is not None:
        variables |= {"WORKBENCH_RECORD": str(recording), "WORKBENCH_SAMPLE": "2000,native"}
    done = subprocess.run(
        [python, "-W", "ignore", str(OUTCOMES), str(file), *words],
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    assert file.is_file(), f"it ended with exit code {done.returncode}: {done.stderr[-2000:]}"
    found: dict[str, str] = json.loads(file.read_text())
    return found


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("version", VERSIONS)
def test_outcomes_are_the_same(suite, version, tmp_path, record_property):
    """A test that fails under the sampler fails without it, too; one that differs is repeated on both sides."""
    python, words = interpreter(version), SUITES[suite]
    if python is None:
        pytest.skip(f"no environment with Python {version}")
    if words[0] == "pytest" and python != sys.executable:
        pytest.skip("libraries are tested on one Python")
    recording = tmp_path / "recording"
    plain = outcomes(python, words, tmp_path)
    if not plain:
        pytest.skip(f"Python {version} has no such tests")
    sampled = outcomes(python, words, tmp_path, recording=recording)
    differing = sorted(
        name for name in {*plain, *sampled} if plain.get(name, "absent") != sampled.get(name, "absent")
    )
    assert len(differing) <= MANY, differing[:MANY]
    harms = []
    for name in differing:
        again = [words[0], name]
        sides = {
            is_sampled: [
                outcomes(python, again, tmp_path, recording=tmp_path / f"again {i}" if is_sampled else None)
                for i in range(REPEATS)
            ]
            for is_sampled in (False, True)
        }
        failures = {
            side: sum(set(run.values()) != {"passed"} for run in runs) for side, runs in sides.items()
        }
        if failures[True] and not failures[False]:
            harms.append((name, failures))
    runs = read_recording(recording).recording.samplers
    assert runs
    for what, count in (
        ("tests", len(plain)),
        (
            "not passed both times",
            sum(sampled.get(name) == how for name, how in plain.items() if how != "passed"),
        ),
        ("differing", len(differing)),
        ("samples", sum(run.samples for run in runs)),
        ("system calls interrupted", sum(run.interrupted for run in runs)),
    ):
        record_property(what, count)
    assert harms == []
