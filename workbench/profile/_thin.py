"""What cannot be seen at a given width, put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from workbench.errors import InvalidInputError
from workbench.profile._record import Counter, Marks, Profile, Samples
from workbench.profile._thin_spans import since_begin, thin_spans
from workbench.profile.columns import counter_rows, mark_rows
from workbench.profile.stacks import Int64, Stacks, depths, preorder, sums


def thin(profile: Profile, width: int) -> Profile:
    """Return the profile with whatever is narrower than a pixel put together, if it is drawn so wide.

    Neighbours inside one span that are narrower than a pixel and begin in the same one become a small picture
    of their own totals: one span for each stack, as long as all of it was, each inside the one it stands on. So
    do short samples. Of the values of a counter in one pixel the first, the last, the least and the largest
    stay; of marks the first of each name.

    Invariants: spans and samples of at least a pixel stay exactly as they are; the self and the total time of
    every stack, track by track, stay to the nanosecond, and so do the sums of flops and other numbers; what
    moves stays in the pixel in which its neighbours began, or the next. Calls become fewer: take counts and
    percentiles from the profile itself. The states and lines of samples are left out.

    Args:
        profile: What to thin.
        width: Pixels for the time from the profile's start to its end.

    Raises:
        InvalidInputError: A width below 1.
    """
    if width < 1:
        raise InvalidInputError(f"a picture cannot be {width} pixels wide: give 1 or more")
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
    # Behind a long sample nothing else begins in its pixel: those of one pixel stand together.
    at = pixel_of(samples.at_ns[short])
    begins = np.concatenate([[True], at[1:] != at[:-1]])[: len(short)]
    group = np.cumsum(begins) - 1
    stack = samples.stack[short].astype(np.int64)
    keys, row = np.unique(group * (int(stack.max(initial=0)) + 2) + stack + 1, return_inverse=True)
    first = short[begins]
    weight = sums(row, samples.weight_ns[short], len(keys))
    of_row = np.empty(len(keys), dtype=np.int64)
    of_row[row] = group
    put = np.empty(len(keys), dtype=np.int32)
    put[row] = samples.stack[short]
    long = np.flatnonzero(samples.weight_ns >= pixel)
    order = np.argsort(np.concatenate([long, first[of_row]]), kind="stable")
    start = samples.at_ns[first][of_row] + since_begin(weight, of_row)
    ticks, cpu = (
        None
        if column is None
        else np.concatenate([column[long], sums(row, column[short].astype(np.int64), len(keys))])[order]
        for column in (samples.ticks, samples.cpu_ns)
    )
    return Samples(
        np.concatenate([samples.stack[long], put])[order],
        np.concatenate([samples.at_ns[long], start])[order],
        np.concatenate([samples.weight_ns[long], weight])[order],
        None if ticks is None else ticks.astype(np.int32),
        cpu,
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
