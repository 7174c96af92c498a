"""The page of several runs of one suite side by side: what each session found, and how far sessions agree.

A session's ratios are paired within its rounds and can be shown beside another's. Its absolute times cannot: the
machine's state from one day to the next is in them, so a difference between two sessions is no evidence of anything.
What sessions vary by is estimated from sessions alone, where there are enough of them on one machine.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from workbench.bench.analysis.sessions import (
    MIN_SESSIONS,
    Session,
    between_sessions,
    check_one_suite,
    compared,
    sound,
)
from workbench.bench.analysis.verdict import SURE, SpeedVerdict
from workbench.bench.results.results import FILE, Results
from workbench.bench.run.fingerprint import changes
from workbench.bench.stats.intervals import median_interval
from workbench.errors import InvalidInputError, Remedy
from workbench.outputs import OutputFolder, cannot_write
from workbench.render.plots import IntervalScale, interval_scale
from workbench.report.bench.charts import plot_labels, speed_up_of
from workbench.report.bench.health import control_of
from workbench.report.bench.page import PAGE, moment
from workbench.report.bench.rows import pills_of
from workbench.report.pages import render, script
from workbench.report.tables import (
    NOTHING,
    Cell,
    Column,
    PageTable,
    Pill,
    Row,
    estimate_cell,
    interval,
    speed_cell,
)
from workbench.text import as_rough_share, as_seconds, as_speed, printable

BETWEEN = "between experiments"


def write_runs_page(runs: Sequence[Results], folder: str | Path) -> Path:
    """Write the page of several runs of one suite into a folder and return the file.

    Raises:
        InvalidInputError: Fewer than two runs, runs of different suites or baselines, one without a complete round,
            the folder is a run's own, or something in it that is not ours is in the way.
        WorkbenchError: The page cannot be written.
    """
    folder = Path(folder)
    if (folder / FILE).exists():
        raise InvalidInputError(
            f"{folder} is an experiment with a page of its own", remedy=Remedy.ANOTHER_FOLDER
        )
    sessions = _sessions(runs)
    path = folder / PAGE
    try:
        with OutputFolder(folder, [PAGE]) as output:
            return output.write(PAGE, _page(sessions, folder))
    except OSError as error:
        raise cannot_write(path, error) from None


def _sessions(runs: Sequence[Results]) -> list[Session]:
    if len(runs) < 2:
        raise InvalidInputError("name two or more different runs to put them side by side")
    check_one_suite(runs)
    for run in runs[1:]:
        if run.baseline != runs[0].baseline:
            raise InvalidInputError(
                f"{runs[0].folder} has the baseline {runs[0].baseline!r} and {run.folder} {run.baseline!r}: "
                "name runs of one baseline"
            )
    ordered = sorted(runs, key=lambda run: run.head.started)
    names = [run.folder.resolve().name for run in ordered]
    keys = [f"{name} {i}" if names.count(name) > 1 else name for i, name in enumerate(names, 1)]
    labels = plot_labels(keys)
    return [Session(labels[key], run) for key, run in zip(keys, ordered, strict=True)]


def _page(sessions: Sequence[Session], folder: Path) -> str:
    machines: dict[str, list[Session]] = {}
    for session in sessions:
        machines.setdefault(printable(session.machine), []).append(session)
    variants = list(dict.fromkeys(name for session in sessions for name in session.comparisons))
    first = sessions[0].results
    others = [name for name in variants if name != first.baseline]
    scale = _scale(machines, others, first.head.delta)
    return render(
        "runs.html",
        title=f"Benchmark: {printable(first.head.suite)}, {len(sessions)} experiments",
        baseline=printable(first.baseline),
        sessions=[
            (session, _facts(session), control_of(session.analysis), _link(session, folder))
            for session in sessions
        ],
        machines=machines,
        changed=_changed(sessions),
        least=MIN_SESSIONS,
        most=max(len(sound(group)) for group in machines.values()),
        delta=100 * first.head.delta,
        ratios=_table(
            "Speed in each experiment",
            others,
            machines,
            first,
            partial(_ratio_cell, scale),
            partial(_between_ratio_cell, scale),
        ),
        times=_table(
            "Times of each experiment", variants, machines, first, _estimate_cell, _between_estimate_cell
        ),
        script=script("tables.js"),
    )


def _facts(session: Session) -> tuple[str, str]:
    """Return when and where a session was measured."""
    return moment(session.results.head.started), printable(session.machine)


def _link(session: Session, folder: Path) -> str:
    page = session.results.folder.resolve() / PAGE
    return quote(os.path.relpath(page, folder.resolve())) if page.is_file() else ""


def _changed(sessions: Sequence[Session]) -> list[tuple[str, list[str]]]:
    """Return for each session what is another there than in the first, beside its time."""
    first = sessions[0].results.head.fingerprint
    found = []
    for session in sessions[1:]:
        its = session.results.head.fingerprint
        words = changes(first, its) if first.suite and its.suite else []
        if words:
            found.append((session.label, [printable(word) for word in words]))
    return found


def _table(
    label: str,
    variants: Sequence[str],
    machines: dict[str, list[Session]],
    first: Results,
    of_session: Callable[[Session, str], Cell],
    of_machine: Callable[[Sequence[Session], str], Cell],
) -> PageTable:
    columns = []
    for k, (machine, group) in enumerate(machines.items(), 1):
        over = f"machine {k}: {machine}" if len(machines) > 1 else ""
        columns += [Column(session.label, ", ".join(_facts(session)), over) for session in group]
        columns.append(
            Column(BETWEEN, "the median over experiments that are not void, with its interval", over)
        )
    rows = []
    for name in variants:
        cells: list[Cell] = []
        for group in machines.values():
            cells += [of_session(session, name) for session in group]
            cells.append(of_machine(group, name))
        rows.append(
            Row(
                printable(name),
                cells,
                printable(first.head.descriptions.get(name, "")),
                name == first.baseline,
            )
        )
    return PageTable(label, "variant", columns, rows)


def _ratio_cell(scale: IntervalScale, session: Session, name: str) -> Cell:
    comparison = session.comparisons.get(name)
    if comparison is None:
        return NOTHING
    pills = pills_of(comparison, session.results.baseline)
    if comparison.speed is None:
        return Cell("", pills=pills)
    return _speed_cell(comparison.speed, pills, scale)


def _between_ratio_cell(scale: IntervalScale, group: Sequence[Session], name: str) -> Cell:
    between = between_sessions(group, name)
    if between is None:
        return _too_few(group, name)
    return _speed_cell(between, [Pill(between.kind, between.kind)], scale)


def _estimate_cell(session: Session, name: str) -> Cell:
    comparison = session.comparisons.get(name)
    return estimate_cell(comparison.value if comparison is not None else None, as_seconds)


def _between_estimate_cell(group: Sequence[Session], name: str) -> Cell:
    times = [c.value.value for c in compared(group, name) if c.value is not None]
    if len(times) < MIN_SESSIONS:
        return _too_few(group, name)
    found = median_interval(times, SURE)
    spread = max(times) / min(times) - 1
    return Cell(
        as_seconds(found.value), found.value, f"{interval(found, as_seconds)}, {as_rough_share(spread)} apart"
    )


def _too_few(group: Sequence[Session], name: str) -> Cell:
    count = len(compared(group, name))
    words = f"{count} of {MIN_SESSIONS} experiments"
    return Cell(words, math.inf, "", [Pill("inconclusive", "inconclusive")])


def _scale(machines: dict[str, list[Session]], variants: Sequence[str], delta: float) -> IntervalScale:
    """Return the one axis on which all speeds are drawn."""
    found: list[SpeedVerdict] = []
    for group in machines.values():
        for name in variants:
            compared_in = [session.comparisons[name] for session in group if name in session.comparisons]
            found += [each.speed for each in compared_in if each.speed is not None]
            between = between_sessions(group, name)
            found += [between] if between is not None else []
    factors = [speed_up_of(each.ratio) for each in found]
    return interval_scale([(each.low, each.high) for each in factors], delta, "slower", "faster")


def _speed_cell(speed: SpeedVerdict, pills: Sequence[Pill], scale: IntervalScale) -> Cell:
    """Return a speed with its interval, drawn and in words."""
    ratio, factor = speed.ratio, speed_up_of(speed.ratio)
    words = as_speed(ratio.value, (ratio.low, ratio.high))
    chart = scale.cell(factor.value, factor.low, factor.high, speed.kind, words)
    return replace(speed_cell(ratio, pills), chart=chart)
