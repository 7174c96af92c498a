"""Running any Python program, recorded and sampled, with its streams and its exit code as they were.

The program is `python WORDS`: the interpreter itself reads what to run. What is ours in it starts by
`workbench-autostart.pth`, before its first line.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from workbench.capture import autostart
from workbench.capture.allocations import read_allocations
from workbench.capture.cells import NotebookCell
from workbench.capture.collect import (
    RANKS,
    collect_recording,
    date_end,
    has_spans,
    keep_sampler_files,
    let_children_end,
    rank_of,
    rank_prefix,
    say_what_runs_on,
)
from workbench.capture.command import check, split
from workbench.capture.load import RECORDING
from workbench.capture.samplers import FILES, NONE, TRACEMALLOC, Sampling, usable_samplers
from workbench.capture.samplers.base import (
    ProgramRun,
    Request,
    Sampler,
    SamplerError,
    SamplerResult,
    Stopping,
)
from workbench.capture.sent_functions import with_sent_functions
from workbench.capture.signals import Signals
from workbench.capture.sources import read_file
from workbench.capture.warnings import CaptureWarning, Cause, Warn, WarningCode, load_warning, sample_warnings
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder, cannot_write
from workbench.profile import Allocations, Profile, samples_only, without_samples
from workbench.scopes import layout
from workbench.scopes.environment import (
    FOLDER_VARIABLE,
    ID_VARIABLE,
    START_VARIABLE,
    VARIABLES,
)
from workbench.scopes.error import RecordingError
from workbench.scopes.recording import create_recording
from workbench.scopes.recording_folder import PendingRecording
from workbench.system import load_average, usable_cores

SAMPLING_FAILED = 75
"""Exit code when the program succeeded, samples were asked for and no sampler ran (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class CaptureOptions:
    """What to run, how to sample it, and where the results go."""

    program: tuple[str, ...]
    """The words behind `python`: interpreter options, a script or "-m" and a module, and arguments."""
    folder: Path
    sampling: Sampling = field(default_factory=Sampling)
    environment: Mapping[str, str] = field(default_factory=dict)
    output: int | None = None
    """Descriptor for the program's standard output; its own by default."""
    input: int | None = None
    """The same for its standard input."""
    errors: int | None = None
    """The same for its standard error."""
    record: bool = True
    """Whether scopes are recorded; the in-process sampler needs it."""
    output_folder: OutputFolder | None = None
    """The folder, where the caller holds it already; by default it is held while the program runs."""
    source: bool = True
    """Whether the source of the program's own files goes into the profile."""
    pid: int | None = None
    """Of a program that runs already, see `workbench.capture.attach`; None: it is started."""

    def held(self) -> contextlib.AbstractContextManager[OutputFolder]:
        """Return the folder to write to, held by nobody else."""
        if self.output_folder is not None:
            return contextlib.nullcontext(self.output_folder)
        return OutputFolder(self.folder, FILES, recordings=(RECORDING,) if self.record else ())


@dataclass(frozen=True)
class Capture:
    """What is there after a run: the program's exit code, its scopes and its samples."""

    options: CaptureOptions
    returncode: int
    """As a shell gives it: 128 + N for a program that signal N ended."""
    seconds: float
    sampler: str
    """The sampler that was used, as "in-process with native frames" or "py-spy"; or "none"."""
    sample_count: int
    scopes: Profile | None
    """What was recorded, without samples."""
    merged: Profile | None
    """The samples under their scopes; where `one_clock`, together with the scopes. None: no samples."""
    sampling_failed: bool
    """Whether samples were asked for and no sampler ran."""
    warnings: tuple[CaptureWarning, ...]
    program_seconds: float = 0.0
    """The program's own wall time: without the time that it waited for a sampler."""
    stopped_by: int | None = None
    """The first signal that asked us to stop while it ran."""
    one_clock: bool = False
    """Whether the samples have the clock of the recording."""
    cells: tuple[NotebookCell, ...] = ()
    """Those of a notebook, by whose names their frames go."""
    allocations: Allocations | None = None
    """What it allocated, where its memory was traced."""

    @property
    def samples(self) -> Profile | None:
        """The samples alone, under their scopes."""
        return None if self.merged is None else samples_only(self.merged)

    @property
    def exit_code(self) -> int:
        """The program's own code when it is not zero; 75 when only the sampling failed."""
        if self.returncode == 0 and self.sampling_failed:
            return SAMPLING_FAILED
        return self.returncode


def run_program(options: CaptureOptions, *, say: Warn | None = None) -> Capture:
    """Run a program to its end and return what was recorded and sampled of it.

    SIGINT, SIGTERM and SIGHUP are passed on to the program; what was recorded until then is kept. Before
    the program has begun they raise `KeyboardInterrupt` or `SystemExit`.

    Args:
        options: What to run and how.
        say: Called with each warning as it comes up.

    Raises:
        InvalidInputError: The program does not exist, something in the folder is in the way,
            or another process is writing there.
        WorkbenchError: The output folder cannot be written.
    """
    check(options.program)
    warnings: list[CaptureWarning] = []

    def warn(warning: CaptureWarning) -> None:
        warnings.append(warning)
        if say is not None:
            say(warning)

    with options.held() as folder, _recording(options) as recording, _sampler_files(folder) as files:
        return _run(options, folder, recording, files, warnings, warn)


def _run(
    options: CaptureOptions,
    folder: OutputFolder,
    recording: PendingRecording | None,
    files: Path,
    warnings: list[CaptureWarning],
    warn: Warn,
) -> Capture:
    request = Request(options.folder.name, files, options.sampling)
    samplers = _samplers(options, request, warn)
    load = load_average()
    if recording is None or not recording.joined:
        folder.remove_below(RANKS)
    with Signals() as signals:
        started = time.monotonic()
        program = _Program(options, recording, samplers)
        try:
            sampler, waited = program.let_go(signals.stopping, warn)
            watching = contextlib.nullcontext() if sampler is None else sampler.watching(program.process.pid)
            with watching:
                returncode = signals.wait(program.process)  # signals are the program's from here on
        except BaseException:
            program.kill()
            raise
        ended = time.monotonic()
        with signals.writing():
            with contextlib.suppress(
                OSError, WorkbenchError
            ):  # where the program deleted it, and a sampler is about to write
                folder.make()
                files.mkdir(0o700, exist_ok=True)
            if sampler is not None:
                sampler.finish()  # before the recording is read: children are sampled for as long
            pid, logs = program.process.pid, options.folder / RECORDING
            if folder.member is None:  # else other ranks record there, too
                let_children_end(logs, pid)
            began = any(logs.glob(f"{pid}-*{layout.SUFFIX}"))
            date_end(logs, pid, round(ended * 1e9))
            recorded = collect_recording(folder, warn) if options.record else None
            found = SamplerResult(None, 0, failed=options.sampling.sampler != NONE)
            if sampler is not None:
                found = sampler.collect(
                    ProgramRun(request, pid, started + waited, ended, began, recorded), warn
                )
            keep_sampler_files(folder, files, warn)
            say_what_runs_on(options.folder, pid, recorded, warn)
            if (busy := load_warning(load, ended - started)) and (recorded or found.profile) is not None:
                warn(busy)
            allocations = None
            if options.sampling.sampler == TRACEMALLOC and recorded is not None:
                allocations = read_allocations(logs, recorded, read_file, rank=rank_of(folder))
            if allocations is not None and (early := allocations.ended_early):
                count = len(allocations.processes)
                which = "the program" if count == 1 else f"{early:,} of {count:,} processes"
                warn(CaptureWarning(WarningCode.SNAPSHOT_EARLY, {"which": which}))
            if found.profile is not None:
                is_refused = any(each.code is WarningCode.INSTEAD for each in warnings)
                cores = usable_cores()
                for warning in sample_warnings(found.profile, cores, could_be_inside=not is_refused):
                    warn(warning)
    return Capture(
        options=options,
        returncode=128 - returncode if returncode < 0 else returncode,
        seconds=ended - started,
        sampler=NONE if sampler is None else sampler.label,
        sample_count=found.count,
        scopes=without_samples(recorded) if recorded is not None and has_spans(recorded) else None,
        merged=found.profile and with_sent_functions(found.profile, read_file),
        sampling_failed=found.failed,
        warnings=tuple(warnings),
        program_seconds=ended - started - waited,
        stopped_by=signals.first,
        one_clock=found.one_clock,
        allocations=allocations,
    )


def _samplers(options: CaptureOptions, request: Request, warn: Warn) -> Sequence[Sampler]:
    """Return the samplers that the run may use, the best first."""
    samplers, refused = usable_samplers(request)
    if "S" in split(options.program).letters:  # neither ours nor any package is there
        refused, samplers = (
            [Cause("python -S loads no .pth file, so workbench does not start in the program")],
            [],
        )
    if refused and options.sampling.sampler != NONE:
        warn(refused_warning(refused, samplers[0].name if samplers else None))
    return samplers


def refused_warning(causes: Sequence[Cause], instead: str | None) -> CaptureWarning:
    """Return the warning that samplers cannot be used, with the sampler that is used instead, if there is one."""
    if instead is None:
        return CaptureWarning(WarningCode.SCOPES_ONLY, causes=tuple(causes))
    return CaptureWarning(WarningCode.INSTEAD, {"sampler": instead}, causes=tuple(causes))


@contextlib.contextmanager
def _recording(options: CaptureOptions) -> Iterator[PendingRecording | None]:
    """Give an empty recording in the output folder, if there is to be one, and hold it to the end."""
    if not options.record:
        yield None
        return
    try:
        begun = create_recording(str((options.folder / RECORDING).resolve()), replace=True)
    except RecordingError as error:
        raise (InvalidInputError if error.refused else WorkbenchError)(str(error)) from None
    try:
        yield begun
    finally:
        begun.release()


@contextlib.contextmanager
def _sampler_files(folder: OutputFolder) -> Iterator[Path]:
    """Give a new folder for what samplers write; what they left of an earlier run is removed."""
    with contextlib.ExitStack() as stack:
        try:
            for name in FILES:
                folder.remove(rank_prefix(folder) + name)
            files = stack.enter_context(folder.scratch())
        except OSError as error:
            raise cannot_write(folder.path, error) from None
        yield files


class _Program:
    """The program's first process, which may wait at its start until a sampler is attached."""

    def __init__(
        self, options: CaptureOptions, recording: PendingRecording | None, samplers: Sequence[Sampler]
    ) -> None:
        self._samplers = samplers
        self._ready: FileIO | None = None
        self._go: FileIO | None = None
        kept = {key: value for key, value in os.environ.items() if key not in VARIABLES}
        environment = kept | dict(options.environment)
        if recording is not None:
            environment |= {FOLDER_VARIABLE: recording.folder, ID_VARIABLE: recording.manifest.identity}
        first = samplers[0] if samplers else None
        theirs: list[int] = []
        if first is not None:
            environment |= first.environment()
            order = first.order()
            if first.waits:
                theirs = self._make_pipes()
                order = ":".join([autostart.WAIT, *map(str, theirs)])
            if order:
                environment[START_VARIABLE] = order
        try:
            # It is given what descriptors plain Python would be given, and two that its start closes. With a folder to
            # change to it is not started by posix_spawn, which would leave signals 32 and 33 ignored.
            self.process = subprocess.Popen(
                [sys.executable, *options.program],
                env=environment,
                cwd=os.curdir,
                close_fds=False,
                stdin=options.input,
                stdout=options.output,
                stderr=options.errors,
            )
        except OSError as error:
            self._close()
            raise WorkbenchError(f"{sys.executable} cannot be started: {error.strerror}") from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def _make_pipes(self) -> list[int]:
        """Return the program's ends of two pipes: to say that it waits, and to be let go."""
        ours, ready = os.pipe()
        go, tell = os.pipe()
        self._ready, self._go = FileIO(ours), FileIO(tell, "w")
        for descriptor in (ready, go):
            os.set_inheritable(descriptor, True)
        return [ready, go]

    def let_go(self, stopping: Stopping, warn: Warn) -> tuple[Sampler | None, float]:
        """Attach a sampler where one has to be, and let the program begin; return (the sampler, how long it waited)."""
        if self._ready is None or self._go is None:
            return (self._samplers[0] if self._samplers else None), 0.0
        try:
            with stopping():
                self._ready.readline()
            since = time.monotonic()
            sampler = self._attached(stopping, warn)
            order = "" if sampler is None or sampler.waits else sampler.order()
            waited = time.monotonic() - since
            with contextlib.suppress(BrokenPipeError):  # the program is gone; its exit code tells
                self._go.write(f"{order}\n".encode(errors="surrogateescape"))
            return sampler, waited
        finally:
            self._close()

    def _attached(self, stopping: Stopping, warn: Warn) -> Sampler | None:
        """Return the first sampler that can sample the process, which waits."""
        for i, sampler in enumerate(self._samplers):
            try:
                sampler.attach(self.process.pid, stopping)
            except SamplerError as error:
                rest = self._samplers[i + 1 :]
                warn(refused_warning([error.cause], rest[0].name if rest else None))
                continue
            return sampler
        return None

    def kill(self) -> None:
        """End everything that was started."""
        self.process.kill()
        self.process.wait()
        self._close()
        for sampler in self._samplers:
            sampler.stop()

    def _close(self) -> None:
        for stream in (self._ready, self._go):
            if stream is not None:
                stream.close()
