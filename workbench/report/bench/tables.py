"""The tables of a benchmark's page: variants against the baseline, times to targets, and what the machine did."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    Row,
    estimate_cell,
    speed_cell,
)
from workbench.text import (
    as_rough_share,
    as_scientific,
    as_seconds,
    printable,
)

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
            Column("speed", "by the times to the target, paired by round", group),
        ]
    rows = []
    for c in analysis.comparisons:
        is_baseline = c.variant == results.baseline
        cells = [cell for figures in c.targets for cell in _target_cells(figures, is_baseline)]
        rows.append(Row(printable(c.variant), cells, is_baseline=is_baseline))
    return PageTable("Times to targets", "variant", columns, rows)


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
        Cell("baseline") if is_baseline else speed_cell(figures.ratio),
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
    waits = _numbers(runs, "voluntary_switches")
    stolen, walls = _numbers(runs, "steal_s"), _numbers(runs, "wall_s")
    used = [run.cpu_s / run.wall_s for run in runs if run.cpu_s is not None and run.wall_s]
    share = sum(stolen) / sum(walls) if stolen and sum(walls) > 0 else None
    return [
        _middle(loads, "{:.2f}".format),
        NOTHING if share is None else Cell(as_rough_share(share), share),
        Cell(f"{statistics.median(used):.2f}", statistics.median(used)) if used else NOTHING,
        _middle(switches, "{:,.0f}".format),
        Cell(f"{statistics.median(waits):,.0f}", statistics.median(waits)) if waits else NOTHING,
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
