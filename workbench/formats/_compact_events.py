"""speedscope's events as programs write them, in columns by a few passes over the text.

Nearly every file has `{"type":"O","frame":3,"at":120}` without blanks, as our own do. Taken apart as JSON, an event
takes ten times as long; whatever is written in another way is still read so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 22
LONGEST = 18
"""Digits of a number, which then fits."""
_DIGITS = b"0123456789"
_NUMBERS_ONLY = bytes(each if each in _DIGITS else 32 for each in range(256))
_OPEN, _CLOSE = b'{"type":"O","frame":,"at":}', b'{"type":"C","frame":,"at":}'

Columns = tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]


def compact_events(text: str) -> Columns | None:
    """Return whether each event opens, its frame and its time; None where one is written in another way."""
    parts: list[Columns] = []
    at = 0
    while at < len(text):
        cut = text.find("},", at + BLOCK) + 1 or len(text)
        part = _columns(text[at:cut].encode("ascii"))
        if part is None:
            return None
        parts.append(part)
        at = cut + 1
        if at == len(text):
            return None  # a comma behind the last
    opens, frames, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    return opens, frames, times


def _columns(text: bytes) -> Columns | None:
    # Without its digits an event is one of two texts.
    rest = text.translate(None, _DIGITS).replace(_OPEN, b"O").replace(_CLOSE, b"C")
    kinds = np.frombuffer(rest, dtype=np.uint8)
    opens = kinds[::2] == ord("O")
    if (
        not np.all(opens | (kinds[::2] == ord("C")))
        or not np.all(kinds[1::2] == ord(","))
        or len(kinds) % 2 == 0
    ):
        return None
    # As many numbers as there are places for one, each between a colon and what ends its place, fill all of them.
    letters = np.frombuffer(text, dtype=np.uint8)
    digit = (letters >= ord("0")) & (letters <= ord("9"))
    edges = np.flatnonzero(digit[1:] != digit[:-1]) + 1
    first, behind = edges[::2], edges[1::2]
    if len(edges) != 4 * len(opens) or digit[0] or not np.all(letters[first - 1] == ord(":")):
        return None
    ends = letters[behind]
    if not np.all((ends == ord(",")) | (ends == ord("}"))) or int((behind - first).max()) > LONGEST:
        return None
    numbers = np.fromstring(text.translate(_NUMBERS_ONLY), dtype=np.int64, sep=" ")
    return opens, numbers[::2], numbers[1::2]
