"""`workbench report`: the page of a profile, or of a bench run again."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli._settings import HELP
from workbench.errors import InvalidInputError

EPILOG = """\b
Examples:
  workbench report profiles/fit                       the page again, in that folder
  workbench report recording -o reports/fit           a recording, with all its workers
  workbench report fit.speedscope.json -o reports/fit any file that can be read
  workbench report reports/2026-11-23-101500          the page of a bench run again

Beside the page of a profile stand its pictures, and the profile in every format that can be written.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write to.")
@click.argument("path", type=click.Path(path_type=Path), metavar="PROFILE|RUN")
def command(output: Path | None, path: Path) -> None:
    """Make the page of a PROFILE (a recording, a profile's folder or file), or of a bench RUN."""
    from workbench.bench.results import FILE

    if path.name == FILE or (path / FILE).is_file():
        if output is not None:
            raise InvalidInputError(
                f"{path} is a bench run, whose page stands in its own folder: leave -o out"
            )
        from workbench.bench.results import read_results
        from workbench.report.bench_page import write_page

        page = write_page(read_results(path))
    else:
        page = _profile_page(path, output)
    click.echo(f"open {page} in a browser")


def _profile_page(path: Path, output: Path | None) -> Path:
    from workbench.report.profile_page import write_report
    from workbench.report.profile_run import is_profile_folder, read_run

    if not path.exists():
        raise InvalidInputError(
            f"{path} does not exist: name a profile, a recording, or a bench run's folder"
        )
    if output is None and not is_profile_folder(path):
        raise InvalidInputError(f"name a folder for the page of {path} with -o DIR")
    return write_report(read_run(path), output or path)
