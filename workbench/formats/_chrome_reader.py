"""Reading Chrome's trace events: X, B and E, C, i, M and asynchronous ones, of any program that writes them.

The format is described in "Trace Event Format" (https://www.chromium.org/developers/how-tos/trace-event-profiling-tool/).
Other kinds of events, such as flows, are left out: the facts of the profile count them, and `warnings` has a line.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.formats._chrome_async import BEGINS, ENDS, INSTANTS, AsyncEvents
from workbench.formats._chrome_member import MEMBER, ChromeMember, our_tracks
from workbench.formats._chrome_tracks import Lane, Nested, in_nanoseconds, last_of, nested, tracks_of
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import nanoseconds, unquoted
from workbench.formats.source import Source, check_tracks, reading
from workbench.profile import FileFacts, Frame, FrameKind, Profile, StackTable, Track, profile_of

Opened = list[tuple[int, Any]]
MAX_KINDS = 8
"""Kinds of events that are named as left out."""
MAX_SEARCHED = 64
"""Open events that are searched for the one that an end names."""
_KINDS = {kind.name.lower(): kind for kind in FrameKind}
_LABEL = re.compile(r"(.+) \(([^()]*):(\d{1,9})\)", re.DOTALL)
"""How viztracer names a Python function."""


def read_chrome(source: str | Path | Source) -> Profile:
    """Read a trace: a track for each thread, with its spans, counters and marks, and tracks of asynchronous operations.

    Spans that begin together nest the longest first. Of two that overlap and do not nest the longer keeps its time, and
    the other is cut. What is still open at the end is unfinished. A file of ours gives the same profile, without what
    `write_chrome` leaves out. The fact `warnings` has a line for what was cut or left out.

    Raises:
        InvalidInputError: It cannot be read or is no such trace.
    """
    with reading(source, "a Chrome trace") as source:
        text = JsonText(source, "a Chrome trace", constants=True)
        trace = _Trace(text)
        member: Any = None
        found = text.peek() == "["
        if found:
            trace.add_all(may_be_open=True)
        else:
            for key in text.members():
                if key == "traceEvents":
                    found = True
                    trace.add_all(may_be_open=False)
                    continue
                value = text.value()
                if key == MEMBER:
                    member = value
                elif key == "samples" and value:
                    trace.left_out[key] = len(value) if isinstance(value, list) else 1
        text.end()
        if not found:
            raise ValueError("it has no traceEvents")
        return trace.profile(source.stem, ChromeMember.of(member))


@dataclass
class _Trace:
    """The events that have been read."""

    text: JsonText
    lanes: dict[tuple[Any, Any], Lane] = field(default_factory=dict)
    names: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """By name, category, file and line: a frame's number."""
    operations: AsyncEvents = field(default_factory=AsyncEvents)
    left_out: dict[str, int] = field(default_factory=dict)
    """Events by their kind."""
    unmatched: int = 0

    def add_all(self, *, may_be_open: bool) -> None:
        """Take the events of the array at the cursor."""
        lanes, names, text = self.lanes, self.names, self.text
        others = {"B": self._begin, "E": self._end, "C": self._counter, "M": self._name}
        others |= dict.fromkeys("iIR", self._mark)
        others |= dict.fromkeys(BEGINS, self._async_begin) | dict.fromkeys(ENDS, self._async_end)
        others |= dict.fromkeys(INSTANTS, self._async_mark)
        for event in text.elements(may_be_open=may_be_open):
            if event == {}:  # with which some programs close the list
                continue
            try:
                phase = event["ph"]
                who = (event.get("pid", 0), event.get("tid", 0))
                lane = lanes.get(who)
                if lane is None:
                    lane = self._lane(who)
                if phase == "X":
                    arguments = event.get("args")
                    key = (event.get("name", ""), event.get("cat"))
                    if arguments:
                        key = self._key(key, lane, arguments)
                    lane.frame.append(names.setdefault(key, len(names)))
                    lane.start.append(event["ts"])
                    lane.duration.append(event.get("dur", 0))
                elif phase in others:
                    others[phase](lane, event)
                else:
                    self.left_out[str(phase)[:20]] = self.left_out.get(str(phase)[:20], 0) + 1
            except KeyError as error:
                raise text.wrong(f"an event has no {error}") from None
            except (TypeError, AttributeError):
                raise text.wrong(f"an event is {shown(event)}") from None
            except ValueError as error:
                raise text.wrong(f"of an event, {error}") from None

    def _lane(self, who: tuple[Any, Any]) -> Lane:
        if not all(
            isinstance(each, int | str) or (isinstance(each, float) and each.is_integer()) for each in who
        ):
            raise ValueError(f"its process or thread is {shown(who)}")
        check_tracks(len(self.lanes) + 1)
        return self.lanes.setdefault(who, Lane(*who))

    def _key(self, key: tuple[Any, ...], lane: Lane, arguments: Any) -> tuple[Any, ...]:
        """Return the key of a frame that may have a file; keep the other arguments for the event that is next."""
        if not isinstance(arguments, dict):
            raise ValueError(f"its args are {shown(arguments)}")  # noqa: TRY004  a wrong value in a file
        lane.arguments[len(lane.start)] = arguments
        file, line = arguments.get("file", arguments.get("filename")), arguments.get("line")
        if not isinstance(file, str):
            return key
        return (*key, file, line if type(line) is int and abs(line) < 1 << 62 else 0)

    def _begin(self, lane: Lane, event: dict[str, Any], opened: Opened | None = None) -> None:
        key: tuple[Any, ...] = (event.get("name", ""), event.get("cat"))
        if event.get("args"):
            key = self._key(key, lane, event["args"])
        (lane.opened if opened is None else opened).append((len(lane.start), event.get("name", "")))
        lane.frame.append(self.names.setdefault(key, len(self.names)))
        lane.start.append(event["ts"])
        lane.duration.append(None)

    def _end(self, lane: Lane, event: dict[str, Any], opened: Opened | None = None) -> None:
        at, name = event["ts"], event.get("name")
        opened = lane.opened if opened is None else opened
        if name is not None and opened and opened[-1][1] != name:
            named = next(
                (i for i in range(1, min(len(opened), MAX_SEARCHED) + 1) if opened[-i][1] == name), 0
            )
            for _ in range(named - 1):  # those inside it end with it
                lane.until[opened.pop()[0]] = at
            if not named:
                opened = []
        if not opened:
            self.unmatched += 1
            return
        span = opened.pop()[0]
        lane.until[span] = at

    def _async_begin(self, lane: Lane, event: dict[str, Any]) -> None:
        lane, opened = self.operations.begin(event)
        self._begin(lane, event, opened)

    def _async_end(self, lane: Lane, event: dict[str, Any]) -> None:
        found = self.operations.end(event)
        if found is None:
            self.unmatched += 1
            return
        self._end(found[0], event, found[1])
        self.operations.ended(event)

    def _async_mark(self, lane: Lane, event: dict[str, Any]) -> None:
        self.operations.mark(event, nanoseconds(unquoted(event["ts"]), 1000))

    def _counter(self, lane: Lane, event: dict[str, Any]) -> None:
        at = nanoseconds(unquoted(event["ts"]), 1000)
        arguments, name = event.get("args", {}), str(event.get("name", ""))
        if "id" in event:
            name += f"[{event['id']}]"
        for key, value in arguments.items():
            if type(value) not in (int, float) or (type(value) is float and not math.isfinite(value)):
                continue
            if type(value) is int and abs(value) > 1 << 1000:
                raise ValueError(f"the value {shown(value)} is too large")
            series = name if key == "value" or (len(arguments) == 1 and key == name) else f"{name} {key}"
            lane.counters.setdefault(series, []).append((at, float(value)))

    def _mark(self, lane: Lane, event: dict[str, Any]) -> None:
        lane.marks.append((nanoseconds(unquoted(event["ts"]), 1000), str(event.get("name", ""))))

    def _name(self, lane: Lane, event: dict[str, Any]) -> None:
        arguments = event.get("args")
        named = arguments.get("name") if isinstance(arguments, dict) else None
        if isinstance(named, str):
            if event.get("name") == "thread_name":
                lane.name = named
            elif event.get("name") == "process_name":
                lane.process = named

    def profile(self, name: str, ours: ChromeMember | None) -> Profile:
        """Return the profile of all events.

        Raises:
            ValueError: Something in it is out of range, or our own member contradicts the rest.
        """
        table, frames = StackTable(), [_frame(*key) for key in self.names]
        lanes = list(self.lanes.values())
        operations = self.operations.finish()
        for lane in (*lanes, *operations):
            in_nanoseconds(lane)
        last = max(map(last_of, (*lanes, *operations)), default=0)
        if ours is not None:
            parts = [nested(lane, table, last, exact=True) for lane in lanes]
            tracks = our_tracks(ours, lanes, parts)
            bounds = ours.start_ns, max(ours.end_ns, ours.start_ns + last)
            known = {(lane.pid, lane.tid) for lane in ours.lanes}
            foreign = sum(
                len(lane.frame) for lane in (*lanes, *operations) if (lane.pid, lane.tid) not in known
            )
            return profile_of(table, ours.name, frames, tracks, bounds, self._facts(parts, tracks, foreign))
        for process in self.operations.processes.values():
            lanes += process.packed(last)
        parts = [nested(lane, table, last) for lane in lanes]
        tracks = tracks_of(lanes, parts)
        starts = [int(t.spans.start_ns[0]) for t in tracks if t.spans is not None and len(t.spans)]
        starts += [int(c.at_ns[0]) for t in tracks for c in t.counters]
        starts += [int(t.marks.at_ns[0]) for t in tracks if t.marks is not None]
        bounds = min(starts, default=0), last
        return profile_of(table, name, frames, tracks, bounds, self._facts(parts, tracks))

    def _facts(self, parts: list[Nested], tracks: list[Track], foreign: int = 0) -> FileFacts:
        """Return what was left out or changed, a line each."""
        cut, cut_ns = sum(part.cut for part in parts), sum(part.cut_ns for part in parts)
        lines = []
        if foreign:
            lines.append(f"slices on threads that workbench did not write were left out: {foreign:,}")
        if cut:
            lines.append(
                f"{cut:,} times two slices overlapped and did not nest: the shorter was cut, "
                f"by {cut_ns / 1000:,.12g} µs in all"
            )
        if self.unmatched:
            lines.append(f"{self.unmatched:,} ends without a begin were left out")
        if self.left_out:
            kinds = [
                f"{count:,} of kind {shown(kind)}" for kind, count in list(self.left_out.items())[:MAX_KINDS]
            ]
            kinds += ["others"] * (len(self.left_out) > MAX_KINDS)
            lines.append(
                f"events that are neither slices, counters nor marks were left out: {', '.join(kinds)}"
            )
        if not tracks:
            lines.append("the trace holds no slices, counters or marks")
        is_merged = any(track.samples is not None for track in tracks)
        return FileFacts("chrome", tuple(lines), is_merged=is_merged, unmatched_ends=self.unmatched)


def _frame(name: Any, category: Any, file: str = "", line: int = 0) -> Frame:
    name = str(name)
    kind = _KINDS.get(category) if isinstance(category, str) else None
    if kind is not None:
        return Frame(name, file, line, kind)
    if category == "FEE":  # viztracer's functions; those in C have no place
        match = _LABEL.fullmatch(name)
        if match is None:
            return Frame(name, file, line, FrameKind.NATIVE)
        return Frame(match[1], match[2], int(match[3]), FrameKind.PYTHON)
    return Frame(name, file, line, FrameKind.PYTHON if file else FrameKind.SCOPE)
