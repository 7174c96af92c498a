"""Which frames took more time on one side than on the other, with intervals: between runs, or of one run's samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.bench.analysis.sessions import MIN_SESSIONS
from workbench.bench.analysis.verdict import SURE
from workbench.bench.stats.intervals import Estimate
from workbench.bench.stats.shift import Comparand, compare_family, independent_shift, sampled_shift
from workbench.profile import (
    ROOT,
    Frame,
    FrameKind,
    FrameTimes,
    Profile,
    SampleCounts,
    SetDifference,
    frame_times,
)
from workbench.report.profile.profile_set import MemberProfile

Of = Literal["spans", "samples"]
What = Literal["self", "total"]

MIN_PROFILES = MIN_SESSIONS
"""A side needs as many for an interval of 95 %."""
MIN_SHARE = 0.01
"""Of all time of both sides: what has less is neither compared nor coloured."""
TOTALS_WEIGHT = 0.4
"""Of the error rate that all self times have, how much all total times of frames that call others have. Self times
point at what changed, so they have most: a frame with a fifth of the run still has a seventh of the whole rate."""


class ChangeFinding(StrEnum):
    """What is said of the change of a time."""

    SLOWER = "slower"
    FASTER = "faster"
    NOISE = "within noise"
    MORE = "more"
    LESS = "less"
    SAME = "same"
    SMALL = "under 1 %"
    WAITING = "waiting"

    @property
    def sign(self) -> int:
        """1 for more, -1 for less, 0 for what is not coloured."""
        if self in (ChangeFinding.SLOWER, ChangeFinding.MORE):
            return 1
        return -1 if self in (ChangeFinding.FASTER, ChangeFinding.LESS) else 0

    @property
    def is_verdict(self) -> bool:
        """Whether it holds for more than the runs at hand."""
        return self in (ChangeFinding.SLOWER, ChangeFinding.FASTER)


@dataclass(frozen=True)
class FrameChange:
    """The self time of a frame, or its total time, on both sides: what is typical of the profiles, over all stacks."""

    frame: Frame
    what: What
    before_ns: int
    after_ns: int
    before_calls: int | None
    """None: samples know no calls."""
    after_calls: int | None
    finding: ChangeFinding
    ratio: Estimate | None = None
    """Of after to before. None: under 1 % of all time, waiting, or exact for the one run that there is of each."""
    per_call: Estimate | None = None
    """The same of one call, where calls differ; its confidence is 1 where it is exact."""

    @property
    def by_ns(self) -> int:
        """How much more it is after than before."""
        return self.after_ns - self.before_ns


def between_runs(before: Sequence[float], after: Sequence[float]) -> Estimate | None:
    """Return ln(after / before) with its interval between runs; None where runs are too few."""
    if min(len(before), len(after)) < MIN_PROFILES:
        return None
    return independent_shift(before, after, SURE)


def ratio_shown(shift: Estimate, before: float, after: float) -> Estimate:
    """Return the ratio of the times that are shown beside it, with the interval of the shift."""
    ratio = shift.exp()
    return replace(ratio, value=after / before) if before > 0 and after > 0 else ratio


def finding_of(shift: Estimate, *, is_clear: bool) -> ChangeFinding:
    """Return what an interval between runs says."""
    if not is_clear:
        return ChangeFinding.NOISE
    return ChangeFinding.SLOWER if shift.value > 0 else ChangeFinding.FASTER


def of_these_runs(before: float, after: float) -> ChangeFinding:
    """Return what is said of exact times of too few runs."""
    return (
        ChangeFinding.SAME
        if before == after
        else ChangeFinding.MORE
        if after > before
        else ChangeFinding.LESS
    )


@dataclass(frozen=True)
class _Amount:
    """One time of one frame, in every profile of both sides."""

    number: int
    what: What
    before: list[int]
    after: list[int]

    @property
    def mean(self) -> float:
        """Of all profiles of both sides, so that it does not depend on what is of which."""
        return float(np.mean([*self.before, *self.after]))


def frame_changes(
    trees: SetDifference, before: Sequence[MemberProfile], after: Sequence[MemberProfile], of: Of
) -> tuple[FrameChange, ...]:
    """Return the changes of all frames that took any time: what is clear first, then the largest.

    All that has at least 1 % of the time of both sides is compared in one family (`compare_family`). Self times weigh
    as much as their shares: what takes a fifth of the run is found as surely in a program of fifty scopes as in one of
    five. Waiting is not compared.
    """
    *times, old, new = frame_times([*trees.before, *trees.after, trees.typical.before, trees.typical.after])
    frames = trees.typical.after.profile.frames
    befores, afters = times[: len(before)], times[len(before) :]
    amounts = _amounts(befores, afters)
    whole = float(np.mean([tree.all_ns for tree in (*trees.before, *trees.after)]))
    large = [
        each
        for each in amounts
        if each.mean >= MIN_SHARE * whole and frames[each.number].kind is not FrameKind.IDLE
    ]
    if min(len(before), len(after)) >= MIN_PROFILES:
        compared = _in_sets(large)
    elif len(before) == len(after) == 1 and of == "samples":
        compared = _in_samples(large, frames, trees, before[0], after[0])
    else:
        compared = [(None, of_these_runs(sum(each.before), sum(each.after))) for each in large]
    known = {id(each): found for each, found in zip(large, compared, strict=True)}
    found = []
    for each in amounts:
        frame = frames[each.number]
        is_waiting = frame.kind is FrameKind.IDLE and each.mean >= MIN_SHARE * whole
        shift, finding = known.get(
            id(each), (None, ChangeFinding.WAITING if is_waiting else ChangeFinding.SMALL)
        )
        before_ns, after_ns = (side.of(each.what)[each.number].item() for side in (old, new))
        before_calls, after_calls = (side.count[each.number].item() for side in (old, new))
        has_calls = of == "spans"
        calls = [[side.count[each.number].item() for side in sides] for sides in (befores, afters)]
        found.append(
            FrameChange(
                frame,
                each.what,
                before_ns,
                after_ns,
                before_calls if has_calls else None,
                after_calls if has_calls else None,
                finding,
                None if shift is None else ratio_shown(shift, before_ns, after_ns),
                _per_call(each, *calls) if has_calls and before_calls != after_calls else None,
            )
        )
    return tuple(sorted(found, key=lambda each: (not each.finding.sign, -abs(each.by_ns))))


def _amounts(before: Sequence[FrameTimes], after: Sequence[FrameTimes]) -> list[_Amount]:
    found = []
    own = [np.stack([times.self_ns for times in side]) for side in (before, after)]
    total = [np.stack([times.total_ns for times in side]) for side in (before, after)]
    calls_others = (np.concatenate(own) != np.concatenate(total)).any(axis=0)
    for i in np.flatnonzero(np.concatenate(total).any(axis=0)).tolist():
        if any(side[:, i].any() for side in own):
            found.append(_Amount(i, "self", own[0][:, i].tolist(), own[1][:, i].tolist()))
        if calls_others[i]:
            found.append(_Amount(i, "total", total[0][:, i].tolist(), total[1][:, i].tolist()))
    return found


def _per_call(amount: _Amount, before: Sequence[int], after: Sequence[int]) -> Estimate | None:
    """Return the ratio of the times of one call; None where some profile has none, or no time in them."""
    if not all(before) or not all(after) or not all(amount.before):
        return None
    old, new = (
        [ns / calls for ns, calls in zip(*side, strict=True)]
        for side in ((amount.before, before), (amount.after, after))
    )
    shift = between_runs(old, new)
    if shift is not None:
        return shift.exp()
    ratio = sum(new) / sum(old)
    return Estimate(ratio, ratio, ratio, 1.0, len(old))


def _in_sets(amounts: Sequence[_Amount]) -> list[tuple[Estimate | None, ChangeFinding]]:
    all_self = sum(each.mean for each in amounts if each.what == "self")
    all_total = sum(each.mean for each in amounts if each.what == "total")
    weights = [
        each.mean / all_self if each.what == "self" else TOTALS_WEIGHT * each.mean / all_total
        for each in amounts
    ]
    family = [
        Comparand(each.before, each.after, weight) for each, weight in zip(amounts, weights, strict=True)
    ]
    return [(shift, finding_of(shift, is_clear=clear)) for shift, clear in compare_family(family, SURE)]


def _in_samples(
    amounts: Sequence[_Amount],
    frames: Sequence[Frame],
    trees: SetDifference,
    before: MemberProfile,
    after: MemberProfile,
) -> list[tuple[Estimate | None, ChangeFinding]]:
    wanted = [frames[each.number] for each in amounts]
    sides = [
        _SampledTimes(member, tree.all_ns, wanted)
        for member, tree in ((before, trees.before[0]), (after, trees.after[0]))
    ]
    found: list[tuple[Estimate | None, ChangeFinding]] = []
    for each in amounts:
        old, new = (
            side.interval(frames[each.number], each.what, ns)
            for side, ns in zip(sides, (each.before[0], each.after[0]), strict=True)
        )
        shift = sampled_shift(old, new, SURE)
        is_clear = shift.low > 0 or shift.high < 0
        found.append((shift, of_these_runs(old[0], new[0]) if is_clear else ChangeFinding.NOISE))
    return found


class _SampledTimes:
    """Times of one run's frames, as exact as its samples are."""

    def __init__(self, member: MemberProfile, all_ns: int, wanted: Sequence[Frame]) -> None:
        assert member.samples is not None
        self._counts = SampleCounts.of(member.samples, by_time=member.by_time)
        self._all_ns = all_ns
        self._stacks = _stacks_by_frame(member.samples, {_same(frame) for frame in wanted})

    def interval(self, frame: Frame, what: What, ns: int) -> tuple[float, float, float]:
        """Return the time of a frame with the ends of its interval."""
        share = self._counts.part(self._stacks[what].get(_same(frame), _NO_STACKS))
        if not share.share:
            return float(ns), 0.0, max(float(ns), share.high * self._all_ns)
        return float(ns), ns * share.low / share.share, ns * share.high / share.share


_NO_STACKS = np.zeros(0, dtype=np.int64)


def _same(frame: Frame) -> tuple[str, str, FrameKind]:
    """Return what is the same in both profiles of one frame."""
    return frame.name, frame.file, frame.kind


def _stacks_by_frame(
    profile: Profile, wanted: set[tuple[str, str, FrameKind]]
) -> dict[What, dict[tuple[str, str, FrameKind], NDArray[np.int64]]]:
    """Return by frame the stacks that it is on top of (`self`), and those that it is in (`total`)."""
    keys = [key if (key := _same(frame)) in wanted else None for frame in profile.frames]
    own: dict[tuple[str, str, FrameKind], list[int]] = {}
    total: dict[tuple[str, str, FrameKind], list[int]] = {}
    around: list[tuple[tuple[str, str, FrameKind], ...]] = []
    rows = zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True)
    for stack, (parent, frame) in enumerate(rows):
        inside = around[parent] if parent != ROOT else ()
        key = keys[frame]
        if key is not None:
            own.setdefault(key, []).append(stack)
            inside = inside if key in inside else (*inside, key)
        around.append(inside)
        for each in inside:
            total.setdefault(each, []).append(stack)
    return {
        "self": {key: np.array(stacks, dtype=np.int64) for key, stacks in own.items()},
        "total": {key: np.array(stacks, dtype=np.int64) for key, stacks in total.items()},
    }
