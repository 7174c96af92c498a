"""Snapshots of all traced blocks of memory: a segment of the log each, compressed (docs/event-log.md)."""

from __future__ import annotations

import _tracemalloc
import gc
import os
import sys
import zlib
from array import array
from collections import defaultdict
from json import dumps
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

from workbench.scopes import layout

if TYPE_CHECKING:
    from typing import Protocol

    class Log(Protocol):
        """What a snapshot takes from `_log.LogWriter`."""

        folder: str
        key: str
        pid: int

        def header(self, size: int, number: int) -> memoryview: ...


MIN_BYTES = 1 << 17
"""Traced memory below which no snapshot is taken but the last."""
MORE = 1.1
"""How much larger traced memory must be than at the snapshot nearest the peak for the next one."""
FREE_S, MAX_SHARE = 1.0, 0.1
"""CPU time that all snapshots but the last may take: so many seconds, and this share of the program's wall time."""
LAST_EVERY_S = 1.0
"""Between snapshots of a moment at which no scope is open; they are for programs that are killed."""
MAX_STACKS = 50_000
"""Of a snapshot, those with the most bytes; the others are summed up."""
LEVEL = 1
_OURS = os.path.dirname(__file__) + os.sep  # noqa: PTH120  pathlib takes 8 ms to import


class SnapshotWriter:
    """Writes the snapshots of a process: the one nearest its peak, and the last."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._began = perf_counter()
        self._spent = self._next_last = 0.0
        self._number = 0
        self._at_peak = MIN_BYTES / MORE
        self._paths: dict[str, str] = {}

    def consider(self, traced: int, peak: int, *, is_outside: bool) -> None:
        """Take a snapshot where traced memory is a tenth above that at the last one, or each second outside scopes."""
        now = perf_counter()
        if self._spent > FREE_S + MAX_SHARE * (now - self._began):
            return
        if traced > MORE * self._at_peak:
            self.write("peak", traced, peak)
        elif is_outside and traced > MIN_BYTES and now >= self._next_last:
            self.write("last", traced, peak)
            self._next_last = now + LAST_EVERY_S

    def write(self, kind: str, traced: int, peak: int) -> None:
        """Take a snapshot in place of the one of its kind, which is deleted when the new one is whole.

        Args:
            kind: `peak`, `last`, or `end`, which replaces `last`.
            traced: Traced memory of the program.
            peak: The largest so far.
        """
        if self._log.pid != os.getpid():
            return
        begun = thread_time()
        collects = gc.isenabled()
        gc.disable()  # the blocks of the snapshot itself would make it run, and free what the program has left
        try:
            self._write(kind, _summed_up(kind, traced, peak))
        except OSError:  # the disk is full: the scopes' own numbers are there
            pass
        finally:
            if collects:
                gc.enable()
        if kind == "peak":
            self._at_peak = traced
        self._spent += thread_time() - begun

    def _write(self, kind: str, content: bytes) -> None:
        size = layout.CHUNK.size + len(content)
        header = self._log.header(layout.HEADER_SIZE + size, self._number)
        header[: len(layout.MAGIC)] = layout.MAGIC
        chunk = layout.CHUNK.pack(size, layout.CHUNK_TRACES, 0, 0, 0)
        packer = zlib.compressobj(LEVEL, wbits=31)
        path = f"{self._log.folder}/{self._log.key}-m{self._number:04d}{layout.SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123
            for part in (header, chunk, content):
                file.write(packer.compress(part))
            file.write(packer.flush())
        self._number += 1
        for old in {"peak": ("peak",), "last": ("last",), "end": ("last", "end")}[kind]:
            if old in self._paths:
                os.unlink(self._paths.pop(old))  # noqa: PTH108
        self._paths[kind] = path


def _summed_up(kind: str, traced: int, peak: int) -> bytes:
    """Return all traced blocks but the recorder's, by stack, as the content of a chunk; see docs/event-log.md."""
    sums: dict[int, list[Any]] = {}
    traces: Any = _tracemalloc._get_traces()
    for _, size, path, total in traces:
        found = sums.get(id(path))  # equal tracebacks are one object
        if found is None:
            sums[id(path)] = [size, 1, path, total]
        else:
            found[0] += size
            found[1] += 1
    stacks = [each for each in sums.values() if not each[2][0][0].startswith(_OURS)]
    if len(stacks) > MAX_STACKS:
        stacks.sort(key=lambda each: -each[0])
    files: dict[str, int] = {}
    frames: defaultdict[tuple[str, int], int] = defaultdict()
    frames.default_factory = frames.__len__
    numbers = array("I")
    rows = []
    for size, blocks, path, total in stacks[:MAX_STACKS]:
        # What is allocated here is traced, too: for each frame that would take microseconds.
        numbers.extend([frames[frame] for frame in path])
        rows.append((len(path), size, blocks, int(total > len(path))))
    frames.default_factory = None  # else a cycle, which would stay until the collector runs
    rest = stacks[MAX_STACKS:]
    head = {
        "kind": kind,
        "traced": traced,
        "peak": peak,
        "frames": [(files.setdefault(file, len(files)), line) for file, line in frames],
        "files": list(files),
        "stacks": rows,
        "rest": [sum(each[0] for each in rest), sum(each[1] for each in rest), len(rest)],
    }
    if sys.byteorder == "big":
        numbers.byteswap()
    text = dumps(head).encode()
    numbers.extend([0] * (len(numbers) % 2))
    return layout.TRACES.pack(len(text)) + text + bytes(-len(text) % 8) + numbers.tobytes()
