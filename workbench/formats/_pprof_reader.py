"""Reading pprof's files: of Go, of samplers of other languages, and our own.

The strings and functions follow the samples, so a file is walked through twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.formats import source as limits
from workbench.formats._json import shown
from workbench.formats._numbers import MAX_NS, nanoseconds
from workbench.formats._pprof_fields import (
    CPU,
    NATIVE,
    OF_KIND,
    SAMPLES,
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
from workbench.formats.folded import PYTHON_FILES
from workbench.formats.protobuf import BLOCK, VARINT, Field, fields, numbers, signed
from workbench.formats.source import Source, check_tracks, reading
from workbench.profile import FileFacts, Frame, FrameKind, Profile, Samples, StackTable, Track, profile_of

UNITS: Mapping[str, int] = {
    "nanoseconds": 1,
    "nanosecond": 1,
    "ns": 1,
    "microseconds": 1000,
    "microsecond": 1000,
    "us": 1000,
    "milliseconds": 1_000_000,
    "millisecond": 1_000_000,
    "ms": 1_000_000,
    "seconds": 1_000_000_000,
    "second": 1_000_000_000,
    "s": 1_000_000_000,
}
"""Nanoseconds of each. What is no time, such as bytes, is taken as microseconds, as in folded stacks."""
MAX_TICKS = (1 << 31) - 1
MAX_DIGITS = 19
"""Digits of a number in a text, which then fits."""
FREE_FRAMES, MAX_RATIO = 1 << 20, 4
"""Frames that any file may have, and those of a byte of a large one: functions inlined in one place are frames of each
sample that names it."""
SHOWN = 8
"""Names in a line on what was left out."""
_LABELS: Mapping[str, str] = {
    "thread name": SampleLabel.THREAD,
    "thread_name": SampleLabel.THREAD,
    "thread id": SampleLabel.TID,
    "tid": SampleLabel.TID,
    "process_id": SampleLabel.PID,
}
"""Labels of other programs that say the same."""
_KINDS = {name: kind for kind, name in OF_KIND.items()} | {NATIVE: FrameKind.NATIVE}
_UNKNOWN = "[unknown]"
_BLOCKS = frozenset(ProfileField) - {
    ProfileField.TIME_NANOS,
    ProfileField.DURATION_NANOS,
    ProfileField.PERIOD,
    ProfileField.DEFAULT_SAMPLE_TYPE,
}


def looks_like_pprof(data: bytes) -> bool:
    """Return whether a file begins as programs write one: with a sample type, or the time and one."""
    try:
        for each in islice(fields(data, 0, len(data)), 4):
            if each.number not in frozenset(ProfileField) or (each.kind == BLOCK) != (each.number in _BLOCKS):
                return False
            if each.number == ProfileField.SAMPLE_TYPE:
                inner = fields(data, each.begin, each.end)
                return all(part.kind == VARINT and part.number in frozenset(ValueTypeField) for part in inner)
    except ValueError:
        pass
    return False


def read_pprof(source: str | Path | Source) -> Profile:
    """Read a file's stacks as the samples of a track for each of its threads, one after the other.

    Of several sample types the default one is read if it is a time, else `wall` or the first that is a time, else the
    default one as microseconds; `samples` become the ticks, and `cpu` the CPU time beside `wall`. A function's line is
    that of its definition, where the file states it.

    Raises:
        InvalidInputError: It cannot be read, is no such file, or is a difference, whose amounts may be negative.
    """
    with reading(source, "a pprof file") as source:
        return _Reader(source).profile()


class _Columns(NamedTuple):
    """Which of the sample types are read, and as what."""

    weight: int
    factor: int
    """Nanoseconds of its unit."""
    ticks: int | None
    cpu: int | None
    cpu_factor: int
    warnings: tuple[str, ...]
    unit: str


class _Thread(NamedTuple):
    """What labels say of a sample's thread."""

    name: str = ""
    process: str = ""
    tid: int = 0
    pid: int = 0


@dataclass
class _Rows:
    """The samples of one thread."""

    stack: list[int] = field(default_factory=list)
    weight: list[int] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    cpu: list[int] = field(default_factory=list)


class _Reader:
    """One file on its way to a profile."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.data = source.data
        self.strings: list[str] = []
        self.frames: dict[Frame, int] = {}
        self.labels_left: Counter[str] = Counter()

    def profile(self) -> Profile:
        """Return the profile."""
        held: dict[int, list[Field]] = {each: [] for each in ProfileField}
        default = 0
        for count, each in enumerate(fields(self.data, 0, len(self.data))):
            if count >= limits.MAX_PARTS:
                raise ValueError(f"it has more than {limits.MAX_PARTS} parts: cut it")
            if each.number == ProfileField.DEFAULT_SAMPLE_TYPE and each.kind == VARINT:
                default = each.value
            elif each.number in held and each.number != ProfileField.SAMPLE and each.kind == BLOCK:
                held[each.number].append(each)
        self.strings = [
            self.data[each.begin : each.end].decode("utf-8", "replace")
            for each in held[ProfileField.STRING_TABLE]
        ]
        types = [self._type(each) for each in held[ProfileField.SAMPLE_TYPE]]
        if not types:
            raise ValueError("it states no sample type")
        columns = _columns(types, self._string(default) if default else "")
        table = StackTable()
        rows = self._rows(self._locations(held), len(types), columns, table)
        tracks = [_track(thread, found, columns) for thread, found in rows.items()]
        ends = [int((t.samples.at_ns + t.samples.weight_ns)[-1]) for t in tracks if t.samples is not None]
        facts = FileFacts("pprof", (*columns.warnings, *self._left_out()), columns.unit, is_merged=True)
        bounds = (0, max(ends, default=0))
        return profile_of(table, self.source.stem, list(self.frames), tracks, bounds, facts)

    def _left_out(self) -> Iterator[str]:
        if self.labels_left:
            found = [f"{shown(name)} of {count:,}" for name, count in self.labels_left.most_common(SHOWN)]
            yield f"labels of samples that are no thread's were left out: {', '.join(found)}"

    def _string(self, index: int) -> str:
        if index >= len(self.strings):
            raise ValueError(f"it names string {index}, and there are {len(self.strings)} strings")
        return self.strings[index]

    def _numbers(self, message: Field) -> dict[int, int]:
        """Return the numbers of a message by field; of a field that is repeated, the last."""
        found = fields(self.data, message.begin, message.end)
        return {each.number: each.value for each in found if each.kind == VARINT}

    def _type(self, message: Field) -> tuple[str, str]:
        found = self._numbers(message)
        return (
            self._string(found.get(ValueTypeField.TYPE, 0)),
            self._string(found.get(ValueTypeField.UNIT, 0)),
        )

    def _locations(self, held: Mapping[int, list[Field]]) -> dict[int, list[int]]:
        """Return the numbers of the frames of each location, the outermost first."""
        files = {
            found.get(MappingField.ID, 0): self._string(found.get(MappingField.FILENAME, 0))
            for found in map(self._numbers, held[ProfileField.MAPPING])
        }
        functions: dict[int, tuple[str, str, int]] = {}
        for found in map(self._numbers, held[ProfileField.FUNCTION]):
            name = self._string(found.get(FunctionField.NAME, 0))
            name = name or self._string(found.get(FunctionField.SYSTEM_NAME, 0))
            line = signed(found.get(FunctionField.START_LINE, 0))
            functions[found.get(FunctionField.ID, 0)] = (
                name,
                self._string(found.get(FunctionField.FILENAME, 0)),
                line if 0 < line < MAX_TICKS else 0,
            )
        locations: dict[int, list[int]] = {}
        for message in held[ProfileField.LOCATION]:
            found = self._numbers(message)
            mapping = files.get(found.get(LocationField.MAPPING_ID, 0), "")
            lines = [
                self._numbers(each).get(LineField.FUNCTION_ID, 0)
                for each in fields(self.data, message.begin, message.end)
                if each.number == LocationField.LINE and each.kind == BLOCK
            ]
            wrong = [line for line in lines if line not in functions]
            if wrong:
                raise ValueError(f"a location names function {wrong[0]}, which there is not")
            frames = [_frame(*functions[line], mapping) for line in reversed(lines)]
            frames = frames or [_without_symbol(mapping)]
            locations[found.get(LocationField.ID, 0)] = [
                self.frames.setdefault(frame, len(self.frames)) for frame in frames
            ]
        return locations

    def _rows(
        self, locations: Mapping[int, list[int]], types: int, columns: _Columns, table: StackTable
    ) -> dict[_Thread, _Rows]:
        rows: dict[_Thread, _Rows] = {}
        frames = number = 0
        most = min(limits.MAX_VALUES, max(FREE_FRAMES, MAX_RATIO * len(self.data)))
        for each in fields(self.data, 0, len(self.data)):
            if each.number != ProfileField.SAMPLE or each.kind != BLOCK:
                continue
            number += 1
            path, values, labels = self._sample(each)
            if len(values) != types:
                raise ValueError(
                    f"sample {number} has {len(values)} amounts, and there are {types} sample types"
                )
            weight = nanoseconds(values[columns.weight], columns.factor)
            ticks = 1 if columns.ticks is None else values[columns.ticks]
            cpu = 0 if columns.cpu is None else nanoseconds(values[columns.cpu], columns.cpu_factor)
            if not 0 <= ticks <= MAX_TICKS:
                raise ValueError(f"sample {number} counts {ticks} samples")
            if not weight and not (columns.ticks is not None and ticks):
                continue  # of another sample type
            stack: list[int] = []
            for location in reversed(path):
                if location not in locations:
                    raise ValueError(f"sample {number} names location {location}, which there is not")
                stack += locations[location]
                if frames + len(stack) > most:
                    raise ValueError(f"its stacks hold more than {most} frames: cut it")
            frames += len(stack)
            thread = self._thread(labels)
            if thread not in rows:
                rows[thread] = _Rows()
                check_tracks(len(rows))
            found = rows[thread]
            found.stack.append(table.path(stack))
            found.weight.append(weight)
            found.ticks.append(ticks)
            found.cpu.append(cpu)
        return rows

    def _sample(self, message: Field) -> tuple[list[int], list[int], list[Field]]:
        path: list[int] = []
        values: list[int] = []
        labels: list[Field] = []
        for each in fields(self.data, message.begin, message.end):
            if each.number == SampleField.LOCATION_ID:
                path += numbers(self.data, each)
            elif each.number == SampleField.VALUE:
                values += map(signed, numbers(self.data, each))
            elif each.number == SampleField.LABEL and each.kind == BLOCK:
                labels.append(each)
        return path, values, labels

    def _thread(self, labels: Sequence[Field]) -> _Thread:
        """Return the thread that labels name; others are counted."""
        found = _Thread()
        for each in labels:
            label = self._numbers(each)
            key = self._string(label.get(LabelField.KEY, 0))
            text = self._string(label.get(LabelField.STR, 0))
            value = signed(label.get(LabelField.NUM, 0))
            number = int(text) if text.isdecimal() and len(text) < MAX_DIGITS else value
            match _LABELS.get(key, key):
                case SampleLabel.THREAD if text:
                    found = found._replace(name=text)
                case SampleLabel.PROCESS if text:
                    found = found._replace(process=text)
                case SampleLabel.TID | SampleLabel.THREAD:
                    found = found._replace(tid=number)
                case SampleLabel.PID:
                    found = found._replace(pid=number)
                case SampleLabel.SCOPE:  # the stack has it
                    pass
                case _:
                    self.labels_left[key] += 1
        return found


def _columns(types: Sequence[tuple[str, str]], default: str) -> _Columns:
    """Return which sample types are read."""
    names = [name for name, _ in types]
    times = [i for i, (_, unit) in enumerate(types) if unit in UNITS]
    main = names.index(default) if default in names else len(types) - 1
    wall = [i for i in times if names[i] == WALL[0]]
    weight = main if main in times else (wall or times or [main])[0]
    ticks = next((i for i, each in enumerate(types) if each == SAMPLES and i != weight), None)
    cpu = next((i for i in times if names[i] == CPU[0] and wall == [weight]), None)
    warnings = []
    name, unit = types[weight]
    if weight not in times:
        warnings.append(f"the sample type {shown(name)} is no time: {shown(unit)} are shown as microseconds")
    left = [shown(names[i]) for i in range(len(types)) if i not in (weight, ticks, cpu)]
    if left:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        warnings.append(
            f"of the sample types, {shown(name)} is read; left out: {', '.join(left[:SHOWN])}{more}"
        )
    return _Columns(
        weight,
        UNITS.get(unit, 1000),
        ticks,
        cpu,
        UNITS[types[cpu][1]] if cpu is not None else 1,
        tuple(warnings),
        "" if weight in times else f"{shown(unit)}, shown as microseconds",
    )


def _frame(name: str, file: str, line: int, mapping: str) -> Frame:
    kind = _KINDS.get(mapping)
    if kind is None:
        kind = FrameKind.PYTHON if file.endswith(PYTHON_FILES) else FrameKind.NATIVE
    return Frame(name, file, line, kind)


def _without_symbol(mapping: str) -> Frame:
    return Frame(f"[{Path(mapping).name}]" if mapping else _UNKNOWN, mapping, kind=FrameKind.NATIVE)


def _track(thread: _Thread, rows: _Rows, columns: _Columns) -> Track:
    weight = np.array(rows.weight, dtype=np.int64)
    if sum(rows.weight) > MAX_NS:
        raise ValueError("its amounts together are too large")
    samples = Samples(
        np.array(rows.stack, dtype=np.int32),
        np.cumsum(weight) - weight,
        weight,
        ticks=np.array(rows.ticks, dtype=np.int32) if columns.ticks is not None else None,
        cpu_ns=np.array(rows.cpu, dtype=np.int64) if columns.cpu is not None else None,
    )
    return Track(thread.name, thread.pid, thread.tid, thread.process, samples=samples)
