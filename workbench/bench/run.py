"""Running a suite: rounds of fresh processes, one for each variant, in an order that changes every round."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from workbench.bench.environment import PINNED, environment
from workbench.bench.order import orders
from workbench.bench.results import Results, ResultsWriter, read_results
from workbench.bench.suite import Suite, load_suite
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.scopes._environment import FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE

NOT_FOR_ARMS = (FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE)
"""An arm is measured, not recorded."""
COMPLAINT_BYTES, COMPLAINT_CHARACTERS = 65_536, 500


class InterruptedRunError(WorkbenchError):
    """Ctrl-C came before anything could be reported."""

    exit_code = 130


@dataclass(frozen=True)
class BenchOptions:
    """What to measure, for how long, and where the results go."""

    suite: str
    folder: Path
    budget_s: float = 300.0
    rounds: int | None = None
    """A fixed number of rounds; by default as many whole ones as the budget holds, judged by the first."""
    least_rounds: int = 3
    seed: int = 0
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Progress:
    """How far a run is: called for each arm before it starts."""

    block: int
    rounds: int | None
    arm: int
    arms: int
    variant: str


def run_suite(
    options: BenchOptions,
    *,
    progress: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda text: None,
) -> Results:
    """Measure a suite. Ctrl-C ends it early and keeps what was measured.

    One seed serves all arms of a round, and each round has a new one; the arms never run at the same time.

    Raises:
        InvalidInputError: The suite cannot be used, or the options contradict themselves.
        InterruptedRunError: It was interrupted before a round was complete.
        WorkbenchError: The results cannot be written.
    """
    _check(options)
    suite = load_suite(options.suite)
    writer = ResultsWriter(options.folder, _head(suite, options))
    interrupted = False
    try:
        _rounds(suite, options, writer, progress, say)
    except KeyboardInterrupt:
        interrupted = True
    except InvalidInputError:
        writer.discard()
        raise
    finally:
        writer.close()
    results = read_results(options.folder)
    if interrupted:
        complete = len(results.complete_blocks())
        if not complete:
            raise InterruptedRunError(
                f"interrupted before a round was complete: {options.folder} has no report"
            )
        rounds = f"are the {complete} complete rounds" if complete > 1 else "is the one complete round"
        say(f"interrupted: what is reported {rounds}")
    _draw(suite, results, say)
    return results


def _check(options: BenchOptions) -> None:
    if options.rounds is not None and options.rounds < 1:
        raise InvalidInputError(f"--rounds {options.rounds}: choose 1 or more")
    for name, seconds in (("budget", options.budget_s), ("timeout", options.timeout_s)):
        if not 0 < seconds < math.inf:
            raise InvalidInputError(f"--{name} {seconds:g} s: choose a positive time")
    if options.seed < 0:
        raise InvalidInputError(f"--seed {options.seed}: choose 0 or more")


def _draw(suite: Suite, results: Results, say: Callable[[str], None]) -> None:
    for variant in suite.variants if suite.draw is not None else ():
        folder = results.fit_folder(variant)
        if suite.draw is not None and folder.is_dir():
            try:
                suite.draw(folder, variant)
            except Exception as error:  # noqa: BLE001  a suite's own code; what was measured must not be lost
                say(f"the suite's draw failed for {variant}: {type(error).__name__}: {error}")


def _head(suite: Suite, options: BenchOptions) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "suite_source": options.suite,
        "baseline": suite.baseline,
        "variants": _plain(suite.variants),
        "descriptions": suite.descriptions,
        "quality": suite.quality,
        "seed": options.seed,
        "budget_s": options.budget_s,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "pinned": PINNED,
        "environment": environment(),
    }


def _plain(value: object) -> Any:
    """Return a variant's options as JSON holds them; what it cannot hold, such as a function, as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if (
        value is None
        or isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return repr(value)


def _rounds(
    suite: Suite,
    options: BenchOptions,
    writer: ResultsWriter,
    progress: Callable[[Progress], None],
    say: Callable[[str], None],
) -> None:
    seeds, shuffle = np.random.default_rng(options.seed).spawn(2)
    names = list(suite.variants)
    began = time.monotonic()
    rounds = options.rounds
    failures: list[str] = []  # held back until one arm has worked: where none does, the suite is at fault
    worked = False
    for block, order in enumerate(orders(len(names), shuffle)):
        if rounds is not None and block >= rounds:
            break
        seed = int(seeds.integers(2**31))
        for position, index in enumerate(order):
            variant = names[index]
            progress(Progress(block, rounds, position, len(names), variant))
            keep = writer.fit_folder(variant) if block == 0 else None
            arm = run_arm_process(options, variant, seed, keep=keep)
            place = {"kind": "arm", "block": block, "position": position, "variant": variant, "seed": seed}
            writer.append(place | arm)
            if arm["error"] is not None:
                failures.append(f"round {block + 1}, {variant}: {arm['error']}")
            worked = worked or arm["error"] is None
            while worked and failures:
                say(failures.pop(0))
        if not worked:
            text = failures[0].partition(", ")[2]
            raise InvalidInputError(
                f"every variant of suite {suite.name!r} failed, so nothing is measured: {text}"
            )
        if rounds is None:
            rounds = max(options.least_rounds, int(options.budget_s / (time.monotonic() - began)))


def run_arm_process(
    options: BenchOptions, variant: str, seed: int, *, keep: Path | None = None
) -> dict[str, Any]:
    """Run one variant in a process of its own; a crash, an exception or a hang is a result with its message.

    Where `keep` is a folder, the case keeps its result there.
    """
    request = {
        "suite": options.suite,
        "variant": variant,
        "seed": seed,
        "keep": str(keep) if keep is not None else None,
    }
    environment = {k: v for k, v in os.environ.items() if k not in NOT_FOR_ARMS} | PINNED
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch:
        # Files and not pipes: what an arm leaves running must not keep us waiting for an end of file.
        answer, complaint = Path(scratch, "result.json"), Path(scratch, "stderr")
        command = [sys.executable, "-m", "workbench.bench.worker", json.dumps(request), str(answer)]
        with complaint.open("wb") as stderr:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            process.wait(options.timeout_s)
            failure = _failure(process.returncode, _tail(complaint))
        except subprocess.TimeoutExpired:
            failure = f"no result within {options.timeout_s:g} s"
        finally:
            _end_group(process)
        result: dict[str, Any] = json.loads(answer.read_text()) if answer.is_file() else {"error": failure}
    if result["error"] is not None:
        result["error"] = _one_line(result["error"])
    return result | {"load_1min": round(load, 2)}


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever the arm has started, so that nothing of it runs beside the next one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(path: Path) -> str:
    """Return the end of a file: an arm may have written gigabytes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - COMPLAINT_BYTES))
        return file.read().decode(errors="replace")


def _failure(returncode: int, complaint: str) -> str:
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
