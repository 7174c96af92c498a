"""Reading speedscope's files: of today's version and of the first ones, ours and others'.

Events and samples are taken one by one from the text and put into columns. The table of frames may stand behind
them, so that stacks are of the file's own numbers until the end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.formats._collector import collector_off
from workbench.formats._compact_events import compact_events
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import MAX_TRACKS, nanosecond_column, nanoseconds, whole_number
from workbench.formats._source import Source, read_source
from workbench.formats._waiting_rows import with_waiting
from workbench.profile import ROOT, Frame, FrameKind, Profile, Samples, Spans, StackTable, Track, profile_of
from workbench.profile.stacks import MAX_FRAMES

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
OURS = "workbench"
UNITS = {
    "nanoseconds": 1,
    "microseconds": 1000,
    "milliseconds": 1_000_000,
    "seconds": 1_000_000_000,
    "none": 1000,
    "bytes": 1000,
}
"""Nanoseconds of each. What is no time, such as a count, is taken as microseconds, as in folded stacks."""
_KEYS = ("type", "name", "unit", "startValue", "endValue", "events", "samples", "weights")


class _Part(NamedTuple):
    """One profile of the file."""

    name: str
    start_ns: int
    end_ns: int
    spans: Spans | None
    samples: Samples | None
    unit: str


@collector_off()
def read_speedscope(source: str | Path | Source) -> Profile:
    """Read a file, a track for each of its profiles; the two that we write of one track become one again.

    Times are those of the file, on one clock. Files that are not ours state no kinds and no processes: their
    frames are Python's, and their process is 0. A sample of nothing, and one of no time, is a gap.

    Raises:
        InvalidInputError: It cannot be read, or is not what the viewer would take; the line says where.
    """
    source = read_source(source)
    text = JsonText(source, "a speedscope file")
    kept: dict[str, Any] = {}
    table = StackTable()
    parts: list[_Part] | None = None
    for key in text.members():
        if key == "profiles":
            parts = []
            for number in text.items():
                if number >= MAX_TRACKS:
                    raise InvalidInputError(f"{source.name} has more than {MAX_TRACKS} profiles: cut it")
                parts.append(_part(text, table))
        elif key in ("$schema", "shared", "name", "exporter", OURS):
            kept[key] = text.value()
        else:
            text.value()
    text.end()
    where = f"{source.name} is not a speedscope file"
    if kept.get("$schema") != SCHEMA:
        raise InvalidInputError(f"{where}: its $schema is {shown(kept.get('$schema'))} and not {SCHEMA}")
    if parts is None:
        raise InvalidInputError(f"{where}: it has no profiles")
    name = kept.get("name")
    try:
        frames = _frames(kept.get("shared"))
        ours = _Ours.of(kept.get(OURS), len(parts), len(frames))
        if ours is not None:
            frames = [frame._replace(kind=kind) for frame, kind in zip(frames, ours.kinds, strict=True)]
        tracks = _tracks(parts, ours)
        bounds = (min((p.start_ns for p in parts), default=0), max((p.end_ns for p in parts), default=0))
        if ours is not None:
            bounds = (bounds[0] + ours.start_ns, bounds[1] + ours.start_ns)
        units = {part.unit for part in parts} - {"nanoseconds", "microseconds", "milliseconds", "seconds"}
        facts: dict[str, object] = {"format": "speedscope"}
        lines = []
        if units:
            facts["unit"] = f"{min(units)}, shown as microseconds"
            lines.append(f"the unit {min(units)!r} is no time: what is counted is shown as microseconds")
        if ours is None and OURS in kept:
            lines.append(
                f"its member {OURS!r} is not of these profiles, and was left out: frames have no kinds"
            )
        if lines:
            facts["warnings"] = lines
        shown_name = name if isinstance(name, str) else source.stem
        profile = profile_of(table, shown_name, frames, tracks, bounds, facts)
        return profile if ours is None else with_waiting(profile, _waiting(parts, ours))
    except ValueError as error:
        raise InvalidInputError(f"{where}: {error}") from None


def _part(text: JsonText, table: StackTable) -> _Part:
    """Read one profile at the cursor."""
    begin = text.at
    kept: dict[str, Any] = {}
    events: _Events | None = None
    samples: list[int] | None = None
    for key in text.members():
        if key == "events":
            events = _events(text, table)
        elif key == "samples":
            samples = [_sample(text, table, stack) for stack in text.elements()]
        elif key in _KEYS:
            kept[key] = text.value()
        else:
            text.value()
    kind, unit = kept.get("type"), kept.get("unit", "none")
    if not isinstance(unit, str) or unit not in UNITS:
        raise text.wrong(f"the profile's unit is {shown(unit)} and not one of {', '.join(UNITS)}", begin)
    try:
        start = nanoseconds(kept.get("startValue", 0), UNITS[unit])
        end = nanoseconds(kept.get("endValue", kept.get("startValue", 0)), UNITS[unit])
        if kind == "evented" and events is not None:
            spans = _spans(events, UNITS[unit], start)
            end = max(end, int(spans.end_ns.max(initial=start)))
            return _Part(str(kept.get("name", "")), start, end, spans, None, unit)
        if kind == "sampled" and samples is not None:
            seen = _samples(samples, kept.get("weights"), UNITS[unit], start)
            end = max(end, int((seen.at_ns + seen.weight_ns).max(initial=start)))
            return _Part(str(kept.get("name", "")), start, end, None, seen, unit)
    except ValueError as error:
        raise text.wrong(f"in the profile that begins there, {error}", begin) from None
    raise text.wrong(f"the profile is of type {shown(kind)}, or has no events or samples", begin)


class _Events(NamedTuple):
    stack: list[int]
    """of each span, in the order of opening"""
    place: list[int]
    """(spans,) which event opens it"""
    until: list[int]
    """(spans,) which event closes it"""
    at: Any
    """(events,) as written, or already as an array"""


def _events(text: JsonText, table: StackTable) -> _Events:
    begin = text.at
    written = text.array_text()
    columns = compact_events(written) if written else None
    at: Any
    if columns is not None and int(columns[1].max(initial=0)) < MAX_FRAMES:
        text.skip(len(written) + 2)
        opens, frames, at = columns[0].tolist(), columns[1].tolist(), columns[2]
    else:
        opens, frames, at = _event_columns(text)
    index = table.index
    found = _Events([], [], [0] * (len(opens) // 2), at)
    stacks, place, until, _ = found
    open_spans: list[int] = []
    open_frames: list[Any] = []
    top = ROOT
    for event, (is_open, frame) in enumerate(zip(opens, frames, strict=True)):
        if is_open:
            top = index.setdefault((top + 1) << 32 | frame, len(index))
            open_spans.append(len(stacks))
            open_frames.append(frame)
            stacks.append(top)
            place.append(event)
        else:
            if not open_frames or open_frames.pop() != frame:
                raise text.wrong(
                    f"event {event} of these closes frame {shown(frame)}, which is not the one on top", begin
                )
            span = open_spans.pop()
            if span < len(until):
                until[span] = event
            top = stacks[open_spans[-1]] if open_spans else ROOT
    if open_spans:
        raise text.wrong(f"{len(open_spans)} frames of these events are still open at the end", begin)
    return found


def _event_columns(text: JsonText) -> tuple[list[bool], list[Any], list[Any]]:
    """Return whether each event opens, its frame and its time, as written."""
    opens: list[bool] = []
    frames: list[Any] = []
    times: list[Any] = []
    for event in text.elements():
        try:
            kind, frame, at = event["type"], event["frame"], event["at"]
        except KeyError as error:
            raise text.wrong(f"an event has no {error}") from None
        except TypeError:
            raise text.wrong(f"an event is {shown(event)}") from None
        if kind not in ("O", "C") or type(frame) is not int or not 0 <= frame < MAX_FRAMES:
            raise text.wrong(f"an event is {shown(event)}")
        opens.append(kind == "O")
        frames.append(frame)
        times.append(at)
    return opens, frames, times


def _spans(events: _Events, factor: int, start: int) -> Spans:
    at = nanosecond_column(events.at, factor)
    back = np.flatnonzero(np.diff(at, prepend=start) < 0)
    if len(back):
        raise ValueError(f"the time of event {back[0]} is before the one in front of it")
    return Spans(
        stack=np.array(events.stack, dtype=np.int32),
        start_ns=at[np.array(events.place, dtype=np.int64)],
        end_ns=at[np.array(events.until, dtype=np.int64)],
        unfinished=np.zeros(len(events.stack), dtype=np.bool_),
    )


def _sample(text: JsonText, table: StackTable, stack: Any) -> int:
    if not isinstance(stack, list):
        raise text.wrong(f"a stack should be a list and not {shown(stack)}")
    if not stack:
        return ROOT
    if set(map(type, stack)) != {int} or min(stack) < 0 or max(stack) >= MAX_FRAMES:
        raise text.wrong(f"a stack holds something that is not the number of a frame: {shown(stack)}")
    return table.path(stack)


def _samples(stacks: list[int], weights: Any, factor: int, start: int) -> Samples:
    if not isinstance(weights, list) or len(weights) != len(stacks):
        count = len(weights) if isinstance(weights, list) else "no"
        raise ValueError(f"there are {len(stacks)} samples and {count} weights")
    try:
        weight = nanosecond_column(weights, factor)
    except ValueError as error:
        raise ValueError(f"of the weights, {error}") from None
    if float(weight.sum(dtype=np.float64)) + start > 2**62:
        raise ValueError("the weights together are too large")
    stack = np.array(stacks, dtype=np.int32)
    at = start + np.cumsum(weight) - weight
    seen = stack != ROOT
    return Samples(stack[seen], at[seen], weight[seen])


def _frames(shared: Any) -> list[Frame]:
    frames = shared.get("frames") if isinstance(shared, dict) else None
    if not isinstance(frames, list):
        raise ValueError("it has no shared.frames")  # noqa: TRY004  a wrong value in a file
    found = []
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict) or not isinstance(frame.get("name"), str):
            raise ValueError(f"shared.frames[{i}] has no name")  # noqa: TRY004
        file, line = frame.get("file"), frame.get("line")
        if not isinstance(file, str | None) or (line is not None and type(line) not in (int, float)):
            raise ValueError(f"shared.frames[{i}] has a file or a line that is none")
        number = 0 if line is None else whole_number(line, most=1 << 62)
        found.append(Frame(frame["name"], file or "", number))
    return found


class _Ours(NamedTuple):
    """Our own member of a file of ours."""

    start_ns: int
    kinds: list[FrameKind]
    tracks: list[Track]
    parts: list[dict[str, Any]]

    @classmethod
    def of(cls, member: Any, parts: int, frames: int) -> _Ours | None:
        """Return it, or None where there is none, or one that is not of this file.

        Raises:
            ValueError: It contradicts itself.
        """
        if not isinstance(member, dict):
            return None
        try:
            listed = member["profiles"]
            nothing = parts == 1 and not listed  # the empty profile of a file without tracks
            if (len(listed) != parts and not nothing) or len(member["kinds"]) != frames:
                return None  # somebody took frames or profiles away: what is left opens without it
            tracks = [
                Track(str(t["name"]), whole_number(t["pid"]), whole_number(t["tid"]), str(t["process"]))
                for t in member["tracks"]
            ]
            if not all(0 <= whole_number(entry["track"]) < len(tracks) for entry in listed):
                return None
            kinds = [FrameKind(kind) for kind in member["kinds"]]
            start = whole_number(member["start_ns"], most=1 << 61)
            return cls(start, kinds, tracks, listed)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"its member {OURS!r} is damaged: {shown(str(error))}; delete it") from None


def _tracks(parts: list[_Part], ours: _Ours | None) -> list[Track]:
    if ours is None:
        return [
            Track(part.name or f"profile {i}", 0, i, spans=part.spans, samples=part.samples)
            for i, part in enumerate(parts)
        ]
    tracks = list(ours.tracks)
    if not ours.parts:
        return tracks
    for part, entry in zip(parts, ours.parts, strict=True):
        i = int(entry["track"])
        if (tracks[i].samples if part.spans is None else tracks[i].spans) is not None:
            raise ValueError(f"its member {OURS!r} gives two such profiles to track {i}; delete it")
        if part.spans is not None:
            tracks[i] = replace(tracks[i], spans=_marked(part.spans, entry, ours.start_ns))
        elif part.samples is not None:
            samples = part.samples
            tracks[i] = replace(tracks[i], samples=replace(samples, at_ns=samples.at_ns + ours.start_ns))
    return tracks


def _waiting(parts: list[_Part], ours: _Ours) -> dict[int, NDArray[np.bool_]]:
    """Return by track which of its samples wait, where the kind of their frame does not say so."""
    return {
        int(entry["track"]): _rows(entry["waiting"], len(part.samples))
        for part, entry in zip(parts, ours.parts, strict=False)
        if part.samples is not None and "waiting" in entry
    }


def _marked(spans: Spans, entry: dict[str, Any], start_ns: int) -> Spans:
    """Return the spans on the recording's clock, with what is known of some of them."""
    return replace(
        spans,
        start_ns=spans.start_ns + start_ns,
        end_ns=spans.end_ns + start_ns,
        unfinished=_rows(entry.get("unfinished", []), len(spans)),
        carried=_rows(entry["carried"], len(spans)) if "carried" in entry else None,
    )


def _rows(listed: Any, count: int) -> NDArray[np.bool_]:
    if not isinstance(listed, list) or not all(type(row) is int and 0 <= row < count for row in listed):
        raise ValueError(f"its member {OURS!r} lists rows that are not there; delete it")
    mask = np.zeros(count, dtype=np.bool_)
    mask[listed] = True
    return mask
