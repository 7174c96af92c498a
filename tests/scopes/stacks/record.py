"""Record stacks of a running program as files from which the unwinder is tested; Linux, x86-64.

    python tests/scopes/stacks/record.py

A file has the registers and the stack at a moment, those entries of each module's `.eh_frame` that the stack needs, and
the return addresses that libgcc's unwinder found. Words of the stack that point neither into it nor into code are zero.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import subprocess
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile
from scipy.integrate import quad

HERE = Path(__file__).parent
TRIES = 20_000


class Mapped(NamedTuple):
    """A module in memory."""

    path: str
    base: int
    """Where its virtual address 0 is."""
    start: int
    end: int


class Tables(NamedTuple):
    """What a module has for unwinding."""

    entries: list[FDE]
    begins: list[int]
    """The virtual address that each is of, sorted."""
    eh: int
    size: int
    header: int


def main() -> None:
    """Record one stack of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "librecord.so")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "record.c", "-Wl,-z,lazy"], check=True
        )
        recorder = ctypes.CDLL(str(library))
        assert recorder.begin()
        for name, (what, work, fits) in KINDS.items():
            content = recorded(recorder, work, fits)
            content = {"what": what} | content
            (HERE / f"{name}.json").write_text(json.dumps(content, indent=0) + "\n", encoding="ascii")
            print(name, len(content["callers"]), "frames")


def integrate(_: ctypes.CDLL) -> None:
    values = np.ones(3000)
    quad(lambda x: float(np.tanh(values * x).sum()), 0, 1)


def multiply(_: ctypes.CDLL) -> None:
    matrix = np.ones((200, 200))
    for _ in range(20):
        matrix @ matrix


def sort(_: ctypes.CDLL) -> None:
    numbers = np.random.default_rng(1).random(20_000)
    for _ in range(20):
        np.sort(numbers)


Frames = list[tuple[Mapped, Any]]
"""Of each frame, innermost first, its module and the rule for its CFA."""

KINDS: dict[str, tuple[str, Callable[[ctypes.CDLL], object], Callable[[Frames], bool]]] = {
    "callback": (
        "C calls Python, which calls a ufunc",
        integrate,
        lambda frames: (
            "_umath" in frames[0][0].path and any("quadpack" in module.path for module, _ in frames)
        ),
    ),
    "blas": (
        "a kernel of OpenBLAS",
        multiply,
        lambda frames: "openblas" in frames[0][0].path and len(frames) > 15,
    ),
    "sort": ("a sort with AVX-512 or AVX2", sort, lambda frames: "_umath" in frames[0][0].path),
    "linkage": (
        "an entry of a procedure linkage table, whose CFA is an expression",
        lambda recorder: recorder.call_small(1000),
        lambda frames: frames[0][1].expr is not None,
    ),
    "aligned": (
        "a frame that is aligned by more than the stack, whose CFA is an expression",
        lambda recorder: recorder.work_aligned(300),
        lambda frames: frames[1][1].expr is not None,
    ),
    "handler": (
        "a signal handler's frame, and what the signal interrupted below it",
        lambda recorder: recorder.work_in_handler(),
        lambda frames: any(rule.expr is not None for _, rule in frames),
    ),
}


def recorded(
    recorder: ctypes.CDLL, work: Callable[[ctypes.CDLL], object], fits: Callable[[Frames], bool]
) -> dict[str, Any]:
    """Run some work until a stack of it fits; return that stack."""
    wanted = ctypes.c_int.in_dll(recorder, "is_wanted")
    for _ in range(TRIES):
        wanted.value = 1
        while wanted.value:
            work(recorder)
        registers = list((ctypes.c_uint64 * 17).in_dll(recorder, "registers"))
        count = ctypes.c_int.in_dll(recorder, "address_count").value
        found = [each or 0 for each in (ctypes.c_void_p * 256).in_dll(recorder, "addresses")[:count]]
        if registers[16] not in found:
            continue
        addresses = found[found.index(registers[16]) :]
        mapped = modules()
        frames = list(frames_of(addresses, mapped))
        if len(frames) == len(addresses) and fits([(module, rule) for module, _, rule in frames]):
            return content(recorder, registers, addresses, mapped, [(m, entry) for m, entry, _ in frames])
    raise SystemExit("no such stack was met")


def frames_of(addresses: list[int], mapped: list[Mapped]) -> Iterator[tuple[Mapped, FDE, Any]]:
    """Yield the module, the entry and the rule of each address, as far as they are known."""
    is_exact = True
    for address in addresses:
        pc = address - (not is_exact)
        module = next((each for each in mapped if each.start <= pc < each.end), None)
        if module is None:
            return
        tables = tables_of(module.path)
        at = pc - module.base
        place = bisect_right(tables.begins, at) - 1
        if place < 0:
            return
        entry = tables.entries[place]
        if at >= entry["initial_location"] + entry["address_range"]:
            return
        rows = [row for row in entry.get_decoded().table if row["pc"] <= at]
        yield module, entry, rows[-1]["cfa"]
        is_exact = b"S" in entry.cie.augmentation_bytes or b"S" in entry.cie["augmentation"]


@cache
def tables_of(path: str) -> Tables:
    """Return the tables of a file."""
    with open(path, "rb") as file:  # noqa: PTH123
        elf = ELFFile(file)
        entries = [each for each in elf.get_dwarf_info().EH_CFI_entries() if isinstance(each, FDE)]
        entries.sort(key=lambda entry: entry["initial_location"])
        eh, header = elf.get_section_by_name(".eh_frame"), elf.get_section_by_name(".eh_frame_hdr")
        return Tables(
            entries,
            [entry["initial_location"] for entry in entries],
            eh["sh_addr"],
            eh["sh_size"],
            header["sh_addr"],
        )


def modules() -> list[Mapped]:
    """Return the modules of this process that are files, by address."""
    found: dict[str, tuple[int, int]] = {}
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[5].startswith("/") and (".so" in words[5] or "python" in words[5]):
            low, high = (int(each, 16) for each in words[0].split("-"))
            begin, _ = found.get(words[5], (low - int(words[2], 16), 0))
            found[words[5]] = (begin, high)
    mapped = []
    for path, (begin, end) in found.items():
        with open(path, "rb") as file:  # noqa: PTH123
            if file.read(4) != b"\x7fELF":
                continue
            lowest = next(s["p_vaddr"] for s in ELFFile(file).iter_segments() if s["p_type"] == "PT_LOAD")
        mapped.append(Mapped(path, begin - lowest, begin, end))
    return sorted(mapped, key=lambda module: module.start)


def content(
    recorder: ctypes.CDLL,
    registers: list[int],
    addresses: list[int],
    mapped: list[Mapped],
    frames: list[tuple[Mapped, FDE]],
) -> dict[str, Any]:
    """Return what a file has."""
    low = ctypes.c_uint64.in_dll(recorder, "stack_low").value
    size = ctypes.c_uint64.in_dll(recorder, "stack_size").value // 8 * 8
    words = np.frombuffer((ctypes.c_uint8 * size).in_dll(recorder, "stack_bytes"), dtype=np.uint64).copy()
    keep = (words >= low) & (words < low + size)
    for module in mapped:
        keep |= (words >= module.start) & (words < module.end)
    words[~keep] = 0
    used = np.flatnonzero(words)
    words = words[: used[-1] + 1]
    return {
        "registers": registers,
        "low": low,
        "stack": base64.b85encode(zlib.compress(words.tobytes(), 9)).decode("ascii"),
        "modules": [_module(module, frames) for module in mapped if module in [m for m, _ in frames]],
        "callers": addresses[1:],
    }


def _module(module: Mapped, frames: list[tuple[Mapped, FDE]]) -> dict[str, Any]:
    tables = tables_of(module.path)
    entries = {entry.offset: entry for where, entry in frames if where == module}
    kept = entries | {entry.cie.offset: entry.cie for entry in entries.values()}
    with open(module.path, "rb") as file:  # noqa: PTH123
        raw = ELFFile(file).get_section_by_name(".eh_frame").data()
    # The function behind each one, too: a search by address must find its end.
    places = {tables.begins.index(entry["initial_location"]) for entry in entries.values()}
    places |= {place + 1 for place in places if place + 1 < len(tables.begins)}
    return {
        "name": os.path.basename(module.path),  # noqa: PTH119
        "start": module.start,
        "end": module.end,
        "header": module.base + tables.header,
        "table": [
            [
                tables.begins[place] - tables.header,
                tables.eh + tables.entries[place].offset - tables.header,
            ]
            for place in sorted(places)
        ],
        "eh": module.base + tables.eh,
        "size": tables.size,
        "entries": [
            [offset, raw[offset : offset + entry["length"] + 4].hex()]
            for offset, entry in sorted(kept.items())
        ],
    }


if __name__ == "__main__":
    main()
