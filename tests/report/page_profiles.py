"""Profiles by hand for pages: two threads, recursion, counters, marks, samples, and names that are hostile."""

from __future__ import annotations

import numpy as np

from workbench.profile import Counter, Frame, FrameKind, Marks, Profile, ProfileBuilder, SpanRecord

MS = 1_000_000

HOSTILE = [
    "</script><script>window.ran = 1</script>",
    "]]><script>window.ran = 2</script>",
    '"><img src="x" onerror="window.ran = 3">',
    "javascript:window.ran = 4",
    "long " + "x" * 10_000,
    "\u202etxt.exe\u200f and \u2066more",
    "nul \x00 bell \x07 escape \x1b nel \x85 not a character \uffff",
    "surrogate \ud800 alone",
    "{{ 7 * 7 }} ${window.ran = 5} the policy of this page",
    "case",
    "CASE",
    "",
]
"""Names that must be shown, and do nothing."""


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
    cost = {"pid": 7, "inside_ns": 100.0, "parent_ns": 250.0}
    return builder.build({"processes": 1, "damaged": 0, "misnested": 0, "guard_costs": [cost]})


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
    return builder.build({"warnings": [HOSTILE[0]], "sampler": HOSTILE[1]})
