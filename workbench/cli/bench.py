"""`workbench bench`: the variants of a suite against each other."""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path

import click

from workbench.cli._progress import progress, say
from workbench.cli._settings import HELP

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """A time such as 90s, 5m or 1h, in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds, or fail with the forms that can be used."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value).strip())
        seconds = float(match[1]) * _UNITS[match[2] or "s"] if match is not None else 0.0
        if not 0 < seconds < math.inf:
            self.fail(f"{value!r} is not a time: write 90s, 5m or 1h", param, ctx)
        return seconds


@click.command(
    context_settings=HELP,
    epilog="""\b
Examples:
  workbench bench                        the reference trainer's variants, in about 5 minutes
  workbench bench --budget 30m           more rounds, narrower intervals
  workbench bench my_suite.py -o reports/mine

Ctrl-C ends a run early; the rounds that are complete are reported.""",
)
@click.argument("suite", default="reference")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--budget", type=Duration(), default="5m", show_default=True, help="How long to measure.")
@click.option("--rounds", type=int, help="A fixed number of rounds, whatever they take.")
@click.option("--seed", type=int, default=0, show_default=True, help="Orders and starts follow from it.")
@click.option("--timeout", type=Duration(), default="2m", show_default=True, help="Longest time of one arm.")
def command(
    suite: str, output: Path | None, budget: float, rounds: int | None, seed: int, timeout: float
) -> None:
    """Time the variants of SUITE (a name, or a Python file) in fresh processes, in interleaved rounds."""
    from workbench.bench.run import BenchOptions, Progress, run_suite
    from workbench.report.bench_page import sentences, write_page

    folder = output or Path("reports") / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    options = BenchOptions(suite, folder, budget_s=budget, rounds=rounds, seed=seed, timeout_s=timeout)
    with progress("measuring") as advance:

        def show(now: Progress) -> None:
            done = now.block * now.arms + now.arm
            total = now.rounds * now.arms if now.rounds is not None else None
            advance(done, total, f"round {now.block + 1}, {now.variant}")

        results = run_suite(options, progress=show, say=say)
    page = write_page(results)
    for variant, text in sentences(results).items():
        click.echo(f"{variant}: {text}")
    click.echo(f"open {page} in a browser")
