"""An overview of a run: the tree of scopes with exact times, what was sampled in each, and the hottest lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._aggregate import aggregate
from workbench.profile._in_scopes import stacks_inside
from workbench.profile._own_code import is_import, is_own, package_of
from workbench.profile._record import Frame, FrameKind, Profile, Samples
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_samples import native_name
from workbench.profile.stacks import ROOT, Stacks

IMPORTS, WAITING = "imports", "waiting"
IMPORTING = ROOT - 1
"""In the place of a frame's number: a module that is not the program's own is imported."""
NO_OWN = "library threads and interpreter"
"""Samples without a Python function of the program's own."""


@dataclass(frozen=True)
class SampledFunction:
    """A function and how much of all samples it has."""

    name: str
    file: str
    """Empty for a native function, for waiting and for imports."""
    of_all: SampledShare
    parts: tuple[SampledFunction, ...] = ()
    """What was on top of the stack below it, the most frequent first."""


@dataclass(frozen=True)
class ScopeNode:
    """One scope at one place in the tree of scopes, summed over all threads and processes."""

    path: tuple[str, ...]
    """Names from the outermost scope to this one."""
    calls: int
    total_ns: int
    self_ns: int
    """Time in this scope and in no scope below it."""
    functions: tuple[SampledFunction, ...]
    """What was on top of the samples in its self time, the most frequent first."""


@dataclass(frozen=True)
class HotLine:
    """A line of the program's own code, and how much of all samples was in it or in library code that it called.

    Imports of other modules are left out.
    """

    file: str
    line: int
    function: str
    of_all: SampledShare


@dataclass(frozen=True)
class Overview:
    """Where the time of a run goes."""

    scopes: tuple[ScopeNode, ...]
    """Parents before children, the longest total first."""
    outside: tuple[SampledFunction, ...]
    """What was sampled outside any scope, by the program's own functions."""
    outside_share: SampledShare | None
    """All of `outside`; None where nothing is."""
    lines: tuple[HotLine, ...]
    """The most frequent first."""
    samples: int


def overview(
    scopes: Profile | None, samples: Profile | None, *, scope: str | None = None, by_time: bool = False
) -> Overview:
    """Return the overview of a run, or of what ran inside the scopes of one name.

    Shares are of all samples in any case.

    Args:
        scopes: The spans.
        samples: The samples, under their scopes; it may be the same profile.
        scope: The name of a scope; None: the whole run.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    paths = _Paths()
    functions: dict[int, tuple[SampledFunction, ...]] = {}
    bare, count = None, 0
    lines: tuple[HotLine, ...] = ()
    if samples is not None:
        counts, own = SampleCounts.of(samples, by_time=by_time), innermost_own(samples)
        path = paths.of_stacks(samples, frozenset({FrameKind.SCOPE}))
        functions = _functions_by_path(samples, counts, path, own)
        bare = counts.part(path == ROOT) if scope is None and functions[ROOT] else None
        lines = _hot_lines(samples, own, scope=scope, by_time=by_time)
        count = int(counts.count.sum())
    nodes = () if scopes is None else _scope_nodes(scopes, paths, functions)
    return Overview(
        tuple(node for node in nodes if scope is None or scope in node.path),
        functions.get(ROOT, ()) if scope is None else (),
        bare,
        lines,
        count,
    )


class _Paths:
    """Numbers of paths of scopes, the same for profiles that intern their stacks differently."""

    def __init__(self) -> None:
        self._number: dict[tuple[int, str], int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def of_stacks(self, profile: Profile, kinds: frozenset[FrameKind]) -> NDArray[np.int64]:
        """Return (stacks,) the number of the path of the scopes on each stack, or `ROOT`."""
        names = [frame.name if frame.kind in kinds else None for frame in profile.frames]
        found: list[int] = []
        for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
            path, name = found[parent] if parent != ROOT else ROOT, names[frame]
            found.append(path if name is None else self._number.setdefault((path, name), len(self)))
        return np.array(found, dtype=np.int64)

    def names(self) -> list[tuple[str, ...]]:
        """Return the names on each path, by its number."""
        found: list[tuple[str, ...]] = []
        for parent, name in self._number:
            found.append((*(found[parent] if parent != ROOT else ()), name))
        return found


def _scope_nodes(
    profile: Profile, paths: _Paths, functions: dict[int, tuple[SampledFunction, ...]]
) -> tuple[ScopeNode, ...]:
    has_scopes = any(frame.kind is FrameKind.SCOPE for frame in profile.frames)
    kinds = frozenset({FrameKind.SCOPE}) if has_scopes else frozenset(FrameKind)
    tree = aggregate(profile, of="spans")
    rows = np.flatnonzero(tree.count)
    path = paths.of_stacks(profile, kinds)[rows]
    rows, path = rows[path != ROOT], path[path != ROOT]
    calls, self_ns = (np.zeros(len(paths), dtype=np.int64) for _ in range(2))
    np.add.at(calls, path, tree.count[rows])
    np.add.at(self_ns, path, tree.self_ns[rows])
    names = paths.names()
    number = {name: i for i, name in enumerate(names)}
    total_ns = self_ns.copy()
    for i in range(len(names) - 1, -1, -1):  # children come after their parents
        if len(names[i]) > 1:
            total_ns[number[names[i][:-1]]] += total_ns[i]
    nodes = [
        ScopeNode(name, int(calls[i]), int(total_ns[i]), int(self_ns[i]), functions.get(i, ()))
        for i, name in enumerate(names)
        if total_ns[i] > 0 or calls[i]
    ]
    by_path = {node.path: node for node in nodes}

    def order(node: ScopeNode) -> tuple[tuple[int, str], ...]:
        around = (by_path[node.path[: i + 1]] for i in range(len(node.path)))
        return tuple((-each.total_ns, each.path[-1]) for each in around)

    return tuple(sorted(nodes, key=order))


def _functions_by_path(
    profile: Profile, counts: SampleCounts, path: NDArray[np.int64], own: NDArray[np.int64]
) -> dict[int, tuple[SampledFunction, ...]]:
    """Return by the path of scopes what was on top; outside any scope, by the program's own functions."""
    tops = [_top(frame) for frame in profile.frames]
    groups: dict[int, dict[tuple[str, str], list[int]]] = {}
    outside: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = {}
    for stack in np.flatnonzero(counts.count).tolist():
        imports = own[stack] == IMPORTING
        top = (IMPORTS, "") if imports else tops[profile.stacks.frame[stack]]
        if path[stack] != ROOT:
            groups.setdefault(int(path[stack]), {}).setdefault(top, []).append(stack)
            continue
        caller = (IMPORTS, "") if imports else (NO_OWN, "")
        if own[stack] >= 0:
            function = profile.frames[own[stack]]
            caller = (function.name, function.file)
        outside.setdefault(caller, {}).setdefault(top, []).append(stack)
    found = {number: _ranked(group, counts) for number, group in groups.items()}
    merged = {
        caller: [stack for rows in parts.values() for stack in rows] for caller, parts in outside.items()
    }
    found[ROOT] = tuple(
        replace(function, parts=_ranked(outside[function.name, function.file], counts))
        for function in _ranked(merged, counts)
    )
    return found


def _ranked(groups: dict[tuple[str, str], list[int]], counts: SampleCounts) -> tuple[SampledFunction, ...]:
    found = [
        SampledFunction(name, file, counts.part(np.array(rows, dtype=np.int64)))
        for (name, file), rows in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.of_all.share, each.name)))


def _top(frame: Frame) -> tuple[str, str]:
    """Return what a frame on top of a stack is called, and the file of a function of the program's own."""
    if frame.kind is FrameKind.NATIVE:
        return native_name(frame), ""
    if frame.kind is FrameKind.IDLE:
        return WAITING, ""
    if frame.kind is FrameKind.SCOPE:
        return frame.name, ""
    return (frame.name, frame.file) if is_own(frame.file) else (f"{package_of(frame.file)} (Python code)", "")


def innermost_own(profile: Profile) -> NDArray[np.int64]:
    """Return (stacks,) the frame of the innermost Python function of the program's own.

    `ROOT` where there is none, `IMPORTING` where it imports a module that is not the program's own.
    """
    imports = [is_import(frame.file) for frame in profile.frames]
    own = [frame.kind is FrameKind.PYTHON and is_own(frame.file) for frame in profile.frames]
    found: list[int] = []
    for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
        below = found[parent] if parent != ROOT else ROOT
        found.append(IMPORTING if imports[frame] else frame if own[frame] else below)
    return np.array(found, dtype=np.int64)


def _hot_lines(
    profile: Profile, own: NDArray[np.int64], *, scope: str | None, by_time: bool
) -> tuple[HotLine, ...]:
    """Return the lines of the program's own code that were sampled, the most frequent first."""
    own = np.maximum(own, ROOT)
    if scope is not None:
        own[~stacks_inside(profile, scope)] = ROOT
    numbers: dict[tuple[int, int], int] = {(ROOT, 0): 0}
    tracks = []
    for track in profile.tracks:
        samples = track.samples
        if samples is None:
            continue
        frame = np.where(samples.stack == ROOT, ROOT, own[samples.stack])
        line = _lines(profile.frames, frame, samples)
        keys, of_sample = np.unique(np.stack([frame, line]), axis=1, return_inverse=True)
        of_key = [
            numbers.setdefault(
                (frame_of_key, at) if at > 0 and frame_of_key != ROOT else (ROOT, 0), len(numbers)
            )
            for frame_of_key, at in keys.T.tolist()
        ]
        stack = np.array(of_key, dtype=np.int32)[of_sample.reshape(-1)]
        stack[samples.stack == ROOT] = ROOT
        tracks.append(replace(track, samples=replace(samples, stack=stack), spans=None))
    flat = Stacks(np.full(len(numbers), ROOT, dtype=np.int32), np.arange(len(numbers), dtype=np.int32))
    places = [
        Frame("") if frame == ROOT else profile.frames[frame]._replace(line=line) for frame, line in numbers
    ]
    counts = SampleCounts.of(
        replace(profile, frames=tuple(places), stacks=flat, tracks=tuple(tracks)), by_time=by_time
    )
    merged: dict[tuple[str, int], list[int]] = {}
    for number, place in enumerate(places[1:], 1):
        merged.setdefault((place.file, place.line), []).append(number)
    found = [
        HotLine(file, line, places[rows[0]].name, counts.part(np.array(rows, dtype=np.int64)))
        for (file, line), rows in merged.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.of_all.share, each.file, each.line)))


def _lines(frames: Sequence[Frame], frame: NDArray[np.int64], samples: Samples) -> NDArray[np.int64]:
    """Return (samples,) the line that each is at; a sampler without lines may have one in each frame."""
    if samples.line is not None:
        return samples.line.astype(np.int64)
    of_frame = np.array(
        [each.line for each in frames] + [0], dtype=np.int64
    )  # the last is what `ROOT` looks up
    return of_frame[frame]
