"""The page of stored experiments with one suite: each variant's time and quality over them, and where they changed.

A session's ratios are paired within its rounds and can be shown beside another's. Its absolute times cannot: the
machine's state from one day to the next is in them, so a difference between two sessions is no evidence of anything.
What sessions vary by is estimated from sessions alone, where there are enough of them on one machine, and a change is
said only where it is a verdict on them (`analysis.changes`). Two machines never share a chart.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from workbench.bench.analysis.analysis import VariantComparison
from workbench.bench.analysis.changes import changes_of
from workbench.bench.analysis.sessions import (
    MIN_SESSIONS,
    Session,
    between_sessions,
    check_one_suite,
    sound,
)
from workbench.bench.analysis.verdict import EQUIVALENT, SURE
from workbench.bench.compare.gate import FINE, INCONCLUSIVE, REGRESSION, PairVerdict, recorded_verdict
from workbench.bench.results.results import FILE, Results
from workbench.bench.run.fingerprint import changes
from workbench.bench.stats.intervals import Estimate, median_interval
from workbench.errors import InvalidInputError, Remedy
from workbench.outputs import OutputFolder, cannot_write
from workbench.render.plots import TimeMark, TimePoint, over_time_chart
from workbench.report.bench.charts import plot_labels
from workbench.report.bench.health import BAD, control_of
from workbench.report.bench.page import PAGE, moment
from workbench.report.bench.rows import pills_of
from workbench.report.pages import render, script
from workbench.report.tables import NOTHING, Cell, Column, Note, PageTable, Pill, Row, with_interval
from workbench.text import (
    Ends,
    as_error,
    as_rough_share,
    as_scientific,
    as_seconds,
    as_speed,
    plural,
    printable,
)

GATE_KINDS = {FINE: "equivalent", REGRESSION: "slower", INCONCLUSIVE: "inconclusive"}
"""The sign of each verdict on a revision."""
MAX_WORDS = 3
"""Of what else changed from an experiment to the next."""


class JudgedSession(Session):
    """One experiment among several, with its verdicts."""

    @cached_property
    def gates(self) -> dict[str, PairVerdict] | None:
        """Of a comparison of revisions: by the name of each new side its verdict."""
        verdict, pairs = recorded_verdict(self.results), self.results.head.pairs
        return None if verdict is None else {pairs[pair.variant][1]: pair for pair in verdict.pairs}

    def pills(self, c: VariantComparison) -> list[Pill]:
        """Return the verdicts on a variant; on the new side of a revision that of its gate."""
        if self.gates is None:
            return pills_of(c, self.results.baseline)
        if c.variant not in self.gates:
            return [Pill("baseline", "base")]
        verdict = self.gates[c.variant].verdict
        return [Pill(GATE_KINDS[verdict], verdict)]

    def kind(self, c: VariantComparison, *, is_time: bool) -> str:
        """Return the verdict on a variant's time or quality alone: a class of `plots.css`."""
        if self.gates is not None:
            pair = self.gates.get(c.variant)
            finding = pair and (pair.speed if is_time else pair.quality)
            return GATE_KINDS[finding.verdict] if finding is not None else "baseline"
        if c.variant == self.results.baseline:
            return "baseline"
        if not is_time:
            return f"error-{c.quality_verdict.kind.replace(' ', '-')}"
        return c.speed.kind if c.speed is not None else "inconclusive"


@dataclass(frozen=True)
class Measure:
    """What is shown over time: a time, or a figure of quality."""

    of: Callable[[VariantComparison], Estimate | None]
    words: Callable[[float], str]
    """Of one value."""
    ratio_words: Callable[[float, Ends | None], str]
    is_time: bool


TIME = Measure(lambda c: c.value, as_seconds, as_speed, is_time=True)
QUALITY = Measure(
    lambda c: c.quality if c.quality is not None and c.quality.low > 0 else None,
    as_scientific,
    lambda ratio, ends: as_error(math.log10(ratio), ends and (math.log10(ends[0]), math.log10(ends[1]))),
    is_time=False,
)


@dataclass(frozen=True)
class VariantSeries:
    """A variant's time or quality on one machine."""

    name: str
    summary: str
    chart: Markup
    changes: Sequence[str]
    """Each in words."""


def write_runs_page(
    runs: Sequence[Results],
    folder: str | Path,
    *,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Path:
    """Write the page of the experiments of one suite into a folder and return the file.

    Args:
        runs: The experiments, one or more, in any order.
        folder: Where to.
        progress: Is called with how many are analysed, of how many.

    Raises:
        InvalidInputError: Experiments of different suites or baselines, one without a complete round, the folder is
            an experiment's own, or something in it that is not ours is in the way.
        WorkbenchError: The page cannot be written.
    """
    folder = Path(folder)
    if (folder / FILE).exists():
        raise InvalidInputError(
            f"{folder} is an experiment with a page of its own", remedy=Remedy.ANOTHER_FOLDER
        )
    sessions = _sessions(runs)
    for done, session in enumerate(sessions):
        progress(done, len(sessions))
        _ = session.analysis  # which takes the time, and is kept
    path = folder / PAGE
    try:
        with OutputFolder(folder, [PAGE]) as output:
            return output.write(PAGE, _page(sessions, folder))
    except OSError as error:
        raise cannot_write(path, error) from None


def _sessions(runs: Sequence[Results]) -> list[JudgedSession]:
    check_one_suite(runs)
    ordered = sorted(runs, key=lambda run: run.head.started)
    names = [run.folder.resolve().name for run in ordered]
    keys = [f"{name} {i}" if names.count(name) > 1 else name for i, name in enumerate(names, 1)]
    labels = plot_labels(keys)
    sessions = [JudgedSession(labels[key], run) for key, run in zip(keys, ordered, strict=True)]
    first = sessions[0]
    for session in sessions[1:]:
        if session.baseline != first.baseline:
            raise InvalidInputError(
                f"{first.results.folder} has the baseline {first.baseline!r} and {session.results.folder} "
                f"{session.baseline!r}: name experiments with one baseline"
            )
    return sessions


def _page(sessions: Sequence[JudgedSession], folder: Path) -> str:
    machines: dict[str, list[JudgedSession]] = {}
    for session in sessions:
        machines.setdefault(printable(session.machine), []).append(session)
    variants = list(dict.fromkeys(name for session in sessions for name in session.comparisons))
    head = sessions[-1].results.head
    measures = ((TIME, head.delta), (QUALITY, 10**head.margin - 1))
    series = {
        machine: [
            [each for name in variants if (each := _series(group, name, measure, band)) is not None]
            for measure, band in measures
        ]
        for machine, group in machines.items()
    }
    found = [
        (machine if len(machines) > 1 else "", each.name, words)
        for machine, both in series.items()
        for of_measure in both
        for each in of_measure
        for words in each.changes
    ]
    return render(
        "runs.html",
        title=f"Benchmark: {printable(head.suite)}, {len(sessions)} {plural(len(sessions), 'experiment')}",
        baseline=printable(sessions[0].baseline),
        series=series,
        has_quality=any(both[1] for both in series.values()),
        quality=printable(sessions[-1].results.quality or ""),
        found=found,
        least=2 * MIN_SESSIONS,
        most=max(len(sound(group)) for group in machines.values()),
        delta=100 * head.delta,
        table=_table(sessions, variants, machines, folder),
        script=script("tables.js"),
    )


def _series(group: Sequence[JudgedSession], name: str, measure: Measure, band: float) -> VariantSeries | None:
    """Return a variant on one machine; None where it has no such figure there."""
    estimates = [
        measure.of(session.comparisons[name]) if name in session.comparisons else None for session in group
    ]
    known = [
        (i, each.value)
        for i, (session, each) in enumerate(zip(group, estimates, strict=True))
        if each is not None and not session.analysis.check.void
    ]
    if not any(estimates):
        return None
    points = [
        None if each is None else _point(session, session.comparisons[name], each, measure)
        for session, each in zip(group, estimates, strict=True)
    ]
    marks, said = [], []
    for change in changes_of([value for _, value in known], band):
        index, ratio = known[change.index][0], change.ratio
        words = measure.ratio_words(ratio.value, ratio.ends)
        worse = ratio.value > 1
        marks.append(TimeMark(index, "slower" if worse else "faster", words.partition(" [")[0]))
        said.append(f"{words} since {moment(group[index].results.head.started)}")
    ends = (_day(group[0]), _day(group[-1]))
    summary = _summary(group, name, [value for _, value in known], measure)
    label = ", ".join([f"{printable(name)} in {len(group)} experiments", *said])
    chart = over_time_chart(points, marks, ends, label, is_time=measure.is_time)
    return VariantSeries(printable(name), summary, chart, said)


def _point(session: JudgedSession, c: VariantComparison, estimate: Estimate, measure: Measure) -> TimePoint:
    kind = session.kind(c, is_time=measure.is_time)
    words = with_interval(estimate, measure.words)
    verdicts = ", ".join(pill.text for pill in session.pills(c))
    when = f"{session.label}, {moment(session.results.head.started)}"
    return TimePoint(estimate.value, estimate.low, estimate.high, kind, f"{when}: {words}, {verdicts}")


def _summary(group: Sequence[JudgedSession], name: str, values: Sequence[float], measure: Measure) -> str:
    """Return what the sound experiments say together, each as one value."""
    if len(values) < MIN_SESSIONS:
        return f"{len(values)} of {MIN_SESSIONS} experiments for an interval"
    found = median_interval(values, SURE)
    spread = as_rough_share(max(values) / min(values) - 1)
    words = f"median {with_interval(found, measure.words)}, {spread} apart"
    between = between_sessions(group, name) if measure.is_time else None
    if between is not None:
        ratio = between.ratio
        words += f"; {as_speed(ratio.value, ratio.ends)}"
        words += f", {between.kind}" if between.kind in (EQUIVALENT, INCONCLUSIVE) else ""
    return words


def _day(session: JudgedSession) -> str:
    return moment(session.results.head.started).partition(" ")[0]


def _table(
    sessions: Sequence[JudgedSession],
    variants: Sequence[str],
    machines: dict[str, list[JudgedSession]],
    folder: Path,
) -> PageTable:
    """Return the table of all experiments, the newest first."""
    columns = [
        Column("began"),
        *(Column(printable(name), "its time, and its speed against the baseline") for name in variants),
        Column("rounds"),
        Column("A/A control", "the baseline against itself"),
        Column("machine", is_text=True),
    ]
    rows = [
        _row(session, variants, list(machines), _notes(session, machines), folder)
        for session in reversed(sessions)
    ]
    return PageTable("Experiments", "experiment", columns, rows)


def _row(
    session: JudgedSession,
    variants: Sequence[str],
    machines: Sequence[str],
    notes: Sequence[Note],
    folder: Path,
) -> Row:
    control, machine = control_of(session.analysis), printable(session.machine)
    number = f"{machines.index(machine) + 1}: " if len(machines) > 1 else ""
    cells = [
        Cell(moment(session.results.head.started), _timestamp(session)),
        *(_cell(session, name) for name in variants),
        Cell(str(session.analysis.rounds), session.analysis.rounds),
        Cell(control.found, None, control.detail, alarm=control.kind == BAD),
        Cell(f"{number}{machine}"),
    ]
    page = session.results.folder.resolve() / PAGE
    link = quote(os.path.relpath(page, folder.resolve())) if page.is_file() else ""
    return Row(session.label, cells, notes=notes, link=link)


def _timestamp(session: JudgedSession) -> float | None:
    try:
        return datetime.fromisoformat(session.results.head.started).timestamp()
    except (ValueError, OverflowError):
        return None


def _notes(session: JudgedSession, machines: dict[str, list[JudgedSession]]) -> list[Note]:
    """Return what an experiment measured, where that is a revision, and what else changed since the one before."""
    head, group = session.results.head, machines[printable(session.machine)]
    side = list(head.sides)[-1] if head.pairs and head.sides else ""
    notes = (
        [Note(printable(": ".join(filter(None, (side, head.descriptions.get(side, ""))))))] if side else []
    )
    at = group.index(session)
    if at and head.fingerprint.suite and group[at - 1].results.head.fingerprint.suite:
        words = changes(group[at - 1].results.head.fingerprint, head.fingerprint)
        if words:
            more = f" and {len(words) - MAX_WORDS} more" if len(words) > MAX_WORDS else ""
            said = printable("; ".join(words[:MAX_WORDS]) + more)
            notes.append(
                Note(said, "what else differs from the experiment before it on this machine", "warning")
            )
    return notes


def _cell(session: JudgedSession, name: str) -> Cell:
    comparison = session.comparisons.get(name)
    if comparison is None:
        return NOTHING
    pills = session.pills(comparison)
    if comparison.value is None:
        return Cell("", pills=pills)
    speed = comparison.speed
    words = "" if speed is None else as_speed(speed.ratio.value, speed.ratio.ends)
    return Cell(as_seconds(comparison.value.value), comparison.value.value, words, pills)
