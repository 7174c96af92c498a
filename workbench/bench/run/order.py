"""Orders of the variants: randomised Williams squares (Williams 1949, Aust. J. Sci. Res. 2, 149).

Over a whole square every variant stands at every position equally often, and runs equally often after every
other one, so that neither drift nor what a run leaves behind (heat, caches) favours one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def williams_square(count: int) -> list[list[int]]:
    """Return the rows of a balanced square of 0 … count-1; twice as many rows where the count is odd."""
    zigzag = [(i + 1) // 2 if i % 2 else (count - i // 2) % count for i in range(count)]
    rows = [[(start + shift) % count for shift in zigzag] for start in range(count)]
    return rows + [row[::-1] for row in rows] if count % 2 and count > 1 else rows


def orders(count: int, generator: np.random.Generator) -> Iterator[list[int]]:
    """Yield an order for each round, without end: whole squares, each with new names and rows shuffled."""
    while True:
        names = generator.permutation(count).tolist()
        rows = williams_square(count)
        for row in generator.permutation(len(rows)).tolist():
            yield [names[place] for place in rows[row]]
