"""Changes over stored experiments: found where they are, and seldom where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.bench.analysis.changes import changes_of


def series(seed: int, *parts: tuple[int, float], noise: float = 0.02) -> list[float]:
    """Return times that are about each level for so many experiments."""
    levels = np.concatenate([np.full(count, level) for count, level in parts])
    return list(levels * np.exp(noise * np.random.default_rng(seed).standard_normal(len(levels))))


@pytest.mark.parametrize("count", [6, 20, 150])
def test_a_change_is_found_where_it_is(count: int) -> None:
    """A step of ten times the noise is found at its place, with an interval that holds it."""
    for seed in range(5):
        (found,) = changes_of(series(seed, (count, 1.0), (count, 1.2)), 0.02)
        assert found.index == count
        assert found.ratio.low <= 1.2 <= found.ratio.high


def test_up_and_down_are_two() -> None:
    """What was slower for a while is two changes."""
    found = changes_of(series(1, (40, 1.0), (25, 1.3), (40, 1.0)), 0.02)
    assert [(each.index, each.ratio.value > 1) for each in found] == [(40, True), (65, False)]


def test_where_nothing_changed_a_change_is_seldom_found() -> None:
    """Of 200 series of equal times at most 5 % and what chance adds to it have one, however small what matters is."""
    found = sum(bool(changes_of(series(seed, (30, 1.0)), 1e-9)) for seed in range(200))
    assert found <= 18


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 11, [1.0] * 40, [1.0] * 6 + [1.01] * 6])
def test_what_is_too_few_equal_or_too_small_is_none(values: list[float]) -> None:
    """Fewer than twelve, equal times, and a difference that does not matter are no change."""
    assert changes_of(values, 0.02) == []
