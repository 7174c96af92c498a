"""The page of a benchmark: speed and quality judged together, and all that it rests on. It needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from workbench.bench.analysis.analysis import Analysis, analyse
from workbench.bench.analysis.memory import difference_words, memory_check_words, peak_words
from workbench.bench.design.commentary import Commentary
from workbench.bench.design.suite import shipped_suite
from workbench.bench.results.results import FILE, Results
from workbench.errors import WorkbenchError
from workbench.outputs import OutputFolder
from workbench.render.scripts import bundle
from workbench.report.bench.budget import budget_of
from workbench.report.bench.charts import (
    Intervals,
    common_target,
    error_intervals,
    reached_of,
    residuals_of,
    rounds_of,
    speed_intervals,
    target_of,
    trade_of,
)
from workbench.report.bench.claims import claim_rows
from workbench.report.bench.flames import Flame
from workbench.report.bench.headlines import headlines_of
from workbench.report.bench.health import health_of
from workbench.report.bench.instructions import instructions_of
from workbench.report.bench.profiles import profiles_of
from workbench.report.bench.rows import BenchRow, Words, rows_of
from workbench.report.bench.tables import conditions_table, is_stepped, sides_of, target_table
from workbench.report.pages import render
from workbench.report.tables import with_interval
from workbench.text import as_rounds, as_scientific, as_seconds, printable, speed_parts

PAGE = "index.html"
MAX_RAW = 2_000_000
"""Characters of raw results that stand on the page itself."""
MAX_MESSAGES = 20


@dataclass(frozen=True)
class ShownRow:
    """A row of the table, with what it opens to."""

    row: BenchRow
    description: str
    speed: Markup | None
    error: Markup | None
    target: TargetCell | None
    whole: str
    """The whole run, where it says something else than a step and the target does not say it."""
    rounds: Markup | None
    flame: Flame | None
    facts: Sequence[tuple[str, str]]
    drawn: str
    """The path of what the suite drew; empty where there is nothing."""


@dataclass(frozen=True)
class TargetCell:
    """The time to the target of the table."""

    time: str
    speed: Words
    note: str
    """How often it was reached, where not always, and why it is not as the steps say."""


def write_page(results: Results) -> Path:
    """Write a run's page into its folder and return the file.

    Raises:
        InvalidInputError: No round is complete, a page that is not ours is in the way, or the run is being measured.
        WorkbenchError: The page cannot be written.
    """
    page = _page(analyse(results))
    path = results.folder / PAGE
    try:
        with OutputFolder(results.folder, [PAGE]) as folder:
            return folder.write(PAGE, page)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write {path}: {error.strerror}; make room, or free the folder"
        ) from None


def _page(analysis: Analysis) -> str:
    results, head = analysis.results, analysis.results.head
    suite = shipped_suite(head.suite_source)
    commentary = suite.commentary if suite is not None else Commentary()
    rows = rows_of(analysis)
    profiles = profiles_of(analysis, rows)
    target = common_target(analysis)
    speeds, errors = speed_intervals(rows, head.delta), error_intervals(rows, head.margin)
    shown = [_shown(analysis, row, speeds, errors, i, target, profiles.flames) for i, row in enumerate(rows)]
    raw = (results.folder / FILE).read_text(encoding="utf-8", errors="replace")
    return render(
        "bench.html",
        title=f"Benchmark: {printable(head.suite)}",
        baseline=printable(results.baseline),
        environment=head.environment,
        made=moment(head.started),
        commentary=commentary,
        rounds=analysis.rounds,
        runs=len(results.runs),
        budget=budget_of(analysis),
        claim_rows=claim_rows(analysis, suite),
        is_void=analysis.check.void,
        sides=sides_of(results),
        delta=100 * head.delta,
        worse_by=100 * (10**head.margin - 1),
        headlines=headlines_of(analysis, rows),
        health=health_of(analysis),
        rows=shown,
        speed_head=speeds.head if speeds is not None else None,
        error_head=errors.head if errors is not None else None,
        has_memory=any(row.comparison.peak is not None for row in rows),
        memory_check=memory_check_words(analysis.memory_check),
        target=as_scientific(target) if target is not None else None,
        stepped=is_stepped(results),
        loops=_loops(results),
        quality=printable(results.quality) if results.quality is not None else None,
        target_of=printable(str(head.target_of or "the error")),
        trade=trade_of(analysis, rows),
        targets=target_table(analysis),
        instructions=instructions_of(analysis, rows),
        reached=reached_of(analysis, rows),
        residuals=residuals_of(results),
        conditions=conditions_table(analysis),
        messages=_messages(results),
        profiles=profiles,
        pinned=head.pinned,
        seed=head.seed,
        torn=results.torn,
        raw=Markup.escape(printable_lines(raw[:MAX_RAW])),
        is_raw_cut=len(raw) > MAX_RAW,
        script=bundle(Path(__file__).parent.parent / "templates" / "bench.js"),
    )


def _shown(
    analysis: Analysis,
    row: BenchRow,
    speeds: Intervals | None,
    errors: Intervals | None,
    place: int,
    target: float | None,
    flames: Mapping[str, Flame],
) -> ShownRow:
    c, results = row.comparison, analysis.results
    is_in_target = row.whole is not None and target is not None and row.whole.what == f"to {target:g}"
    facts = [("worked in", f"{c.rounds - c.failures} of {as_rounds(c.rounds)}")]
    if c.value is not None:
        step = "step" if is_stepped(results) else "run"
        facts.append((f"time of a {step}", with_interval(c.value, as_seconds)))
    if c.quality is not None:
        facts.append((printable(results.quality or ""), with_interval(c.quality, as_scientific)))
    if c.peak is not None:
        more = f", {difference_words(c.memory.difference)} on the baseline" if c.memory is not None else ""
        facts.append(("peak memory", f"{peak_words(c.peak)}{more}"))
    if options := results.head.variants.get(c.variant):
        facts.append(
            ("options", ", ".join(f"{printable(k)}={printable(str(v))}" for k, v in options.items()))
        )
    folder, drawn = results.fit_file(c.variant, "fit.png")
    return ShownRow(
        row,
        printable(results.head.descriptions.get(c.variant, "")),
        speeds.cells[place] if speeds is not None else None,
        errors.cells[place] if errors is not None else None,
        _target_cell(row, target, row.whole.why if is_in_target and row.whole is not None else ""),
        row.whole.words() if row.whole is not None and not is_in_target else "",
        rounds_of(analysis, row),
        flames.get(c.variant),
        facts,
        drawn if (folder / drawn).is_file() else "",
    )


def _target_cell(row: BenchRow, target: float | None, why: str) -> TargetCell | None:
    if target is None:
        return None
    figures = target_of(row, target)
    missed = f"reached in {figures.hits} of {figures.rounds}" if figures.hits < figures.rounds else ""
    time = as_seconds(figures.seconds.value) if figures.seconds is not None else "–"
    ratio = figures.ratio if figures.hits else None
    speed = Words() if ratio is None else Words(*speed_parts(ratio.value, ratio.ends))
    return TargetCell(time, speed, ", ".join(filter(None, (why, missed))))


def moment(started: str) -> str:
    """Return when a run began as people write it."""
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return printable(started)


def printable_lines(text: str) -> str:
    """Return lines of text with all that does not print written as escapes."""
    return "\n".join(map(printable, text.split("\n")))


@dataclass(frozen=True)
class Message:
    """What a variant failed with."""

    variant: str
    text: str
    times: int


def _loops(results: Results) -> str:
    """Return how many runs make a value, the fewest and the most of all variants; nothing where one does."""
    loops = sorted({int(run.loops) for run in results.runs if run.error is None})
    if not loops or loops[-1] == 1:
        return ""
    return f"{loops[0]:,} to {loops[-1]:,}" if len(loops) > 1 else f"{loops[0]:,}"


def _messages(results: Results) -> tuple[list[Message], int]:
    """Return the commonest messages of failures, and how many others there are."""
    counts = Counter((run.name, run.error) for run in results.runs if run.error is not None)
    common = counts.most_common(MAX_MESSAGES)
    messages = [Message(printable(run), printable(error), times) for (run, error), times in common]
    return messages, len(counts) - len(messages)
