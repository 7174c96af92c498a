"""`workbench export`: an experiment for other tools."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from workbench.cli._settings import HELP

EPILOG = """\b
Examples:
  workbench export reports/2026-11-23-101500 --to pyperf -o run.json && pyperf stats run.json
  workbench export reports/2026-11-23-101500 --to bencher | bencher run --adapter json
  workbench export reports/2026-11-23-101500 --to github -o benchmark.json
  workbench export reports/2026-11-23-101500 --to csv -o runs.csv

\b
Formats:
  pyperf   one benchmark for each variant, one run for each of its processes
  bencher  Bencher Metric Format: latency in nanoseconds and quality, with their intervals
  github   github-action-benchmark, tool customSmallerIsBetter
  csv      one line for each run of each round

An existing FILE is replaced only if workbench wrote it: any other is refused with exit code 2.
"""


@click.command(context_settings=HELP, epilog=EPILOG)
@click.option("--to", "format_", metavar="FORMAT", required=True, help="pyperf, bencher, github or csv.")
@click.option("-o", "--output", metavar="FILE", default="-", help="File to write; - is standard output.")
@click.argument("run", type=click.Path(path_type=Path), metavar="EXPERIMENT")
def command(format_: str, output: str, run: Path) -> None:
    """Export the EXPERIMENT in a folder for another tool."""
    from workbench.bench.export import FORMATS, export, write_export
    from workbench.bench.results.results import read_results
    from workbench.errors import unknown_name
    from workbench.outputs import check_export

    if format_ not in FORMATS:  # before a long read
        raise unknown_name("format", format_, FORMATS)
    if output != "-":
        check_export(Path(output))
    content = export(read_results(run), format_)
    if output == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_export(content, Path(output))
