"""Parallel scaling on a benchmark's page: what more workers gain, and where the rest of their time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from workbench.bench.analysis.analysis import Analysis, log_ratios
from workbench.bench.analysis.verdict import judge_speed
from workbench.bench.design.suite_tables import Scaling
from workbench.bench.results.results import Results
from workbench.bench.stats.intervals import Estimate
from workbench.profile import scope_totals, time_inside
from workbench.render.plots import stacked_bars
from workbench.report.bench.charts import speed_up_of
from workbench.report.bench.recordings import Recorded
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row, estimate_cell, speed_cell
from workbench.text import as_rough_share, named, printable

PARTS = ("the work, as the serial run needs it", "work that takes longer", "waiting, sending, idle")


@dataclass(frozen=True)
class WorkerTime:
    """Where the time of the workers goes, in seconds of a step."""

    available_s: float
    """Workers times the time inside the whole; more where more than so many worked at a time."""
    outside_s: float
    """The part of a step, by the clock, that is outside the whole and so is not shared."""
    needed_s: float
    """The work, at most as long as it takes in the serial run."""
    longer_s: float
    """How much longer the work takes than in the serial run."""
    waiting_s: float
    change: float
    """The work's time divided by that in the serial run."""

    @property
    def parts(self) -> tuple[float, float, float]:
        """The work as in the serial run, what it takes longer, and waiting: together the available time."""
        return self.needed_s, self.longer_s, self.waiting_s


@dataclass(frozen=True)
class Scaled:
    """A variant that shares its work among workers, against the same without."""

    variant: str
    workers: int
    serial: str
    also: Sequence[str]
    """Options by which the two differ too."""
    ratio: Estimate | None
    """Its time by that of the serial variant."""
    time: WorkerTime | None

    @property
    def efficiency(self) -> Estimate | None:
        """The speed-up by the number of workers."""
        if self.ratio is None:
            return None
        each, n = speed_up_of(self.ratio), self.workers
        return Estimate(each.value / n, each.low / n, each.high / n, each.confidence, each.count)


@dataclass(frozen=True)
class ScalingPart:
    """What the page says of it."""

    whole: str
    work: str
    table: PageTable
    key: Sequence[Markup]
    """The colours of its bars."""


def scaling_of(analysis: Analysis, found: Mapping[str, Recorded], step: str) -> ScalingPart | None:
    """Return what there is to say; None where no variant has several workers and a serial one beside it."""
    results = analysis.results
    scaling = results.head.scaling
    if scaling is None:
        return None
    scaled = [each for name in results.variants if (each := _scaled(analysis, name, scaling, found))]
    if not scaled:
        return None
    shares = {
        each.variant: [part / each.time.available_s for part in each.time.parts]
        for each in scaled
        if each.time is not None
    }
    bars = stacked_bars(shares, PARTS, rest=True, words=as_rough_share)
    columns = [
        Column("workers", printable(scaling.option)),
        Column("speed", "against the same without workers, the median over rounds"),
        Column("efficiency", "speed-up by workers"),
        *([Column("the workers’ time", f"inside {named(scaling.whole)}", is_text=True)] if shares else []),
        *(
            [Column("not shared", f"of a {step}, by the clock: outside {named(scaling.whole)}")]
            if shares
            else []
        ),
    ]
    rows = [_row(each, bars.rows.get(each.variant), bool(shares)) for each in scaled]
    return ScalingPart(
        named(scaling.whole),
        named(scaling.work),
        PageTable("Parallel scaling", "variant", columns, rows),
        bars.key if shares else [],
    )


def _scaled(
    analysis: Analysis, variant: str, scaling: Scaling, found: Mapping[str, Recorded]
) -> Scaled | None:
    results = analysis.results
    workers = _workers(results, variant, scaling.option)
    serial = serial_of(results, variant, scaling.option) if workers > 1 else None
    if serial is None:
        return None
    options, other = results.head.variants[variant], results.head.variants[serial]
    also = sorted(_differing(options, other) - {scaling.option})
    time = None
    if variant in found and serial in found:
        time = worker_time(found[variant], found[serial], scaling, workers)
    return Scaled(variant, workers, serial, also, _ratio(analysis, variant, serial), time)


def serial_of(results: Results, variant: str, option: str) -> str | None:
    """Return the variant with one worker that differs in nothing else, or in one thing: it may concern workers only.

    Of several the baseline comes first.
    """
    options = results.head.variants
    ranked = sorted(
        (len(_differing(options[variant], options[name]) - {option}), name != results.baseline, place, name)
        for place, name in enumerate(results.variants)
        if _workers(results, name, option) == 1
    )
    return ranked[0][3] if ranked and ranked[0][0] <= 1 else None


def _workers(results: Results, variant: str, option: str) -> int:
    value = results.head.variants[variant].get(option)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _differing(options: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    missing = object()
    return {name for name in {*options, *other} if options.get(name, missing) != other.get(name, missing)}


def _ratio(analysis: Analysis, variant: str, serial: str) -> Estimate | None:
    """Return the ratio of two variants' times; None where they never both worked, or the experiment is void."""
    results = analysis.results
    if analysis.check.void:
        return None
    if serial == results.baseline:
        return next(
            (c.speed.ratio for c in analysis.comparisons if c.variant == variant and c.speed is not None),
            None,
        )
    rounds = results.complete_rounds()
    d = log_ratios(results.values(variant, rounds), results.values(serial, rounds))
    return judge_speed(d, float(results.head.delta), analysis.wanted).ratio if d else None


def worker_time(parallel: Recorded, serial: Recorded, scaling: Scaling, workers: int) -> WorkerTime | None:
    """Return where the time of the workers goes; None where the scopes are not in the recordings."""
    ours, theirs = scope_totals(parallel.profile), scope_totals(serial.profile)
    if not {scaling.whole, scaling.work} <= ours.keys() or scaling.whole not in theirs:
        return None
    calls, serial_calls = ours[scaling.whole].calls, theirs[scaling.whole].calls
    # A serial run may do the work without a scope of its own around it.
    needed_by = scaling.work if scaling.work in theirs else scaling.whole
    whole = _inside(parallel, scaling.whole)
    worked = _inside(parallel, scaling.work)
    needed = _inside(serial, needed_by) * (calls / serial_calls) * serial.count / parallel.count
    if not (whole > 0 and worked > 0 and needed > 0):
        return None
    available = max(workers * whole, worked)
    return WorkerTime(
        available_s=available,
        outside_s=max(parallel.wall_s - whole, 0.0),
        needed_s=min(needed, worked),
        longer_s=max(worked - needed, 0.0),
        waiting_s=available - worked,
        change=worked / needed,
    )


def _inside(recorded: Recorded, name: str) -> float:
    """Return the seconds of a step inside a scope, summed over tracks; inside itself it counts once."""
    return time_inside(recorded.profile, name, within=[name])[1] / 1e9 / recorded.count


def _row(scaled: Scaled, bar: Markup | None, has_times: bool) -> Row:
    time = scaled.time
    cells = [
        Cell(str(scaled.workers), scaled.workers),
        speed_cell(scaled.ratio),
        estimate_cell(scaled.efficiency, as_rough_share),
    ]
    if time is not None and bar is not None:
        outside = time.outside_s / (time.outside_s + time.available_s / scaled.workers)
        cells += [Cell("", chart=bar), Cell(as_rough_share(outside), outside)]
    elif has_times:
        cells += [NOTHING, NOTHING]
    also = f"; they differ in {', '.join(map(named, scaled.also))} too" if scaled.also else ""
    return Row(printable(scaled.variant), cells, f"against {printable(scaled.serial)}{also}")
