"""The Pareto front: what is on it no other beats, and what is not, one on it does."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from workbench.render.plots.pareto import pareto_front, stair

FIGURES = st.one_of(st.integers(0, 6).map(float), st.floats(0, 1e6))
PLACES = st.lists(st.tuples(FIGURES, FIGURES), max_size=25)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other


@given(PLACES)
def test_the_front_is_what_no_other_beats(places: list[tuple[float, float]]) -> None:
    """By the definition: exactly the points that none is at least as good as on both, and better than on one."""
    front = pareto_front(places)
    assert len(set(front)) == len(front)
    assert set(front) == {i for i, p in enumerate(places) if not any(beats(other, p) for other in places)}


@given(PLACES.filter(bool))
def test_the_stair_goes_down_to_the_right(places: list[tuple[float, float]]) -> None:
    """Each step is level or upright, none goes up or back, and every point of the front is a corner."""
    front = sorted({places[i] for i in pareto_front(places)})
    corners = stair(front, 1e7, 1e7)
    assert set(front) <= set(corners)
    assert corners[0][1] == corners[-1][0] == 1e7
    for (x, y), (right, down) in itertools.pairwise(corners):
        assert right >= x
        assert down <= y
        assert right == x or down == y


def test_figures_that_are_not_known_are_on_no_front() -> None:
    """A point without a figure neither beats others nor is shown to be unbeaten; equal points are kept together."""
    assert pareto_front([(0.1, math.nan), (math.nan, 0.1), (1.0, 1.0), (1.0, 1.0)]) == [2, 3]
    assert pareto_front([]) == []
