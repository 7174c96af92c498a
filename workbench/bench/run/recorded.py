"""A variant under a sampler, to explain figures; such a run is never measured."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.bench.machine.environment import PINNED
from workbench.bench.run.process import end_of, failure
from workbench.capture.program import Capture, CaptureOptions, run_program
from workbench.capture.samplers import IN_PROCESS, Sampling
from workbench.capture.warnings import Warn, warning_text
from workbench.formats.speedscope import write_speedscope

SAMPLES_FILE = "samples.speedscope.json.gz"
STEPLESS_RUNS = 2
"""Runs of a case that has no steps, for a benchmark: the first is left out, as of the measured ones."""


@dataclass(frozen=True)
class VariantRun:
    """Which variant to run, and how long."""

    suite: str
    """Where the suite comes from."""
    variant: str
    seed: int
    seconds: float = 0.0
    """It is run again from the same seed until this time is over, for enough samples."""
    runs: int = 1
    """At least so many runs of a case that has no steps."""


def profile_variant(
    run: VariantRun,
    options: CaptureOptions,
    *,
    kept: Path | None = None,
    say: Warn | None = None,
) -> Capture:
    """Run a variant, recorded and sampled.

    Args:
        run: Which, and how long.
        options: How to sample it, and where the results go; the program is the variant's, and its output is left out.
        kept: The folder in which the case keeps its first result; None: nowhere.
        say: Called with each warning.
    """
    arguments = [run.suite, run.variant, str(run.seed), str(run.seconds), str(run.runs)]
    arguments += [] if kept is None else [str(kept)]
    # Without the working folder on the path, where any module of a standard name would be the program's.
    program = ("-P", "-m", "workbench.bench.run.repeat", *arguments)
    options = replace(options, program=program, environment=PINNED, output=subprocess.DEVNULL)
    return run_program(options, say=say)


def record_run(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    """Execute the run of a request, recorded and sampled, into the folder `record`.

    The in-process sampler's samples are in the recording. Those of another sampler, with the scopes above them, are in
    `SAMPLES_FILE`, a profile with its name. It executes in a process of its own, below this one, so that whoever ends
    this one's group ends both.

    Args:
        request: The run's, with `record` and `sampler`.
        scratch: A folder that somebody else removes, also where this process is killed.

    Returns:
        The run's `error`; without one, whether there are `scopes`, and `said`, why there are not the samples that
        were asked for.
    """
    folder, complaint = Path(request["record"]), scratch / "recorded.stderr"
    run = VariantRun(request["suite"], request["variant"], request["seed"], runs=STEPLESS_RUNS)
    with complaint.open("wb") as errors:
        options = CaptureOptions(
            program=(),
            folder=folder,
            sampling=Sampling(request["sampler"]),
            input=subprocess.DEVNULL,
            errors=errors.fileno(),
        )
        capture = profile_variant(run, options)
    if capture.returncode != 0:
        return {"error": failure(capture.returncode, end_of(complaint))}
    if capture.merged is not None and not capture.one_clock:
        write_speedscope(replace(capture.merged, name=capture.sampler), folder / SAMPLES_FILE)
    is_another = request["sampler"] == "auto" and not capture.sampler.startswith(IN_PROCESS)
    said = capture.warnings[:1] if is_another or capture.sampling_failed else ()
    return {"error": None, "scopes": capture.scopes is not None, "said": "".join(map(warning_text, said))}
