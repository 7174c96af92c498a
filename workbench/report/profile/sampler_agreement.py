"""Whether two samplers that share no code agree on a program: shares of scopes, and of innermost Python functions.

Both are of samples of threads that ran, as py-spy leaves out threads that wait, inside scopes that source lines decide.
A program's start and its imports are outside of scopes: how long they take changes from one run to the next, and py-spy
finds a child process when that has begun.

Py-spy reads the frames of a running thread one after the other, the innermost first: a scope that is as short as that
takes may be over when the line of the frame that opened it is read. Such scopes are not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.capture.attribution import scopes_by_line
from workbench.formats.pyspy import IMPORT_SYSTEM
from workbench.profile import (
    ROOT,
    FrameKind,
    Profile,
    SampleCounts,
    SampledShare,
    Samples,
    ThreadState,
    durations,
    time_inside,
)

RUN_TO_RUN = 0.02
"""A share: by so much two runs may differ beside what their samples leave open and what the recorder knows of it."""
READ_NS = 300_000
"""Py-spy reads a stack of twenty frames in so many nanoseconds: its processor time for a sample, CPython 3.11."""
MAX_MISREAD = 0.01
"""A share: a scope is compared if no more of it than this, of all that is compared, may be read too late."""
MIN_SHARE = 0.02
"""Of the samples of one sampler at least: smaller shares are not compared."""
MAX_ROWS = 8
"""Of scopes, and of functions: the leading ones are compared."""
MIN_SAMPLES = 100
"""Of each sampler: with fewer nearly everything would agree."""
RUNNING = (ThreadState.PYTHON, ThreadState.NATIVE, ThreadState.SIGNAL_BLOCKED)
"""States of a thread that runs, or waits for a processor: those that py-spy does not leave out."""


@dataclass(frozen=True)
class Compared:
    """One scope, or one function, as both samplers saw it."""

    name: str
    file: str
    """Empty: it is a scope."""
    own: SampledShare
    witness: SampledShare
    exact: float | None = None
    """Of a scope: its part of the time in scopes, by the recorder in the run under the in-process sampler."""
    exact_witness: float | None = None
    """The same of the run under py-spy."""
    allowed: float = RUN_TO_RUN
    """How far apart the intervals may be."""

    @property
    def change(self) -> float:
        """By how much the scope's share differs between the two runs, by the recorder."""
        return 0.0 if self.exact is None or self.exact_witness is None else self.exact_witness - self.exact

    @property
    def has_changed(self) -> bool:
        """Whether that is more than runs of one program differ by."""
        return abs(self.change) > RUN_TO_RUN

    @property
    def agrees(self) -> bool:
        """Whether the intervals, without that change, are near enough."""
        low, high = self.witness.low - self.change, self.witness.high - self.change
        return max(self.own.low - high, low - self.own.high) <= self.allowed


@dataclass(frozen=True)
class Agreement:
    """Two samplers on one program, each in a run of its own."""

    scopes: tuple[Compared, ...]
    """Shares are of running samples, and of the recorder's time, inside scopes that lines decide."""
    functions: tuple[Compared, ...]
    """Shares are of the same samples; of a program without such scopes, of all running ones."""
    samples: tuple[int, int]
    """What shares of functions are of: how many the in-process sampler has, and py-spy."""
    short: tuple[str, ...] = ()
    """Scopes that are too short for py-spy to read their lines in time."""

    @property
    def rows(self) -> tuple[Compared, ...]:
        """Everything that was compared."""
        return self.scopes + self.functions

    @property
    def agrees(self) -> bool | None:
        """Whether they agree on everything; None: there are too few samples to tell."""
        if min(self.samples) < MIN_SAMPLES:
            return None
        return all(row.agrees for row in self.rows)

    def facts(self) -> dict[str, object]:
        """Return it for machines. Shares are [share, low, high]."""
        return {
            "agrees": self.agrees,
            "samples": {"in-process": self.samples[0], "py-spy": self.samples[1]},
            "scopes": [
                {"name": row.name, "exact": {"in-process": row.exact, "py-spy": row.exact_witness}}
                | _facts(row)
                for row in self.scopes
            ],
            "short": list(self.short),
            "functions": [{"name": row.name, "file": row.file} | _facts(row) for row in self.functions],
        }


def _facts(row: Compared) -> dict[str, object]:
    sides = {"in-process": row.own, "py-spy": row.witness}
    return {name: [side.share, side.low, side.high] for name, side in sides.items()} | {"agrees": row.agrees}


def agreement_of(own: Profile, witness: Profile, witness_scopes: Profile | None = None) -> Agreement:
    """Return how two samplers agree on a program.

    Args:
        own: A recording with the samples of the in-process sampler.
        witness: The samples of py-spy in another run, attributed by lines.
        witness_scopes: What was recorded in that run.
    """
    decided = scopes_by_line(own)
    ours, theirs = _Side.of(_running(own), decided), _Side.of(_one_a_period(witness), decided)
    scopes, short = [], []
    for name, own_share, other in _leading(ours.scopes, theirs.scopes):
        if any(_misread(each, name, decided) > MAX_MISREAD for each in (own, witness_scopes or own)):
            short.append(name)
            continue
        exact, exact_witness = (
            None if each is None else _share(*time_inside(each, name, within=decided))
            for each in (own, witness_scopes)
        )
        scopes.append(Compared(name, "", own_share, other, exact, exact_witness))
    # The recorder does not know functions: two runs may differ in those by as much as in scopes.
    allowed = max(RUN_TO_RUN, *(abs(row.change) for row in scopes), 0.0)
    functions = []
    for function, own_share, other in _leading(ours.functions, theirs.functions):
        names = ours.names.get(function) or theirs.names[function]
        name = next(iter(names)) if len(names) == 1 else function.name
        functions.append(Compared(name, function.file, own_share, other, allowed=allowed))
    samples = (ours.functions.samples, theirs.functions.samples)
    return Agreement(tuple(scopes), tuple(functions), samples, tuple(short))


def _misread(recording: Profile, name: str, decided: Collection[str]) -> float:
    """Return what share of the time in scopes may be read as outside of one: it ends while a stack is read."""
    late = int(np.minimum(durations(recording, name), READ_NS).sum())
    return _share(late, time_inside(recording, name, within=decided)[1]) or 0.0


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _running(profile: Profile) -> Profile:
    """Return a recording with the samples of threads that ran, and empty ones in the place of the others."""

    def kept(samples: Samples) -> Samples:
        return samples if samples.state is None else _only(samples, np.isin(samples.state, RUNNING))

    return _changed(profile, kept)


def _one_a_period(witness: Profile) -> Profile:
    """Return py-spy's samples as one in each period, those of a thread at moments of its own.

    Its file has no times: which threads were seen at one moment is not known.
    """
    begins = iter(range(len(witness.tracks)))

    def kept(samples: Samples) -> Samples:
        size = len(samples)
        at_ns = np.arange(size, dtype=np.int64) + (next(begins) << 40)
        return replace(samples, at_ns=at_ns, ticks=np.ones(size, dtype=np.int32))

    return _changed(witness, kept)


def _only(samples: Samples, kept: NDArray[np.bool_]) -> Samples:
    """Return samples with empty ones in the place of those that are not kept."""
    return replace(samples, stack=np.where(kept, samples.stack, ROOT).astype(np.int32))


def _changed(profile: Profile, change: Callable[[Samples], Samples]) -> Profile:
    tracks = (each for each in profile.tracks if each.samples is not None)
    return replace(
        profile,
        tracks=tuple(
            replace(each, samples=change(each.samples)) for each in tracks if each.samples is not None
        ),
    )


class _Function(NamedTuple):
    """A Python function, as far as every sampler knows it."""

    name: str
    """The last part of its qualified name."""
    file: str


K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class _Shares(Generic[K]):
    """The samples that are in any of some groups, and which stacks are in each."""

    counts: SampleCounts
    stacks: dict[K, list[int]]

    @classmethod
    def of(cls, profile: Profile, groups: Sequence[Collection[K]]) -> _Shares[K]:
        """Return them; `groups` has those of each stack."""
        stacks: dict[K, list[int]] = {}
        for stack, own in enumerate(groups):
            for group in own:
                stacks.setdefault(group, []).append(stack)
        is_in = np.array([*map(bool, groups), False], dtype=np.bool_)  # the last is what `ROOT` looks up

        def kept(samples: Samples) -> Samples:
            return _only(samples, is_in[samples.stack])

        return cls(SampleCounts.of(_changed(profile, kept)), stacks)

    @property
    def samples(self) -> int:
        """How many there are."""
        return int(self.counts.count.sum())

    def share(self, group: K) -> SampledShare:
        """Return what part of them is in a group."""
        return self.counts.part(np.array(self.stacks.get(group, []), dtype=np.int64))


@dataclass(frozen=True)
class _Side:
    """What one sampler saw."""

    scopes: _Shares[str]
    functions: _Shares[_Function]
    names: dict[_Function, set[str]]
    """Qualified names, where it knows them."""

    @classmethod
    def of(cls, profile: Profile, decided: Collection[str]) -> _Side:
        """Return scopes around samples, and their innermost Python functions."""
        innermost: list[tuple[_Function, ...]] = []
        around: list[tuple[str, ...]] = []
        names: dict[_Function, set[str]] = {}
        for parent, number in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
            frame = profile.frames[number]
            function, scopes = (innermost[parent], around[parent]) if parent != ROOT else ((), ())
            if frame.kind is FrameKind.PYTHON and not frame.file.startswith(IMPORT_SYSTEM):
                function = (_Function(frame.name.rpartition(".")[2], frame.file),)
                names.setdefault(function[0], set()).add(frame.name)
            elif frame.kind is FrameKind.SCOPE and frame.name in decided and frame.name not in scopes:
                scopes = (*scopes, frame.name)
            innermost.append(function)
            around.append(scopes)
        compared = [
            function if scopes or not decided else ()
            for function, scopes in zip(innermost, around, strict=True)
        ]
        return cls(_Shares.of(profile, around), _Shares.of(profile, compared), names)


def _leading(own: _Shares[K], witness: _Shares[K]) -> list[tuple[K, SampledShare, SampledShare]]:
    """Return what has the largest share by either sampler, with both."""
    found = [(key, own.share(key), witness.share(key)) for key in {**own.stacks, **witness.stacks}]
    found = [each for each in found if max(each[1].share, each[2].share) >= MIN_SHARE]
    return sorted(found, key=lambda each: -max(each[1].share, each[2].share))[:MAX_ROWS]
