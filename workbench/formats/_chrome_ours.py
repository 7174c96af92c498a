"""Our own member of a Chrome trace: which lanes of the file are which tracks, and what the format has no place for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from workbench.formats._chrome_tracks import MOST_WORK, Lane, Nested, nested, with_points
from workbench.formats._json import shown
from workbench.formats._numbers import whole_number
from workbench.formats._sampled_spans import samples_of_spans
from workbench.profile import Marks, Spans, StackTable, Track


class StatedTrack(NamedTuple):
    """A track as our member states it."""

    track: Track
    spans: bool
    marks: bool
    carried: bool
    work: tuple[str, ...]
    counters: tuple[str, ...]

    @classmethod
    def of(cls, stated: Any) -> StatedTrack:
        """Return it.

        Raises:
            KeyError, TypeError, ValueError: Something is missing, or is not what it should be.
        """
        names = (*stated["counters"], *stated["work"])
        if not all(isinstance(name, str) for name in names):
            raise ValueError("a counter's name is no text")
        pid, tid = whole_number(stated["pid"]), whole_number(stated["tid"])
        return cls(
            Track(str(stated["name"]), pid, tid, str(stated["process"])),
            bool(stated["spans"]),
            bool(stated["marks"]),
            bool(stated["carried"]),
            tuple(stated["work"]),
            tuple(stated["counters"]),
        )


@dataclass(frozen=True)
class Ours:
    """The member."""

    name: str
    start_ns: int
    end_ns: int
    lanes: list[tuple[Any, Any, int, str]]
    """(process, thread, number of the track, "spans" or "samples") of each lane of the file."""
    tracks: list[StatedTrack]

    @classmethod
    def of(cls, member: Any) -> Ours | None:
        """Return it, or None where there is none.

        Raises:
            ValueError: It contradicts itself.
        """
        if not isinstance(member, dict) or "lanes" not in member:
            return None
        try:
            tracks = [StatedTrack.of(track) for track in member["tracks"]]
            lanes = [
                (lane["pid"], lane["tid"], whole_number(lane["track"]), lane["of"])
                for lane in member["lanes"]
            ]
            start = whole_number(member["start_ns"], most=1 << 61)
            end = max(whole_number(member["end_ns"], most=1 << 62), start)
            damaged = not all(
                0 <= number < len(tracks) and of in ("spans", "samples") for _, _, number, of in lanes
            )
            damaged |= len({(pid, tid) for pid, tid, _, _ in lanes}) < len(lanes)
            found = cls(str(member["name"]), start, end, lanes, tracks)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else shown(str(error))
            raise ValueError(f"its member 'workbench' is damaged: {what}; delete it") from None
        if damaged:
            raise ValueError(
                "its member 'workbench' is damaged: its lanes are not those of its tracks; delete it"
            )
        return found


def our_tracks(member: Ours, lanes: list[Lane], parts: list[Nested]) -> list[Track]:
    """Return the tracks that were written, put together from their lanes."""
    tracks = [stated.track for stated in member.tracks]
    by_id = {(lane.pid, lane.tid): (lane, part) for lane, part in zip(lanes, parts, strict=True)}
    nothing = Lane(0, 0), nested(Lane(0, 0), StackTable(), 0, exact=True)
    start = member.start_ns
    for pid, tid, number, of in member.lanes:
        stated = member.tracks[number]
        lane, found = by_id.get((pid, tid), nothing)
        if of == "samples":
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
    if len(stated.work) * len(spans) > MOST_WORK:
        raise ValueError("its member 'workbench' states more kinds of work than there are")
    work = {name: spans.work.get(name, np.full(len(spans), math.nan)) for name in stated.work}
    nothing = np.zeros(len(spans), dtype=np.bool_)
    return replace(
        spans,
        start_ns=spans.start_ns + start_ns,
        end_ns=spans.end_ns + start_ns,
        carried=spans.carried if spans.carried is not None else nothing if stated.carried else None,
        work=work | {name: values for name, values in spans.work.items() if name not in work},
    )
