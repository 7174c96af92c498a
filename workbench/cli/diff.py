"""`workbench diff`: what takes more time after a change, and what takes less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from workbench.cli._progress import say, say_all
from workbench.cli._settings import HELP
from workbench.cli.bench import Share
from workbench.errors import InvalidInputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.report.profile.difference import Comparison
    from workbench.report.profile.frame_changes import Of

ENOUGH = 8
"""Profiles of a side, with which 5 % of a fifth of the run is found (docs/statistics.md)."""
EPILOG = """\b
Examples:
  workbench profile --repeat 8 -o before fit.py       then change the program, and
  workbench profile --repeat 8 -o after fit.py
  workbench diff before after -o diff.html            intervals between runs: what is slower, and what is noise
  workbench diff before after --fail-slower 5%        a gate: exit code 1 if wall time is more than 5 % longer
  workbench diff before after --fail-slower 5% --scope "compute jacobian"
  workbench diff before.folded after.folded -o - > diff.svg

A and B are two profiles, or two folders of profiles: a profile is what workbench show reads. With six or more of each,
intervals are between runs, and all that has over 1 % of the time is compared with Holm's correction at 95 %. One
profile of each shows two runs, not which is slower: intervals cover its sampling alone. Waiting is not compared.

-o writes a page if FILE ends in .html, else the flame graph as SVG. It is replaced only if workbench wrote it. In the
flame graph red is more, blue is less, and pale is within noise; what is gone or new is shown too. --json is defined by
report/profile/difference.schema.json of the package.

\b
Exit codes: 0 fine, 1 a regression, 2 bad input, 3 inconclusive (with --fail-slower), 130 interrupted.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("-o", "--output", metavar="FILE", help="Write a page (.html) or the flame graph; - is a pipe.")
@click.option(
    "--relative/--absolute",
    default=False,
    help="Scale all profiles to one total, and compare shares.  [default: absolute times]",
)
@click.option(
    "--of", type=click.Choice(["spans", "samples"]), help="What to compare, if both profiles have both."
)
@click.option("--fail-slower", type=Share(), help="Fail if B takes so much longer, such as 5%.")
@click.option("--scope", metavar="NAME", help="With --fail-slower: judge this scope, not wall time.")
@click.option(
    "--top", type=click.IntRange(min=1), default=15, show_default=True, help="Maximum number of rows."
)
@click.option("--title", default="", help="Heading of the page and the flame graph.")
@click.option("--json", "as_json", is_flag=True, help="Print all changes as JSON.")
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
@click.pass_context
def command(
    ctx: click.Context,
    output: str | None,
    relative: bool,
    of: str | None,
    fail_slower: float | None,
    scope: str | None,
    top: int,
    title: str,
    as_json: bool,
    before: Path,
    after: Path,
) -> None:
    """Compare profile B with profile A, or sets of them: wall times, changes with intervals, a flame graph."""
    from workbench.outputs import check_export
    from workbench.report.profile.difference import DifferenceOptions, compare
    from workbench.report.profile.difference_text import as_json as json_of
    from workbench.report.profile.difference_text import as_text

    if scope is not None and fail_slower is None:
        raise InvalidInputError(f"--scope {scope} names what --fail-slower judges: add --fail-slower 5%")
    if output not in (None, "-"):
        check_export(Path(output))  # before a long read
    if output == "-" and as_json:
        raise InvalidInputError(
            "the flame graph and the JSON cannot both go to standard output: give -o a file"
        )
    try:
        found = compare(
            DifferenceOptions(before, after, cast("Of | None", of), relative, title, fail_slower, scope)
        )
        if output is not None:
            _write(found, output)
    except WorkbenchError as error:
        if fail_slower is not None and error.exit_code == 1:  # which here would be taken for a regression
            raise InvalidInputError(str(error)) from None
        raise
    say_all(found.warnings)
    if as_json:
        click.echo(json.dumps(json_of(found), indent=1, allow_nan=False))
    else:
        for line in as_text(found, top):
            click.echo(line, err=output == "-")
    if output not in (None, "-"):
        say(f"wrote {output}")
    if not found.is_of_sets:
        say(
            f"for intervals between runs, make folders of profiles with workbench profile --repeat {ENOUGH} -o FOLDER"
        )
    if found.gate is not None:
        from workbench.bench.compare.gate import EXIT_CODES

        ctx.exit(EXIT_CODES[found.gate.verdict])


def _write(found: Comparison, output: str) -> None:
    from workbench.outputs import export
    from workbench.report.profile.difference_page import flame_graph, page

    if output == "-":
        click.echo(flame_graph(found), nl=False)
        return
    content = page(found) if output.endswith(".html") else flame_graph(found)
    try:
        export(Path(output), lambda file: file.write_text(content, encoding="utf-8"))
    except OSError as error:
        raise WorkbenchError(f"cannot write {output}: {error.strerror}; choose another with -o") from None
