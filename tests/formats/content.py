"""Files to be read, and the content of profiles as plain values."""

from __future__ import annotations

import math

from workbench.formats.source import Source


def content(data, name="given.json"):
    """Return a source of text or bytes."""
    return Source(name, data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


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
