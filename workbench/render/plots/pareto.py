"""What no other beats: the Pareto front of points of which both figures are better the smaller they are."""

from __future__ import annotations

import math
from collections.abc import Sequence

Place = tuple[float, float]


def pareto_front(places: Sequence[Place]) -> list[int]:
    """Return which points no other beats, from the left to the right.

    A point is beaten by one that is no worse on both figures and better on one; so of points at the same place all
    are kept, or none. A point with a figure that is NaN is on no front and beats none.
    """
    known = [i for i, place in enumerate(places) if not any(map(math.isnan, place))]
    front: list[int] = []
    least: Place = (math.nan, math.inf)
    for i in sorted(known, key=lambda each: places[each]):
        if places[i][1] < least[1] or places[i] == least:
            front.append(i)
            least = places[i]
    return front


def stair(places: Sequence[Place], right: float, top: float) -> list[Place]:
    """Return the corners of the line between what points of a front beat and what they do not.

    Args:
        places: The front's points, from the left to the right.
        right: Where the line ends behind the last point.
        top: Where it begins above the first.
    """
    corners = [(places[0][0], top)]
    for here, after in zip(places, [*places[1:], (right, math.nan)], strict=True):
        corners += [here, (after[0], here[1])]
    return corners
