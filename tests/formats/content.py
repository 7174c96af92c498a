"""Files to be read, and the content of profiles as plain values."""

from __future__ import annotations

import io
import math

import numpy as np

from workbench.formats.source import Source
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    Profile,
    ProfileBuilder,
    RecordingFacts,
    Samples,
    SpanRecord,
)


def content(data, name="given.json"):
    """Return a source of text or bytes."""
    return Source(name, data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


def written(write, profile) -> bytes:
    """Return what a writer writes."""
    file = io.BytesIO()
    write(profile, file)
    return file.getvalue()


def names(profile, stack):
    """Return the names of a stack's frames from the root, as folded stacks have them."""
    return ";".join(profile.frames[i].name for i in profile.stacks.path(stack))


def spans(profile, track=0):
    """Return (names, start, end) of each span of a track, in nanoseconds."""
    found = profile.tracks[track].spans
    rows = zip(found.stack.tolist(), found.start_ns.tolist(), found.end_ns.tolist(), strict=True)
    return [(names(profile, stack), start, end) for stack, start, end in rows]


def samples(profile, track=0):
    """Return (names, nanoseconds) of each sample of a track."""
    found = profile.tracks[track].samples
    rows = zip(found.stack.tolist(), found.weight_ns.tolist(), strict=True)
    return [(names(profile, stack), weight) for stack, weight in rows]


def contents(profile, *, frame=tuple, work=True, joined=False):
    """Return a profile's name, bounds and tracks as plain values.

    `joined` leaves out samples of no time and of nothing, and merges equal ones that follow each other.
    """

    def path(stack):
        return tuple(frame(profile.frames[i]) for i in profile.stacks.path(stack))

    found = []
    for track in profile.tracks:
        spans = samples = None
        if track.spans is not None:
            columns = (track.spans.stack, track.spans.start_ns, track.spans.end_ns, track.spans.unfinished)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            spans = [(path(stack), *rest) for stack, *rest in rows]
            if track.spans.propagated is not None:
                spans.append(track.spans.propagated.tolist())
            if work:
                numbers = {
                    name: [None if math.isnan(v) else v for v in column.tolist()]
                    for name, column in track.spans.work.items()
                }
                spans.append(numbers)
        if track.samples is not None:
            columns = (track.samples.stack, track.samples.at_ns, track.samples.weight_ns)
            samples = []
            for stack, at, weight in zip(*(column.tolist() for column in columns), strict=True):
                if joined and (stack < 0 or not weight):
                    continue
                if joined and samples and samples[-1][0] == path(stack) and sum(samples[-1][1:]) == at:
                    samples[-1] = (*samples[-1][:2], samples[-1][2] + weight)
                else:
                    samples.append((path(stack), at, weight))
        found.append(
            {
                "who": (track.name, track.pid, track.tid, track.process),
                "spans": spans,
                "samples": samples,
                "counters": [
                    (
                        c.name,
                        [
                            (at, v)
                            for at, v in zip(c.at_ns.tolist(), c.value.tolist(), strict=True)
                            if math.isfinite(v)
                        ],
                    )
                    for c in track.counters
                ],
                "marks": track.marks and list(zip(track.marks.at_ns.tolist(), track.marks.name, strict=True)),
            }
        )
    return profile.name, profile.start_ns, profile.end_ns, found


def fitted() -> Profile:
    """A profile of two scopes, three samples with their CPU times, and a thread that waits."""
    builder = ProfileBuilder("fit")
    fit, solve = Frame("fit", "fit.py", 3, FrameKind.SCOPE), Frame("solve", "fit.py", 9, FrameKind.SCOPE)
    dgemm = Frame("dgemm", "/usr/lib/libblas.so.3", kind=FrameKind.NATIVE)
    spans = builder.spans([SpanRecord(100, 1100, 0, fit), SpanRecord(200, 500, 1, solve)])
    stacks = [builder.stack_of(path) for path in ([fit], [fit, solve, Frame("step", "fit.py", 20), dgemm])]
    seen = Samples(
        np.array([stacks[0], stacks[1], stacks[0], ROOT], dtype=np.int32),
        np.array([100, 200, 500, 900], dtype=np.int64),
        np.array([100, 300, 400, 50], dtype=np.int64),
        ticks=np.array([1, 3, 4, 1], dtype=np.int32),
        cpu_ns=np.array([90, 290, 0, 0], dtype=np.int64),
    )
    builder.add_track("main", pid=7, tid=1 << 40, process="python fit.py", spans=spans, samples=seen)
    waits = builder.stack_of([Frame("run", "w.py", 4), Frame("poll", "w.py", 6, FrameKind.IDLE)])
    builder.add_track(
        "worker", pid=7, tid=9, process="python fit.py", samples=builder.samples([waits], [300], [7])
    )
    return builder.build(RecordingFacts(wall_minus_monotonic_ns=1_700_000_000_000_000_000))
