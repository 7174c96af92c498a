"""What an experiment says in a sentence or two: first on its page, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.analysis.verdict import FASTER
from workbench.bench.compare.gate import recorded_verdict
from workbench.report.bench.rows import NOT_WORSE, BenchRow
from workbench.text import named, printable

MAX_NAMED = 4
"""Variants that a headline names."""
KINDS = ("worse", "inconclusive", "none")


@dataclass(frozen=True)
class Headline:
    """A sentence at the top of the page."""

    text: str
    kind: str = ""
    """Of a comparison its verdict: a class of the page's styles."""


def headlines_of(analysis: Analysis, rows: Sequence[BenchRow]) -> list[Headline]:
    """Return what the whole experiment says, speed and error together; of a comparison first its gate."""
    found = recorded_verdict(analysis.results)
    if found is not None:
        # What is noted of the machine is in the strip.
        lines = [line for line in found.lines if line != found.note]
        return [Headline(printable(line), line.partition(" ")[0].strip(":").lower()) for line in lines]
    others = [row for row in rows if not row.is_baseline]
    if analysis.check.void:
        return [
            Headline(
                "This experiment is void: it finds a difference between the baseline and itself, so none is believed."
            )
        ]
    if not others:
        return [Headline("The baseline alone was measured: there is nothing to compare it with.")]
    faster = [
        row for row in others if row.comparison.speed is not None and row.comparison.speed.kind == FASTER
    ]
    by_error = {
        kind: [row for row in faster if row.comparison.quality_verdict.kind == kind] for kind in KINDS
    }
    free = [row for row in faster if row.comparison.quality_verdict.kind in NOT_WORSE]
    groups = [
        ("Faster, and the error is no worse", free),
        ("Faster, with a larger error", by_error["worse"]),
        ("Faster, and the error is inconclusive", by_error["inconclusive"]),
        ("Faster, with no error to judge by", by_error["none"]),
    ]
    lines = [f"{words}: {_named(found)}." for words, found in groups if found]
    if not faster:
        lines.append("No variant is shown to be faster than the baseline.")
    elif not free and len(by_error["none"]) < len(faster):
        lines.append("No variant is shown to be faster at no cost in error.")
    return [Headline(line) for line in lines]


def _named(rows: Sequence[BenchRow]) -> str:
    names = [f"{named(row.name)} ({row.speed.text})" for row in rows[:MAX_NAMED]]
    more = len(rows) - MAX_NAMED
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
