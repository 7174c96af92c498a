"""Peak memory against the baseline's, paired by round: its verdict has the rules of that on speed.

What is compared is the peak of a whole process, which is what a machine must have. Interpreter and imports are in the
ratio, and make it small in small programs; they are not in the difference in bytes, since both sides have them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.bench.analysis.verdict import (
    EQUIVALENT,
    FASTER,
    INCONCLUSIVE,
    PASSED,
    SLOWER,
    SURE,
    AACheck,
    check_session,
    check_words,
    controlled,
    judge_speed,
)
from workbench.bench.results.lines import Run
from workbench.bench.stats.dependence import independent
from workbench.bench.stats.intervals import Estimate, log_ratio, median_interval
from workbench.text import as_signed_size, as_size, memory_parts

SMALLER, LARGER = "smaller", "larger"
_KINDS = {FASTER: SMALLER, SLOWER: LARGER}
Peaks = Sequence[tuple[int, int]]
"""Bytes of a variant and of the baseline, in the rounds in which both are known, in the order of time."""


@dataclass(frozen=True)
class MemoryVerdict:
    """What is known of a variant's peak memory."""

    kind: str
    """smaller, larger, equivalent or inconclusive."""
    ratio: Estimate
    """Peak of the variant by peak of the baseline; below 1 is smaller."""
    difference: Estimate
    """Bytes of the variant less those of the baseline."""
    rounds_needed: int | None
    """About how many rounds it needs if it is inconclusive; None if that is unknown."""
    is_firm: bool
    """Whether the A/A control of memory has passed."""

    @property
    def differs(self) -> bool:
        """Whether it is smaller or larger."""
        return self.kind in (SMALLER, LARGER)

    @property
    def parts(self) -> tuple[str, str]:
        """The ratio in words, and its interval; what is equivalent is that alone."""
        if self.kind == EQUIVALENT:
            return EQUIVALENT, ""
        figure, interval = memory_parts(self.ratio.value, self.ratio.ends)
        if self.kind == INCONCLUSIVE:
            return f"inconclusive: {figure}", interval
        return figure if self.is_firm else f"{figure}, not firm", interval

    @property
    def words(self) -> str:
        """The verdict in a clause."""
        return f"peak memory {' '.join(filter(None, self.parts))} ({difference_words(self.difference)})"


def peaks_of(runs: Sequence[Run | None], base: Sequence[Run | None]) -> Peaks:
    """Return the peaks of both, paired by round."""
    return [
        (run.peak_rss_bytes, other.peak_rss_bytes)
        for run, other in zip(runs, base, strict=True)
        if run and other and run.peak_rss_bytes and other.peak_rss_bytes
    ]


def own_peak(runs: Sequence[Run | None]) -> Estimate | None:
    """Return a variant's own peak in bytes, with 95 % of its own; None where no run says it."""
    known = [float(run.peak_rss_bytes) for run in runs if run is not None and run.peak_rss_bytes]
    return median_interval(known, SURE) if known else None


def check_memory(again: Sequence[Run | None], base: Sequence[Run | None], delta: float) -> AACheck | None:
    """Return what the A/A control says of memory; None where no round has both peaks."""
    d = _log_ratios(peaks_of(again, base))
    return check_session(d, delta) if d else None


def judge_memory(
    peaks: Peaks, delta: float, confidence: float, check: AACheck | None
) -> MemoryVerdict | None:
    """Judge a variant's peaks as `judge_speed` judges times; None where there are none.

    Args:
        peaks: Of the variant and of the baseline.
        delta: The least difference that matters, as a share.
        confidence: Of both intervals.
        check: Of memory: where it failed nothing is known, and where it is noisy nothing is firm.
    """
    if not peaks:
        return None
    judged = judge_speed(_log_ratios(peaks), delta, confidence)
    if check is not None:
        judged = controlled(judged, check)
    difference = independent([float(own - base) for own, base in peaks], confidence).interval(confidence)
    kind = _KINDS.get(judged.kind, judged.kind)
    return MemoryVerdict(kind, judged.ratio, difference, judged.rounds_needed, judged.is_firm)


def is_doubtful(check: AACheck | None) -> bool:
    """Return whether enough rounds say of memory that the same program differs from itself, or may."""
    return check is not None and not check.is_short and check.state != PASSED


def memory_check_words(check: AACheck | None) -> str:
    """Return what the A/A control found of memory, in words."""
    return (
        "" if check is None else check_words(check, lambda *found: " ".join(memory_parts(*found)), "memory")
    )


def difference_words(difference: Estimate) -> str:
    """Return a difference in bytes with its interval: +67.1 MB [+67.0 MB, +67.2 MB]."""
    return _sizes(difference, as_signed_size)


def peak_words(own: Estimate) -> str:
    """Return a peak of its own, in bytes, with its interval."""
    return _sizes(own, as_size)


def _sizes(found: Estimate, words: Callable[[int], str]) -> str:
    value, *ends = (words(round(each)) for each in (found.value, *(found.ends or ())))
    return f"{value} [{', '.join(ends)}]" if ends else value


def _log_ratios(peaks: Peaks) -> list[float]:
    return [log_ratio(own, base) for own, base in peaks]
