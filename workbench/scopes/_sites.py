"""Where a guard stands: the lines of its `with` block, from the code object alone.

The block of a `with` is the part of the code that its exception handler protects; CPython keeps that as a table
of (start, length, target, depth) in `co_exceptiontable` (see `Objects/exception_handling_notes.txt` there).
"""

from __future__ import annotations

from bisect import bisect_left
from opcode import opmap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

_BEFORE_WITH = opmap.get("BEFORE_WITH", opmap.get("LOAD_SPECIAL"))
_BYTES_BEFORE = 0 if "BEFORE_WITH" in opmap else 2
"""The instruction that enters a `with` block; from Python 3.14 on, the one before the call of `__enter__`."""
_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200
_NEAR = 24
"""Bytes within which the protected part begins: what follows `__enter__` stores or drops its result."""

Range = tuple[int, int]
"""A first byte, and the one behind the last."""
_NOTHING: Range = (1 << 62, 1 << 62)


class Site(NamedTuple):
    """Where a guard stands, and how it is used there."""

    first_line: int
    last_line: int
    use: str
    """`function` for a decorated one, `with` for a block, else `call`."""


def site(code: CodeType, instruction: int) -> Site:
    """Return the first and last line of the `with` block that is entered at an instruction (its byte offset).

    The scope is open on each line behind the first, up to the last, and on no other line but the first: it is where
    the `with` begins, or, where that takes several lines, the last of those that run before the scope is open.
    A negative instruction stands for the whole function. What is no `with` block is one line.
    """
    lines = [(start, stop, line) for start, stop, line in code.co_lines() if line is not None]
    if instruction < 0:
        last = max((line for _, _, line in lines), default=code.co_firstlineno)
        return Site(code.co_firstlineno, last, "function")
    block = _protected(code, instruction)
    here = next((line for start, stop, line in lines if start <= instruction < stop), code.co_firstlineno)
    inside = _lines_inside(lines, _merged(block))
    body = min((line for line in inside if line > here), default=here)
    # Up to Python 3.12 the instruction has the line of the statement, not that of its own guard.
    header = [line for start, _, line in lines if start <= instruction and here < line < body]
    return Site(max([here, *header]), max([here, *inside]), "with" if block else "call")


def suspends(code: CodeType) -> bool:
    """Return whether a frame of the code may leave the stack before it is done, with its scopes open."""
    return bool(code.co_flags & (_CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR))


def _protected(code: CodeType, instruction: int) -> list[Range]:
    """Return the byte ranges that the handler of the `with` protects; none where it is no `with`.

    A block within it has a handler of its own, which the outer one protects in turn; and what lies between two
    protected parts of the block is a part of the block.
    """
    if code.co_code[max(instruction - _BYTES_BEFORE, 0)] != _BEFORE_WITH:
        return []  # a call, such as a counter's: what is protected near it is something else
    entries = list(_exception_table(code.co_exceptiontable))
    near = [entry for entry in entries if instruction < entry[0] <= instruction + _NEAR]
    if not near:
        return []
    begin, _, handler = min(near)
    own = [(start, stop) for start, stop, target in entries if target == handler and start >= begin]
    behind = min(target for _, _, target in entries)  # handlers stand behind all other code
    straight = [stop for _, stop in own if stop <= behind]
    waiting = [*own, (begin, max(straight, default=begin))]
    ranges = set(waiting)
    by_target = sorted((target, start, stop) for start, stop, target in entries if start >= begin)
    while waiting:  # all whose handler is a part of the block
        first, last = waiting.pop()
        for i in range(bisect_left(by_target, (first,)), bisect_left(by_target, (last,))):
            _, start, stop = by_target[i]
            if (start, stop) not in ranges:
                ranges.add((start, stop))
                waiting.append((start, stop))
    return list(ranges)


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """Return what some ranges cover, as ranges in order that do not overlap."""
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def _lines_inside(lines: Iterable[tuple[int, int, int]], ranges: list[Range]) -> set[int]:
    """Return the lines, given in order as (start, stop, line), of which any part is in one of the merged ranges."""
    found: set[int] = set()
    ahead = iter(ranges)
    begin, end = next(ahead, _NOTHING)
    for start, stop, line in lines:
        while end <= start:
            begin, end = next(ahead, _NOTHING)
        if begin < stop:
            found.add(line)
    return found


def _exception_table(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, target) in bytes; malformed tables end early."""
    numbers: list[int] = []
    value = 0
    for byte in table:  # six bits each, with one that says that more follow
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    for start, length, target, _ in zip(*(numbers[i::4] for i in range(4)), strict=False):
        yield 2 * start, 2 * (start + length), 2 * target
