"""The table of scopes: one row for each name, over all tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.profile._aggregate import aggregate, calls
from workbench.profile._guard_cost import guard_overhead
from workbench.profile._percentiles import percentiles
from workbench.profile._record import Profile
from workbench.profile._scopes import totals_by_name
from workbench.profile.stacks import Int32

FLOPS, BYTES = "flops", "bytes"
"""What guards call the numbers that rates are made of."""


@dataclass(frozen=True)
class ScopeRow:
    """What one scope took. Its calls include those that had not ended, with the time they had taken."""

    name: str
    calls: int
    total_ns: int
    """Time inside the scope, over all tracks; a scope inside itself is counted once."""
    self_ns: int
    """Time inside the scope and in none below it."""
    mean_ns: float
    """Of its calls, as are the percentiles: with recursion it is not `total_ns / calls`."""
    p50_ns: int
    p95_ns: int
    p99_ns: int
    max_ns: int
    gflops: float | None
    """10⁹ operations a second in the calls that state `flops`; None where none does, or they took no time."""
    gbytes_per_s: float | None
    """10⁹ bytes a second in the calls that state `bytes`."""
    overhead_ns: float | None
    """What guards add to `total_ns`; None where the profile states no cost."""
    unfinished: int
    """How many of the calls had not ended."""


def scope_table(profile: Profile) -> list[ScopeRow]:
    """Return a row for each name that spans stand for, the longest total first.

    Percentiles are by the nearest rank: durations that occurred. Scopes that were carried along with work
    count where they ran, not again on the tracks of those who worked for them.
    """
    totals = totals_by_name(aggregate(profile, of="spans"))
    number = {name: i for i, name in enumerate(totals)}
    of_frame = np.array([number.get(frame.name, 0) for frame in profile.frames], dtype=np.int32)
    of_stack = of_frame[profile.stacks.frame]
    size = len(totals)
    parts: list[tuple[Int32, NDArray[np.int64]]] = []
    unfinished, spent = np.zeros(size, dtype=np.int64), np.zeros(size)
    rates = {FLOPS: np.zeros((2, size)), BYTES: np.zeros((2, size))}
    for spans in (track.spans for track in profile.tracks if track.spans is not None):
        stack, duration = calls(spans)
        name = of_stack[stack]
        here = slice(None) if spans.carried is None else ~spans.carried
        parts.append((name, duration))
        unfinished += np.bincount(name[spans.unfinished[here]], minlength=size)
        spent += np.bincount(name, weights=duration, minlength=size)
        for column, sums in rates.items():
            if column in spans.work:
                amount = spans.work[column][here]
                stated = np.isfinite(amount)
                sums[0] += np.bincount(name[stated], weights=amount[stated], minlength=size)
                sums[1] += np.bincount(name[stated], weights=duration[stated], minlength=size)
    p50, p95, p99, longest = percentiles(parts, size, (50, 95, 99, 100))
    overhead = guard_overhead(profile)
    return [
        ScopeRow(
            name,
            row.calls,
            row.total_ns,
            row.self_ns,
            float(spent[i]) / row.calls,
            int(p50[i]),
            int(p95[i]),
            int(p99[i]),
            int(longest[i]),
            gflops=_rate(rates[FLOPS][:, i]),
            gbytes_per_s=_rate(rates[BYTES][:, i]),
            overhead_ns=overhead.get(name),
            unfinished=int(unfinished[i]),
        )
        for i, (name, row) in enumerate(totals.items())
    ]


def _rate(sums: NDArray[np.float64]) -> float | None:
    """Return amounts for each nanosecond, which is 10⁹ a second."""
    amount, duration = sums.tolist()
    return amount / duration if duration > 0 else None
