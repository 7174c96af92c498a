"""py-spy: an independent witness from outside, whose samples are attributed by source lines alone.

Without native frames it reads the memory of processes that run (`--nonblocking`) and holds none of them. It leaves out
threads that are idle, by its own filter. Its file, `py-spy.speedscope.json`, stays as it wrote it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from workbench.capture import autostart
from workbench.capture.attribution import attribute
from workbench.capture.samplers import TRACE
from workbench.capture.samplers._ptrace_stopped import PtraceStopWatch
from workbench.capture.samplers._py_spy_process import PySpyProcess, attach, find_py_spy
from workbench.capture.samplers.base import (
    ProgramRun,
    Request,
    Sampler,
    SamplerError,
    SamplerResult,
    Stopping,
    count_samples,
    no_samples,
)
from workbench.capture.source_scopes import scopes_of_sources
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode
from workbench.errors import InvalidInputError, Remedy
from workbench.formats.pyspy import IMPORT_SYSTEM, frame_of
from workbench.formats.speedscope import read_speedscope
from workbench.profile import ROOT, Frame, FrameKind, Profile, ProfileBuilder
from workbench.scopes.environment import TRACER_VARIABLE, tracing_is_restricted

EARLY_S = 1.0
MISPLACED_FROM = (3, 14)
"""The first Python whose interpreter loop py-spy 0.4 does not find: its C frames are below all Python frames."""
UNREAD_PART = 10
"""A tenth of the samples, from which on those that failed are worth a line."""
_TRACK = re.compile(r'Process (\d+)(?: Thread (\d+) "(.*)")?', re.DOTALL)
_PROCESS = re.compile(r"process \d+:(.*)", re.DOTALL)
_THREAD = re.compile(r"thread \(.*")
OURS = ("_workbench_autostart.py", autostart.__file__)
"""Files whose frames are the start of a profiled program, and none of it."""


class PySpy(Sampler):
    """One py-spy process beside the program; children are found by it."""

    name = "py-spy"
    waits = True

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._native = request.sampling.native is True
        self._trace = request.files / TRACE
        self._process: PySpyProcess | None = None

    @property
    def label(self) -> str:
        """The name with what it does of native frames, for people."""
        return "py-spy with native frames" if self._native else "py-spy"

    def why_not(self) -> Cause | None:
        """Return why it cannot be used here, None: it can, or only a try will tell."""
        try:
            find_py_spy()
        except SamplerError as error:
            return error.cause
        if self._native and sys.version_info >= MISPLACED_FROM:
            return Cause(
                "py-spy puts native frames on the wrong functions of Python 3.14 and later",
                (Remedy.NO_NATIVE, Remedy.SAMPLE_IN_PROCESS),
            )
        why = autostart.why_not_installed()
        return None if why is None else Cause(why)

    def environment(self) -> dict[str, str]:
        """Return the variables that the program and its children are given."""
        return {TRACER_VARIABLE: str(os.getpid())} if tracing_is_restricted() else {}

    def attach(self, pid: int, stopping: Stopping) -> None:
        """Begin to sample a process that waits. What takes long is done where it can be stopped.

        Raises:
            SamplerError: It cannot be sampled.
        """
        rate = self._request.sampling.rate
        self._process = attach(pid, self._trace, stopping, rate=rate, native=self._native)

    def watching(self, pid: int) -> contextlib.AbstractContextManager[None]:
        """Return what is to be done while the program runs: with native frames, killed processes are let go."""
        if self._process is None or not self._native:
            return contextlib.nullcontext()
        return PtraceStopWatch(self._process, pid)

    def finish(self) -> None:
        """Write what was seen, when the program has ended."""
        if self._process is not None:
            self._process.finish()

    def finish_early(self) -> None:
        """Write what was seen, while the program goes on."""
        if self._process is not None:
            self._process.finish(program_goes_on=True)

    def stop(self) -> None:
        """End at once, and leave nothing running."""
        if self._process is not None:
            self._process.stop()

    def collect(self, run: ProgramRun, warn: Warn) -> SamplerResult:
        """Return what was seen under the scopes that lines show."""
        spy = self._process
        if spy is None:
            warn(no_samples(Cause("py-spy was not attached"), run.scopes))
            return SamplerResult(None, 0, failed=True)
        counts = spy.counts()
        if counts is None or not self._trace.is_file():
            warn(no_samples(spy.failure(), run.scopes))
            return SamplerResult(None, 0, failed=True)
        for warning in self.missing(spy, run, *counts):
            warn(warning)
        try:
            sampled = read_trace(self._trace, name=run.request.name)
        except InvalidInputError as error:
            warn(no_samples(Cause(f"the samples cannot be read: {error}"), run.scopes))
            return SamplerResult(None, 0, failed=True)
        scopes = run.scopes if run.read_source is None else scopes_of_sources(sampled, run.read_source)
        profile = attribute(sampled, scopes)
        count = count_samples(profile)
        return SamplerResult(profile if count else None, count, failed=False)

    def missing(self, spy: PySpyProcess, run: ProgramRun, samples: int, errors: int) -> list[CaptureWarning]:
        """Return where py-spy ended early, could not read, or was late."""
        found: list[CaptureWarning] = []
        early = run.ended - (spy.ended_at or run.ended)
        if spy.released_a_process:
            found.append(CaptureWarning(WarningCode.KILLED, {"early": max(early, 0.0)}))
        elif early > EARLY_S:
            found.append(CaptureWarning(WarningCode.LOST_EARLY, {"early": early}))
        elif self._native and errors * UNREAD_PART > samples + errors:
            found.append(CaptureWarning(WarningCode.UNREAD))
        if spy.was_asked:
            found.append(CaptureWarning(WarningCode.CHILDREN_OUTLIVED))
        if spy.behind:
            remedies = (Remedy.LOWER_RATE, *([Remedy.NO_NATIVE] if self._native else []))
            found.append(CaptureWarning(WarningCode.BEHIND, {"times": spy.behind}, remedies))
        return found


def read_trace(path: Path, *, name: str | None = None) -> Profile:
    """Read py-spy's speedscope file as threads of processes; each entry is one sample with its weight.

    Frames of the import system, and the start of the program, which is ours, are left out.

    Raises:
        InvalidInputError: The file cannot be read.
    """
    written = read_speedscope(path)
    builder = ProfileBuilder(name or path.stem)
    frames = [frame_of(frame.name, frame.file, frame.line) for frame in written.frames]
    own: dict[int, int] = {ROOT: ROOT}
    process: dict[int, str] = {}
    for track in written.tracks:
        if track.samples is None:
            continue
        match = _TRACK.match(track.name)
        pid, thread = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
        for stack in set(track.samples.stack.tolist()) - own.keys():
            path_of = [frames[i] for i in written.stacks.path(stack)]
            own[stack] = builder.stack_of(_program_frames(path_of))
            if path_of and (command := _PROCESS.fullmatch(path_of[0].name)):
                process[pid] = command[1].strip('"')
        # A program that has not imported `threading` has no names; by its number the main thread is known.
        label = (match[3] or "") if match else track.name
        label = label or ("MainThread" if thread == pid else f"Thread {thread}")
        stacks = [own[stack] for stack in track.samples.stack.tolist()]
        samples = builder.samples(stacks, track.samples.at_ns.tolist(), track.samples.weight_ns.tolist())
        there = samples.stack != ROOT
        if there.any():
            samples = replace(
                samples,
                stack=samples.stack[there],
                at_ns=samples.at_ns[there],
                weight_ns=samples.weight_ns[there],
            )
            builder.add_track(label, pid=pid, tid=thread, process=process.get(pid, ""), samples=samples)
    return builder.build()


def _program_frames(frames: list[Frame]) -> list[Frame]:
    """Return the frames of the program itself; none of a stack that is the start of the program."""
    if any(frame.file.endswith(OURS) for frame in frames):
        return []
    frames = [f for f in frames if f.file or not (_PROCESS.match(f.name) or _THREAD.match(f.name))]
    first = next((i for i, frame in enumerate(frames) if frame.kind is FrameKind.PYTHON), 0)
    return [frame for frame in frames[first:] if not frame.file.startswith(IMPORT_SYSTEM)]
