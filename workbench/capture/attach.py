"""Recording and sampling a program that runs already, for some seconds, while it goes on.

From Python 3.14 on the recorder and its sampler start inside the program, by `sys.remote_exec`. Before that, and where
it is refused, py-spy samples from outside, and scopes are those of the source files.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from workbench.capture.collect import collect_recording, date_end, has_spans, keep_sampler_files
from workbench.capture.load import RECORDING
from workbench.capture.program import Capture, CaptureOptions, refused_warning
from workbench.capture.remote import Remote, has_ended
from workbench.capture.running import GoneError, RunningProgram
from workbench.capture.samplers import FILES, IN_PROCESS, NONE, PY_SPY, PYINSTRUMENT
from workbench.capture.samplers.base import (
    ProgramRun,
    Request,
    Sampler,
    SamplerError,
    SamplerResult,
    Stopping,
)
from workbench.capture.samplers.in_process import InProcess
from workbench.capture.samplers.py_spy import MISPLACED_FROM, PySpy
from workbench.capture.signals import Signals
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode, sample_warnings
from workbench.errors import InvalidInputError, Remedy, WorkbenchError
from workbench.eventlog.live_processes import recorded_into
from workbench.outputs import OutputFolder
from workbench.profile import Profile, without_samples
from workbench.scopes import layout, manifests, recording_folder
from workbench.scopes.environment import SAMPLE_VARIABLE
from workbench.scopes.error import RecordingError
from workbench.scopes.locks import FolderLock
from workbench.system import usable_cores

Tell = Callable[[str], None]
Passed = Callable[[float], None]
"""Is called now and then with the seconds that are measured so far."""
STEP_SECONDS = 0.25


def attach(
    options: CaptureOptions,
    program: RunningProgram,
    seconds: float | None = None,
    *,
    say: Warn,
    tell: Tell,
    passed: Passed = lambda now: None,
) -> Capture:
    """Measure a running program and return what was recorded and sampled of it; it goes on.

    SIGINT, SIGTERM and SIGHUP end the measurement, and what was seen until then is kept. While nothing has been seen
    yet they raise `KeyboardInterrupt` or `SystemExit`, and the folder stays as it was.

    Args:
        options: How to sample, and where the results go; `pid` and `program` are those of the program.
        program: Which.
        seconds: How long; None: until a signal comes, or the program ends.
        say: Called with each warning as it comes up.
        tell: Called with lines on what is being waited for.
        passed: Called four times a second.

    Raises:
        InvalidInputError: It is being recorded already, the sampler cannot attach to a program, or something in the
            folder is in the way.
        WorkbenchError: No sampler is allowed to, or the output folder cannot be written.
    """
    if options.sampling.sampler == PYINSTRUMENT:
        raise InvalidInputError(
            f"pyinstrument cannot attach to a program: choose {IN_PROCESS}, {PY_SPY} or none"
        )
    folder = recorded_into(program.pid)
    if folder is not None and not _end_abandoned(program, folder, tell):
        raise InvalidInputError(
            f"PID {program.pid} is being recorded into {folder}: see it with workbench watch {program.pid}, "
            "or attach when that has ended"
        )
    warnings: list[CaptureWarning] = []

    def warn(warning: CaptureWarning) -> None:
        warnings.append(warning)
        say(warning)

    with options.held() as output, output.scratch() as files, program.exit_of() as end, Signals() as signals:
        request = Request(options.folder.name, files, options.sampling)
        way = _begin(_ways(options, program, output, request, tell), signals.stopping, warn)
        started = time.monotonic()
        until = f"for {seconds:g} s" if seconds is not None else "until Ctrl-C"
        tell(f"attached to PID {program.pid} ({way.label}) {until}: the program goes on")
        left = float("inf") if seconds is None else seconds
        while left > 0 and not has_ended(end) and signals.first is None:
            signals.wait_for(end, min(left, STEP_SECONDS))
            passed(time.monotonic() - started)
            left = float("inf") if seconds is None else started + seconds - time.monotonic()
        with signals.writing():
            if has_ended(end):
                warn(CaptureWarning(WarningCode.PROGRAM_ENDED))
            ended = way.finish(warn)
            recorded, found = way.collect(
                ProgramRun(request, program.pid, started, ended, began=True, scopes=None), warn
            )
            keep_sampler_files(output, files, warn)
            if found.profile is not None:  # by the best way to attach
                for warning in sample_warnings(found.profile, usable_cores(), could_be_inside=False):
                    warn(warning)
    return Capture(
        options=options,
        returncode=0,
        seconds=ended - started,
        sampler=way.label,
        sample_count=found.count,
        scopes=without_samples(recorded) if recorded is not None and has_spans(recorded) else None,
        merged=found.profile,
        sampling_failed=found.failed,
        warnings=tuple(warnings),
        program_seconds=ended - started,
        stopped_by=signals.first,
        one_clock=found.one_clock,
    )


def _end_abandoned(program: RunningProgram, folder: Path, tell: Tell) -> bool:
    """End a recording whose attaching command was killed; return whether the program is no longer recorded."""
    try:
        lock = FolderLock(str(folder))
    except OSError:  # whoever began it runs
        return False
    try:
        manifest, remote = manifests.read(str(folder)), Remote(program, tell)
        if manifest is None or remote.why_not() is not None:
            return False
        remote.end(manifest.identity)  # nothing, where the program began it itself
        if recorded_into(program.pid) is not None:
            return False
        manifests.end(str(folder), manifest.identity)
    except SamplerError:
        return False
    finally:
        lock.release()
    tell(f"ended the recording into {folder}, whose workbench profile was killed")
    return True


class _Way(ABC):
    """One way to see a running program, from its begin to what it saw."""

    label: str

    @abstractmethod
    def begin(self, stopping: Stopping) -> None:
        """Begin to record or sample. Raises SamplerError where that is refused, with nothing changed."""

    @abstractmethod
    def finish(self, warn: Warn) -> float:
        """Let go of the program; return when it was no longer measured, by `time.monotonic`."""

    @abstractmethod
    def collect(self, run: ProgramRun, warn: Warn) -> tuple[Profile | None, SamplerResult]:
        """Return what was recorded, and what was sampled."""


def _ways(
    options: CaptureOptions, program: RunningProgram, output: OutputFolder, request: Request, tell: Tell
) -> list[_Way]:
    """Return the ways that may be tried, the best first."""
    wanted = options.sampling.sampler
    inside, outside = _Inside(program, output, request, tell), _Outside(program, output, request)
    return [inside, outside] if wanted == "auto" else [outside] if wanted == PY_SPY else [inside]


def _begin(ways: list[_Way], stopping: Stopping, warn: Warn) -> _Way:
    """Return the first way that works, with a warning on those that do not."""
    causes: list[Cause] = []
    for way in ways:
        try:
            way.begin(stopping)
        except SamplerError as error:
            causes.append(error.cause)
            continue
        if causes:
            warn(refused_warning(causes, PY_SPY))
        return way
    remedies = [remedy for cause in causes for remedy in cause.remedies]
    if isinstance(ways[-1], _Inside):
        remedies.append(Remedy.SAMPLE_BY_PY_SPY)
    raise WorkbenchError("; ".join(cause.text for cause in causes), remedy=remedies[-1] if remedies else None)


class _Inside(_Way):
    """The recorder and its sampler within the program."""

    def __init__(self, program: RunningProgram, output: OutputFolder, request: Request, tell: Tell) -> None:
        self._program, self._output = program, output
        self._remote = Remote(program, tell)
        self._sampler: Sampler | None = None if request.sampling.sampler == NONE else InProcess(request)
        self.label = NONE if self._sampler is None else self._sampler.label
        self._folder = output.path / RECORDING
        self._is_gone = False

    def begin(self, stopping: Stopping) -> None:
        why = self._remote.why_not(self._output.path)
        if why is not None:
            raise SamplerError(why)
        try:
            self._recording = recording_folder.begin(str(self._folder), replace=True)
        except RecordingError as error:
            raise (InvalidInputError if error.refused else WorkbenchError)(str(error)) from None
        sampling = "" if self._sampler is None else self._sampler.environment()[SAMPLE_VARIABLE]
        try:
            with stopping():
                self._remote.begin(str(self._folder), sampling)
        except BaseException:
            self._recording.undo()
            raise
        self._recording.keep()
        for name in FILES:
            self._output.remove(name)

    def finish(self, warn: Warn) -> float:
        asked = time.monotonic()
        identity = self._recording.manifest.identity
        try:
            self._remote.end(identity)
        except GoneError:
            self._is_gone = True
        except SamplerError as error:
            warn(CaptureWarning(WarningCode.STILL_RECORDED, causes=(error.cause,)))
        finally:
            ended = time.monotonic()
            self._recording.end()
        for pid in sorted(self._children()):
            with suppress(GoneError, SamplerError):  # ended, or another program by now
                Remote(replace(self._program, pid=pid), lambda text: None).end(identity)
        return asked if self._is_gone else ended

    def _children(self) -> set[int]:
        """Return the processes that the program forked while it was measured, and that still record."""
        words = {path.name.partition("-")[0] for path in self._folder.glob(f"*{layout.SUFFIX}")}
        found = {int(word) for word in words} - {self._program.pid}
        return {pid for pid in found if self._is_recorded_here(pid)}

    def _is_recorded_here(self, pid: int) -> bool:
        try:
            folder = recorded_into(pid)
            return folder is not None and folder.samefile(self._folder)
        except OSError:  # it has ended
            return False

    def collect(self, run: ProgramRun, warn: Warn) -> tuple[Profile | None, SamplerResult]:
        if self._is_gone:
            date_end(self._folder, run.pid, round(run.ended * 1e9))
        recorded = collect_recording(self._output, warn)
        if self._sampler is None:
            return recorded, SamplerResult(None, 0, failed=False)
        return recorded, self._sampler.collect(replace(run, scopes=recorded), warn)


class _Outside(_Way):
    """py-spy; where scopes are, source files say."""

    def __init__(self, program: RunningProgram, output: OutputFolder, request: Request) -> None:
        self._program, self._output = program, output
        self._native = request.sampling.native is True
        self._sampler = PySpy(request)
        self.label = self._sampler.label

    def begin(self, stopping: Stopping) -> None:
        if self._native and self._program.version >= MISPLACED_FROM:
            raise SamplerError(
                f"py-spy puts native frames on the wrong functions of {self._program.python}",
                Remedy.NO_NATIVE,
            )
        self._sampler.attach(self._program.pid, stopping)
        self._output.remove_recording(RECORDING)
        for name in FILES:
            self._output.remove(name)

    def finish(self, warn: Warn) -> float:
        ended = time.monotonic()
        self._sampler.finish_early()
        return ended

    def collect(self, run: ProgramRun, warn: Warn) -> tuple[Profile | None, SamplerResult]:
        return None, self._sampler.collect(replace(run, read_source=self._program.read_source), warn)
