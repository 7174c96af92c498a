"""What cannot be seen at a given width, put together without losing a nanosecond of any stack.

What is inside a narrow span is narrow too. So narrow spans come in whole subtrees, and neighbours that begin in
one pixel are adjacent: behind a span of a pixel or more nothing else begins in its first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidInputError
from workbench.profile._record import Counter, Marks, Profile, Samples, Spans
from workbench.profile.row_selection import counter_rows, mark_rows, span_rows
from workbench.profile.stacks import ROOT, Int32, Int64, Stacks, around, depths, preorder, sums


def thin(profile: Profile, width: int) -> Profile:
    """Return the profile with whatever is narrower than a pixel put together, if it is drawn so wide.

    Neighbours inside one span that are narrower than a pixel and begin in the same one become a small flame graph
    of their own totals: one span for each stack, as long as all of it was, each inside the one it stands on. So
    do short samples. Of the values of a counter in one pixel the first, the last, the least and the largest
    stay; of marks the first of each name.

    Invariants: spans and samples of at least a pixel stay exactly as they are; the self and the total time of
    every stack, track by track, stay to the nanosecond, and so do the sums of flops and other numbers; what
    moves stays in the pixel in which its neighbours began, or the next. Calls become fewer: take counts and
    percentiles from the profile itself. Samples of one pixel are put together where their lines are one, too; their
    states are left out.

    Args:
        profile: What to thin.
        width: Pixels for the time from the profile's start to its end.

    Raises:
        InvalidInputError: A width below 1.
    """
    if width < 1:
        raise InvalidInputError(f"a timeline cannot be {width} pixels wide: give 1 or more")
    pixel = max(1, -(-(profile.end_ns - profile.start_ns) // width))
    stacks = profile.stacks
    if all(track.spans is None for track in profile.tracks):
        stacks = Stacks(stacks.parent[:0], stacks.frame[:0])  # samples need no order of them
    depth, rank = depths(stacks), preorder(stacks)

    def pixel_of(at: Int64) -> Int64:
        return (at - profile.start_ns) // pixel

    return replace(
        profile,
        tracks=tuple(
            replace(
                track,
                spans=None if track.spans is None else thin_spans(track.spans, depth, rank, pixel, pixel_of),
                samples=None if track.samples is None else _samples(track.samples, pixel, pixel_of),
                counters=tuple(_counter(counter, pixel_of(counter.at_ns)) for counter in track.counters),
                marks=None if track.marks is None else _marks(track.marks, pixel_of(track.marks.at_ns)),
            )
            for track in profile.tracks
        ),
    )


def _samples(samples: Samples, pixel: int, pixel_of: Callable[[Int64], Int64]) -> Samples:
    short = np.flatnonzero(samples.weight_ns < pixel)
    # Behind a long sample nothing else begins in its pixel: those of one pixel are adjacent.
    at = pixel_of(samples.at_ns[short])
    begins = np.concatenate([[True], at[1:] != at[:-1]])[: len(short)]
    group = np.cumsum(begins) - 1
    kind = samples.stack[short].astype(np.int64)
    if samples.line is not None:
        lines = samples.line[short].astype(np.int64) + 1
        kind = (kind + 1) * (int(lines.max(initial=0)) + 1) + lines
    keys, row = np.unique(group * (int(kind.max(initial=0)) + 2) + kind + 1, return_inverse=True)
    first = short[begins]
    weight = sums(row, samples.weight_ns[short], len(keys))
    of_row = np.empty(len(keys), dtype=np.int64)
    of_row[row] = group
    member = np.empty(len(keys), dtype=np.int64)
    member[row] = short
    long = np.flatnonzero(samples.weight_ns >= pixel)
    order = np.argsort(np.concatenate([long, first[of_row]]), kind="stable")
    kept = np.concatenate([long, member])[order]
    start = samples.at_ns[first][of_row] + since_begin(weight, of_row)
    ticks, cpu = (
        None
        if column is None
        else np.concatenate([column[long], sums(row, column[short].astype(np.int64), len(keys))])[order]
        for column in (samples.ticks, samples.cpu_ns)
    )
    return Samples(
        samples.stack[kept],
        np.concatenate([samples.at_ns[long], start])[order],
        np.concatenate([samples.weight_ns[long], weight])[order],
        None if ticks is None else ticks.astype(np.int32),
        cpu,
        line=None if samples.line is None else samples.line[kept],
    )


def _counter(counter: Counter, pixel: Int64) -> Counter:
    known = np.flatnonzero(~np.isnan(counter.value))
    by_value = known[np.lexsort((counter.value[known], pixel[known]))]
    kept = np.zeros(len(pixel), dtype=np.bool_)
    for rows in (np.arange(len(pixel)), by_value):
        changes = np.flatnonzero(np.diff(pixel[rows]))
        kept[rows[changes]] = True
        kept[rows[changes + 1]] = True
        kept[rows[:1]] = True
        kept[rows[-1:]] = True
    return counter_rows(counter, kept)


def _marks(marks: Marks, pixel: Int64) -> Marks:
    numbers: dict[str, int] = {}
    name = np.array([numbers.setdefault(each, len(numbers)) for each in marks.name], dtype=np.int64)
    _, first = np.unique((pixel - pixel.min(initial=0)) * max(len(numbers), 1) + name, return_index=True)
    return mark_rows(marks, np.sort(first))


def thin_spans(
    spans: Spans, stack_depth: Int32, rank: Int64, pixel: int, pixel_of: Callable[[Int64], Int64]
) -> Spans:
    """Return a track's spans with narrow neighbours put together.

    Args:
        spans: One track's.
        stack_depth: (stacks,) how deep each is.
        rank: (stacks,) its place in preorder.
        pixel: Nanoseconds; what is shorter is narrow.
        pixel_of: The pixel of each instant.
    """
    duration = spans.end_ns - spans.start_ns
    narrow = duration < pixel
    outer = around(stack_depth[spans.stack])
    groups = _groups(spans, narrow, outer, pixel_of)
    if not len(groups.member):
        return spans
    kind = _kinds(spans, groups, outer, stack_depth, rank)
    keys, first, row = np.unique(
        groups.number * (int(kind.max()) + 1) + kind, return_index=True, return_inverse=True
    )
    # What nothing is put together with stays as it is.
    group = groups.number[first]
    together = np.bincount(groups.number) > np.bincount(group)
    merged = np.flatnonzero(together[group])
    own = duration[groups.member]
    inner = np.flatnonzero(~groups.is_top)
    place = np.full(len(spans), -1, dtype=np.int64)
    place[groups.member] = np.arange(len(groups.member))
    np.subtract.at(own, place[outer[groups.member[inner]]], duration[groups.member[inner]])
    # Self time first, then what stands on it: a span starts when all self time before it in preorder is over.
    start = spans.start_ns[groups.first][group] + since_begin(sums(row, own, len(keys)), group)
    total = sums(row, duration[groups.member], len(keys))
    stays = ~narrow
    stays[groups.member] = ~together[groups.number]
    rows = np.concatenate([np.flatnonzero(stays), groups.member[first[merged]]])
    put = span_rows(spans, rows)
    old = int(stays.sum())
    put.start_ns[old:] = start[merged]
    put.end_ns[old:] = (start + total)[merged]
    for name, column in put.work.items():
        amounts = np.zeros(len(keys))
        np.add.at(amounts, row, spans.work[name][groups.member])
        column[old:] = amounts[merged]
    position = np.concatenate([rows[:old], groups.first[group[merged]]])
    return span_rows(put, np.argsort(position, kind="stable"))


class _Groups(NamedTuple):
    """Narrow spans that begin, or are inside of what begins, in one pixel of one span around them."""

    member: Int64
    """(members,) the narrow spans, in order"""
    is_top: NDArray[np.bool_]
    """(members,) whether the span around it is not narrow"""
    number: Int64
    """(members,) its group; those of one are adjacent"""
    first: Int64
    """(groups,) the span that begins it"""


def _groups(
    spans: Spans, narrow: NDArray[np.bool_], outer: Int64, pixel_of: Callable[[Int64], Int64]
) -> _Groups:
    member = np.flatnonzero(narrow)
    is_top = (outer[member] < 0) | ~narrow[outer[member]]
    top = member[is_top]
    at = pixel_of(spans.start_ns[top])
    begins = np.ones(len(top), dtype=np.bool_)
    begins[1:] = (outer[top[1:]] != outer[top[:-1]]) | (at[1:] != at[:-1])
    of_top = np.cumsum(begins) - 1
    return _Groups(member, is_top, of_top[np.cumsum(is_top) - 1], top[begins])


def _kinds(spans: Spans, groups: _Groups, outer: Int64, stack_depth: Int32, rank: Int64) -> Int64:
    """Return (members,) numbers, equal where spans of a group may become one, and in preorder.

    They may where the stack is one, and each span on the way to it is alike: whether it was propagated along, had
    ended, and which numbers it states.
    """
    stack = spans.stack[groups.member]
    alike = np.zeros(len(stack), dtype=np.int64)
    flags = [spans.unfinished] if spans.propagated is None else [spans.unfinished, spans.propagated]
    for flag in [*flags, *(np.isnan(column) for column in spans.work.values())]:
        alike = np.unique(alike * 2 + flag[groups.member], return_inverse=True)[1]
    of_stack = np.zeros(len(rank), dtype=np.int64)
    of_stack[stack] = alike
    if np.array_equal(of_stack[stack], alike):
        return rank[stack]
    label = alike * len(rank) + stack
    _, label = np.unique(label, return_inverse=True)
    width = int(label.max()) + 1
    node_of = np.full(len(spans), ROOT, dtype=np.int64)
    depth = stack_depth[stack]
    by_depth = np.argsort(depth, kind="stable")
    edges = np.append(np.flatnonzero(np.diff(depth[by_depth], prepend=-1)), len(depth))
    parents: list[Int64] = []
    labels: list[Int64] = []
    done = 0
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        here = by_depth[begin:end]
        above = np.where(groups.is_top[here], ROOT, node_of[outer[groups.member[here]]])
        keys, node = np.unique((above + 1) * width + label[here], return_inverse=True)
        node_of[groups.member[here]] = node + done
        parents.append(keys // width - 1)
        labels.append(keys % width)
        done += len(keys)
    nodes = Stacks(np.concatenate(parents).astype(np.int32), np.concatenate(labels).astype(np.int32))
    return preorder(nodes)[node_of[groups.member]]


def since_begin(values: Int64, group: Int64) -> Int64:
    """Return the sum of the values before each in its group; those of a group are adjacent, in order."""
    before = np.cumsum(values) - values
    begins = np.concatenate([[True], group[1:] != group[:-1]])[: len(group)]
    return before - before[np.flatnonzero(begins)][np.cumsum(begins) - 1] if len(group) else before
