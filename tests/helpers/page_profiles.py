"""Profiles by hand for pages: two threads, recursion, counters, marks, samples, and names that are hostile."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.helpers.hostile import HOSTILE
from tests.helpers.resources import readings
from workbench.capture.program import Capture, CaptureOptions
from workbench.profile import (
    WAITING_FOR_GIL,
    Attribution,
    Counter,
    FileFacts,
    Frame,
    FrameKind,
    Marks,
    MeasuredScopeCost,
    Profile,
    ProfileBuilder,
    RecordingFacts,
    SamplerRun,
    Samples,
    SpanRecord,
    ThreadState,
    without_samples,
)

MS = 1_000_000


def scope(name: str) -> Frame:
    return Frame(name, kind=FrameKind.SCOPE)


def training() -> Profile:
    """Fit (100 ms) with three epochs of 30, each a solve of 20; fib inside fib; another thread; samples."""
    builder = ProfileBuilder("training")
    records = [SpanRecord(0, 100 * MS, 0, scope("fit"))]
    for i in range(3):
        records.append(SpanRecord(i * 30 * MS, (i * 30 + 30) * MS, 1, scope("epoch")))
        records.append(SpanRecord((i * 30 + 5) * MS, (i * 30 + 25) * MS, 2, scope("solve")))
    spans = builder.spans(records)
    flops = np.where(spans.end_ns - spans.start_ns == 20 * MS, 4e7, np.nan)
    spans = type(spans)(**{**vars(spans), "work": {"flops": flops}})
    python = Frame("train", "fit.py", 3)
    native = Frame("dgemm", "libblas.so", 0, FrameKind.NATIVE)
    inner, outer = builder.stack_of([python, native]), builder.stack_of([python])
    at = list(range(0, 100 * MS, 10 * MS))
    builder.add_track(
        "MainThread",
        pid=7,
        tid=1,
        process="python fit.py",
        spans=spans,
        samples=builder.samples([inner] * 6 + [outer] * 4, at, [10 * MS] * 10),
        counters=(Counter("loss", np.array([30 * MS, 60 * MS]), np.array([0.5, 0.25])),),
        marks=Marks(np.array([50 * MS, 70 * MS]), ("saved", "saved")),
    )
    depths = [SpanRecord(i * MS, (40 - i) * MS, i, scope("fib")) for i in range(4)]
    builder.add_track("worker", pid=7, tid=2, process="python fit.py", spans=builder.spans(depths))
    cost = MeasuredScopeCost(7, inside_ns=100.0, parent_ns=250.0)
    return builder.build(RecordingFacts(processes=1, scope_costs=(cost,)))


def hostile() -> Profile:
    """Everything that has a name has a hostile one."""
    builder = ProfileBuilder(HOSTILE[0])
    for number, name in enumerate(HOSTILE):
        records = [SpanRecord(0, 100 * MS, 0, scope(name))]
        for i, other in enumerate(HOSTILE[:9]):
            records.append(SpanRecord(10 * i * MS, (10 * i + 5) * MS, 1, scope(f"{other} in")))
        stack = builder.stack_of([Frame(name, name, 3), Frame(name + "!", name)])
        builder.add_track(
            name,
            pid=1,
            tid=number,
            process=name,
            spans=builder.spans(records),
            samples=builder.samples([stack], [0], [50 * MS]),
            counters=(Counter(name, np.array([MS]), np.array([1.5])),),
            marks=Marks(np.array([MS]), (name,)),
        )
    return replace(builder.build(), file=FileFacts(warnings=(HOSTILE[0],)))


def merged() -> Profile:
    """A fit (600 ms) with an activation (400 ms) in it and the samples under both; two processes.

    On the first thread 60 samples in `fit`, 40 of them in `activation`: 30 in tanh, 6 in Python, 4 that wait. Before it
    30 samples in `load_data`, and 10 at imports. A worker of another process is seen 20 times in `activation`.
    """
    builder = ProfileBuilder("merged")
    file = "/home/me/fit.py"
    module, main, load = (Frame(name, file) for name in ("<module>", "main", "load_data"))
    train, activate = Frame("train", file), Frame("activate", file)
    tanh = Frame("DOUBLE_tanh_X86_V4", "/np/_multiarray_umath.so", kind=FrameKind.NATIVE)
    libc, idle = (
        Frame("[libc.so.6]", "/lib/libc.so.6", kind=kind) for kind in (FrameKind.NATIVE, FrameKind.IDLE)
    )
    numpy = Frame("<module>", "/usr/lib/python3.11/site-packages/numpy/__init__.py")
    inside = [module, main, train, scope("fit"), activate]
    active = [*inside, scope("activation")]
    paths = [
        ([module, numpy], 10),
        ([module, main, load, libc], 30),
        ([*inside, libc], 20),
        ([*active, tanh], 30),
    ]
    paths += [([*active, activate], 6), ([*active, idle], 4)]
    stacks = [builder.stack_of(path) for path, count in paths for _ in range(count)]
    start = 5_000 * MS
    at = [start + 10 * MS * i for i in range(len(stacks))]
    records = [SpanRecord(start + 400 * MS, start + 1000 * MS, 0, scope("fit"))]
    records.append(SpanRecord(start + 600 * MS, start + 1000 * MS, 1, scope("activation")))
    records.append(SpanRecord(start + 600 * MS, start + 600 * MS + 1000, 2, scope("too short to be seen")))
    builder.add_track(
        "MainThread",
        pid=7,
        tid=1,
        process="python fit.py",
        spans=builder.spans(records),
        samples=builder.samples(stacks, at, [10 * MS] * len(stacks)),
    )
    worker = builder.stack_of([module, scope("activation"), tanh])
    waits = builder.stack_of([module, idle])
    at = [start + 10 * MS * i for i in range(30)]
    builder.add_track(
        "MainThread",
        pid=8,
        tid=1,
        process="python fit.py",
        spans=builder.spans([SpanRecord(start, start + 200 * MS, 0, scope("activation"))]),
        samples=builder.samples([worker] * 20 + [waits] * 10, at, [10 * MS] * 30),
    )
    counts = Attribution(130, attributed=80, outside=48, not_attributable=2, by="scope")
    return builder.build(RecordingFacts(processes=2, samplers=(SAMPLER_RUN, SAMPLER_RUN)), counts)


def waits() -> Profile:
    """A fit (1 s): 200 ms in Python, `solve`, then 400 ms in native code; each tick of 10 ms is a sample.

    Solve waits 200 ms for the interpreter's lock and sleeps 200 ms. Every 50 ms the system counted: the resident set is
    10 MB at first and grows by 1 MB each time, there are two threads, and from 600 ms on 4 kB are written at a time.
    """
    builder = ProfileBuilder("waits")
    train, kernel = Frame("train", "fit.py", 3), Frame("dgemm", "libblas.so", kind=FrameKind.NATIVE)
    solver = Frame("solve", "fit.py", 9)
    outside = [scope("fit"), train]
    inside = [*outside, scope("solve"), solver]
    idle = Frame("clock_nanosleep", "libc.so.6", kind=FrameKind.IDLE)
    parts = [  # stack, line, state, ticks
        (outside, [train], ThreadState.PYTHON, 20),
        ([*inside, WAITING_FOR_GIL], [train, solver], ThreadState.WAITING_FOR_GIL, 20),
        ([*inside, idle], [train, solver], ThreadState.SLEEPING, 20),
        ([*outside, kernel], [train], ThreadState.NATIVE, 40),
    ]
    ticks = [part for part in parts for _ in range(part[3])]
    states = np.array([state for _, _, state, _ in ticks], dtype=np.uint8)
    runs = np.isin(states, [ThreadState.PYTHON, ThreadState.NATIVE])
    samples = Samples(
        np.array([builder.stack_of(stack) for stack, *_ in ticks], dtype=np.int32),
        np.arange(100) * 10 * MS,
        np.full(100, 10 * MS),
        ticks=np.ones(100, dtype=np.int32),
        cpu_ns=np.where(runs, 10 * MS, 0),
        state=states,
        line=np.array([builder.line_stack_of(line) for _, line, *_ in ticks], dtype=np.int32),
    )
    records = [SpanRecord(0, 1000 * MS, 0, scope("fit")), SpanRecord(200 * MS, 600 * MS, 1, scope("solve"))]
    builder.add_track("MainThread", pid=7, tid=1, spans=builder.spans(records), samples=samples)
    at = np.arange(21) * 50 * MS
    counted = readings(
        7,
        at,
        10_000_000 + 1_000_000 * np.arange(21),
        threads=np.full(21, 2),
        cpu_ns=np.minimum(at, 200 * MS) + np.maximum(at - 600 * MS, 0),
        written_bytes=4096 * np.maximum(np.arange(21) - 12, 0),
    )
    return replace(builder.build(RecordingFacts(processes=1)), resources=(counted,))


SAMPLER_RUN = SamplerRun(
    pid=1, period_ns=MS, started_ns=0, last_ns=0, ticks=130, samples=130, unknown=3, cut=1200, signals=0,
    interrupted=1, handler_ns=1, helper_ns=1, incomplete=0, no_room=0, signal=0, native=True, ended_ns=0,
)  # fmt: skip
"""What the sampler of a process states of itself."""


def capture_of(folder: Path, merged: Profile, sampler: str = "in-process with native frames") -> Capture:
    """Return the capture of a run whose samples are under its scopes."""
    options = CaptureOptions(program=("fit.py", "-q"), folder=folder)
    return Capture(options, 0, 1.25, sampler, 130, without_samples(merged), merged, False, (), one_clock=True)


def text_of(page: Path) -> str:
    """Return the text of a page, without charts, styles and data."""
    text = re.sub(r"(?s)<(svg|script|style)\b.*?</\1>", " ", page.read_text(encoding="utf-8"))
    return " ".join(re.sub(r"<[^>]*>", " ", text).replace("&#34;", '"').replace("\u00a0", " ").split())
