"""The process of py-spy, run beside a program that waits for it: attached, watched, and made to write what it saw."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from workbench.capture.samplers.base import SamplerError, Stopping
from workbench.capture.warnings import Cause
from workbench.errors import Remedy

PY_SPY_VARIABLE = "WORKBENCH_PY_SPY"
ATTACH_SECONDS = 30.0
WRITE_SECONDS = 60.0
LINGER_SECONDS = 2.0
"""How long py-spy may go on by itself when the program has ended: children of it may still run."""
HANDLER_SECONDS = 2.0
"""How long it may take from saying that it samples to handling SIGINT, on a busy machine."""
MAX_LINES = 10_000

_ATTACHED = "Sampling process"
_NONE_FOUND = "No python processes found"
_WRITTEN = re.compile(r"Samples: (\d+) Errors: (\d+)")
_BEHIND = re.compile(r"behind in sampling")
_DENIED = re.compile(r"[Pp]ermission [Dd]enied|Operation not permitted|EPERM|Access is denied")
_UNWRITTEN = re.compile(r"No such file or directory|No space left on device|File too large")
_HANDLED = re.compile(r"^SigCgt:\s+(\w+)", re.MULTILINE)
_IN_ORDER = re.compile(rf"{_ATTACHED}|{_BEHIND.pattern}|Stopped sampling")


@dataclass
class PySpyProcess:
    """One py-spy process. It has a session of its own, so that Ctrl-C in a terminal leaves it writing."""

    process: subprocess.Popen[str]
    output: Path
    native: bool
    lines: list[str] = field(default_factory=list)
    settled: threading.Event = field(default_factory=threading.Event)
    """Set when py-spy samples, or has ended without."""
    sampling_since: float | None = None
    ended_at: float | None = None
    was_asked: bool = False
    """Whether it had to be asked to end, because children of the program ran on."""
    released_a_process: bool = False
    """Whether it was ended because it kept a killed process from ending, see `_ptrace_stopped`."""
    _reader: threading.Thread | None = None

    def start_reading(self) -> None:
        """Collect what py-spy says, which tells when it is attached and how it fared."""
        self._reader = threading.Thread(target=self._read, name="py-spy output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if len(self.lines) < MAX_LINES:
                self.lines.append(line.strip())
            else:
                self.lines[-1] = line.strip()  # the last one counts the samples
            if _ATTACHED in line:
                self.sampling_since = time.monotonic()
                self.settled.set()
        self.ended_at = time.monotonic()
        self.settled.set()

    @property
    def behind(self) -> int:
        """How often py-spy said that it was over a second late."""
        return sum(bool(_BEHIND.search(line)) for line in self.lines)

    def counts(self) -> tuple[int, int] | None:
        """Return (samples, errors) as py-spy counted them, or None when it wrote no file."""
        for line in reversed(self.lines):
            if match := _WRITTEN.search(line):
                return int(match[1]), int(match[2])
        return None

    def finish(self, *, program_goes_on: bool = False) -> None:
        """Wait until py-spy has written its file, after its program has ended, or while that goes on.

        It ends by itself when all processes that it samples have; children that outlive the program would
        keep it, so after two seconds it is asked to stop.
        """
        linger = 0.0 if program_goes_on else LINGER_SECONDS
        try:
            for wait, end in ((linger, self._interrupt), (WRITE_SECONDS, self.process.kill)):
                try:
                    self.process.wait(wait)
                    break
                except subprocess.TimeoutExpired:
                    self.was_asked = not program_goes_on
                    end()
        finally:
            self.stop()

    def let_go(self) -> None:
        """Make it write what it has seen, and end, while the program goes on."""
        self.released_a_process = True
        self._interrupt()

    def _interrupt(self) -> None:
        """Send SIGINT as soon as py-spy handles it: it says that it samples just before, and would be killed."""
        until = time.monotonic() + HANDLER_SECONDS
        while self.process.poll() is None and not _handles_interrupts(self.process.pid):
            if time.monotonic() > until:
                break
            time.sleep(0.005)
        self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """End py-spy at once, if it still runs, and leave nothing of it behind."""
        self.process.kill()
        self.process.wait()
        if self._reader is not None:
            self._reader.join(2.0)
        if self.process.stdout is not None and not (self._reader and self._reader.is_alive()):
            self.process.stdout.close()

    @property
    def said(self) -> str:
        """What py-spy said, as one text."""
        return "\n".join(self.lines)

    def failure(self) -> Cause:
        """Return why py-spy failed and what would help."""
        return explain(self.said, self.process.poll())


def _handles_interrupts(pid: int) -> bool:
    """Return whether a process handles SIGINT; True where the system does not tell."""
    try:
        handled = _HANDLED.search(Path(f"/proc/{pid}/status").read_text(errors="replace"))
    except OSError:
        return True
    return handled is None or bool(int(handled[1], 16) >> (signal.SIGINT - 1) & 1)


def attach(pid: int, output: Path, stopping: Stopping, *, rate: int, native: bool) -> PySpyProcess:
    """Start py-spy on a process that waits, and return when it samples.

    Raises:
        SamplerError: It is not installed, was refused, failed, or did not attach in 30 seconds.
    """
    command = [find_py_spy(), "record", "--pid", str(pid), "--format", "speedscope", "--rate", str(rate)]
    command += ["--threads", "--subprocesses", "--output", str(output)]
    command.append("--native" if native else "--nonblocking")
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SamplerError(
            f"py-spy cannot be started ({command[0]}: {error.strerror}): reinstall it with pip install py-spy",
        ) from None
    spy = PySpyProcess(process, output, native)
    spy.start_reading()
    try:
        with stopping():
            spy.settled.wait(ATTACH_SECONDS)
    except BaseException:
        spy.stop()
        raise
    if spy.sampling_since is not None:
        return spy
    if not spy.settled.is_set():
        spy.stop()
        raise SamplerError(f"py-spy did not attach within {ATTACH_SECONDS:.0f} s", Remedy.LOWER_RATE)
    spy.finish()  # its output has ended, so it ends
    if _NONE_FOUND in spy.said:
        with stopping():
            spy.lines += _ask_why(command[0], pid)
    cause = spy.failure()
    raise SamplerError(cause.text, *cause.remedies)


def _ask_why(py_spy: str, pid: int) -> list[str]:
    """Return what py-spy says of one process alone: with `--subprocesses` it keeps the reason to itself."""
    try:
        return run_dump(py_spy, pid).stderr.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return []


def run_dump(py_spy: str, pid: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `py-spy dump` on one process, for up to 30 seconds."""
    return subprocess.run(
        [py_spy, "dump", *options, "--pid", str(pid)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=ATTACH_SECONDS,
        check=False,
    )


def find_py_spy() -> str:
    """Return the py-spy program: WORKBENCH_PY_SPY, the one beside this Python, or the one on PATH.

    Raises:
        SamplerError: There is none.
    """
    named = os.environ.get(PY_SPY_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise SamplerError(
                f"{PY_SPY_VARIABLE}={named} is not a program that can be run: correct or unset it",
            )
        return found
    beside = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("py-spy")
    if found is None:
        raise SamplerError("py-spy is not installed: pip install py-spy")
    return found


def explain(output: str, returncode: int | None) -> Cause:
    """Return why py-spy failed by what it said, and what would help."""
    unwritten = _UNWRITTEN.search(output)
    if unwritten or returncode == -signal.SIGXFSZ:
        why = unwritten[0] if unwritten else "File too large"
        return Cause(f"py-spy's file could not be written ({why})", (Remedy.ANOTHER_FOLDER,))
    if returncode is not None and returncode < 0:
        name = signal.Signals(-returncode).name
        is_memory = returncode == -signal.SIGKILL
        text = f"py-spy was killed by {name}: profile again"
        return Cause(
            f"{text}; where memory is short" if is_memory else text, (Remedy.LOWER_RATE,) * is_memory
        )
    if _DENIED.search(output):
        return Cause(
            "py-spy may not read this process (tracing denied): run as root, or set "
            "kernel.yama.ptrace_scope to 0; a container needs the SYS_PTRACE capability"
        )
    if re.search(r"No such process|No child process|" + _NONE_FOUND, output):
        return Cause(
            "py-spy lost the process: it ended, or became another program, before it could be sampled"
        )
    said = [line for line in output.splitlines() if not _IN_ORDER.search(line)]
    reason = next((line for line in said if "rror" in line), " ".join(said))
    reason = " ".join(reason.split())[:200] or f"exit code {returncode}, no message"
    return Cause(f"py-spy failed ({reason})", (Remedy.ANOTHER_RATE, Remedy.SAMPLE_BY_PYINSTRUMENT))
