"""Which process writes a log, and whether it still runs: by the files that it has mapped, from /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workbench.scopes import layout

_MAPPED = re.compile(
    rf"^.*? (/.*/(\d+-[0-9a-f]+)-t\d+{re.escape(layout.SUFFIX)})(?: \(deleted\))?$", re.MULTILINE
)
_IN_NAMESPACES = re.compile(r"^NSpid:((?:\s+\d+)+)$", re.MULTILINE)


def mapped_logs(pid: int) -> dict[str, Path]:
    """Return the folder of each log that a process has mapped, by the log's key, in the order of their begin.

    A forked child has its parent's logs mapped, too. The folder is as other processes see it, also where the process
    has another root.

    Raises:
        PermissionError: The process belongs to somebody else.
        FileNotFoundError: There is no such process.
    """
    try:
        text = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
    except ProcessLookupError as error:  # it has just ended
        raise FileNotFoundError(*error.args) from None
    found = {}
    for path, key in sorted(_MAPPED.findall(text), key=lambda each: _start_of(each[1])):
        inside = Path(f"/proc/{pid}/root{path}")
        found[key] = _from_here(Path(path), inside).parent
    return found


def own_logs(pid: int) -> dict[str, Path]:
    """Return the logs that a process writes itself; the last one is the newest.

    Raises:
        PermissionError: The process belongs to somebody else.
        FileNotFoundError: There is no such process.
    """
    known = {str(number) for number in (pid, *process_numbers(pid))}
    return {key: folder for key, folder in mapped_logs(pid).items() if key.partition("-")[0] in known}


def recorded_into(pid: int) -> Path | None:
    """Return the folder of the recording that a process writes; None: it is not being recorded.

    Raises:
        PermissionError: The process belongs to somebody else.
        FileNotFoundError: There is no such process.
    """
    return next(reversed(own_logs(pid).values()), None)


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, and theirs."""
    waiting = [pid]
    for parent in waiting:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                waiting += map(int, path.read_text().split())
    yield from waiting[1:]


def writer_of(key: str) -> int:
    """Return the process that writes a log; 0 where none does, or none that is seen from here.

    The key begins with the process's number where the process sees itself: in a container it may have another one.
    """
    named = int(key.partition("-")[0])
    if writes(named, key):
        return named
    return next((pid for pid in _processes() if named in process_numbers(pid) and writes(pid, key)), 0)


def writes(pid: int, key: str) -> bool:
    """Return whether a process runs and writes a log."""
    try:
        return runs(pid) and key in own_logs(pid)
    except OSError:
        return False


def runs(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def process_numbers(pid: int) -> tuple[int, ...]:
    """Return a process's numbers in its namespaces, from the outermost on."""
    try:
        match = _IN_NAMESPACES.search(Path(f"/proc/{pid}/status").read_text(errors="replace"))
    except OSError:
        return ()
    return tuple(map(int, match[1].split())) if match else ()


def _processes() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            yield int(name)


def _start_of(key: str) -> int:
    return int(key.partition("-")[2], 16)


def _from_here(path: Path, inside: Path) -> Path:
    """Return a file's path for this process: the system states it from here or, out of reach, from the other's root."""
    try:
        return path if path.samefile(inside) else inside
    except OSError:
        return inside if inside.exists() else path
