"""What a notebook shows of an experiment: what the command prints, and a link to the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from workbench.bench.analysis.analysis import analyse
from workbench.bench.results.results import Results
from workbench.report.bench.page import write_page
from workbench.report.bench.rows import as_text
from workbench.report.profile.notebook import WIDTH, page_link, preformatted


@dataclass(frozen=True)
class BenchOutput:
    """The output of a cell that was measured."""

    page: Path
    lines: tuple[str, ...]

    def _repr_html_(self) -> str:
        return preformatted("\n".join(self.lines)) + page_link(self.page)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text("\n".join([*self.lines, f"open {self.page} in a browser"]))


def bench_output(results: Results) -> BenchOutput:
    """Write the page of an experiment, and return what a notebook shows of it."""
    lines = as_text(analyse(results))
    if results.plan is not None:
        lines.append(f"plan: {results.plan.rounds} rounds: {results.plan.why}")
    folded = [part for line in lines for part in wrap(line, WIDTH, subsequent_indent="  ")]
    return BenchOutput(write_page(results), tuple(folded))
