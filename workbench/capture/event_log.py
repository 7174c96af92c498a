"""Reading a recording: the event logs of all its processes, as one profile.

The reader needs only docs/event-log.md and trusts nothing: every length and offset is checked, whatever is
torn or strange is left out and counted, and what is sound before it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder, SpanRecord
from workbench.scopes import _layout as layout

EVENT = np.dtype([("start", "<u8"), ("name", "<u4"), ("depth", "<u2"), ("flags", "<u2"), ("end", "<u8")])
OPEN = np.dtype([("name", "<u4"), ("zero", "<u4"), ("start", "<u8")])
LATEST_NS = np.iinfo(np.int64).max
MOST_LANES = 8


@dataclass
class ProcessLog:
    """All segments of one process, parsed."""

    pid: int
    start_ns: int
    wall_ns: int
    end_ns: int
    """0 when the process was killed or still runs."""
    facts: dict[str, object]
    names: dict[int, str] = field(default_factory=dict)
    tracks: dict[int, dict[str, object]] = field(default_factory=dict)
    events: dict[int, list[NDArray[np.void]]] = field(default_factory=dict)
    open: dict[int, list[NDArray[np.void]]] = field(default_factory=dict)
    damaged: int = 0
    """Places at which a segment was cut because what followed made no sense."""


def is_recording(folder: Path) -> bool:
    """Return whether a folder holds a recording."""
    return (folder / layout.MANIFEST).is_file()


def read_recording(folder: str | Path) -> Profile:
    """Read a recording's logs as one profile, a track for each thread and task of each process.

    Scopes that were open when the recording ended, or when their process was killed, end at the last time
    that their process is known to have been alive and are marked unfinished.

    Raises:
        InvalidInputError: The folder holds no recording.
    """
    folder = Path(folder)
    if not is_recording(folder):
        raise InvalidInputError(f"{folder} holds no recording: it has no {layout.MANIFEST}")
    builder = ProfileBuilder(folder.name)
    logs = read_process_logs(folder)
    unknown = 0
    for log in logs:
        unknown += _add_process(builder, log)
    return builder.build(
        {
            "processes": len(logs),
            "damaged": sum(log.damaged for log in logs) + unknown,
            "misnested": builder.misnested,
            "wall_minus_monotonic_ns": logs[0].wall_ns - logs[0].start_ns if logs else 0,
        }
    )


def read_process_logs(folder: Path) -> list[ProcessLog]:
    """Parse every segment of a recording, grouped by process, in the order in which they began."""
    logs: dict[str, ProcessLog] = {}
    for path in sorted(folder.glob(f"*{layout.SUFFIX}")):
        _read_segment(path, logs)
    return sorted(logs.values(), key=lambda log: log.start_ns)


def _read_segment(path: Path, logs: dict[str, ProcessLog]) -> None:
    process_key = path.name.rsplit("-", 1)[0]
    try:
        data = path.read_bytes() if path.is_file() else b"no file"
    except OSError:  # gone, or not ours to read
        data = b"no file"
    if not any(data[: len(layout.MAGIC)]):  # its process was killed while it made this segment
        return
    if len(data) < layout.HEADER_SIZE or data[:8] != layout.MAGIC:
        logs.setdefault(process_key, ProcessLog(0, 0, 0, 0, {})).damaged += 1
        return
    _, version, _, _, _, pid, _, _, mono, wall = layout.HEADER.unpack_from(data, 0)
    if version != layout.VERSION:
        raise InvalidInputError(
            f"{path} is an event log of version {version}; this workbench reads version {layout.VERSION}"
        )
    (end,) = layout.HEADER_END_NS.unpack_from(data, layout.HEADER_END_NS_AT)
    log = logs.get(process_key)
    if log is None:
        log = logs[process_key] = ProcessLog(pid, mono, wall, end, _facts(data))
    log.end_ns = max(log.end_ns, end)
    for kind, track, start, stop in _chunks(data, log):
        if kind == layout.CHUNK_TEXT:
            _read_texts(data, start, stop, log)
        elif kind == layout.CHUNK_EVENTS:
            count = (stop - start) // EVENT.itemsize
            log.events.setdefault(track, []).append(np.frombuffer(data, EVENT, count, start))
        elif kind == layout.CHUNK_OPEN:
            count = (stop - start) // OPEN.itemsize
            log.open.setdefault(track, []).append(np.frombuffer(data, OPEN, count, start))
        else:
            log.damaged += 1


def _facts(data: bytes) -> dict[str, object]:
    (size,) = layout.HEADER_INFO_SIZE.unpack_from(data, layout.HEADER_INFO_SIZE_AT)
    size = min(size, layout.HEADER_SIZE - layout.HEADER_INFO_AT)
    return _json_object(data[layout.HEADER_INFO_AT : layout.HEADER_INFO_AT + size])


def _json_object(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _chunks(data: bytes, log: ProcessLog) -> Iterator[tuple[int, int, int, int]]:
    """Yield (kind, track, start, stop) of each chunk's content."""
    at = layout.HEADER_SIZE
    while at + layout.CHUNK.size <= len(data):
        size, kind, track, _, _ = layout.CHUNK.unpack_from(data, at)
        if size == 0:
            return
        if size < layout.CHUNK.size or size % 8 or at + size > len(data):
            log.damaged += 1
            return
        yield kind, track, at + layout.CHUNK.size, at + size
        at += size


def _read_texts(data: bytes, at: int, stop: int, log: ProcessLog) -> None:
    while at + layout.TEXT.size <= stop:
        committed, kind, number = layout.TEXT.unpack_from(data, at)
        if committed == 0:
            return
        start, size = at + layout.TEXT.size, committed - 1
        if start + size > stop:
            log.damaged += 1
            return
        content = data[start : start + size]
        if kind == layout.TEXT_NAME:
            log.names[number] = _text(content)
        elif kind == layout.TEXT_TRACK:
            log.tracks[number] = _json_object(content)
        at = start + size + -size % 8


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")


def _add_process(builder: ProfileBuilder, log: ProcessLog) -> int:
    """Add the tracks of one process; return how many events made no sense."""
    strange = 0
    command = log.facts.get("command")
    process = " ".join(str(part) for part in command) if isinstance(command, list) else ""
    closed = {track: _closed(chunks) for track, chunks in log.events.items()}
    still_open = {track: _still_open(chunks) for track, chunks in log.open.items()}
    last = _last_sign_of_life(log, closed, still_open)
    frames: dict[int, Frame] = {}
    for track in sorted(closed.keys() | still_open.keys()):
        records: list[SpanRecord] = []
        out_of_order = False
        seen: set[tuple[int, int]] = set()
        for start, name, depth, flags, end in closed.get(track, np.empty(0, EVENT)).tolist():
            if end < start or end > LATEST_NS or name not in log.names:
                strange += 1
                continue
            frame = frames.setdefault(name, Frame(log.names[name], kind=FrameKind.SCOPE))
            seen.add((start, name))
            out_of_order |= bool(flags & layout.FLAG_OUT_OF_ORDER)
            records.append(SpanRecord(start, end, depth, frame))
        for depth, (name, _, start) in enumerate(still_open.get(track, np.empty(0, OPEN)).tolist()):
            if (start, name) in seen:
                continue  # killed between writing the event and clearing the level
            seen.add((start, name))  # or between moving a level and clearing its old place
            if name not in log.names or start > LATEST_NS:
                strange += 1
                continue
            frame = frames.setdefault(name, Frame(log.names[name], kind=FrameKind.SCOPE))
            records.append(SpanRecord(start, max(last, start), depth, frame, unfinished=True))
        if not records:
            continue
        facts = log.tracks.get(track, {})
        name = str(facts.get("name") or f"Thread {track}")
        if facts.get("task"):
            name = f"{name} › {facts['task']}"
        ident = facts.get("ident")
        tid = ident if isinstance(ident, int) else track
        for i, lane in enumerate(_lanes(records) if out_of_order else [records]):
            label = f"{name} (out of order)" if i else name
            builder.add_track(label, pid=log.pid, tid=tid, process=process, spans=builder.spans(lane))
    return strange


def _lanes(records: list[SpanRecord]) -> list[list[SpanRecord]]:
    """Return the intervals of a track on as few lanes as it takes for each lane's to nest.

    A scope that was closed after the one it began in keeps its interval in this way; past the last lane
    the builder cuts it.
    """
    lanes: list[list[SpanRecord]] = [[] for _ in range(MOST_LANES)]
    ends: list[list[int]] = [[] for _ in range(MOST_LANES)]
    for record in sorted(records, key=lambda r: (r.start_ns, r.depth)):
        for i, opened in enumerate(ends):
            while opened and opened[-1] <= record.start_ns:
                opened.pop()
            if not opened or record.end_ns <= opened[-1] or i == MOST_LANES - 1:
                lanes[i].append(record)
                opened.append(record.end_ns)
                break
    return [lane for lane in lanes if lane]


def _last_sign_of_life(
    log: ProcessLog, closed: dict[int, NDArray[np.void]], still_open: dict[int, NDArray[np.void]]
) -> int:
    """Return the time at which a process ended its log, or else the last that it wrote."""
    times = [events["end"] for events in closed.values()] + [
        levels["start"] for levels in still_open.values()
    ]
    sane = [int(column[column <= LATEST_NS].max(initial=0)) for column in times]
    return log.end_ns if 0 < log.end_ns <= LATEST_NS else max(sane, default=0)


def _closed(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the completed events: those whose end, which is written last, is there."""
    events: NDArray[np.void] = np.concatenate(chunks)
    completed: NDArray[np.void] = events[events["end"] != 0]
    return completed


def _still_open(chunks: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the open levels, outermost first: they are contiguous, so the first clear one ends them."""
    levels: NDArray[np.void] = np.concatenate(chunks)
    clear = np.flatnonzero(levels["start"] == 0)
    return levels[: clear[0]] if len(clear) else levels
