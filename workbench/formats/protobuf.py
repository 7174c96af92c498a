"""The wire format of protocol buffers: https://protobuf.dev/programming-guides/encoding.

A message is a row of fields, each with its number and one of four kinds of value: a varint (seven bits a byte, the
lowest first), eight bytes, four bytes, or a block of a stated length. A block is a text, a message, or many numbers
("packed"). Negative numbers are varints of their 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

VARINT, EIGHT, BLOCK, FOUR = 0, 1, 2, 5
MAX_VARINT = 10
"""Bytes of a varint of 64 bits."""
_MASK = (1 << 64) - 1
_SIGN = 1 << 63
_SIZES = {EIGHT: 8, FOUR: 4}


class Field(NamedTuple):
    """A field of a message. Of a varint `value` is set; of a block, where it begins and ends in the data."""

    number: int
    kind: int
    value: int = 0
    begin: int = 0
    end: int = 0


def fields(data: bytes, begin: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message in `data[begin:end]`. Fixed numbers have only their place.

    Raises:
        ValueError: It is no message; the text has the byte.
    """
    at = begin
    while at < end:
        tag, after = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise ValueError(f"at byte {at}, there is no field 0")
        if kind == VARINT:
            value, after = _varint(data, after, end)
            yield Field(number, kind, value)
        elif kind == BLOCK:
            length, first = _varint(data, after, end)
            after = first + length
            if after > end:
                raise ValueError(
                    f"at byte {at}, field {number} has {length} bytes, of which {end - first} are there"
                )
            yield Field(number, kind, 0, first, after)
        elif kind in _SIZES:
            first, after = after, after + _SIZES[kind]
            if after > end:
                raise ValueError(f"at byte {at}, field {number} is cut off")
            yield Field(number, kind, 0, first, after)
        else:
            raise ValueError(f"at byte {at}, field {number} is of kind {kind}, which there is not")
        at = after


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number at a place, below 2⁶⁴, and where it ends."""
    value = shift = 0
    for place in range(at, min(end, at + MAX_VARINT)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, place + 1
        shift += 7
    raise ValueError(f"at byte {at}, a number {'is cut off' if end - at < MAX_VARINT else 'has no end'}")


def numbers(data: bytes, field: Field) -> list[int]:
    """Return the numbers of a repeated field: those of a block, or the one of a varint.

    Raises:
        ValueError: It holds something else.
    """
    if field.kind == VARINT:
        return [field.value]
    if field.kind != BLOCK:
        raise ValueError(f"at byte {field.begin}, field {field.number} should be whole numbers")
    if data[field.begin : field.end].isascii():  # a byte each
        return list(data[field.begin : field.end])
    found: list[int] = []
    at = field.begin
    while at < field.end:
        value, at = _varint(data, at, field.end)
        found.append(value)
    return found


def signed(value: int) -> int:
    """Return what 64 bits are as a number that may be negative."""
    return value - (1 << 64) if value >= _SIGN else value


def varint(value: int) -> bytes:
    """Return a number of 64 bits as a varint."""
    value &= _MASK
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """Return a field of a whole number; nothing for 0, which is what a missing field means."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def block(field: int, content: bytes) -> bytes:
    """Return a field of a text or a message."""
    return varint(field << 3 | BLOCK) + varint(len(content)) + content


def packed(field: int, values: Iterable[int]) -> bytes:
    """Return a field of many whole numbers."""
    return block(field, b"".join(map(varint, values)))
