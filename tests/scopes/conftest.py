"""Recording in this process and in fresh ones, and reading what was recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import workbench
from workbench import record
from workbench.eventlog import read_recording
from workbench.profile import ROOT as ROOT_STACK

ROOT = Path(workbench.__file__).parents[1]


class Interval(NamedTuple):
    track: str
    pid: int
    path: str
    start: int
    end: int
    unfinished: bool
    propagated: bool


class Intervals(list[Interval]):
    """The spans of a recording, in order of track and start."""

    @classmethod
    def read(cls, folder: Path) -> Intervals:
        profile = read_recording(folder).check()
        assert profile.recording.damaged == 0
        found = cls()
        path_of = {ROOT_STACK: ""}
        for number, (parent, frame) in enumerate(
            zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True)
        ):
            name = profile.frames[frame].name
            path_of[number] = f"{path_of[parent]}/{name}" if parent != ROOT_STACK else name
        for track in profile.tracks:
            if track.spans is not None:
                spans = track.spans
                columns = [spans.stack, spans.start_ns, spans.end_ns, spans.unfinished]
                columns.append(np.zeros(len(spans), bool) if spans.propagated is None else spans.propagated)
                for stack, *rest in zip(*(column.tolist() for column in columns), strict=True):
                    found.append(Interval(track.name, track.pid, path_of[stack], *rest))
        return found

    @property
    def own(self) -> Intervals:
        """Those that are not a remote parent's."""
        return Intervals(interval for interval in self if not interval.propagated)

    @property
    def paths(self) -> list[str]:
        return [interval.path for interval in self]

    @property
    def tracks(self) -> set[str]:
        return {interval.track for interval in self}


@pytest.fixture
def read() -> Callable[[Path], Intervals]:
    return Intervals.read


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[Callable[[], object]], Intervals]:
    """Return a function that records what another does."""

    def recorded(body: Callable[[], object]) -> Intervals:
        with record(tmp_path / "recording", replace=True):
            body()
        return Intervals.read(tmp_path / "recording")

    return recorded


@pytest.fixture
def environment() -> dict[str, str]:
    """An environment in which a fresh interpreter finds workbench, and nothing records yet."""
    ours = [key for key in os.environ if key.startswith("WORKBENCH_") and key != "WORKBENCH_RECORDER"]
    return {key: value for key, value in os.environ.items() if key not in ours} | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a program, given as text, in `tmp_path`; it does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, **extra: str) -> subprocess.Popen[str]:
        script = tmp_path / "program.py"
        script.write_text(textwrap.dedent(code))
        process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environment | extra,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a program to its end."""

    def run(code: str, **extra: str) -> subprocess.CompletedProcess[str]:
        process = start(code, **extra)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run
