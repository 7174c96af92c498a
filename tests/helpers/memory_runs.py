"""A memory run by hand: a peak in one scope, a leak of 1,500 bytes at each of 40 epochs, and snapshots of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from workbench.profile import (
    BYTES,
    Allocations,
    FileFacts,
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    Samples,
    SpanRecord,
    TracedProcess,
    line_bytes,
    scope_bytes,
)
from workbench.report.profile.run import ProfileRun
from workbench.scopes.layout import MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK

MB = 1_000_000
EPOCHS, LEAK = 40, 1_500
FILE = "/home/me/fit.py"
SOURCE = """\
from workbench import scope

def outer(n):
    return [0.0] * n

def remember(x):
    history.append(x)

def train():
    with scope("load"):
        data = outer(10)
    for _ in range(40):
        with scope("epoch"):
            with scope("jacobian"):
                outer(100)
            remember(1)
"""
LOAD, EPOCH, JACOBIAN = (Frame(name, kind=FrameKind.SCOPE) for name in ("load", "epoch", "jacobian"))
TRAIN, OUTER, REMEMBER = (Frame(name, FILE) for name in ("train", "outer", "remember"))
Held = tuple[tuple[Frame, ...], int, int, int]
"""A stack, the line of its own code on top, bytes and blocks."""


def recorded() -> Profile:
    """Load leaves 10 MB, and each epoch 1,500 bytes; a Jacobian inside needs 40 MB for a while."""
    builder = ProfileBuilder("fit")
    records, numbers = [SpanRecord(0, 10, 0, LOAD)], [(0, 10 * MB, 12 * MB)]
    for i in range(EPOCHS):
        start, level = 100 * (i + 1), 10 * MB + i * LEAK
        records += [SpanRecord(start, start + 90, 0, EPOCH), SpanRecord(start + 10, start + 50, 1, JACOBIAN)]
        numbers += [(level, LEAK, 40 * MB), (level, 0, 40 * MB)]
    work = np.array(numbers, dtype=np.float64).T
    names = (MEMORY_ENTRY, MEMORY_LEFT, MEMORY_PEAK)
    spans = replace(builder.spans(records), work=dict(zip(names, work, strict=True)))
    builder.add_track("main", pid=7, tid=1, process="python fit.py", spans=spans)
    return builder.build().check()


def snapshot(rows: Iterable[Held]) -> Profile:
    """Return what was alive at one moment."""
    builder = ProfileBuilder("memory")
    stacks, lines, sizes, blocks = [], [], [], []
    for path, line, size, count in rows:
        stacks.append(builder.stack_of(path))
        own = next(frame for frame in reversed(path) if frame.file == FILE)
        lines.append(builder.line_stack_of([own._replace(line=line)]))
        sizes.append(size)
        blocks.append(count)
    weight = np.array(sizes, dtype=np.int64)
    samples = Samples(
        np.array(stacks, dtype=np.int32),
        np.cumsum(weight) - weight,
        weight,
        ticks=np.array(blocks, dtype=np.int32),
        line=np.array(lines, dtype=np.int32),
    )
    builder.add_track("main thread", pid=7, tid=0, process="python fit.py", samples=samples)
    return replace(builder.build().check(), file=FileFacts(unit=BYTES))


def memory_run(more: Iterable[Held] = ()) -> ProfileRun:
    """Return the run; `more` is alive at both snapshots."""
    more = list(more)
    loaded: Held = ((TRAIN, LOAD, OUTER), 4, 10 * MB, 1)
    left: Held = ((TRAIN, EPOCH, REMEMBER), 7, EPOCHS * LEAK, EPOCHS)
    jacobian: Held = ((TRAIN, EPOCH, JACOBIAN, OUTER), 4, 40 * MB, 2)
    scopes, end, peak = recorded(), snapshot([loaded, left, *more]), snapshot([loaded, jacobian, left, *more])
    size = sum(row[2] for row in more)
    at_end, at_peak = 10 * MB + EPOCHS * LEAK + size, 50 * MB + EPOCHS * LEAK + size
    process = TracedProcess(7, "python fit.py", at_peak, at_end, True, at_peak)
    rows = scope_bytes(scopes, end, peak)
    found = Allocations(end, peak, (process,), rows, line_bytes(end, peak))
    return ProfileRun(
        "fit.py", program="fit.py", scopes=scopes, sources={FILE: SOURCE}, seconds=1.5, allocations=found
    )


def many_stacks(count: int) -> list[Held]:
    """Return so many distinct stacks of 100 to 1,099 bytes."""
    names = [Frame(f"f{i}", "/site-packages/lib/many.py") for i in range(200)]
    return [
        ((TRAIN, names[i % 200], names[i // 200 % 200], names[i * 7 % 199]), 9, 100 + i % 1000, 1)
        for i in range(count)
    ]
