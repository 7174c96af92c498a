"""The page of several runs of one suite side by side: what each session found, and how far sessions agree.

A session's ratios are paired within its blocks and can be shown beside another's. Its absolute times cannot: the
machine's state from one day to the next is in them, so a difference between two sessions is no evidence of anything.
What sessions vary by is estimated from sessions alone, where there are enough of them on one machine.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from workbench.bench.analysis import analyse
from workbench.bench.fingerprint import changes
from workbench.bench.results import FILE, Results
from workbench.bench.statistics import median_interval
from workbench.errors import InvalidInputError, Remedy
from workbench.outputs import OutputFolder, cannot_write
from workbench.report.bench_page import PAGE, check_of
from workbench.report.bench_plots import plot_labels
from workbench.report.bench_tables import SPEED_WORDS, describe, pills_of
from workbench.report.pages import render, script
from workbench.report.runs_plots import draw_history, draw_sessions
from workbench.report.runs_sessions import (
    BETWEEN,
    CONFIDENCE,
    LEAST_SESSIONS,
    Session,
    between_sessions,
    compared,
    sound,
)
from workbench.report.tables import NOTHING, Cell, Column, Pill, Row, Table, interval, time_cell
from workbench.text import as_fine_ratio, as_rough_share, as_seconds, printable


def write_runs_page(runs: Sequence[Results], folder: str | Path) -> Path:
    """Write the page of several runs of one suite into a folder and return the file.

    Raises:
        InvalidInputError: Fewer than two runs, runs of different suites or baselines, one without a complete block,
            the folder is a run's own, or something in it that is not ours is in the way.
        WorkbenchError: The page cannot be written.
    """
    folder = Path(folder)
    if (folder / FILE).exists():
        raise InvalidInputError(
            f"{folder} is a bench run with a page of its own", remedy=Remedy.ANOTHER_FOLDER
        )
    sessions = _sessions(runs)
    path = folder / PAGE
    try:
        with OutputFolder(folder, [PAGE]) as output:
            return output.write(PAGE, _page(sessions, folder))
    except OSError as error:
        raise cannot_write(path, error) from None


def _sessions(runs: Sequence[Results]) -> list[Session]:
    if len({run.folder.resolve() for run in runs}) < max(2, len(runs)):
        raise InvalidInputError("name two or more different runs to put them side by side")
    first = runs[0]
    for run in runs[1:]:
        for what, ours, its in (
            ("suite", first.head["suite"], run.head["suite"]),
            ("baseline", first.baseline, run.baseline),
        ):
            if ours != its:
                raise InvalidInputError(
                    f"{first.folder} has the {what} {ours!r} and {run.folder} {its!r}: name runs of one {what}"
                )
    ordered = sorted(runs, key=lambda run: str(run.head["started"]))
    names = [run.folder.resolve().name for run in ordered]
    keys = [f"{name} {i}" if names.count(name) > 1 else name for i, name in enumerate(names, 1)]
    labels = plot_labels(keys)
    found = []
    for key, run in zip(keys, ordered, strict=True):
        analysis = analyse(run)
        comparisons = {c.variant: c for c in analysis.comparisons}
        found.append(Session(labels[key], _machine(run), analysis, check_of(analysis), comparisons))
    return found


def _machine(run: Results) -> str:
    fingerprint = run.head.get("fingerprint")
    machine = fingerprint.get("machine") if isinstance(fingerprint, dict) else None
    return printable(str(machine or run.head["environment"].get("machine", "unknown")))


def _page(sessions: Sequence[Session], folder: Path) -> str:
    machines: dict[str, list[Session]] = {}
    for session in sessions:
        machines.setdefault(session.machine, []).append(session)
    variants = list(dict.fromkeys(name for session in sessions for name in session.comparisons))
    first = sessions[0].analysis.results
    others = [name for name in variants if name != first.baseline]
    plots = [(printable(name), draw_sessions(i, name, machines)) for i, name in enumerate(others)]
    return render(
        "runs.html",
        title=f"Benchmark: {printable(first.head['suite'])}, {len(sessions)} sessions",
        baseline=printable(first.baseline),
        sessions=[(session, _link(session, folder)) for session in sessions],
        machines=machines,
        changed=_changed(sessions),
        least=LEAST_SESSIONS,
        most=max(len(sound(group)) for group in machines.values()),
        delta=100 * float(first.head["delta"]),
        ratios=_table("Ratios of each session", others, machines, first, _ratio_cell, _between_ratio_cell),
        times=_table("Times of each session", variants, machines, first, _time_cell, _between_time_cell),
        history=draw_history(others, machines),
        plots=[(name, plot) for name, plot in plots if plot is not None],
        script=script("tables.js"),
    )


def _link(session: Session, folder: Path) -> str:
    page = session.analysis.results.folder.resolve() / PAGE
    return quote(os.path.relpath(page, folder.resolve())) if page.is_file() else ""


def _changed(sessions: Sequence[Session]) -> list[tuple[str, list[str]]]:
    """Return for each session what is another there than in the first, beside its time."""
    first = sessions[0].analysis.results.head.get("fingerprint")
    found = []
    for session in sessions[1:]:
        its = session.analysis.results.head.get("fingerprint")
        if not (
            isinstance(first, dict) and isinstance(its, dict) and {"suite", "machine", "python"} <= its.keys()
        ):
            continue
        words = changes(first, {"packages": {}, **its})
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
) -> Table:
    columns = []
    for k, (machine, group) in enumerate(machines.items(), 1):
        over = f"machine {k}: {machine}" if len(machines) > 1 else ""
        columns += [Column(session.label, f"{session.started}, {session.machine}", over) for session in group]
        columns.append(Column(BETWEEN, "the median over sessions that are not void, with its interval", over))
    rows = []
    for name in variants:
        cells: list[Cell] = []
        for group in machines.values():
            cells += [of_session(session, name) for session in group]
            cells.append(of_machine(group, name))
        rows.append(Row(printable(name), cells, describe(first, name), name == first.baseline))
    return Table(label, "variant", columns, rows)


def _ratio_cell(session: Session, name: str) -> Cell:
    comparison = session.comparisons.get(name)
    if comparison is None:
        return NOTHING
    pills = pills_of(comparison, session.analysis.results.baseline)
    if comparison.speed is None:
        return Cell("", pills=pills)
    ratio = comparison.speed.ratio
    return Cell(as_fine_ratio(ratio.value), ratio.value, interval(ratio, as_fine_ratio), pills)


def _between_ratio_cell(group: Sequence[Session], name: str) -> Cell:
    between = between_sessions(group, name)
    if between is None:
        return _too_few(group, name)
    ratio, pills = between.ratio, [Pill(between.kind, SPEED_WORDS[between.kind])]
    return Cell(as_fine_ratio(ratio.value), ratio.value, interval(ratio, as_fine_ratio), pills)


def _time_cell(session: Session, name: str) -> Cell:
    comparison = session.comparisons.get(name)
    return time_cell(comparison.value if comparison is not None else None)


def _between_time_cell(group: Sequence[Session], name: str) -> Cell:
    times = [c.value.value for c in compared(group, name) if c.value is not None]
    if len(times) < LEAST_SESSIONS:
        return _too_few(group, name)
    found = median_interval(times, CONFIDENCE)
    spread = max(times) / min(times) - 1
    return Cell(
        as_seconds(found.value), found.value, f"{interval(found, as_seconds)}, {as_rough_share(spread)} apart"
    )


def _too_few(group: Sequence[Session], name: str) -> Cell:
    count = len(compared(group, name))
    words = f"{count} of {LEAST_SESSIONS} sessions"
    return Cell(words, math.inf, "", [Pill("inconclusive", SPEED_WORDS["inconclusive"])])
