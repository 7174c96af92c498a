"""`workbench profile --cost`: what profiling costs a program, as a table or as JSON."""

from __future__ import annotations

import json

import click

from workbench.capture.program import CaptureOptions
from workbench.cli._progress import progress, say
from workbench.errors import InvalidInputError


def check_use(suite: str | None, sampler: str) -> None:
    """Raise InvalidInputError where `--cost` is used together with what it cannot measure."""
    if suite is not None:
        raise InvalidInputError(f"--cost measures one program: leave out --suite {suite}, and name a script")
    if sampler != "auto":
        raise InvalidInputError(
            f"--cost measures scopes, in-process and py-spy: leave out --sampler {sampler}"
        )


def measure(profile: CaptureOptions, runs: int | None, *, as_json: bool) -> None:
    """Measure what a profile made with these options costs, write `cost.json` beside it, and print the figures."""
    from workbench.bench.profiling_cost import CostOptions, measure_cost
    from workbench.bench.profiling_cost_file import FILE, write_cost
    from workbench.capture.program import check_options
    from workbench.outputs import OutputFolder

    options = CostOptions(profile.program, profile.folder, profile.rate, profile.native is not False, runs)
    check_options(profile)
    with OutputFolder(profile.folder, [FILE]) as folder:
        with progress("what profiling costs") as advance:
            cost = measure_cost(options, progress=advance, say=say)
        path = write_cost(cost, folder)
    if as_json:
        click.echo(json.dumps(cost.to_json() | {"file": str(path)}, indent=1, allow_nan=False))
        return
    for line in cost.lines():
        click.echo(line)
    click.echo(f"wrote {path}")
