"""How often each stack was seen, and what part of all that is, with a 95 % interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import Profile
from workbench.profile._thread_rows import ThreadRows, samples_of, tracks_with_samples
from workbench.profile.stacks import ROOT

Z = 1.959963984540054
"""Standard deviations of a normal distribution within which 95 % of it lie."""
MAX_UNSEEN = 3
"""Samples of what was never seen that there may have been: exp(-3) is 5 %."""


@dataclass(frozen=True)
class SampledShare:
    """A part of all samples, with what is known about it by so many of them: the interval holds with 95 %."""

    samples: int
    share: float
    low: float
    high: float
    is_known: bool = True
    """Whether it is known how many samples there were; else the interval is from 0 to 1."""


@dataclass(frozen=True)
class Changes:
    """Where a thread's stack differs between one sample and its next."""

    before: NDArray[np.int64]
    """(changes,) the stack, or `ROOT`"""
    after: NDArray[np.int64]
    amount: NDArray[np.float64]
    """(changes,) what one sample around it stands for"""
    moment: NDArray[np.int64]
    """(changes,) a number, the same for all threads of a process whose stacks changed in one period"""
    moments: int


@dataclass(frozen=True)
class SampleCounts:
    """All samples at which anything was seen, as numbers for each stack."""

    count: NDArray[np.int64]
    """(stacks,) how often it was seen"""
    amount: NDArray[np.float64]
    """(stacks,) what shares are made of: the count, or the time that was stood for, of regular ticks in periods"""
    effective: float
    """How many independent samples they are worth at most; 0: not known, as is `count`."""
    changes: Changes | None = None
    """Of a sampler with one random sample in each period; None: its samples are at random times."""

    @classmethod
    def of(cls, profile: Profile, *, by_time: bool = False) -> SampleCounts:
        """Return the counts of a profile in which each sample is of one thread.

        A sampler that takes one sample in each period (`Samples.ticks`) counts ticks, which are of time, too: at the
        edges of a range parts of them. One that samples whatever runs at random times, as py-spy does, counts samples.
        One that does so when a function is called or returns stands for the time since it last did: shares are of time,
        and samples of unequal weight are worth fewer, (Σw)²/Σw².

        Threads that are sampled at one moment are not independent, for what one does has to do with what the others
        do. So without regular ticks each moment counts once, however many threads were seen at it: samples are divided
        by how many threads are seen at a time, on average.

        In a file that has merged equal stacks they are worth as many as it says that there were.
        """
        tracks = tracks_with_samples(profile)
        regular = bool(tracks) and all(samples_of(track).ticks is not None for track in tracks)
        size = len(profile.stacks)
        count, amount = np.zeros(size, dtype=np.int64), np.zeros(size)
        begins, ends = [], []
        weights = []
        for samples in map(samples_of, tracks):
            seen = samples.stack != ROOT
            stack, weight = samples.stack[seen], samples.weight_ns[seen]
            own = np.bincount(stack, weights=samples.count[seen], minlength=size)
            count += own.astype(np.int64)
            amount += np.bincount(stack, weights=weight, minlength=size) if by_time or regular else own
            begins.append(samples.at_ns[seen])
            ends.append(samples.at_ns[seen] + weight)
            weights.append(weight.astype(np.float64))
        if not weights or not count.sum():
            return cls(count, amount, 0.0)
        if regular:
            period = float(amount.sum()) / float(count.sum())
            amount = amount / period if period else count.astype(np.float64)
            changes = None if profile.file.is_merged else _changes(ThreadRows.of(profile))
            return cls(count, amount, float(count.sum()), changes)
        if not profile.counts_samples:
            return cls(count, amount, 0.0)
        weight = np.concatenate(weights)
        worth = float(count.sum())
        if by_time and weight.sum() > 0:
            worth = float(weight.sum() ** 2 / (weight**2).sum())
        return cls(count, amount, worth / _at_a_time(np.concatenate(begins), np.concatenate(ends)))

    @classmethod
    def of_cpu(cls, profile: Profile) -> SampleCounts | None:
        """Return the counts with shares of CPU time; None where the profile does not hold any for all its samples."""
        tracks = tracks_with_samples(profile)
        if not tracks or any(samples_of(track).ticks is None for track in tracks):
            return None
        rows = ThreadRows.of(profile)
        if rows.cpu is None:
            return None
        seen = rows.stack != ROOT
        stack, ticks, cpu = rows.stack[seen], rows.ticks[seen], rows.cpu[seen]
        size = len(profile.stacks)
        count = np.bincount(stack, weights=ticks, minlength=size).astype(np.int64)
        amount = np.bincount(stack, weights=cpu, minlength=size).astype(np.float64)
        whole = float(amount.sum())
        if whole <= 0:
            return None
        worth = whole**2 / float((cpu**2 / np.maximum(ticks, 1)).sum())
        changes = None if profile.file.is_merged else _changes(rows, rows.cpu / np.maximum(rows.ticks, 1))
        return cls(count, amount, worth, changes)

    @cached_property
    def whole(self) -> float:
        """The amount of all stacks."""
        return float(self.amount.sum())

    def part(self, stacks: NDArray[np.bool_] | NDArray[np.int64]) -> SampledShare:
        """Return what some of the stacks, given as a mask or by their numbers, are of all."""
        share = float(self.amount[stacks].sum()) / self.whole if self.whole > 0 else 0.0
        samples = int(self.count[stacks].sum())
        if self.changes is None or self.effective <= 0:
            return SampledShare(samples, share, *wilson(share, self.effective), self.effective > 0)
        return SampledShare(samples, share, *self._stratified(self.changes, stacks, share))

    def parts(self, stack: NDArray[np.int64], group: NDArray[np.int64], groups: int) -> list[SampledShare]:
        """Return what each of many groups of stacks is of all, where `stack[i]` is in `group[i]`.

        A stack may be in several groups.
        """
        amount, count = (
            np.bincount(group, weights=each[stack], minlength=groups) for each in (self.amount, self.count)
        )
        shares = (amount / self.whole if self.whole > 0 else np.zeros(groups)).tolist()
        if self.changes is None or self.effective <= 0:
            intervals = [wilson(share, self.effective) for share in shares]
        else:
            squares = self._squares(self.changes, stack, group, groups)
            intervals = [
                self._interval(share, square) for share, square in zip(shares, squares.tolist(), strict=True)
            ]
        samples = count.astype(np.int64).tolist()
        known = self.effective > 0
        return [
            SampledShare(count, share, *interval, known)
            for count, share, interval in zip(samples, shares, intervals, strict=True)
        ]

    def _squares(
        self, changes: Changes, stack: NDArray[np.int64], group: NDArray[np.int64], groups: int
    ) -> NDArray[np.float64]:
        """Return (groups,) the sum of the squares of each group's jumps; see `_stratified`."""
        order = np.argsort(stack, kind="stable")
        of_stack = np.bincount(stack, minlength=len(self.amount) + 1)  # the last is what `ROOT` looks up
        first = np.cumsum(of_stack) - of_stack
        keys, jumps = [], []
        for side, sign in ((changes.after, 1.0), (changes.before, -1.0)):
            size = of_stack[side]
            behind = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
            member = group[order[np.repeat(first[side], size) + behind]]
            keys.append(np.repeat(changes.moment, size) * groups + member)
            jumps.append(np.repeat(sign * changes.amount, size))
        distinct, of_jump = np.unique(np.concatenate(keys), return_inverse=True)
        jump = np.bincount(of_jump, weights=np.concatenate(jumps), minlength=len(distinct))
        squares: NDArray[np.float64] = np.bincount(
            distinct % groups, weights=jump**2, minlength=groups
        ).astype(float)
        return squares

    def _interval(self, share: float, squares: float) -> tuple[float, float]:
        """Return the 95 % interval of a share from the sum of the squares of its jumps; see `_stratified`."""
        unit = self.whole / self.effective
        half = Z * math.sqrt((squares + Z * Z * unit**2) / 2) / self.whole
        if share in (0.0, 1.0):
            half = MAX_UNSEEN / self.effective
        return max(0.0, share - half), min(1.0, share + half)

    def _stratified(
        self, changes: Changes, stacks: NDArray[np.bool_] | NDArray[np.int64], share: float
    ) -> tuple[float, float]:
        """Return the 95 % interval of a share by one random sample in each period.

        The variance of such a design is Σp(1-p)/n², which is at most binomial. With one sample in each stratum it has
        no unbiased estimate; neighbours' differences err on the safe side (collapsed strata; Cochran, Sampling
        Techniques, 1977): v = Σd²/(2n²), where d is by how much the number of threads in the part differs between a
        period and the next. With one thread, or with independent ones, Σd² is how often one enters or leaves it.

        A sampler that gets no processor for k periods takes one sample of a running thread for all of them: a stratum
        of k periods, by which its differences count k². Of a thread that sleeps each tick was seen.
        """
        inside = np.zeros(len(self.amount) + 1, dtype=np.bool_)  # the last is what `ROOT` looks up
        inside[: len(self.amount)][stacks] = True
        step = inside[changes.after].astype(np.int8) - inside[changes.before]
        there = np.flatnonzero(step)
        jumps = np.bincount(
            changes.moment[there], weights=step[there] * changes.amount[there], minlength=changes.moments
        )
        return self._interval(share, float((jumps**2).sum()))


def wilson(share: float, samples: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many independent samples, by Wilson's score."""
    if samples <= 0:
        return 0.0, 1.0
    z2 = Z * Z / samples
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples))
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def _changes(rows: ThreadRows, each: NDArray[np.float64] | None = None) -> Changes:
    """Return where the stacks of threads change; `each` is (rows,) the amount of one tick, or None: 1."""
    row = rows.changes
    of_row = rows.at_once if each is None else rows.at_once * each
    amount = np.sqrt((of_row[row] ** 2 + of_row[row + 1] ** 2) / 2)
    moments, moment = rows.moments
    return Changes(rows.stack[row], rows.stack[row + 1], amount, moment, moments)


def _at_a_time(begin_ns: NDArray[np.int64], end_ns: NDArray[np.int64]) -> float:
    """Return how many samples stand for a moment on average, where any does; at least 1."""
    order = np.argsort(begin_ns, kind="stable")
    begin, end = begin_ns[order], end_ns[order]
    reach = np.maximum.accumulate(end)
    gaps = np.maximum(begin[1:] - reach[:-1], 0).sum()
    covered = float(reach[-1] - begin[0] - gaps)
    return max(1.0, float((end - begin).sum()) / covered) if covered > 0 else 1.0
