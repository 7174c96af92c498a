"""What profiling costs a program: it runs bare, with its scopes recorded, and with each sampler or with memory traced.

The program is named by a variable, which `workbench.bench.profiling_cost` sets. What is timed is the program's own wall
time, from its start to its end, without the time that it waits for py-spy: the interpreter's start is in it for every
variant, py-spy's attaching and writing for none.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from workbench.bench import Case, Curve, Suite
from workbench.bench.profiling_cost import BARE, NOTES, WAYS, RunFacts, asked_program
from workbench.bench.run.process import end_of, failure
from workbench.capture.program import Capture, CaptureOptions, run_program
from workbench.capture.samplers import Sampling
from workbench.capture.warnings import warning_text
from workbench.errors import WorkbenchError


def __getattr__(name: str) -> Suite:
    """Make the suite when it is asked for: its variants have the program, which is another one each time."""
    if name != "suite":
        raise AttributeError(name)
    asked = asked_program()
    program = {"program": list(asked.program), "rate": asked.rate, "native": asked.native}
    variants = {way.name: {"way": way.name, **program} for way in asked.ways()}
    made = Suite("profiling", baseline=BARE, variants=variants)
    made.workload(set_up)
    return made


def set_up(way: str, program: list[str], rate: int, native: bool, *, seed: int) -> Case:  # noqa: ARG001  of a program nothing is drawn
    """Set one run of the program up, without standard input, its output thrown away."""
    asked, chosen = asked_program(), WAYS[way]
    for variable, value in asked.environment.items():  # the program's libraries have their own threads
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value
    curve = Curve()

    def run() -> Capture:
        with (
            tempfile.TemporaryDirectory(dir=asked.scratch) as scratch,
            Path(scratch, "stderr").open("wb") as errors,
        ):
            capture = run_program(
                CaptureOptions(
                    program=tuple(program),
                    folder=Path(scratch, "run"),
                    sampling=Sampling(
                        chosen.sampler,
                        rate,
                        native=chosen.native or (native and chosen.sampler == "in-process"),
                    ),
                    input=subprocess.DEVNULL,
                    output=subprocess.DEVNULL,
                    errors=errors.fileno(),
                    record=chosen.recorded,
                )
            )
            if capture.returncode:
                raise WorkbenchError(failure(capture.returncode, end_of(Path(errors.name))))
        if capture.sampling_failed:
            raise WorkbenchError(warning_text(capture.warnings[-1]))
        curve.measured(capture.program_seconds)
        return capture

    return Case(run=run, steps=lambda capture: [capture.program_seconds], curve=curve, keep=_keep)


def _keep(capture: Capture, folder: Path) -> None:
    tracks = capture.scopes.tracks if capture.scopes is not None else ()
    scopes = sum(len(track.spans) for track in tracks if track.spans is not None)
    facts = RunFacts(capture.program_seconds, scopes, tuple(map(warning_text, capture.warnings)))
    (folder / NOTES).write_text(json.dumps(facts.__dict__), encoding="utf-8")
