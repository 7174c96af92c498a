"""Where the time of a benchmark's variants goes, from one recorded run of each: times by scope, and flame graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.bench.analysis.analysis import Analysis
from workbench.bench.design.commentary import Commentary
from workbench.profile import scope_totals
from workbench.render.plots import stacked_bars_plot
from workbench.report.bench.flames import Flame, flames_of
from workbench.report.bench.own_tables import OwnTable, own_tables
from workbench.report.bench.plots import MAX_BARS, plot_labels
from workbench.report.bench.recordings import Recorded, Recordings, recordings_of
from workbench.report.bench.scaling import ScalingPart, scaling_of
from workbench.report.bench.tables import is_stepped
from workbench.report.pages import inline_plot
from workbench.report.suite.summary import Chapter, SummaryVariant, summarise, variant_facts
from workbench.report.tables import Cell, Column, PageTable, Row
from workbench.text import as_rough_share, as_seconds, named, printable

MAX_SCOPES = 6
"""Scopes with a colour of their own; the others are one part."""


@dataclass(frozen=True)
class TimesPart:
    """The time in each scope, side by side."""

    plot: Markup
    table: PageTable
    is_cut: bool
    """Whether the plot has not all variants."""


@dataclass(frozen=True)
class Profiles:
    """What a page says beside what was measured; each part is None or empty where there is nothing."""

    summary: Sequence[Chapter]
    """The questions that samples and measured values answer together."""
    times: TimesPart | None
    flames: Sequence[Flame]
    not_drawn: Sequence[str]
    """Variants whose flame graphs would make the page too large."""
    scaling: ScalingPart | None
    tables: Sequence[OwnTable]
    warnings: Sequence[str]
    step: str
    """What times are of: a step, or a run."""
    with_first: Sequence[str]
    """Variants that are shown with their first step, because it could not be distinguished from the others."""
    is_without_first: bool
    """Whether the first was left out of any."""


def profiles_of(analysis: Analysis, commentary: Commentary | None = None) -> Profiles:
    """Return what the recordings and the suite itself say of a run, in the words of its commentary."""
    results = analysis.results
    recordings = recordings_of(results)
    found = recordings.found
    step = "step" if is_stepped(results) else "run"
    flames, not_drawn = flames_of(recordings, _measured_s(analysis), results.baseline, step)
    return Profiles(
        _summary(analysis, recordings, step, commentary or Commentary()),
        _times(found, results.baseline, step) if found else None,
        flames,
        not_drawn,
        scaling_of(analysis, found, step),
        own_tables(results),
        recordings.warnings,
        step,
        [named(each.variant) for each in found.values() if each.is_whole],
        any(not each.is_whole for each in found.values()),
    )


def _measured_s(analysis: Analysis) -> dict[str, float]:
    """Return the seconds of a step of each variant, as they were measured."""
    return {c.variant: c.value.value for c in analysis.comparisons if c.value is not None}


def _summary(
    analysis: Analysis, recordings: Recordings, step: str, commentary: Commentary
) -> Sequence[Chapter]:
    """Return what samples and measured values say together; nothing where there are no samples."""
    results, found, sampled = analysis.results, recordings.found, recordings.sampled
    if not sampled:
        return []
    variants = []
    for c in analysis.comparisons:
        options = results.head.variants[c.variant]
        samples = sampled[c.variant].profile if c.variant in sampled else None
        facts = variant_facts(
            options,
            found[c.variant].profile if c.variant in found else None,
            samples,
            sampler=samples.name if samples is not None else "",
            scaling=results.head.scaling,
            part=commentary.part,
        )
        ratio = c.speed.ratio if c.speed is not None and not analysis.check.void else None
        error = c.quality.value if c.quality is not None else None
        variants.append(SummaryVariant(c.variant, options, ratio, error, facts))
    return summarise(
        variants,
        results.baseline,
        step=(commentary.step or step) if step == "step" else step,
        error=f"the median of {named(results.quality)}" if results.quality is not None else "the error",
        scaling=results.head.scaling,
        commentary=commentary,
    ).chapters


def _times(found: Mapping[str, Recorded], baseline: str, step: str) -> TimesPart:
    self_s = {variant: _self_seconds(each) for variant, each in found.items()}
    names = _largest(self_s)
    others = any(name not in names for times in self_s.values() for name in times)
    parts = plot_labels(names)
    bars = {variant: _parts(times, names, others) for variant, times in self_s.items()}
    drawn = list(found)[:MAX_BARS]
    labels = plot_labels(found)
    plot = stacked_bars_plot(
        {labels[variant]: bars[variant] for variant in drawn},
        [parts[name] for name in names] + (["all other scopes"] if others else []),
        title=f"Self time of each scope, of a {step}",
        axis="time in the scope itself, summed over threads and processes",
        rest=others,
        ends=[found[variant].wall_s for variant in drawn],
        end=f"the {step} by the clock",
        words=as_seconds,
        prefix="scope-times",
    )
    columns = [Column(f"a {step}", "by the clock, when it was recorded")]
    columns += [Column(printable(name), f"time in {named(name)} itself") for name in names]
    columns += [Column("all other scopes", "together")] if others else []
    rows = [
        Row(
            printable(variant),
            [_time_cell(found[variant].wall_s), *_shares(bars[variant])],
            is_baseline=variant == baseline,
        )
        for variant in found
    ]
    return TimesPart(
        inline_plot(plot),
        PageTable("Self time of each scope", "variant", columns, rows),
        len(drawn) < len(found),
    )


def _self_seconds(recorded: Recorded) -> dict[str, float]:
    """Return the seconds of a step that each scope took itself, over all tracks."""
    totals = scope_totals(recorded.profile)
    return {name: max(each.self_ns, 0) / 1e9 / recorded.count for name, each in totals.items()}


def _largest(self_s: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the scopes with the largest shares, the largest first. Each variant counts as much as any other."""
    shares: dict[str, float] = {}
    for times in self_s.values():
        whole = math.fsum(times.values())
        for name, seconds in times.items():
            shares[name] = shares.get(name, 0.0) + (seconds / whole if whole > 0 else 0.0)
    ranked = sorted(shares, key=lambda name: (-shares[name], name))
    return ranked[:MAX_SCOPES]


def _parts(times: Mapping[str, float], names: Sequence[str], others: bool) -> list[float]:
    rest = math.fsum(seconds for name, seconds in times.items() if name not in names)
    return [times.get(name, 0.0) for name in names] + ([rest] if others else [])


def _time_cell(seconds: float) -> Cell:
    return Cell(as_seconds(seconds) if seconds else "0", seconds)


def _shares(parts: Sequence[float]) -> list[Cell]:
    """Return a cell for each part, with its share of the whole."""
    whole = math.fsum(parts)
    return [
        Cell(as_seconds(part), part, as_rough_share(part / whole)) if part > 0 else Cell("–", 0.0)
        for part in parts
    ]
