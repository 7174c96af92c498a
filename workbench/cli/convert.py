"""`workbench convert`: from any format that can be read to any that can be written."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli._progress import say_all
from workbench.cli._redact import redact_option, redaction
from workbench.cli._settings import HELP

EPILOG = """\b
Examples:
  workbench convert profiles/fit fit.trace.json          a recording, for ui.perfetto.dev
  workbench convert profiles/fit fit.pb.gz               for go tool pprof
  workbench convert profiles/fit fit.profile.json.gz     for profiler.firefox.com
  workbench convert py-spy.json fit.speedscope.json      a file that another program wrote
  workbench convert profiles/fit timeline.svg            a chart: a timeline, or a flame graph by another name
  workbench convert --redact profiles/fit fit.pb.gz      to be sent to others
  workbench convert fit.prof - --to folded | flamegraph.pl > fit.svg
  zcat big.json.gz | workbench convert - big.speedscope.json.gz

The content and the suffix tell the format; --from and --to say it. What is gzipped is read as it is, and a name that
ends in .gz is gzipped. What each format keeps and loses is in docs/formats.md. OUT is replaced only if workbench
wrote it: any other file is refused with exit code 2.

\b
Formats to read:  speedscope chrome folded pprof difffolded perf austin pyspy-raw pyspy-chrome pyinstrument pstats
                  tachyon
Formats to write: speedscope chrome folded pprof firefox
Charts to write:  flamegraph timeline
"""


@click.command(epilog=EPILOG, context_settings=HELP)
@click.option("--from", "read_as", metavar="FORMAT", help="The format of IN.")
@click.option("--to", "write_as", metavar="FORMAT", help="The format of OUT.")
@redact_option()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
def command(source: str, target: str, read_as: str | None, write_as: str | None, redact: bool) -> None:
    """Convert the profile IN, a file or a recording's folder, to the file OUT; - is a pipe."""
    from workbench.capture.load import load
    from workbench.formats.registry import target_format, write_profile
    from workbench.outputs import check_export
    from workbench.report.profile.charts import chart_format

    format_ = chart_format(target, write_as) or target_format(target, write_as)  # before a long read
    if target != "-":
        check_export(Path(target))
    profile = load(source if source == "-" else Path(source), read_as)
    if redact:
        names = redaction()
        names.learn(profile)
        profile = names.profile(profile)
    say_all(profile.file.warnings)
    write_profile(profile, target, format_)
