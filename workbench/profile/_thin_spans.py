"""Spans narrower than a pixel, put together without losing a nanosecond of any stack.

What is inside a narrow span is narrow too. So narrow spans come in whole subtrees, and neighbours that begin in
one pixel stand together: behind a span of a pixel or more nothing else begins in its first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import Spans
from workbench.profile.columns import span_rows
from workbench.profile.stacks import ROOT, Int32, Int64, Stacks, around, preorder, sums


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
    """(members,) its group; those of one stand together"""
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

    They may where the stack is one, and each span on the way to it is alike: whether it was carried along, had
    ended, and which numbers it states.
    """
    stack = spans.stack[groups.member]
    alike = np.zeros(len(stack), dtype=np.int64)
    flags = [spans.unfinished] if spans.carried is None else [spans.unfinished, spans.carried]
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
    """Return the sum of the values before each in its group; those of a group stand together, in order."""
    before = np.cumsum(values) - values
    begins = np.concatenate([[True], group[1:] != group[:-1]])[: len(group)]
    return before - before[np.flatnonzero(begins)][np.cumsum(begins) - 1] if len(group) else before
