"""Reading the part of Python's marshal format that cProfile writes, from untrusted files.

`marshal.loads` may crash the interpreter on bad data and believes every length it reads. This reader knows numbers,
texts, tuples and dicts; it checks each length against what is left of the data, and never recurses. The layout is
CPython's `Python/marshal.c`, versions 2 to 5.
"""

from __future__ import annotations

import struct
from typing import Any

FLAG_REF = 0x80
MAX_DEPTH = 8
LONG_DIGITS = 4
"""Digits of 15 bits: no count is above sixty bits."""


_END = object()
"""What ends a dict."""
_SHORT_TEXT = {"z": "ascii", "Z": "ascii"}
_LONG_TEXT = {"a": "ascii", "A": "ascii", "u": "utf-8", "t": "utf-8"}
_CONSTANTS = {"N": None, "T": True, "F": False, "0": _END}


class _Container:
    """A tuple or dict that is being read."""

    def __init__(self, kind: str, left: int, reference: int) -> None:
        self.kind, self.left, self.reference = kind, left, reference
        self.items: list[Any] = []

    @property
    def is_full(self) -> bool:
        return self.kind == "(" and self.left == len(self.items)

    def value(self, at: int) -> Any:
        if self.kind == "(":
            return tuple(self.items)
        if len(self.items) % 2:
            raise ValueError(f"a dict ends after a key at byte {at}")
        found = {}
        for key, value in zip(self.items[::2], self.items[1::2], strict=True):
            try:
                if key in found:
                    raise ValueError(f"a key is twice in the dict that ends at byte {at}")
                found[key] = value
            except TypeError:
                raise ValueError(f"a key of the dict that ends at byte {at} is no key") from None
        return found


class _MarshalBytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise ValueError(
                f"at byte {self.at} is a length of {count}, and {len(self.data) - self.at} bytes are left"
            )
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]


def loads(data: bytes) -> Any:
    """Return the one value that marshalled data hold: None, bool, int, float, str, tuple or dict.

    Raises:
        ValueError: It is of another kind, damaged, cut off or nested more than eight deep.
    """
    source = _MarshalBytes(data)
    references: list[Any] = []
    opened: list[_Container] = []
    while True:
        begin = source.at
        code = source.take(1)[0]
        kind = chr(code & ~FLAG_REF)
        reference = -1
        if code & FLAG_REF:
            reference = len(references)
            references.append(_END)  # its place; what is inside comes after it
        if kind in ("(", ")", "{"):
            if len(opened) >= MAX_DEPTH:
                raise ValueError(f"values are nested too deeply at byte {begin}")
            size = 0 if kind == "{" else source.number("<B" if kind == ")" else "<i")
            if size < 0 or size > len(data) - source.at:
                raise ValueError(f"at byte {begin} is a tuple of {size}, and the data end before that")
            opened.append(_Container("{" if kind == "{" else "(", size, reference))
            if kind == "{" or size:
                continue
            value: Any = _close(opened, references, source.at)
        else:
            value = _atom(source, kind, begin, references)
            if reference >= 0:
                references[reference] = value
        while True:  # a complete value is an item of the outer one
            if value is _END:
                if not opened or opened[-1].kind != "{":
                    raise ValueError(f"something ends at byte {begin} that has not begun")
                value = _close(opened, references, source.at)
                continue
            if not opened:
                return value
            opened[-1].items.append(value)
            if not opened[-1].is_full:
                break
            value = _close(opened, references, source.at)


def _close(opened: list[_Container], references: list[Any], at: int) -> Any:
    done = opened.pop()
    value = done.value(at)
    if done.reference >= 0:
        references[done.reference] = value
    return value


def _atom(source: _MarshalBytes, kind: str, begin: int, references: list[Any]) -> Any:
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind == "i":
        return source.number("<i")
    if kind == "g":
        return source.number("<d")
    if kind == "l":
        size = source.number("<i")
        if abs(size) > LONG_DIGITS:
            raise ValueError(f"the number at byte {begin} is too large")
        digits = [source.number("<H") for _ in range(abs(size))]
        value = sum(digit << 15 * place for place, digit in enumerate(digits))
        return value if size >= 0 else -value
    if kind == "r":
        index = source.number("<i")
        if not 0 <= index < len(references) or references[index] is _END:
            raise ValueError(f"at byte {begin} is a reference to no value")
        return references[index]
    encoding = _SHORT_TEXT.get(kind) or _LONG_TEXT.get(kind)
    if encoding is None:
        raise ValueError(f"at byte {begin} is {kind!r}, which cProfile does not write")
    text = source.take(source.number("<B" if kind in _SHORT_TEXT else "<i"))
    try:
        return text.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError:
        raise ValueError(f"the text at byte {begin} is not {encoding}") from None
