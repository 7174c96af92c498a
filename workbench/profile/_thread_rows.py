"""The samples of all threads as one sequence, which is what intervals and CPU time are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import FrameKind, Profile, Samples, ThreadState, Track
from workbench.profile._scope_paths import ScopePaths
from workbench.profile.stacks import ROOT, Int64

WAITS = (ThreadState.SLEEPING, ThreadState.WAITING_FOR_GIL)
CPU_TICKS = 200
"""Ticks at which a thread ran: its CPU time is shared out over so many, which errs by at most half a per cent."""
MIN_RUN = 10
"""The same where it ran at so many ticks one after the other, and seems not to have waited in between."""

LONG = 0.9
"""Of the samples in a scope, those behind another one in it, from which on its CPU time is told by the clock alone."""


@dataclass(frozen=True)
class ThreadRows:
    """Samples of one thread after another, each chronological. Tracks of a thread's tasks are its own."""

    place: Int64
    """(rows,) which of the tracks' samples it is, one track after another"""
    thread: Int64
    """(rows,) a number of the thread, from 0"""
    pid: Int64
    stack: Int64
    at_ns: Int64
    weight_ns: Int64
    ticks: Int64
    state: NDArray[np.uint8] | None
    """(rows,) a `ThreadState`; None: not known of all"""
    cpu_ns: Int64 | None
    """(rows,) CPU time of the thread since the row before; None: not known of all"""
    profile: Profile
    """The profile that they are of."""

    @classmethod
    def of(cls, profile: Profile) -> ThreadRows:
        """Return the samples of a profile that has some."""
        tracks = tracks_with_samples(profile)
        numbers: dict[tuple[int, int], int] = {}
        thread = [numbers.setdefault((track.pid, track.tid), len(numbers)) for track in tracks]
        parts = [samples_of(track) for track in tracks]
        sizes = [len(part) for part in parts]
        of_row = np.repeat(thread, sizes).astype(np.int64)
        at_ns = np.concatenate([part.at_ns for part in parts])
        order = np.lexsort((at_ns, of_row))
        states = [part.state for part in parts if part.state is not None]
        spent = [part.cpu_ns for part in parts if part.cpu_ns is not None]
        return cls(
            order,
            of_row[order],
            np.repeat([track.pid for track in tracks], sizes).astype(np.int64)[order],
            np.concatenate([part.stack for part in parts]).astype(np.int64)[order],
            at_ns[order],
            np.concatenate([part.weight_ns for part in parts])[order],
            np.concatenate([part.count for part in parts])[order],
            np.concatenate(states)[order] if len(states) == len(parts) else None,
            np.concatenate(spent)[order] if len(spent) == len(parts) else None,
            profile,
        )

    @cached_property
    def ran(self) -> NDArray[np.bool_]:
        """(rows,) whether the thread ran, or was ready to; a thread of unknown state did."""
        return np.ones(len(self.stack), dtype=np.bool_) if self.state is None else ~np.isin(self.state, WAITS)

    @cached_property
    def changes(self) -> Int64:
        """(changes,) rows behind which the same thread has another stack."""
        same = self.thread[1:] == self.thread[:-1]
        return np.flatnonzero(same & (self.stack[1:] != self.stack[:-1]))

    @cached_property
    def at_once(self) -> NDArray[np.float64]:
        """(rows,) of how many ticks each is the one sample: of all that it stands for, where its thread ran."""
        if self.state is None:
            return np.ones(len(self.stack))
        return np.where(self.ran, np.maximum(self.ticks, 1), 1).astype(np.float64)

    @cached_property
    def moments(self) -> tuple[int, Int64]:
        """How many moments there are at which stacks change, and the number of each change's: threads may share one."""
        pid, at_ns = self.pid[self.changes], self.at_ns[self.changes + 1]
        order = np.lexsort((at_ns, pid))
        begins = np.ones(len(order), dtype=np.bool_)
        begins[1:] = (np.diff(pid[order]) != 0) | (np.diff(at_ns[order]) != 0)
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.cumsum(begins) - 1
        return int(begins.sum()), number

    @cached_property
    def scope(self) -> Int64:
        """(rows,) a number of the thread and the path of scopes that it was in, from 0.

        Scopes of a thread that are mostly shorter than the time between two samples have one number.
        """
        path = np.append(ScopePaths().of_stacks(self.profile, frozenset({FrameKind.SCOPE})), ROOT)
        size = int(path.max(initial=0)) + 3
        key = self.thread * size + path[self.stack] + 1
        _, number = np.unique(key, return_inverse=True)
        stays = np.append(False, np.diff(key) == 0)
        is_long = np.bincount(number, weights=stays) >= LONG * np.bincount(number)
        key = np.where(is_long[number], key, self.thread * size + size - 1)
        return np.unique(key, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def cpu_groups(self) -> Int64:
        """(rows,) the number of the group of rows of its thread, and of its scopes, over which CPU time is shared out.

        Where a thread ran on and on, what it used between two samples is of these: a group is short. Where it also
        waited, a group must be so large that the number of ticks at which it ran is known well.
        """
        ticks = np.where(self.ran, self.ticks, 0)
        run, on = self._runs
        of_run = np.bincount(run, weights=ticks)
        part = np.minimum(_before(ticks, run) // MIN_RUN, np.maximum(of_run[run] // MIN_RUN - 1, 0))
        mixed = np.where(on, 0, ticks)
        most = np.maximum(np.bincount(self.scope, weights=mixed) // CPU_TICKS - 1, 0)  # the last has the rest
        order = np.argsort(self.scope, kind="stable")
        before = np.empty_like(mixed)
        before[order] = _before(mixed[order], self.scope[order])
        block = np.minimum(before // CPU_TICKS, most[self.scope])
        first = np.cumsum(most + 1) - most
        new = np.append(True, (np.diff(run) != 0) | (np.diff(part) != 0))
        key = np.where(on, np.cumsum(new), -(first[self.scope] + block)).astype(np.int64)
        return np.unique(key, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _runs(self) -> tuple[Int64, NDArray[np.bool_]]:
        """(rows,) the number of the run in which the thread ran on and on, and whether the row is in a long one."""
        ticks = np.where(self.ran, self.ticks, 0)
        begins = np.diff(self.thread, prepend=-1) != 0
        behind = ~begins & np.append(False, self.ran[:-1])  # a row at which the thread ran
        run = np.cumsum(begins | (self.ran & ~behind))
        # The clock of the row behind a run has what was used at the end of it.
        on = (np.bincount(run, weights=ticks)[run] >= MIN_RUN) & (self.ran | behind)
        return run, on

    @cached_property
    def apart(self) -> NDArray[np.bool_]:
        """(rows,) whether the CPU time since the row before is shared out between the scopes of both."""
        _, on = self._runs
        changes = (np.diff(self.scope) != 0) & (np.diff(self.thread) == 0)
        return np.append(False, changes & ~on[1:] & ~on[:-1])

    @cached_property
    def cpu_behind(self) -> NDArray[np.float64]:
        """(rows,) the part of the CPU time since the row before that is of this row's scope, and not of that one's.

        At a change of scope it is of the one in which the thread ran; where it ran in both or in none, half is of each.
        """
        ran_before = np.append(False, self.ran[:-1])
        own = np.where(self.ran == ran_before, 0.5, self.ran.astype(np.float64))
        return np.where(self.apart, own, 1.0)

    @cached_property
    def cpu_weight(self) -> NDArray[np.float64]:
        """(rows,) what CPU time is shared out by: ticks at which the thread ran; of a group without any, all."""
        ran = np.where(self.ran, self.ticks, 0).astype(np.float64)
        has_run = np.bincount(self.cpu_groups, weights=ran) > 0
        return np.where(has_run[self.cpu_groups], ran, self.ticks)

    @cached_property
    def cpu(self) -> NDArray[np.float64] | None:
        """(rows,) the CPU time in nanoseconds of what each row stands for; None where it is not known of all.

        A thread's clock is read at its samples alone, which does not say in which part of the time between two of them
        it ran. So the CPU time of several ticks at which it ran, in the same scopes, is shared out over these
        (`cpu_groups`): where it waited it used none.
        """
        if self.cpu_ns is None:
            return None
        own = self.cpu_ns * self.cpu_behind
        size = int(self.cpu_groups.max(initial=0)) + 1
        spent = np.bincount(self.cpu_groups, weights=own, minlength=size)
        spent += np.bincount(
            np.append(self.cpu_groups[:1], self.cpu_groups[:-1]), weights=self.cpu_ns - own, minlength=size
        )
        whole = np.bincount(self.cpu_groups, weights=self.cpu_weight, minlength=size)
        return self.cpu_weight * (spent / np.maximum(whole, 1))[self.cpu_groups]


def _before(amount: Int64, group: Int64) -> Int64:
    """Return (rows,) the sum of the rows before it in its group; the rows of a group are neighbours."""
    before = np.cumsum(amount) - amount
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    found: Int64 = before - np.repeat(before[starts], np.diff(starts, append=len(group)))
    return found


def tracks_with_samples(profile: Profile) -> list[Track]:
    """Return the tracks of a profile that have samples."""
    return [track for track in profile.tracks if track.samples is not None and len(track.samples)]


def samples_of(track: Track) -> Samples:
    """Return the samples of a track that has some."""
    assert track.samples is not None
    return track.samples
