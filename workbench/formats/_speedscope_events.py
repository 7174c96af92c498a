"""speedscope's events, opens and closes of frames, as spans.

Nearly every file has events as `{"type":"O","frame":3,"at":120}` without blanks, as our own do: a few
passes over the text make columns of them. As JSON, an event takes ten times the time; events with blanks are read so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.formats._json import JsonText, shown
from workbench.formats._numbers import nanosecond_column
from workbench.profile import ROOT, Spans, StackTable
from workbench.profile.stacks import MAX_FRAMES

BLOCK = 1 << 22
MAX_DIGITS = 18
"""Digits of a number, which then fits."""
_DIGITS = b"0123456789"
_NUMBERS_ONLY = bytes(each if each in _DIGITS else 32 for each in range(256))
_OPEN, _CLOSE = b'{"type":"O","frame":,"at":}', b'{"type":"C","frame":,"at":}'

Columns = tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]


class EventedProfile(NamedTuple):
    stack: list[int]
    """of each span, in the order of opening"""
    place: list[int]
    """(spans,) which event opens it"""
    until: list[int]
    """(spans,) which event closes it"""
    at: Any
    """(events,) as written, or already as an array"""


def read_events(text: JsonText, table: StackTable) -> EventedProfile:
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
    found = EventedProfile([], [], [0] * (len(opens) // 2), at)
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
                    f"event {event} of these closes frame {shown(frame)}, which is not on top", begin
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


def spans_of(events: EventedProfile, factor: int, start: int) -> Spans:
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


def compact_events(text: str) -> Columns | None:
    """Return whether each event opens, its frame and its time; None where one is written in another way."""
    parts: list[Columns] = []
    at = 0
    while at < len(text):
        cut = text.find("},", at + BLOCK) + 1 or len(text)
        part = _columns(text[at:cut].encode("ascii"))
        if part is None:
            return None
        parts.append(part)
        at = cut + 1
        if at == len(text):
            return None  # a comma after the last
    opens, frames, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    return opens, frames, times


def _columns(text: bytes) -> Columns | None:
    # Without its digits an event is one of two texts.
    rest = text.translate(None, _DIGITS).replace(_OPEN, b"O").replace(_CLOSE, b"C")
    kinds = np.frombuffer(rest, dtype=np.uint8)
    opens = kinds[::2] == ord("O")
    if (
        not np.all(opens | (kinds[::2] == ord("C")))
        or not np.all(kinds[1::2] == ord(","))
        or len(kinds) % 2 == 0
    ):
        return None
    # As many numbers as there are places for one, each between a colon and what ends its place, fill all of them.
    letters = np.frombuffer(text, dtype=np.uint8)
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    edges = np.flatnonzero(digit[1:] != digit[:-1]) + 1
    first, behind = edges[::2], edges[1::2]
    if len(edges) != 4 * len(opens) or digit[0] or not np.all(letters[first - 1] == ord(":")):
        return None
    ends = letters[behind]
    if not np.all((ends == ord(",")) | (ends == ord("}"))) or int((behind - first).max()) > MAX_DIGITS:
        return None
    numbers = np.fromstring(text.translate(_NUMBERS_ONLY), dtype=np.int64, sep=" ")
    return opens, numbers[::2], numbers[1::2]
