"""Running any Python program under guards and a sampler, with its streams and its exit code as they were."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Literal

from workbench.capture import bootstrap
from workbench.capture._last_moment import date_end
from workbench.capture.collect import (
    RANKS,
    RECORDING,
    SESSION,
    TRACE,
    Sampled,
    collect_py_spy,
    collect_pyinstrument,
    collect_scopes,
    keep_sampler_files,
    rank_prefix,
    say_what_runs_on,
)
from workbench.capture.held import Release
from workbench.capture.sampler import PySpy, SamplerError, attach
from workbench.capture.signals import Signals
from workbench.capture.trouble import load_average, load_trouble, sample_troubles, usable_cores
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.outputs import OutputFolder
from workbench.profile import Profile, samples_only
from workbench.scopes._environment import FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE
from workbench.scopes._error import RecordingError
from workbench.scopes._folder import Begun
from workbench.scopes._recording import create_recording

Sampler = Literal["auto", "py-spy", "pyinstrument", "none"]
SAMPLING_FAILED = 75
"""Exit code when the program succeeded and what samples were asked for are not there (EX_TEMPFAIL)."""


@dataclass(frozen=True)
class CaptureOptions:
    """What to run, how to sample it, and where the results go."""

    program: tuple[str, ...]
    """A script and its arguments, or "-m", a module and its arguments."""
    folder: Path
    rate: int = 100
    native: bool = True
    sampler: Sampler = "auto"
    environment: Mapping[str, str] = field(default_factory=dict)
    output: int | None = None
    """Descriptor for the program's standard output; its own by default."""
    input: int | None = None
    """The same for its standard input."""
    errors: int | None = None
    """The same for its standard error."""
    record: bool = True
    """Whether what guards see is recorded."""
    output_folder: OutputFolder | None = None
    """The folder, where the caller holds it already; by default it is held while the program runs."""

    def held(self) -> contextlib.AbstractContextManager[OutputFolder]:
        """Return the folder to write to, held by nobody else."""
        if self.output_folder is not None:
            return contextlib.nullcontext(self.output_folder)
        return OutputFolder(self.folder, (TRACE, SESSION), recordings=(RECORDING,) if self.record else ())


@dataclass(frozen=True)
class Capture:
    """What is there after a run: the program's exit code, and a profile from each source that worked."""

    options: CaptureOptions
    returncode: int
    """As a shell gives it: 128 + N for a program that signal N ended."""
    seconds: float
    sampler: str
    """The sampler that was used: "py-spy with native frames", "py-spy", "pyinstrument" or "none"."""
    sample_count: int
    scopes: Profile | None
    merged: Profile | None
    """What the guards recorded, with every sample under the scope that was open on its thread; None: no samples."""
    sampling_failed: bool
    """Whether samples were asked for, are not there, and nothing stands in for them."""
    warnings: tuple[str, ...]
    program_seconds: float = 0.0
    """From the moment that the program was let go to its end."""
    stopped_by: int | None = None
    """The first signal that asked us to stop while it ran."""

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


def run_program(options: CaptureOptions, *, say: Callable[[str], None] | None = None) -> Capture:
    """Run a program to its end and return what guards and sampler saw of it.

    SIGINT, SIGTERM and SIGHUP are passed on to the program; what was recorded until then is kept. Before
    the program has begun they raise `KeyboardInterrupt` or `SystemExit`.

    Args:
        options: What to run and how.
        say: Called with each warning, one line, as it comes up.

    Raises:
        InvalidInputError: The program does not exist, the rate is out of range, something in the folder is in the way,
            or another process is writing there.
        WorkbenchError: The output folder cannot be written.
    """
    check_options(options)
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        if say is not None:
            say(text)

    with options.held() as folder, _recording(options) as recording:
        return _run(options, folder, recording, warnings, warn)


def _run(
    options: CaptureOptions,
    folder: OutputFolder,
    recording: Begun | None,
    warnings: list[str],
    warn: Callable[[str], None],
) -> Capture:
    load, cores = load_average(), usable_cores()
    if recording is None or not recording.joined:
        folder.remove_below(RANKS)
    trace, session = _sampler_files(folder)
    with Signals() as signals:
        started = time.monotonic()
        process, is_ready, tell = _start(options, recording, session)
        spy: PySpy | None = None
        try:
            with signals.stopping():
                is_ready.readline()
                sampler, spy, refused = _choose_sampler(options, process, trace, warn)
            with contextlib.suppress(BrokenPipeError):  # the program is gone; its exit code tells
                tell.write(f"{sampler if spy is None else 'py-spy'}\n".encode())
            tell.close()
            pulses = [
                int(word) for word in is_ready.readline().split()
            ]  # signals are the program's from here on
            let_go = time.monotonic()  # whatever a sampler needs is done: the rest is the program's
            with contextlib.nullcontext() if spy is None else Release(spy, process.pid):
                returncode = signals.wait(process)
        except BaseException:
            process.kill()
            process.wait()
            if spy is not None:
                spy.stop()
            raise
        finally:
            is_ready.close()
            tell.close()
        ended = time.monotonic()
        with signals.writing():
            with contextlib.suppress(
                OSError, WorkbenchError
            ):  # where the program deleted it, and py-spy is about to write
                folder.make()
            if spy is not None:
                spy.finish()  # before the recording is read: children are sampled for as long
            date_end(options.folder / RECORDING, process.pid, round(ended * 1e9))
            scopes = collect_scopes(folder, warn) if options.record else None
            run = Sampled(options.folder, options.rate, process.pid, pulses, ended, session)
            if spy is not None:
                samples, count, failed = collect_py_spy(run, spy, scopes, warn)
            elif sampler == "pyinstrument":
                samples, count, failed = collect_pyinstrument(run, scopes, warn)
            else:
                samples, count, failed = None, 0, False
            keep_sampler_files(folder, {TRACE: trace, SESSION: session}, warn)
            say_what_runs_on(run, spy, scopes, warn)
            if (busy := load_trouble(load, ended - let_go)) and (scopes is not None or samples is not None):
                warn(busy)
            for trouble in () if samples is None else sample_troubles(samples, cores):
                warn(trouble)
    return Capture(
        options=options,
        returncode=128 - returncode if returncode < 0 else returncode,
        seconds=ended - started,
        sampler=sampler,
        sample_count=count,
        scopes=scopes,
        merged=samples,
        sampling_failed=failed or refused,
        warnings=tuple(warnings),
        program_seconds=ended - let_go,
        stopped_by=signals.first,
    )


def check_options(options: CaptureOptions) -> None:
    """Raise InvalidInputError, with the value and the remedy, unless there is a program to run in this way."""
    if not 1 <= options.rate <= 1000:
        raise InvalidInputError(f"--rate {options.rate}: choose 1 to 1000 samples a second")
    if not options.program or options.program == ("-m",):
        raise InvalidInputError("nothing to profile: name a script, or -m and a module")
    script = Path(options.program[0])
    if options.program[0] != "-m" and not script.is_file():
        what = "is a folder" if script.is_dir() else "does not exist"
        raise InvalidInputError(f"script {script} {what}: name a Python file, or use -m MODULE")


@contextlib.contextmanager
def _recording(options: CaptureOptions) -> Iterator[Begun | None]:
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


def _sampler_files(folder: OutputFolder) -> tuple[Path, Path]:
    """Return new files for py-spy and for pyinstrument; those of an earlier run are removed."""
    try:
        for name in (TRACE, SESSION):
            folder.remove(rank_prefix(folder) + name)
        return folder.unfinished(TRACE), folder.unfinished(SESSION)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {folder.path}: {error.strerror}; choose another folder with -o"
        ) from None


def _start(
    options: CaptureOptions, recording: Begun | None, session: Path
) -> tuple[subprocess.Popen[bytes], FileIO, FileIO]:
    """Start the program's bootstrap; return it with the pipes on which it says it waits, and is let go on.

    Both are closed on exec, here and in the program: it inherits no descriptor that plain Python would not.
    """
    is_ready, ready = os.pipe()
    told, tell = os.pipe()
    environment = os.environ | dict(options.environment) | {TRACER_VARIABLE: str(os.getpid())}
    for variable in (FOLDER_VARIABLE, ID_VARIABLE):
        environment.pop(variable, None)
    if recording is not None:
        environment |= {FOLDER_VARIABLE: recording.folder, ID_VARIABLE: recording.manifest.identity}
    command = [sys.executable, bootstrap.__file__, str(ready), str(told), str(os.getpid())]
    command += [str(options.rate), str(session), *options.program]
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            pass_fds=(ready, told),
            stdin=options.input,
            stdout=options.output,
            stderr=options.errors,
        )
    except OSError as error:
        os.close(is_ready)
        os.close(tell)
        raise WorkbenchError(f"{sys.executable} cannot be started: {error.strerror}") from None
    finally:
        os.close(ready)
        os.close(told)
    return process, FileIO(is_ready), FileIO(tell, "w")


def _choose_sampler(
    options: CaptureOptions, process: subprocess.Popen[bytes], trace: Path, warn: Callable[[str], None]
) -> tuple[str, PySpy | None, bool]:
    """Return (name of the sampler, py-spy if it is that, whether the one asked for was refused)."""
    if options.sampler == "none":
        return "none", None, False
    if options.sampler == "pyinstrument":
        return "pyinstrument", None, False
    reasons: list[str] = []
    for native in [True, False] if options.native and options.sampler == "auto" else [options.native]:
        try:
            spy = attach(process.pid, trace, rate=options.rate, native=native)
        except SamplerError as error:
            reasons.append(str(error))
            if error.for_good:
                break
            continue
        for reason in reasons:
            warn(f"{reason}; sampling without native frames instead")
        return ("py-spy with native frames" if native else "py-spy"), spy, False
    reason = reasons[-1]
    if options.sampler == "py-spy":
        warn(f"{reason}; only the guards are recorded")
        return "none", None, True
    if _has_pyinstrument():
        warn(f"{reason}; sampling with pyinstrument instead (one thread, no native frames)")
        return "pyinstrument", None, False
    warn(f"{reason}; pyinstrument is missing too (pip install pyinstrument); only the guards are recorded")
    return "none", None, True


def _has_pyinstrument() -> bool:
    import importlib.util

    return importlib.util.find_spec("pyinstrument") is not None
