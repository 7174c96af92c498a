"""cProfile's statistics, as `python -m cProfile -o FILE` and `Profile.dump_stats` write them.

They hold no stacks: for each function its self time, and for each pair of caller and callee how much of the callee's
time was spent under that caller. A tree is made as gprof does: a function is assumed to do the same whoever
called it, so a callee's time under one caller is divided by the caller's own shares. Where functions call each other in
a circle, the branch ends; the rest of their time is at the root, so the sum of all self times is exact.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.formats._json import shown
from workbench.formats._marshal import loads
from workbench.formats._numbers import nanoseconds
from workbench.formats.source import Source, reading
from workbench.profile import (
    ROOT,
    FileFacts,
    Frame,
    FrameKind,
    Profile,
    Samples,
    StackTable,
    Track,
    profile_of,
)

MAX_STACKS = 50_000
MIN_SHARE = 1e-6
"""Of all time: a branch that is thinner is not followed."""
MAX_NS = 1 << 60
"""Of one function: sums stay in range."""
NOTE = "made of pairs of caller and callee, since cProfile keeps no stacks; each callee shared out by its callers"

Function = tuple[str, int, str]


class _Call(NamedTuple):
    """What a callee took under one caller."""

    callee: int
    own: float
    total: float


class _CallGraph(NamedTuple):
    functions: list[Function]
    own_ns: list[int]
    calls: list[int]
    callees: list[list[_Call]]
    roots: list[int]
    total: list[float]


def read_pstats(source: str | Path | Source) -> Profile:
    """Read statistics as the samples of one track, one for each stack of the tree that is made of them.

    The facts say how the tree was made (`tree`) and which share of the time it could place (`attributed`).

    Raises:
        InvalidInputError: It cannot be read, or holds something else.
    """
    with reading(source, "a file of cProfile") as source:
        return _profile(source.stem, _graph(loads(source.data)))


def _profile(name: str, graph: _CallGraph) -> Profile:
    table = StackTable()
    weights = _tree(graph, table)
    placed = sum(weights.values())
    left = np.array(graph.own_ns, dtype=np.int64)
    on_top = table.stacks().frame
    for stack, amount in weights.items():
        left[on_top[stack]] -= amount
    for function in np.flatnonzero(left > 0).tolist():
        stack = table.add(ROOT, function)
        weights[stack] = weights.get(stack, 0) + int(left[function])
    order = sorted(weights)
    weight = np.array([weights[stack] for stack in order], dtype=np.int64)
    samples = Samples(np.array(order, dtype=np.int32), np.cumsum(weight) - weight, weight)
    everything = int(weight.sum())
    facts = FileFacts(
        "pstats",
        is_merged=True,
        tree=NOTE,
        attributed=placed / everything if everything else 1.0,
        calls=sum(graph.calls),
    )
    frames = [_frame(*function) for function in graph.functions]
    tracks = [Track("all threads", 0, 0, samples=samples)] if order else []
    return profile_of(table, name, frames, tracks, (0, everything), facts)


def _frame(file: str, line: int, name: str) -> Frame:
    if file == "~":  # written in C
        return Frame(name, "", 0, FrameKind.NATIVE)
    return Frame(name, file, line, FrameKind.PYTHON)


def _graph(stats: Any) -> _CallGraph:
    if not isinstance(stats, dict):
        raise ValueError(f"it holds {shown(stats)}")  # noqa: TRY004  a wrong value in a file
    functions = [_function(key) for key in stats]
    number = {function: i for i, function in enumerate(functions)}
    graph = _CallGraph(functions, [], [], [[] for _ in functions], [], [])
    for i, entry in enumerate(stats.values()):
        where = f"the entry of {shown(functions[i])}"
        if not isinstance(entry, tuple) or len(entry) != 5 or not isinstance(entry[4], dict):
            raise ValueError(f"{where} is {shown(entry)}")
        own, total = _seconds(entry[2], where), _seconds(entry[3], where)
        graph.own_ns.append(min(nanoseconds(own, 1_000_000_000), MAX_NS // max(1, len(functions))))
        graph.total.append(total)
        graph.calls.append(_count(entry[1], where))
        _count(entry[0], where)
        called = False
        for caller, part in entry[4].items():
            by = number.get(_function(caller))
            if by is None:
                raise ValueError(f"{where} has a caller without an entry, {shown(caller)}")
            if not isinstance(part, tuple) or len(part) != 4:
                raise ValueError(f"{where} has for a caller {shown(part)}")
            call = _Call(i, _seconds(part[2], where), _seconds(part[3], where))
            called = called or by != i
            graph.callees[by].append(call)
        if not called:
            graph.roots.append(i)
    return graph


def _function(key: Any) -> Function:
    if (
        not isinstance(key, tuple)
        or len(key) != 3
        or not (isinstance(key[0], str) and type(key[1]) is int and isinstance(key[2], str))
        or abs(key[1]) > 1 << 62
    ):
        raise ValueError(f"a function is {shown(key)} and not (file, line, name)")
    return key


def _seconds(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not -1e-3 <= value < 1e9:
        raise ValueError(f"{where} has a time of {shown(value)}")
    return max(float(value), 0.0)  # the clock's jitter gives times just below zero


def _count(value: Any, where: str) -> int:
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError(f"{where} has a count of {shown(value)}")
    return value


def _tree(graph: _CallGraph, table: StackTable) -> dict[int, int]:
    """Return nanoseconds by stack of the tree's branches, the thickest first, until there are enough.

    A branch is a share of a function: of its self time, and of each callee's time under it.
    """
    least = MIN_SHARE * max(sum(graph.own_ns) / 1e9, 1e-9)
    waiting: list[tuple[float, int, int, float, float, tuple[int, ...], int]] = []
    number = 0
    for function in graph.roots:
        own = graph.own_ns[function] / 1e9
        waiting.append((-max(graph.total[function], own), number, function, 1.0, own, (), ROOT))
        number += 1
    heapq.heapify(waiting)
    weights: dict[int, int] = {}
    left = list(graph.own_ns)
    visited = 0
    while waiting and len(table) < MAX_STACKS and visited < 20 * MAX_STACKS:
        _, _, function, share, own, path, parent = heapq.heappop(waiting)
        stack = table.add(parent, function)
        amount = min(round(own * 1e9), left[function])
        left[function] -= amount
        weights[stack] = weights.get(stack, 0) + amount
        inside = (*path, function)
        visited += len(graph.callees[function]) + 1
        if len(inside) >= 500:
            continue
        for callee, own_under, total_under in graph.callees[function]:
            total = graph.total[callee]
            if callee in inside or total_under * share < least:
                continue
            part = share * min(1.0, total_under / total) if total > 0 else 0.0
            branch = (-total_under * share, number, callee, part, own_under * share, inside, stack)
            heapq.heappush(waiting, branch)
            number += 1
    return weights
