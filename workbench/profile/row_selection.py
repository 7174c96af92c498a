"""Parts of columns, and the range of what is left: what transforms share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import SAMPLE_COLUMNS, Counter, Marks, Samples, Spans, Track
from workbench.profile.stacks import Int32, Int64


def span_rows(spans: Spans, index: NDArray[Any]) -> Spans:
    """Return some of the spans, by a mask or by their indices."""
    return Spans(
        spans.stack[index],
        spans.start_ns[index],
        spans.end_ns[index],
        spans.unfinished[index],
        None if spans.propagated is None else spans.propagated[index],
        {name: column[index] for name, column in spans.work.items()},
    )


def sample_rows(samples: Samples, index: NDArray[Any]) -> Samples:
    """Return some of the samples, by a mask or by their indices."""
    return replace(
        samples,
        **{
            name: column[index]
            for name in ("stack", "at_ns", "weight_ns", *SAMPLE_COLUMNS)
            if (column := getattr(samples, name)) is not None
        },
    )


def with_stacks(track: Track, number: Int32, of_line: Int32 | None = None) -> Track:
    """Return a track whose stacks have other numbers; the last of (stacks + 1,) `number` is `ROOT`.

    `of_line` is the same for stacks of lines; without it they stay.
    """
    spans, samples = track.spans, track.samples
    if samples is not None:
        line = samples.line if samples.line is None or of_line is None else of_line[samples.line]
        samples = replace(samples, stack=number[samples.stack], line=line)
    spans = None if spans is None else replace(spans, stack=number[spans.stack])
    return replace(track, spans=spans, samples=samples)


def counter_rows(counter: Counter, index: NDArray[Any]) -> Counter:
    """Return some of a counter's points, by a mask or by their indices."""
    return replace(counter, at_ns=counter.at_ns[index], value=counter.value[index])


def mark_rows(marks: Marks, index: NDArray[Any]) -> Marks:
    """Return some of the marks, by a mask or by their indices."""
    rows = np.flatnonzero(index) if index.dtype == np.bool_ else index
    return Marks(marks.at_ns[rows], tuple(marks.name[row] for row in rows.tolist()))


def extent(tracks: Iterable[Track]) -> tuple[int, int] | None:
    """Return the earliest and the latest nanosecond of tracks, or None where nothing is on them."""
    starts: list[Int64] = []
    ends: list[Int64] = []
    for track in tracks:
        if track.spans is not None:
            starts.append(track.spans.start_ns[:1])
            ends.append(track.spans.end_ns)
        if track.samples is not None:
            starts.append(track.samples.at_ns[:1])
            ends.append(track.samples.at_ns[-1:] + track.samples.weight_ns[-1:])
        series = [counter.at_ns for counter in track.counters]
        if track.marks is not None:
            series.append(track.marks.at_ns)
        starts += [at[:1] for at in series]
        ends += [at[-1:] for at in series]
    lasts = [int(end.max()) for end in ends if len(end)]
    return (min(int(start[0]) for start in starts if len(start)), max(lasts)) if lasts else None


def side_by_side(at_ns: Int64, weight_ns: Int64) -> Int64:
    """Return when each sample begins, so that none reaches beyond the beginning of the next."""
    # From the last one back: each begins when it says, or so much before the next as it takes.
    ahead = np.append(np.cumsum(weight_ns[::-1])[::-1], 0)  # of it and all that follow
    latest = np.minimum.accumulate((at_ns + ahead[:-1])[::-1])[::-1]
    begins: Int64 = latest - ahead[:-1]
    return begins
