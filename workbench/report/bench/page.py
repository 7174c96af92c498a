"""The page of a benchmark: speed and quality judged together, and all that it rests on. It needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from workbench.bench.analysis.analysis import Analysis, VariantComparison, analyse
from workbench.bench.analysis.verdict import PASSED, check_words
from workbench.bench.design.commentary import Commentary
from workbench.bench.design.suite import shipped_suite
from workbench.bench.results.results import FILE, Results
from workbench.errors import WorkbenchError
from workbench.outputs import OutputFolder
from workbench.report.bench.budget import MIN_STARTS, budget_of
from workbench.report.bench.claims import NOT_WORSE, claim_rows
from workbench.report.bench.plots import draw_plots
from workbench.report.bench.profiles import profiles_of
from workbench.report.bench.tables import (
    comparison_table,
    conditions_table,
    describe,
    is_stepped,
    pills_of,
    sides_of,
    target_table,
)
from workbench.report.pages import image_data, render, script
from workbench.report.tables import Pill, interval
from workbench.text import as_fine_ratio, printable

PAGE = "index.html"
MAX_RAW = 2_000_000
"""Characters of raw results that stand on the page itself."""
MAX_MESSAGES = 20


@dataclass(frozen=True)
class VariantSummary:
    """One variant in the summary."""

    variant: str
    sentence: str
    pills: Sequence[Pill]
    note: str


@dataclass(frozen=True)
class ControlSummary:
    """The A/A control in words."""

    kind: str
    """`passed`, `void` or `unknown`."""
    heading: str
    words: str
    ratio: str


def sentences(results: Results) -> dict[str, str]:
    """Return a sentence on each variant of a run.

    Raises:
        InvalidInputError: No round is complete.
    """
    return analyse(results).sentences()


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
    said = _summary(analysis)
    ratios = [c.speed.ratio for c in analysis.comparisons if c.speed is not None]
    raw = (results.folder / FILE).read_text(encoding="utf-8", errors="replace")
    return render(
        "bench.html",
        title=f"Benchmark: {printable(head.suite)}",
        baseline=printable(results.baseline),
        environment=head.environment,
        made=moment(head.started),
        commentary=commentary,
        variants=len(results.variants),
        rounds=analysis.rounds,
        runs=len(results.runs),
        budget=budget_of(analysis),
        min_starts=MIN_STARTS,
        claim_rows=claim_rows(analysis, suite),
        is_void=analysis.check.void,
        sides=sides_of(results),
        delta=100 * float(head.delta),
        worse_by=100 * (10 ** float(head.margin) - 1),
        headlines=_headlines(analysis),
        said=said,
        check=check_of(analysis),
        few=bool(ratios) and analysis.rounds < analysis.needed,
        reached=min((ratio.confidence for ratio in ratios), default=0.0),
        wanted=analysis.wanted,
        needed=analysis.needed,
        stepped=is_stepped(results),
        loops=_loops(results),
        quality=printable(results.quality) if results.quality is not None else None,
        target_of=printable(str(head.target_of or "the error")),
        table=comparison_table(analysis),
        targets=target_table(analysis),
        conditions=conditions_table(analysis),
        messages=_messages(results),
        plots=draw_plots(analysis),
        fits=_fits(analysis, said),
        profiles=profiles_of(analysis, commentary),
        pinned=head.pinned,
        seed=head.seed,
        torn=results.torn,
        raw=Markup.escape(printable_lines(raw[:MAX_RAW])),
        is_raw_cut=len(raw) > MAX_RAW,
        script=script("tables.js"),
    )


def moment(started: str) -> str:
    """Return when a run began as people write it."""
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return printable(started)


def printable_lines(text: str) -> str:
    """Return lines of text with all that does not print written as escapes."""
    return "\n".join(map(printable, text.split("\n")))


def _summary(analysis: Analysis) -> list[VariantSummary]:
    results, words = analysis.results, analysis.sentences()
    return [
        VariantSummary(
            printable(c.variant),
            printable(words[c.variant]),
            pills_of(c, results.baseline),
            describe(results, c.variant),
        )
        for c in analysis.comparisons
    ]


def _headlines(analysis: Analysis) -> list[str]:
    """Return what the whole run says, speed and quality together."""
    others = [c for c in analysis.comparisons if c.variant != analysis.results.baseline]
    if analysis.check.void:
        return [
            "This experiment is void: it finds a difference between the baseline and itself, so none is believed."
        ]
    if not others:
        return ["The baseline alone was measured: there is nothing to compare it with."]
    faster = [c for c in others if c.speed is not None and c.speed.kind == "faster"]
    free = [c for c in faster if c.quality_verdict.kind in NOT_WORSE]
    costly = [c for c in faster if c.quality_verdict.kind == "worse"]
    unclear = [c for c in faster if c.quality_verdict.kind == "inconclusive"]
    bare = [c for c in faster if c.quality_verdict.kind == "none"]
    said = [
        ("Faster, and the error is no worse", free),
        ("Faster, and the error is worse", costly),
        ("Faster; what it costs in error is inconclusive", unclear),
        ("Faster, with no error to judge by", bare),
    ]
    lines = [f"{words}: {_names(found)}." for words, found in said if found]
    if faster and analysis.check.state != PASSED:
        lines.append("None of it is firm: the baseline differs from itself by too much to tell.")
    if analysis.busy:
        lines.append(f"{analysis.busy[:1].upper()}{analysis.busy[1:]}.")
    if not faster:
        lines.append("No variant is shown to be faster than the baseline.")
    elif not free and len(bare) < len(faster):
        lines.append("No variant is shown to be faster at no cost in error.")
    return lines


def _names(comparisons: Sequence[VariantComparison]) -> str:
    return ", ".join(f"“{printable(c.variant)}”" for c in comparisons)


def check_of(analysis: Analysis) -> ControlSummary:
    """Return the A/A control in words."""
    check = analysis.check
    words = check_words(check)
    words = words[:1].upper() + words[1:]
    ratio = ""
    if check.ratio is not None:
        ratio = f"{as_fine_ratio(check.ratio.value)} {interval(check.ratio, as_fine_ratio)}"
    if check.void:
        return ControlSummary("void", "Void", words, ratio)
    if check.state == PASSED:
        return ControlSummary("passed", "Passed", words, ratio)
    return ControlSummary(
        "unknown", "Too few rounds" if check.is_short else "Too noisy to tell", words, ratio
    )


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


@dataclass(frozen=True)
class FitImage:
    """The plot of a variant's fit."""

    variant: str
    sentence: str
    image: Markup


def _fits(analysis: Analysis, said: Sequence[VariantSummary]) -> list[FitImage]:
    found, results = [], analysis.results
    for comparison, line in zip(analysis.comparisons, said, strict=True):
        image = image_data(*results.fit_file(comparison.variant, "fit.png"))
        if image is not None:
            found.append(FitImage(line.variant, line.sentence, image))
    return found
