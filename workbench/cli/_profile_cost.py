"""`workbench profile --cost`: what profiling costs a program, with the page of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.cli._progress import progress, say
from workbench.errors import InvalidInputError

if TYPE_CHECKING:  # it brings NumPy, which --help does not need
    from workbench.capture.program import CaptureOptions


def check_use(suite: str | None, sampler: str) -> None:
    """Raise InvalidInputError where `--cost` is used together with what it cannot measure."""
    if suite is not None:
        raise InvalidInputError(f"--cost measures one program: leave out --suite {suite}, and name a script")
    if sampler != "auto":
        raise InvalidInputError(
            f"--cost measures scopes, in-process and py-spy: leave out --sampler {sampler}"
        )


def measure(profile: CaptureOptions, runs: int | None, *, as_json: bool) -> int:
    """Measure what a profile made with these options costs, and print what was found; return the exit code."""
    from workbench.bench.profiling_cost import ROUNDS, CostOptions, cost_notes, measure_cost
    from workbench.cli.bench import showing, tell

    options = CostOptions(profile.program, profile.folder, profile.sampling, ROUNDS if runs is None else runs)
    with progress("what profiling costs") as advance:
        results = measure_cost(options, progress=showing(advance), say=say)
    for note in cost_notes(results):
        say(note)
    return tell(results, as_json=as_json)
