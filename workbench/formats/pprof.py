"""pprof's format, which `go tool pprof` and others read: https://github.com/google/pprof, `proto/profile.proto`.

A file has stacks with an amount of each sample type, merged over time: it knows no instants. Of what the sampler saw we
write `samples` (how often), `wall` and, where it is known, `cpu`; of the exact spans `scope_calls` and `scopes`, their
self time. Each row has one of the two, with the thread and the innermost scope as labels. Kinds of frames are mappings
with names in brackets, as `[vdso]` is one; a native frame's mapping is its file. The reader is in `_pprof_reader.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from workbench.errors import InvalidInputError
from workbench.formats._pprof_fields import (
    CALLS,
    CPU,
    NATIVE,
    OF_KIND,
    SAMPLES,
    SCOPES,
    WALL,
    FunctionField,
    LabelField,
    LineField,
    LocationField,
    MappingField,
    ProfileField,
    SampleField,
    SampleLabel,
    ValueTypeField,
)
from workbench.formats._pprof_reader import looks_like_pprof, read_pprof
from workbench.formats._string_table import StringTable
from workbench.formats.protobuf import block, number, packed, varint
from workbench.formats.source import opened_for_writing
from workbench.profile import ROOT, FrameKind, Profile, Track, aggregate
from workbench.profile.stacks import depths

__all__ = ["looks_like_pprof", "read_pprof", "write_pprof"]

MAX_NUMBERS = 1 << 26
"""Frames of all stacks together, at most: each row states its whole stack."""


class _Row(NamedTuple):
    """Amounts of one stack on one track."""

    track: int
    stack: int
    values: tuple[int, ...]
    """Those of the file's sample types."""


def write_pprof(profile: Profile, path: str | Path | BinaryIO) -> None:
    """Write a profile's samples and the self times of its spans.

    Letters that UTF-8 cannot hold are written as their escapes.

    Raises:
        InvalidInputError: Its stacks are so deep and so many that no program could open the file.
        OSError: The file cannot be written.
    """
    with opened_for_writing(path) as file:
        for piece in _pieces(profile):
            file.write(piece)


def _pieces(profile: Profile) -> Iterator[bytes]:
    samples = [track.samples for track in profile.tracks if track.samples is not None]
    has_samples = any(len(each) for each in samples)
    types = [SAMPLES, WALL] if has_samples else []
    types += [CPU] if any(each.cpu_ns is not None for each in samples) and has_samples else []
    of_samples = len(types)
    if not has_samples or any(track.spans is not None and len(track.spans) for track in profile.tracks):
        types += [CALLS, SCOPES]
    rows = list(_rows(profile, of_samples, len(types)))
    depth = depths(profile.stacks)
    if sum(int(depth[row.stack]) + 1 for row in rows) > MAX_NUMBERS:
        raise InvalidInputError(
            f"the stacks of {profile.name!r} hold more than {MAX_NUMBERS} frames, each stack in full: write chrome"
        )
    strings = StringTable("")
    for type_, unit in types:
        content = number(ValueTypeField.TYPE, strings(type_)) + number(ValueTypeField.UNIT, strings(unit))
        yield block(ProfileField.SAMPLE_TYPE, content)
    yield from _samples(profile, rows, strings)
    yield from _frames(profile, strings)
    main = (WALL if has_samples else SCOPES)[0]
    periods = [run.period_ns for run in profile.recording.samplers if run.period_ns > 0]
    if has_samples and periods:
        content = number(ValueTypeField.TYPE, strings(WALL[0])) + number(
            ValueTypeField.UNIT, strings(WALL[1])
        )
        yield block(ProfileField.PERIOD_TYPE, content) + number(ProfileField.PERIOD, min(periods))
    if offset := profile.recording.wall_minus_monotonic_ns:
        yield number(ProfileField.TIME_NANOS, profile.start_ns + offset)
    yield number(ProfileField.DURATION_NANOS, profile.end_ns - profile.start_ns)
    yield number(ProfileField.DEFAULT_SAMPLE_TYPE, strings(main))
    for text in strings.strings():
        yield block(ProfileField.STRING_TABLE, text.encode("utf-8", "backslashreplace"))


def _rows(profile: Profile, of_samples: int, types: int) -> Iterator[_Row]:
    """Yield what each track has on each of its stacks: rows of samples, and rows of spans."""
    nothing = (0,) * of_samples
    for i, track in enumerate(profile.tracks):
        if track.samples is not None:
            yield from _sample_rows(track, i, of_samples, types)
        if track.spans is not None and len(track.spans):
            tree = aggregate(replace(profile, tracks=(track,)), of="spans")
            for stack in np.flatnonzero((tree.self_ns != 0) | (tree.count != 0)).tolist():
                yield _Row(i, stack, (*nothing, int(tree.count[stack]), int(tree.self_ns[stack])))


def _sample_rows(track: Track, number_of_track: int, of_samples: int, types: int) -> Iterator[_Row]:
    samples = track.samples
    assert samples is not None
    seen = samples.stack != ROOT
    stacks, row = np.unique(samples.stack[seen], return_inverse=True)
    columns = [samples.count[seen], samples.weight_ns[seen]]
    if of_samples > len(columns):
        columns.append(np.zeros(len(row), np.int64) if samples.cpu_ns is None else samples.cpu_ns[seen])
    sums = np.zeros((len(stacks), types), dtype=np.int64)
    for place, column in enumerate(columns):
        np.add.at(sums[:, place], row, column)
    for stack, values in zip(stacks.tolist(), sums.tolist(), strict=True):
        yield _Row(number_of_track, stack, tuple(values))


def _samples(profile: Profile, rows: list[_Row], strings: StringTable) -> Iterator[bytes]:
    """Yield each row as a sample; the number of a location is one more than its frame's."""
    location = [varint(i + 1) for i in range(len(profile.frames))]
    scopes = _scopes(profile)
    labels = [_track_labels(track, strings) for track in profile.tracks]
    frames, parents = profile.stacks.frame.tolist(), profile.stacks.parent.tolist()
    for row in rows:
        path: list[bytes] = []
        stack = row.stack
        while stack != ROOT:
            path.append(location[frames[stack]])
            stack = parents[stack]
        content = block(SampleField.LOCATION_ID, b"".join(path)) + packed(SampleField.VALUE, row.values)
        scope = scopes[row.stack]
        named = _text_label(SampleLabel.SCOPE, profile.frames[scope].name, strings) if scope >= 0 else b""
        yield block(ProfileField.SAMPLE, content + labels[row.track] + named)


def _scopes(profile: Profile) -> list[int]:
    """Return (stacks,) the frame of the innermost scope of each, or -1."""
    is_scope = [frame.kind is FrameKind.SCOPE for frame in profile.frames]
    found: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        found.append(frame if is_scope[frame] else found[parent] if parent != ROOT else -1)
    return found


def _track_labels(track: Track, strings: StringTable) -> bytes:
    found = _text_label(SampleLabel.THREAD, track.name, strings) + _text_label(
        SampleLabel.PROCESS, track.process, strings
    )
    for key, value in ((SampleLabel.TID, track.tid), (SampleLabel.PID, track.pid)):
        content = number(LabelField.KEY, strings(key)) + number(LabelField.NUM, value)
        found += block(SampleField.LABEL, content)
    return found


def _text_label(key: str, text: str, strings: StringTable) -> bytes:
    if not text:
        return b""
    content = number(LabelField.KEY, strings(key)) + number(LabelField.STR, strings(text))
    return block(SampleField.LABEL, content)


def _frames(profile: Profile, strings: StringTable) -> Iterator[bytes]:
    """Yield the mappings, and a location and a function for each frame."""
    commands = [track.process for track in profile.tracks if track.process]
    mappings = {(*commands, profile.name)[0]: 1}  # the first is the program's
    places: list[bytes] = []
    for i, frame in enumerate(profile.frames, start=1):
        name = OF_KIND.get(frame.kind) or frame.file or NATIVE
        mapping = mappings.setdefault(name, len(mappings) + 1)
        line, file = max(frame.line, 0), strings(frame.file)
        function = (
            number(FunctionField.ID, i)
            + number(FunctionField.NAME, strings(frame.name))
            + number(FunctionField.SYSTEM_NAME, strings(frame.name))
            + number(FunctionField.FILENAME, file)
            + number(FunctionField.START_LINE, line)
        )
        location = (
            number(LocationField.ID, i)
            + number(LocationField.MAPPING_ID, mapping)
            + block(LocationField.LINE, number(LineField.FUNCTION_ID, i) + number(LineField.LINE, line))
        )
        places.append(block(ProfileField.LOCATION, location) + block(ProfileField.FUNCTION, function))
    for name, i in mappings.items():
        # Functions, files and lines are known: no program should look for symbols.
        known = b"".join(number(field, 1) for field in MappingField if field >= MappingField.HAS_FUNCTIONS)
        content = number(MappingField.ID, i) + number(MappingField.FILENAME, strings(name)) + known
        yield block(ProfileField.MAPPING, content)
    yield from places
