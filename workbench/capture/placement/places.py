"""Which scopes a sampled stack shows by its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from workbench.profile import ROOT, Frame, FrameKind, Profile


def last_part(function: str) -> str:
    """Return a function's own name, out of a qualified one."""
    return function.rpartition(".")[2]


class Place(NamedTuple):
    """A place of the program's code that opens a scope; see `workbench.capture.log_files.Site`."""

    name: str
    file: str
    first_line: int
    last_line: int
    function: str
    use: str
    suspends: bool

    def is_in(self, frame: Frame) -> bool:
        """Return whether a frame runs the function of the place: samplers know the name, or its last part."""
        function = self.function
        return frame.file == self.file and (function == frame.name or function.endswith("." + frame.name))

    @property
    def is_exact(self) -> bool:
        """Whether a frame's line tells if the scope is open: not where it shares its line with what is around."""
        return self.use == "function" or (self.use == "with" and self.first_line < self.last_line)

    def is_entered_by(self, frame: Frame) -> bool:
        """Return whether a frame is on the line of the `with`, where its scope may or may not be open."""
        return (
            self.use == "with" and not self.suspends and frame.line == self.first_line and self.is_in(frame)
        )

    def holds(self, frame: Frame) -> bool:
        """Return whether a frame, by its line, is inside the scope that the place opens."""
        if not self.is_exact or not self.is_in(frame):
            return False
        if self.use == "function":
            return self.first_line <= frame.line <= self.last_line or not frame.line
        return self.first_line < frame.line <= self.last_line  # on its first line it is not open yet, or left


class Anchor(NamedTuple):
    """A scope that a stack's lines show: so many of the stack's frames are around it."""

    position: int
    name: str


class Named(Protocol):
    """A scope, however it is known."""

    @property
    def name(self) -> str:
        """Its name."""


@dataclass(frozen=True)
class Places:
    """All places of a recording, as a stack of frames asks for them."""

    of_name: Mapping[str, Sequence[Place]]
    by_code: Mapping[tuple[str, str], Sequence[Place]]
    """By file and the last part of the function's name, outer places first."""
    exact: frozenset[str]
    """Names of scopes that are open on a stack when its lines say so, and only then."""
    suspending: frozenset[str]
    """Names of scopes that may be open while the code that opened them is not on the stack."""

    @classmethod
    def of(cls, recording: Profile) -> Places:
        """Return the places that a recording knows."""
        known = recording.facts.get("places")
        return cls.from_places(Place(*place) for place in (known if isinstance(known, list) else ()))

    @classmethod
    def from_places(cls, places: Iterable[Place]) -> Places:
        """Return places, given in the order in which they were first used."""
        of_name: dict[str, list[Place]] = {}
        by_code: dict[tuple[str, str], list[Place]] = {}
        for place in places:
            of_name.setdefault(place.name, []).append(place)
            by_code.setdefault((place.file, last_part(place.function)), []).append(place)
        exact = {name for name, own in of_name.items() if all(place.is_exact for place in own)}
        suspending = {name for name, own in of_name.items() if any(place.suspends for place in own)}
        return cls(of_name, by_code, frozenset(exact), frozenset(suspending))

    def without_lines(self) -> Places:
        """Return the same places for placing by time alone."""
        return replace(self, exact=frozenset())

    def told(self, scopes: Iterable[Named]) -> tuple[str, ...]:
        """Return the names of scopes of which lines and time should say the same: those that nothing suspends."""
        return tuple(each.name for each in scopes if each.name not in self.suspending)

    def anchors(self, profile: Profile) -> list[tuple[Anchor, ...]]:
        """Return of each stack of a sampled profile, whose frames have lines, the scopes that they show."""
        found: list[tuple[Anchor, ...]] = []
        depth: list[int] = []
        of_frame = [self._of_frame(frame) for frame in profile.frames]
        for parent, frame in zip(profile.stacks.parent.tolist(), profile.stacks.frame.tolist(), strict=True):
            below, at = (found[parent], depth[parent] + 1) if parent != ROOT else ((), 0)
            depth.append(at)
            own = tuple(Anchor(at + inside, name) for inside, name in of_frame[frame])
            found.append(below + own)
        return found

    def _of_frame(self, frame: Frame) -> list[tuple[int, str]]:
        """Return (1 if the frame is around the scope, else 0; its name)."""
        if frame.kind is FrameKind.NATIVE or not frame.file or not self.exact:
            return []
        own = self.by_code.get((frame.file, last_part(frame.name)), ())
        held = [place for place in own if place.name in self.exact and place.holds(frame)]
        # Of blocks around one line the outer one begins first; blocks of one line stand in their order.
        held.sort(key=lambda place: (place.use != "function", place.first_line, -place.last_line))
        return [(int(place.use != "function"), place.name) for place in held]
