"""Orders of the variants: balanced, all there, and the same for the same seed."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from workbench.bench.run.plan import orders, williams_square


@pytest.mark.parametrize("count", range(1, 12))
def test_whole_squares_are_balanced(count: int) -> None:
    """Over a square every variant stands everywhere, and after every other one, equally often."""
    rows = williams_square(count)
    assert all(sorted(row) == list(range(count)) for row in rows)
    places = Counter((position, name) for row in rows for position, name in enumerate(row))
    assert set(places.values()) == {len(rows) // count}
    follows = Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert len(follows) == count * (count - 1)
    assert len(set(follows.values())) <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_orders_go_on_and_are_reproducible(count: int) -> None:
    """The same seed gives the same orders, another one others; every square has each row once."""
    size = len(williams_square(count))

    def first(seed: int) -> list[tuple[int, ...]]:
        return list(map(tuple, itertools.islice(orders(count, np.random.default_rng(seed)), 3 * size)))

    assert first(1) == first(1)
    assert len(set(first(1)[:size])) == size
    if count > 2:
        assert first(1) != first(2)
