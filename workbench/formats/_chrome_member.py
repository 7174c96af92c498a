"""Our own member of a Chrome trace: the track of each lane, and what the format cannot hold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import msgspec
import numpy as np

from workbench.formats._chrome_tracks import MAX_WORK, Lane, Nested, nested, with_points
from workbench.formats._json import shown
from workbench.formats._nested_spans import samples_of_spans
from workbench.formats._numbers import Id, Instant
from workbench.profile import Marks, Spans, StackTable, Track
from workbench.records import Count, convert

MEMBER = "workbench"
"""The name of the member."""


class StatedTrack(msgspec.Struct):
    """A track as our member states it."""

    name: str
    pid: Id
    tid: Id
    process: str
    spans: bool
    marks: bool
    carried: bool
    work: list[str]
    counters: list[str]


class StatedLane(msgspec.Struct):
    """A thread of the file: what it has of which track."""

    pid: Id
    tid: Id
    track: Count
    of: Literal["spans", "samples"]


class ChromeMember(msgspec.Struct):
    """The member."""

    name: str
    start_ns: Instant
    end_ns: Instant
    lanes: list[StatedLane]
    tracks: list[StatedTrack]

    @classmethod
    def of(cls, member: Any) -> ChromeMember | None:
        """Return it, or None where there is none.

        Raises:
            ValueError: It is damaged, or contradicts itself.
        """
        if not isinstance(member, dict) or "lanes" not in member:
            return None
        try:
            return convert(member, cls)
        except ValueError as error:
            raise ValueError(
                f"its member {MEMBER!r} is damaged: {shown(str(error), 160)}; delete it"
            ) from None

    def __post_init__(self) -> None:
        """Check that the lanes are those of the tracks."""
        wrong = any(lane.track >= len(self.tracks) for lane in self.lanes)
        if wrong or len({(lane.pid, lane.tid) for lane in self.lanes}) < len(self.lanes):
            raise ValueError("its lanes are not those of its tracks")


def our_tracks(member: ChromeMember, lanes: list[Lane], parts: list[Nested]) -> list[Track]:
    """Return the tracks that were written, put together from their lanes."""
    tracks = [Track(track.name, track.pid, track.tid, track.process) for track in member.tracks]
    by_id = {(lane.pid, lane.tid): (lane, part) for lane, part in zip(lanes, parts, strict=True)}
    nothing = Lane(0, 0), nested(Lane(0, 0), StackTable(), 0, exact=True)
    start = member.start_ns
    for own in member.lanes:
        number, stated = own.track, member.tracks[own.track]
        lane, found = by_id.get((own.pid, own.tid), nothing)
        if own.of == "samples":
            samples = samples_of_spans(found.spans, found.depth)
            tracks[number] = replace(tracks[number], samples=replace(samples, at_ns=samples.at_ns + start))
            continue
        track = tracks[number]
        if stated.spans:
            track = replace(track, spans=_as_stated(found.spans, stated, start))
        if stated.marks:
            track = replace(track, marks=Marks(np.zeros(0, dtype=np.int64), ()))
        tracks[number] = with_points(track, lane, start, stated.counters)
    return tracks


def _as_stated(spans: Spans, stated: StatedTrack, start_ns: int) -> Spans:
    if len(stated.work) * len(spans) > MAX_WORK:
        raise ValueError("its member 'workbench' states more kinds of work than there are")
    work = {name: spans.work.get(name, np.full(len(spans), math.nan)) for name in stated.work}
    nothing = np.zeros(len(spans), dtype=np.bool_)
    return replace(
        spans,
        start_ns=spans.start_ns + start_ns,
        end_ns=spans.end_ns + start_ns,
        propagated=spans.propagated if spans.propagated is not None else nothing if stated.carried else None,
        work=work | {name: values for name, values in spans.work.items() if name not in work},
    )
