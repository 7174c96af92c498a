"""Chrome's trace events, as Perfetto (https://ui.perfetto.dev) and chrome://tracing open them.

A span is an "X" event with its start and duration in microseconds, to the nanosecond; a counter's value is a "C", a
mark an "i", names of processes and threads are "M". The viewers have no samples: the time in which sampled stacks had
a frame in common is an "X" event of it, on a thread of its own after its thread. Ids above 31 bits, which
Perfetto cuts, and ids that several tracks share, are replaced; the real ones are in our own member, `workbench`,
which the viewers ignore. The reader is in `_chrome_reader.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.formats._chrome_member import MEMBER, ChromeMember, StatedLane, StatedTrack
from workbench.formats._chrome_reader import read_chrome
from workbench.formats._nested_spans import spans_of_samples
from workbench.formats._rows import ROWS, Texts, rows, table, thousandths
from workbench.formats.source import opened_for_writing
from workbench.profile import Profile, Spans, Track
from workbench.profile.stacks import around, depths
from workbench.records import plain

__all__ = ["read_chrome", "write_chrome"]

MAX_ID = 1 << 31


def write_chrome(profile: Profile, path: str | Path | BinaryIO) -> None:
    """Write a profile with its spans, samples, counters, marks and names.

    Values that JSON cannot hold, such as NaN, are left out, and so are samples of no time; equal samples that
    follow each other become one.

    Raises:
        InvalidInputError: Its sampled stacks are so deep and so many that no viewer could open the file.
        OSError: The file cannot be written.
    """
    with opened_for_writing(path) as file:
        for piece in _pieces(profile):
            file.write(piece)


def _pieces(profile: Profile) -> Iterator[bytes]:
    lanes = _lanes(profile)
    depth = depths(profile.stacks)
    yield b'{"displayTimeUnit":"ns","traceEvents":[\n'
    events = _events(profile, lanes, depth)
    first = next((piece for piece in events if piece), b"")
    yield first[1:]  # each event has a comma in front
    yield from events
    yield b"],\n" + _text(MEMBER) + b":" + _text(_ours(profile, lanes)) + b"}\n"


def _events(profile: Profile, lanes: list[StatedLane], depth: NDArray[np.int32]) -> Iterator[bytes]:
    yield from _in_pieces(b"," + _text(event) for event in _names(profile, lanes))
    for lane in lanes:
        track = profile.tracks[lane.track]
        if lane.of == "samples" and track.samples is not None:
            yield from _rows(profile, lane, spans_of_samples(profile.stacks, depth, track), depth)
        elif lane.of == "spans":
            if track.spans is not None:
                yield from _rows(profile, lane, track.spans, depth)
            yield from _points(profile, lane, track)


def _text(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def _lanes(profile: Profile) -> list[StatedLane]:
    """Return a lane for each track, and one more for its samples, with ids that all viewers take."""
    wanted = {(track.pid, track.tid) for track in profile.tracks}
    pids = _small_ids(sorted({pid for pid, _ in wanted}))
    used: set[tuple[int, int]] = set()
    free: dict[int, int] = {}
    lanes: list[StatedLane] = []
    for i, track in enumerate(profile.tracks):
        kinds: list[Literal["spans", "samples"]] = (
            ["spans"] if track.samples is None else ["spans", "samples"]
        )
        for of in kinds:
            pid, tid = pids[track.pid], track.tid
            if of == "samples" or not 0 < tid < MAX_ID or (pid, tid) in used:
                tid = free.get(pid, 1)
                while (pid, tid) in used or (track.pid, tid) in wanted:
                    tid += 1
                free[pid] = tid + 1
            used.add((pid, tid))
            lanes.append(StatedLane(pid, tid, i, of))
    return lanes


def _small_ids(ids: list[int]) -> dict[int, int]:
    found = {each: each for each in ids if 0 < each < MAX_ID}
    free = 1
    for each in ids:
        if each not in found:
            while free in found:
                free += 1
            found[each] = free
            free += 1
    return found


def _names(profile: Profile, lanes: list[StatedLane]) -> Iterator[dict[str, Any]]:
    named: set[int] = set()
    for i, lane in enumerate(lanes):
        track, pid = profile.tracks[lane.track], lane.pid
        who = {"ph": "M", "pid": pid, "tid": lane.tid}
        if pid not in named:
            named.add(pid)
            yield who | {"name": "process_name", "args": {"name": track.process or profile.name}}
        name = track.name if lane.of == "spans" else f"{track.name} (samples)"
        yield who | {"name": "thread_name", "args": {"name": name}}
        yield who | {"name": "thread_sort_index", "args": {"sort_index": i}}


def _ours(profile: Profile, lanes: list[StatedLane]) -> dict[str, Any]:
    """Return what a reader needs to make the same profile again."""
    tracks = [
        StatedTrack(
            track.name,
            track.pid,
            track.tid,
            track.process,
            spans=track.spans is not None,
            marks=track.marks is not None,
            carried=track.spans is not None and track.spans.propagated is not None,
            work=[] if track.spans is None else list(track.spans.work),
            counters=[counter.name for counter in track.counters],
        )
        for track in profile.tracks
    ]
    return plain(ChromeMember(profile.name, profile.start_ns, profile.end_ns, lanes, tracks))


def _rows(profile: Profile, lane: StatedLane, spans: Spans, depth: NDArray[np.int32]) -> Iterator[bytes]:
    frames = profile.stacks.frame[spans.stack]
    distinct, row = np.unique(frames, return_inverse=True)
    begins = []
    for number in distinct.tolist():
        frame = profile.frames[number]
        event = {
            "name": frame.name,
            "cat": frame.kind.name.lower(),
            "ph": "X",
            "pid": lane.pid,
            "tid": lane.tid,
        }
        begins.append(b"," + _text(event)[:-1] + b',"ts":')
    begin_texts = Texts(begins)
    ends, end_row = _ends(profile, spans, frames, depth)
    end_texts, duration = Texts(ends), table([b',"dur":'])
    for first in range(0, len(spans), ROWS):
        some = slice(first, first + ROWS)
        start, end = spans.start_ns[some], spans.end_ns[some]
        middle = [
            *thousandths(start - profile.start_ns),
            np.broadcast_to(duration, (len(start), duration.shape[1])),
            *thousandths(end - start),
        ]
        yield rows(begin_texts, row[some], middle, end_texts, end_row[some])


def _ends(
    profile: Profile, spans: Spans, frames: NDArray[np.int32], depth: NDArray[np.int32]
) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return the distinct texts that end an event, with its arguments, and which of them each span has."""
    deep = depth[spans.stack]
    outer = around(deep)
    # Where a span begins at the end of the one it is in, its place does not follow from its times.
    unclear = (outer >= 0) & (spans.start_ns == spans.end_ns[outer])
    columns: dict[str, NDArray[Any]] = {
        "unfinished": spans.unfinished,
        "carried": np.zeros(len(spans), dtype=np.bool_) if spans.propagated is None else spans.propagated,
        "depth": np.where(unclear, deep, -1),
    }
    code = frames.astype(np.int64)
    for column in [*columns.values(), *spans.work.values()]:
        values, inverse = np.unique(column, return_inverse=True)
        _, code = np.unique(code * max(len(values), 1) + inverse, return_inverse=True)
    _, examples, row = np.unique(code, return_index=True, return_inverse=True)
    ends = []
    for i in examples.tolist():
        frame = profile.frames[int(frames[i])]
        arguments: dict[str, Any] = {}
        if frame.file:
            arguments["file"] = frame.file
        if frame.line:
            arguments["line"] = frame.line
        if columns["unfinished"][i]:
            arguments["unfinished"] = True
        if columns["carried"][i]:
            arguments["carried"] = True
        if unclear[i]:
            arguments["depth"] = int(deep[i])
        work = {name: float(values[i]) for name, values in spans.work.items() if math.isfinite(values[i])}
        if work:
            arguments["work"] = work
        ends.append(b',"args":' + _text(arguments) + b"}" if arguments else b"}")
    return ends, row


def _points(profile: Profile, lane: StatedLane, track: Track) -> Iterator[bytes]:
    where = b',"pid":%d,"tid":%d,"ts":' % (lane.pid, lane.tid)
    for counter in track.counters:
        begin = b',{"name":' + _text(counter.name) + b',"ph":"C"' + where
        points = zip(counter.at_ns.tolist(), counter.value.tolist(), strict=True)
        yield from _in_pieces(
            begin + _microseconds(at - profile.start_ns) + b',"args":{"value":' + repr(value).encode() + b"}}"
            for at, value in points
            if math.isfinite(value)
        )
    if track.marks is not None:
        yield from _in_pieces(
            b',{"name":'
            + _text(name)
            + b',"ph":"i","s":"t"'
            + where
            + _microseconds(at - profile.start_ns)
            + b"}"
            for at, name in zip(track.marks.at_ns.tolist(), track.marks.name, strict=True)
        )


def _in_pieces(rows: Iterator[bytes]) -> Iterator[bytes]:
    piece: list[bytes] = []
    for row in rows:
        piece.append(row)
        if len(piece) >= 1000:
            yield b"".join(piece)
            piece.clear()
    yield b"".join(piece)


def _microseconds(at_ns: int) -> bytes:
    return b"%d.%03d" % divmod(at_ns, 1000)
