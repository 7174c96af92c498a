"""The gate: whether the new side passes the limits that were stated before anything was measured.

An interval on one side of its limit is a pass or a regression; any other is inconclusive, and no pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.bench.analysis.analysis import log_ratios
from workbench.bench.analysis.conditions import busy_words
from workbench.bench.analysis.memory import (
    Peaks,
    check_memory,
    difference_words,
    judge_memory,
    peaks_of,
)
from workbench.bench.analysis.verdict import (
    PASSED,
    SURE,
    VOID,
    AACheck,
    check_session,
    check_words,
    judge_quality,
    judge_speed,
)
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import (
    Estimate,
    family_confidence,
    is_above,
    is_below,
    min_count,
    reaches,
)
from workbench.text import (
    as_factor,
    as_instructions,
    as_ratio,
    as_rounds,
    error_parts,
    memory_parts,
    speed_parts,
)

FINE, REGRESSION, INCONCLUSIVE = "fine", "regression", "inconclusive"
ORDER = (REGRESSION, INCONCLUSIVE, FINE)
"""From what decides a comparison to what does not."""
EXIT_CODES = {FINE: 0, REGRESSION: 1, INCONCLUSIVE: 3}


@dataclass(frozen=True)
class Limits:
    """What the new side may cost."""

    slower: float = 0.05
    """How much longer it may take, as a share."""
    worse: float = 0.1
    """How much its figure of quality may grow, in powers of ten."""
    larger: float | None = None
    """How much its peak memory may grow, as a share; None: memory is compared, and decides nothing."""
    instructions: float | None = None
    """How many more instructions it may take, as a share; None: they are not judged."""


@dataclass(frozen=True)
class Finding:
    """One thing that is judged of a pair, such as its speed, in words."""

    verdict: str
    figure: str
    """What was found, with its limit: "24.6× slower (limit 1.05×)"."""
    detail: str = ""
    """What it rests on: its interval, and why it is inconclusive."""
    estimate: Estimate | None = None
    rounds_needed: int | None = None
    """About how many rounds would decide it, where it is inconclusive and that is known."""
    is_said: bool = True
    """Whether the verdict in words has it: not a memory that has no limit, and no clear difference."""

    @property
    def words(self) -> str:
        """All of it in a clause."""
        return " ".join(filter(None, (self.figure, self.detail)))


@dataclass(frozen=True)
class PairVerdict:
    """A variant of the suite, on both sides."""

    variant: str
    speed: Finding
    """Its estimate is the ratio of new to base."""
    quality: Finding | None
    """Its estimate is the change of log10; None where the suite has no figure."""
    failures: Finding | None
    """Where the new side failed in some rounds."""
    memory: Finding | None = None
    """Its estimate is the ratio of peaks; None where they are not known."""
    instructions: Finding | None = None
    """None where they were not counted, and have no limit."""

    @property
    def findings(self) -> list[Finding]:
        """Return what was judged."""
        found = (self.speed, self.quality, self.failures, self.instructions, self.memory)
        return [each for each in found if each is not None]

    @property
    def verdict(self) -> str:
        """The worst of what was found: one regression makes the pair one."""
        return worst([each.verdict for each in self.findings])

    @property
    def words(self) -> str:
        """The verdict in a line: what decides it first, then the variant and all else."""
        decisive, *others = sorted(self.findings, key=lambda each: ORDER.index(each.verdict))
        name = ", ".join(filter(None, (self.variant, decisive.detail)))
        return "; ".join(
            [
                f"{self.verdict.upper()} {decisive.figure}: {name}",
                *(each.words for each in others if each.is_said),
            ]
        )


@dataclass(frozen=True)
class Verdict:
    """What a comparison comes to."""

    pairs: tuple[PairVerdict, ...]
    note: str | None = None
    """What is to be said of the session as a whole, such as that it is void."""

    @property
    def verdict(self) -> str:
        """A regression where any pair is one, fine where all are."""
        return worst([pair.verdict for pair in self.pairs])

    @property
    def lines(self) -> list[str]:
        """A line for each pair, what decides first, and the note; the note alone where nothing was measured."""
        if self.note is not None and all(pair.speed.estimate is None for pair in self.pairs):
            return [f"{self.verdict.upper()}: {self.note}"]
        ordered = sorted(self.pairs, key=lambda pair: ORDER.index(pair.verdict))
        return [pair.words for pair in ordered] + ([self.note] if self.note is not None else [])

    @property
    def exit_code(self) -> int:
        """For the command line: 0 fine, 1 regression, 3 inconclusive."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """Return it for machines; what has no finite number is null."""
        return {
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "note": self.note,
            "pairs": [
                {
                    "variant": pair.variant,
                    "verdict": pair.verdict,
                    "speed": _finding_json(pair.speed),
                    "quality": _finding_json(pair.quality),
                    "failures": _finding_json(pair.failures),
                    "memory": _finding_json(pair.memory),
                    "instructions": _finding_json(pair.instructions),
                }
                for pair in self.pairs
            ],
        }


def worst(verdicts: Sequence[str]) -> str:
    """Return what several verdicts come to together; of none nothing is known."""
    return min(verdicts, key=ORDER.index, default=INCONCLUSIVE)


def judge(results: Results, pairs: Mapping[str, tuple[str, str]], limits: Limits) -> Verdict:
    """Judge an experiment in which both sides were measured.

    Args:
        results: The experiment.
        pairs: For each variant of the suite, what it is called on the base and on the new side.
        limits: What the new side may cost.
    """
    confidence = family_confidence(len(pairs), SURE)
    rounds = results.complete_rounds()
    again, base = results.values(AA_CONTROL, rounds), results.values(results.baseline, rounds)
    check = check_session(log_ratios(again, base), limits.slower)
    memory_check = check_memory(again, base, _memory_band(limits))
    found = [
        _judge_pair(results, rounds, variant, pair, limits, confidence, memory_check)
        for variant, pair in pairs.items()
    ]
    if results.instructions or limits.instructions is not None:
        found = [
            replace(each, instructions=_instructions(results, pairs[each.variant], limits)) for each in found
        ]
    if check.state != PASSED:
        found = [
            replace(pair, speed=_controlled(pair.speed, check, limits.slower, confidence)) for pair in found
        ]
    notes = [f"A/A control: {check_words(check)}"] if check.state != PASSED else []
    busy = busy_words(results)
    return Verdict(tuple(found), "; ".join([*notes, busy] if busy else notes) or None)


def recorded_verdict(results: Results) -> Verdict | None:
    """Return the verdict of a comparison by the limits that it was measured with; None of any other experiment."""
    head = results.head
    if not (head.pairs and head.sides):
        return None
    return judge(
        results, head.pairs, Limits(head.delta, head.margin, head.fail_larger, head.more_instructions)
    )


def _controlled(found: Finding, check: AACheck, limit: float, confidence: float) -> Finding:
    """Return what the A/A control leaves of a finding on speed or memory.

    If the control is noisy, a regression stays one if it exceeds the limit by more than the control differs.
    """
    if check.void:
        return Finding(INCONCLUSIVE, VOID, "", found.estimate)
    if (
        found.verdict == REGRESSION
        and found.estimate is not None
        and is_above(found.estimate, (1 + limit) * check.noise, confidence)
    ):
        return found
    if found.verdict == INCONCLUSIVE:
        return found
    return replace(
        found, verdict=INCONCLUSIVE, detail=f"{found.detail}, not firm: the A/A control is {check.state}"
    )


def _judge_pair(
    results: Results,
    rounds: list[int],
    variant: str,
    pair: tuple[str, str],
    limits: Limits,
    confidence: float,
    memory_check: AACheck | None,
) -> PairVerdict:
    base, new = (results.values(run, rounds) for run in pair)
    failures = _failures(base, new, confidence)
    d = log_ratios(new, base)
    if not d:
        return PairVerdict(variant, Finding(INCONCLUSIVE, "no round has both sides"), None, failures)
    # What rounds that are like their neighbours say together is the business of `judge_speed`.
    judged = judge_speed(d, limits.slower, confidence)
    speed = replace(speed_finding(judged.ratio, limits, confidence), rounds_needed=judged.rounds_needed)
    memory = _memory(peaks_of(new, base), limits, confidence, memory_check)
    figure = results.quality
    if figure is None:
        return PairVerdict(variant, speed, None, failures, memory)
    both = [(n.quality.get(figure), b.quality.get(figure)) for n, b in zip(new, base, strict=True) if n and b]
    known = [(n, b) for n, b in both if n is not None and b is not None]
    found = judge_quality(known, limits.worse, confidence, len(both) - len(known))
    if found.change is None or len(known) < len(both):
        quality = Finding(INCONCLUSIVE, f"{figure} cannot be compared: {found.reason}", "", found.change)
    else:
        quality = quality_finding(found.change, limits, confidence)
        quality = replace(quality, rounds_needed=found.rounds_needed)
    return PairVerdict(variant, speed, quality, failures, memory)


def _memory(peaks: Peaks, limits: Limits, confidence: float, check: AACheck | None) -> Finding | None:
    judged = judge_memory(peaks, _memory_band(limits), confidence, check)
    if judged is None:
        return memory_finding(None, limits, confidence)
    found = memory_finding(judged.ratio, limits, confidence, difference_words(judged.difference))
    if found is None or check is None or check.state == PASSED:
        return found
    if limits.larger is None:
        return replace(found, is_said=False)
    if check.void:
        return Finding(INCONCLUSIVE, "peak memory differs between runs of the base too", "", found.estimate)
    return _controlled(replace(found, rounds_needed=judged.rounds_needed), check, limits.larger, confidence)


def _instructions(results: Results, pair: tuple[str, str], limits: Limits) -> Finding:
    """Judge the instructions of the new side, which have no interval; without a limit to them any number passes."""
    base, new = pair
    ratio, more = results.instruction_ratio(new, base), limits.instructions
    if ratio is None:
        found = [results.instructions.get(name) for name in pair]
        why = next((each.error for each in found if each is not None and each.error is not None), "no count")
        return Finding(FINE if more is None else INCONCLUSIVE, f"instructions cannot be compared: {why}")
    words = f"{as_instructions(ratio)} instructions"
    if more is None:
        return Finding(FINE, words)
    verdict = REGRESSION if ratio > 1 + more else FINE
    return Finding(verdict, f"{words} (limit {as_ratio(1 + more, 3)}×)")


def _failures(base: Sequence[Run | None], new: Sequence[Run | None], confidence: float) -> Finding | None:
    """Judge the new side's failures in rounds in which the base worked; in the others the seed may be at fault."""
    worked = [n for b, n in zip(base, new, strict=True) if b is not None]
    failed = sum(run is None for run in worked)
    if not failed:
        return None
    every = failed == len(worked) >= min_count(confidence)
    words = f"the new side failed in {failed} of {as_rounds(len(worked))}"
    return Finding(REGRESSION if every else INCONCLUSIVE, words)


def speed_finding(ratio: Estimate, limits: Limits, confidence: float) -> Finding:
    """Judge the ratio of times of new and base."""
    parts = speed_parts(ratio.value, ratio.ends)
    return _against(ratio, parts, 1 + limits.slower, as_ratio(1 + limits.slower), confidence)


def quality_finding(change: Estimate, limits: Limits, confidence: float) -> Finding:
    """Judge the change of log10 of a figure of quality, of which smaller is better."""
    parts = error_parts(change.value, change.ends)
    return _against(change, parts, limits.worse, as_factor(limits.worse), confidence)


def memory_finding(
    ratio: Estimate | None, limits: Limits, confidence: float, difference: str = ""
) -> Finding | None:
    """Judge the ratio of peaks of new and base; without a limit it is fine, and said only where it differs.

    Args:
        ratio: None where it is not known.
        limits: What the new side may cost.
        confidence: That is wanted of the ratio.
        difference: Bytes, in words.
    """
    if ratio is None:
        unknown = Finding(INCONCLUSIVE, "no round has the peak memory of both sides")
        return unknown if limits.larger is not None else None
    figure, interval = memory_parts(ratio.value, ratio.ends)
    parts = f"peak memory {figure}", ", ".join(filter(None, (interval, difference)))
    if limits.larger is not None:
        return _against(ratio, parts, 1 + limits.larger, as_ratio(1 + limits.larger), confidence)
    band = 1 + _memory_band(limits)
    differs = is_above(ratio, band, confidence) or is_below(ratio, 1 / band, confidence)
    return Finding(FINE, *parts, ratio, is_said=differs)


def _memory_band(limits: Limits) -> float:
    return limits.larger if limits.larger is not None else limits.slower


def _against(
    estimate: Estimate, parts: tuple[str, str], limit: float, shown: str, confidence: float
) -> Finding:
    figure, interval = parts
    verdict, why = INCONCLUSIVE, "not clearly above or below the limit"
    if not reaches(estimate.confidence, confidence):
        why = f"in {estimate.count} values, and {min_count(confidence)} are needed"
    elif is_above(estimate, limit, confidence):
        verdict, why = REGRESSION, ""
    elif is_below(estimate, limit, confidence):
        verdict, why = FINE, ""
    detail = ", ".join(filter(None, (interval, why)))
    return Finding(verdict, f"{figure} (limit {shown}×)", detail, estimate)


def _finding_json(finding: Finding | None) -> dict[str, Any] | None:
    if finding is None:
        return None
    estimate = finding.estimate.to_json() if finding.estimate is not None else None
    return {"verdict": finding.verdict, "words": finding.words, "estimate": estimate}
