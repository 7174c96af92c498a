"""Parallel scaling on a benchmark's page: what more workers gain, and where the rest of their time goes."""

from __future__ import annotations

import math
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
from workbench.render.plots import stacked_bars_plot
from workbench.report.bench.plots import MAX_BARS, plot_labels
from workbench.report.bench.recordings import Recorded
from workbench.report.pages import inline_plot
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row, estimate_cell, interval
from workbench.text import as_fine_ratio, as_rough_share, as_seconds, named, printable

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
    speed_up: Estimate | None
    time: WorkerTime | None

    @property
    def efficiency(self) -> Estimate | None:
        """The speed-up by the number of workers."""
        each, n = self.speed_up, self.workers
        if each is None:
            return None
        return Estimate(each.value / n, each.low / n, each.high / n, each.confidence, each.count)


@dataclass(frozen=True)
class ScalingPart:
    """What the page says of it."""

    whole: str
    work: str
    sentences: Sequence[str]
    table: PageTable
    plot: Markup | None
    is_void: bool


def scaling_of(analysis: Analysis, found: Mapping[str, Recorded], step: str) -> ScalingPart | None:
    """Return what there is to say; None where no variant has several workers and a serial one beside it."""
    results = analysis.results
    scaling = results.head.scaling
    if scaling is None:
        return None
    scaled = [each for name in results.variants if (each := _scaled(analysis, name, scaling, found))]
    if not scaled:
        return None
    return ScalingPart(
        named(scaling.whole),
        named(scaling.work),
        [_sentence(each, scaling, step) for each in scaled],
        _table(scaled, scaling, step),
        _plot(scaled, scaling),
        analysis.check.void,
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
    return Scaled(variant, workers, serial, also, _speed_up(analysis, variant, serial), time)


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


def _speed_up(analysis: Analysis, variant: str, serial: str) -> Estimate | None:
    results = analysis.results
    if serial == results.baseline:
        ratio = next(
            (c.speed.ratio for c in analysis.comparisons if c.variant == variant and c.speed is not None),
            None,
        )
    else:
        rounds = results.complete_rounds()
        d = log_ratios(results.values(variant, rounds), results.values(serial, rounds))
        ratio = judge_speed(d, float(results.head.delta), analysis.wanted).ratio if d else None
    if ratio is None:
        return None
    value, low, high = (1 / each if each > 0 else math.inf for each in (ratio.value, ratio.high, ratio.low))
    return Estimate(value, low, high, ratio.confidence, ratio.count)


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


def _sentence(scaled: Scaled, scaling: Scaling, step: str) -> str:
    name, serial = named(scaled.variant), named(scaled.serial)
    speed_up, efficiency, time = scaled.speed_up, scaled.efficiency, scaled.time
    if speed_up is None or efficiency is None:
        text = f"{name} and {serial} never both worked in a round, so there is no speed-up"
    else:
        text = (
            f"With {scaled.workers} workers, {name} is {as_fine_ratio(speed_up.value)}× as fast as {serial} "
            f"{interval(speed_up, as_fine_ratio)}: an efficiency of {as_rough_share(efficiency.value)} "
            f"{interval(efficiency, as_rough_share)}"
        )
    if scaled.also:
        text += f" (they differ in {', '.join(map(named, scaled.also))} too)"
    if time is None:
        return f"{text}. Where the rest goes is not in the recordings."
    needed, longer, waiting = (as_rough_share(part / time.available_s) for part in time.parts)
    spent = f"{needed} of the workers’ time goes into the work itself, "
    if time.change > 1:
        spent += f"{longer} into its taking {as_fine_ratio(time.change)}× as long as in the serial run"
    else:
        spent += f"which takes {as_fine_ratio(time.change)}× as long as in the serial run"
    outside = as_rough_share(time.outside_s / (time.outside_s + time.available_s / scaled.workers))
    return (
        f"{text}. Inside {named(scaling.whole)}, {spent}, and {waiting} into waiting, sending or idling; "
        f"{outside} of a {step} is outside of it, and not shared."
    )


def _table(scaled: Sequence[Scaled], scaling: Scaling, step: str) -> PageTable:
    group = f"workers’ time inside {named(scaling.whole)}, of a {step}"
    columns = [
        Column("workers", printable(scaling.option), "measured"),
        Column(
            "speed-up", "time of the serial variant by that of this one, the median over rounds", "measured"
        ),
        Column("efficiency", "speed-up by workers", "measured"),
        Column("available", f"workers times the time inside {named(scaling.whole)}", group),
        Column("needed", f"time inside {named(scaling.work)}, as long as it takes in the serial run", group),
        Column(
            "longer", "what the work takes more than there: memory, the interpreter’s lock, the clock", group
        ),
        Column("waiting", "the rest: for work or for one another, sending and receiving, starting", group),
        Column("outside", f"of a {step}, by the clock: what is not shared", " "),
    ]
    return PageTable("Parallel scaling", "variant", columns, [_row(each) for each in scaled])


def _row(scaled: Scaled) -> Row:
    cells = [Cell(str(scaled.workers), scaled.workers)]
    efficiency, time = scaled.efficiency, scaled.time
    cells.append(estimate_cell(scaled.speed_up, lambda value: f"{as_fine_ratio(value)}×"))
    cells.append(estimate_cell(efficiency, as_rough_share))
    if time is None:
        cells += [NOTHING] * 5
    else:
        cells.append(Cell(as_seconds(time.available_s), time.available_s))
        cells += [_part(part, time.available_s) for part in time.parts]
        cells.append(_part(time.outside_s, time.outside_s + time.available_s / scaled.workers))
    return Row(printable(scaled.variant), cells, f"against {printable(scaled.serial)}")


def _part(seconds: float, whole: float) -> Cell:
    return Cell(as_seconds(seconds) if seconds else "0", seconds, as_rough_share(seconds / whole))


def _plot(scaled: Sequence[Scaled], scaling: Scaling) -> Markup | None:
    timed = [(each, each.time) for each in scaled if each.time is not None][:MAX_BARS]
    if not timed:
        return None
    labels = plot_labels(each.variant for each, _ in timed)
    whole = plot_labels([scaling.whole])[scaling.whole]
    plot = stacked_bars_plot(
        {labels[each.variant]: [part / time.available_s for part in time.parts] for each, time in timed},
        PARTS,
        title="Where the workers’ time goes",
        axis=f"share of the workers’ time inside “{whole}”",
        rest=True,
        words=as_rough_share,
        prefix="worker-times",
    )
    return inline_plot(plot)
