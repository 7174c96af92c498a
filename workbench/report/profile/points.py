"""The counters and marks of a run, as rows of the tables on its page."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.profile import Profile
from workbench.text import as_amount, printable

MAX_ROWS = 1000


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
