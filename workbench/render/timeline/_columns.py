"""Columns of numbers as little text: byte planes, deflated, in base64.

A column of unsigned integers is stored as its lowest bytes, then its second lowest and so on, so many planes as its
largest value needs. High bytes are mostly the same, and deflate makes nothing of them. A browser adds the planes up
again with plain arithmetic, and needs no 64-bit integers.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 20
"""Characters of one piece of text, at most: XML parsers do not like longer ones. A multiple of four."""
LEVEL = 4
EXACT = 2**53
"""Up to here every integer is a float."""


@dataclass
class Packer:
    """Collects columns; `shapes` says how each is stored. Floats are said to have `-8` planes."""

    shapes: list[tuple[int, int]] = field(default_factory=list)
    """(values, planes) of each column, in order."""
    _parts: list[bytes] = field(default_factory=list)

    def integers(self, values: NDArray[np.int64] | NDArray[np.uint8]) -> None:
        """Add a column of integers that are not negative."""
        most = int(values.max()) if len(values) else 0
        self._add(values.astype("<u8"), (most.bit_length() + 7) // 8)

    def floats(self, values: NDArray[np.float64]) -> None:
        """Add a column of floats, all their bits; as integers, which take less room, where all of them are."""
        if len(values) and values.min() >= 0 and values.max() < EXACT and np.all(values == np.floor(values)):
            self.integers(values.astype(np.int64))
            return
        self._add(values.astype("<f8"), 8, says=-8)

    def _add(self, values: NDArray[np.generic], planes: int, says: int | None = None) -> None:
        self.shapes.append((len(values), planes if says is None else says))
        split = values.view(np.uint8).reshape(len(values), 8)[:, :planes]
        self._parts.append(np.ascontiguousarray(split.T).tobytes())

    def chunks(self) -> list[str]:
        """Return everything as pieces of base64, each a whole number of bytes."""
        text = base64.b64encode(_deflated(self._parts)).decode("ascii")
        return [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]


def _deflated(parts: Iterable[bytes]) -> bytes:
    compress = zlib.compressobj(LEVEL)
    return b"".join([*(compress.compress(part) for part in parts), compress.flush()])
