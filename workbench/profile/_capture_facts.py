"""What a profile states of its capture, by types."""

from __future__ import annotations

from dataclasses import dataclass, fields

from workbench.profile._record import Profile

MAX_NUMBER = 1 << 63
"""Larger numbers are none that a capture states."""


@dataclass(frozen=True)
class CaptureFacts:
    """Facts of a profile's capture. One that is not stated, or is stated as something else, is as here."""

    processes: int = 0
    damaged: int = 0
    """Places of the recording that could not be read."""
    closed_elsewhere: int = 0
    """Scopes that another thread or task closed."""
    misnested: int = 0
    """Scopes that ended after the one around them."""
    other_clocks: int = 0
    """Processes whose times were moved by the wall clock."""
    given_up_bytes: int = 0
    """Of the oldest events, which made room for newer ones."""
    stopped_full: bool = False
    stopped_by_error: bool = False
    hosts: tuple[str, ...] = ()
    wall_minus_monotonic_ns: int = 0
    sampler: str = ""
    rate: int = 0
    """Samples a second that were asked for."""


def capture_facts(profile: Profile) -> CaptureFacts:
    """Return what a profile states of its capture."""
    found: dict[str, object] = {}
    for field in fields(CaptureFacts):
        value, kind = profile.facts.get(field.name), type(field.default)
        if kind is tuple and isinstance(value, list | tuple):
            found[field.name] = tuple(each for each in value if isinstance(each, str) and each)
        elif type(value) is kind and (not isinstance(value, int) or 0 <= value < MAX_NUMBER):
            found[field.name] = value
    return CaptureFacts(**found)  # type: ignore[arg-type]  # each is of the type of its field
