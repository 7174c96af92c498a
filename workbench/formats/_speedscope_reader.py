"""Reading speedscope's files: of today's version and of the first ones, ours and others'.

Events and samples are taken one by one from the text and put into columns. The table of frames may stand behind
them, so that stacks are of the file's own numbers until the end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.errors import InvalidInputError
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import MAX_TRACKS, nanosecond_column, nanoseconds, whole_number
from workbench.formats._speedscope_events import Events, read_events, spans_of
from workbench.formats._speedscope_ours import OURS, Ours, with_waiting
from workbench.formats.source import Source, collector_off, read_source
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
_KEYS = ("type", "name", "unit", "startValue", "endValue", "events", "samples", "weights")


class _Part(NamedTuple):
    """One profile of the file."""

    name: str
    start_ns: int
    end_ns: int
    table: Spans | Samples
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
        ours = Ours.of(kept.get(OURS), len(parts), len(frames))
        if ours is not None:
            frames = [frame._replace(kind=kind) for frame, kind in zip(frames, ours.kinds, strict=True)]
        tables = [part.table for part in parts]
        tracks = _tracks(parts) if ours is None else ours.tracks_of(tables)
        bounds = (min((p.start_ns for p in parts), default=0), max((p.end_ns for p in parts), default=0))
        if ours is not None:
            bounds = (bounds[0] + ours.start_ns, bounds[1] + ours.start_ns)
        units = {part.unit for part in parts} - {"nanoseconds", "microseconds", "milliseconds", "seconds"}
        lines = []
        if units:
            lines.append(f"the unit {min(units)!r} is no time: what is counted is shown as microseconds")
        if ours is None and OURS in kept:
            lines.append(
                f"its member {OURS!r} is not of these profiles, and was left out: frames have no kinds"
            )
        unit = f"{min(units)}, shown as microseconds" if units else ""
        facts = FileFacts("speedscope", tuple(lines), unit)
        shown_name = name if isinstance(name, str) else source.stem
        profile = profile_of(table, shown_name, frames, tracks, bounds, facts)
        return profile if ours is None else with_waiting(profile, ours.waiting(tables))
    except ValueError as error:
        raise InvalidInputError(f"{where}: {error}") from None


def _part(text: JsonText, table: StackTable) -> _Part:
    """Read one profile at the cursor."""
    begin = text.at
    kept: dict[str, Any] = {}
    events: Events | None = None
    samples: list[int] | None = None
    for key in text.members():
        if key == "events":
            events = read_events(text, table)
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


def _tracks(parts: list[_Part]) -> list[Track]:
    found = []
    for i, part in enumerate(parts):
        track = Track(part.name or f"profile {i}", 0, i)
        if isinstance(part.table, Spans):
            found.append(replace(track, spans=part.table))
        else:
            found.append(replace(track, samples=part.table))
    return found
