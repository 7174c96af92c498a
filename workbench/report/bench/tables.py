"""The tables of a benchmark's page: variants against the baseline, times to targets, and what the machine did."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.bench.analysis.analysis import Analysis, VariantComparison
from workbench.bench.analysis.targets import TargetFigures
from workbench.bench.design.suite import AA_CONTROL
from workbench.bench.results.lines import Run
from workbench.bench.results.results import Results
from workbench.report.tables import (
    NOTHING,
    Cell,
    Column,
    PageTable,
    Pill,
    Row,
    estimate_cell,
)
from workbench.text import (
    as_factor,
    as_rough_share,
    as_scientific,
    as_seconds,
    as_size,
    printable,
    rounded_up,
)

RANKS = {"baseline": 0, "faster": 1, "equivalent": 2, "inconclusive": 3, "slower": 4, "failed": 5}
"""The order of verdicts where a table is sorted by them."""
SPEED_WORDS = {
    "faster": "faster",
    "slower": "slower",
    "equivalent": "equivalent",
    "inconclusive": "inconclusive",
}
QUALITY_WORDS = {
    "same": "same error",
    "better": "smaller error",
    "worse": "larger error",
    "not worse": "error not worse",
    "inconclusive": "error inconclusive",
}


MISSING = "not there"


@dataclass(frozen=True)
class Sides:
    """What the sides of a comparison have installed, and where they differ."""

    names: Sequence[str]
    pythons: Sequence[str]
    packages: Sequence[int]
    """How many each side has."""
    rows: Sequence[tuple[str, Sequence[str]]]
    """Python and packages whose versions differ, with the version on each side."""


def pills_of(comparison: VariantComparison, baseline: str) -> list[Pill]:
    """Return what is said of a variant's speed and quality, one word each."""
    if comparison.variant == baseline:
        return [Pill("baseline", "baseline")]
    if comparison.speed is None:
        return [Pill("failed", "failed")] if comparison.failures == comparison.rounds else [_undecided()]
    kind, quality = comparison.speed.kind, comparison.quality_verdict.kind
    pills = [Pill(kind, SPEED_WORDS[kind])]
    if kind != "inconclusive" and not comparison.speed.is_firm:
        pills.append(Pill("inconclusive", "not firm"))
    if quality in QUALITY_WORDS:
        pills.append(Pill(f"error-{quality.replace(' ', '-')}", QUALITY_WORDS[quality]))
    return pills


def _undecided() -> Pill:
    return Pill("inconclusive", SPEED_WORDS["inconclusive"])


def comparison_table(analysis: Analysis) -> PageTable:
    """Return the table of the variants: verdict, ratio, time, error, and how many rounds it rests on."""
    results = analysis.results
    quality = printable(results.quality) if results.quality is not None else None
    step = " of a step" if is_stepped(results) else ""
    columns = [
        Column("verdict", "on speed, and on the error", is_text=True),
        Column("time ratio", "variant by baseline, the median over rounds; below 1 is faster"),
        Column("time", f"median over rounds{step}"),
    ]
    if quality is not None:
        columns += [
            Column(quality, "median over rounds; smaller is better"),
            Column("error ratio", "variant by baseline, the median over rounds; below 1 is a smaller error"),
        ]
    columns += [
        Column("worked", "rounds in which it worked"),
        Column("rounds needed", "about how many rounds a verdict needs, if it is inconclusive"),
    ]
    rows = [_comparison_row(c, results, quality is not None) for c in analysis.comparisons]
    return PageTable("Variants compared", "variant", columns, rows)


def _comparison_row(c: VariantComparison, results: Results, has_quality: bool) -> Row:
    is_baseline = c.variant == results.baseline
    pills = pills_of(c, results.baseline)
    ratio = c.speed.ratio if c.speed is not None else None
    change = c.quality_verdict.change
    cells = [
        Cell("", RANKS[pills[0].kind], pills=pills),
        Cell("1", 1.0) if is_baseline else estimate_cell(ratio),
        estimate_cell(c.value, as_seconds),
    ]
    if has_quality:
        cells += [
            estimate_cell(c.quality, as_scientific),
            Cell("1", 0.0) if is_baseline else estimate_cell(change, as_factor),
        ]
    cells += [
        Cell(
            f"{c.rounds - c.failures} of {c.rounds}",
            _share(c.rounds - c.failures, c.rounds),
            alarm=c.failures > 0,
        ),
        _needed_cell(c, is_baseline),
    ]
    return Row(printable(c.variant), cells, describe(results, c.variant), is_baseline)


def _needed_cell(c: VariantComparison, is_baseline: bool) -> Cell:
    """Return how many rounds would decide on speed, and on the error, where either is inconclusive."""
    if is_baseline or c.speed is None:
        return Cell("")
    quality = c.quality_verdict
    error = ""
    if quality.kind == "inconclusive" and quality.rounds_needed is not None:
        error = f"for the error about {rounded_up(quality.rounds_needed):,}"
    if c.speed.kind != "inconclusive":
        return Cell("", None, error)
    if c.speed.rounds_needed is None:
        return Cell("–" if c.speed.reason else "unknown", math.inf, error)
    return Cell(f"about {rounded_up(c.speed.rounds_needed):,}", c.speed.rounds_needed, error)


def target_table(analysis: Analysis) -> PageTable | None:
    """Return how often and how fast each variant reached each target; None where there are no targets."""
    targets = [figures.target for figures in analysis.comparisons[0].targets]
    if not targets:
        return None
    results = analysis.results
    columns: list[Column] = []
    for target in targets:
        group = f"down to {as_scientific(target)}"
        columns += [
            Column("reached", "rounds in which it got there, with the 95 % interval of the rate", group),
            Column("time", "median time to the target; a miss counts as infinite", group),
            Column("ratio", "of the times, variant by baseline, paired by round", group),
        ]
    whole = any(c.total_speed_up is not None for c in analysis.comparisons)
    if whole:
        title = (
            "time of a step times steps to the hardest target that both reach in half of the rounds, by the "
            "baseline's; below 1 is sooner"
        )
        columns.append(Column("ratio", title, "steps × their time"))
    rows = []
    for c in analysis.comparisons:
        is_baseline = c.variant == results.baseline
        cells = [cell for figures in c.targets for cell in _target_cells(figures, is_baseline)]
        if whole:
            cells.append(Cell("1", 1.0) if is_baseline else _whole_cell(c))
        rows.append(Row(printable(c.variant), cells, is_baseline=is_baseline))
    return PageTable("Times to targets", "variant", columns, rows)


def _whole_cell(c: VariantComparison) -> Cell:
    cell = estimate_cell(c.total_speed_up)
    return (
        cell
        if c.total_target is None
        else replace(cell, note=f"{cell.note}, to {as_scientific(c.total_target)}")
    )


def _target_cells(figures: TargetFigures, is_baseline: bool) -> list[Cell]:
    rate = f"[{100 * figures.hit_low:.0f}, {100 * figures.hit_high:.0f}] %"
    reached = Cell(
        f"{figures.hits} of {figures.rounds}",
        _share(figures.hits, figures.rounds),
        rate if figures.rounds else "",
    )
    return [
        reached,
        estimate_cell(figures.seconds, as_seconds),
        Cell("1", 1.0) if is_baseline and figures.hits else estimate_cell(figures.ratio),
    ]


def conditions_table(analysis: Analysis) -> PageTable:
    """Return what the machine did while each run ran, and how far the rounds can be trusted."""
    results = analysis.results
    rounds = results.complete_rounds()
    columns = [
        Column("load", "processes waiting or running when a run began: the median, and the highest"),
        Column("stolen", "share of the time that the host gave to others"),
        Column("processor", "processor time by wall time, the median: cores in use"),
        Column("switches", "involuntary context switches of a run, the median, and the highest"),
        Column("waits", "voluntary context switches of a run, the median"),
        Column("peak memory", "resident, the median, and the highest"),
        Column("failed", "rounds in which it failed"),
        Column(
            "autocorrelation", "of the ratios of neighbouring rounds; near 0 where rounds are independent"
        ),
        Column("detectable", "the smallest difference that these rounds would show 9 times in 10"),
        Column("drift", "whether the ratio changed over the experiment"),
    ]
    rows = []
    comparisons: Mapping[str, VariantComparison] = {c.variant: c for c in analysis.comparisons}
    for name in [*results.variants, AA_CONTROL]:
        runs = [run for run in results.values(name, rounds) if run is not None]
        cells = _machine_cells(runs)
        failed = len(rounds) - len(runs)
        cells.append(Cell(str(failed), failed, alarm=failed > 0))
        c = comparisons.get(name)
        cells += _trust_cells(c) if c is not None and name != results.baseline else [Cell("")] * 3
        note = "the baseline again" if name == AA_CONTROL else ""
        rows.append(Row(printable(name), cells, note, name == results.baseline))
    return PageTable("Conditions", "run", columns, rows)


def _machine_cells(runs: Sequence[Run]) -> list[Cell]:
    loads, switches = _numbers(runs, "load_1min"), _numbers(runs, "involuntary_switches")
    waits, peaks = _numbers(runs, "voluntary_switches"), _numbers(runs, "peak_rss_bytes")
    stolen, walls = _numbers(runs, "steal_s"), _numbers(runs, "wall_s")
    used = [run.cpu_s / run.wall_s for run in runs if run.cpu_s is not None and run.wall_s]
    share = sum(stolen) / sum(walls) if stolen and sum(walls) > 0 else None
    return [
        _middle(loads, "{:.2f}".format),
        NOTHING if share is None else Cell(as_rough_share(share), share),
        Cell(f"{statistics.median(used):.2f}", statistics.median(used)) if used else NOTHING,
        _middle(switches, "{:,.0f}".format),
        Cell(f"{statistics.median(waits):,.0f}", statistics.median(waits)) if waits else NOTHING,
        _middle(peaks, lambda value: as_size(round(value))),
    ]


def _trust_cells(c: VariantComparison) -> list[Cell]:
    r = c.autocorrelation
    note = ""
    if c.speed is not None and c.speed.merged > 1:
        note = f"{c.speed.merged} rounds count as one{', alike still' if c.speed.is_alike else ''}"
    return [
        NOTHING if r is None else Cell(f"{r:+.2f}".replace("-", "−"), r, note),
        NOTHING if c.detectable is None else Cell(f"±{as_rough_share(c.detectable)}", c.detectable)
        if math.isfinite(c.detectable)
        else NOTHING,
        Cell("yes" if c.drift else "no", float(c.drift), alarm=c.drift),
    ]  # fmt: skip


def _middle(values: Sequence[float], words: Callable[[float], str]) -> Cell:
    """Return a cell of the median, with the highest below where it is another."""
    if not values:
        return NOTHING
    middle, most = words(statistics.median(values)), words(max(values))
    return Cell(middle, statistics.median(values), f"at most {most}" if most != middle else "")


def _numbers(runs: Sequence[Run], name: str) -> list[float]:
    return [float(value) for run in runs if (value := getattr(run, name)) is not None]


def _share(part: int, all_of: int) -> float | None:
    return part / all_of if all_of else None


def is_stepped(results: Results) -> bool:
    """Return whether a time is that of a step of a run, and not of the run."""
    return any(run.error is None and run.steps_s for run in results.runs)


def describe(results: Results, variant: str) -> str:
    """Return the suite's line on a variant."""
    return printable(results.head.descriptions.get(variant, ""))


def sides_of(results: Results) -> Sides | None:
    """Return what a comparison's sides have installed; None where the run is no comparison."""
    sides = results.head.sides
    if len(sides) < 2:
        return None
    pythons = [printable(side.python) for side in sides.values()]
    packages = [
        {name: printable(version) for name, version in side.packages.items()} for side in sides.values()
    ]
    names = sorted({name for each in packages for name in each}, key=lambda name: (name.lower(), name))
    versions = [("Python", pythons)]
    versions += [(printable(name), [each.get(name, MISSING) for each in packages]) for name in names]
    rows = [(name, found) for name, found in versions if len(set(found)) > 1]
    return Sides([printable(name) for name in sides], pythons, [len(each) for each in packages], rows)
