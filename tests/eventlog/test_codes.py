"""Lines of instructions, against what the interpreter itself says of the same codes."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from types import CodeType

import numpy as np
import pytest

from workbench.eventlog.codes import LineTables


def codes_of(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def standard_library(every):
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))[::every]:
        if "site-packages" not in path.parts and "lib2to3" not in path.parts:
            try:
                yield from codes_of(compile(path.read_bytes(), str(path), "exec", dont_inherit=True))
            except (SyntaxError, ValueError):
                continue


def by_the_interpreter(code):
    """Return the line of each instruction."""
    lines = np.zeros(len(code.co_code) // 2, dtype=np.int64)
    for start, end, line in code.co_lines():
        lines[start // 2 : end // 2] = line or 0
    return lines


@pytest.mark.parametrize("every", [200, pytest.param(1, marks=pytest.mark.proof)])
def test_the_standard_library(every):
    """Every instruction of every code, here of some files, is on the line that `co_lines` says."""
    codes = list(standard_library(every))
    assert len(codes) > 10_000 / every
    tables = LineTables([code.co_firstlineno for code in codes], [code.co_linetable for code in codes])
    expected = [by_the_interpreter(code) for code in codes]
    number = np.repeat(np.arange(len(codes)), [len(each) for each in expected])
    instruction = np.concatenate([np.arange(len(each)) for each in expected])
    assert np.array_equal(tables.lines(number, instruction), np.concatenate(expected))


def test_what_is_no_instruction():
    """A frame that has just begun is on the line of its definition; what is behind the code is on none."""
    code = test_what_is_no_instruction.__code__
    tables = LineTables([code.co_firstlineno, 7], [code.co_linetable, b""])
    behind = len(code.co_code) // 2
    lines = tables.lines(np.array([0, 0, 0, 1, 1]), np.array([-1, -2, behind, 0, -1]))
    assert lines.tolist() == [code.co_firstlineno, 0, 0, 0, 7]


def test_garbage():
    """Any bytes give lines that fit into the column."""
    random = np.random.default_rng(1)
    tables = [random.integers(0, 256, size, dtype=np.uint8).tobytes() for size in range(300)]
    made = LineTables([2**32 - 1] * len(tables), tables)
    code, instruction = np.divmod(np.arange(300 * 400), 400)
    lines = made.lines(code, instruction - 3)
    assert lines.min() >= 0
    assert lines.max() <= sys.maxsize
