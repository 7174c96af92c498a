"""The functions of an ELF file: where each begins, how long it is, and its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection
from numpy.typing import NDArray

SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
FUNCTION, INDIRECT_FUNCTION = 2, 10
"""Types of symbols. An indirect function's address is that of what chooses the function, which runs, too."""
TABLES = (".symtab", ".dynsym")
"""A table for the linker has all functions, but is often stripped; that for the loader has the exported ones."""
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")


@dataclass(frozen=True)
class FunctionTable:
    """Functions in the order of their addresses, one for each address."""

    address: NDArray[np.uint64]
    size: NDArray[np.uint64]
    """0 where the file does not say it"""
    name_end: NDArray[np.int64]
    """Where the name of each ends in `names`"""
    names: bytes
    """UTF-8"""

    @classmethod
    def of(cls, address: NDArray[np.uint64], size: NDArray[np.uint64], names: list[bytes]) -> FunctionTable:
        """Return a table; of several names of one address the plainest stays."""
        order = sorted(range(len(names)), key=lambda i: (int(address[i]), *_plainness(names[i])))
        rows = np.array(order, dtype=np.int64)
        begins = np.ones(len(rows), dtype=np.bool_)
        begins[1:] = address[rows[1:]] != address[rows[:-1]]
        rows = rows[begins]
        kept = [names[i] for i in rows.tolist()]
        ends = np.cumsum([len(name) for name in kept], dtype=np.int64)
        return cls(address[rows], size[rows], ends, b"".join(kept))

    def name(self, address: int) -> str | None:
        """Return the name of the function that an address is in, as it is in the file; None: there is none."""
        if not 0 <= address < 1 << 64:
            return None
        place = int(np.searchsorted(self.address, np.uint64(address), side="right")) - 1
        if place < 0:
            return None
        offset = address - int(self.address[place])
        if offset and offset >= int(self.size[place]):
            return None
        begin = int(self.name_end[place - 1]) if place else 0
        return self.names[begin : int(self.name_end[place])].decode("utf-8", "replace")

    @cached_property
    def is_interpreter(self) -> bool:
        """Whether the file is an interpreter of Python, or its library."""
        return b"PyEval_EvalCode" in self.names and b"Py_BytesMain" in self.names


NO_FUNCTIONS = FunctionTable(
    np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64), b""
)


def read_functions(path: Path) -> FunctionTable:
    """Return the functions of a file; none where it is not what it should be."""
    try:
        with path.open("rb") as file:
            return _functions(ELFFile(file))
    except (ELFError, OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        return NO_FUNCTIONS  # pyelftools meets damage with these


def read_build_id(path: Path) -> str | None:
    """Return a file's build id; empty where it has none, None where the file cannot be read."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            section = elf.get_section_by_name(".note.gnu.build-id")
            for note in section.iter_notes() if isinstance(section, NoteSection) else ():
                if note["n_type"] == "NT_GNU_BUILD_ID":
                    return str(note["n_desc"])
            return ""
    except (ELFError, OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        return None


def _functions(elf: ELFFile) -> FunctionTable:
    if elf.elfclass != 64 or not elf.little_endian:
        return NO_FUNCTIONS
    parts: list[NDArray[np.void]] = []
    names: list[bytes] = []
    for each in TABLES:
        section = elf.get_section_by_name(each)
        if section is None or section["sh_type"] == "SHT_NOBITS":
            continue
        symbols = np.frombuffer(
            section.data()[: section["sh_size"] // SYMBOL.itemsize * SYMBOL.itemsize], SYMBOL
        )
        texts = elf.get_section(section["sh_link"]).data()
        kind = symbols["info"] & 15
        symbols = symbols[
            ((kind == FUNCTION) | (kind == INDIRECT_FUNCTION))
            & (symbols["section"] != 0)
            & (symbols["name"] < len(texts))
        ]
        parts.append(symbols)
        # The linker's table has versions in its names: `sem_post@@GLIBC_2.34`.
        names += [texts[at : texts.index(b"\0", at)].partition(b"@")[0] for at in symbols["name"].tolist()]
    if not parts:
        return NO_FUNCTIONS
    symbols = np.concatenate(parts)
    return FunctionTable.of(symbols["value"].copy(), symbols["size"].copy(), names)


def _plainness(name: bytes) -> tuple[int, int, bytes]:
    """Return a key by which `tanh` comes before `__tanh` and `tanhf64`."""
    return len(name) - len(name.lstrip(b"_")), len(name), name


def demangled(name: str) -> str:
    """Return the name of a C++ or Rust function as its source has it, any other one as it is."""
    if not name.startswith("_Z"):
        return name
    import cxxfilt

    try:
        return _RUST_HASH.sub("", str(cxxfilt.demangle(name)))
    except (cxxfilt.Error, UnicodeError, OSError):
        return name  # it only looks like one, or this machine has no C++ library
