"""The Firefox Profiler's processed format, for https://profiler.firefox.com: version 60, which its loader upgrades.

The format is described in that project's `docs-developer/processed-profile-format.md` and `src/types/profile.ts`. A
track is a thread: its spans are interval markers, its marks and counters instant markers, and its samples are weighted
by their milliseconds, with an empty stack for each gap. Stacks, frames and strings are shared by all threads, as in a
profile. The category of a frame is its kind.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from workbench.formats._nested_spans import with_gaps
from workbench.formats._string_table import StringTable
from workbench.formats.source import opened_for_writing
from workbench.profile import ROOT, Frame, FrameKind, Profile, Samples, Spans, Track

VERSION, GECKO_VERSION = 60, 31
CATEGORIES = {
    FrameKind.SCOPE: ("Scope", "purple"),
    FrameKind.PYTHON: ("Python", "yellow"),
    FrameKind.NATIVE: ("Native", "blue"),
    FrameKind.IDLE: ("Waiting", "transparent"),
}
"""By the number of the kind, with colours that the program has."""
OTHER = {"name": "Other", "color": "grey", "subcategories": ["Other"]}
SCOPE, MARK, COUNTER = "Scope", "Mark", "Counter"
"""Types of markers."""
INSTANT, INTERVAL = 0, 1
USUAL_NS = 1_000_000
"""Nanoseconds between samples where the sampler states none."""
_WHERE = ["marker-chart", "marker-table", "timeline-overview"]


def write_firefox(profile: Profile, path: str | Path | BinaryIO) -> None:
    """Write a profile with its spans, samples, CPU times, counters, marks and names.

    Raises:
        OSError: The file cannot be written.
    """
    with opened_for_writing(path) as file:
        for piece in _pieces(profile):
            file.write(piece)


def _pieces(profile: Profile) -> Iterator[bytes]:
    strings = StringTable()
    yield b'{"meta":' + _text(_meta(profile)) + b',"libs":[],"threads":['
    mains: set[int] = set()
    used: Counter[tuple[int, int]] = Counter()
    for i, track in enumerate(profile.tracks):
        used[track.pid, track.tid] += 1
        times = used[track.pid, track.tid]
        tid = str(track.tid) if times == 1 else f"{track.tid}.{times}"
        thread = _thread(profile, track, tid, strings)
        thread["isMainThread"] = track.pid not in mains
        mains.add(track.pid)
        yield b"," * bool(i) + _text(thread)
    yield b'],"shared":' + _text(_shared(profile, strings)) + b"}\n"


def _text(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def _meta(profile: Profile) -> dict[str, Any]:
    periods = [run.period_ns for run in profile.recording.samplers if run.period_ns > 0]
    categories = [
        {"name": name, "color": colour, "subcategories": ["Other"]} for name, colour in CATEGORIES.values()
    ]
    work = sorted({name for track in profile.tracks if track.spans is not None for name in track.spans.work})
    offset = profile.recording.wall_minus_monotonic_ns
    return {
        "product": profile.name or "profile",
        "importedFrom": "workbench",
        "interval": min(periods, default=USUAL_NS) / 1e6,
        "startTime": (profile.start_ns + offset) / 1e6 if offset else 0,
        "profilingStartTime": 0,
        "profilingEndTime": (profile.end_ns - profile.start_ns) / 1e6,
        "processType": 0,
        "stackwalk": 1,
        "version": GECKO_VERSION,
        "preprocessedProfileVersion": VERSION,
        "symbolicated": True,
        "symbolicationNotSupported": True,
        "usesOnlyOneStackType": True,
        "sourceCodeIsNotOnSearchfox": True,
        "keepProfileThreadOrder": True,
        "sampleUnits": {"time": "ms", "eventDelay": "ms", "threadCPUDelta": "ns"},
        "categories": [*categories, OTHER],
        "markerSchema": [
            _schema(
                SCOPE, [("unfinished", "string"), ("propagated", "string"), *((w, "decimal") for w in work)]
            ),
            _schema(MARK, []),
            _schema(COUNTER, [("value", "decimal")]),
        ],
    }


def _schema(name: str, fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "name": name,
        "display": _WHERE,
        "tooltipLabel": "{marker.name}",
        "tableLabel": "{marker.name}",
        "chartLabel": "{marker.name}",
        "fields": [{"key": key, "label": key, "format": format_} for key, format_ in fields],
        **({"isStackBased": True} if name == SCOPE else {}),
    }


def _shared(profile: Profile, strings: StringTable) -> dict[str, Any]:
    """Return the tables of all threads: a frame of the profile is a frame with its function."""
    stacks, frames = profile.stacks, profile.frames
    count = len(frames)
    sources: dict[str, int] = {}
    functions = {
        "name": [strings(frame.name) for frame in frames],
        "isJS": [False] * count,
        "relevantForJS": [False] * count,
        "resource": [-1] * count,
        "source": [sources.setdefault(f.file, len(sources)) if f.file else None for f in frames],
        "lineNumber": _lines(frames),
        "columnNumber": [None] * count,
        "length": count,
    }
    return {
        "stackTable": {
            "frame": stacks.frame.tolist(),
            "prefix": _or_null(stacks.parent),
            "length": len(stacks),
        },
        "frameTable": {
            "address": [-1] * count,
            "inlineDepth": [0] * count,
            "category": [int(frame.kind) for frame in frames],
            "subcategory": [0] * count,
            "func": list(range(count)),
            "nativeSymbol": [None] * count,
            "innerWindowID": [None] * count,
            "line": _lines(frames),
            "column": [None] * count,
            "length": count,
        },
        "funcTable": functions,
        "resourceTable": {"lib": [], "name": [], "host": [], "type": [], "length": 0},
        "nativeSymbols": {"libIndex": [], "address": [], "name": [], "functionSize": [], "length": 0},
        "sources": {
            "uuid": [None] * len(sources),
            "filename": [strings(file) for file in sources],
            "length": len(sources),
        },
        "stringArray": strings.strings(),
    }


def _lines(frames: Sequence[Frame]) -> list[int | None]:
    return [frame.line if frame.line > 0 else None for frame in frames]


def _or_null(stack: NDArray[np.int32]) -> list[int | None]:
    return [None if each == ROOT else each for each in stack.tolist()]


def _thread(profile: Profile, track: Track, tid: str, strings: StringTable) -> dict[str, Any]:
    return {
        "name": track.name,
        "processName": track.process or profile.name,
        "processType": "default",
        "pid": str(track.pid),
        "tid": tid,
        "processStartupTime": 0,
        "processShutdownTime": None,
        "registerTime": 0,
        "unregisterTime": None,
        "pausedRanges": [],
        "showMarkersInTimeline": True,
        "samples": _samples(profile, track.samples),
        "markers": _markers(profile, track, strings),
    }


def _samples(profile: Profile, samples: Samples | None) -> dict[str, Any]:
    if samples is None or not len(samples):
        nothing: dict[str, Any] = {
            "stack": [],
            "time": [],
            "weight": [],
            "weightType": "tracing-ms",
            "length": 0,
        }
        return nothing
    row, at, weight = with_gaps(samples, profile.start_ns, profile.end_ns)
    stack = np.append(samples.stack, ROOT)[row]
    found = {
        "stack": _or_null(stack),
        "time": _milliseconds(at - profile.start_ns),
        "weight": _milliseconds(weight),
        "weightType": "tracing-ms",
        "length": len(row),
    }
    if samples.cpu_ns is not None:
        # There a sample has the CPU time until its instant, here from its instant on.
        cpu = np.append(samples.cpu_ns, 0)[row]
        found["threadCPUDelta"] = [0, *cpu[:-1].tolist()]
    return found


def _milliseconds(values: NDArray[np.int64]) -> list[float]:
    found: list[float] = (values / 1e6).tolist()
    return found


def _markers(profile: Profile, track: Track, strings: StringTable) -> dict[str, Any]:
    start = profile.start_ns
    data: list[dict[str, Any]] = []
    names: list[int] = []
    begins: list[float] = []
    ends: list[float | None] = []
    categories: list[int] = []
    if track.spans is not None:
        spans = track.spans
        frames = profile.stacks.frame[spans.stack].tolist()
        of_frame = [strings(frame.name) for frame in profile.frames]
        names += [of_frame[frame] for frame in frames]
        categories += [int(profile.frames[frame].kind) for frame in frames]
        begins += _milliseconds(spans.start_ns - start)
        ends += _milliseconds(spans.end_ns - start)
        data += _span_data(spans)
    phases = [INTERVAL] * len(names)
    if track.marks is not None:
        names += map(strings, track.marks.name)
        begins += _milliseconds(track.marks.at_ns - start)
        data += [{"type": MARK}] * len(track.marks.name)
    for counter in track.counters:
        values = counter.value.tolist()
        begins += _milliseconds(counter.at_ns - start)
        names += [strings(counter.name)] * len(values)
        data += [{"type": COUNTER} | ({"value": value} if math.isfinite(value) else {}) for value in values]
    instants = len(names) - len(phases)
    return {
        "data": data,
        "name": names,
        "startTime": begins,
        "endTime": ends + [None] * instants,
        "phase": phases + [INSTANT] * instants,
        "category": categories + [len(CATEGORIES)] * instants,
        "length": len(names),
    }


def _span_data(spans: Spans) -> list[dict[str, Any]]:
    """Return what is known of each span; those without anything more share one record."""
    usual: dict[str, Any] = {"type": SCOPE}
    found = [usual] * len(spans)
    noted = spans.unfinished if spans.propagated is None else spans.unfinished | spans.propagated
    for column in spans.work.values():
        noted = noted | np.isfinite(column)
    for i in np.flatnonzero(noted).tolist():
        found[i] = dict(usual)
        if spans.unfinished[i]:
            found[i]["unfinished"] = "yes"
        if spans.propagated is not None and spans.propagated[i]:
            found[i]["propagated"] = "yes"
        for name, column in spans.work.items():
            if name != "type" and math.isfinite(column[i]):
                found[i][name] = float(column[i])
    return found
