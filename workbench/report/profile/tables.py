"""The tables of a profile page, and what its script needs to show callers and callees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile import (
    BYTES,
    NOBODY,
    ROOT,
    Frame,
    FrameKind,
    Neighbours,
    Profile,
    SampleCounts,
    SampledShare,
    ScopeBytes,
    ScopeResources,
    ScopeRow,
    ScopeSamples,
    aggregate,
    neighbours,
    scope_costs,
    scope_table,
    with_functions_on_top,
)
from workbench.render.colours import KINDS
from workbench.report.profile.memory import memory_figures
from workbench.report.profile.sampled import native_note
from workbench.report.tables import NOTHING, Cell, Column, Note, PageTable, Row
from workbench.text import (
    as_digits,
    as_digits_give_or_take,
    as_off,
    as_share_give_or_take,
    printable,
    shortened,
)

MAX_ROWS = 1000
"""Rows of a table; the rest is in the files beside the page."""
MAX_NEIGHBOURS = 100
"""Callers, and callees, that are listed of one frame."""
REST = -2
"""Stands for all callers, or callees, that are not listed."""
MAX_LETTERS = 1_000_000
"""Letters of all names of a table together, beyond which long ones are cut."""
MAX_INTERVALS = 126
"""Functions, those with the most self time, whose shares have intervals: each takes a pass over all samples."""
BITS = 63
NAMES, COLUMN, ESTIMATE, LETTER = 200, 78, 110, 11
"""Pixels of the column of names, of any other at least, of times with an interval, and of a letter of a head."""
_ESTIMATES = ("cpu", "lock", "system")
"""Keys of the columns of times with an interval."""
MIN_CALLS = {50: 2, 95: 20, 99: 100}
"""Calls of which a percentile is known: of fewer it is the longest."""


@dataclass(frozen=True)
class FrameTable:
    """A table of scopes or functions, and the data of its frames: a row's number is its frame's there."""

    noun: str
    table: PageTable
    left_out: int
    """Rows that are not there, the least important ones."""
    data: dict[str, Any]


class ScopeCosts(NamedTuple):
    """What a scope cost beside time, as the page's script has it; None where that is not known."""

    cpu: tuple[int, int] | None
    """Nanoseconds on a processor, and what they may be off by."""
    lock: tuple[int, int] | None
    """The same of waiting for the interpreter's lock; None, too, where it may as well be none."""
    system: tuple[int, int] | None
    """The same of waiting in the system."""
    resident: int | None
    """Bytes."""


_NO_COSTS = ScopeCosts(None, None, None, None)


class _ShownScope(NamedTuple):
    """What the cells of a scope's row are made of."""

    row: ScopeRow
    all_ns: int
    """The time in all scopes."""
    seen: SampledShare | None
    """None where it has no samples."""
    costs: ScopeCosts
    memory: ScopeBytes | None = None
    """None where its memory was not traced."""


def _percentile(share: int, value: Callable[[ScopeRow], int]) -> Callable[[_ShownScope], Cell]:
    return lambda scope: _time(value(scope.row)) if scope.row.calls >= MIN_CALLS[share] else NOTHING


_P50, _P95, _P99 = (
    _percentile(50, lambda row: row.p50_ns),
    _percentile(95, lambda row: row.p95_ns),
    _percentile(99, lambda row: row.p99_ns),
)
_WALL = Column("wall", "how long any thread was inside the scope, or worked for it", key="wall", rank=1)
_WORKERS = Column(
    "CPU × workers",
    "time inside the scope, summed up over the threads and workers that were in it at once; waiting counts",
    key="total",
)


def _memory(value: Callable[[ScopeBytes], float | None]) -> Callable[[_ShownScope], Cell]:
    def cell(scope: _ShownScope) -> Cell:
        amount = None if scope.memory is None else value(scope.memory)
        return NOTHING if amount is None else _amount(amount, BYTES)

    return cell


_SCOPE_COLUMNS: Sequence[tuple[Column, Callable[[_ShownScope], Cell]]] = (
    (
        Column(
            "peak",
            "the largest traced memory of the process while it was open, above that at its entry",
            key="peak",
        ),
        _memory(lambda memory: memory.peak_bytes),
    ),
    (
        Column(
            "net",
            "traced memory of the process at its exits less that at its entries, summed up",
            key="net",
        ),
        _memory(lambda memory: memory.net_bytes),
    ),
    (
        Column("net per call", "the same by call; it may be freed later", rank=1),
        _memory(lambda memory: memory.net_per_call),
    ),
    (
        Column("held at end", "made in it, by source lines, and alive at the last snapshot", rank=1),
        _memory(lambda memory: memory.held_bytes),
    ),
    (
        Column(
            "total", "time inside the scope, over all threads; inside itself it is counted once", key="total"
        ),
        lambda scope: _time(scope.row.total_ns),
    ),
    (
        Column("share %", "of the time in all scopes", key="share", rank=2),
        lambda scope: _share(scope.row.total_ns, scope.all_ns),
    ),
    (
        Column("self", "time inside the scope and in none below it", key="self"),
        lambda scope: _time(scope.row.self_ns),
    ),
    (Column("calls", "how often it was entered", key="count"), lambda scope: _whole(scope.row.calls)),
    (
        Column("of samples %", "share of all samples of threads at work, and its 95 % interval", rank=5),
        lambda scope: NOTHING if scope.seen is None else _sampled(scope.seen),
    ),
    (
        Column("CPU time", "how long its threads were on a processor, by their clocks", key="cpu", rank=3),
        lambda scope: _estimate(scope.costs.cpu),
    ),
    (
        Column("lock wait", "how long they waited for the interpreter's lock (GIL)", key="lock", rank=4),
        lambda scope: _estimate(scope.costs.lock),
    ),
    (
        Column("waiting", "how long they waited in the system", key="system", rank=10),
        lambda scope: _estimate(scope.costs.system),
    ),
    (
        Column(
            "resident", "the largest resident set that was read while it was open", key="resident", rank=9
        ),
        lambda scope: NOTHING if scope.costs.resident is None else _amount(scope.costs.resident, "bytes"),
    ),
    (
        Column("mean", "of its calls, as are the percentiles", rank=6),
        lambda scope: _time(scope.row.mean_ns),
    ),
    (Column("p50", "half of the calls took no longer", rank=12), _P50),
    (
        Column("p95", "95 % of the calls took no longer; of 20 calls or more", rank=11),
        _P95,
    ),
    (
        Column("p99", "99 % of the calls took no longer; of 100 calls or more", rank=14),
        _P99,
    ),
    (Column("max", "the longest call", rank=13), lambda scope: _time(scope.row.max_ns)),
    (
        Column("GFLOP/s", "10⁹ operations a second, where the scope states flops", rank=7),
        lambda scope: _rate(scope.row.gflops),
    ),
    (
        Column("GB/s", "10⁹ bytes a second, where the scope states bytes", rank=8),
        lambda scope: _rate(scope.row.gbytes_per_s),
    ),
    (
        Column("recording", "what recording adds to the total, as measured at its begin and end", rank=15),
        lambda scope: NOTHING if scope.row.overhead_ns is None else _time(scope.row.overhead_ns),
    ),
)
"""A column and what it says of a scope. Columns that say nothing of any scope are left out."""
_BYTES_COLUMNS = (
    Column("self %", "share of all bytes, of those that it made itself", key="self_share"),
    Column("total %", "share of all bytes, with those of functions that it called", key="share"),
    Column("self", "bytes that it made itself", key="self", rank=2),
    Column("total", "bytes, with those of functions that it called", key="total", rank=3),
    Column("blocks", "blocks of memory that it made itself", key="count", rank=1),
)
_FUNCTION_COLUMNS = (
    Column(
        "self %", "share of all samples with the function on top, and its 95 % interval", key="self_share"
    ),
    Column(
        "total %",
        "share of all samples with the function anywhere on the stack, and its 95 % interval; inside itself it is "
        "counted once",
        key="share",
    ),
    Column("self ≈", "the time that its samples on top stand for", key="self", rank=2),
    Column("total ≈", "the time that its samples stand for", key="total", rank=3),
    Column("samples", "samples with the function on top", key="count", rank=1),
)


def scopes_table(
    profile: Profile,
    sampled: Mapping[str, ScopeSamples] | None = None,
    memory: Mapping[str, ScopeBytes] | None = None,
    resources: Mapping[str, ScopeResources] | None = None,
) -> FrameTable:
    """Return the table of scopes, the longest total first, or the largest peak where memory was traced.

    Args:
        profile: Its spans.
        sampled: What was sampled under each, by name, if anything was.
        memory: What each allocated, by name, in a run whose memory was traced.
        resources: What each cost beside time, by name, as far as it is known.
    """
    sampled = sampled if sampled is not None else {}
    memory = memory if memory is not None else {}
    resources = resources if resources is not None else {}
    rows = scope_table(profile)
    if memory:
        rows = sorted(rows, key=lambda row: -memory[row.name].peak_bytes if row.name in memory else 1)
    tree = aggregate(profile, of="spans")
    shown = rows[:MAX_ROWS]
    seen = [sampled[row.name].of_all if row.name in sampled else None for row in shown]
    costs = [_costs(resources.get(row.name)) for row in shown]
    scopes = [
        _ShownScope(row, tree.all_ns, part, cost, memory.get(row.name))
        for row, part, cost in zip(shown, seen, costs, strict=True)
    ]
    columns = [(column, [cell(scope) for scope in scopes]) for column, cell in _SCOPE_COLUMNS]
    if any(row.wall_ns != row.total_ns for row in shown):
        at = next(i for i, (column, _) in enumerate(columns) if column.key == "total")
        columns[at] = (_WORKERS, columns[at][1])
        columns.insert(at, (_WALL, [_time(row.wall_ns) for row in shown]))
    columns = [(column, cells) for column, cells in columns if any(cell is not NOTHING for cell in cells)]
    notes = [_scope_notes(row, sampled.get(row.name)) for row in shown]
    number = {row.name: i for i, row in enumerate(rows)}
    group = [number.setdefault(frame.name, len(number)) for frame in profile.frames]
    names = _names(list(number))
    kinds = {frame.name: frame.kind for frame in reversed(profile.frames)}
    labels = [(name, "", int(kinds[raw])) for name, raw in zip(names, number, strict=True)]
    data = _data(tree.all_ns, neighbours(tree, group, len(number)), labels, range(len(shown)))
    calls = [[row.wall_ns, *(cell.value for cell in _of_calls(row))] for row in shown]
    return FrameTable(
        "scope",
        _sorted_table(
            "scope",
            [column for column, _ in columns],
            [Row(names[i], [cells[i] for _, cells in columns], notes=notes[i]) for i in range(len(shown))],
            by="peak" if memory else "total",
        ),
        left_out=len(rows) - len(shown),
        data={
            **data,
            "calls": calls,
            "seen": [None if part is None else _seen(part) for part in seen],
            "memory": [memory_figures(memory[row.name]) if row.name in memory else [] for row in shown],
            "costs": [each._asdict() for each in costs],
        },
    )


def _costs(resources: ScopeResources | None) -> ScopeCosts:
    if resources is None:
        return _NO_COSTS

    def estimate(seconds: float | None, interval: tuple[float, float]) -> tuple[int, int] | None:
        return None if seconds is None else (round(1e9 * seconds), round(5e8 * (interval[1] - interval[0])))

    def waiting(seconds: float | None, interval: tuple[float, float]) -> tuple[int, int] | None:
        return estimate(seconds, interval) if interval[0] > 0 else None

    return ScopeCosts(
        estimate(resources.cpu_s, resources.cpu_interval_s),
        waiting(resources.waiting_for_lock_s, resources.waiting_for_lock_interval_s),
        waiting(resources.waiting_s, resources.waiting_interval_s),
        resources.largest_resident_bytes,
    )


def _of_calls(row: ScopeRow) -> list[Cell]:
    """Return the mean, the percentiles that are known, and the longest of a scope's calls."""
    scope = _ShownScope(row, 0, None, _NO_COSTS)
    return [_time(row.mean_ns), *(cell(scope) for cell in (_P50, _P95, _P99)), _time(row.max_ns)]


def functions_table(profile: Profile, recorded: Collection[str] = (), *, by_time: bool = False) -> FrameTable:
    """Return the table of sampled functions, those with the most time, or bytes, of their own first.

    Args:
        profile: The samples.
        recorded: Names of scopes that have no row, because the table of scopes has their exact times.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    profile = with_functions_on_top(profile)
    tree = aggregate(profile, of="samples")
    is_memory = profile.unit == BYTES
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
    scopes = [i for i in order if exact[i] and found.total_ns[i] > 0][:MAX_ROWS]
    names = _names([frame.name for frame in frames])
    labels = [(name, _place(frame), int(frame.kind)) for name, frame in zip(names, frames, strict=True)]
    estimated = [] if is_memory else [*shown[:MAX_INTERVALS], *scopes[:MAX_INTERVALS]]  # bytes are exact
    parts = dict(_parts(profile, group, estimated, by_time=by_time))

    columns: Sequence[Column] = _BYTES_COLUMNS if is_memory else _FUNCTION_COLUMNS
    if not any(found.count):  # nobody knows how many samples there were
        columns = columns[:-1]

    def cells(i: int) -> list[Cell]:
        if i in parts:
            shares = [_sampled(part) for part in parts[i]]
        else:
            shares = [_share(part, tree.all_ns) for part in (found.self_ns[i], found.total_ns[i])]
        amounts = [_amount(found.self_ns[i], profile.unit), _amount(found.total_ns[i], profile.unit)]
        return [*shares, *amounts, _whole(found.count[i])][: len(columns)]

    data = _data(tree.all_ns, found, labels, [*shown, *scopes])
    seen = [[_seen(part) for part in parts[i]] if i in parts else None for i in (*shown, *scopes)]
    return FrameTable(
        "function",
        _sorted_table(
            "function",
            columns,
            [Row(labels[i][0], cells(i), notes=[_kind_and_place(labels[i])]) for i in shown],
            by="self_share",
        ),
        left_out=len(there) - len(shown),
        data={
            **data,
            "unit": profile.unit,
            "seen": [part and part[1] for part in seen],
            "own": [part and part[0] for part in seen],
        },
    )


def _parts(
    profile: Profile, group: Sequence[int], chosen: Sequence[int], *, by_time: bool
) -> Iterator[tuple[int, tuple[SampledShare, SampledShare]]]:
    """Yield the chosen groups of frames with the share of samples that have one on top, and anywhere."""
    counts = SampleCounts.of(profile, by_time=by_time)
    on_top = np.array(group, dtype=np.int64)[profile.stacks.frame]
    for first in range(0, len(chosen), BITS):
        bit = {number: k for k, number in enumerate(chosen[first : first + BITS])}
        above: list[int] = []  # bits of the groups on each stack; parents come before their children
        for parent, number in zip(profile.stacks.parent.tolist(), on_top.tolist(), strict=True):
            here = 1 << bit[number] if number in bit else 0
            above.append(here | (above[parent] if parent != ROOT else 0))
        words: NDArray[np.int64] = np.array(above, dtype=np.int64)
        for number, k in bit.items():
            inside = np.flatnonzero((words >> k) & 1)
            yield number, (counts.part(inside[on_top[inside] == number]), counts.part(inside))


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


def _sorted_table(noun: str, columns: Sequence[Column], rows: Sequence[Row], by: str) -> PageTable:
    sorted_by = next(i for i, column in enumerate(columns) if column.key == by)
    return PageTable(f"Table of {noun}s", noun, _with_room(columns), rows, sorted_by=sorted_by)


def _with_room(columns: Sequence[Column]) -> list[Column]:
    """Return the columns with how wide a table is that has room for all up to each one's rank."""

    def width(column: Column) -> int:
        return max(ESTIMATE if column.key in _ESTIMATES else COLUMN, LETTER * len(column.label))

    def room(column: Column) -> int:
        needed = sum(width(other) for other in columns if other.rank <= column.rank)
        return NAMES + needed if column.rank else 0

    return [replace(column, room=room(column)) for column in columns]


def _scope_notes(row: ScopeRow, sampled: ScopeSamples | None) -> list[Note]:
    """Return what was on top of a scope's samples, and how many of its calls had not ended."""
    native = native_note(sampled) if sampled is not None else Note("")
    unfinished = f"{row.unfinished:,} had not ended" if row.unfinished else ""
    return [note for note in (native, Note(unfinished, kind="note")) if note.text]


def _time(value: float) -> Cell:
    return _amount(value, "ns")


def _amount(value: float, unit: str) -> Cell:
    digits, name = as_digits(value, unit)
    return Cell(digits, round(value), unit=name)


def _estimate(value: tuple[int, int] | None) -> Cell:
    if value is None:
        return NOTHING
    digits, unit = as_digits_give_or_take(*value)
    return Cell(digits, value[0], unit=unit)


def _share(part: float, whole: float) -> Cell:
    share = part / whole if whole > 0 else 0.0
    return Cell(f"{100 * share:.1f}", round(share, 6))


def _sampled(part: SampledShare) -> Cell:
    return Cell(f"{100 * part.share:.1f}", round(part.share, 6), unit=as_off(part))


def _seen(part: SampledShare) -> list[str | int]:
    """Return a share and its samples, if they are known, as the page's script shows them."""
    return [as_share_give_or_take(part), *([part.samples] if part.is_known else [])]


def _whole(value: int) -> Cell:
    return Cell(f"{value:,}", value)


def _rate(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(f"{value:.3g}", value)


def _place(frame: Frame) -> str:
    if not frame.file:
        return ""
    return printable(f"{frame.file}:{frame.line}" if frame.line else frame.file)


def _kind_and_place(label: tuple[str, str, int]) -> Note:
    """Return the kind of a function and the end of its place, which is whole in the title."""
    _, place, kind = label
    parts = place.replace("\\", "/").split("/")
    short = "/".join(parts[-2:])
    return Note(f"{KINDS[kind]} · {short}" if place else KINDS[kind], place if len(parts) > 2 else "")


def _names(names: Sequence[str]) -> list[str]:
    shown = [printable(name) for name in names]
    if sum(map(len, shown)) <= MAX_LETTERS:
        return shown
    most = max(60, MAX_LETTERS // max(len(shown), 1))
    return [shortened(name, most) for name in shown]


def _data(
    all_ns: int, found: Neighbours, labels: Sequence[tuple[str, str, int]], rows: Sequence[int]
) -> dict[str, Any]:
    """Return the frames of the rows, in this order, and who called each and what it called.

    Others have a name alone, and only where one of these called them or was called by them.
    """
    place = {i: row for row, i in enumerate(rows)} | {NOBODY: NOBODY}

    def split(of: dict[int, int]) -> list[list[int]]:
        largest = sorted(of.items(), key=lambda item: -item[1])
        listed = [[place.setdefault(other, len(place) - 1), took] for other, took in largest[:MAX_NEIGHBOURS]]
        rest = sum(took for _, took in largest[MAX_NEIGHBOURS:])
        return [*listed, [REST, rest]] if rest else listed

    edges = [[split(found.callers[i]), split(found.callees[i])] for i in rows]
    places: dict[str, int] = {}
    frames = []
    for i in (i for i in place if i != NOBODY):
        name, where, kind = labels[i]
        number = places.setdefault(where, len(places))
        frames.append([name, number, kind, found.total_ns[i], found.self_ns[i], found.count[i]])
    kinds = [KINDS[kind] for kind in FrameKind]
    return {"kinds": kinds, "all": all_ns, "places": list(places), "frames": frames, "edges": edges}
