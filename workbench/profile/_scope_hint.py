"""Where one scope would name most of the samples that are outside any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.profile._own_code import IMPORTING, innermost_own, is_own
from workbench.profile._record import Frame, FrameKind, Profile
from workbench.profile._sample_counts import SampleCounts
from workbench.profile.stacks import depths, outermost, summed_up, with_any

MAIN = frozenset({"main", "_main", "__main__"})
MIN_SHARE = 0.05
"""Of all samples: a scope that would name fewer is not worth a line."""
PURE = 0.9
"""A scope around a function names what is outside any only where hardly anything in it has a scope already."""
WHOLE_RUN = 0.9
"""A scope around so much of all samples says no more than that the program ran."""


@dataclass(frozen=True)
class ScopeHint:
    """A function of the program's own that a scope would be put around."""

    function: str
    file: str
    share: float
    """Of all samples, those outside any scope that it would name."""


def scope_hint(profile: Profile, *, by_time: bool = False) -> ScopeHint | None:
    """Return the function around which one scope would name most samples that are outside any.

    It is one of the program's own: no library's, not `main`, and not what takes nearly all of the run. Of several with
    the same samples it is the outermost. None where there is none of at least 5 % of all samples. What is imported
    counts nowhere.

    Args:
        profile: Samples under their scopes, each of one thread; see `SampleCounts.of`.
        by_time: Whether shares are of the time that samples stand for, and not of their number.
    """
    counts, stacks = SampleCounts.of(profile, by_time=by_time), profile.stacks
    if counts.whole <= 0:
        return None
    scopes = with_any(stacks, [frame.kind is FrameKind.SCOPE for frame in profile.frames])
    bare = np.where(scopes | (innermost_own(profile) == IMPORTING), 0.0, counts.amount)
    numbers: dict[tuple[str, str], int] = {}
    of_frame = [
        numbers.setdefault(frame[:2], len(numbers)) if _can_be_named(frame) else -1
        for frame in profile.frames
    ]
    of_stack = np.array(of_frame, dtype=np.int64)[stacks.frame]
    first = np.array(outermost(stacks, of_stack.tolist()), dtype=np.bool_) & (of_stack >= 0)

    def by_function(amount: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = 1 << 20  # sums are of whole numbers
        above = summed_up(stacks, np.rint(amount * scale).astype(np.int64)) / scale
        found = np.bincount(of_stack[first], weights=above[first], minlength=len(numbers))
        return found.astype(np.float64)

    named, total = by_function(bare), by_function(counts.amount)
    helpful = (
        (named >= MIN_SHARE * counts.whole) & (named >= PURE * total) & (total < WHOLE_RUN * counts.whole)
    )
    if not helpful.any():
        return None
    most = float(named[helpful].max())
    same = np.flatnonzero(helpful & (named >= most * (1 - 1e-9)))
    depth = depths(stacks)
    best = min(same.tolist(), key=lambda function: depth[of_stack == function].min())
    return ScopeHint(*list(numbers)[best], most / counts.whole)


def _can_be_named(frame: Frame) -> bool:
    name = frame.name.rpartition(".")[2]
    is_function = frame.kind is FrameKind.PYTHON and not name.startswith("<") and name not in MAIN
    return is_function and is_own(frame.file)
