"""Reading speedscope's files: of today's version and of the first ones, ours and others'.

Events and samples are taken one by one from the text and put into columns. The table of frames may follow
them, so stacks have the file's own numbers until the end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import nanosecond_column, nanoseconds, whole_number
from workbench.formats._speedscope_events import EventedProfile, read_events, spans_of
from workbench.formats._speedscope_member import MEMBER, SpeedscopeMember, with_waiting
from workbench.formats.source import Source, check_tracks, reading
from workbench.profile import ROOT, FileFacts, Frame, Profile, Samples, Spans, StackTable, Track, profile_of
from workbench.profile.stacks import MAX_FRAMES

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
UNITS = {
    "nanoseconds": 1,
    "microseconds": 1000,
    "milliseconds": 1_000_000,
    "seconds": 1_000_000_000,
    "none": 1000,
    "bytes": 1000,
}
"""Nanoseconds of each. What is no time, such as a count, is taken as microseconds, as in folded stacks."""
_KEYS = ("type", "name", "unit", "startValue", "endValue", "weights")


class _Part(NamedTuple):
    """One profile of the file."""

    name: str
    start_ns: int
    end_ns: int
    table: Spans | Samples
    unit: str


def read_speedscope(source: str | Path | Source) -> Profile:
    """Read a file, a track for each of its profiles; the two that we write of one track become one again.

    Times are those of the file, on one clock. Files that are not ours state no kinds and no processes: their
    frames are Python's, and their process is 0. A sample of nothing, and one of no time, is a gap.

    Raises:
        InvalidInputError: It cannot be read, or the viewer would refuse it.
    """
    with reading(source, "a speedscope file") as source:
        return _read(source)


def _read(source: Source) -> Profile:
    text = JsonText(source, "a speedscope file")
    kept: dict[str, Any] = {}
    table = StackTable()
    parts: list[_Part] | None = None
    for key in text.members():
        if key == "profiles":
            parts = []
            for number in text.items():
                check_tracks(number + 1)
                parts.append(_part(text, table))
        else:
            value = text.value()
            if key in ("$schema", "shared", "name", MEMBER):
                kept[key] = value
    text.end()
    if kept.get("$schema") != SCHEMA:
        raise ValueError(f"its $schema is {shown(kept.get('$schema'))} and not {SCHEMA}")
    if parts is None:
        raise ValueError("it has no profiles")
    frames = _frames(kept.get("shared"))
    ours = SpeedscopeMember.of(kept.get(MEMBER), len(parts), len(frames))
    tables = [part.table for part in parts]
    start = min((part.start_ns for part in parts), default=0)
    end = max((part.end_ns for part in parts), default=0)
    units = {part.unit for part in parts} - {"nanoseconds", "microseconds", "milliseconds", "seconds"}
    lines = []
    if units:
        lines.append(f"the unit {min(units)!r} is no time: what is counted is shown as microseconds")
    if ours is None and MEMBER in kept:
        lines.append(
            f"its member {MEMBER!r} is not of these profiles, and was left out: frames have no kinds"
        )
    unit = f"{min(units)}, shown as microseconds" if units else ""
    facts = FileFacts("speedscope", tuple(lines), unit)
    name = kept["name"] if isinstance(kept.get("name"), str) else source.stem
    if ours is None:
        return profile_of(table, name, frames, _tracks(parts), (start, end), facts)
    frames = [frame._replace(kind=kind) for frame, kind in zip(frames, ours.kinds, strict=True)]
    bounds = start + ours.start_ns, end + ours.start_ns
    profile = profile_of(table, name, frames, ours.tracks_of(tables), bounds, facts)
    return with_waiting(profile, ours.waiting(tables))


def _part(text: JsonText, table: StackTable) -> _Part:
    """Read one profile at the cursor."""
    begin = text.at
    kept: dict[str, Any] = {}
    events: EventedProfile | None = None
    samples: list[int] | None = None
    for key in text.members():
        if key == "events":
            events = read_events(text, table)
        elif key == "samples":
            samples = [_sample(text, table, stack) for stack in text.elements()]
        else:
            value = text.value()
            if key in _KEYS:
                kept[key] = value
    kind, unit = kept.get("type"), kept.get("unit", "none")
    if not isinstance(unit, str) or unit not in UNITS:
        raise text.wrong(f"the profile's unit is {shown(unit)} and not one of {', '.join(UNITS)}", begin)
    try:
        start = nanoseconds(kept.get("startValue", 0), UNITS[unit])
        end = nanoseconds(kept.get("endValue", kept.get("startValue", 0)), UNITS[unit])
        if kind == "evented" and events is not None:
            spans = spans_of(events, UNITS[unit], start)
            end = max(end, int(spans.end_ns.max(initial=start)))
            return _Part(str(kept.get("name", "")), start, end, spans, unit)
        if kind == "sampled" and samples is not None:
            seen = _samples(samples, kept.get("weights"), UNITS[unit], start)
            end = max(end, int((seen.at_ns + seen.weight_ns).max(initial=start)))
            return _Part(str(kept.get("name", "")), start, end, seen, unit)
    except ValueError as error:
        raise text.wrong(f"in the profile that begins there, {error}", begin) from None
    raise text.wrong(f"the profile is of type {shown(kind)}, or has no events or samples", begin)


def _sample(text: JsonText, table: StackTable, stack: Any) -> int:
    if not isinstance(stack, list):
        raise text.wrong(f"a stack should be a list and not {shown(stack)}")
    if not stack:
        return ROOT
    if set(map(type, stack)) != {int} or min(stack) < 0 or max(stack) >= MAX_FRAMES:
        raise text.wrong(f"a stack has an item that is not the number of a frame: {shown(stack)}")
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
            raise ValueError(f"shared.frames[{i}] has an invalid file or line")
        number = 0 if line is None else whole_number(line, most=1 << 62)
        found.append(Frame(frame["name"], file or "", number))
    return found


def _tracks(parts: list[_Part]) -> list[Track]:
    found = []
    for i, part in enumerate(parts):
        track = Track(part.name or f"profile {i}", 0, i)
        if isinstance(part.table, Spans):
            found.append(replace(track, spans=part.table))
        else:
            found.append(replace(track, samples=part.table))
    return found
