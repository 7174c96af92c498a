"""What the original notes report, beside what was found here: whether a claim holds is said by verdicts alone.

A claim holds where the verdicts say all of it, fails where they exclude a part of it, and is undecided otherwise. A
point estimate decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.bench.analysis import Analysis, Comparison, log_ratios
from workbench.bench.results import Results
from workbench.bench.results_lines import Arm
from workbench.bench.statistics import Estimate, family_confidence
from workbench.bench.verdict import SURE, judge_quality, judge_speed
from workbench.report.bench_cells import NOTHING, Cell, Pill, estimate_cell, interval
from workbench.report.pages import power

SUITE, BASELINE = "reference", "exact"
YES, NO, UNDECIDED = "yes", "no", "undecided"
NOT_WORSE = ("same", "better", "not worse")
PILLS = {YES: Pill("holds", YES), NO: Pill("fails", NO), UNDECIDED: Pill("undecided", UNDECIDED)}


@dataclass(frozen=True)
class Found:
    """What was found of a claim."""

    time: Estimate | None
    error: Estimate | None
    """The change of log10."""
    against: str
    """What both are relative to."""
    holds: str
    note: str = ""
    """What a verdict alone does not say."""


@dataclass(frozen=True)
class Claim:
    """What the notes say of a variant."""

    variant: str
    quoted: str
    read_as: str
    """What the verdicts must say for it to hold."""
    judge: Callable[[Analysis], Found | None]


@dataclass(frozen=True)
class NoteRow:
    """A claim beside what was found."""

    variant: str
    quoted: str
    read_as: str
    time: Cell
    error: Cell
    against: str
    holds: Pill
    note: str


def note_rows(analysis: Analysis) -> list[NoteRow]:
    """Return the claims on variants that were measured; of another suite, or baseline, none."""
    results = analysis.results
    if results.head.suite != SUITE or results.baseline != BASELINE:
        return []
    rows = []
    for claim in CLAIMS:
        found = claim.judge(analysis) if claim.variant in results.variants else None
        if found is not None:
            time, error, holds = estimate_cell(found.time), _change_cell(found.error), PILLS[found.holds]
            rows.append(
                NoteRow(
                    claim.variant, claim.quoted, claim.read_as, time, error, found.against, holds, found.note
                )
            )
    return rows


def _change_cell(change: Estimate | None) -> Cell:
    return NOTHING if change is None else Cell(power(change.value), change.value, interval(change, power))


def _all_of(parts: Sequence[str]) -> str:
    """Return whether a claim holds from whether its parts do: one that fails is enough against it."""
    if NO in parts:
        return NO
    return YES if set(parts) == {YES} else UNDECIDED


def _is_faster(comparison: Comparison) -> str:
    kind = comparison.speed.kind if comparison.speed is not None else ""
    return {"faster": YES, "slower": NO, "equivalent": NO}.get(kind, UNDECIDED)


def _error_is(comparison: Comparison, wanted: Sequence[str], excluded: Sequence[str]) -> str:
    kind = comparison.quality_verdict.kind
    return YES if kind in wanted else NO if kind in excluded else UNDECIDED


def _on(variant: str, *parts: Callable[[Comparison], str], note: str = "") -> Callable[[Analysis], Found]:
    """Return what judges a claim on a variant against the baseline by the verdicts of the analysis."""

    def judge(analysis: Analysis) -> Found:
        c = next(each for each in analysis.comparisons if each.variant == variant)
        time = c.speed.ratio if c.speed is not None else None
        holds = _all_of([part(c) for part in parts])
        return Found(time, c.quality_verdict.change, BASELINE, holds, note)

    return judge


def _forward_only(analysis: Analysis) -> Found | None:
    """Judge the fit of “forward only” against that of `faster` everywhere: a pair that has no baseline in it."""
    results = analysis.results
    if FASTER not in results.variants:
        return None
    blocks = results.complete_blocks()
    arms, others = results.values(FORWARD, blocks), results.values(FASTER, blocks)
    # One comparison more than the analysis makes, and it must hold together with those.
    confidence = family_confidence(len(results.variants), SURE)
    d, pairs = log_ratios(arms, others), _figures(results, arms, others)
    margin = float(results.head.margin)
    found = judge_quality(pairs, margin, confidence)
    turned = judge_quality([(other, own) for own, other in pairs], margin, confidence)
    holds = UNDECIDED
    if found.kind == "better":
        holds = YES
    elif turned.kind in NOT_WORSE:
        holds = NO
    time = judge_speed(d, float(results.head.delta), confidence).ratio if d else None
    return Found(time, found.change, f"{FASTER} everywhere", holds)


def _figures(
    results: Results, arms: Sequence[Arm | None], others: Sequence[Arm | None]
) -> list[tuple[float, float]]:
    def figure(arm: Arm | None) -> float | None:
        return arm.quality.get(results.quality or "") if arm is not None else None

    found = [(figure(arm), figure(other)) for arm, other in zip(arms, others, strict=True)]
    return [(own, other) for own, other in found if own is not None and other is not None]


def _not_worse(comparison: Comparison) -> str:
    return _error_is(comparison, NOT_WORSE, ("worse",))


def _worse(comparison: Comparison) -> str:
    return _error_is(comparison, ("worse",), NOT_WORSE)


FASTER, FORWARD = "faster", "faster, residuals only"
_PARALLEL = "columns in parallel: about 3× faster on 8 workers, on another machine"
_TWO = "2 workers here: 3× is out of their reach, so faster at all is what is judged"

CLAIMS = (
    Claim(
        "fast",
        "fast tanh: tanh takes 57 % of the Jacobian instead of 73 %, and the fit is still satisfactory",
        "faster, and the error not worse",
        _on("fast", _is_faster, _not_worse),
    ),
    Claim(
        FASTER,
        "faster tanh: 37 %, and the fit is visibly worse",
        "faster, and the error worse",
        _on(FASTER, _is_faster, _worse),
    ),
    Claim(
        FORWARD,
        "faster tanh in the forward pass only: a better fit than with it everywhere",
        "a smaller error than with faster everywhere",
        _forward_only,
    ),
    Claim("exact, 2 processes", _PARALLEL, "faster", _on("exact, 2 processes", _is_faster, note=_TWO)),
    Claim("exact, 2 threads", _PARALLEL, "faster", _on("exact, 2 threads", _is_faster, note=_TWO)),
)
"""In the notes' order."""
