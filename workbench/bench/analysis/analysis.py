"""The analysis of a run: whatever is printed, drawn or exported of it is derived from this (docs/statistics.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.bench.analysis.conditions import busy_words, modes_by_arm
from workbench.bench.analysis.power import detectable_effect, mad_sigma
from workbench.bench.analysis.targets import TargetFigures, target_figures, total_ratio
from workbench.bench.analysis.verdict import (
    SURE,
    AACheck,
    QualityVerdict,
    SpeedVerdict,
    check_session,
    check_words,
    controlled,
    judge_quality,
    judge_speed,
    quality_words,
    speed_words,
)
from workbench.bench.analysis.whole_run import WholeRun, whole_run
from workbench.bench.design.suite import AGAIN
from workbench.bench.results.lines import Arm
from workbench.bench.results.results import Results
from workbench.bench.stats.dependence import autocorrelation, drifts, independent
from workbench.bench.stats.intervals import (
    Estimate,
    family_confidence,
    least_count,
    log_ratio,
    median_interval,
)
from workbench.errors import InvalidInputError
from workbench.text import as_blocks


@dataclass(frozen=True)
class Comparison:
    """One variant against the baseline, over the complete blocks."""

    variant: str
    value: Estimate | None
    """Its own seconds, over the blocks in which it worked, with 95 % of its own; None where it never did."""
    speed: SpeedVerdict | None
    """None for the baseline, and where no block has both."""
    quality: Estimate | None
    """Its own figure of quality, with 95 % of its own."""
    quality_verdict: QualityVerdict
    targets: tuple[TargetFigures, ...]
    """In the suite's order."""
    whole: WholeRun | None
    """The whole run, where `speed` is that of its steps."""
    total_speed_up: Estimate | None
    """The ratio of the whole way to `total_target`, steps and their time together: below 1 is sooner there."""
    total_target: float | None
    autocorrelation: float | None
    """Of ln(ratio), from one block to the next."""
    detectable: float | None
    """The least difference in speed, as a share, that so many blocks with this noise show 9 times in 10."""
    failures: int
    """Blocks in which it failed."""
    blocks: int
    drift: bool
    """Whether its ratio changed over the session."""


@dataclass(frozen=True)
class Analysis:
    """All that a run says."""

    results: Results
    comparisons: tuple[Comparison, ...]
    """One for each variant, the baseline first."""
    check: AACheck
    blocks: int
    """Complete ones."""
    wanted: float
    """The confidence of each variant's intervals against the baseline, so that all of them hold together at 95 %."""
    needed: int
    """The least number of blocks that reaches it."""
    busy: str
    """How busy the machine was, in a line; nothing where it was not."""
    modes: Mapping[str, str]
    """The two modes of arms whose times have two, in words."""

    @property
    def is_undecided(self) -> bool:
        """Whether the budget held too few blocks for any verdict on speed."""
        return self.results.head.blocks is None and max(self.results.planned, self.blocks) < self.needed

    def notes(self) -> list[str]:
        """Return in lines what is to be said of the run as a whole: the A/A control, and the machine."""
        again = self.modes.get(AGAIN)
        return [
            f"A/A control: {check_words(self.check)}",
            *([self.busy] if self.busy else []),
            *([f"{AGAIN}: {again}"] if again else []),
        ]

    def sentences(self) -> dict[str, str]:
        """Return a line on each variant: speed and quality together, and what they do not rest on."""
        return {comparison.variant: self._sentence(comparison) for comparison in self.comparisons}

    def _sentence(self, comparison: Comparison) -> str:
        failed = comparison.failures
        if failed == comparison.blocks:
            return "failed in every block"
        baseline = self.results.baseline
        if comparison.variant == baseline:
            parts = ["the baseline"]
        elif comparison.speed is None:
            parts = [f"inconclusive: in no block did both it and {baseline} work"]
        else:
            delta, whole = self.results.head.delta, comparison.whole
            is_other = whole is not None and whole.differs(comparison.speed.ratio, delta)
            parts = [
                speed_words(comparison.speed, delta, self.wanted, "per step" if is_other else ""),
                whole.words() if whole is not None and is_other else "",
                quality_words(comparison.quality_verdict, self.wanted),
            ]
            if self.busy:
                parts.append("measured on a busy machine")
        parts.append(self.modes.get(comparison.variant, ""))
        if comparison.drift:
            parts.append("the ratio drifted over the session")
        if failed:
            parts.append(f"failed in {failed} of {as_blocks(comparison.blocks)}")
        return "; ".join(filter(None, parts))

    def to_json(self) -> dict[str, Any]:
        """Return it for machines, as `workbench bench --json` prints it; what is infinite is null."""
        words, head = self.sentences(), self.results.head
        comparisons = [
            asdict(comparison) | {"sentence": words[comparison.variant]} for comparison in self.comparisons
        ]
        found = {
            "suite": head.suite,
            "baseline": self.results.baseline,
            "quality": self.results.quality,
            "blocks": self.blocks,
            "needed": self.needed,
            "confidence": self.wanted,
            "delta": head.delta,
            "margin": head.margin,
            "check": asdict(self.check) | {"void": self.check.void, "words": self.notes()[0]},
            "busy": self.busy or None,
            "comparisons": comparisons,
        }
        plain: dict[str, Any] = _finite(found)
        return plain


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def analyse(results: Results) -> Analysis:
    """Compare each variant with the baseline, paired by block; only complete blocks count.

    Raises:
        InvalidInputError: No block is complete.
    """
    blocks = results.complete_blocks()
    if not blocks:
        raise InvalidInputError(f"{results.folder} holds no complete block: run it again, for longer")
    others = [name for name in results.variants if name != results.baseline]
    wanted = family_confidence(len(others), SURE)
    arms = {name: results.values(name, blocks) for name in [results.baseline, *others, AGAIN]}
    base = arms[results.baseline]
    check = check_session(log_ratios(arms[AGAIN], base), results.head.delta)
    comparisons = [_baseline(results, base)]
    comparisons += [_comparison(results, name, arms[name], base, wanted, check) for name in others]
    return Analysis(
        results,
        tuple(comparisons),
        check,
        len(blocks),
        wanted,
        least_count(wanted),
        busy_words(results),
        modes_by_arm(results, blocks),
    )


def log_ratios(arms: Sequence[Arm | None], baseline: Sequence[Arm | None]) -> list[float]:
    """Return d = ln(t / t_baseline) of the blocks in which both worked, in their order."""
    return [
        log_ratio(arm.seconds, base.seconds)
        for arm, base in zip(arms, baseline, strict=True)
        if arm is not None and base is not None
    ]


def _baseline(results: Results, arms: Sequence[Arm | None]) -> Comparison:
    targets = tuple(target_figures(target, arms, None, SURE) for target in results.head.targets)
    return Comparison(
        variant=results.baseline,
        value=_own_seconds(arms),
        speed=None,
        quality=_own_quality(results, arms),
        quality_verdict=QualityVerdict("none", reason="it is what others are compared with"),
        targets=targets,
        whole=None,
        total_speed_up=None,
        total_target=None,
        autocorrelation=None,
        detectable=None,
        failures=sum(arm is None for arm in arms),
        blocks=len(arms),
        drift=False,
    )


def _comparison(
    results: Results,
    name: str,
    arms: Sequence[Arm | None],
    base: Sequence[Arm | None],
    wanted: float,
    check: AACheck,
) -> Comparison:
    head = results.head
    delta, targets = head.delta, head.targets
    d = log_ratios(arms, base)
    speed = judge_speed(d, delta, wanted) if d else None
    total = total_ratio(targets, arms, base, wanted)
    figures = tuple(target_figures(target, arms, base, wanted) for target in targets)
    return Comparison(
        variant=name,
        value=_own_seconds(arms),
        speed=controlled(speed, check) if speed is not None else None,
        quality=_own_quality(results, arms),
        quality_verdict=_quality(results, arms, base, wanted),
        targets=figures,
        whole=whole_run(results, name, arms, base, figures, wanted),
        total_speed_up=total[1] if total is not None else None,
        total_target=total[0] if total is not None else None,
        autocorrelation=autocorrelation(d),
        detectable=_detectable(d, delta, wanted),
        failures=sum(arm is None for arm in arms),
        blocks=len(arms),
        drift=drifts(d, wanted),
    )


def _own_seconds(arms: Sequence[Arm | None]) -> Estimate | None:
    seconds = [arm.seconds for arm in arms if arm is not None]
    return median_interval(seconds, SURE) if seconds else None


def _figure(results: Results, arm: Arm | None) -> float | None:
    return arm.quality.get(results.quality or "") if arm is not None else None


def _own_quality(results: Results, arms: Sequence[Arm | None]) -> Estimate | None:
    own = [figure for arm in arms if (figure := _figure(results, arm)) is not None]
    return median_interval(own, SURE) if own else None


def _quality(
    results: Results, arms: Sequence[Arm | None], base: Sequence[Arm | None], wanted: float
) -> QualityVerdict:
    if results.quality is None:
        return QualityVerdict("none")
    both = [
        (_figure(results, arm), _figure(results, other))
        for arm, other in zip(arms, base, strict=True)
        if arm is not None and other is not None
    ]
    pairs = [(v, b) for v, b in both if v is not None and b is not None]
    return judge_quality(pairs, results.head.margin, wanted, len(both) - len(pairs))


def _detectable(d: Sequence[float], delta: float, wanted: float) -> float | None:
    if not d:
        return None
    values = independent(d, wanted).values
    effect = detectable_effect(len(values), mad_sigma(values), math.log1p(delta), wanted)
    return math.expm1(effect) if effect < 700 else None
