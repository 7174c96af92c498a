"""`workbench diff`: what takes more time after a change, and what takes less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from workbench.cli._progress import say, say_all
from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError, WorkbenchError

if TYPE_CHECKING:
    from workbench.report.profile.difference import Comparison, Of

EPILOG = """\b
Examples:
  workbench diff profiles/before profiles/after -o diff.svg
  workbench diff before.folded after.folded --absolute -o - > diff.svg
  workbench diff before.speedscope.json after.speedscope.json --json

Each is a recording's folder, a folder that workbench profile wrote, or a file of any format that can be read.
By default the first is scaled to the total of the second: what is compared is shares, and two runs of different
length can be. The file of -o is replaced only if workbench wrote it.
In the flame graph red is more, blue is less; what is gone or new is shown too.
"""

ROWS = 15


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("-o", "--output", metavar="FILE", help="Write the difference flame graph there; - is a pipe.")
@click.option("--absolute", is_flag=True, help="Compare times as measured, not scaled to one total.")
@click.option(
    "--of", type=click.Choice(["spans", "samples"]), help="What to compare, if both profiles have both."
)
@click.option("--title", default="", help="Heading of the flame graph.")
@click.option("--json", "as_json", is_flag=True, help="Print all changes as JSON.")
@click.argument("before", type=click.Path(path_type=Path), metavar="A")
@click.argument("after", type=click.Path(path_type=Path), metavar="B")
def command(
    output: str | None, absolute: bool, of: str | None, title: str, as_json: bool, before: Path, after: Path
) -> None:
    """Compare profile B with profile A: a flame graph, and a table of the largest changes of self time."""
    from workbench.outputs import check_export, export
    from workbench.report.profile.difference import DifferenceOptions, compare

    if output not in (None, "-"):
        check_export(Path(output))  # before a long read
    if output == "-" and as_json:
        raise InvalidInputError(
            "the flame graph and the JSON cannot both go to standard output: give -o a file"
        )
    found = compare(
        DifferenceOptions(before, after, cast("Of | None", of), normalised=not absolute, title=title)
    )
    say_all(found.warnings)
    if output == "-":
        click.echo(found.svg(), nl=False)
    elif output is not None:
        try:
            export(Path(output), lambda file: file.write_text(found.svg(), encoding="utf-8"))
        except OSError as error:
            raise WorkbenchError(f"cannot write {output}: {error.strerror}; choose another with -o") from None
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    click.echo(_table(found), err=output == "-")
    if output not in (None, "-"):
        say(f"wrote {output}")


def _table(found: Comparison) -> str:
    from workbench.report.profile.difference import change_in_words
    from workbench.text import as_amount, printable

    rows = [("before", "after", "change", "", "self time of")]
    changes = [change for change in found.changes if change.by_ns][:ROWS]
    for change in changes:
        sign = "+" if change.by_ns > 0 else "−"
        rows.append(
            (
                as_amount(change.before_ns, "ns"),
                as_amount(change.after_ns, "ns"),
                sign + as_amount(abs(change.by_ns), "ns"),
                change_in_words(change),
                printable(change.name)[:80],
            )
        )
    all_before, all_after = found.tree.before.all_ns, found.tree.after.all_ns
    scaled = ", before scaled to the total of after" if found.options.normalised else ""
    head = f"all {found.of}: {as_amount(all_before, 'ns')} → {as_amount(all_after, 'ns')}{scaled}"
    if not changes:
        return head + "\nno frame's self time changed"
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows]
    return "\n".join([head, *(f"{line}  {row[4]}" for line, row in zip(lines, rows, strict=True))])
