"""What each thread of one running process does at this moment, and which scopes are open there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.capture.attribution import attribute
from workbench.capture.running import RunningProgram, running_program
from workbench.capture.samplers.base import SamplerError
from workbench.capture.samplers.py_spy_dump import DumpedThread, dump_by_py_spy
from workbench.capture.source_scopes import scopes_of_sources
from workbench.errors import WorkbenchError
from workbench.eventlog.live import LiveRecording
from workbench.eventlog.live_log import LiveLog, LiveTrack, OpenScope
from workbench.eventlog.stack_shape import wrapper
from workbench.eventlog.symbols import Symbols, function_name
from workbench.profile import Frame, FrameKind, ProfileBuilder, ThreadState

FRESH_NS = 2_000_000_000
"""The latest samples are of the present if the sampler took some so recently; a thread that sleeps has old ones."""


@dataclass(frozen=True)
class ThreadDump:
    """A thread, or a task with open scopes."""

    track: LiveTrack
    stack: tuple[Frame, ...]
    """Python frames with their lines, outermost first."""
    native: str
    """The native function on top of them; empty: it is not known."""


@dataclass(frozen=True)
class ProcessDump:
    """What a process does."""

    pid: int
    command: tuple[str, ...]
    folder: Path | None
    """Where it is recorded; None: it is not."""
    stacks: str
    """Where the stacks are from: `samples` or `py-spy`; empty where there are none."""
    refused: str
    """Why there are no stacks, and what helps; empty: there are."""
    threads: tuple[ThreadDump, ...]


def dump(pid: int, folder: Path | None) -> ProcessDump:
    """Return what each thread of a process does.

    Scopes are those of the recording. Stacks are the latest samples of the in-process sampler; where none runs, those
    that py-spy reads.

    Args:
        pid: A running process.
        folder: Of the recording that it writes; None: it is not recorded.

    Raises:
        WorkbenchError: It is not recorded, and py-spy may not read it.
        InvalidInputError: It is no Python program or another user's, or its log is of another version.
    """
    if folder is None:
        return _not_recorded(pid)
    recording = LiveRecording(folder, first=pid)
    process = recording.refresh().processes[0]
    log = recording.log_of(pid)
    assert log is not None, "a process that has mapped its log has one"
    if time.perf_counter_ns() - log.last_tick_ns() < FRESH_NS:
        found = tuple(_sampled(track, log) for track in process.tracks)
        return ProcessDump(pid, process.command, folder, "samples", "", found)
    stacks: list[DumpedThread] = []
    refused = ""
    try:
        stacks = dump_by_py_spy(pid)
    except SamplerError as error:
        refused = error.cause.text
    by_tid = {each.tid: each for each in stacks}
    found = tuple(_recorded(track, by_tid) for track in process.tracks)
    seen = {track.tid for track in process.tracks}
    found += tuple(_unrecorded(each, pid) for each in stacks if each.tid not in seen)
    return ProcessDump(pid, process.command, folder, "py-spy" if stacks else "", refused, found)


def _not_recorded(pid: int) -> ProcessDump:
    program = running_program(pid)
    try:
        threads = dump_by_py_spy(pid)
    except SamplerError as error:
        raise WorkbenchError(error.cause.text) from None
    found = [_unrecorded(each, pid) for each in threads]
    scopes = _by_lines(threads, program)
    dumped = (
        replace(each, track=replace(each.track, scopes=scopes.get(each.track.tid, ()))) for each in found
    )
    command = (Path(program.executable).name, *program.command)
    return ProcessDump(pid, command, None, "py-spy", "", tuple(dumped))


def _by_lines(threads: Sequence[DumpedThread], program: RunningProgram) -> dict[int, tuple[OpenScope, ...]]:
    """Return the scopes whose `with` statements and functions have the lines of a thread's stack, by its native id."""
    builder = ProfileBuilder("dump")
    for thread in threads:
        samples = builder.samples([builder.stack_of(thread.stack)], [0], [1])
        builder.add_track(thread.name, pid=program.pid, tid=thread.tid, samples=samples)
    sampled = builder.build()
    found = attribute(sampled, scopes_of_sources(sampled, program.read_source))
    scopes: dict[int, tuple[OpenScope, ...]] = {}
    for track in found.tracks:
        path = [] if track.samples is None else found.stacks.path(int(track.samples.stack[0]))
        frames = (found.frames[i] for i in path)
        names = [frame.name for frame in frames if frame.kind is FrameKind.SCOPE]
        scopes[track.tid or 0] = tuple(OpenScope(name, None) for name in names)
    return scopes


def _sampled(track: LiveTrack, log: LiveLog) -> ThreadDump:
    thread = log.thread(track.tid)
    is_here = thread is not None and (track.task is None or track.state is not None)
    if thread is None or not is_here:
        return ThreadDump(track, (), "")
    return ThreadDump(track, _program_frames(thread.stack()), _native(thread.native_top(), log))


def _native(top: tuple[int, int] | None, log: LiveLog) -> str:
    """Return the name of a native function, and the library that it is in."""
    module = None if top is None else log.modules().get(top[0])
    if top is None or module is None:
        return ""
    name = function_name(Symbols().functions(module, ended_ns=None), module, top[1])
    return f"{name} ({Path(module.path).name})" if not name.startswith("[") else name


def _recorded(track: LiveTrack, stacks: Mapping[int, DumpedThread]) -> ThreadDump:
    there = stacks.get(track.tid)
    if there is None or track.task is not None:
        return ThreadDump(track, (), "")
    return ThreadDump(replace(track, state=_state(there)), _program_frames(there.stack), "")


def _unrecorded(thread: DumpedThread, pid: int) -> ThreadDump:
    name = thread.name or ("MainThread" if thread.tid == pid else f"Thread {thread.tid}")
    track = LiveTrack(name, thread.tid, None, (), _state(thread), None)
    return ThreadDump(track, _program_frames(thread.stack), "")


def _program_frames(stack: Iterable[Frame]) -> tuple[Frame, ...]:
    """Return the Python frames of a stack without those of decorated and sent functions, which are ours."""
    return tuple(frame for frame in stack if frame.kind is FrameKind.PYTHON and not wrapper(frame.file))


def _state(thread: DumpedThread) -> ThreadState:
    if thread.owns_gil:
        return ThreadState.PYTHON
    return ThreadState.NATIVE if thread.is_active else ThreadState.SLEEPING
