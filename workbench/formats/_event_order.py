"""From spans that nest to opens and closes in the order of time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.profile import Spans


class Events(NamedTuple):
    """Opens and closes of one track, each close matching the open on top."""

    span: NDArray[np.intp]
    """(events,) whose it is"""
    closes: NDArray[np.bool_]
    """(events,) whether it is the close"""
    at_ns: NDArray[np.int64]
    """(events,) never before the one in front of it"""


def events_of(spans: Spans, depth: NDArray[np.int32]) -> Events:
    """Return a track's spans, each of which has so many around it, as opens and closes.

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
    return Events(span, closes, at)


def _by_level(depth: NDArray[np.signedinteger]) -> NDArray[np.intp]:
    few = int(depth.max(initial=0)) < 1 << 16  # which are sorted in linear time
    return np.argsort(depth.astype(np.uint16) if few else depth, kind="stable")
