"""What holds of every profile, asserted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.profile._parts import SAMPLE_COLUMNS
from workbench.profile._record import ROOT, Counter, Int32, Marks, Profile, Samples, Spans, Track
from workbench.profile._stacks import around, depths


def check_profile(profile: Profile) -> None:
    """Raise `AssertionError` where a profile contradicts itself; also under `python -O`."""
    _check_stacks(profile)
    depth = depths(profile.stacks)
    for track in profile.tracks:
        where = f"track {track.name!r} of process {track.pid}"
        if track.spans is not None:
            _check_spans(profile, depth, track.spans, where)
        if track.samples is not None:
            _check_samples(profile, track.samples, where)
        _check_points(track, where)


def _must(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def _check_stacks(profile: Profile) -> None:
    stacks = profile.stacks
    index = np.arange(len(stacks))
    _must(len(stacks.parent) == len(stacks.frame), "columns of stacks differ in length")
    _must(np.all((stacks.parent >= ROOT) & (stacks.parent < index)), "a stack stands before its parent")
    _must(np.all((stacks.frame >= 0) & (stacks.frame < len(profile.frames))), "a stack names no frame")


def _check_spans(profile: Profile, stack_depth: Int32, spans: Spans, where: str) -> None:
    lengths = {len(spans.stack), len(spans.start_ns), len(spans.end_ns), len(spans.unfinished)}
    lengths |= {len(column) for column in spans.work.values()}
    lengths |= set() if spans.carried is None else {len(spans.carried)}
    _must(len(lengths) == 1, f"{where}: columns of spans differ in length")
    _must(np.all((spans.stack >= 0) & (spans.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(spans.start_ns <= spans.end_ns), f"{where}: a span ends before it starts")
    _must(np.all(spans.start_ns[1:] >= spans.start_ns[:-1]), f"{where}: spans are not ordered by start")
    if len(spans):
        _check_nesting(profile, stack_depth, spans, where)


def _check_nesting(profile: Profile, stack_depth: Int32, spans: Spans, where: str) -> None:
    """Each span stands on the stack of the one around it, ends within it, and begins behind its neighbour."""
    depth = stack_depth[spans.stack]
    stands = np.concatenate([depth[:1] == 0, depth[1:] <= depth[:-1] + 1])
    _none(~stands, where, "does not stand on the span below it")
    outer = around(depth)
    below = np.where(outer >= 0, spans.stack[outer], ROOT)
    stands = profile.stacks.parent[spans.stack] == below
    # Of two neighbours of one depth, in whatever they stand, the first is over before the second begins.
    order = np.argsort(depth.astype(np.uint16) if depth.max() < 1 << 16 else depth, kind="stable")
    first, second = order[:-1], order[1:]
    overlap = (spans.end_ns[first] > spans.start_ns[second]) & (depth[first] == depth[second])
    sticks_out = (outer >= 0) & (spans.end_ns > spans.end_ns[outer])
    if sticks_out.any():  # then whatever comes behind overlaps, and is not what is wrong
        overlap &= ~sticks_out[first]
    stands[second[overlap]] = False
    _none(~stands, where, "does not stand on the span below it")
    _none(sticks_out, where, "sticks out")


def _none(wrong: NDArray[np.bool_], where: str, what: str) -> None:
    if wrong.any():
        raise AssertionError(f"{where}: span {int(np.argmax(wrong))} {what}")


def _check_samples(profile: Profile, samples: Samples, where: str) -> None:
    optional = [getattr(samples, name) for name in SAMPLE_COLUMNS]
    lengths = {len(samples.stack), len(samples.at_ns), len(samples.weight_ns)}
    lengths |= {len(column) for column in optional if column is not None}
    _must(len(lengths) == 1, f"{where}: columns of samples differ in length")
    _must(np.all((samples.stack >= ROOT) & (samples.stack < len(profile.stacks))), f"{where}: no such stack")
    _must(np.all(samples.weight_ns >= 0), f"{where}: a sample has a negative weight")
    for name, column in zip(SAMPLE_COLUMNS, optional, strict=True):
        _must(column is None or np.all(column >= 0), f"{where}: a sample has negative {name}")
    until = samples.at_ns + samples.weight_ns
    _must(np.all(until[:-1] <= samples.at_ns[1:]), f"{where}: samples overlap, or are not in time order")


def _check_points(track: Track, where: str) -> None:
    series: list[tuple[str, Counter | Marks, int]] = [
        (f"counter {counter.name!r}", counter, len(counter.value)) for counter in track.counters
    ]
    if track.marks is not None:
        series.append(("marks", track.marks, len(track.marks.name)))
    for what, points, length in series:
        _must(len(points.at_ns) == length, f"{where}: columns of {what} differ in length")
        _must(np.all(points.at_ns[1:] >= points.at_ns[:-1]), f"{where}: {what} are not in time order")
