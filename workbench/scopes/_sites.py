"""Where a guard stands: the lines of its `with` block, from the code object alone.

The block of a `with` is the part of the code that its exception handler protects; CPython keeps that as a table
of (start, length, target, depth) in `co_exceptiontable` (see `Objects/exception_handling_notes.txt` there).
"""

from __future__ import annotations

from opcode import opmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

_BEFORE_WITH = opmap.get("BEFORE_WITH")
"""The instruction that enters a `with` block, up to Python 3.13."""
_NEAR = 24
"""Bytes within which the protected part begins: what follows `__enter__` stores or drops its result."""


def line_range(code: CodeType, instruction: int) -> tuple[int, int]:
    """Return the first and last line of the `with` block that is entered at an instruction (its byte offset).

    A negative instruction stands for the whole function. What is no `with` block is one line.
    """
    lines = [(start, stop, line) for start, stop, line in code.co_lines() if line is not None]
    if instruction < 0:
        return code.co_firstlineno, max((line for _, _, line in lines), default=code.co_firstlineno)
    here = next((line for start, stop, line in lines if start <= instruction < stop), code.co_firstlineno)
    block = _protected(code, instruction)
    inside = [
        line for start, stop, line in lines if any(start < end and stop > begin for begin, end in block)
    ]
    return min([here, *inside]), max([here, *inside])


def _protected(code: CodeType, instruction: int) -> list[tuple[int, int]]:
    """Return the byte ranges that the handler of the `with` protects; none where it is no `with`."""
    if _BEFORE_WITH is not None and code.co_code[instruction] != _BEFORE_WITH:
        return []  # a call, such as a counter's: what is protected near it is something else
    entries = list(_exception_table(code.co_exceptiontable))
    near = [entry for entry in entries if instruction < entry[0] <= instruction + _NEAR]
    if not near:
        return []
    first = min(near)
    return [(start, stop) for start, stop, target in entries if target == first[2] and start >= first[0]]


def _exception_table(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, target) in bytes; malformed tables end early."""
    numbers = iter(table)
    try:
        while True:
            start, length, target, _ = (_varint(numbers) for _ in range(4))
            yield 2 * start, 2 * (start + length), 2 * target
    except (StopIteration, RuntimeError):
        return


def _varint(numbers: Iterator[int]) -> int:
    byte = next(numbers)
    value = byte & 63
    while byte & 64:
        byte = next(numbers)
        value = value << 6 | byte & 63
    return value
