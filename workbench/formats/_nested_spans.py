"""Nested spans as opens and closes, and samples as spans, for formats that have only these."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile import ROOT, Samples, Spans, Stacks, Track
from workbench.profile.stacks import around

MAX_SPANS = 1 << 26


class SpanEvents(NamedTuple):
    """Opens and closes of one track, each close matching the open on top."""

    span: NDArray[np.intp]
    """(events,) whose it is"""
    closes: NDArray[np.bool_]
    """(events,) whether it is the close"""
    at_ns: NDArray[np.int64]
    """(events,) never before the one in front of it"""


def events_of(spans: Spans, depth: NDArray[np.int32]) -> SpanEvents:
    """Return a track's spans, with their depths, as opens and closes.

    Before span i opens, the i spans before it have opened, and all have closed but the ones around it. Between
    two opens the levels between their depths close, the innermost first. On one level opens and closes take
    turns; so the k-th close of a level belongs to its k-th open.
    """
    count = len(depth)
    opened = np.concatenate(
        [[0], depth + 1]
    )  # levels that are open where the gap in front of each span begins
    left = np.append(depth, 0)
    closing = opened - left
    gap = np.repeat(np.arange(count + 1), closing)
    within = np.arange(count) - np.repeat(np.cumsum(closing) - closing, closing)
    close_depth = opened[gap] - 1 - within
    owner = np.empty(count, dtype=np.intp)
    owner[_by_level(close_depth)] = _by_level(depth)
    opens_at = 2 * np.arange(count) - depth
    span = np.empty(2 * count, dtype=np.intp)
    closes = np.ones(2 * count, dtype=np.bool_)
    closes[opens_at] = False
    span[opens_at] = np.arange(count)
    span[closes] = owner
    at = np.where(closes, spans.end_ns[span], spans.start_ns[span])
    return SpanEvents(span, closes, at)


def _by_level(depth: NDArray[np.signedinteger]) -> NDArray[np.intp]:
    few = int(depth.max(initial=0)) < 1 << 16  # which are sorted in linear time
    return np.argsort(depth.astype(np.uint16) if few else depth, kind="stable")


def spans_of_samples(stacks: Stacks, depth: NDArray[np.int32], track: Track) -> Spans:
    """Return a span for each time in which neighbouring samples of a track had a frame in common.

    Raises:
        InvalidInputError: There would be too many.
    """
    assert track.samples is not None
    parents, deep = stacks.parent.tolist(), depth.tolist()
    stack: list[int] = []
    start: list[int] = []
    end: list[int] = []
    opened: list[int] = []  # spans, outermost first
    now = 0
    rows = zip(
        track.samples.stack.tolist(),
        track.samples.at_ns.tolist(),
        track.samples.weight_ns.tolist(),
        strict=True,
    )
    for top, at, weight in rows:
        if not weight or top == ROOT:
            continue
        new: list[int] = []
        below = top if at == now else ROOT
        # What was open stays as far as it is the same stack.
        while below != ROOT and not (deep[below] < len(opened) and stack[opened[deep[below]]] == below):
            new.append(below)
            below = parents[below]
        if at != now:
            below = top
            while below != ROOT:
                new.append(below)
                below = parents[below]
        kept = deep[below] + 1 if below != ROOT else 0
        for span in opened[kept:]:
            end[span] = now
        del opened[kept:]
        now = at + weight
        if len(stack) + len(new) > MAX_SPANS:
            raise InvalidInputError(
                f"the samples of track {track.name!r} are more than {MAX_SPANS} intervals: write folded "
                "stacks"
            )
        for each in reversed(new):
            opened.append(len(stack))
            stack.append(each)
            start.append(at)
            end.append(now)
    for span in opened:
        end[span] = now
    return Spans(
        stack=np.array(stack, dtype=np.int32),
        start_ns=np.array(start, dtype=np.int64),
        end_ns=np.array(end, dtype=np.int64),
        unfinished=np.zeros(len(stack), dtype=np.bool_),
    )


def with_gaps(
    samples: Samples, start_ns: int, end_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return samples and the gaps around them: the sample's number or -1, when it begins, and its nanoseconds."""
    count = len(samples)
    until = np.concatenate([[start_ns], samples.at_ns + samples.weight_ns])
    gaps = np.maximum(np.append(samples.at_ns, end_ns) - until, 0)
    row = np.full(2 * count + 1, -1, dtype=np.int64)
    at, weight = np.empty_like(row), np.empty_like(row)
    row[1::2], at[1::2], weight[1::2] = np.arange(count), samples.at_ns, samples.weight_ns
    at[::2], weight[::2] = until, gaps
    stated = np.ones(len(row), dtype=np.bool_)
    stated[::2] = gaps > 0
    return row[stated], at[stated], weight[stated]


def samples_of_spans(spans: Spans, depth: NDArray[np.int32]) -> Samples:
    """Return which stack was on top, and for how long: a sample for each time between two changes.

    Args:
        spans: Those of one track.
        depth: (spans,) how many are around each.
    """
    events = events_of(spans, depth)
    if not len(events.span):
        nothing = np.zeros(0, dtype=np.int64)
        return Samples(nothing.astype(np.int32), nothing, nothing)
    # After an open its span is on top; after a close, the outer one.
    own = spans.stack[events.span]
    outer = _stack_around(spans, depth)[events.span]
    top = np.where(events.closes, outer, own)[:-1]
    weight = np.diff(events.at_ns)
    seen = (weight > 0) & (top != ROOT)
    return Samples(top[seen].astype(np.int32), events.at_ns[:-1][seen], weight[seen])


def _stack_around(spans: Spans, depth: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return (spans,) the stack of the span around each, or `ROOT`."""
    outer = around(depth)
    return np.where(outer >= 0, spans.stack[outer], ROOT)
