"""The analysis of an experiment. All that is printed, drawn or exported is derived from it (docs/statistics.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from workbench import records
from workbench.bench.analysis.conditions import busy_words, modes_by_run
from workbench.bench.analysis.memory import (
    MemoryVerdict,
    check_memory,
    is_doubtful,
    judge_memory,
    memory_check_words,
    own_peak,
    peaks_of,
)
from workbench.bench.analysis.power import detectable_effect, mad_sigma
from workbench.bench.analysis.targets import TargetFigures, target_figures
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
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.bench.stats.dependence import autocorrelation, drifts, independent
from workbench.bench.stats.intervals import (
    Estimate,
    family_confidence,
    log_ratio,
    median_interval,
    min_count,
)
from workbench.text import as_rounds

SCHEMA = 1
"""Of the JSON."""


@dataclass(frozen=True)
class VariantComparison:
    """One variant against the baseline, over the complete rounds."""

    variant: str
    value: Estimate | None
    """Its own seconds, over the rounds in which it worked, with 95 % of its own; None where it never did."""
    speed: SpeedVerdict | None
    """None for the baseline, and where no round has both."""
    quality: Estimate | None
    """Its own figure of quality, with 95 % of its own."""
    quality_verdict: QualityVerdict
    targets: tuple[TargetFigures, ...]
    """In the suite's order."""
    peak: Estimate | None
    """Its own peak memory in bytes, with 95 % of its own; None where no run says it."""
    memory: MemoryVerdict | None
    """None for the baseline, and where no round has the peaks of both."""
    whole: WholeRun | None
    """The whole run, where `speed` is that of its steps."""
    autocorrelation: float | None
    """Of ln(ratio), from one round to the next."""
    detectable: float | None
    """The least difference in speed, as a share, that so many rounds with this noise show 9 times in 10."""
    failures: int
    """Rounds in which it failed."""
    rounds: int
    drift: bool
    """Whether its ratio changed over the session."""


@dataclass(frozen=True)
class Analysis:
    """What an experiment shows."""

    results: Results
    comparisons: tuple[VariantComparison, ...]
    """One for each variant, the baseline first."""
    check: AACheck
    memory_check: AACheck | None
    """The A/A control of peak memory, which concerns no verdict on speed; None where no round has both peaks."""
    rounds: int
    """Complete ones."""
    wanted: float
    """The confidence of each variant's intervals against the baseline, so that all of them hold together at 95 %."""
    needed: int
    """The least number of rounds that reaches it."""
    busy: str
    """How busy the machine was, in a line; nothing where it was not."""
    modes: Mapping[str, str]
    """For runs whose times have two modes: the modes in words."""

    @property
    def is_undecided(self) -> bool:
        """Whether the budget held too few rounds for any verdict on speed."""
        return self.results.head.rounds is None and max(self.results.planned, self.rounds) < self.needed

    def notes(self) -> list[str]:
        """Return lines on the experiment as a whole: the A/A control, its rounds, and the machine."""
        again, memory = self.modes.get(AA_CONTROL), self.memory_check
        return [
            f"A/A control: {check_words(self.check)}",
            *([f"A/A control of memory: {memory_check_words(memory)}"] if is_doubtful(memory) else []),
            *(["one round: no interval"] if self.rounds == 1 else []),
            *([self.busy] if self.busy else []),
            *([f"{AA_CONTROL}: {again}"] if again else []),
        ]

    def sentences(self) -> dict[str, str]:
        """Return a line on each variant: speed, quality and reservations."""
        return {comparison.variant: self._sentence(comparison) for comparison in self.comparisons}

    def whole_run(self, comparison: VariantComparison) -> WholeRun | None:
        """Return the whole run where it says something else than the verdict on a step."""
        speed, whole = comparison.speed, comparison.whole
        if speed is None or whole is None or not whole.differs(speed.ratio, self.results.head.delta):
            return None
        return whole

    def reservations(self, comparison: VariantComparison) -> list[str]:
        """Return what a verdict is to be read with: two modes, a drift, failures."""
        failed, modes = comparison.failures, self.modes.get(comparison.variant)
        return [
            *([modes] if modes else []),
            *(["the ratio drifted over the experiment"] if comparison.drift else []),
            *([f"failed in {failed} of {as_rounds(comparison.rounds)}"] if failed else []),
        ]

    def _sentence(self, comparison: VariantComparison) -> str:
        if comparison.failures == comparison.rounds:
            return "failed in every round"
        baseline = self.results.baseline
        if comparison.variant == baseline:
            parts = ["the baseline"]
        elif comparison.speed is None:
            parts = [f"inconclusive: in no round did both it and {baseline} work"]
        else:
            whole = self.whole_run(comparison)
            of = "per step" if whole is not None else ""
            parts = [
                speed_words(comparison.speed, self.results.head.delta, self.wanted, of),
                whole.words() if whole is not None else "",
                quality_words(comparison.quality_verdict, self.wanted),
            ]
            if comparison.memory is not None and comparison.memory.differs:
                parts.append(comparison.memory.words)
            if self.busy:
                parts.append("measured on a busy machine")
        parts += self.reservations(comparison)
        return "; ".join(filter(None, parts))

    def _instructions(self, variant: str) -> dict[str, Any] | None:
        found = self.results.instructions.get(variant)
        if found is None:
            return None
        ratio = self.results.instruction_ratio(variant)
        known = ("error", "loops", "threads", "code_path", "valgrind", "functions")
        return {"count": found.count, "ratio": ratio} | {
            name: value for name, value in records.plain(found).items() if name in known
        }

    def to_json(self, top: int | None = None) -> dict[str, Any]:
        """Return it for machines; its form is that of experiment.schema.json.

        What is infinite is null, and so is the interval of one round.

        Args:
            top: How many variants there are at most; None: all.
        """
        words, head = self.sentences(), self.results.head
        comparisons = [
            vars(comparison)
            | {"sentence": words[comparison.variant], "instructions": self._instructions(comparison.variant)}
            for comparison in self.comparisons[:top]
        ]
        found = {
            "schema": SCHEMA,
            "suite": head.suite,
            "baseline": self.results.baseline,
            "quality": self.results.quality,
            "rounds": self.rounds,
            "needed": self.needed,
            "confidence": self.wanted,
            "delta": head.delta,
            "margin": head.margin,
            "memory_check": self.memory_check,
            "check": vars(self.check) | {"void": self.check.void, "words": self.notes()[0]},
            "busy": self.busy or None,
            "variants": len(self.comparisons),
            "comparisons": comparisons,
        }
        plain: dict[str, Any] = _plain(found)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return value.to_json()
    if is_dataclass(value):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def analyse(results: Results) -> Analysis:
    """Compare each variant with the baseline, paired by round; only complete rounds count.

    Raises:
        InvalidInputError: No round is complete.
    """
    rounds = results.rounds_to_report()
    others = [name for name in results.variants if name != results.baseline]
    wanted = family_confidence(len(others), SURE)
    runs = {name: results.values(name, rounds) for name in [results.baseline, *others, AA_CONTROL]}
    base = runs[results.baseline]
    check = check_session(log_ratios(runs[AA_CONTROL], base), results.head.delta)
    memory_check = check_memory(runs[AA_CONTROL], base, results.head.delta)
    comparisons = [_baseline(results, base)]
    comparisons += [
        _comparison(results, name, runs[name], base, wanted, check, memory_check) for name in others
    ]
    return Analysis(
        results,
        tuple(comparisons),
        check,
        memory_check,
        len(rounds),
        wanted,
        min_count(wanted),
        busy_words(results),
        modes_by_run(results, rounds),
    )


def log_ratios(runs: Sequence[Run | None], baseline: Sequence[Run | None]) -> list[float]:
    """Return d = ln(t / t_baseline) of the rounds in which both worked, in their order."""
    return [
        log_ratio(run.seconds, base.seconds)
        for run, base in zip(runs, baseline, strict=True)
        if run is not None and base is not None
    ]


def _baseline(results: Results, runs: Sequence[Run | None]) -> VariantComparison:
    targets = tuple(target_figures(target, runs, None, SURE) for target in results.head.targets)
    return VariantComparison(
        variant=results.baseline,
        value=_own_seconds(runs),
        speed=None,
        quality=_own_quality(results, runs),
        quality_verdict=QualityVerdict("none", reason="it is what others are compared with"),
        targets=targets,
        peak=own_peak(runs),
        memory=None,
        whole=None,
        autocorrelation=None,
        detectable=None,
        failures=sum(run is None for run in runs),
        rounds=len(runs),
        drift=False,
    )


def _comparison(
    results: Results,
    name: str,
    runs: Sequence[Run | None],
    base: Sequence[Run | None],
    wanted: float,
    check: AACheck,
    memory_check: AACheck | None,
) -> VariantComparison:
    head = results.head
    delta, targets = head.delta, head.targets
    d = log_ratios(runs, base)
    speed = judge_speed(d, delta, wanted) if d else None
    figures = tuple(target_figures(target, runs, base, wanted) for target in targets)
    return VariantComparison(
        variant=name,
        value=_own_seconds(runs),
        speed=controlled(speed, check) if speed is not None else None,
        quality=_own_quality(results, runs),
        quality_verdict=_quality(results, runs, base, wanted),
        targets=figures,
        peak=own_peak(runs),
        memory=judge_memory(peaks_of(runs, base), delta, wanted, memory_check),
        whole=whole_run(results, name, runs, base, figures, wanted),
        autocorrelation=autocorrelation(d),
        detectable=_detectable(d, delta, wanted),
        failures=sum(run is None for run in runs),
        rounds=len(runs),
        drift=drifts(d, wanted),
    )


def _own_seconds(runs: Sequence[Run | None]) -> Estimate | None:
    seconds = [run.seconds for run in runs if run is not None]
    return median_interval(seconds, SURE) if seconds else None


def _figure(results: Results, run: Run | None) -> float | None:
    return run.quality.get(results.quality or "") if run is not None else None


def _own_quality(results: Results, runs: Sequence[Run | None]) -> Estimate | None:
    own = [figure for run in runs if (figure := _figure(results, run)) is not None]
    return median_interval(own, SURE) if own else None


def _quality(
    results: Results, runs: Sequence[Run | None], base: Sequence[Run | None], wanted: float
) -> QualityVerdict:
    if results.quality is None:
        return QualityVerdict("none")
    both = [
        (_figure(results, run), _figure(results, other))
        for run, other in zip(runs, base, strict=True)
        if run is not None and other is not None
    ]
    pairs = [(v, b) for v, b in both if v is not None and b is not None]
    return judge_quality(pairs, results.head.margin, wanted, len(both) - len(pairs))


def _detectable(d: Sequence[float], delta: float, wanted: float) -> float | None:
    if not d:
        return None
    values = independent(d, wanted).values
    effect = detectable_effect(len(values), mad_sigma(values), math.log1p(delta), wanted)
    return math.expm1(effect) if effect < 700 else None
