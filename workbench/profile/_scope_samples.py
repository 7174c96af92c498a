"""What a sampler saw under each scope: how often, with an interval, and what was on top in native code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.profile._native_names import native_name
from workbench.profile._record import ROOT, Frame, FrameKind, Profile
from workbench.profile._stacks import outermost

Z = 1.959963984540054
"""Standard deviations of a normal distribution within which 95 % of it lie."""


@dataclass(frozen=True)
class SampledShare:
    """A part of all samples, with what is known about it by so many looks: the interval holds with 95 %."""

    samples: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class NativePart:
    """A native function on top of the stack, or all of one short name."""

    name: str
    samples: int
    share: float
    """Of the samples under the scope."""
    symbols: tuple[str, ...]
    """Full names, the most frequent first."""


@dataclass(frozen=True)
class ScopeSamples:
    """What was seen under one scope. `native`, `python` and `waiting` together are all of it."""

    name: str
    of_all: SampledShare
    native: tuple[NativePart, ...]
    """The most frequent first."""
    python: float
    """Share of its samples with Python code on top."""
    waiting: float
    """Share of its samples that waited."""


@dataclass(frozen=True)
class Looks:
    """All samples at which anything was seen, as numbers for each stack."""

    count: NDArray[np.int64]
    """(stacks,) how often it was seen"""
    amount: NDArray[np.float64]
    """(stacks,) what shares are made of: the count, or the time that was stood for"""
    effective: float
    """How many independent looks they are worth at most."""

    @classmethod
    def of(cls, profile: Profile, *, by_time: bool = False) -> Looks:
        """Return the looks of a profile in which each sample is one look of the sampler at one thread.

        A sampler that looks whatever runs, as py-spy does at random times, counts: shares are of counts. One that looks
        when a function is called or returns stands for the time since it last did: shares are of time, and samples of
        unequal weight are worth fewer, (Σw)²/Σw².

        Threads that are seen at one look are not independent, for what one does has to do with what the others do.
        So looks count once, however many threads each saw: samples are divided by how many threads are seen at a
        time, on average. A trace of changes has been cut into the looks that the sampler made, so that a stack that
        stays for a second counts as often as it was seen. Looks of a sampler with regular times would vary less than
        independent ones, so that the intervals err on the wide side.
        """
        size = len(profile.stacks)
        count, amount = np.zeros(size, dtype=np.int64), np.zeros(size)
        begins, ends = [], []
        weights = []
        for samples in (track.samples for track in profile.tracks if track.samples is not None):
            seen = samples.stack != ROOT
            stack, weight = samples.stack[seen], samples.weight_ns[seen]
            own = np.bincount(stack, minlength=size)
            count += own
            amount += np.bincount(stack, weights=weight, minlength=size) if by_time else own
            begins.append(samples.at_ns[seen])
            ends.append(samples.at_ns[seen] + weight)
            weights.append(weight.astype(np.float64))
        if not weights or not count.sum():
            return cls(count, amount, 0.0)
        weight = np.concatenate(weights)
        worth = float(count.sum())
        if by_time and weight.sum() > 0:
            worth = float(weight.sum() ** 2 / (weight**2).sum())
        return cls(count, amount, worth / _at_a_time(np.concatenate(begins), np.concatenate(ends)))

    @cached_property
    def whole(self) -> float:
        """The amount of all stacks."""
        return float(self.amount.sum())

    def part(self, stacks: NDArray[np.bool_] | NDArray[np.int64]) -> SampledShare:
        """Return what some of the stacks, given as a mask or by their numbers, are of all."""
        share = float(self.amount[stacks].sum()) / self.whole if self.whole > 0 else 0.0
        return SampledShare(int(self.count[stacks].sum()), share, *wilson(share, self.effective))


def wilson(share: float, looks: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many independent looks, by Wilson's score."""
    if looks <= 0:
        return 0.0, 1.0
    z2 = Z * Z / looks
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(share * (1 - share) / looks + z2 / (4 * looks))
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def scope_samples(profile: Profile, *, by_time: bool = False) -> dict[str, ScopeSamples]:
    """Return by name what was seen under each scope, the most seen first.

    A sample under a scope inside itself counts once. Invariant: of each scope the shares of `native`, `python` and
    `waiting` add up to 1.

    Args:
        profile: Samples under their scopes, each one look at one thread; see `Looks.of`.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    looks = Looks.of(profile, by_time=by_time)
    inside = stacks_inside(profile)
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    kind = kinds[profile.stacks.frame] if len(profile.stacks) else np.zeros(0, dtype=np.int8)
    found: list[ScopeSamples] = []
    for name, stacks in inside.items():
        rows = stacks[looks.count[stacks] > 0]
        if not len(rows):
            continue
        whole = float(looks.amount[rows].sum()) or 1.0
        native = rows[kind[rows] == FrameKind.NATIVE]
        idle = rows[kind[rows] == FrameKind.IDLE]
        parts = _native_parts([profile.frames[i] for i in profile.stacks.frame[native]], native, looks, whole)
        waiting = float(looks.amount[idle].sum()) / whole
        python = max(0.0, 1 - waiting - sum(part.share for part in parts))
        found.append(ScopeSamples(name, looks.part(rows), parts, python, waiting))
    return {each.name: each for each in sorted(found, key=lambda each: -each.of_all.share)}


def stacks_inside(profile: Profile) -> dict[str, NDArray[np.int64]]:
    """Return by the name of a scope all stacks that it is in."""
    stacks = profile.stacks
    of_frame = [frame.name if frame.kind is FrameKind.SCOPE else None for frame in profile.frames]
    names = [of_frame[i] for i in stacks.frame.tolist()]
    first = outermost(stacks, names)
    around: list[tuple[str, ...]] = []
    found: dict[str, list[int]] = {}
    for stack, (parent, name) in enumerate(zip(stacks.parent.tolist(), names, strict=True)):
        below = around[parent] if parent != ROOT else ()
        around.append((*below, name) if name is not None and first[stack] else below)
        for each in around[stack]:
            found.setdefault(each, []).append(stack)
    return {name: np.array(rows, dtype=np.int64) for name, rows in found.items()}


def _native_parts(
    frames: Sequence[Frame], rows: NDArray[np.int64], looks: Looks, whole: float
) -> tuple[NativePart, ...]:
    """Return native functions by short name: `frames` has the top of each of the stacks `rows`."""
    by_name: dict[str, dict[str, list[float]]] = {}
    short: Mapping[Frame, str] = {frame: native_name(frame) for frame in set(frames)}
    for frame, stack in zip(frames, rows.tolist(), strict=True):
        entry = by_name.setdefault(short[frame], {}).setdefault(frame.name, [0, 0.0])
        entry[0] += int(looks.count[stack])
        entry[1] += float(looks.amount[stack])
    parts = [
        NativePart(
            name,
            int(sum(count for count, _ in symbols.values())),
            sum(amount for _, amount in symbols.values()) / whole,
            tuple(sorted(symbols, key=lambda symbol: -symbols[symbol][1])),
        )
        for name, symbols in by_name.items()
    ]
    return tuple(sorted(parts, key=lambda part: -part.share))


def _at_a_time(begin_ns: NDArray[np.int64], end_ns: NDArray[np.int64]) -> float:
    """Return how many samples stand for a moment on average, where any does; at least 1."""
    order = np.argsort(begin_ns, kind="stable")
    begin, end = begin_ns[order], end_ns[order]
    reach = np.maximum.accumulate(end)
    gaps = np.maximum(begin[1:] - reach[:-1], 0).sum()
    covered = float(reach[-1] - begin[0] - gaps)
    return max(1.0, float((end - begin).sum()) / covered) if covered > 0 else 1.0
