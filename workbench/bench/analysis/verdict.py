"""Verdicts on speed and quality, the A/A control, and each of them in words.

A test that finds nothing is "inconclusive". "Equivalent" and "not worse" are findings: their interval is inside the
band.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from workbench.bench.analysis.power import mad_sigma, rounds_to_decide
from workbench.bench.stats.dependence import independent
from workbench.bench.stats.intervals import (
    Estimate,
    Floats,
    is_above,
    is_below,
    is_equivalent,
    log_ratio,
    median_interval,
    min_count,
    reaches,
)
from workbench.text import (
    Ends,
    as_error,
    as_percent,
    as_rounds,
    as_speed,
    inverse,
    plural,
    rounded_up,
)

FASTER, SLOWER, EQUIVALENT, INCONCLUSIVE = "faster", "slower", "equivalent", "inconclusive"
SAME, BETTER, WORSE, NOT_WORSE, NONE = "same", "better", "worse", "not worse", "none"
SURE = 0.95
PASSED, FAILED, NOISY = "passed", "failed", "too noisy to tell"
VOID = "the experiment is void"


@dataclass(frozen=True)
class SpeedVerdict:
    """What is known of a variant's speed."""

    kind: str
    """faster, slower, equivalent or inconclusive."""
    ratio: Estimate
    """Time of the variant by time of the baseline; below 1 is faster. Its count is of values after merging."""
    rounds_needed: int | None = None
    """About how many rounds it needs if it is inconclusive; None if that is unknown."""
    merged: int = 1
    """Neighbouring rounds that were merged into one value, since they were alike."""
    is_alike: bool = False
    """Whether merged neighbours are alike still: the interval is the whole range of the values."""
    reason: str = ""
    """Why it is inconclusive, where it is not for the interval alone."""
    is_firm: bool = True
    """Whether the A/A control has passed: else what was found may be the machine's."""


@dataclass(frozen=True)
class QualityVerdict:
    """What is known of a variant's figure of quality, of which smaller is better."""

    kind: str
    """same (to the bit), better, worse, not worse (within the margin), inconclusive, or none."""
    change: Estimate | None = None
    """log10(variant) - log10(baseline)."""
    rounds_needed: int | None = None
    """About how many rounds it needs if it is inconclusive; None if that is unknown."""
    reason: str = ""
    """Why there is no verdict, or on what it does not rest."""


@dataclass(frozen=True)
class AACheck:
    """The A/A control: the baseline compared with itself."""

    ratio: Estimate | None
    """Time of the second copy by time of the first; None where no round has both."""
    state: str
    """Passed if the interval is inside the band, failed if it is outside, else too noisy to tell."""
    excludes_one: bool
    """Whether the interval leaves 1 out, as 1 of 20 do in sound sessions."""
    delta: float
    """The band: the least difference in speed that matters, as a share."""

    @property
    def void(self) -> bool:
        """Whether it failed: no verdict on speed of this session holds."""
        return self.state == FAILED

    @property
    def is_short(self) -> bool:
        """Whether there are too few rounds to judge the session."""
        return self.ratio is None or not reaches(self.ratio.confidence, SURE)

    @property
    def noise(self) -> float:
        """The factor by which the baseline may differ from itself, by the interval; infinite where there is none."""
        if self.ratio is None or self.is_short:
            return math.inf
        return max(self.ratio.high, inverse(self.ratio.low))


def judge_speed(d: Sequence[float] | Floats, delta: float, confidence: float) -> SpeedVerdict:
    """Judge the differences d = ln(t_variant / t_baseline) of rounds in the order of time.

    Faster or slower if the interval of their median is outside ±ln(1 + delta), equivalent if it is inside, else
    inconclusive.

    Args:
        d: One difference for each round, finite.
        delta: The least difference in speed that matters, as a share.
        confidence: Of the interval.

    Raises:
        ValueError: There are no differences.
    """
    band = math.log1p(delta)
    rounds = independent(d, confidence)
    found = rounds.interval(confidence)
    kind, needed = INCONCLUSIVE, None
    if is_below(found, -band, confidence):
        kind = FASTER
    elif is_above(found, band, confidence):
        kind = SLOWER
    elif is_equivalent(found, band, confidence):
        kind = EQUIVALENT
    if kind == INCONCLUSIVE and not rounds.is_alike:  # by what more of alike ones shrink, nobody can tell
        needed = rounds_to_decide(found.value, mad_sigma(rounds.values), (-band, band), confidence)
        needed = _more_than(len(d), needed, confidence, rounds.size)
    return SpeedVerdict(kind, found.exp(), needed, rounds.size, rounds.is_alike)


def _more_than(count: int, needed: int | None, confidence: float, size: int = 1) -> int | None:
    """Return the number in rounds: more than there are, since these did not decide, and enough for an interval."""
    if needed is None:
        # Where so few say nothing of the noise, the least that gives an interval is still worth saying.
        return min_count(confidence) if count < min_count(confidence) else None
    return max(needed * size, count + 1)


def controlled(verdict: SpeedVerdict, check: AACheck) -> SpeedVerdict:
    """Return what the A/A control leaves of a verdict: of a void session its figures, of a noisy one nothing firm."""
    if check.void:
        return replace(verdict, kind=INCONCLUSIVE, rounds_needed=None, reason=VOID, is_firm=False)
    return replace(verdict, is_firm=check.state == PASSED)


def judge_quality(
    pairs: Sequence[tuple[float, float]], margin: float, confidence: float, missing: int = 0
) -> QualityVerdict:
    """Judge figures of (variant, baseline) by round, of which smaller is better.

    Not worse where the interval of the median change of log10 is below the margin, better where it is below zero as
    well (which after that needs no further correction: Morikawa and Yoshida 1995, J. Biopharm. Stat. 5, 297), worse
    where it is above the margin, else inconclusive. A figure of zero differs infinitely from any other.

    Args:
        pairs: Finite figures of the rounds in which both have one.
        margin: The largest loss that does not matter, in powers of ten.
        confidence: Of the interval.
        missing: Rounds in which both worked and one has no figure.
    """
    without = f"{as_rounds(missing)} without a figure left out" if missing else ""
    if not pairs:
        return QualityVerdict(NONE, reason="no round has the figure on both sides")
    negative = sum(min(pair) < 0 for pair in pairs)
    if negative and any(v != b for v, b in pairs):
        return QualityVerdict(
            NONE, reason=f"the error is negative in {as_rounds(negative)}, and has no ratio"
        )
    if all(v == b for v, b in pairs):
        change = median_interval([0.0] * len(pairs), confidence)
        return QualityVerdict(SAME, change, reason=without)
    changes = [log_ratio(v, b) / math.log(10) for v, b in pairs]
    change = median_interval(changes, confidence)
    kind = INCONCLUSIVE
    if is_below(change, 0, confidence):
        kind = BETTER
    elif is_below(change, margin, confidence):
        kind = NOT_WORSE
    elif is_above(change, margin, confidence):
        kind = WORSE
    needed = None
    if kind == INCONCLUSIVE:
        needed = rounds_to_decide(change.value, mad_sigma(changes), (margin,), confidence)
        needed = _more_than(len(pairs), needed, confidence)
    return QualityVerdict(kind, change, needed, without)


def check_session(d: Sequence[float] | Floats, delta: float) -> AACheck:
    """Judge the second copy of the baseline against the first, by the same rules as a variant, at 95 % of its own.

    Args:
        d: ln(t_copy / t_baseline) of rounds in the order of time; empty where no round has both.
        delta: The least difference in speed that matters, as a share.
    """
    if len(d) == 0:
        return AACheck(None, NOISY, False, delta)
    verdict = judge_speed(d, delta, SURE)
    ratio = verdict.ratio
    if not reaches(ratio.confidence, SURE):
        return AACheck(ratio, NOISY, False, delta)
    state = {INCONCLUSIVE: NOISY, EQUIVALENT: PASSED}.get(verdict.kind, FAILED)
    return AACheck(ratio, state, not ratio.low <= 1 <= ratio.high, delta)


def check_words(
    check: AACheck, words_of: Callable[[float, Ends | None], str] = as_speed, what: str = "speed"
) -> str:
    """Return what the A/A control found of speed, or of memory, in words."""
    ratio = check.ratio
    if ratio is None:
        return "no round has both copies of the baseline"
    said = f"{words_of(ratio.value, ratio.ends)} against the same program"
    if check.is_short:
        return f"{said} in {as_rounds(ratio.count)}, and {min_count(SURE)} are needed to judge the experiment"
    band = as_percent(check.delta)
    void = "the experiment is void and " if what == "speed" else ""
    words = {
        FAILED: f"more than {band} apart, so {void}no verdict on {what} holds",
        PASSED: f"within {band}",
        NOISY: f"too noisy to tell whether that is within {band}, so no verdict on {what} is firm",
    }[check.state]
    if check.excludes_one and check.state != FAILED:
        words += "; it excludes 1, as in up to 1 of 20 sound experiments"
    return f"{said}, {words}"


def speed_words(verdict: SpeedVerdict, delta: float, wanted: float, what: str = "") -> str:
    """Return a verdict on speed in words.

    Args:
        verdict: On speed.
        delta: The least difference that matters.
        wanted: The confidence that was wanted.
        what: Of what, such as "per step"; nothing where that is clear.
    """
    ratio = verdict.ratio
    said = as_speed(ratio.value, ratio.ends) + (f" {what}" if what else "")
    words = said
    if verdict.kind == EQUIVALENT:
        words = f"equivalent within {as_percent(delta)}: {said}"
    elif verdict.kind == INCONCLUSIVE and verdict.reason:
        words = f"inconclusive, {verdict.reason}: {said}"
    elif verdict.kind == INCONCLUSIVE:
        needed = _needed(verdict.rounds_needed)
        if not reaches(ratio.confidence, wanted):
            said = f"{as_speed(ratio.value)}{f' {what}' if what else ''} in {as_rounds(ratio.count)}"
        elif ratio.low > 1 or ratio.high < 1:
            said += f", not clearly by more than {as_percent(delta)}"
        words = f"inconclusive: {said}; {needed}"
    if not verdict.is_firm and verdict.kind != INCONCLUSIVE:
        words += f", not firm: the A/A control is {NOISY}"
    if verdict.merged > 1:
        words += f"; neighbouring rounds are alike, so {verdict.merged} count as one"
    if verdict.is_alike:
        still = "they are alike still" if verdict.merged > 1 else "neighbouring rounds are alike"
        words += f"; {still}, so the interval is the whole range"
    return words


def quality_words(verdict: QualityVerdict, wanted: float) -> str:
    """Return a verdict on quality in words; nothing where there is no figure to judge by."""
    change = verdict.change
    if change is None:
        return f"error not judged: {verdict.reason}" if verdict.reason else ""
    words = as_error(change.value, change.ends)
    if verdict.kind == SAME:
        words = "same error, bit for bit"
    elif verdict.kind == NOT_WORSE:
        words += ": not worse"
    elif verdict.kind == INCONCLUSIVE:
        if not reaches(change.confidence, wanted):
            words = f"{as_error(change.value)} in {as_rounds(change.count)}"
        words = f"error inconclusive: {words}; {_needed(verdict.rounds_needed)}"
    return f"{words} ({verdict.reason})" if verdict.reason else words


def _needed(rounds: int | None) -> str:
    if rounds is None:
        return "the rounds it needs are unknown"
    return f"needs about {rounded_up(rounds):,} {plural(rounds, 'round')}"
