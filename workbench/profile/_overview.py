"""An overview of a run: the tree of scopes with exact times, what was sampled in each, and the hottest lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.profile._aggregate import aggregate
from workbench.profile._hot_lines import HotLine, LineSamples
from workbench.profile._own_code import IMPORTING, innermost_own, is_own, package_of
from workbench.profile._record import WAITING_FOR_GIL, Frame, FrameKind, Profile
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_code import with_functions_on_top
from workbench.profile._scope_paths import ScopePaths
from workbench.profile._scope_samples import native_name
from workbench.profile._scope_table import wall_ns
from workbench.profile.stacks import ROOT

IMPORTS, WAITING = "imports", "waiting"
NO_OWN = "library threads and interpreter"
"""Samples without a Python function of the program's own."""
OF_PACKAGE = " (Python code)"
"""Behind the name of an installed package."""


@dataclass(frozen=True)
class SampledFunction:
    """A function and how much of all samples it has."""

    name: str
    file: str
    """Empty for a native function, for waiting and for imports."""
    of_all: SampledShare
    parts: tuple[SampledFunction, ...] = ()
    """What was on top of the stack below it, the most frequent first."""

    @property
    def is_function(self) -> bool:
        """Whether it is one function, and not many."""
        return self.name not in (IMPORTS, WAITING, NO_OWN) and not self.name.endswith(OF_PACKAGE)


@dataclass(frozen=True)
class ScopeNode:
    """One scope at one place in the tree of scopes, summed over all threads and processes."""

    path: tuple[str, ...]
    """Names from the outermost scope to this one."""
    calls: int
    total_ns: int
    wall_ns: int
    """How long any thread was in it, or worked for it; `total_ns` sums up threads that were so at once."""
    self_ns: int
    """Time in this scope and in no scope below it."""
    functions: tuple[SampledFunction, ...]
    """What was on top of the samples in its self time, the most frequent first."""
    of_all: SampledShare | None = None
    """Its share of all samples, where they alone are known of it, and no times and calls."""


@dataclass(frozen=True)
class Overview:
    """Where the time of a run goes."""

    scopes: tuple[ScopeNode, ...]
    """Parents before children, the longest total first, or the largest share."""
    outside: tuple[SampledFunction, ...]
    """What was sampled outside any scope, by the program's own functions."""
    outside_share: SampledShare | None
    """All of `outside`; None where nothing is."""
    lines: tuple[HotLine, ...]
    """The most frequent first."""
    samples: int | None
    """None: not known."""
    line_samples: LineSamples | None = None
    """What `lines` were counted from."""


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
    paths = ScopePaths()
    functions: dict[int, tuple[SampledFunction, ...]] = {}
    bare = None
    count: int | None = 0
    nodes: tuple[ScopeNode, ...] = ()
    by_line = None
    if samples is not None:
        placed = with_functions_on_top(samples)
        counts, own = SampleCounts.of(placed, by_time=by_time), innermost_own(placed)
        path = paths.of_stacks(placed, frozenset({FrameKind.SCOPE}))
        functions = _functions_by_path(placed, counts, path, own)
        bare = counts.part(path == ROOT) if scope is None and functions[ROOT] else None
        by_line = LineSamples.of(samples, by_time=by_time)
        count = int(counts.count.sum()) if counts.effective or not counts.whole else None
        nodes = _sampled_nodes(paths, path, counts, functions)
    if scopes is not None:
        nodes = _scope_nodes(scopes, paths, functions)
    return Overview(
        tuple(node for node in nodes if scope is None or scope in node.path),
        functions.get(ROOT, ()) if scope is None else (),
        bare,
        () if by_line is None else by_line.lines(scope),
        count,
        by_line,
    )


def _scope_nodes(
    profile: Profile, paths: ScopePaths, functions: dict[int, tuple[SampledFunction, ...]]
) -> tuple[ScopeNode, ...]:
    has_scopes = any(frame.kind is FrameKind.SCOPE for frame in profile.frames)
    kinds = frozenset({FrameKind.SCOPE}) if has_scopes else frozenset(FrameKind)
    tree = aggregate(profile, of="spans")
    rows = np.flatnonzero(tree.count)
    of_stack = paths.of_stacks(profile, kinds)
    path = of_stack[rows]
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
    wall = wall_ns(profile, of_stack, total_ns.tolist())
    nodes = [
        ScopeNode(name, int(calls[i]), int(total_ns[i]), wall[i], int(self_ns[i]), functions.get(i, ()))
        for i, name in enumerate(names)
        if total_ns[i] > 0 or calls[i]
    ]
    return _in_order(nodes)


def _sampled_nodes(
    paths: ScopePaths,
    path: NDArray[np.int64],
    counts: SampleCounts,
    functions: dict[int, tuple[SampledFunction, ...]],
) -> tuple[ScopeNode, ...]:
    """Return the scopes of a profile whose samples alone are known; `path` has the path of each stack."""
    names = paths.names()
    number = {name: i for i, name in enumerate(names)}
    stacks = [np.flatnonzero(path == i) for i in range(len(names))]
    for i in range(len(names) - 1, -1, -1):  # children come after their parents
        if len(names[i]) > 1:
            parent = number[names[i][:-1]]
            stacks[parent] = np.concatenate([stacks[parent], stacks[i]])
    shares = [counts.part(rows) for rows in stacks]
    return _in_order(
        ScopeNode(name, 0, 0, 0, 0, functions.get(i, ()), share)
        for i, (name, share) in enumerate(zip(names, shares, strict=True))
        if share.samples
    )


def _in_order(nodes: Iterable[ScopeNode]) -> tuple[ScopeNode, ...]:
    """Return parents before children, the longest first."""
    by_path = {node.path: node for node in nodes}

    def order(node: ScopeNode) -> tuple[tuple[float, str], ...]:
        around = (by_path[node.path[: i + 1]] for i in range(len(node.path)))
        return tuple((-(each.total_ns or _share(each)), each.path[-1]) for each in around)

    return tuple(sorted(by_path.values(), key=order))


def _share(node: ScopeNode) -> float:
    return 0.0 if node.of_all is None else node.of_all.share


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
        return (frame.name if frame == WAITING_FOR_GIL else WAITING), ""
    if frame.kind is FrameKind.SCOPE:
        return frame.name, ""
    if not frame.file or is_own(frame.file):
        return frame.name, frame.file
    return package_of(frame.file) + OF_PACKAGE, ""
