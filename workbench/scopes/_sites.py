"""Call sites of scopes: the lines of a `with` block, from the code object alone.

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
"""Bytes after `__enter__` within which the protected part begins: they store or drop its result."""

Range = tuple[int, int]
"""(start, stop) in bytes."""
MAX_BLOCKS = 100_000
"""Cached blocks: code that a program makes again and again must not fill the memory."""
_blocks: dict[tuple[CodeType, int], list[Range]] = {}
_NOTHING: Range = (1 << 62, 1 << 62)


class LineRange(NamedTuple):
    """The lines of a scope, and how it is used there."""

    first_line: int
    last_line: int
    use: str
    """`function` if it decorates one, `with` for a block, else `call`."""


def site(code: CodeType, instruction: int) -> LineRange:
    """Return the first and last line of the `with` block that is entered at an instruction (its byte offset).

    The scope is open on each line after the first, up to the last. The first line is where the `with` begins or, if
    its header has several lines, the last header line that runs before the scope opens.
    A negative instruction means the whole function. A call without a `with` block is one line.
    """
    lines = [(start, stop, line) for start, stop, line in code.co_lines() if line is not None]
    if instruction < 0:
        last = max((line for _, _, line in lines), default=code.co_firstlineno)
        return LineRange(code.co_firstlineno, last, "function")
    own, straight = _protected(code, instruction)
    here = next((line for start, stop, line in lines if start <= instruction < stop), code.co_firstlineno)
    inside = _lines_inside(lines, _merged([*own, straight]))
    body = min((line for line in inside if line > here), default=here)
    # Up to Python 3.12 the instruction has the line of the statement, not of its own context manager.
    header = [line for start, _, line in lines if start <= instruction and here < line < body]
    return LineRange(max([here, *header]), max([here, *inside]), "with" if own else "call")


def block(code: CodeType, instruction: int) -> list[Range]:
    """Return the byte ranges of a `with` block, empty if it is no `with`; results are cached."""
    known = _blocks.get((code, instruction))
    if known is None:
        known, _ = _protected(code, instruction)
        if len(_blocks) < MAX_BLOCKS:
            _blocks[code, instruction] = known
    return known


def _protected(code: CodeType, instruction: int) -> tuple[list[Range], Range]:
    """Return the byte ranges that the handler of a `with` protects, and one from the first of them to the last.

    There are no ranges if it is no `with`. An inner block has its own handler, which the outer block protects. The code
    between two protected parts belongs to the block's lines, but runs while the block is left.
    """
    if code.co_code[max(instruction - _BYTES_BEFORE, 0)] != _BEFORE_WITH:
        return [], _NOTHING  # a call, such as `counter`: what is protected near it is not its block
    entries = list(_exception_table(code.co_exceptiontable))
    near = [entry for entry in entries if instruction < entry[0] <= instruction + _NEAR]
    if not near:
        return [], _NOTHING
    begin, _, handler = min(near)
    own = [(start, stop) for start, stop, target in entries if target == handler and start >= begin]
    behind = min(target for _, _, target in entries)  # handlers follow all other code
    straight = begin, max((stop for _, stop in own if stop <= behind), default=begin)
    ranges, waiting = set(own), own
    by_target = sorted((target, start, stop) for start, stop, target in entries if start >= begin)
    while waiting:  # add all whose handler is in the block
        first, last = waiting.pop()
        for i in range(bisect_left(by_target, (first,)), bisect_left(by_target, (last,))):
            _, start, stop = by_target[i]
            if (start, stop) not in ranges:
                ranges.add((start, stop))
                waiting.append((start, stop))
    return [*ranges, *_jumps_back(code.co_code, *straight, behind)], straight


def _jumps_back(code: bytes, begin: int, end: int, stop: int) -> Iterator[Range]:
    """Yield the backward jumps into a block; from Python 3.12 some are in none of its ranges."""
    argument = 0
    for at in range(begin, stop, 2):
        argument = argument << 8 | code[at + 1]
        if code[at] == _JUMP_BACKWARD and begin <= at - 2 * argument < end:
            yield at, at + 2
        if code[at] != _EXTENDED_ARG:
            argument = 0


def _merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the union of ranges as sorted ranges that do not overlap."""
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin < merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((begin, end))
    return merged


def _lines_inside(lines: Iterable[tuple[int, int, int]], ranges: list[Range]) -> set[int]:
    """Return the lines, given in order as (start, stop, line), that overlap one of the merged ranges."""
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
    for byte in table:  # six bits each, and one bit that says whether more follow
        value = value << 6 | byte & 63
        if not byte & 64:
            numbers.append(value)
            value = 0
    for start, length, target, _ in zip(*(numbers[i::4] for i in range(4)), strict=False):
        yield 2 * start, 2 * (start + length), 2 * target
