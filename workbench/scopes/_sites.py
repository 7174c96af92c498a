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
_JUMP_BACKWARD, _EXTENDED_ARG = opmap["JUMP_BACKWARD"], opmap["EXTENDED_ARG"]
_NEAR = 24
"""Bytes within which the protected part begins: what follows `__enter__` stores or drops its result."""

Range = tuple[int, int]
"""A first byte, and the one behind the last."""
MAX_BLOCKS = 100_000
_blocks: dict[tuple[CodeType, int], list[Range]] = {}
_NOTHING: Range = (1 << 62, 1 << 62)


class LineRange(NamedTuple):
    """Where a guard stands, and how it is used there."""

    first_line: int
    last_line: int
    use: str
    """`function` for a decorated one, `with` for a block, else `call`."""


def site(code: CodeType, instruction: int) -> LineRange:
    """Return the first and last line of the `with` block that is entered at an instruction (its byte offset).

    The scope is open on each line behind the first, up to the last, and on no other line but the first: it is where
    the `with` begins, or, where that takes several lines, the last of those that run before the scope is open.
    A negative instruction stands for the whole function. What is no `with` block is one line.
    """
    lines = [(start, stop, line) for start, stop, line in code.co_lines() if line is not None]
    if instruction < 0:
        last = max((line for _, _, line in lines), default=code.co_firstlineno)
        return LineRange(code.co_firstlineno, last, "function")
    own, straight = _protected(code, instruction)
    here = next((line for start, stop, line in lines if start <= instruction < stop), code.co_firstlineno)
    inside = _lines_inside(lines, _merged([*own, straight]))
    body = min((line for line in inside if line > here), default=here)
    # Up to Python 3.12 the instruction has the line of the statement, not that of its own guard.
    header = [line for start, _, line in lines if start <= instruction and here < line < body]
    return LineRange(max([here, *header]), max([here, *inside]), "with" if own else "call")


def block(code: CodeType, instruction: int) -> list[Range]:
    """Return the byte ranges of a `with` block; none where it is no `with`. They are kept, for many blocks."""
    known = _blocks.get((code, instruction))
    if known is None:
        known, _ = _protected(code, instruction)
        if len(_blocks) < MAX_BLOCKS:  # code that is made over and over must not fill the memory
            _blocks[code, instruction] = known
    return known


def _protected(code: CodeType, instruction: int) -> tuple[list[Range], Range]:
    """Return the byte ranges that the handler of a `with` protects, and one from the first of them to the last.

    No ranges where it is no `with`. A block within it has a handler of its own, which the outer one protects in turn.
    What is between two protected parts is of the block's lines, but runs as the block is being left.
    """
    if code.co_code[max(instruction - _BYTES_BEFORE, 0)] != _BEFORE_WITH:
        return [], _NOTHING  # a call, such as a counter's: what is protected near it is something else
    entries = list(_exception_table(code.co_exceptiontable))
    near = [entry for entry in entries if instruction < entry[0] <= instruction + _NEAR]
    if not near:
        return [], _NOTHING
    begin, _, handler = min(near)
    own = [(start, stop) for start, stop, target in entries if target == handler and start >= begin]
    behind = min(target for _, _, target in entries)  # handlers stand behind all other code
    straight = begin, max((stop for _, stop in own if stop <= behind), default=begin)
    ranges, waiting = set(own), own
    by_target = sorted((target, start, stop) for start, stop, target in entries if start >= begin)
    while waiting:  # all whose handler is a part of the block
        first, last = waiting.pop()
        for i in range(bisect_left(by_target, (first,)), bisect_left(by_target, (last,))):
            _, start, stop = by_target[i]
            if (start, stop) not in ranges:
                ranges.add((start, stop))
                waiting.append((start, stop))
    return [*ranges, *_jumps_back(code.co_code, *straight, behind)], straight


def _jumps_back(code: bytes, begin: int, end: int, stop: int) -> Iterator[Range]:
    """Yield the jumps back into a block: some of them are in none of its ranges, from Python 3.12 on."""
    argument = 0
    for at in range(begin, stop, 2):
        argument = argument << 8 | code[at + 1]
        if code[at] == _JUMP_BACKWARD and begin <= at - 2 * argument < end:
            yield at, at + 2
        if code[at] != _EXTENDED_ARG:
            argument = 0


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
