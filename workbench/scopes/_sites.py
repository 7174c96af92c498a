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
_CO_GENERATOR, _CO_COROUTINE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200
_NEAR = 24
"""Bytes within which the protected part begins: what follows `__enter__` stores or drops its result."""


def line_range(code: CodeType, instruction: int) -> tuple[int, int]:
    """Return the first and last line of the `with` block that is entered at an instruction (its byte offset).

    The scope is open on each line behind the first, up to the last, and on no other line but the first: it is where
    the `with` begins, or, where that takes several lines, the last of those that run before the scope is open.
    A negative instruction stands for the whole function. What is no `with` block is one line.
    """
    lines = [(start, stop, line) for start, stop, line in code.co_lines() if line is not None]
    if instruction < 0:
        return code.co_firstlineno, max((line for _, _, line in lines), default=code.co_firstlineno)
    here = next((line for start, stop, line in lines if start <= instruction < stop), code.co_firstlineno)
    block = _protected(code, instruction)
    inside = {
        line for start, stop, line in lines if any(start < end and stop > begin for begin, end in block)
    }
    body = min((line for line in inside if line > here), default=here)
    # Up to Python 3.12 the instruction has the line of the statement, not that of its own guard.
    header = [line for start, _, line in lines if start <= instruction and here < line < body]
    return max([here, *header]), max([here, *inside])


def usage(code: CodeType, instruction: int) -> str:
    """Return how a guard is used there: `function` for a decorated one, `with` for a block, else `call`."""
    if instruction < 0:
        return "function"
    return "with" if _protected(code, instruction) else "call"


def suspends(code: CodeType) -> bool:
    """Return whether a frame of the code may leave the stack before it is done, with its scopes open."""
    return bool(code.co_flags & (_CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR))


def _protected(code: CodeType, instruction: int) -> list[tuple[int, int]]:
    """Return the byte ranges that the handler of the `with` protects; none where it is no `with`.

    A block within it has a handler of its own, which the outer one protects in turn; and what lies between two
    protected parts of the block is a part of the block.
    """
    if _BEFORE_WITH is not None and code.co_code[instruction] != _BEFORE_WITH:
        return []  # a call, such as a counter's: what is protected near it is something else
    entries = list(_exception_table(code.co_exceptiontable))
    near = [entry for entry in entries if instruction < entry[0] <= instruction + _NEAR]
    if not near:
        return []
    begin, _, handler = min(near)
    own = [(start, stop) for start, stop, target in entries if target == handler and start >= begin]
    behind = min(target for _, _, target in entries)  # handlers stand behind all other code
    straight = [stop for _, stop in own if stop <= behind]
    ranges = [*own, (begin, max(straight, default=begin))]
    while True:
        inner = [
            (start, stop)
            for start, stop, target in entries
            if start >= begin
            and (start, stop) not in ranges
            and any(first <= target < last for first, last in ranges)
        ]
        if not inner:
            return ranges
        ranges += inner


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
