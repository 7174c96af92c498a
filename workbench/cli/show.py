"""`workbench show`: where the time of a profile goes, or what an experiment found, as text."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from workbench.cli._progress import terminal_width
from workbench.cli._redact import redact_option, redaction, refuse_experiment
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError

EPILOG = """\b
Examples:
  workbench show profiles/fit                       what workbench profile printed
  workbench show recording                          a recording, even one in progress
  workbench show fit.speedscope.json                any file that can be read
  workbench show profiles/fit --scope "compute jacobian" --top 30
  workbench show profiles/fit --markdown >>"$GITHUB_STEP_SUMMARY"
  workbench show profiles/fit --json                as JSON; report/profile/show.schema.json of the package defines it,
                                                    and bench/analysis/experiment.schema.json that of an experiment
  workbench show --redact --markdown profiles/fit   without names of users and hosts, for a public issue
  workbench show reports/2026-11-23-101500          the verdicts of an experiment

Times of scopes are exact, and summed over threads and processes. Shares are of all samples of working threads, plus or
minus half of the 95 % interval.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option(
    "--top", type=click.IntRange(min=1), default=15, show_default=True, help="Maximum number of rows."
)
@click.option("--scope", metavar="NAME", help="Show only what ran inside the scopes of this name.")
@click.option(
    "--text", "form", flag_value="text", default="text", help="Print text for a terminal.  [default]"
)
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown for a pull request.")
@click.option("--json", "form", flag_value="json", help="Print JSON for programs.")
@redact_option(" Source lines are left out.")
@click.argument("path", type=click.Path(path_type=Path))
def command(top: int, scope: str | None, form: str, redact: bool, path: Path) -> None:
    """Show where the time goes in PATH: a profile's folder or file, a recording, or an experiment."""
    from workbench.bench.results.results import FILE

    if path.name == FILE or (path / FILE).is_file():
        if scope is not None:
            raise InvalidInputError(
                f"{path} is an experiment, which has no scope {scope!r}: leave --scope out"
            )
        if redact:
            refuse_experiment(path)
        _show_experiment(path, form, top)
        return
    from workbench.report.profile.overview import as_json, as_markdown, as_text, overview_of
    from workbench.report.profile.redacted import redacted
    from workbench.report.profile.run import read_run

    run = read_run(path)
    if redact:
        names = redaction()
        run = redacted(run, names)
        scope = None if scope is None else names.text(scope)
    shown = overview_of(run, top=top, scope=scope)
    if form == "json":
        click.echo(json.dumps(as_json(shown), indent=1, allow_nan=False))
        return
    for line in as_markdown(shown) if form == "markdown" else as_text(shown, terminal_width(sys.stdout)):
        click.echo(line)


def _show_experiment(path: Path, form: str, top: int) -> None:
    from workbench.bench.analysis.analysis import analyse
    from workbench.bench.results.results import read_results
    from workbench.report.bench.markdown import experiment_markdown
    from workbench.report.bench.rows import as_text

    analysis = analyse(read_results(path))
    if form == "json":
        click.echo(json.dumps(analysis.to_json(top), indent=1, allow_nan=False))
        return
    width = terminal_width(sys.stdout)
    lines = experiment_markdown(analysis, top) if form == "markdown" else as_text(analysis, width, top)
    for line in lines:
        click.echo(line)
