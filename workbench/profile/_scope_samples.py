"""What a sampler saw under each scope: how often, with an interval, and what was on top in native code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.profile._native_names import native_name
from workbench.profile._record import ROOT, Frame, FrameKind, Profile
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile._scope_time import ThreadTime
from workbench.profile._stacks import outermost


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
    of_cpu: SampledShare | None = None
    """Of the CPU time of all threads; None where the sampler does not read it."""
    on_processor: SampledShare | None = None
    """The part of the time inside it in which its threads were on a processor; None where nobody knows."""
    waiting_for_lock: SampledShare | None = None
    """The part of the time inside it in which they waited for the interpreter's lock; None where nobody knows."""


def scope_samples(profile: Profile, *, by_time: bool = False) -> dict[str, ScopeSamples]:
    """Return by name what was seen under each scope, the most seen first.

    A sample under a scope inside itself counts once. Invariant: of each scope the shares of `native`, `python` and
    `waiting` add up to 1.

    Args:
        profile: Samples under their scopes, each of one thread; see `SampleCounts.of`.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    counts = SampleCounts.of(profile, by_time=by_time)
    cpu, times = SampleCounts.of_cpu(profile), ThreadTime.of(profile)
    inside = stacks_inside(profile)
    kinds = np.array([frame.kind for frame in profile.frames], dtype=np.int8)
    kind = kinds[profile.stacks.frame] if len(profile.stacks) else np.zeros(0, dtype=np.int8)
    found: list[ScopeSamples] = []
    for name, stacks in inside.items():
        rows = stacks[counts.count[stacks] > 0]
        if not len(rows):
            continue
        whole = float(counts.amount[rows].sum()) or 1.0
        native = rows[kind[rows] == FrameKind.NATIVE]
        idle = rows[kind[rows] == FrameKind.IDLE]
        parts = _native_parts(
            [profile.frames[i] for i in profile.stacks.frame[native]], native, counts, whole
        )
        waiting = float(counts.amount[idle].sum()) / whole
        python = max(0.0, 1 - waiting - sum(part.share for part in parts))
        found.append(
            ScopeSamples(
                name,
                counts.part(rows),
                parts,
                python,
                waiting,
                None if cpu is None else cpu.part(rows),
                None if times is None else times.on_processor(rows),
                None if times is None else times.waiting_for_lock(rows),
            )
        )
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
    frames: Sequence[Frame], rows: NDArray[np.int64], counts: SampleCounts, whole: float
) -> tuple[NativePart, ...]:
    """Return native functions by short name: `frames` has the top of each of the stacks `rows`."""
    by_name: dict[str, dict[str, list[float]]] = {}
    short: Mapping[Frame, str] = {frame: native_name(frame) for frame in set(frames)}
    for frame, stack in zip(frames, rows.tolist(), strict=True):
        entry = by_name.setdefault(short[frame], {}).setdefault(frame.name, [0, 0.0])
        entry[0] += int(counts.count[stack])
        entry[1] += float(counts.amount[stack])
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
