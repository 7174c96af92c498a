"""The records of one sampled thread in one segment, as columns: nodes of its stack tree, codes, and samples.

It follows docs/event-log.md, section "Samples", with array operations over records of 16 bytes; only the few codes are
read one by one. Records that refer to missing ones are left out and counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import RECORD
from workbench.profile import ThreadState
from workbench.profile.stacks import Int32, Int64
from workbench.scopes import layout

MAX_NS = 1 << 61
"""Larger times and sums of times are damage: they would not fit into a column."""
MAX_TICKS = 2**31 - 1
BAD_NODE = 255
"""Kind of a node whose parent is not an earlier node."""


@dataclass(frozen=True)
class Nodes:
    """A tree of stacks: node `i` is number `i + 1`."""

    parent: Int32
    """(nodes,) number of the parent, less than the node's own; 0: none"""
    kind: NDArray[np.uint8]
    """(nodes,) as `layout.NODE_PYTHON` and others, or `BAD_NODE`"""
    a: NDArray[np.uint32]
    b: NDArray[np.uint64]
    code: Int32
    """(nodes,) index of a Python frame's code; -1: none"""


@dataclass(frozen=True)
class ThreadSamples:
    """The samples of one thread in one segment, in the order in which they were written."""

    tid: int
    """The native id of the thread; 0: unknown."""
    name: str
    nodes: Nodes
    codes: list[tuple[int, bytes]]
    """(first line, content) of each."""
    node: Int32
    """(samples,) number of the node on top, 0: no frames"""
    at_ns: Int64
    ticks: Int64
    cpu_ns: Int64
    state: NDArray[np.uint8]
    track: Int64
    """(samples,) number of the track whose scopes are open; 0: none"""
    damaged: int
    """Number of damaged records."""


def read_thread(chunks: Sequence[NDArray[np.void]]) -> ThreadSamples:
    """Return the samples in the chunks of a thread in one segment, without damaged records."""
    parts, codes, damaged = [np.empty(0, RECORD)], [], 0
    for chunk in chunks:
        rows, own, torn = without_contents(chunk)
        parts.append(rows)
        codes += own
        damaged += torn
    return samples_of(np.concatenate(parts), codes, damaged)


def samples_of(rows: NDArray[np.void], codes: list[tuple[int, bytes]], damaged: int = 0) -> ThreadSamples:
    """Return the samples in the records of a thread in one segment, given without the contents of its codes."""
    head, a, b = rows["head"], rows["a"], rows["b"]
    kind, small, number = (part.astype(np.uint32) for part in (head & 15, (head >> 4) & 15, head >> 8))
    setting = np.where(kind == layout.RECORD_SETTING, small, 0)
    epoch = np.cumsum(setting == layout.SET_NUMBERS)
    nodes, bad = _nodes(kind, small, number, a, b, epoch)
    thread = np.flatnonzero(kind == layout.RECORD_THREAD)[:1]
    named = np.flatnonzero(kind == layout.RECORD_THREAD_NAME)[-1:]
    is_base = (kind == layout.RECORD_THREAD) | (setting == layout.SET_TIME)
    sample, at_ns, untimed = _timed(np.flatnonzero(kind >= layout.RECORD_SAMPLE), a, b, is_base)
    of_ticks = _since_last(sample, np.flatnonzero(setting == layout.SET_TICKS))
    of_cpu = _since_last(sample, np.flatnonzero(setting == layout.SET_CPU))
    ticks = np.where(small[sample] > 0, small[sample], 0).astype(np.int64)
    counted = (ticks == 0) & (of_ticks >= 0)
    ticks[counted] = np.minimum(a[of_ticks[counted]], np.uint32(MAX_TICKS))
    cpu = (b[sample] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    set_apart = of_cpu >= 0
    cpu[set_apart] = np.minimum(b[of_cpu[set_apart]], np.uint64(MAX_NS)).astype(np.int64)
    node, state, lost = _tops(sample, kind, number, epoch)
    damaged += bad + untimed + lost + int((ticks == 0).sum())
    if float(cpu.sum(dtype=np.float64)) >= MAX_NS:
        cpu[:] = 0
        damaged += 1
    return ThreadSamples(
        tid=int(number[thread[0]]) if len(thread) else 0,
        name=_name(rows[named[0]], int(small[named[0]])) if len(named) else "",
        nodes=_with_codes(nodes, kind, b, epoch),
        codes=codes,
        node=node,
        at_ns=at_ns,
        ticks=ticks,
        cpu_ns=cpu,
        state=state,
        track=_last_value(sample, np.flatnonzero(setting == layout.SET_TRACK), a),
        damaged=damaged,
    )


def without_contents(
    chunk: NDArray[np.void],
) -> tuple[NDArray[np.void], list[tuple[int, bytes]], int]:
    """Return a chunk's records without contents of codes, those contents, and 1 if the rest was left out, else 0."""
    head = chunk["head"]
    empty = np.flatnonzero(head == 0).tolist()
    keep = np.ones(len(chunk), dtype=np.bool_)
    codes: list[tuple[int, bytes]] = []
    begin = 0  # of the records after the last content
    candidates = np.flatnonzero((head & 15) == layout.RECORD_CODE)
    sizes = (head[candidates] >> 8).tolist()
    for row, size in zip(candidates.tolist(), sizes, strict=True):
        if row < begin:
            continue  # inside of a content
        place = bisect_left(empty, begin)
        if place < len(empty) and empty[place] < row:
            break
        stop = row + 1 + size
        if stop > len(chunk):
            return chunk[:row][keep[:row]], codes, 1
        codes.append((int(chunk["a"][row]), chunk[row + 1 : stop].tobytes()))
        keep[row + 1 : stop] = False
        begin = stop
    place = bisect_left(empty, begin)
    end = empty[place] if place < len(empty) else len(chunk)
    return chunk[:end][keep[:end]], codes, 0


def _nodes(
    kind: NDArray[np.uint32],
    small: NDArray[np.uint32],
    number: NDArray[np.uint32],
    a: NDArray[np.uint32],
    b: NDArray[np.uint64],
    epoch: Int64,
) -> tuple[Nodes, int]:
    """Return the nodes of all epochs, without codes, and how many have a wrong parent."""
    row = np.flatnonzero(kind == layout.RECORD_NODE)
    before = np.searchsorted(epoch[row], epoch[row])  # nodes of earlier epochs
    below = number[row].astype(np.int64)
    parent = np.where(below > 0, below + before, 0)
    bad = parent > np.arange(len(row))
    parent[bad] = 0
    kinds = np.where(bad, BAD_NODE, small[row]).astype(np.uint8)
    nodes = Nodes(
        parent.astype(np.int32), kinds, a[row].copy(), b[row].copy(), np.full(len(row), -1, dtype=np.int32)
    )
    return nodes, int(bad.sum())


def _with_codes(nodes: Nodes, kind: NDArray[np.uint32], b: NDArray[np.uint64], epoch: Int64) -> Nodes:
    """Fill in the index of the code of each Python node."""
    code_row = np.flatnonzero(kind == layout.RECORD_CODE)
    node_epoch = epoch[kind == layout.RECORD_NODE]
    python = np.flatnonzero((nodes.kind == layout.NODE_PYTHON) | (nodes.kind == layout.NODE_GENERATOR))
    if not len(code_row) or not len(python):
        return nodes
    key = _key(epoch[code_row], b[code_row])
    order = np.argsort(key, kind="stable")
    wanted = _key(node_epoch[python], nodes.b[python])
    place = np.minimum(np.searchsorted(key[order], wanted), len(order) - 1)
    found = order[place]
    nodes.code[python] = np.where(key[found] == wanted, found, -1)
    return nodes


def _key(epoch: Int64, number: NDArray[np.uint64]) -> Int64:
    """Return one key for an epoch and a code's number in it; too large numbers have one key."""
    few = np.minimum(number, np.uint64(0xFFFFFFFF)).astype(np.int64)
    return (epoch.astype(np.int64) << 32) | few


def _timed(
    sample: Int64, a: NDArray[np.uint32], b: NDArray[np.uint64], is_base: NDArray[np.bool_]
) -> tuple[Int64, Int64, int]:
    """Return the samples whose time is known, their times, and how many others there are."""
    bases = np.flatnonzero(is_base)
    of_base = np.searchsorted(bases, sample) - 1
    since = np.cumsum(a[sample], dtype=np.int64)
    first = np.searchsorted(sample, bases)  # the first sample after each
    start = np.append(0, since)[first]
    sane = of_base >= 0
    if len(bases):
        sane &= (b[bases] < np.uint64(MAX_NS))[np.maximum(of_base, 0)]
        base = np.minimum(b[bases], np.uint64(MAX_NS)).astype(np.int64) - start
        at_ns = base[np.maximum(of_base, 0)] + since
    else:
        at_ns = since
    return sample[sane], at_ns[sane], int(len(sane) - sane.sum())


def _since_last(sample: Int64, rows: Int64) -> Int64:
    """Return (samples,) the last of the rows between a sample and its predecessor, or -1."""
    if not len(rows):
        return np.full(len(sample), -1, dtype=np.int64)
    place = np.searchsorted(rows, sample) - 1
    found = np.where(place >= 0, rows[np.maximum(place, 0)], -1)
    last = np.append(-1, sample[:-1])[: len(sample)]
    return np.where(found > last, found, -1)


def _last_value(sample: Int64, rows: Int64, values: NDArray[np.uint32]) -> Int64:
    """Return (samples,) the value of the last of the rows before a sample, or 0."""
    place = np.searchsorted(rows, sample)
    return np.append(0, values[rows]).astype(np.int64)[place]


def _tops(
    sample: Int64, kind: NDArray[np.uint32], number: NDArray[np.uint32], epoch: Int64
) -> tuple[Int32, NDArray[np.uint8], int]:
    """Return (samples,) the top node and the state, and how many samples refer to a missing node."""
    is_node = kind == layout.RECORD_NODE
    seen = np.cumsum(is_node)
    node_epoch = epoch[is_node]
    before = np.searchsorted(node_epoch, epoch[sample])
    below = number[sample].astype(np.int64)
    node = np.where(below > 0, below + before, 0)
    lost = node > seen[sample]
    node[lost] = 0
    state = (kind[sample] - layout.RECORD_SAMPLE).astype(np.uint8)
    state[lost | (state > max(ThreadState))] = ThreadState.UNKNOWN
    return node.astype(np.int32), state, int(lost.sum())


def _name(row: np.void, length: int) -> str:
    return row.tobytes()[4:][: min(length, 12)].decode("utf-8", "replace")
