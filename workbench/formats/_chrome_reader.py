"""Reading Chrome's trace events: X, B and E, C, i and M, of any program that writes them.

The format is described in "Trace Event Format" (https://www.chromium.org/developers/how-tos/trace-event-profiling-tool/).
Other kinds of events, such as flows and asynchronous ones, have no place in a profile: they are counted in its facts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import InvalidInputError
from workbench.formats._chrome_tracks import Lane, profile_of
from workbench.formats._collector import collector_off
from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import nanoseconds
from workbench.formats._source import Source, read_source
from workbench.profile import Frame, FrameKind, Profile

OURS = "workbench"
MOST_SEARCHED = 64
"""Open events that are looked through for the one that an end names."""
_KINDS = {kind.name.lower(): kind for kind in FrameKind}
_LABEL = re.compile(r"(.+) \(([^()]*):(\d{1,9})\)", re.DOTALL)
"""How viztracer names a Python function."""


@collector_off()
def read_chrome(source: str | Path | Source) -> Profile:
    """Read a trace: a track for each thread, with its spans, counters and marks.

    Spans that begin together nest the longest first; one that outlives the one it is in ends with it, and is counted
    in the fact `misnested`. What is still open at the end is unfinished. What we wrote comes back as it was, save for
    what `write_chrome` leaves out.

    Raises:
        InvalidInputError: It cannot be read or is no such trace; the line says where.
    """
    source = read_source(source)
    text = JsonText(source, "a Chrome trace")
    trace = _Trace(text)
    ours: Any = None
    found = False
    if text.peek() == "[":
        found = True
        trace.add_all(may_be_open=True)
    else:
        for key in text.members():
            if key == "traceEvents":
                found = True
                trace.add_all(may_be_open=False)
            elif key == OURS:
                ours = text.value()
            else:
                text.value()
    text.end()
    if not found:
        raise InvalidInputError(f"{source.name} is not a Chrome trace: it has no traceEvents")
    try:
        return profile_of(source.stem, trace.frames(), list(trace.lanes.values()), ours, trace.facts())
    except ValueError as error:
        raise InvalidInputError(f"{source.name} is not a Chrome trace: {error}") from None


@dataclass
class _Trace:
    """What the events so far say."""

    text: JsonText
    lanes: dict[tuple[Any, Any], Lane] = field(default_factory=dict)
    names: dict[tuple[Any, ...], int] = field(default_factory=dict)
    """By name, category, file and line: a frame's number."""
    left_out: dict[str, int] = field(default_factory=dict)
    unmatched: int = 0

    def add_all(self, *, may_be_open: bool) -> None:
        """Take the events of the array at the cursor."""
        lanes, names, text = self.lanes, self.names, self.text
        others = {"B": self._begin, "E": self._end, "C": self._counter, "M": self._name}
        others |= dict.fromkeys("iIR", self._mark)
        for event in text.elements(may_be_open=may_be_open):
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

    def _begin(self, lane: Lane, event: dict[str, Any]) -> None:
        key: tuple[Any, ...] = (event.get("name", ""), event.get("cat"))
        if event.get("args"):
            key = self._key(key, lane, event["args"])
        lane.opened.append((len(lane.start), event.get("name", "")))
        lane.frame.append(self.names.setdefault(key, len(self.names)))
        lane.start.append(event["ts"])
        lane.duration.append(None)

    def _end(self, lane: Lane, event: dict[str, Any]) -> None:
        at, name = event["ts"], event.get("name")
        opened = lane.opened
        if name is not None and opened and opened[-1][1] != name:
            named = next(
                (i for i in range(1, min(len(opened), MOST_SEARCHED) + 1) if opened[-i][1] == name), 0
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

    def _counter(self, lane: Lane, event: dict[str, Any]) -> None:
        at = nanoseconds(event["ts"], 1000)
        arguments, name = event.get("args", {}), str(event.get("name", ""))
        if "id" in event:
            name += f"[{event['id']}]"
        for key, value in arguments.items():
            if type(value) not in (int, float):
                continue
            if type(value) is int and abs(value) > 1 << 1000:
                raise ValueError(f"the value {shown(value)} is too large")
            series = name if key == "value" or (len(arguments) == 1 and key == name) else f"{name} {key}"
            lane.counters.setdefault(series, []).append((at, float(value)))

    def _mark(self, lane: Lane, event: dict[str, Any]) -> None:
        lane.marks.append((nanoseconds(event["ts"], 1000), str(event.get("name", ""))))

    def _name(self, lane: Lane, event: dict[str, Any]) -> None:
        arguments = event.get("args")
        named = arguments.get("name") if isinstance(arguments, dict) else None
        if isinstance(named, str):
            if event.get("name") == "thread_name":
                lane.name = named
            elif event.get("name") == "process_name":
                lane.process = named

    def frames(self) -> list[Frame]:
        """Return the frames by their numbers."""
        return [_frame(*key) for key in self.names]

    def facts(self) -> dict[str, object]:
        """Return what was not taken."""
        found: dict[str, object] = {"format": "chrome"}
        if self.left_out:
            found["left_out"] = dict(self.left_out)
        if self.unmatched:
            found["unmatched_ends"] = self.unmatched
        return found


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
