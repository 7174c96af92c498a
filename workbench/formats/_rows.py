"""Many short rows of text by array operations: each column is a matrix of bytes whose NUL bytes are left out.

A row of an event file is a text that many rows share, a number, and an end. Millions of such rows are made by looking
up four digits at a time in a table: some 0.1 µs a row, where formatting one by one takes 1 µs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""(rows, width) text; NUL is left out."""
GROUP = 10_000
ROWS = 1 << 16
"""Rows that are made at once: they stay in the processor's cache."""
WIDE = 1000
MAX_TABLE = 1 << 26
"""Characters of a row, and bytes of a table, up to which picking from a table is quicker."""


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the text of four digits, of a beginning or inside: in the inner groups of a number, and in its last."""
    full = np.frombuffer(b"".join(b"%04d" % i for i in range(GROUP)), dtype=np.uint32)
    begins = np.frombuffer(
        b"".join((b"%d" % i if i else b"").rjust(4, b"\0") for i in range(GROUP)), dtype=np.uint32
    )
    last = begins.copy()
    last[0] = np.frombuffer(b"\0\0\x000", dtype=np.uint32)[0]
    return np.concatenate([begins, full]), np.concatenate([last, full])


@cache
def _fractions() -> NDArray[np.uint32]:
    texts = ((b".%03d" % i).rstrip(b"0").rstrip(b".").ljust(4, b"\0") for i in range(1000))
    return np.frombuffer(b"".join(texts), dtype=np.uint32)


def table(texts: Sequence[bytes]) -> Bytes:
    """Return texts without NUL bytes as the rows of a matrix."""
    width = max((len(text) for text in texts), default=0)
    joined = b"".join(text.ljust(width, b"\0") for text in texts)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(texts), width)


def whole(values: NDArray[np.int64]) -> Bytes:
    """Return the decimal digits of whole numbers that are not negative."""
    largest = int(values.max(initial=0))
    groups = max(1, -(-len(str(largest)) // 4))
    columns = np.empty((len(values), groups), dtype=np.uint32)
    inner, last = _tables()
    for group in range(groups):
        power = groups - 1 - group
        above = values // GROUP**power if power else values
        digits = above % GROUP if group else above
        if group:
            digits = np.where(above >= GROUP, digits + GROUP, digits)
        columns[:, group] = (inner if power else last)[digits]
    return columns.view(np.uint8)


def thousandths(values: NDArray[np.int64]) -> tuple[Bytes, Bytes]:
    """Return whole numbers divided by 1000, exactly: the whole part, and the fraction with its point."""
    parts, rest = np.divmod(values, 1000)
    return whole(parts), _fractions()[rest].reshape(-1, 1).view(np.uint8)


class Texts:
    """Texts that rows begin or end with. They have neither NUL bytes nor line feeds."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = texts
        width = max(map(len, texts), default=0)
        # A matrix is as wide as its widest row: one long name would make all rows long.
        self.table = table(texts) if width <= WIDE and width * len(texts) <= MAX_TABLE else None


def rows(
    begins: Texts, begin: NDArray[np.integer], middle: Sequence[Bytes], ends: Texts, end: NDArray[np.integer]
) -> bytes:
    """Return the text of all rows, each a beginning, columns and an end."""
    if begins.table is not None and ends.table is not None:
        return joined([begins.table[begin], *middle, ends.table[end]])
    line = np.full((len(begin), 1), ord("\n"), dtype=np.uint8)
    numbers = joined([*middle, line]).split(b"\n")[:-1]
    each = zip(begin.tolist(), numbers, end.tolist(), strict=True)
    return b"".join([begins.texts[i] + number + ends.texts[j] for i, number, j in each])


def joined(columns: Sequence[Bytes]) -> bytes:
    """Return the text of all rows of these columns."""
    return np.concatenate(columns, axis=1).tobytes().translate(None, b"\0")
