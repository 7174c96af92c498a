"""What threads did of the time inside a scope: how much of it they were on a processor, or waited for Python's lock."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import Profile, ThreadState
from workbench.profile._sample_counts import MAX_UNSEEN, SampledShare, Z
from workbench.profile._thread_rows import ThreadRows, samples_of, tracks_with_samples
from workbench.profile.stacks import Int64

_NOTHING = SampledShare(0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class _CpuTime:
    """The CPU time of threads in some stacks."""

    ticks: int
    """At which they ran."""
    ns: float
    edges: float
    """Ticks that its share of the CPU time between two samples of unlike scopes may be off by: a standard deviation."""
    near: NDArray[np.bool_]
    """(rows,) where `off` is not 0"""
    off: Callable[[Int64], NDArray[np.float64]]
    """What a tick of each of some rows adds, as a part of a period."""


@dataclass(frozen=True)
class ThreadTime:
    """The samples of a profile whose sampler ticks once in each period and knows what each thread does."""

    rows: ThreadRows
    stacks: int

    @classmethod
    def of(cls, profile: Profile) -> ThreadTime | None:
        """Return the samples of a profile; None where the sampler has no periods, or did not know the states."""
        tracks = tracks_with_samples(profile)
        if not tracks or any(samples_of(track).ticks is None for track in tracks):
            return None
        rows = ThreadRows.of(profile)
        return None if rows.state is None else cls(rows, len(profile.stacks))

    def has_seen(self, stacks: Int64) -> bool:
        """Return whether there are samples of some stacks."""
        return bool(self._mask(stacks)[self.rows.stack].any())

    def waiting_for_lock(self, stacks: Int64) -> SampledShare:
        """Return the part of the time in some stacks in which threads waited for the interpreter's lock."""
        inside = self._mask(stacks)[self.rows.stack]
        waits = inside & (self.rows.state == ThreadState.WAITING_FOR_GIL)
        samples, whole = int(self.rows.ticks[waits].sum()), int(self.rows.ticks[inside].sum())
        if not whole:
            return _NOTHING
        share = samples / whole
        half = self._half(samples, inside, lambda row: waits[row] - share * inside[row]) / whole
        return SampledShare(samples, share, max(0.0, share - half), min(1.0, share + half))

    def seconds_in(self, stacks: Int64, state: ThreadState) -> tuple[float, tuple[float, float]]:
        """Return for how long threads were in a state in some stacks, and the 95 % interval of that."""
        there = self._mask(stacks)[self.rows.stack] & (self.rows.state == state)
        ticks = int(self.rows.ticks[there].sum())
        half = self._half(ticks, there, lambda row: there[row].astype(np.float64)) * self._tick_s
        seconds = float(self.rows.weight_ns[there].sum()) / 1e9
        return seconds, (max(0.0, seconds - half), seconds + half)

    def on_processor(self, stacks: Int64) -> SampledShare | None:
        """Return the part of the time in some stacks in which threads were on a processor; None where nobody knows.

        It is the CPU time of the threads, shared out over the ticks at which they ran. So it is not the part of the
        ticks at which they ran where they also waited for a processor. The interval is that of the ratio, with what
        sharing out adds to it.
        """
        cpu = self._cpu_in(stacks)
        if cpu is None:
            return None
        inside = self._mask(stacks)[self.rows.stack]
        whole_ns, whole = float(self.rows.weight_ns[inside].sum()), int(self.rows.ticks[inside].sum())
        if not whole:
            return _NOTHING
        share = min(1.0, cpu.ns / whole_ns) if whole_ns else 0.0
        half = self._half(cpu.ticks, inside | cpu.near, lambda row: cpu.off(row) - share * inside[row])
        half = math.hypot(half, Z * cpu.edges) / whole
        return SampledShare(cpu.ticks, share, max(0.0, share - half), min(1.0, share + half))

    def cpu_s(self, stacks: Int64) -> tuple[float, tuple[float, float]] | None:
        """Return for how long threads were on a processor in some stacks, and its 95 % interval; None: nobody knows."""
        cpu = self._cpu_in(stacks)
        if cpu is None:
            return None
        half = math.hypot(self._half(cpu.ticks, cpu.near, cpu.off), Z * cpu.edges) * self._tick_s
        return cpu.ns / 1e9, (max(0.0, cpu.ns / 1e9 - half), cpu.ns / 1e9 + half)

    def _cpu_in(self, stacks: Int64) -> _CpuTime | None:
        rows, each = self.rows, self._cpu_of_time
        if rows.cpu is None or each is None:
            return None
        inside = self._mask(stacks)[rows.stack]
        ran = np.flatnonzero(inside & (rows.cpu_weight > 0))
        in_group = np.bincount(
            rows.cpu_groups[ran], weights=rows.cpu_weight[ran], minlength=len(self._weight_of_group)
        )
        part = in_group / self._weight_of_group

        def off(row: Int64) -> NDArray[np.float64]:
            found: NDArray[np.float64] = each[row] * (inside[row] - part[rows.cpu_groups[row]])
            return found

        # Anything between none and all of it, where a sample inside is beside one outside.
        unlike = np.append(False, inside[1:] != inside[:-1]) & rows.apart
        spent = np.zeros(0) if rows.cpu_ns is None else rows.cpu_ns[unlike] / (1e9 * self._tick_s)
        return _CpuTime(
            int(rows.ticks[ran].sum()),
            float(rows.cpu[ran].sum()),
            math.sqrt(float((spent**2).sum()) / 12),
            (part > 0)[rows.cpu_groups],
            off,
        )

    @cached_property
    def _tick_s(self) -> float:
        """The period in seconds."""
        return float(self.rows.weight_ns.sum()) / max(int(self.rows.ticks.sum()), 1) / 1e9

    @cached_property
    def _cpu_of_time(self) -> NDArray[np.float64] | None:
        return None if self.rows.cpu is None else self.rows.cpu / np.maximum(self.rows.weight_ns, 1)

    @cached_property
    def _weight_of_group(self) -> NDArray[np.float64]:
        """(groups,) what their CPU time is shared out by, at least 1."""
        weight = np.bincount(self.rows.cpu_groups, weights=self.rows.cpu_weight)
        return np.maximum(weight, 1).astype(np.float64)

    def _mask(self, stacks: Int64) -> NDArray[np.bool_]:
        mask = np.zeros(self.stacks + 1, dtype=np.bool_)  # the last is what `ROOT` looks up
        mask[stacks] = True
        return mask

    def _half(
        self, samples: int, near: NDArray[np.bool_], off: Callable[[Int64], NDArray[np.float64]]
    ) -> float:
        """Return half the 95 % interval of a sum over ticks, in ticks, of which so many were seen.

        As that of a part of all samples (`SampleCounts`), from the differences between neighbouring samples of a
        thread. `off` is what a tick of a row adds to the sum; of a ratio, what it adds to the numerator less the share
        of what it adds to the denominator. It is 0 of rows that are not `near`.
        """
        if not samples:
            return MAX_UNSEEN
        rows = self.rows
        moments, moment = rows.moments
        kept = np.flatnonzero(near[rows.changes] | near[rows.changes + 1])
        row = rows.changes[kept]
        amount = np.sqrt((rows.at_once[row] ** 2 + rows.at_once[row + 1] ** 2) / 2)
        jumps = np.bincount(moment[kept], weights=(off(row + 1) - off(row)) * amount, minlength=moments)
        return Z * math.sqrt((float((jumps**2).sum()) + Z * Z) / 2)
