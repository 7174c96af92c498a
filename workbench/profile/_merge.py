"""Tracks put behind one another on as few lanes as hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile._parts import counter_rows, extent, joined_samples, mark_rows
from workbench.profile._record import Counter, Marks, Profile, Spans, Track


def merge_tracks(profile: Profile, by: str = "process") -> Profile:
    """Return the profile with the tracks of each process (or, by `"all"`, of the run) on as few lanes as do.

    What ran at the same time in two threads does not nest, so that it cannot stand on one track. A lane holds
    one thread, task or worker after the other: one that began when the last one on it was over. So a pool that
    ran four tasks at once becomes four tracks, however many there were. For totals nothing has to be merged:
    `aggregate` sums up all tracks.

    A lane has the process and thread ids of its first track. Costs of guards belong to processes: subtract
    them before tracks of several are merged. On a lane counters of one name become one.

    Invariants: every span, sample, value and mark stays as it is, with its stack and times; each process (or
    the run) has as many lanes with spans or samples as there were of its tracks, from first to last event, at
    one time.

    Raises:
        InvalidInputError: `by` is neither.
    """
    if by not in ("process", "all"):
        raise InvalidInputError(f"tracks are merged by process or by all, not by {by!r}")
    groups: dict[int, list[Track]] = {}
    for track in profile.tracks:
        groups.setdefault(track.pid if by == "process" else 0, []).append(track)
    return replace(
        profile, tracks=tuple(_lane(lane) for tracks in groups.values() for lane in _lanes(tracks))
    )


def _lanes(tracks: list[Track]) -> list[list[Track]]:
    """Return the tracks on the least number of lanes, in order of their begin; points alone fit anywhere."""
    extents = [(extent([track], points=False), i) for i, track in enumerate(tracks)]
    lanes: list[list[Track]] = []
    ends: list[int] = []
    for (start, end), i in sorted((both, i) for both, i in extents if both is not None):
        free = next((lane for lane, last in enumerate(ends) if last <= start), len(lanes))
        if free == len(lanes):
            lanes.append([])
            ends.append(end)
        lanes[free].append(tracks[i])
        ends[free] = end
    points = [tracks[i] for both, i in extents if both is None]
    return [(lanes or [[]])[0] + points, *lanes[1:]]


def _lane(tracks: list[Track]) -> Track:
    if len(tracks) == 1:
        return tracks[0]
    first = tracks[0]
    counters: dict[str, list[Counter]] = {}
    for counter in (counter for track in tracks for counter in track.counters):
        counters.setdefault(counter.name, []).append(counter)
    spans = [track.spans for track in tracks if track.spans is not None]
    samples = [track.samples for track in tracks if track.samples is not None]
    marks = [track.marks for track in tracks if track.marks is not None]
    return Track(
        f"{first.name} and {len(tracks) - 1} more",
        first.pid,
        first.tid,
        first.process,
        _joined_spans(spans) if spans else None,
        joined_samples(samples) if samples else None,
        tuple(_joined_counter(parts) for parts in counters.values()),
        _joined_marks(marks) if marks else None,
    )


def _joined_spans(parts: list[Spans]) -> Spans:
    carried = None
    if any(spans.carried is not None for spans in parts):
        carried = np.concatenate(
            [np.zeros(len(s), dtype=np.bool_) if s.carried is None else s.carried for s in parts]
        )
    work: Mapping[str, NDArray[np.float64]] = {
        name: np.concatenate([s.work.get(name, np.full(len(s), np.nan)) for s in parts])
        for name in dict.fromkeys(name for spans in parts for name in spans.work)
    }
    return Spans(
        np.concatenate([spans.stack for spans in parts]),
        np.concatenate([spans.start_ns for spans in parts]),
        np.concatenate([spans.end_ns for spans in parts]),
        np.concatenate([spans.unfinished for spans in parts]),
        carried,
        work,
    )


def _joined_counter(parts: list[Counter]) -> Counter:
    at = np.concatenate([counter.at_ns for counter in parts])
    whole = Counter(parts[0].name, at, np.concatenate([counter.value for counter in parts]))
    return counter_rows(whole, np.argsort(at, kind="stable"))


def _joined_marks(parts: list[Marks]) -> Marks:
    at = np.concatenate([marks.at_ns for marks in parts])
    whole = Marks(at, tuple(name for marks in parts for name in marks.name))
    return mark_rows(whole, np.argsort(at, kind="stable"))
