"""Code objects as the sampler stores them: name, file, and the line of each instruction, for many at once.

The lines are in CPython's tables of locations (3.11 and later). A table is a list of entries. The first byte of each
has bit 7 set, and no other has. Its bits 3 to 6 are the kind, and its bits 0 to 2 how many instructions of 2 bytes the
entry is for, less one. An entry moves the line by nothing (kinds 0 to 9), by 0 to 2 (kinds 10 to 12) or by a signed
number that follows (kinds 13 and 14); instructions of kind 15 have no line. A number is in groups of 6 bits, the lowest
first, where bit 6 of a byte says that another one follows; its lowest bit is the sign.
Source: InternalDocs/code_objects.md of CPython.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.profile.stacks import Int32, Int64
from workbench.scopes import layout

NO_LINE = 15
MAX_GROUPS = 6
"""Groups of 6 bits in a number: lines are of 31 bits."""
MAX_LINE = 2**31 - 1
_ENCODINGS = {0: "latin-1", 1: "utf-16-le", 2: "utf-32-le"}


def code_texts(content: bytes) -> tuple[str, str, bytes] | None:
    """Return a code's qualified name, file and table of lines; None if the content is damaged."""
    if len(content) < layout.SAMPLE_CODE.size:
        return None
    of_name, of_file, of_table, widths = layout.SAMPLE_CODE.unpack_from(content)
    start = layout.SAMPLE_CODE.size
    if start + of_name + of_file + of_table > len(content):
        return None
    encodings = _ENCODINGS.get(widths & 3), _ENCODINGS.get(widths >> 2 & 3)
    if encodings[0] is None or encodings[1] is None:
        return None
    try:
        name = content[start : start + of_name].decode(encodings[0], "surrogatepass")
        file = content[start + of_name : start + of_name + of_file].decode(encodings[1], "surrogatepass")
    except UnicodeDecodeError:
        return None
    begin = start + of_name + of_file
    return name, file, content[begin : begin + of_table]


class LineTables:
    """The line tables of several codes, concatenated."""

    def __init__(self, first_lines: Sequence[int], tables: Sequence[bytes]) -> None:
        data = np.frombuffer(b"".join(tables) + b"\x80", dtype=np.uint8)
        ends = np.cumsum([len(table) for table in tables], dtype=np.int64)
        entry = np.flatnonzero(data[:-1] & 0x80)
        first = data[entry]
        kind = (first >> 3) & 15
        line = np.zeros(len(entry), dtype=np.int64)
        steps = (kind >= 10) & (kind <= 12)
        line[steps] = kind[steps].astype(np.int64) - 10
        stated = np.flatnonzero((kind == 13) | (kind == 14))
        line[stated] = _numbers(data, entry[stated] + 1)
        begin = np.searchsorted(entry, np.append(0, ends))  # the first entry of each code
        moved = np.append(0, np.cumsum(line))
        code = np.repeat(np.arange(len(tables)), np.diff(begin))
        self._first = np.array(first_lines, dtype=np.int64)
        found = self._first[code] + (moved[1:] - moved[begin[code]])
        found[(kind == NO_LINE) | (found < 0) | (found > MAX_LINE)] = 0
        self._line = np.append(found, 0)
        # Instructions are numbered over all codes.
        self._until = np.cumsum((first & 7).astype(np.int64) + 1)
        self._begin = np.append(0, self._until)[begin]

    def lines(self, code: NDArray[np.integer], instruction: NDArray[np.integer]) -> Int32:
        """Return the line of each instruction; 0 if it has none.

        Args:
            code: Indices of codes.
            instruction: Index of each, in units of 2 bytes; -1, in a frame that has just begun, is the line of the
                definition.
        """
        at = self._begin[code] + instruction
        there = (instruction >= 0) & (at < self._begin[np.asarray(code) + 1])
        line = self._line[np.searchsorted(self._until, at, side="right")]
        defined = np.where(instruction == -1, self._first[code], 0)
        return np.where(there, line, np.clip(defined, 0, MAX_LINE)).astype(np.int32)


def _numbers(data: NDArray[np.uint8], at: Int64) -> Int64:
    """Return the signed numbers that begin at some bytes; the last byte of the data begins an entry and ends them."""
    value = np.zeros(len(at), dtype=np.int64)
    continues = np.ones(len(at), dtype=np.bool_)
    for group in range(MAX_GROUPS):
        here = data[np.minimum(at + group, len(data) - 1)]
        continues = continues & (here < 0x80)  # otherwise it is truncated
        value += np.where(continues, (here & 63).astype(np.int64) << (6 * group), 0)
        continues = continues & (here >= 0x40)
    return np.where(value & 1, -(value >> 1), value >> 1)
