"""py-spy's `chrometrace` output, the only one of its formats with times, and its `raw` output.

The first holds changes of stacks, not samples: "B" and "E" events, in microseconds since py-spy began. This reader
knows its faults (seen in py-spy 0.4, `src/chrometrace.rs`):

- State is kept by thread ident alone, which forked children share with their parent. Each batch of events
  (same ident, process and time) is one sample of one process, so the stack after it belongs to that process.
- A thread or process that ends gets no end event: its last stack would stretch to the end of the run. It is
  given one sampling period here.
- An idle thread's last stack stretches unless idle threads are recorded too (`--idle`).

The second is folded stacks whose frames are `name (file.py:12)`, with counts of samples. With lines (the default) a
function is as many frames as lines of it were seen; they are kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from workbench.errors import InvalidInputError
from workbench.formats._json import JsonText, shown
from workbench.formats.folded import LABEL, PYTHON_FILES, read_lines
from workbench.formats.source import Source, check_tracks, read_source, reading
from workbench.profile import Frame, FrameKind, Profile, ProfileBuilder

MAIN_THREAD = "MainThread"
LATEST_US = 2**53
IMPORT_SYSTEM = "<frozen importlib"
"""Frames of the import system are left out: the imported module is directly on the one that imports it."""

_PROCESS = re.compile(r"process (\d+):(.*)", re.DOTALL)
_THREAD = re.compile(r"thread \((?:0x)?([0-9A-Fa-f]+)\)(?:: (.*))?", re.DOTALL)
_NO_SYMBOL = re.compile(r"0x[0-9a-f]+")
_NATIVE_SOURCE = frozenset(
    (".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".rs", ".s", ".S", ".f", ".f90", ".pyx", ".m", ".go")
)


class _Sample(NamedTuple):
    pid: int
    tid: int
    at_us: int
    stack: tuple[Frame, ...]

    @property
    def native_id(self) -> int:
        """The system's number of the thread, from a frame at the bottom; 0: there is none."""
        match = next(filter(None, (_THREAD.fullmatch(frame.name) for frame in self.stack[:2])), None)
        return int(match[1]) if match and match[1].isascii() and match[1].isdigit() else 0


def read_pyspy_chrometrace(
    path: str | Path | Source,
    *,
    period_ns: int = 10_000_000,
    name: str | None = None,
) -> Profile:
    """Read a capture as a profile with samples; its clock begins where py-spy began.

    Frames are functions: the lines within them are merged. Threads are distinguished by the system's number, too.

    Args:
        path: The file.
        period_ns: The sampling period, which the last stack of each thread is given.
        name: The profile's name; the file's by default.

    Raises:
        InvalidInputError: The file is missing, or is no such capture.
    """
    with reading(path, "a py-spy chrometrace") as source:
        builder = ProfileBuilder(name or source.stem)
        by_thread: dict[tuple[int, int, int], list[_Sample]] = {}
        text = JsonText(source, "a py-spy chrometrace")
        try:
            for sample in _samples(_events(text)):
                by_thread.setdefault((sample.pid, sample.tid, sample.native_id), []).append(sample)
                check_tracks(len(by_thread))
        except InvalidInputError:
            raise
        except KeyError as error:
            raise text.wrong(f"an event has no {error}") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise text.wrong(str(error)) from None
        text.end()
    for (pid, tid, _), samples in by_thread.items():
        thread, process = _labels(samples)
        stacks = [builder.stack_of(_program_frames(sample.stack)) for sample in samples]
        at = [sample.at_us * 1000 for sample in samples]
        until = [*at[1:], at[-1] + period_ns]
        weights = [stop - start for start, stop in zip(at, until, strict=True)]
        if any(stack >= 0 for stack in stacks):
            builder.add_track(
                thread, pid=pid, tid=tid, process=process, samples=builder.samples(stacks, at, weights)
            )
    return builder.build()


def _events(text: JsonText) -> Iterator[dict[str, Any]]:
    for event in text.elements():
        if not isinstance(event, dict) or event.get("ph") not in ("B", "E"):
            raise text.wrong(f"there is {shown(event)}: record with --format chrometrace")
        yield event


def _samples(events: Iterable[dict[str, Any]]) -> Iterator[_Sample]:
    """Yield the stack after each batch of events.

    A batch that leaves no stack at all is one of the closing events that py-spy adds when it writes: while
    it samples, the frames of process and thread are always there.
    """
    stacks: dict[int, list[Frame]] = {}
    batch: tuple[int, int, int] | None = None
    now = 0
    for event in events:
        key = (int(event["pid"]), int(event["tid"]), int(event["ts"]))
        if not now <= key[2] <= LATEST_US:
            raise ValueError(f"its time goes from {now} to {key[2]} µs")
        now = key[2]
        arguments = event["args"]
        frame = frame_of(str(event["name"]), str(arguments["filename"]), int(arguments["line"] or 0))
        frame = frame._replace(line=0)
        if batch is not None and key != batch and stacks[batch[1]]:
            yield _Sample(*batch, tuple(stacks[batch[1]]))
        batch = key
        stack = stacks.setdefault(key[1], [])
        if event["ph"] == "B":
            stack.append(frame)
        elif stack:
            stack.pop()
    if batch is not None and stacks[batch[1]]:
        yield _Sample(*batch, tuple(stacks[batch[1]]))


def frame_of(name: str, file: str, line: int) -> Frame:
    """Return a frame of py-spy's with its kind, which its files do not state; a Python one has the line that ran."""
    suffix = os.path.splitext(file)[1]  # noqa: PTH122  called for every event
    if line > 0 and suffix not in _NATIVE_SOURCE:
        return Frame(name, file, line, FrameKind.PYTHON)
    if _NO_SYMBOL.fullmatch(name):
        name = f"[{os.path.basename(file) or 'unknown'}]"  # noqa: PTH119
    return Frame(name, file, 0, FrameKind.NATIVE)


def _labels(samples: list[_Sample]) -> tuple[str, str]:
    """Return the names of thread and process, which are frames at the bottom of each stack."""
    thread, process = "", ""
    for frame in samples[-1].stack or samples[0].stack:
        if match := _PROCESS.fullmatch(frame.name):
            process = match[2].strip('"')
        elif match := _THREAD.fullmatch(frame.name):
            # A program that has not imported `threading` has no names; by its number the main thread is known.
            thread = match[2] or (MAIN_THREAD if match[1] == str(samples[-1].pid) else "")
        else:
            break
    return thread or f"Thread {samples[0].tid}", process


def _program_frames(stack: tuple[Frame, ...]) -> list[Frame]:
    """Return the frames of the program itself."""
    frames = [f for f in stack if f.file or not (_PROCESS.match(f.name) or _THREAD.match(f.name))]
    first = next((i for i, frame in enumerate(frames) if frame.kind is FrameKind.PYTHON), 0)
    return [frame for frame in frames[first:] if not frame.file.startswith(IMPORT_SYSTEM)]


def read_pyspy_raw(source: str | Path | Source, *, period_ns: int = 10_000_000) -> Profile:
    """Read a capture as the samples of one track.

    Args:
        source: The file.
        period_ns: The time of a sample, which is not in the file; 10 ms is py-spy's default.

    Raises:
        InvalidInputError: It cannot be read, or a line has no count.
    """
    line = f"counts are taken as samples of {period_ns / 1e6:g} ms each, which is not in the file"
    return read_lines(read_source(source), period_ns, _raw_frame, "pyspy-raw", [line], are_samples=True)


def _raw_frame(label: str) -> Frame:
    match = LABEL.fullmatch(label)
    if match is None:  # a process, a thread, or what has no file
        return Frame(label, "", 0, FrameKind.NATIVE if label.startswith("0x") else FrameKind.PYTHON)
    name, file, line = match[1], match[2], int(match[3] or 0)
    return Frame(name, file, line, FrameKind.PYTHON if file.endswith(PYTHON_FILES) else FrameKind.NATIVE)
