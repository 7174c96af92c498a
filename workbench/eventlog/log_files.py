"""Parsing the files of a recording into one `ProcessLog` for each process.

It follows docs/event-log.md and checks every length and offset. Damaged parts are left out and counted; what precedes
them is kept.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.eventlog.compression import MAX_SEGMENT, expanded
from workbench.profile import ScopeSite
from workbench.scopes import layout

EVENT = np.dtype([("start", "<u8"), ("name", "<u4"), ("depth", "<u2"), ("flags", "<u2"), ("end", "<u8")])
OPEN = np.dtype([("name", "<u4"), ("zero", "<u4"), ("start", "<u8")])
RECORD = np.dtype([("head", "<u4"), ("a", "<u4"), ("b", "<u8")])
READING = np.dtype(
    [
        (name, "<u8")
        for name in (
            "at_ns",
            "resident_bytes",
            "threads",
            "cpu_ns",
            "major_faults",
            "read_bytes",
            "written_bytes",
            "voluntary_switches",
            "involuntary_switches",
        )
    ]
)
"""What the system counted of a process at one time."""
MAX_TIME_NS = np.iinfo(np.int64).max
NOT_SCOPES = layout.FLAG_VALUE | layout.FLAG_COUNTER | layout.FLAG_MARK
"""Flags of events that are no intervals."""
MAX_TEXTS = 4_000_000
"""Names of one process that are read: four times what a writer makes."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{1,128}", re.ASCII)


class Site(NamedTuple):
    """A call site of a scope: the lines of its `with` block, or of the function that it decorates."""

    file: str
    first_line: int
    last_line: int
    function: str = ""
    """The qualified name of the function that contains it."""
    use: str = "some"
    """`with`: a block; `function`: the whole decorated function; `call`: neither; `some`: the name is computed at run
    time, and this is the first of its call sites."""


class Module(NamedTuple):
    """An ELF file that a process has loaded."""

    base: int
    """Where its virtual address 0 is mapped."""
    build_id: str
    """Hexadecimal; empty if it has none."""
    path: str


@dataclass
class SampleSegment:
    """A segment of samples: the chunks of each sampled thread, in order."""

    threads: dict[int, list[NDArray[np.void]]] = field(default_factory=dict)
    modules: dict[int, Module] = field(default_factory=dict)


@dataclass
class ProcessLog:
    """All segments of one process, parsed."""

    key: str
    """Prefix of its files' names: the pid, and the time at which it began to record."""
    pid: int
    start_ns: int
    wall_ns: int
    end_ns: int
    """0 when the process was killed or still runs."""
    facts: dict[str, Any]
    names: dict[int, str] = field(default_factory=dict)
    sites: dict[int, Site] = field(default_factory=dict)
    remote_parents: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By id: the remote parent of the intervals of this id."""
    tracks: dict[int, dict[str, Any]] = field(default_factory=dict)
    costs: list[dict[str, Any]] = field(default_factory=list)
    clocks: list[tuple[int, int]] = field(default_factory=list)
    """(monotonic, wall) nanoseconds of the same instants"""
    stopped: int = 0
    """Why it stopped recording before its end: `STOPPED_FULL`, `STOPPED_BY_ERROR`, or 0."""
    elsewhere: set[str] = field(default_factory=set)
    """Names of scopes that stayed open because another thread or task closed them."""
    given_up: int = 0
    """Bytes of events that this process deleted because the recording was full."""
    events: dict[int, list[NDArray[np.void]]] = field(default_factory=dict)
    open: dict[int, list[NDArray[np.void]]] = field(default_factory=dict)
    samples: list[SampleSegment] = field(default_factory=list)
    modules: dict[int, Module] = field(default_factory=dict)
    """By number; the last statement of each."""
    sampler: tuple[int, ...] | None = None
    """The sampler's state as in `layout.SAMPLER_STATE`, on the process's own clock; None: no sampler ran."""
    readings: list[NDArray[np.void]] = field(default_factory=list)
    """What the system counted of the process, with times on the process's own clock."""
    moved_ns: int = 0
    """Nanoseconds added to the log's times; those of samples, readings and the sampler stay on its own clock."""
    damaged: int = 0
    """Number of damaged places; a segment is read up to its first one."""

    @property
    def command(self) -> str:
        """What the process was started with, in words, and which rank it was."""
        command, rank = self.facts.get("command"), self.facts.get("rank")
        of_rank = f"rank {rank}: " if isinstance(rank, int) else ""
        return of_rank + shlex.join(map(str, command)) if isinstance(command, list) else of_rank

    @cached_property
    def has_name(self) -> NDArray[np.bool_]:
        """(ids + 1,) whether each id has a name; the last entry, for all larger ids, is false."""
        numbers = np.array([number for number in self.names if number < 1 << 24], dtype=np.int64)
        known = np.zeros(int(numbers.max(initial=0)) + 2, dtype=np.bool_)
        known[numbers] = True
        return known


def read_process_logs(folder: Path) -> list[ProcessLog]:
    """Parse every segment of a recording, grouped by process, in the order in which they began.

    Raises:
        InvalidInputError: A segment is of another version.
    """
    logs: dict[str, ProcessLog] = {}
    for path in segments(folder):
        _read_segment(path, logs)
    return sorted(logs.values(), key=lambda log: log.start_ns)


def segments(folder: Path) -> list[Path]:
    """Return the segments of a recording by process and number, samples last, without the snapshots of memory."""
    found = folder.glob(f"*{layout.SUFFIX}")
    return sorted((path for path in found if "-m" not in path.stem), key=_segment_order)


def _segment_order(path: Path) -> tuple[str, bool, int, str]:
    """Return a key that sorts by process, then samples last, then by number."""
    key, _, rest = path.stem.rpartition("-")
    digits = rest.lstrip("ets")
    number = int(digits) if digits.isascii() and digits.isdigit() else -1
    return key, rest.startswith("s"), number, path.name


def _read_segment(path: Path, logs: dict[str, ProcessLog]) -> None:
    key = path.stem.rpartition("-")[0]
    data = content_of(path)
    if not any(data[: len(layout.MAGIC)]):  # the process was killed while it made this segment
        return
    if len(data) < layout.HEADER_SIZE or data[:8] != layout.MAGIC:
        logs.setdefault(key, ProcessLog(key, 0, 0, 0, 0, {})).damaged += 1
        return
    log = logs[key] = with_header(logs.get(key), key, data, path)
    segment = SampleSegment()
    for kind, track, start, stop in chunks(data, log):
        if kind == layout.CHUNK_TEXT:
            read_texts(data, start, stop, log, segment)
        elif kind == layout.CHUNK_EVENTS:
            count = (stop - start) // EVENT.itemsize
            log.events.setdefault(track, []).append(np.frombuffer(data, EVENT, count, start))
        elif kind == layout.CHUNK_OPEN:
            count = (stop - start) // OPEN.itemsize
            log.open.setdefault(track, []).append(np.frombuffer(data, OPEN, count, start))
        elif kind == layout.CHUNK_SAMPLES:
            count = (stop - start) // RECORD.itemsize
            segment.threads.setdefault(track, []).append(np.frombuffer(data, RECORD, count, start))
        elif kind == layout.CHUNK_READINGS:
            log.readings.append(np.frombuffer(data, READING, (stop - start) // READING.itemsize, start))
        elif kind == layout.CHUNK_SAMPLER and stop - start >= layout.SAMPLER_STATE.size:
            log.sampler = layout.SAMPLER_STATE.unpack_from(data, start)
    if segment.threads:
        log.samples.append(segment)
    log.modules.update(segment.modules)


def with_header(log: ProcessLog | None, key: str, header: bytes, path: Path) -> ProcessLog:
    """Return a process's log with what the header of one of its segments states.

    Raises:
        InvalidInputError: The segment is of another version.
    """
    _, version, _, _, _, pid, _, stopped, mono, wall = layout.HEADER.unpack_from(header, 0)
    if version != layout.VERSION:
        raise InvalidInputError(
            f"{path} is an event log of version {version}; this workbench reads version {layout.VERSION}"
        )
    (end,) = layout.HEADER_END_NS.unpack_from(header, layout.HEADER_END_NS_AT)
    if log is None or log.start_ns == 0:
        damaged = log.damaged if log is not None else 0
        log = ProcessLog(key, pid, mono, wall, end, _facts(header), damaged=damaged)
    log.end_ns = max(log.end_ns, end)
    log.stopped = max(log.stopped, stopped)
    return log


def content_of(path: Path) -> bytes:
    """Return a segment up to the size that its header states."""
    try:
        if not path.is_file():
            return b"no file"
        with path.open("rb") as file:
            header = file.read(layout.HEADER_SIZE)
            if header.startswith(layout.GZIP):
                return expanded(header + file.read(MAX_SEGMENT)) or b"no segment"
            if len(header) < layout.HEADER_SIZE:
                return header
            size = layout.HEADER.unpack_from(header)[3]
            return header + file.read(max(0, min(size, MAX_SEGMENT) - len(header)))
    except OSError:  # deleted, or not readable
        return b"no file"


def _facts(data: bytes) -> dict[str, Any]:
    (size,) = layout.HEADER_INFO_SIZE.unpack_from(data, layout.HEADER_INFO_SIZE_AT)
    size = min(size, layout.HEADER_SIZE - layout.HEADER_INFO_AT)
    return _json_object(data[layout.HEADER_INFO_AT : layout.HEADER_INFO_AT + size])


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def chunks(data: bytes, log: ProcessLog) -> Iterator[tuple[int, int, int, int]]:
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


def read_texts(data: bytes, at: int, stop: int, log: ProcessLog, segment: SampleSegment) -> int:
    """Read the texts of a chunk's content, and return where they end for now."""
    while at + layout.TEXT.size <= stop:
        committed, kind, number = layout.TEXT.unpack_from(data, at)
        if committed == 0:
            return at
        start, size = at + layout.TEXT.size, committed - 1
        if start + size > stop or len(log.names) > MAX_TEXTS:
            log.damaged += 1
            return stop
        if kind == layout.TEXT_MODULE:
            _read_module(number, data[start : start + size], log, segment)
        else:
            _read_text(kind, number, data[start : start + size], log)
        at = start + size + -size % 8
    return at


def _read_text(kind: int, number: int, content: bytes, log: ProcessLog) -> None:
    if kind == layout.TEXT_NAME:
        log.names[number] = _text(content)
    elif kind == layout.TEXT_TRACK:
        log.tracks[number] = _json_object(content)
    elif kind == layout.TEXT_SITE:
        first, _, rest = _text(content).partition(" ")
        last, _, file = rest.partition(" ")
        if first.isascii() and first.isdigit() and last.isascii() and last.isdigit() and len(last) < 10:
            log.sites[number] = Site(file, int(first[:9]), int(last))
        else:
            log.damaged += 1
    elif kind == layout.TEXT_CODE:
        facts = _json_object(content)
        if number in log.sites:
            log.sites[number] = log.sites[number]._replace(
                function=str(facts.get("function", "")),
                use=str(facts.get("use", "some")),
            )
    elif kind == layout.TEXT_CARRIED:
        log.remote_parents[number] = _json_object(content)
    elif kind == layout.TEXT_COST:
        log.costs.append(_json_object(content))
    elif kind == layout.TEXT_CLOCK:
        if content.isdigit() and len(content) < 20:
            log.clocks.append((number, int(content)))
    elif kind == layout.TEXT_ELSEWHERE:
        log.elsewhere.add(_text(content))
    elif kind == layout.TEXT_FULL:
        log.given_up += number


def _read_module(number: int, content: bytes, log: ProcessLog, segment: SampleSegment) -> None:
    base, _, rest = _text(content).partition(" ")
    build_id, _, path = rest.partition(" ")
    if _HEXADECIMAL.fullmatch(base) and (build_id == "-" or _HEXADECIMAL.fullmatch(build_id)):
        segment.modules[number] = Module(int(base, 16), build_id.strip("-"), path)
    else:
        log.damaged += 1


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")


def scope_sites(logs: Iterable[ProcessLog]) -> tuple[ScopeSite, ...]:
    """Return where the code opens scopes, outer ones of a line first."""
    found = {
        ScopeSite(log.names[number], *site): None
        for log in logs
        for number, site in sorted(log.sites.items())
        if number in log.names
    }
    return tuple(found)
