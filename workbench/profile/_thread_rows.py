"""The samples of all threads as one sequence, which is what intervals and CPU time are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.profile._record import Samples, ThreadState, Track
from workbench.profile.stacks import Int64

WAITS = (ThreadState.SLEEPING, ThreadState.WAITING_FOR_GIL)
CPU_TICKS = 200
"""Ticks at which a thread ran: its CPU time is shared out over so many, which errs by at most half a per cent."""
MIN_RUN = 10
"""The same where it ran at so many ticks one after the other, and seems not to have waited in between."""


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

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> ThreadRows:
        """Return the samples of tracks, each of which has some."""
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
    def cpu_groups(self) -> Int64:
        """(rows,) the number of the group of rows of its thread over which CPU time is shared out.

        Where a thread ran on and on, what it used between two samples is of these: a group is short. Where it also
        waited, a group must be so large that the number of ticks at which it ran is known well.
        """
        ticks = np.where(self.ran, self.ticks, 0)
        begins = np.diff(self.thread, prepend=-1) != 0
        behind = ~begins & np.append(False, self.ran[:-1])  # a row at which the thread ran
        run = np.cumsum(begins | (self.ran & ~behind))
        of_run = np.bincount(run, weights=ticks)
        # The clock of the row behind a run has what was used at the end of it.
        on = (of_run[run] >= MIN_RUN) & (self.ran | behind)
        part = np.minimum(_before(ticks, run) // MIN_RUN, np.maximum(of_run[run] // MIN_RUN - 1, 0))
        mixed = np.where(on, 0, ticks)
        most = np.maximum(
            np.bincount(self.thread, weights=mixed) // CPU_TICKS - 1, 0
        )  # the last has the rest
        block = np.minimum(_before(mixed, self.thread) // CPU_TICKS, most[self.thread])
        first = np.cumsum(most + 1) - most
        new = np.append(True, (np.diff(run) != 0) | (np.diff(part) != 0))
        key = np.where(on, np.cumsum(new), -(first[self.thread] + block)).astype(np.int64)
        return np.unique(key, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def cpu(self) -> NDArray[np.float64] | None:
        """(rows,) the CPU time in nanoseconds of what each row stands for; None where it is not known of all.

        A thread's clock is read at its samples alone, which does not say in which part of the time between two of them
        it ran. So the CPU time of several ticks at which it ran is shared out over these (`cpu_groups`): where it
        waited it used none.
        """
        if self.cpu_ns is None:
            return None
        ran = np.where(self.ran, self.ticks, 0).astype(np.float64)
        spent = np.bincount(self.cpu_groups, weights=self.cpu_ns)
        return ran * (spent / np.maximum(np.bincount(self.cpu_groups, weights=ran), 1))[self.cpu_groups]


def _before(amount: Int64, group: Int64) -> Int64:
    """Return (rows,) the sum of the rows before it in its group; the rows of a group are neighbours."""
    before = np.cumsum(amount) - amount
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    found: Int64 = before - np.repeat(before[starts], np.diff(starts, append=len(group)))
    return found


def samples_of(track: Track) -> Samples:
    """Return the samples of a track that has some."""
    assert track.samples is not None
    return track.samples
