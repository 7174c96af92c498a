"""The tables of a profile page, and what its script needs to show callers and callees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from workbench.profile import (
    NOBODY,
    Frame,
    FrameKind,
    Profile,
    SampledShare,
    ScopeRow,
    ScopeSamples,
    StackTree,
    aggregate,
    neighbours,
    scope_costs,
    scope_table,
)
from workbench.render.colours import KINDS
from workbench.report.profile.sampled import native_note
from workbench.report.tables import NOTHING, Cell, Column, Note, PageTable, Row
from workbench.text import as_amount, as_share, as_share_give_or_take, printable, shortened

MAX_ROWS = 1000
"""Rows of a table; the rest is in the files beside the page."""
MAX_NEIGHBOURS = 100
"""Callers, and callees, that are listed of one frame."""
REST = -2
"""Stands for all callers, or callees, that are not listed."""
MAX_LETTERS = 1_000_000
"""Letters of all names of a table together, beyond which long ones are cut."""


@dataclass(frozen=True)
class FrameTable:
    """A table of scopes or functions, and the data of its frames: a row's number is its frame's there."""

    noun: str
    table: PageTable
    left_out: int
    """Rows that are not there, the least important ones."""
    data: dict[str, Any]


class _ShownScope(NamedTuple):
    """What the cells of a scope's row are made of."""

    row: ScopeRow
    all_ns: int
    """The time in all scopes."""
    seen: SampledShare | None
    """None where it has no samples."""
    is_sampled: bool
    """Whether any scope has samples."""


_SCOPE_COLUMNS: Sequence[tuple[Column, Callable[[_ShownScope], Cell]]] = (
    (
        Column("total", "time inside the scope, over all threads; a scope inside itself is counted once"),
        lambda scope: _time(scope.row.total_ns),
    ),
    (Column("share", "of the time in all scopes"), lambda scope: _share(scope.row.total_ns, scope.all_ns)),
    (
        Column(
            "samples", "how often the sampler saw a thread inside the scope; inside itself it is counted once"
        ),
        lambda scope: (
            _whole(scope.seen.samples if scope.seen is not None else 0) if scope.is_sampled else NOTHING
        ),
    ),
    (
        Column("of samples", "share of all samples of threads at work, and by how much it may be off (95 %)"),
        lambda scope: (
            NOTHING if scope.seen is None else Cell(as_share_give_or_take(scope.seen), scope.seen.share)
        ),
    ),
    (Column("self", "time inside the scope and in none below it"), lambda scope: _time(scope.row.self_ns)),
    (Column("calls", "how often it was entered"), lambda scope: _whole(scope.row.calls)),
    (Column("mean", "of its calls, as are the percentiles"), lambda scope: _time(scope.row.mean_ns)),
    (Column("p50", "half of the calls took no longer"), lambda scope: _time(scope.row.p50_ns)),
    (Column("p95", "95 % of the calls took no longer"), lambda scope: _time(scope.row.p95_ns)),
    (Column("p99", "99 % of the calls took no longer"), lambda scope: _time(scope.row.p99_ns)),
    (Column("max", "the longest call"), lambda scope: _time(scope.row.max_ns)),
    (
        Column("GFLOP/s", "10⁹ operations a second, where the scope states flops"),
        lambda scope: _rate(scope.row.gflops),
    ),
    (
        Column("GB/s", "10⁹ bytes a second, where the scope states bytes"),
        lambda scope: _rate(scope.row.gbytes_per_s),
    ),
    (
        Column("recording", "what recording scopes adds to the total, as measured when it began and ended"),
        lambda scope: NOTHING if scope.row.overhead_ns is None else _time(scope.row.overhead_ns),
    ),
)
"""A column and what it says of a scope. Columns that say nothing of any scope are left out."""
_FUNCTION_COLUMNS = (
    Column("self", "time with the function on top of the stack"),
    Column("self share", "of all sampled time"),
    Column("total", "time with the function anywhere on the stack; inside itself it is counted once"),
    Column("total share", "of all sampled time"),
    Column("samples", "samples with the function on top"),
)


def scopes_table(profile: Profile, sampled: Mapping[str, ScopeSamples] | None = None) -> FrameTable:
    """Return the table of scopes, the longest total first, with what was sampled under each, if anything was."""
    sampled = sampled if sampled is not None else {}
    rows = scope_table(profile)
    tree = aggregate(profile, of="spans")
    shown = rows[:MAX_ROWS]
    scopes = [
        _ShownScope(
            row, tree.all_ns, sampled[row.name].of_all if row.name in sampled else None, bool(sampled)
        )
        for row in shown
    ]
    columns = [(column, [cell(scope) for scope in scopes]) for column, cell in _SCOPE_COLUMNS]
    columns = [(column, cells) for column, cells in columns if any(cell is not NOTHING for cell in cells)]
    notes = [_scope_notes(row, sampled.get(row.name)) for row in shown]
    number = {row.name: i for i, row in enumerate(rows)}
    group = [number.setdefault(frame.name, len(number)) for frame in profile.frames]
    names = _names(list(number))
    kinds = {frame.name: frame.kind for frame in reversed(profile.frames)}
    labels = [(name, "", int(kinds[raw])) for name, raw in zip(names, number, strict=True)]
    return FrameTable(
        "scope",
        _sorted_table(
            "scope",
            [column for column, _ in columns],
            [Row(names[i], [cells[i] for _, cells in columns], notes=notes[i]) for i in range(len(shown))],
        ),
        left_out=len(rows) - len(shown),
        data=_data(tree, group, labels, len(shown)),
    )


def functions_table(profile: Profile, recorded: Collection[str] = ()) -> FrameTable:
    """Return the table of sampled functions, those with the most time of their own first.

    Args:
        profile: The samples.
        recorded: Names of scopes that have no row, because the table of scopes has their exact times.
    """
    tree = aggregate(profile, of="samples")
    number: dict[Frame, int] = {}
    group = [number.setdefault(frame, len(number)) for frame in profile.frames]
    found = neighbours(tree, group, len(number))
    frames = list(number)
    order = sorted(range(len(frames)), key=lambda i: (-found.self_ns[i], -found.total_ns[i]))
    exact = [frame.kind is FrameKind.SCOPE and frame.name in recorded for frame in frames]
    there = [i for i in order if found.total_ns[i] > 0 and not exact[i]]
    shown = there[:MAX_ROWS]
    if len(there) > MAX_ROWS:  # of what has no self time, the outermost matter most
        half = MAX_ROWS // 2
        widest = sorted(there[half:], key=lambda i: -found.total_ns[i])[: MAX_ROWS - half]
        shown = there[:half] + sorted(widest, key=lambda i: (-found.self_ns[i], -found.total_ns[i]))
    place = {i: row for row, i in enumerate([*shown, *sorted(set(order) - set(shown))])}
    ordered = [frames[i] for i in place]
    names = _names([frame.name for frame in ordered])
    labels = [(name, _place(frame), int(frame.kind)) for name, frame in zip(names, ordered, strict=True)]
    return FrameTable(
        "function",
        _sorted_table(
            "function",
            _FUNCTION_COLUMNS,
            [
                Row(
                    labels[row][0],
                    [
                        _time(found.self_ns[i]),
                        _share(found.self_ns[i], tree.all_ns),
                        _time(found.total_ns[i]),
                        _share(found.total_ns[i], tree.all_ns),
                        _whole(found.count[i]),
                    ],
                    notes=[Note(" · ".join(filter(None, (KINDS[labels[row][2]], labels[row][1]))))],
                )
                for row, i in enumerate(shown)
            ],
        ),
        left_out=len(there) - len(shown),
        data=_data(tree, [place[i] for i in group], labels, len(shown)),
    )


def counter_rows(profiles: Iterable[Profile]) -> list[dict[str, object]]:
    """Return of each counter its name, track and how its value went; the last value is the newest."""
    rows: list[dict[str, object]] = []
    for profile in profiles:
        for track in profile.tracks:
            for counter in track.counters:
                known = counter.value[np.isfinite(counter.value)]
                if not len(counter.value):
                    continue
                last = float(counter.value[-1])
                rows.append(
                    {
                        "name": printable(counter.name),
                        "track": printable(track.name),
                        "last": last,
                        "least": float(known.min()) if len(known) else last,
                        "most": float(known.max()) if len(known) else last,
                        "count": len(counter.value),
                    }
                )
    return rows[:MAX_ROWS]


def mark_rows(profiles: Iterable[Profile]) -> list[dict[str, object]]:
    """Return of each name of marks how many there are, and when the first and the last were, in words."""
    found: dict[str, list[int]] = {}
    for profile in profiles:
        for track in profile.tracks:
            if track.marks is None:
                continue
            for name, at in zip(track.marks.name, track.marks.at_ns.tolist(), strict=True):
                since = at - profile.start_ns
                entry = found.setdefault(name, [0, since, since])
                entry[0] += 1
                entry[1:] = [min(entry[1], since), max(entry[2], since)]
    ordered = sorted(found.items(), key=lambda item: item[1][1])[:MAX_ROWS]
    return [
        {
            "name": printable(name),
            "count": count,
            "first": as_amount(first, "ns"),
            "last": as_amount(last, "ns"),
        }
        for name, (count, first, last) in ordered
    ]


def scopes_cost_ns(profile: Profile) -> float | None:
    """Return what all scopes of a profile took together; None where it states no cost."""
    costs = scope_costs(profile)
    if not costs:
        return None
    total = 0.0
    for track in profile.tracks:
        if track.spans is not None:
            propagated = 0 if track.spans.propagated is None else int(track.spans.propagated.sum())
            total += (len(track.spans) - propagated) * costs.get(track.pid, costs[None]).parent_ns
    return total


def _sorted_table(noun: str, columns: Sequence[Column], rows: Sequence[Row]) -> PageTable:
    return PageTable(f"Table of {noun}s", noun, columns, rows, sorted_by=0)


def _scope_notes(row: ScopeRow, sampled: ScopeSamples | None) -> list[Note]:
    """Return what was on top of a scope's samples, and how many of its calls had not ended."""
    native = native_note(sampled) if sampled is not None else Note("")
    unfinished = f"{row.unfinished:,} had not ended" if row.unfinished else ""
    return [note for note in (native, Note(unfinished, kind="note")) if note.text]


def _time(value: float) -> Cell:
    return Cell(as_amount(round(value), "ns"), float(value))


def _share(part: float, whole: float) -> Cell:
    share = part / whole if whole > 0 else 0.0
    return Cell(as_share(share), share)


def _whole(value: int) -> Cell:
    return Cell(f"{value:,}", float(value))


def _rate(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(f"{value:.3g}", value)


def _place(frame: Frame) -> str:
    if not frame.file:
        return ""
    return printable(f"{frame.file}:{frame.line}" if frame.line else frame.file)


def _names(names: Sequence[str]) -> list[str]:
    shown = [printable(name) for name in names]
    if sum(map(len, shown)) <= MAX_LETTERS:
        return shown
    most = max(60, MAX_LETTERS // max(len(shown), 1))
    return [shortened(name, most) for name in shown]


def _data(
    tree: StackTree, group: Sequence[int], labels: Sequence[tuple[str, str, int]], rows: int
) -> dict[str, Any]:
    """Return the frames of a table, those that have a row first, and who called each and what it called.

    Frames without a row have a name alone, and only where a row's frame called them or was called by them.
    """
    found = neighbours(tree, group, len(labels))
    place = {i: i for i in range(rows)} | {NOBODY: NOBODY}

    def split(of: dict[int, int]) -> list[list[int]]:
        largest = sorted(of.items(), key=lambda item: -item[1])
        listed = [[place.setdefault(other, len(place) - 1), took] for other, took in largest[:MAX_NEIGHBOURS]]
        rest = sum(took for _, took in largest[MAX_NEIGHBOURS:])
        return [*listed, [REST, rest]] if rest else listed

    edges = [[split(found.callers[i]), split(found.callees[i])] for i in range(rows)]
    return {
        "kinds": [KINDS[kind] for kind in FrameKind],
        "all": tree.all_ns,
        "frames": [
            [*labels[i], found.total_ns[i], found.self_ns[i], found.count[i]] for i in place if i != NOBODY
        ],
        "edges": edges,
    }
