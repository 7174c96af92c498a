"""The roofline of a profile page: scopes that state flops or bytes, against what this machine can do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from workbench.bench.machine.calibration import COPY, DOUBLE, SINGLE, UNITS, Calibration, load
from workbench.errors import InvalidInputError
from workbench.profile import Profile, ScopeRow, scope_table
from workbench.report.tables import NOTHING, Cell, Column, PageTable, Row
from workbench.text import as_amount, as_percent, plural, printable

MAX_POINTS = 100
"""Of a chart, and rows of each table: those with the most time."""


@dataclass(frozen=True)
class Roofline:
    """The section of a page."""

    chart: Markup | None
    """None where no scope states both."""
    lines: Sequence[str]
    """What the roofs are and how sure, or how to have them."""
    tables: Sequence[PageTable]
    left_out: int
    """Scopes with the least time, which are not there."""


def roofline(profile: Profile | None) -> Roofline | None:
    """Return the roofline of a profile's scopes; None where no scope states flops or bytes."""
    rows = [] if profile is None else scope_table(profile)
    both, flops, moved = (
        [row for row in rows if _states(row) == numbers]
        for numbers in ((True, True), (True, False), (False, True))
    )
    if profile is None or not (both or flops or moved):
        return None
    known, complaint = _calibration()
    shown = [part[:MAX_POINTS] for part in (both, flops, moved)]
    return Roofline(
        _image(shown[0], known) if both else None,
        [*_lines(known, complaint), *_elsewhere(profile, known)],
        [table for table in _tables(shown[0], shown[1], shown[2], known) if table.rows],
        sum(map(len, (both, flops, moved))) - sum(map(len, shown)),
    )


def _states(row: ScopeRow) -> tuple[bool, bool]:
    """Return whether there are operations, and bytes, of a scope that can be drawn."""
    return _is_rate(row.gflops), _is_rate(row.gbytes_per_s)


def _is_rate(value: float | None) -> bool:
    return value is not None and 1e-50 < value < 1e50


def _calibration() -> tuple[Calibration | None, str]:
    """Return this machine's calibration, or why there is none that serves."""
    try:
        known = load()
    except InvalidInputError as error:
        return None, printable(f"No roofs: {' '.join(str(error).split())}.")
    if known is None:
        return (
            None,
            "No roofs: this machine is not calibrated. `workbench doctor` shows how, in 10 seconds.",
        )
    return known, ""


def _lines(known: Calibration | None, complaint: str) -> list[str]:
    if known is None:
        return [complaint]
    when = known.measured.astimezone().strftime("%Y-%m-%d %H:%M")
    rates = ", ".join(f"{what} {_rates(known, what)}" for what in (DOUBLE, COPY))
    threads = " / ".join(map(str, known.threads()))
    noun = "thread" if threads == "1" else "threads"
    head = f"Roofs of this machine ({printable(str(known.machine))}), measured {when}: {rates}, with {threads} {noun}."
    warnings = [f"{text[0].upper()}{text[1:]}." for text in known.warnings()]
    return [f"{head} A roof is the best of several repetitions.", *warnings]


def _rates(known: Calibration, what: str) -> str:
    """Return the best for each number of threads, and in brackets the medians."""
    rates = [known.rate(what, threads) for threads in known.threads()]
    best, medians = (
        " / ".join("–" if rate is None else f"{getattr(rate, which):.3g}" for rate in rates)
        for which in ("high", "median")
    )
    return f"{best} {UNITS[what]} (median {medians})"


def _elsewhere(profile: Profile, known: Calibration | None) -> list[str]:
    """Return that the profile is of other machines than this one, as far as it says where it was recorded."""
    hosts = profile.recording.hosts
    others = sorted(set(hosts) - {os.uname().nodename})
    if known is None or not others:
        return []
    named = ", ".join(printable(host) for host in others[:5]) + (" and others" if len(others) > 5 else "")
    part = "Part of this" if len(others) < len(set(hosts)) else "This"
    return [
        f"{part} was recorded on another host ({named}): the roofs are this machine's, and hold there if it is alike."
    ]


def _tables(
    both: Sequence[ScopeRow], flops: Sequence[ScopeRow], moved: Sequence[ScopeRow], known: Calibration | None
) -> list[PageTable]:
    counts = [] if known is None else known.threads()
    heads = [f"of the roof, {_threads(count)}" for count in counts]
    return [
        _table(
            "Scopes that state flops and bytes",
            ["total", "flops per byte", "GFLOP/s", "GB/s", *heads],
            [
                Row(
                    f"{number} · {printable(row.name)}",
                    [
                        _took(row),
                        _rate(_intensity(row)),
                        _rate(row.gflops),
                        _rate(row.gbytes_per_s),
                        *(_share(row.gflops, _roof_at(known, count, _intensity(row))) for count in counts),
                    ],
                )
                for number, row in enumerate(both, 1)
            ],
        ),
        _table(
            "Scopes that state flops alone, against the compute roof",
            ["total", "GFLOP/s", *heads],
            [_one_rate(row, row.gflops, [_best(known, DOUBLE, n) for n in counts]) for row in flops],
        ),
        _table(
            "Scopes that state bytes alone, against the copy roof",
            ["total", "GB/s", *heads],
            [_one_rate(row, row.gbytes_per_s, [_best(known, COPY, n) for n in counts]) for row in moved],
        ),
    ]


def _table(label: str, heads: Sequence[str], rows: Sequence[Row]) -> PageTable:
    return PageTable(label, "scope", [Column(head, "") for head in heads], rows, sorted_by=0)


def _one_rate(row: ScopeRow, rate: float | None, roofs: Sequence[float | None]) -> Row:
    return Row(printable(row.name), [_took(row), _rate(rate), *(_share(rate, roof) for roof in roofs)])


def _intensity(row: ScopeRow) -> float:
    """Return operations for each byte; both rates are of the calls that state them."""
    assert row.gflops is not None
    assert row.gbytes_per_s is not None
    return row.gflops / row.gbytes_per_s


def _best(known: Calibration | None, what: str, threads: int) -> float | None:
    """Return the most that was reached: what disturbs a machine makes it slower, never faster."""
    rate = None if known is None else known.rate(what, threads)
    return None if rate is None else rate.high


def _roof_at(known: Calibration | None, threads: int, intensity: float) -> float | None:
    compute, copy = (_best(known, what, threads) for what in (DOUBLE, COPY))
    return None if compute is None or copy is None else min(compute, copy * intensity)


def _image(rows: Sequence[ScopeRow], known: Calibration | None) -> Markup:
    from workbench.render.plots import Roof, RoofPoint, roofline_chart  # most pages have no roofline

    points = [
        RoofPoint(printable(row.name), _intensity(row), row.gflops or 0.0, row.total_ns / 1e9) for row in rows
    ]
    roofs = []
    for count in [] if known is None else known.threads():
        compute, copy = (_best(known, what, count) for what in (DOUBLE, COPY))
        if compute is not None and copy is not None:
            roofs.append(Roof(_threads(count), compute, copy, _best(known, SINGLE, count) or 0.0))
    return roofline_chart(points, roofs)


def _threads(count: int) -> str:
    return f"{count} {plural(count, 'thread')}"


def _took(row: ScopeRow) -> Cell:
    return Cell(as_amount(row.total_ns, "ns"), float(row.total_ns))


def _rate(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(f"{value:.3g}", value)


def _share(value: float | None, roof: float | None) -> Cell:
    return NOTHING if value is None or not roof else Cell(as_percent(value / roof), value / roof)
