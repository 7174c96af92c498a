"""The one table of an experiment, best first: on the page, in the terminal and in Markdown, in the same words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from workbench.bench.analysis.analysis import Analysis, VariantComparison
from workbench.bench.analysis.memory import difference_words
from workbench.bench.analysis.whole_run import WholeRun
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import Estimate
from workbench.report.tables import Pill
from workbench.text import (
    Ends,
    as_duration,
    as_instructions,
    as_scientific,
    as_seconds,
    as_short_number,
    as_size,
    error_parts,
    plural,
    printable,
    rounded_up,
    speed_parts,
)

NOT_WORSE = ("same", "better", "not worse")
"""Verdicts on an error that cost nothing."""
QUALITY_WORDS = {
    "same": "same error",
    "better": "smaller error",
    "worse": "larger error",
    "not worse": "error not worse",
    "inconclusive": "error inconclusive",
}
GAP = "  "
HEADS = ("verdict", "variant", "time", "speed", "instructions", "error", "memory", "needs")
"""Heads of the table in the terminal."""


@dataclass(frozen=True)
class Words:
    """A figure in words, and its interval in brackets; both empty where there is none."""

    text: str = ""
    interval: str = ""

    def __str__(self) -> str:
        """Return both."""
        return " ".join(filter(None, (self.text, self.interval)))


@dataclass(frozen=True)
class BenchRow:
    """What is said of one variant."""

    comparison: VariantComparison
    name: str
    is_baseline: bool
    verdict: Sequence[Pill]
    time: str
    speed: Words
    error: Words
    """Of the baseline its own figure, of others the change."""
    memory: Words
    """Of the baseline its own peak, of others the ratio."""
    memory_difference: str
    """In bytes, where the verdict is that it differs."""
    instructions: str
    """Of the baseline their number, of others the ratio; a dash where only others are counted,
    and nothing where none is."""
    needs: str
    """What an inconclusive verdict would take."""
    whole: WholeRun | None
    """The whole run, where it says something else than a step."""
    notes: Sequence[str]
    """What the verdict is to be read with."""


def rows_of(analysis: Analysis) -> list[BenchRow]:
    """Return the rows, best first: what costs no error by its time, then what does, then what failed.

    Of a void experiment nothing is better than anything else, and the order is the suite's.
    """
    ordered: Sequence[VariantComparison] = analysis.comparisons
    if not analysis.check.void:
        ordered = sorted(ordered, key=_rank)
    return [_row(analysis, c) for c in ordered]


def _rank(c: VariantComparison) -> tuple[int, float]:
    if c.value is None:
        return 2, 0.0
    return int(c.quality_verdict.kind == "worse"), c.speed.ratio.value if c.speed is not None else 1.0


def _row(analysis: Analysis, c: VariantComparison) -> BenchRow:
    is_baseline = c.variant == analysis.results.baseline
    speed, error = Words(), Words()
    if c.speed is not None:
        speed = _figure(speed_parts, c.speed.ratio)
    if is_baseline and c.quality is not None:
        error = Words(as_scientific(c.quality.value))
    elif c.quality_verdict.change is not None:
        error = _figure(error_parts, c.quality_verdict.change)
    memory = Words()
    if is_baseline and c.peak is not None:
        memory = Words(as_size(round(c.peak.value)))
    elif c.memory is not None:
        memory = Words(*c.memory.parts)
    return BenchRow(
        c,
        printable(c.variant),
        is_baseline,
        pills_of(c, analysis.results.baseline),
        as_seconds(c.value.value) if c.value is not None else "",
        speed,
        error,
        memory,
        difference_words(c.memory.difference) if c.memory is not None and c.memory.differs else "",
        _instructions(analysis.results, c.variant),
        _needs(analysis, c),
        analysis.whole_run(c),
        [printable(note) for note in analysis.reservations(c)],
    )


def _instructions(results: Results, variant: str) -> str:
    if not results.instructions:
        return ""
    found, ratio = results.instructions.get(variant), results.instruction_ratio(variant)
    if found is not None and found.count is not None and (variant == results.baseline or ratio is None):
        return as_short_number(found.count)
    return as_instructions(ratio) if ratio is not None else "–"


def _figure(parts: Callable[[float, Ends | None], tuple[str, str]], estimate: Estimate) -> Words:
    return Words(*parts(estimate.value, estimate.ends))


def pills_of(comparison: VariantComparison, baseline: str) -> list[Pill]:
    """Return what is said of a variant's speed and quality, one word each."""
    if comparison.variant == baseline:
        return [Pill("baseline", "baseline")]
    if comparison.speed is None:
        is_failed = comparison.failures == comparison.rounds
        return [Pill("failed", "failed") if is_failed else Pill("inconclusive", "inconclusive")]
    kind, quality = comparison.speed.kind, comparison.quality_verdict.kind
    pills = [Pill(kind, kind)]
    if kind != "inconclusive" and not comparison.speed.is_firm:
        pills.append(Pill("inconclusive", "not firm"))
    if quality in QUALITY_WORDS:
        pills.append(Pill(f"error-{quality.replace(' ', '-')}", QUALITY_WORDS[quality]))
    return pills


def _needs(analysis: Analysis, c: VariantComparison) -> str:
    """Return how many rounds the verdicts that are inconclusive would take: the most that is known."""
    if c.speed is None:
        return ""
    open_verdicts = [each for each in (c.speed, c.quality_verdict) if each.kind == "inconclusive"]
    if not open_verdicts or c.speed.reason:
        return ""
    rounds = [each.rounds_needed for each in open_verdicts if each.rounds_needed is not None]
    if len(rounds) < len(open_verdicts):
        return "unknown"
    count = rounded_up(max(rounds))
    took = round_seconds(analysis.results)
    time = f" (≈ {as_duration(count * fmean(took))})" if took else ""
    return f"about {count:,} rounds{time}"


def round_seconds(results: Results) -> list[float]:
    """Return how long each complete round took, all its processes together; empty where one does not say."""
    took: dict[int, float] = dict.fromkeys(results.complete_rounds(), 0.0)
    for run in results.runs:
        if run.round not in took:
            continue
        if run.took_s is None:
            return []
        took[run.round] += run.took_s
    return list(took.values())


def as_text(analysis: Analysis, width: int | None = None, top: int | None = None) -> list[str]:
    """Return an experiment for a terminal: an aligned table, then what it is to be read with.

    A table wider than `width` columns is broken into several below each other, each with the variants, of which there
    are at most `top`.
    """
    columns = list(zip(*filled([HEADS, *map(cells, rows_of(analysis)[:top])]), strict=True))
    parts = [[columns[0], columns[1]]]
    for column in columns[2:]:
        if width is not None and _wide([*parts[-1], column]) > width:
            parts.append([columns[1]])
        parts[-1].append(column)
    lines = [line for part in parts for line in ("", *_aligned(part))]
    return [*lines[1:], *left_out(analysis, top), *notes_of(analysis, top)]


def left_out(analysis: Analysis, top: int | None) -> list[str]:
    """Return a line where there are more variants than `top`."""
    more = 0 if top is None else len(analysis.comparisons) - top
    return [f"{more} more {plural(more, 'variant')}: --top {len(analysis.comparisons)}"] if more > 0 else []


def _wide(columns: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) for column in columns) + len(GAP) * (len(columns) - 1)


def _aligned(columns: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in columns]
    return [GAP.join(map(str.ljust, row, widths)).rstrip() for row in zip(*columns, strict=True)]


def filled(table: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return a table, its heads first, without the columns in which no row has anything."""
    used = [i for i in range(len(table[0])) if any(row[i] for row in table[1:])]
    return [[row[i] for i in used] for row in table]


def cells(row: BenchRow) -> Sequence[str]:
    """Return a row of the table in the terminal, under `HEADS`."""
    verdict, figures = ", ".join(pill.text for pill in row.verdict), (row.error, row.memory)
    return verdict, row.name, row.time, str(row.speed), row.instructions, *map(str, figures), row.needs


def notes_of(analysis: Analysis, top: int | None = None) -> list[str]:
    """Return lines that a table of so many variants is to be read with."""
    notes = []
    for row in rows_of(analysis)[:top]:
        whole = [f"the whole run: {row.whole.words()}"] if row.whole is not None else []
        memory = [f"peak memory {row.memory_difference} on the baseline"] if row.memory_difference else []
        if said := "; ".join([*whole, *memory, *row.notes]):
            notes.append(f"{row.name}: {said}")
    return [*notes, *analysis.notes(), *instruction_notes(analysis.results)]


def instruction_notes(results: Results) -> list[str]:
    """Return lines on the instructions: why a variant has no count, and which code was counted."""
    counts = {name: results.instructions[name] for name in results.variants if name in results.instructions}
    notes = [
        f"{printable(name)}: instructions not counted: {printable(each.error)}"
        for name, each in counts.items()
        if each.error is not None
    ]
    path = next((each.code_path for each in counts.values() if each.code_path), "")
    return [*notes, *([f"instructions counted by valgrind: {printable(path)}"] if path else [])]
