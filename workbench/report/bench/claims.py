"""What a source claims of a suite's variants, beside what was found here.

Whether a claim holds is said by verdicts alone, and never by a point estimate: it does where they say all of it,
fails where they exclude a part of it, and is undecided otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.bench.analysis.analysis import Analysis, VariantComparison, log_ratios
from workbench.bench.analysis.verdict import SURE, judge_quality, judge_speed
from workbench.bench.design.commentary import Claim
from workbench.bench.design.suite import Suite
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import Estimate, family_confidence
from workbench.report.bench.rows import NOT_WORSE
from workbench.report.tables import Cell, Pill, error_cell, speed_cell

YES, NO, UNDECIDED = "yes", "no", "undecided"
ERRORS = {
    "not worse": (NOT_WORSE, ("worse",)),
    "worse": (("worse",), NOT_WORSE),
}
"""Of each claim on an error: verdicts that say it, and verdicts that exclude it."""
PILLS = {YES: Pill("holds", YES), NO: Pill("fails", NO), UNDECIDED: Pill("undecided", UNDECIDED)}


@dataclass(frozen=True)
class ClaimRow:
    """A claim beside what was found."""

    claim: Claim
    time: Cell
    error: Cell
    against: str
    """What both are relative to."""
    holds: Pill


def claim_rows(analysis: Analysis, suite: Suite | None) -> list[ClaimRow]:
    """Return the claims on variants that were measured against the suite's baseline."""
    results = analysis.results
    quotes = suite.commentary.quotes if suite is not None else None
    if suite is None or quotes is None or results.baseline != suite.baseline:
        return []
    known = [claim for claim in quotes.claims if claim.variant in results.variants]
    return [row for claim in known if (row := _judge(analysis, claim)) is not None]


def _row(claim: Claim, time: Estimate | None, error: Estimate | None, against: str, holds: str) -> ClaimRow:
    return ClaimRow(claim, speed_cell(time), error_cell(error), against, PILLS[holds])


def _judge(analysis: Analysis, claim: Claim) -> ClaimRow | None:
    if claim.better_than:
        return _better(analysis, claim) if claim.better_than in analysis.results.variants else None
    c = next(each for each in analysis.comparisons if each.variant == claim.variant)
    parts = [_is_faster(c)] if claim.is_faster else []
    if claim.error:
        said, excluded = ERRORS[claim.error]
        kind = c.quality_verdict.kind
        parts.append(YES if kind in said else NO if kind in excluded else UNDECIDED)
    time = c.speed.ratio if c.speed is not None else None
    return _row(claim, time, c.quality_verdict.change, analysis.results.baseline, _all_of(parts))


def _all_of(parts: Sequence[str]) -> str:
    """Return whether a claim holds from whether its parts do: one that fails is enough against it."""
    if NO in parts:
        return NO
    return YES if set(parts) == {YES} else UNDECIDED


def _is_faster(comparison: VariantComparison) -> str:
    kind = comparison.speed.kind if comparison.speed is not None else ""
    return {"faster": YES, "slower": NO, "equivalent": NO}.get(kind, UNDECIDED)


def _better(analysis: Analysis, claim: Claim) -> ClaimRow:
    """Judge whether an error is smaller than that of another variant: a pair that has no baseline in it."""
    results = analysis.results
    rounds = results.complete_rounds()
    runs, others = results.values(claim.variant, rounds), results.values(claim.better_than, rounds)
    # One comparison more than the analysis makes, and it must hold together with those.
    confidence = family_confidence(len(results.variants), SURE)
    d, pairs = log_ratios(runs, others), _figures(results, runs, others)
    margin = float(results.head.margin)
    found = judge_quality(pairs, margin, confidence)
    turned = judge_quality([(other, own) for own, other in pairs], margin, confidence)
    holds = UNDECIDED
    if found.kind == "better":
        holds = YES
    elif turned.kind in NOT_WORSE:
        holds = NO
    time = judge_speed(d, results.head.delta, confidence).ratio if d else None
    return _row(claim, time, found.change, claim.better_than, holds)


def _figures(
    results: Results, runs: Sequence[Run | None], others: Sequence[Run | None]
) -> list[tuple[float, float]]:
    def figure(run: Run | None) -> float | None:
        return run.quality.get(results.quality or "") if run is not None else None

    found = [(figure(run), figure(other)) for run, other in zip(runs, others, strict=True)]
    return [(own, other) for own, other in found if own is not None and other is not None]
