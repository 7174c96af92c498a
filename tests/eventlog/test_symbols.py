"""Names of native functions are those that binutils and the loader say, and of the file that was loaded."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from workbench.eventlog.log_files import Module
from workbench.eventlog.symbols import Symbols, demangled, read_build_id, read_functions

NOWHERE = Path("/nowhere")


class DlInfo(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    ]


def loaded(path: str, function: str) -> tuple[Path, int]:
    """Return, by the loader, the file that a function is in and its virtual address there."""
    library = ctypes.CDLL(path)
    info = DlInfo()
    address = ctypes.cast(getattr(library, function), ctypes.c_void_p)
    assert ctypes.CDLL(None).dladdr(address, ctypes.byref(info))
    return Path(info.file.decode()).resolve(), address.value - info.base


def module(path: Path) -> Module:
    return Module(0, read_build_id(path) or "", str(path))


@pytest.fixture
def symbols(tmp_path):
    return Symbols(tmp_path / "cache", NOWHERE)


@pytest.mark.parametrize(
    ("library", "function"),
    [("c", "qsort"), ("c", "getpid"), ("c", "nanosleep"), ("m", "tgamma"), ("m", "cbrt")],
)
def test_functions_of_the_c_library(symbols, library, function):
    """A function's address, and every one inside it, has its name."""
    path, address = loaded(ctypes.util.find_library(library), function)
    functions = symbols.functions(module(path))
    assert symbols.name(module(path), address).strip("_") == function
    size = int(functions.size[np.searchsorted(functions.address, np.uint64(address))])
    assert symbols.name(module(path), address + size - 1).strip("_") == function


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs binutils")
def test_numpy():
    """All functions of NumPy's largest module are those that `nm` lists."""
    path = next((Path(np.__file__).parent / "_core").glob("_multiarray_umath*.so"))
    functions = read_functions(path)
    listed = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    listed += subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True).stdout
    names: dict[int, set[str]] = {}
    for line in listed.splitlines():
        match line.split():
            case [address, "t" | "T" | "i" | "W" | "w", name]:
                names.setdefault(int(address, 16), set()).add(name.partition("@")[0])
    found = {int(address): functions.name(int(address)) for address in functions.address}
    assert len(found) > 1000 or len(found) == 1  # a stripped build has but the one that is called
    assert all(name in names[address] for address, name in found.items())
    assert "PyInit__multiarray_umath" in found.values()


def test_a_file_that_has_changed_has_no_names(symbols, tmp_path):
    """Another build id, or a change after the recording where there is none, makes it another file."""
    path, address = loaded(ctypes.util.find_library("m"), "cbrt")
    other = module(path)._replace(build_id="00" * 20)
    assert symbols.name(other, address) == f"[{path.name}]"
    copy = tmp_path / "libcopy.so"
    shutil.copy(path, copy)
    changed = copy.stat().st_ctime_ns
    without = bytearray(copy.read_bytes())
    at = without.index(bytes.fromhex(module(path).build_id))
    without[at - 4 : at] = b"XYZ\0"  # the note's owner: no build id any more
    copy.write_bytes(without)
    if read_build_id(copy) == "":
        assert symbols.name(module(copy), address, ended_ns=changed - 10**9) == "[libcopy.so]"
        assert symbols.name(module(copy), address) == "cbrt"


def test_the_cache(symbols, tmp_path, monkeypatch):
    """A file that is gone has its names out of the cache; one that is damaged is none, as is one that is read-only."""
    path, address = loaded(ctypes.util.find_library("m"), "cbrt")
    there = tmp_path / path.name
    shutil.copy(path, there)
    known = module(there)
    assert symbols.name(known, address) == "cbrt"
    there.unlink()
    assert Symbols(tmp_path / "cache", NOWHERE).name(known, address) == "cbrt"
    (cached,) = (tmp_path / "cache").iterdir()
    whole = cached.read_bytes()
    for damaged in (b"", b"PK", whole[: len(whole) // 2], whole[:100] + b"\xff" * 50 + whole[150:]):
        cached.write_bytes(damaged)
        assert Symbols(tmp_path / "cache", NOWHERE).name(known, address) in (f"[{path.name}]", "cbrt")
    (tmp_path / "file").write_text("")
    assert Symbols(tmp_path / "file" / "cache", NOWHERE).name(module(path), address) == "cbrt"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert Symbols(debug_files=NOWHERE).name(module(path), address) == "cbrt"
    assert list((tmp_path / "home" / "workbench" / "symbols").glob("*.npz"))


def test_separate_tables(tmp_path):
    """A table of functions that a distribution keeps apart is used, if it is of the same build."""
    path, address = loaded(ctypes.util.find_library("m"), "cbrt")
    build_id = module(path).build_id
    stripped = tmp_path / "libm.so"
    stripped.write_bytes(b"")
    debug = tmp_path / build_id[:2] / f"{build_id[2:]}.debug"
    debug.parent.mkdir()
    shutil.copy(path, debug)
    assert Symbols(None, tmp_path).name(Module(0, build_id, str(stripped)), address) == "cbrt"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tanh", "tanh"),
        (
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
        ),
        ("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"),
        ("_Zebra", "_Zebra"),
    ],
)
def test_names_of_other_languages(name, shown):
    """C++ and Rust functions have the names that their sources have."""
    assert demangled(name) == shown


def test_what_is_no_file(symbols, tmp_path):
    """Damaged files, and what only looks like one, have no names."""
    (tmp_path / "lib.so").write_bytes(b"\x7fELF" + b"\x02\x01\x01" + b"\xff" * 500)
    for path in (str(tmp_path / "lib.so"), "[vdso]", "", "/nowhere/lib.so", str(tmp_path), "/lib\0.so"):
        name = path.rpartition("/")[2] or "unknown"
        assert symbols.name(Module(0, "ab" * 20, path), 5) == f"[{name}]"
        assert symbols.name(Module(0, "", path), 2**64 + 5) == f"[{name}]"
