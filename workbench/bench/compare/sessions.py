"""Stored experiments of two sides, compared by the variation between sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from workbench.bench.analysis.sessions import MIN_SESSIONS, check_one_suite
from workbench.bench.analysis.verdict import SURE
from workbench.bench.compare.gate import (
    INCONCLUSIVE,
    Finding,
    Limits,
    PairVerdict,
    Verdict,
    memory_finding,
    quality_finding,
    speed_finding,
)
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import family_confidence
from workbench.bench.stats.shift import independent_shift
from workbench.errors import unknown_name


@dataclass(frozen=True)
class Measured:
    """What one experiment shows of one variant."""

    seconds: float
    figure: float | None
    """Its quality."""
    peak: float | None
    """Its peak memory in bytes; None where some run does not say it."""


def compare_sessions(
    base: Sequence[Results], new: Sequence[Results], limits: Limits, variants: Sequence[str] = ()
) -> Verdict:
    """Judge stored experiments; inconclusive if they are too few, or from different machines.

    Raises:
        InvalidInputError: They are of different suites, or lack a variant.
    """
    runs = [*base, *new]
    check_one_suite(runs)
    names = list(dict.fromkeys(variants)) or [base[0].baseline]
    for run in runs:
        for name in names:
            if name not in run.variants:
                raise unknown_name(f"variant of {run.folder}", name, run.variants)
    note = _note(base, new)
    confidence = family_confidence(len(names), SURE)
    pairs = [_judge(name, base, new, limits, confidence, note) for name in names]
    return Verdict(tuple(pairs), note)


def _note(base: Sequence[Results], new: Sequence[Results]) -> str | None:
    """Return why nothing can be said, whatever was measured; None where something can."""
    machines = {(run.head.environment.machine, run.head.environment.cores) for run in (*base, *new)}
    if len(machines) > 1:
        return "the experiments ran on different machines: measure both sides on one"
    counts = [sum(bool(run.complete_rounds()) for run in side) for side in (base, new)]
    if min(counts) < MIN_SESSIONS:
        return (
            f"{counts[0]} and {counts[1]} stored experiments: at least {MIN_SESSIONS} of each side are needed; "
            "store more, or measure both sides together"
        )
    return None


def _judge(
    variant: str,
    base: Sequence[Results],
    new: Sequence[Results],
    limits: Limits,
    confidence: float,
    note: str | None,
) -> PairVerdict:
    bases, news = ([each for run in side if (each := _session(run, variant))] for side in (base, new))
    if note is not None or min(len(bases), len(news)) < MIN_SESSIONS:
        words = "nothing is known" if note is not None else "it failed in too many experiments"
        return PairVerdict(variant, Finding(INCONCLUSIVE, words), None, None)
    d = independent_shift([each.seconds for each in bases], [each.seconds for each in news], confidence)
    ratio = d.exp()
    speed = speed_finding(ratio, limits, confidence)
    memory = _memory(bases, news, limits, confidence)
    figure = base[0].quality
    if figure is None:
        return PairVerdict(variant, speed, None, None, memory)
    figures = [[each.figure for each in side] for side in (bases, news)]
    known = [[value for value in side if value is not None and value >= 0] for side in figures]
    if any(len(some) < len(every) for some, every in zip(known, figures, strict=True)):
        quality = Finding(
            INCONCLUSIVE, f"{figure} is missing or below zero in some experiments, and has no ratio"
        )
    else:
        found = independent_shift(known[0], known[1], confidence)
        change = replace(
            found, **{name: getattr(found, name) / math.log(10) for name in ("value", "low", "high")}
        )
        quality = quality_finding(change, limits, confidence)
    return PairVerdict(variant, speed, quality, None, memory)


def _memory(
    bases: Sequence[Measured], news: Sequence[Measured], limits: Limits, confidence: float
) -> Finding | None:
    peaks = [[each.peak for each in side if each.peak is not None] for side in (bases, news)]
    if len(peaks[0]) < len(bases) or len(peaks[1]) < len(news):
        return memory_finding(None, limits, confidence)
    return memory_finding(independent_shift(peaks[0], peaks[1], confidence).exp(), limits, confidence)


def _session(results: Results, variant: str) -> Measured | None:
    runs = [run for run in results.values(variant, results.complete_rounds()) if run is not None]
    if not runs:
        return None
    figures = [run.quality.get(results.quality or "") for run in runs]
    known = [value for value in figures if value is not None]
    peaks = [run.peak_rss_bytes for run in runs if run.peak_rss_bytes]
    return Measured(
        median(run.seconds for run in runs),
        median(known) if len(known) == len(figures) else None,
        median(peaks) if len(peaks) == len(runs) else None,
    )
