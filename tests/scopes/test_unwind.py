"""The unwinder on recorded stacks: it finds the return addresses that libgcc's unwinder found as they were recorded."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import random
import shutil
import subprocess
import sysconfig
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench.scopes import sampler

STACKS = Path(__file__).with_name("stacks")
NATIVE = Path(__file__).parents[2] / "workbench" / "scopes" / "native"
MAX_FRAMES = 256
FILES = sorted(STACKS.glob("*.json"))
compiler = shutil.which("cc")

pytestmark = [
    pytest.mark.skipif(sampler.why_not() is not None, reason=str(sampler.why_not())),
    pytest.mark.skipif(compiler is None, reason="no C compiler: the unwinder is built for this test alone"),
]


@pytest.fixture(scope="module")
def unwinder(tmp_path_factory):
    """Return a library of the unwinder, with memory that is what was recorded."""
    library = tmp_path_factory.mktemp("unwinder") / "libwalk.so"
    options = ["-shared", "-fPIC", "-O1", "-fvisibility=hidden", *os.environ.get("CFLAGS", "").split()]
    options += [f"-I{folder}" for folder in (sysconfig.get_path("include"), NATIVE)]
    subprocess.run([compiler, *options, "-o", library, STACKS / "walk.c", NATIVE / "unwind.c"], check=True)
    return ctypes.CDLL(str(library))


@dataclass
class Stack:
    """A recorded stack, as it was at one moment."""

    content: dict
    stack: bytes
    tables: list[bytearray]
    """The bytes of each module's .eh_frame: zero but for the entries that the stack needs."""

    def walk(self, unwinder: ctypes.CDLL) -> tuple[list[int], bool]:
        """Return the return addresses that the unwinder finds, and whether it comes to the stack's end."""
        unwinder.forget_modules()
        kept = []  # what the library points to
        for module, eh in zip(self.content["modules"], self.tables, strict=True):
            entries = [each for pair in module["table"] for each in pair]
            table = (ctypes.c_int32 * len(entries))(*entries)
            bytes_of = (ctypes.c_uint8 * len(eh)).from_buffer(eh)
            kept += [table, bytes_of]
            begin, end, at, header = (
                ctypes.c_uint64(module[key]) for key in ("start", "end", "eh", "header")
            )
            count = ctypes.c_uint64(len(module["table"]))
            assert unwinder.add_module(
                begin, end, at, bytes_of, ctypes.c_uint64(len(eh)), header, table, count
            )
        registers = (ctypes.c_uint64 * 17)(*self.content["registers"])
        low, size = ctypes.c_uint64(self.content["low"]), ctypes.c_uint64(len(self.stack))
        found = (ctypes.c_uint64 * MAX_FRAMES)()
        count = unwinder.walk(registers, self.stack, low, size, found, ctypes.c_long(MAX_FRAMES))
        is_whole = 0 <= count < MAX_FRAMES
        return list(found[: count if count >= 0 else -count - 1]), is_whole


def read(file: Path) -> Stack:
    content = json.loads(file.read_text(encoding="ascii"))
    tables = []
    for module in content["modules"]:
        table = bytearray(module["size"])
        for offset, entry in module["entries"]:
            table[offset : offset + len(entry) // 2] = bytes.fromhex(entry)
        tables.append(table)
    return Stack(content, zlib.decompress(base64.b85decode(content["stack"])), tables)


def test_all_kinds_are_there():
    """Python and C in turn, a BLAS kernel, a linkage table, an aligned frame, a signal's frame."""
    assert {file.stem for file in FILES} >= {"aligned", "blas", "callback", "handler", "linkage", "sort"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_recorded_stacks(unwinder, file):
    """Every return address is found, up to the stack's end."""
    stack = read(file)
    assert stack.walk(unwinder) == (stack.content["callers"], True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_stack_that_is_cut_off(unwinder, file):
    """What can be read of a stack gives the innermost callers, and no others."""
    stack = read(file)
    for kept in range(0, len(stack.stack), 8 * 61):
        found, is_whole = Stack(stack.content, stack.stack[:kept], stack.tables).walk(unwinder)
        assert found == stack.content["callers"][: len(found)]
        assert not is_whole or found == stack.content["callers"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_damaged_tables(unwinder, file):
    """With any content of the tables, the walk ends."""
    draw = random.Random(file.stem)
    stack = read(file)
    places = [
        (number, offset + i)
        for number, module in enumerate(stack.content["modules"])
        for offset, entry in module["entries"]
        for i in range(len(entry) // 2)
    ]
    for _ in range(300):
        tables = [bytearray(table) for table in stack.tables]
        for number, at in draw.sample(places, 3):
            tables[number][at] = draw.randrange(256)
        found, _ = Stack(stack.content, stack.stack, tables).walk(unwinder)
        assert len(found) <= MAX_FRAMES


def test_no_tables(unwinder):
    """Without the tables of a module the walk stops there and reports that it is incomplete."""
    stack = read(STACKS / "callback.json")
    empty = [bytearray(len(table)) for table in stack.tables]
    assert Stack(stack.content, stack.stack, empty).walk(unwinder) == ([], False)
