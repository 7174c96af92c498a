"""`workbench bench`: the variants of a suite against each other."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.bench.design.axes import FULL, PLANS
from workbench.cli._progress import Advance, progress, say, terminal_width
from workbench.cli._settings import HELP

if TYPE_CHECKING:  # they bring NumPy, which --help does not need
    from workbench.bench.results.results import Results
    from workbench.bench.run.rounds import RoundProgress

UNDECIDED = 3
"""The exit code where the budget held too few rounds for a verdict."""
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


class Share(click.ParamType):  # type: ignore[type-arg]  # as above
    """A share such as 2% or 0.02."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the share, or fail with the forms that can be used."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", str(value).strip())
        share = float(match[1]) / (100.0 if match[2] else 1.0) if match is not None else 0.0
        if not 0 < share < 1:
            self.fail(f"{value!r} is not a share: write 2% or 0.02", param, ctx)
        return share


class _RoundsOption(click.Option):
    """An option that help lists by its first name alone."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the text for the help page."""
        record = super().get_help_record(ctx)
        return None if record is None else (record[0].replace(", --blocks", ""), record[1])


rounds_option = click.option(
    "--rounds", "--blocks", "rounds", type=int, cls=_RoundsOption, help="Measure this number of rounds."
)
"""`--rounds`, which earlier versions called `--blocks`."""
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of orders and random data."
)
timeout_option = click.option(
    "--timeout", type=Duration(), default="2m", show_default=True, help="Time limit of one run."
)

instructions_option = click.option(
    "--instructions",
    is_flag=True,
    help="Count each variant's instructions, too, once under valgrind: a busy machine does not change them.",
)

keep_option = click.option(
    "--keep",
    type=int,
    metavar="N",
    help="Afterwards, delete all but the newest N experiments of this suite and machine beside the new one.",
)


def axis_choices(given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the options by axis of arguments such as tanh=exact,fast.

    Raises:
        click.BadParameter: One has another form.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, sign, options = text.partition("=")
        chosen = tuple(option.strip() for option in options.split(",") if option.strip())
        if not sign or not name.strip() or not chosen:
            raise click.BadParameter(f"{text!r} is no axis with options: write tanh=exact,fast")
        found[name.strip()] = (*found.get(name.strip(), ()), *chosen)
    return found


@click.command(
    context_settings=HELP,
    epilog="""\b
Examples:
  workbench bench                          the reference trainer's variants, in about 5 minutes
  workbench bench --axis tanh=exact,fast   two of them
  workbench bench my_suite.py --precision 2% --budget 30m -o reports/mine
  workbench bench my_suite.py --instructions          ratios of instructions beside those of times
  workbench bench my_suite.py --dry-run    the runs and their order
  workbench bench my_suite.py --resume -o reports/mine
  workbench bench my_suite.py -o reports/nightly/$(date +%F) --keep 30

Exit codes: 0 done, 2 bad input, 3 the budget held too few rounds for a verdict, 130 interrupted.
Ctrl-C ends an experiment early: the complete rounds are reported, and --resume continues it.
Files that workbench did not write are never replaced: if one is in the way, nothing runs, and the exit code is 2.""",
)
@click.argument("suite", default="reference")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the experiment.")
@click.option("--budget", type=Duration(), default="5m", show_default=True, help="Time to measure.")
@click.option("--precision", type=Share(), help="Wanted half-width of the intervals, such as 2%.")
@click.option(
    "--axis", "axes", multiple=True, metavar="NAME=A,B", help="Measure only these options of an axis."
)
@click.option(
    "--plan",
    type=click.Choice(PLANS),
    default=FULL,
    show_default=True,
    help="Measure all combinations of the axes, or only those that differ from the baseline on one.",
)
@rounds_option
@click.option(
    "--delta",
    type=Share(),
    default="2%",
    show_default=True,
    help="Smallest difference in speed that matters.",
)
@click.option(
    "--margin",
    type=float,
    default=0.1,
    show_default=True,
    help="Largest increase of the error that is acceptable, in log10 (0.1 is 26 %).",
)
@seed_option
@timeout_option
@click.option("--resume", is_flag=True, help="Resume the experiment in the folder of -o.")
@click.option("--force", is_flag=True, help="Resume even if suite, machine or packages have changed.")
@keep_option
@click.option("--no-profile", is_flag=True, help="Do not record each variant's scopes after the rounds.")
@instructions_option
@click.option("--dry-run", is_flag=True, help="Print the runs, and what --keep would delete.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    suite: str,
    output: Path | None,
    budget: float,
    precision: float | None,
    axes: tuple[str, ...],
    plan: str,
    rounds: int | None,
    delta: float,
    margin: float,
    seed: int,
    timeout: float,
    resume: bool,
    force: bool,
    keep: int | None,
    no_profile: bool,
    instructions: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare the variants of SUITE (a name, a file or a module) on speed and quality, in paired fresh processes."""
    from workbench.bench.run.experiment import BenchOptions, InterruptedRunError, planned, run_suite

    if resume and output is None:
        raise click.UsageError("--resume resumes the experiment in a folder: name it with -o")
    folder = output or Path("reports") / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    options = BenchOptions(
        suite,
        folder,
        budget_s=budget,
        rounds=rounds,
        precision=precision,
        delta=delta,
        margin=margin,
        axes=axis_choices(axes),
        plan=plan,
        seed=seed,
        timeout_s=timeout,
        resume=resume,
        force=force,
        keep=keep,
        profiled=not no_profile,
        instructions=instructions,
    )
    if dry_run:
        for line in planned(options):
            click.echo(line)
        return
    again = f"resume it with --resume -o {folder}"
    try:
        with progress("measuring") as advance:
            results = run_suite(options, progress=showing(advance), say=say)
    except InterruptedRunError as error:
        raise InterruptedRunError(f"{error}: {again}") from None
    if len(results.complete_rounds()) < results.planned:
        say(again)
    ctx.exit(tell(results, as_json=as_json))


def showing(advance: Advance) -> Callable[[RoundProgress], None]:
    """Return a function that moves the display of an experiment."""

    def show(now: RoundProgress) -> None:
        done = now.round * now.runs + now.position
        total = now.rounds * now.runs if now.rounds is not None else None
        advance(done, total, f"round {now.round + 1}, {now.variant}")

    return show


def tell(results: Results, *, as_json: bool) -> int:
    """Write the page of an experiment and print its verdicts as text or JSON; return the exit code."""
    from workbench.bench.analysis.analysis import analyse
    from workbench.report.bench.page import write_page
    from workbench.report.bench.rows import as_text

    page = write_page(results)
    analysis = analyse(results)
    code = UNDECIDED if analysis.is_undecided else 0
    if as_json:
        click.echo(json.dumps(analysis.to_json() | {"page": str(page)}, indent=1, allow_nan=False))
        return code
    for line in as_text(analysis, terminal_width(sys.stdout)):
        click.echo(line)
    if results.plan is not None:
        click.echo(f"plan: {results.plan.rounds} rounds: {results.plan.why}")
    click.echo(f"open {page} in a browser")
    return code
