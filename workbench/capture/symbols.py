"""Names of native functions, out of the ELF files that were loaded when they were sampled.

A file is used only if it is still the one that was loaded: by its build id, or, where it has none, because it has not
changed since the recording ended. Tables of functions are kept in the user's cache folder under the build id, so that a
file that has been removed or replaced later still has names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from workbench.capture._elf_symbols import (
    NO_FUNCTIONS,
    FunctionTable,
    demangled,
    read_build_id,
    read_functions,
)
from workbench.capture.log_files import Module

DEBUG_FILES = Path("/usr/lib/debug/.build-id")
"""Where distributions put tables of functions that they strip from libraries."""
LAYOUT = 2
"""Of the cached files: another one is read anew."""


def cache_folder() -> Path:
    """Return the folder for tables of functions."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return base / "workbench" / "symbols"


class Symbols:
    """Names of functions, by module and address. Each file is read once."""

    def __init__(self, cache: Path | None = None, debug_files: Path = DEBUG_FILES) -> None:
        if cache is None:
            with contextlib.suppress(RuntimeError):  # nobody's home
                cache = cache_folder()
        self._cache = cache
        self._debug_files = debug_files
        self._tables: dict[tuple[str, str, bool], FunctionTable] = {}
        self._names: dict[tuple[str, str], str] = {}

    def name(self, module: Module, address: int, *, ended_ns: int | None = None) -> str:
        """Return the name of the function at a virtual address of a module; `[libfoo.so]` where it has none.

        Args:
            module: The loaded file.
            address: The function's virtual address in it.
            ended_ns: When its process's recording ended, on the wall clock: what has changed later is another file.
        """
        return function_name(self.functions(module, ended_ns=ended_ns), module, address)

    def functions(self, module: Module, *, ended_ns: int | None = None) -> FunctionTable:
        """Return all functions of a module that are known."""
        key = (module.path, module.build_id, _is_older(Path(module.path), ended_ns))
        if key not in self._tables:
            self._tables[key] = self._read(module, unchanged=key[2])
        return self._tables[key]

    def _read(self, module: Module, *, unchanged: bool) -> FunctionTable:
        path = Path(module.path)
        if not path.is_absolute():
            return NO_FUNCTIONS  # `[vdso]`, or something strange
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
        """Keep a table for the next time. A cache that cannot be written to is none."""
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
    """Return the name of the function at a virtual address; `[libfoo.so]` where the module's table has none."""
    found = functions.name(address)
    if not found:
        return f"[{module.path.rpartition('/')[2] or 'unknown'}]"
    return demangled(found)


def _is_older(path: Path, than_ns: int | None) -> bool:
    """Return whether a file was last changed before a time; without one, whether it is there."""
    try:
        changed = path.stat().st_ctime_ns
    except (OSError, ValueError):
        return False
    return than_ns is None or changed <= than_ns


def _identity(path: Path) -> str:
    """Return a name for the present content of a file without a build id; empty where it cannot be read."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    facts = f"{path}\0{found.st_ino}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ctime_ns}"
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:40]
