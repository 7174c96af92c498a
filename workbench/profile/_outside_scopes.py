"""Samples outside any scope: how many there are, in which functions, and where one scope would name most of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from workbench.profile._own_code import is_own
from workbench.profile._record import Frame, FrameKind, Profile
from workbench.profile._sample_counts import SampleCounts, SampledShare
from workbench.profile.stacks import ROOT, outermost, summed_up, with_any

MODULE = "<module>"
MAIN = frozenset({"main", "_main", "__main__"})
MAX_PARTS = 4
MIN_PART = 0.05
"""Of what is outside any scope; smaller parts are not named."""
PURE = 0.9
"""A scope around a function names what is outside any only where hardly anything in it has a scope already."""
WHOLE_RUN = 0.9
"""A scope around so much of all samples says no more than that the program ran."""


class Where(Enum):
    """What a part of the samples outside any scope is."""

    FUNCTION = "function"
    """All below a function under which hardly anything has a scope."""
    BETWEEN = "between"
    """In a function that opens scopes, or calls what does, outside of them."""
    IMPORTS = "imports"
    """Modules that are imported."""
    NO_PYTHON = "no Python"
    """No Python function was on the stack: the interpreter's begin and end, threads of libraries."""


@dataclass(frozen=True)
class OutsidePart:
    """Samples outside any scope that belong together."""

    where: Where
    frame: Frame | None
    """The function, where there is one."""
    samples: int
    share: float
    """Of the samples outside any scope."""


@dataclass(frozen=True)
class OutsideScopes:
    """What was seen outside any scope."""

    of_all: SampledShare
    parts: tuple[OutsidePart, ...]
    """What it mostly is, the largest first; together at most all of it."""
    hint: OutsidePart | None
    """The program's own function that a scope around would name most of it, of at least 5 % of all samples.

    None where that is all of the run, or only a library has such a function.
    """


def outside_scopes(profile: Profile, *, by_time: bool = False) -> OutsideScopes:
    """Return what was seen outside any scope, by the functions in which one scope would name most.

    A function is named that is the program's own, if there is one: no library's, not `main`, and not what takes
    nearly all of the run. Of several the one with most samples, and of those with the same the outermost.

    Args:
        profile: Samples under their scopes, each of one thread; see `SampleCounts.of`.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    counts = SampleCounts.of(profile, by_time=by_time)
    scopes = with_any(profile.stacks, [frame.kind is FrameKind.SCOPE for frame in profile.frames])
    bare = ~scopes & (counts.count > 0)
    of_all = counts.part(bare)
    amount = np.where(bare, counts.amount, 0.0)
    if not amount.sum():
        return OutsideScopes(of_all, (), None)
    code = _Code(profile)
    whole, all_of_it = float(amount.sum()), float(counts.amount.sum())
    parts: list[OutsidePart] = []

    def take(rows: NDArray[np.bool_], where: Where, frame: Frame | None) -> None:
        rows = rows & (amount > 0)
        share = float(amount[rows].sum()) / whole
        if share >= MIN_PART:
            parts.append(OutsidePart(where, frame, int(counts.count[rows].sum()), share))
        amount[rows] = 0.0

    take(code.importing, Where.IMPORTS, None)
    take(~code.has_python, Where.NO_PYTHON, None)
    total = code.by_function(counts.amount)
    helpful: set[Frame] = set()
    for _ in range(MAX_PARTS):
        own = code.by_function(amount)
        best = code.best(own, total, all_of_it, MIN_PART * whole)
        if best is None:
            break
        if code.is_own[best] and total[best] < WHOLE_RUN * all_of_it:
            helpful.add(code.functions[best])
        take(code.below(best), Where.FUNCTION, code.functions[best])
    between = code.innermost >= 0
    rest = np.bincount(code.innermost[between], weights=amount[between], minlength=len(code.functions))
    for function in np.flatnonzero(rest >= MIN_PART * whole).tolist():
        take(code.innermost == function, Where.BETWEEN, code.functions[function])
    parts.sort(key=lambda part: -part.share)
    hint = next((part for part in parts if part.where is Where.FUNCTION and part.frame in helpful), None)
    if hint is not None and hint.share * whole < MIN_PART * all_of_it:
        hint = None
    return OutsideScopes(of_all, tuple(parts[:MAX_PARTS]), hint)


class _Code:
    """The functions of a profile's stacks."""

    def __init__(self, profile: Profile) -> None:
        self._stacks = profile.stacks
        number: dict[Frame, int] = {}
        for frame in profile.frames:
            if frame.kind is not FrameKind.SCOPE and frame.kind is not FrameKind.NATIVE:
                number.setdefault(_function(frame), len(number))
        self.functions = list(number)
        of_frame = np.array([number.get(_function(f), -1) for f in profile.frames], dtype=np.int64)
        is_python = np.array([f.kind is FrameKind.PYTHON for f in profile.frames], dtype=np.bool_)
        of_frame[~is_python] = -1  # what waits is what its caller does
        self._of_frame, self._of_stack = of_frame, of_frame[self._stacks.frame]
        self._first = np.array(outermost(self._stacks, self._of_stack.tolist()), dtype=np.bool_)
        self._names = [f.name.rpartition(".")[2] for f in self.functions]
        self.is_own = np.array([is_own(f.file) for f in self.functions], dtype=np.bool_)
        self._can_be_named = np.array([not name.startswith("<") for name in self._names], dtype=np.bool_)
        self._main = np.array([name in MAIN for name in self._names], dtype=np.bool_)
        self._walk()

    def _walk(self) -> None:
        modules: list[int] = []
        innermost: list[int] = []
        for parent, function in zip(self._stacks.parent.tolist(), self._of_stack.tolist(), strict=True):
            below = modules[parent] if parent != ROOT else 0
            modules.append(below + (function >= 0 and self._names[function] == MODULE))
            here = function >= 0 and (self.is_own[function] or parent == ROOT or innermost[parent] < 0)
            innermost.append(function if here else (innermost[parent] if parent != ROOT else -1))
        self.importing = np.array(modules, dtype=np.int64) > 1
        """(stacks,) whether a module is being imported: the first one is the program itself"""
        self.has_python = with_any(self._stacks, (self._of_frame >= 0).tolist())
        """(stacks,) whether any Python function is on the stack"""
        self.innermost = np.array(innermost, dtype=np.int64)
        """(stacks,) the innermost function of the program's own code, else of any; -1: none"""

    def by_function(self, amount: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (functions,) the amount of all stacks that each function is on."""
        scale = 1 << 20  # sums are of whole numbers
        above = summed_up(self._stacks, np.rint(amount * scale).astype(np.int64)) / scale
        rows = (self._of_stack >= 0) & self._first
        sums = np.bincount(self._of_stack[rows], weights=above[rows], minlength=len(self.functions))
        return sums.astype(np.float64)

    def best(
        self, own: NDArray[np.float64], total: NDArray[np.float64], all_of_it: float, least: float
    ) -> int | None:
        """Return the function that a scope would be put around to name most; None where none has enough."""
        pure = self._can_be_named & (own >= least) & (own >= PURE * total)
        mine = pure & self.is_own & ~self._main
        for candidates in (mine & (total < WHOLE_RUN * all_of_it), mine, pure & ~self._main):
            if candidates.any():
                most = own[candidates].max()
                same = np.flatnonzero(candidates & (own >= most * (1 - 1e-9)))
                return int(min(same.tolist(), key=self._outer_depth))
        return None

    def below(self, function: int) -> NDArray[np.bool_]:
        """Return (stacks,) whether a function is on the stack."""
        return with_any(self._stacks, (self._of_frame == function).tolist())

    def _outer_depth(self, function: int) -> int:
        """Return how deep a function is where it is outermost."""
        depth, least = 0, len(self._stacks)
        for stack in np.flatnonzero(self._of_stack == function).tolist():
            depth, parent = 0, int(self._stacks.parent[stack])
            while parent != ROOT and depth < least:
                depth, parent = depth + 1, int(self._stacks.parent[parent])
            least = min(least, depth)
        return least


def _function(frame: Frame) -> Frame:
    """Return the frame of a function, whichever line of it ran."""
    return frame._replace(kind=FrameKind.PYTHON)
