"""How well samples stand under their scopes: what was counted while they were placed, and how sure their times are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.pictures._text import format_amount, format_share
from workbench.profile import Profile

MOST_CLOCKS = 100
MOST = 1 << 60
"""Larger numbers are none that a capture writes."""


@dataclass(frozen=True)
class ClockError:
    """How well the times of samples are known, of the process of which they are known least."""

    pid: int
    known: bool
    error_ns: int
    change_ns: int
    """By how much a change of scope may be seen later."""
    processes: int


@dataclass(frozen=True)
class Placement:
    """The counts of a run; see `facts["placement"]` of a merged profile."""

    samples: int
    placed: int
    unplaced: int
    checked: int
    agreed: int
    clock: ClockError | None

    @classmethod
    def of(cls, profile: Profile | None) -> Placement | None:
        """Return what a profile states, None where it states nothing, or nothing that makes sense."""
        stated = None if profile is None else profile.facts.get("placement")
        if not isinstance(stated, Mapping):
            return None
        samples, placed, unplaced, checked, agreed = (
            _count(stated.get(key)) for key in ("samples", "placed", "unplaced", "checked", "agreed")
        )
        if not samples or placed + unplaced > samples or agreed > checked:
            return None
        return cls(samples, placed, unplaced, checked, agreed, _worst(stated.get("clocks")))


def placed_words(placement: Placement) -> str:
    """Return how many samples could not be placed, and how often the two ways to place them agree."""
    share = placement.unplaced / placement.samples
    words = f"{format_share(share)} could not be placed" if placement.unplaced else "all could be placed"
    if placement.checked:
        agreed = placement.agreed / placement.checked
        words += f"; {format_share(agreed)} of {placement.checked:,} checked by line and by time agree"
    return words


def clock_words(clock: ClockError) -> tuple[str, str]:
    """Return how well the times of samples are known, as a figure and a line on it."""
    of = f"in the worst of {clock.processes:,} processes" if clock.processes > 1 else ""
    if not clock.known:
        return "unknown", ", ".join(filter(None, ("placed by the lines that ran", of)))
    later = f"a change of scope is seen up to {_amount(clock.change_ns)} later"
    return f"± {_amount(clock.error_ns)}", ", ".join(filter(None, (later, of)))


def _amount(ns: int) -> str:
    """Return a time that is not known to more than two digits."""
    return format_amount(round(ns, 2 - len(str(ns))), "ns")


def stated(profile: Profile | None) -> dict[str, object] | None:
    """Return what a profile states, for a file: of many clocks those that are known least."""
    placement = None if profile is None else profile.facts.get("placement")
    if not isinstance(placement, Mapping):
        return None
    clocks = _clocks(placement.get("clocks"))
    return {**placement, "clocks": sorted(clocks, key=_error, reverse=True)[:MOST_CLOCKS]}


def _worst(clocks: object) -> ClockError | None:
    listed = _clocks(clocks)
    if not listed:
        return None
    worst = max(listed, key=_error)
    known = worst.get("known") is True
    return ClockError(
        _count(worst.get("pid")),
        known,
        _count(worst.get("error_ns")),
        _count(worst.get("change_error_ns")),
        len(listed),
    )


def _clocks(value: object) -> Sequence[Mapping[str, object]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _error(clock: Mapping[str, object]) -> tuple[bool, int]:
    return clock.get("known") is not True, _count(clock.get("error_ns"))


def _count(value: object) -> int:
    """Return a number that a file states; 0 where it is none that could be."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < MOST else 0
