"""`workbench report`: pages again, from results."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli._settings import HELP


@click.command(context_settings=HELP, epilog="\b\nExample:\n  workbench report reports/2026-11-23-101500")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Make the page of the bench run in the folder RUN again, from its results."""
    from workbench.bench.results import read_results
    from workbench.report.bench_page import write_page

    click.echo(f"open {write_page(read_results(run))} in a browser")
