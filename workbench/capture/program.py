"""Running any Python program under guards and a sampler, with its streams and its exit code as they were."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Literal

from workbench.capture import bootstrap
from workbench.capture.event_log import is_recording, read_recording
from workbench.capture.sampler import PySpy, SamplerError, attach
from workbench.capture.signals import Signals
from workbench.errors import InvalidInputError, WorkbenchError
from workbench.formats.pyinstrument import read_pyinstrument
from workbench.formats.pyspy import read_pyspy_chrometrace
from workbench.profile import Profile
from workbench.scopes._environment import FOLDER_VARIABLE, ID_VARIABLE, TRACER_VARIABLE
from workbench.scopes._error import RecordingError
from workbench.scopes._recording import create_recording

Sampler = Literal["auto", "py-spy", "pyinstrument", "none"]
SAMPLING_FAILED = 75
"""Exit code when the program succeeded and what samples were asked for are not there (EX_TEMPFAIL)."""

RECORDING, TRACE, SESSION = "recording", "py-spy.chrometrace.json", "pyinstrument.json"


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
    samples: Profile | None
    sampling_failed: bool
    """Whether samples were asked for, are not there, and nothing stands in for them."""
    warnings: tuple[str, ...]

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
        InvalidInputError: The program does not exist, or the rate is out of range.
        WorkbenchError: The output folder cannot be written.
    """
    _check(options)
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        if say is not None:
            say(text)

    identity = _prepare_folder(options.folder)
    with Signals() as signals:
        started = time.monotonic()
        process, is_ready, tell = _start(options, identity)
        spy: PySpy | None = None
        try:
            with signals.stopping():
                is_ready.readline()
                sampler, spy, refused = _choose_sampler(options, process, warn)
            with contextlib.suppress(BrokenPipeError):  # the program is gone; its exit code tells
                tell.write(b"pyinstrument\n" if sampler == "pyinstrument" else b"go\n")
            tell.close()
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
            samples, count, failed = _collect_samples(options, spy, sampler, process.pid, ended, warn)
            scopes = _collect_scopes(options.folder / RECORDING, warn)
    return Capture(
        options=options,
        returncode=128 - returncode if returncode < 0 else returncode,
        seconds=ended - started,
        sampler=sampler,
        sample_count=count,
        scopes=scopes,
        samples=samples,
        sampling_failed=failed or refused,
        warnings=tuple(warnings),
    )


def _check(options: CaptureOptions) -> None:
    if not 1 <= options.rate <= 1000:
        raise InvalidInputError(f"--rate {options.rate}: choose 1 to 1000 samples a second")
    if not options.program or options.program == ("-m",):
        raise InvalidInputError("nothing to profile: name a script, or -m and a module")
    script = Path(options.program[0])
    if options.program[0] != "-m" and not script.is_file():
        what = "is a folder" if script.is_dir() else "does not exist"
        raise InvalidInputError(f"script {script} {what}: name a Python file, or use -m MODULE")


def _prepare_folder(folder: Path) -> str:
    """Make the output folder, with an empty recording in place of any earlier one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (TRACE, SESSION):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise WorkbenchError(
            f"cannot write to {folder}: {error.strerror}; choose another folder with -o"
        ) from None
    try:
        return create_recording(str((folder / RECORDING).resolve()), replace=True)
    except RecordingError as error:
        raise WorkbenchError(str(error)) from None


def _start(options: CaptureOptions, identity: str) -> tuple[subprocess.Popen[bytes], FileIO, FileIO]:
    """Start the program's bootstrap; return it with the pipes on which it says it waits, and is let go on.

    Both are closed on exec, here and in the program: it inherits no descriptor that plain Python would not.
    """
    is_ready, ready = os.pipe()
    told, tell = os.pipe()
    folder = options.folder.resolve()
    environment = os.environ | dict(options.environment)
    environment |= {
        FOLDER_VARIABLE: str(folder / RECORDING),
        ID_VARIABLE: identity,
        TRACER_VARIABLE: str(os.getpid()),
    }
    command = [sys.executable, bootstrap.__file__, str(ready), str(told), str(os.getpid())]
    command += [str(options.rate), str(folder / SESSION), *options.program]
    try:
        process = subprocess.Popen(command, env=environment, pass_fds=(ready, told), stdout=options.output)
    except OSError as error:
        os.close(is_ready)
        os.close(tell)
        raise WorkbenchError(f"{sys.executable} cannot be started: {error.strerror}") from None
    finally:
        os.close(ready)
        os.close(told)
    return process, FileIO(is_ready), FileIO(tell, "w")


def _choose_sampler(
    options: CaptureOptions, process: subprocess.Popen[bytes], warn: Callable[[str], None]
) -> tuple[str, PySpy | None, bool]:
    """Return (name of the sampler, py-spy if it is that, whether the one asked for was refused)."""
    if options.sampler == "none":
        return "none", None, False
    if options.sampler == "pyinstrument":
        return "pyinstrument", None, False
    trace = options.folder / TRACE
    attempts = [True, False] if options.native and options.sampler == "auto" else [options.native]
    for native in attempts:
        try:
            spy = attach(process.pid, trace, rate=options.rate, native=native)
            return ("py-spy with native frames" if native else "py-spy"), spy, False
        except SamplerError as error:
            reason = str(error)
        if not (native and len(attempts) > 1) or "tracing denied" in reason or "not installed" in reason:
            break
        warn(f"{reason}; sampling without native frames instead")
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


def _collect_samples(
    options: CaptureOptions,
    spy: PySpy | None,
    sampler: str,
    pid: int,
    ended: float,
    warn: Callable[[str], None],
) -> tuple[Profile | None, int, bool]:
    """Return (profile of the samples, how many, whether sampling failed)."""
    path = Path()
    try:
        if spy is not None:
            spy.finish()
            counts = spy.counts()
            if counts is None or not spy.output.is_file():
                warn(f"{spy.failure()}; the guards' files are there")
                return None, 0, True
            path = spy.output
            if spy.ended_at is not None and (early := ended - spy.ended_at) > 1.0:
                warn(f"py-spy lost the program {early:.1f} s before its end: samples stop there")
            if spy.behind:
                warn(f"py-spy fell over a second behind {spy.behind} times: use a lower --rate")
            period = 1_000_000_000 // options.rate
            known_until = min(ended, spy.ended_at or ended) - (spy.sampling_since or ended)
            profile = read_pyspy_chrometrace(
                path,
                period_ns=period,
                base_file=bootstrap.__file__,
                name=options.folder.name,
                ended_ns={pid: round(known_until * 1e9)},
            )
            return profile, counts[0], False
        if sampler == "pyinstrument":
            path = options.folder / SESSION
            profile = read_pyinstrument(path, pid=pid, base_file=bootstrap.__file__, name=options.folder.name)
            return profile, sum(len(t.samples) for t in profile.tracks if t.samples is not None), False
    except InvalidInputError as error:
        warn(f"the samples cannot be read: {error}; the guards' files are there")
        return None, 0, True
    return None, 0, False


def _collect_scopes(folder: Path, warn: Callable[[str], None]) -> Profile | None:
    """Return what the guards recorded, or None where the program has none."""
    if not is_recording(folder):
        warn(f"the recording in {folder} is gone: the program deleted it")
        return None
    try:
        profile = read_recording(folder)
    except InvalidInputError as error:
        warn(f"the recording cannot be read: {error}")
        return None
    if profile.facts["damaged"]:
        warn(f"{profile.facts['damaged']} damaged places in {folder} were left out")
    elif not any(track.spans is not None for track in profile.tracks):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return profile
