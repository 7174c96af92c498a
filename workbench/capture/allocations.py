"""What a recorded program allocated: the snapshots of its processes under their scopes, and the rows that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from workbench.capture.attribution import NOT_ATTRIBUTABLE, attribute
from workbench.capture.sources import functions_in
from workbench.eventlog.stack_shape import wrapper
from workbench.eventlog.traces import MemorySnapshot, read_snapshots
from workbench.profile import (
    BYTES,
    Allocations,
    FileFacts,
    Frame,
    Profile,
    ProfileBuilder,
    Samples,
    TracedProcess,
    Track,
    is_import_or_startup,
    is_own,
    line_bytes,
    package_of,
    scope_bytes,
    traced_peak,
)
from workbench.scopes.layout import MEMORY_LEFT

Read = Callable[[str], str | None]
"""Returns the text of a source file, or None."""
OUTER_CUT = Frame("(frames beyond 64 cut)")
OTHER_STACKS = Frame("(other stacks)")
MAIN_THREAD, OTHER_THREADS = "main thread", "other threads"
_STARTS = ("/_workbench_autostart.py", "/workbench/__init__.py")
_THREADS = ("/threading.py", "/concurrent/futures/thread.py")


def read_allocations(
    recording: Path, recorded: Profile | None, read: Read, *, rank: int | None = None
) -> Allocations | None:
    """Return what was allocated in a recording; None: its memory was not traced.

    Args:
        recording: Its folder.
        recorded: The same, as `read_recording` returns it; None: no scope was recorded.
        read: Gives the source of the files in which memory was allocated, for the names of functions.
        rank: Only of this rank of a parallel job.

    Raises:
        InvalidInputError: A snapshot is of another version.
    """
    snapshots = read_snapshots(recording, rank=rank)
    traced = [] if recorded is None else [track for track in recorded.tracks if _is_traced(track)]
    if not snapshots and not traced:
        return None
    names = _FunctionNames(read)
    ended = {each.pid: each for each in snapshots if each.kind == "last"}
    ended |= {each.pid: each for each in snapshots if each.kind == "end"}
    peaks = {each.pid: each for each in snapshots if each.kind == "peak"}
    # Where memory was largest at the end, that is the snapshot nearest the peak.
    peaks |= {
        pid: each for pid, each in ended.items() if pid not in peaks or each.traced >= peaks[pid].traced
    }
    end = _profile(ended.values(), recorded, names)
    peak = _profile(peaks.values(), recorded, names)
    commands = {track.pid: track.process for track in traced} | {each.pid: each.command for each in snapshots}
    processes = [
        TracedProcess(
            pid,
            command,
            max(
                [each.peak for each in snapshots if each.pid == pid]
                + [0 if recorded is None else traced_peak(recorded, pid)]
            ),
            ended[pid].traced if pid in ended else None,
            pid in ended and ended[pid].kind == "end",
            peaks[pid].traced if pid in peaks else None,
        )
        for pid, command in commands.items()
    ]
    scopes = () if recorded is None else scope_bytes(recorded, end, peak, (NOT_ATTRIBUTABLE, OUTER_CUT))
    return Allocations(end, peak, tuple(processes), scopes, line_bytes(end, peak))


def _is_traced(track: Track) -> bool:
    return track.spans is not None and MEMORY_LEFT in track.spans.work


def _profile(
    snapshots: Iterable[MemorySnapshot], recorded: Profile | None, names: _FunctionNames
) -> Profile | None:
    """Return snapshots as one profile, their stacks under the scopes that lines show; None without any."""
    builder = ProfileBuilder("memory")
    for snapshot in snapshots:
        stacks = _Stacks(snapshot, names)
        by_thread: dict[str, dict[int, tuple[int, int]]] = {}
        for numbers, size, blocks, is_cut in snapshot.stacks:
            frames = stacks.frames(numbers)
            if frames is None or not size:
                continue
            stack = builder.stack_of([OUTER_CUT, *frames] if is_cut else frames)
            own = by_thread.setdefault(_thread(frames), {})
            before = own.get(stack, (0, 0))
            own[stack] = before[0] + size, before[1] + blocks
        size, blocks, _ = snapshot.rest
        if size:
            by_thread.setdefault(MAIN_THREAD, {})[builder.stack_of([OTHER_STACKS])] = size, blocks
        for tid, (thread, rows) in enumerate(sorted(by_thread.items())):
            samples = _samples(list(rows), *zip(*rows.values(), strict=True))
            builder.add(Track(thread, snapshot.pid, tid, snapshot.command, samples=samples))
    built = builder.build()
    return replace(attribute(built, recorded), file=FileFacts(unit=BYTES)) if built.tracks else None


def _samples(stacks: Sequence[int], sizes: Sequence[int], blocks: Sequence[int]) -> Samples:
    """Return stacks as samples one behind the other, each as long as it has bytes."""
    weight = np.array(sizes, dtype=np.int64)
    return Samples(
        np.array(stacks, dtype=np.int32),
        np.cumsum(weight) - weight,
        weight,
        ticks=np.minimum(blocks, np.iinfo(np.int32).max).astype(np.int32),
    )


def _thread(frames: Sequence[Frame]) -> str:
    """Return which kind of thread a stack is of, by its outermost frames: the main one, or those of one function."""
    if not frames[0].file.endswith(_THREADS):
        return MAIN_THREAD
    inner = next((frame for frame in frames if not frame.file.endswith(_THREADS)), None)
    return OTHER_THREADS if inner is None else f"threads of {inner.name}"


@dataclass(frozen=True)
class _Stacks:
    """The stacks of a snapshot as frames, without what is ours and what the import system does."""

    snapshot: MemorySnapshot
    names: _FunctionNames

    def frames(self, numbers: Iterable[int]) -> list[Frame] | None:
        """Return the frames of a stack, outermost first; None: workbench itself made what is there."""
        found: list[Frame] = []
        imports = package = False
        for file, line in (self.snapshot.frames[number] for number in numbers):
            if _is_ours(file):
                return None
            if is_import_or_startup(file):
                imports = True
            elif (imports or package) and not is_own(file):
                if not package:
                    found.append(Frame(f"import of {package_of(file)}"))
                imports, package = False, True
            else:
                imports = package = False
                found.append(Frame(self.names.of(file, line), file, line))
        return [*found, Frame("import")] if imports and not package else found or [Frame("(no Python frame)")]


def _is_ours(file: str) -> bool:
    """Return whether a file is workbench's, but for what calls functions of the program."""
    inside = "/workbench/scopes/" in file or "/workbench/capture/" in file
    return file.endswith(_STARTS) or (inside and not wrapper(file))


@dataclass(frozen=True)
class _FunctionNames:
    """Names of functions by line: tracebacks have none."""

    read: Read
    _known: dict[str, list[tuple[str, int, int]] | None] = field(default_factory=dict)
    _found: dict[tuple[str, int], str] = field(default_factory=dict)

    def of(self, file: str, line: int) -> str:
        """Return the name of the function that has a line, or the file's where the source is not known."""
        name = self._found.get((file, line))
        if name is None:
            name = self._found[file, line] = self._look_up(file, line)
        return name

    def _look_up(self, file: str, line: int) -> str:
        if file not in self._known:
            text = self.read(file)
            self._known[file] = None if text is None else functions_in(text.splitlines())
        functions = self._known[file]
        if functions is None:
            return Path(file).name
        around = [each for each in functions if each[1] <= line <= each[2]]
        return max(around, key=lambda each: each[1])[0] if around else "<module>"
