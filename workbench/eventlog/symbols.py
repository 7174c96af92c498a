"""Names of native functions, from the ELF files that a sampled process had loaded.

A file is used only if it is still the loaded one: it has the same build id or, without one, has not changed since the
recording ended. Tables of functions are cached in the user's cache folder by build id, so that names remain when a file
is removed or replaced later.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.eventlog.log_files import Module
from workbench.system import cache_folder

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

DEBUG_FILES = Path("/usr/lib/debug/.build-id")
"""Where distributions put debug files of stripped libraries."""
LAYOUT = 2
"""Version of the cached files; others are replaced."""
SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
FUNCTION, INDIRECT_FUNCTION = 2, 10
"""Types of symbols. An indirect function's address is that of its resolver."""
TABLES = (".symtab", ".dynsym")
"""The linker's table has all functions but is often stripped; the loader's has the exported ones."""
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")


@dataclass(frozen=True)
class FunctionTable:
    """Functions sorted by address, one for each address."""

    address: NDArray[np.uint64]
    size: NDArray[np.uint64]
    """0 if the file does not state it"""
    name_end: NDArray[np.int64]
    """Where the name of each ends in `names`"""
    names: bytes
    """UTF-8"""

    @classmethod
    def of(cls, address: NDArray[np.uint64], size: NDArray[np.uint64], names: list[bytes]) -> FunctionTable:
        """Return a table; of several names of one address it keeps the plainest."""
        order = sorted(range(len(names)), key=lambda i: (int(address[i]), *_plainness(names[i])))
        rows = np.array(order, dtype=np.int64)
        begins = np.ones(len(rows), dtype=np.bool_)
        begins[1:] = address[rows[1:]] != address[rows[:-1]]
        rows = rows[begins]
        kept = [names[i] for i in rows.tolist()]
        ends = np.cumsum([len(name) for name in kept], dtype=np.int64)
        return cls(address[rows], size[rows], ends, b"".join(kept))

    def name(self, address: int) -> str | None:
        """Return the name, as in the file, of the function that contains an address; None if there is none."""
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
    """Return the functions of a file; none if it is damaged or no ELF file."""
    from elftools.common.exceptions import ELFError  # not needed where all tables are cached
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            return _functions(ELFFile(file))
    except (ELFError, OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError):
        return NO_FUNCTIONS  # pyelftools raises these for damaged files


def read_build_id(path: Path) -> str | None:
    """Return a file's build id; empty if it has none, None if the file cannot be read."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import NoteSection

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
    """Return a sort key that puts `tanh` before `__tanh` and `tanhf64`."""
    return len(name) - len(name.lstrip(b"_")), len(name), name


def demangled(name: str) -> str:
    """Return the name of a C++ or Rust function as in its source; other names are unchanged."""
    if not name.startswith("_Z"):
        return name
    import cxxfilt

    try:
        return _RUST_HASH.sub("", str(cxxfilt.demangle(name)))
    except (cxxfilt.Error, UnicodeError, OSError):
        return name  # not a mangled name, or this machine has no C++ library


class Symbols:
    """Names of functions by module and address; each file is read once."""

    def __init__(self, cache: Path | None = None, debug_files: Path = DEBUG_FILES) -> None:
        self._cache = cache_folder("symbols") if cache is None else cache
        self._debug_files = debug_files
        self._tables: dict[tuple[str, str, bool], FunctionTable] = {}

    def name(self, module: Module, address: int, *, ended_ns: int | None = None) -> str:
        """Return the name of the function at a virtual address of a module; `[libfoo.so]` if it has none.

        Args:
            module: The loaded file.
            address: The function's virtual address in it.
            ended_ns: Wall time at which its recording ended: a file that changed later is another one.
        """
        return function_name(self.functions(module, ended_ns=ended_ns), module, address)

    def functions(self, module: Module, *, ended_ns: int | None = None) -> FunctionTable:
        """Return the known functions of a module."""
        key = (module.path, module.build_id, _is_older(Path(module.path), ended_ns))
        if key not in self._tables:
            self._tables[key] = self._read(module, unchanged=key[2])
        return self._tables[key]

    def _read(self, module: Module, *, unchanged: bool) -> FunctionTable:
        path = Path(module.path)
        if not path.is_absolute():
            return NO_FUNCTIONS  # `[vdso]`, for example
        build_id = module.build_id
        debug = self._debug_files / build_id[:2] / f"{build_id[2:]}.debug"
        has_debug = len(build_id) > 2 and debug.is_file()
        label = f"{build_id}{'-debug' if has_debug else ''}" if build_id else _identity(path)
        if not build_id and (not unchanged or not label):
            return NO_FUNCTIONS
        cached = self._cached(label)
        if cached is not None:
            return cached
        if build_id and has_debug and read_build_id(debug) == build_id:
            found = read_functions(debug)
        elif read_build_id(path) == build_id:
            found = read_functions(path)
        else:
            return NO_FUNCTIONS
        self._keep(label, found)
        return found

    def _cached(self, label: str) -> FunctionTable | None:
        if self._cache is None:
            return None
        try:
            with np.load(self._cache / f"{label}.npz", allow_pickle=False) as file:
                if int(file["layout"]) != LAYOUT:
                    return None
                table = FunctionTable(
                    file["address"], file["size"], file["name_end"], file["names"].tobytes()
                )
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
            return None
        ends = table.name_end
        sound = (
            table.address.dtype == table.size.dtype == np.uint64
            and ends.dtype == np.int64
            and table.address.shape == table.size.shape == ends.shape == (len(ends),)
            and bool(np.all(np.diff(ends, prepend=0) >= 0))
            and (ends[-1] if len(ends) else 0) == len(table.names)
        )
        return table if sound else None

    def _keep(self, label: str, table: FunctionTable) -> None:
        """Cache a table, if the cache can be written."""
        if self._cache is None:
            return
        with contextlib.suppress(OSError):
            self._cache.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self._cache, suffix=".tmp")
            try:
                with os.fdopen(number, "wb") as file:
                    np.savez_compressed(
                        file,
                        layout=np.int64(LAYOUT),
                        address=table.address,
                        size=table.size,
                        name_end=table.name_end,
                        names=np.frombuffer(table.names, dtype=np.uint8),
                    )
                Path(name).replace(self._cache / f"{label}.npz")
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise


def function_name(functions: FunctionTable, module: Module, address: int) -> str:
    """Return the name of the function at a virtual address; `[libfoo.so]` if the table has none."""
    found = functions.name(address)
    if not found:
        return f"[{module.path.rpartition('/')[2] or 'unknown'}]"
    return demangled(found)


def _is_older(path: Path, than_ns: int | None) -> bool:
    """Return whether a file was last changed before a time; without a time, whether it exists."""
    try:
        changed = path.stat().st_ctime_ns
    except (OSError, ValueError):
        return False
    return than_ns is None or changed <= than_ns


def _identity(path: Path) -> str:
    """Return a key for the present content of a file without a build id; empty if it cannot be read."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    facts = f"{path}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}"
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:40]
