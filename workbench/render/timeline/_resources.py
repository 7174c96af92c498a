"""What the system counted of each process, as curves of a timeline: amounts as they were read, counts as rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile import Resources, Track

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

MAX_READINGS = 20_000
"""Of all processes of a timeline: some 250 kB of a page."""
PER_CENT, BYTES, PER_SECOND, BYTES_PER_SECOND = "%", "B", "/s", "B/s"
_WHOLE_FROM = 10
"""From here rates are whole numbers: they take less room, and a count of a twentieth of a second knows no more."""


class ResourceCurve(NamedTuple):
    """One row above the tracks of a process."""

    name: str
    unit: str
    value: Float64
    """(readings,) what was read, or the rate from a reading to the next, NaN for the last"""
    is_more: bool = False
    """Whether it is shown only when it is asked for."""


def with_processes(tracks: tuple[Track, ...], resources: tuple[Resources, ...]) -> list[Track | Resources]:
    """Return tracks with what is known of their process before the first of each."""
    left = [each for each in resources if len(each.at_ns) > 1]
    shown: list[Track | Resources] = []
    for track in tracks:
        shown += [each for each in left if each.pid == track.pid]
        left = [each for each in left if each.pid != track.pid]
        shown.append(track)
    return [*shown, *left]


def thinned_readings(resources: Resources, most: int) -> Int64:
    """Return which readings are shown: of each step of time the smallest and largest resident set, and the last."""
    count = len(resources.at_ns)
    if count <= most:
        return np.arange(count)
    step = np.arange(count) * (most // 3) // count
    order = np.lexsort((resources.resident_bytes, step))
    last = np.append(np.flatnonzero(np.diff(step)), count - 1)
    first = np.append(0, last[:-1] + 1)
    return np.unique(np.concatenate([order[first], order[last], last, [0]]))


def resource_curves(resources: Resources, rows: Int64) -> Iterator[ResourceCurve]:
    """Yield the curves of some readings that say anything: all zeros do not, and neither does one thread."""
    at_ns = resources.at_ns[rows]

    def rate(counted: Int64, factor: float = 1e9) -> Float64:
        passed = np.maximum(np.diff(at_ns), 1)
        return np.append(np.diff(counted[rows]) * (factor / passed), np.nan)

    def rounded(values: Float64) -> Float64:
        return np.where(values < _WHOLE_FROM, np.round(values, 2), np.rint(values))

    threads = resources.threads[rows].astype(np.float64)
    curves = [
        ResourceCurve("resident set", BYTES, resources.resident_bytes[rows].astype(np.float64)),
        ResourceCurve("CPU", PER_CENT, np.rint(rate(resources.cpu_ns, 100.0))),
        ResourceCurve("threads", "", threads if threads.max() > 1 else np.zeros(0), is_more=True),
    ]
    curves += [
        ResourceCurve(name, unit, rounded(rate(counted)), is_more=True)
        for name, unit, counted in (
            ("major faults", PER_SECOND, resources.major_faults),
            ("read", BYTES_PER_SECOND, resources.read_bytes),
            ("written", BYTES_PER_SECOND, resources.written_bytes),
            ("voluntary switches", PER_SECOND, resources.voluntary_switches),
            ("involuntary switches", PER_SECOND, resources.involuntary_switches),
        )
    ]
    for curve in curves:
        if np.nansum(curve.value) > 0:
            yield curve
