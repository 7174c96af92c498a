"""The lines of the program's own code that were sampled, and what was done there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from workbench.profile._own_code import IMPORTING, innermost_own, is_interpreter, is_own
from workbench.profile._record import Frame, FrameKind, LineStacks, Profile, Samples, ThreadState
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_paths import ScopePaths
from workbench.profile._thread_rows import ThreadRows, samples_of
from workbench.profile.stacks import ROOT, Int64, Stacks, StackTable


class LineWork(IntEnum):
    """What a thread did when it was sampled at a line."""

    PYTHON = 0
    """It ran the line's own bytecode, or a function of the interpreter for it, such as that which multiplies."""
    NATIVE = 1
    """It ran native code of a library that the line called."""
    LIBRARY = 2
    """It ran Python code of a library that the line called."""
    WAITING = 3
    """It waited in the system."""
    WAITING_FOR_LOCK = 4
    """It waited for the interpreter's lock."""


_CODE = (LineWork.PYTHON, LineWork.NATIVE, LineWork.LIBRARY)
_WAITS = (LineWork.WAITING, LineWork.WAITING_FOR_LOCK)


@dataclass(frozen=True)
class HotLine:
    """A line of the program's own code, and its shares of all samples. Imports of other modules are left out."""

    file: str
    line: int
    function: str
    of_all: SampledShare
    """In the line itself or in library code that it called."""
    total: SampledShare
    """The same, and in functions of the program's own that it called."""
    work: Mapping[LineWork, SampledShare]
    """`of_all` by what was done; without what the sampler does not know."""
    cpu: SampledShare | None = None
    """Of the CPU time of all threads, what `of_all` used; None where the sampler does not read it."""


@dataclass(frozen=True)
class LineSamples:
    """The samples of a profile, counted by stack of lines, what was done, and path of scopes."""

    counts: SampleCounts
    cpu: SampleCounts | None
    known: tuple[LineWork, ...]
    places: tuple[Frame, ...]
    paths: tuple[tuple[int, ...], ...]
    """Of each key: its places, outermost first."""
    work: tuple[int, ...]
    scopes: tuple[frozenset[str], ...]
    """Of each key: the names of the open scopes."""
    counted: Profile
    """The samples, each on a stack that is its key; the frame of that stands for the path of scopes."""
    by_time: bool
    """Whether shares are of the time that samples stand for, and not of their number."""

    @classmethod
    def of(cls, profile: Profile, *, by_time: bool = False) -> LineSamples:
        """Count the samples of a profile, each of one thread; see `SampleCounts.of`."""
        profile = _with_lines(profile)
        names = ScopePaths()
        scope = np.append(names.of_stacks(profile, frozenset({FrameKind.SCOPE})), ROOT)
        imports = innermost_own(profile) == IMPORTING
        work = _work_of_stacks(profile)
        numbers: dict[tuple[int, ...], int] = {}
        tracks = []
        for track in profile.tracks:
            samples = track.samples
            if samples is None:
                continue
            columns = np.stack([_lines(samples, imports), _work(samples, work), scope[samples.stack]])
            columns[:, samples.stack == ROOT] = ROOT
            keys, of_sample = np.unique(columns, axis=1, return_inverse=True)
            of_key = [numbers.setdefault(tuple(key), len(numbers)) for key in keys.T.tolist()]
            stack = np.array(of_key, dtype=np.int32)[of_sample.reshape(-1)]
            stack[samples.stack == ROOT] = ROOT
            tracks.append(replace(track, samples=replace(samples, stack=stack), spans=None))
        paths = [frozenset(path) for path in names.names()] + [frozenset[str]()]
        frames = (*(Frame(str(i), kind=FrameKind.SCOPE) for i in range(len(names))), Frame(""))
        frame = np.array([scope % len(frames) for _, _, scope in numbers] or [0], dtype=np.int32)
        flat = Stacks(np.full(len(frame), ROOT, dtype=np.int32), frame)
        counted = replace(profile, frames=frames, stacks=flat, tracks=tuple(tracks))
        counts = SampleCounts.of(counted, by_time=by_time)
        known = _known(profile, {work for _, work, _ in numbers})
        lines = profile.lines
        return cls(
            counts,
            SampleCounts.of_cpu(counted),
            known,
            lines.places,
            tuple(tuple(lines.stacks.path(line)) for line, _, _ in numbers),
            tuple(work for _, work, _ in numbers),
            tuple(paths[scope] for _, _, scope in numbers),
            counted,
            by_time or counts.changes is not None,
        )

    def marked(self, profile: Profile, group: Int64) -> Profile:
        """Return the profile that was counted, with groups of keys as the lines of its samples.

        Their CPU time is what was shared out to each, as far as that is known.

        Args:
            profile: The same.
            group: (keys,) the group of each, from 0.
        """
        numbers = np.append(group, ROOT).astype(np.int32)
        rows = ThreadRows.of(self.counted) if self.cpu is not None else None
        spent = np.zeros(sum(len(samples_of(track)) for track in self.counted.tracks), dtype=np.int64)
        if rows is not None and rows.cpu is not None:
            spent[rows.place] = np.rint(rows.cpu)
        tracks, counted, first = [], iter(self.counted.tracks), 0
        for track in profile.tracks:
            if track.samples is None:
                tracks.append(track)
                continue
            key = samples_of(next(counted)).stack
            cpu_ns = None if rows is None else spent[first : first + len(key)]
            first += len(key)
            samples = replace(track.samples, line=numbers[key], cpu_ns=cpu_ns)
            tracks.append(replace(track, samples=samples))
        size = int(group.max(initial=0)) + 1
        lines = LineStacks((Frame(""),), _flat(size))
        return replace(profile, tracks=tuple(tracks), lines=lines)

    def scope_names(self) -> list[str]:
        """Return the scopes with samples of the program's own code, the most frequent first."""
        found: dict[str, float] = {}
        for path, scopes, amount in zip(self.paths, self.scopes, self.counts.amount.tolist(), strict=False):
            for name in scopes if path else ():
                found[name] = found.get(name, 0.0) + amount
        return sorted(found, key=lambda name: (-found[name], name))

    def lines(
        self, scope: str | None = None, only: Collection[tuple[str, int]] | None = None
    ) -> tuple[HotLine, ...]:
        """Return the lines, the most frequent first, of the whole run or inside the scopes of one name.

        Args:
            scope: The name; None: the whole run.
            only: File and number of the lines that are wanted; None: all.
        """
        groups: dict[tuple[str, int], int] = {}
        function: list[str] = []
        members: list[tuple[int, int, int]] = []  # key, line, what is counted
        for key, (path, work, scopes) in enumerate(zip(self.paths, self.work, self.scopes, strict=True)):
            if not path or (scope is not None and scope not in scopes):
                continue
            seen = set()
            for number in path:
                place = self.places[number]
                if place.line > 0 and (only is None or place[1:3] in only):
                    group = groups.setdefault((place.file, place.line), len(groups))
                    if group == len(function):
                        function.append(place.name)
                    seen.add(group)
            members += [(key, group, _TOTAL) for group in seen]
            top = groups.get(self.places[path[-1]][1:3], -1)
            if top >= 0:
                members += [(key, top, _SELF), (key, top, work)]
        if not members:
            return ()
        key, line, what = np.array(members, dtype=np.int64).T
        shares = self.counts.parts(key, line * _COUNTED + what, len(groups) * _COUNTED)
        own = what == _SELF
        cpu = None if self.cpu is None else self.cpu.parts(key[own], line[own], len(groups))
        found = []
        for (file, number), group in groups.items():
            of_line = shares[group * _COUNTED : (group + 1) * _COUNTED]
            found.append(
                HotLine(
                    file,
                    number,
                    function[group],
                    of_line[_SELF],
                    of_line[_TOTAL],
                    {work: of_line[work] for work in self.known},
                    None if cpu is None else cpu[group],
                )
            )
        return tuple(
            sorted(found, key=lambda each: (-each.of_all.share, -each.total.share, each.file, each.line))
        )


_SELF, _TOTAL = len(LineWork), len(LineWork) + 1
_COUNTED = len(LineWork) + 2


def _flat(size: int) -> Stacks:
    return Stacks(np.full(size, ROOT, dtype=np.int32), np.zeros(size, dtype=np.int32))


def _lines(samples: Samples, imports: NDArray[np.bool_]) -> Int64:
    """Return (samples,) the stack of lines of each; `ROOT` while a module that is not the program's is imported."""
    if samples.line is None:
        return np.full(len(samples), ROOT, dtype=np.int64)
    importing = np.append(imports, False)[samples.stack]
    return np.where(importing, ROOT, samples.line).astype(np.int64)


def _work(samples: Samples, of_stack: Int64) -> Int64:
    found: Int64 = np.append(of_stack, LineWork.PYTHON)[samples.stack]
    if samples.state is not None:
        found[samples.state == ThreadState.WAITING_FOR_GIL] = LineWork.WAITING_FOR_LOCK
    return found


def _work_of_stacks(profile: Profile) -> Int64:
    """Return (stacks,) what a thread with that stack does; the interpreter works for the function below it."""
    of_frame = [_work_of(frame) for frame in profile.frames]
    found: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        work = of_frame[frame]
        if work is None:
            work = found[parent] if parent != ROOT else LineWork.PYTHON
        found.append(int(work))
    return np.array(found, dtype=np.int64)


def _work_of(frame: Frame) -> int | None:
    """Return what a frame on top of a stack does; None: what the frame below it does."""
    if frame.kind is FrameKind.SCOPE or (frame.kind is FrameKind.NATIVE and is_interpreter(frame.file)):
        return None
    if frame.kind is FrameKind.PYTHON:
        return LineWork.PYTHON if is_own(frame.file) else LineWork.LIBRARY
    return LineWork.NATIVE if frame.kind is FrameKind.NATIVE else LineWork.WAITING


def _known(profile: Profile, seen: set[int]) -> tuple[LineWork, ...]:
    """Return what the sampler tells apart: without native frames all code is Python code."""
    is_native = LineWork.NATIVE in seen or any(run.native for run in profile.recording.samplers)
    parts = [track.samples for track in profile.tracks if track.samples is not None and len(track.samples)]
    has_states = bool(parts) and all(samples.state is not None for samples in parts)
    return (*(_CODE if is_native else ()), *(_WAITS if has_states else ()))


def _with_lines(profile: Profile) -> Profile:
    """Return a profile whose samples have lines, from its frames where a sampler has them there.

    The lines of cProfile's functions are those on which they begin.
    """
    parts = [track.samples for track in profile.tracks if track.samples is not None]
    if profile.file.format == "pstats" or any(samples.line is not None for samples in parts):
        return profile
    places: dict[Frame, int] = {}
    table = StackTable()
    is_line = [
        frame.kind is FrameKind.PYTHON and frame.line > 0 and is_own(frame.file) for frame in profile.frames
    ]
    found: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        below = found[parent] if parent != ROOT else ROOT
        if is_line[frame]:
            below = table.add(below, places.setdefault(profile.frames[frame], len(places)))
        found.append(below)
    of_stack = np.array([*found, ROOT], dtype=np.int32)
    tracks = [
        track
        if track.samples is None
        else replace(track, samples=replace(track.samples, line=of_stack[track.samples.stack]))
        for track in profile.tracks
    ]
    return replace(profile, tracks=tuple(tracks), lines=LineStacks(tuple(places), table.stacks()))
