"""One run, a process: started, waited for, and ended with all that it began."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from workbench.bench.machine.environment import PINNED
from workbench.bench.run import reaper
from workbench.scopes.environment import VARIABLES

if TYPE_CHECKING:  # a run that is not sampled does not pay for it
    from workbench.capture.samplers import SamplerName

COMPLAINT_BYTES, COMPLAINT_CHARACTERS = 65_536, 500
WORKER = ("-P", "-m", "workbench.bench.run.worker")
"""Without the working folder on the path, where any module of a standard name would be the worker's."""
REAPER_S = 10.0
"""How long the reaper may take to end everything, on a busy machine, before it is killed itself."""


@dataclass(frozen=True)
class RunRequest:
    """What one run does; `worker` says what comes back."""

    suite: str
    variant: str
    seed: int
    loops: int = 1
    """Executions in a row for a value; with 0 the run determines their number and that of the values."""
    values: int = 1
    looped: bool = False
    """Whether to loop an execution that is long enough alone, since other variants are looped."""
    discard: bool = True
    """Whether the first run does not count."""
    keep: Path | None = None
    """A folder in which the case keeps its result."""
    calibrate: bool = False
    """Whether to find out `loops` and `values` and no more."""
    tables: bool = False
    """Whether to make the suite's tables instead."""
    count: bool = False
    """Whether to count the instructions of `loops` executions, under callgrind: then it is not measured."""
    record: Path | None = None
    """A folder for a recording of the run with samples: then it is not measured."""
    sampler: SamplerName = "auto"
    """The sampler to use for them."""

    def text(self) -> str:
        """Return it as the worker reads it."""
        return json.dumps(self.__dict__, default=str)


@dataclass(frozen=True)
class Interpreter:
    """The Python, variables and folder of a run."""

    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beside our own."""
    folder: Path | None = None
    """The working folder; ours where it is None."""
    prefix: tuple[str, ...] = ()
    """The words of a program that runs the Python."""


HERE = Interpreter()


def run_process(request: RunRequest, timeout_s: float, interpreter: Interpreter = HERE) -> dict[str, Any]:
    """Start one run in a process of its own; a crash, an exception or a hang is a result with its message."""
    # A run is measured, neither recorded nor sampled.
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment = kept | PINNED | dict(interpreter.environment)
    load, began = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        # Files and not pipes: what a run leaves running must not keep us waiting for an end of file.
        answer, complaint = Path(scratch, "result.json"), Path(scratch, "stderr")
        command = [*interpreter.prefix, interpreter.python, *WORKER, request.text(), str(answer)]
        with complaint.open("wb") as stderr:
            code = run_kept(command, environment, interpreter.folder, timeout_s, stderr=stderr)
        why = f"no result within {timeout_s:g} s" if code is None else failure(code, end_of(complaint))
        result: dict[str, Any] = json.loads(answer.read_text()) if answer.is_file() else {"error": why}
    if result["error"] is not None:
        result["error"] = _one_line(result["error"])
    return result | {"load_1min": round(load, 2), "took_s": round(time.monotonic() - began, 4)}


def run_kept(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path | None,
    timeout_s: float | None,
    *,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.DEVNULL,
) -> int | None:
    """Run a program, and end all that it has started, in whatever session; return its code, None after the timeout."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", reaper.__file__, *command],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and its reaper, which gets a moment to find what else there is."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(REAPER_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_of(path: Path) -> str:
    """Return the end of a file: a run may have written gigabytes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - COMPLAINT_BYTES))
        return file.read().decode(errors="replace")


def failure(returncode: int, complaint: str) -> str:
    """Return how a process ended, with the last line that it wrote."""
    lines = complaint.strip().splitlines()
    how = f"killed by {_signal_name(-returncode)}" if returncode < 0 else f"exit code {returncode}"
    return f"{how}: {lines[-1]}" if lines else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _one_line(text: str) -> str:
    """Return a message as one line without control characters, and not longer than people read."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= COMPLAINT_CHARACTERS else f"{line[:COMPLAINT_CHARACTERS]} …"
