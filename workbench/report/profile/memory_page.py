"""What a memory run's page shows beside flame graphs and tables: bars of its scopes, its lines, and what leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from workbench.profile import Allocations, LineBytes, Profile, ScopeBytes, outermost
from workbench.render.plots import repetitions_chart
from workbench.report.profile.line_rows import NAME, source_text
from workbench.report.profile.memory import (
    NOT_SEEN,
    SCOPE_HEADS,
    SHARED_WORDS,
    as_per_call,
    headline,
    leak_sentences,
    place,
    scope_cells,
)
from workbench.report.profile.run import ProfileRun
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row
from workbench.scopes.layout import MEMORY_ENTRY, MEMORY_LEFT
from workbench.text import as_size, printable, shortened

MAX_ROWS, MAX_LINES, MAX_LEAKS = 12, 6, 12
MIN_SHARE = 0.01
"""Of the largest peak of a scope, or of all bytes: scopes and lines with less are left out."""
TIMES = (
    "Times are those of a run under tracemalloc, which makes programs slower: they are not the program's own."
)


@dataclass(frozen=True)
class MemoryBar:
    """A scope, as text, and its peak in per cent of the largest."""

    name: str
    bar: float
    cells: Sequence[str]


@dataclass(frozen=True)
class MemoryLine:
    """A line, as text."""

    place: str
    source: str
    at_peak: str
    at_end: str
    blocks: str
    """At the end."""


@dataclass(frozen=True)
class LeakView:
    """A scope whose repetitions leave bytes behind that stay."""

    name: str
    figures: Sequence[tuple[str, str]]
    chart: Markup | None
    note: str
    lines: Sequence[MemoryLine]


@dataclass(frozen=True)
class MemoryView:
    """What is on the page of what was allocated."""

    answer: str
    sentences: Sequence[str]
    notes: Sequence[str]
    heads: Sequence[str]
    bars: Sequence[MemoryBar]
    lines: Sequence[MemoryLine]
    leaks: Sequence[LeakView]
    repeated: PageTable | None
    """Scopes that were repeated often enough for an estimate; None: there are none."""


def memory_view(run: ProfileRun, found: Allocations) -> MemoryView:
    """Return what the page says of a run's memory beside its flame graphs and tables."""
    bars = _bars(found)
    shared = [SHARED_WORDS] if any(row.shared_calls for row in found.scopes) else []
    return MemoryView(
        headline(found),
        leak_sentences(found),
        [*shared, TIMES, NOT_SEEN],
        SCOPE_HEADS,
        bars,
        _heavy_lines(run, found),
        [_leak(run, row) for row in found.leaks[:MAX_LEAKS]],
        _repeated(found),
    )


def _bars(found: Allocations) -> list[MemoryBar]:
    """Return the scopes with the largest peaks, and those that leak."""
    largest = max((row.peak_bytes for row in found.scopes), default=0)
    leaks = {row.name for row in found.leaks}
    chosen = [row for row in found.scopes if row.peak_bytes >= MIN_SHARE * largest or row.name in leaks]
    chosen = sorted(chosen, key=lambda row: row.name not in leaks)[:MAX_ROWS]
    return [
        MemoryBar(
            _cut(row.name), round(100 * row.peak_bytes / largest, 1) if largest else 0.0, scope_cells(row)
        )
        for row in sorted(chosen, key=lambda row: -row.peak_bytes)
    ]


def _heavy_lines(run: ProfileRun, found: Allocations) -> list[MemoryLine]:
    """Return the lines with the most bytes at the peak, or at the end."""

    def most(line: LineBytes) -> int:
        return max(line.peak_bytes, line.end_bytes)

    whole = max(sum(line.peak_bytes for line in found.lines), sum(line.end_bytes for line in found.lines))
    heavy = sorted(
        (line for line in found.lines if most(line) >= MIN_SHARE * whole > 0), key=lambda line: -most(line)
    )
    return [_line(run, line) for line in heavy[:MAX_LINES]]


def _line(run: ProfileRun, line: LineBytes) -> MemoryLine:
    return MemoryLine(
        place(line),
        source_text(run, line.file, line.line),
        as_size(line.peak_bytes),
        as_size(line.end_bytes),
        f"{line.end_blocks:,}",
    )


def _leak(run: ProfileRun, row: ScopeBytes) -> LeakView:
    assert row.leak is not None
    per_call, is_left = row.leak.per_call, row.leak.per_call == row.leak.left
    values = _repetitions(run.scopes, row.name, left=is_left)
    label = f"What each call of {printable(row.name)} left behind, in bytes: {as_per_call(per_call)} in the later half"
    chart = None
    if len(values):
        chart = repetitions_chart(values.tolist(), row.leak.calls, (per_call.low, per_call.high), label)
    kept = "–" if row.held_bytes is None else f"{as_size(row.held_bytes)} in {row.held_blocks:,} blocks"
    before = "its entry" if is_left else "the exit of the call before"
    note = f"Traced memory at the exit of each call less that at {before}; the band is the 95 % interval of the mean."
    if row.shared_calls:
        note += " Calls beside scopes of other threads are in the chart, and not in the mean."
    return LeakView(
        _cut(row.name),
        [
            ("each call leaves", as_per_call(per_call)),
            ("calls", f"{row.calls:,}, of which the last {row.leak.calls:,} count"),
            ("held at the end", kept),
        ],
        chart,
        note,
        [_line(run, line) for line in row.lines if line.end_bytes],
    )


def _repetitions(profile: Profile | None, scope: str, *, left: bool) -> NDArray[np.float64]:
    """Return what each call of a scope left, or by how much memory grew since the one before; in order of time."""
    by_process: dict[int, list[NDArray[np.float64]]] = {}
    if profile is None:
        return np.zeros(0)
    names = [profile.frames[frame].name for frame in profile.stacks.frame.tolist()]
    wanted = np.array(outermost(profile.stacks, names), dtype=np.bool_) & (np.array(names) == scope)
    for track in profile.tracks:
        spans = track.spans
        if spans is None or MEMORY_LEFT not in spans.work:
            continue
        columns = [spans.work[MEMORY_ENTRY], spans.work[MEMORY_LEFT]]
        rows = wanted[spans.stack] & np.isfinite(columns[0]) & np.isfinite(columns[1])
        calls = np.array([spans.end_ns[rows], *(column[rows] for column in columns)])
        by_process.setdefault(track.pid, []).append(calls)
    found = [np.zeros(0)]
    for parts in by_process.values():
        calls = np.concatenate(parts, axis=1)
        _, entry, own = calls[:, np.argsort(calls[0], kind="stable")]
        found.append(own if left else np.diff(entry + own))
    return np.concatenate(found)


_REPEATED = (
    Column("calls", "of the scope"),
    Column(
        "net per call",
        "traced memory at a call's exit less that at its entry, of the later half of the calls",
    ),
    Column(
        "growth per call",
        "traced memory at a call's exit less that at the exit of the call before, of that half",
    ),
    Column("held at end", "made in it, by source lines, and alive at the last snapshot"),
    Column("", is_text=True),
)


def _repeated(found: Allocations) -> PageTable | None:
    rows = []
    for row in found.scopes:
        if row.leak is None:
            continue
        left, growth = row.leak.left, row.leak.growth
        held = NOTHING if row.held_bytes is None else Cell(as_size(row.held_bytes), row.held_bytes)
        cells = [
            Cell(f"{row.calls:,}", row.calls),
            Cell(as_per_call(left), left.mean),
            Cell(as_per_call(growth), growth.mean),
            held,
            Cell("leaks" if row.leak.is_leak else "", alarm=row.leak.is_leak),
        ]
        rows.append(Row(_cut(row.name), cells))
    return PageTable("Scopes with repetitions", "scope", _REPEATED, rows) if rows else None


def _cut(name: str) -> str:
    return shortened(printable(name), NAME)
