"""One stack of frames and scopes: where among a sample's frames the scopes that were open stand."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.capture.placement.places import Anchor, Place, Places
from workbench.capture.placement.timeline import Open, State
from workbench.profile import Frame, FrameKind
from workbench.scopes import _carry, _decorate

WHICH = Frame("(which scope is unknown)", kind=FrameKind.SCOPE)
"""Stands for the scopes of a sample that could not be placed within the clock's error."""
_WRAPPERS = frozenset({_carry.__file__, _decorate.__file__})

Placed = list[tuple[int, str]]
"""Scopes in their order, each with the number of frames that are around it."""


def place_scopes(
    frames: Sequence[Frame], anchors: Sequence[Anchor], state: State, places: Places, shared: Sequence[int]
) -> Placed:
    """Return the open scopes with their positions among the frames.

    Args:
        frames: The sample's, root first.
        anchors: The scopes that its lines show; they are all there.
        state: What was open by time. What lines would show and do not is not open on this stack, a generator's that
            is suspended, say; but where a frame is on the line of the `with`, time tells. What only time can show is
            put between the anchors.
        places: Where scopes are opened.
        shared: For each scope of the state, how many frames have been on the stack since before it was opened.
    """
    placed: Placed = []
    known = floor = 0
    for each, since in zip(state, shared, strict=True):
        if not each.by_time:
            match = next((i for i in range(known, len(anchors)) if anchors[i].name == each.name), None)
            if match is not None:
                placed += [(a.position, a.name) for a in anchors[known : match + 1]]
                known, floor = match + 1, anchors[match].position
                continue
        ceiling = anchors[known].position if known < len(anchors) else len(frames)
        if not each.by_time:
            entered = _entered(each, frames, places, floor, ceiling)
            if entered is not None:
                placed.append((entered, each.name))
                floor = entered
            continue
        position = _position(each, frames, places, floor, ceiling, since)
        if position is not None:
            placed.append((position, each.name))
            floor = position
    return placed + [(anchor.position, anchor.name) for anchor in anchors[known:]]


def _entered(scope: Open, frames: Sequence[Frame], places: Places, floor: int, ceiling: int) -> int | None:
    """Return how many frames are around a scope whose `with` has not yet come to its block, or leaves it."""
    own = places.of_name.get(scope.name, ())
    for i in range(max(floor - 1, 0), ceiling):  # the frame around the scope before may have this one too
        if any(place.is_entered_by(frames[i]) for place in own):
            return i + 1
    return None


def _position(
    scope: Open, frames: Sequence[Frame], places: Places, floor: int, ceiling: int, since: int
) -> int | None:
    """Return how many frames are around a scope; None: none, because its code is not on the stack."""
    if scope.carried:
        ours = [i for i in range(floor, ceiling) if frames[i].file in _WRAPPERS]
        return ours[-1] + 1 if ours else floor
    own = places.of_name.get(scope.name, ())
    for i in range(max(floor - 1, 0), ceiling):
        for place in own:
            around = i if place.use == "function" else i + 1
            if around >= floor and place.is_in(frames[i]) and _may_hold(place, frames[i]):
                return around
    if own and all(place.suspends for place in own):
        return None  # suspended
    return min(max(floor, since), ceiling)


def _may_hold(place: Place, frame: Frame) -> bool:
    return not frame.line or place.first_line <= frame.line <= place.last_line or place.use != "with"


def with_scopes(frames: Sequence[Frame], placed: Placed, *, unknown: bool = False) -> list[Frame]:
    """Return frames and scopes as one stack, of functions and no longer of lines.

    The wrappers of decorators and of carried functions, which are our own, are left out between others.
    """
    merged: list[Frame] = []
    waiting = list(reversed(placed))
    last = waiting[0][0] if waiting else 0
    for i in range(len(frames) + 1):
        while waiting and waiting[-1][0] <= i:
            merged.append(Frame(waiting.pop()[1], kind=FrameKind.SCOPE))
        if unknown and i == last:
            merged.append(WHICH)
        if i < len(frames) and not (frames[i].file in _WRAPPERS and i + 1 < len(frames)):
            merged.append(frames[i]._replace(line=0))
    return merged
