"""A program that runs already: what Linux says of its process, and of the Python in it."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import InvalidInputError, WorkbenchError
from workbench.eventlog.live_processes import process_numbers, runs

_INTERPRETER = re.compile(r"python[\d.]*[dt]?")
_LIBRARY = re.compile(r"/libpython3\.(\d+)\w*\.so[\d.]*(?: \(deleted\))?$")
ANSWER_SECONDS = 20.0
"""An interpreter that only says its version has started by then, on the busiest machine."""

TOLERANCE_S = 2.0
"""By which a file may seem to be newer than the program: clocks of file systems and of processes are coarse."""


@dataclass(frozen=True)
class RunningProgram:
    """A Python process of this machine."""

    pid: int
    command: tuple[str, ...]
    """The words behind `python`."""
    executable: str
    """As the program's own root folder has it."""
    version: tuple[int, int]
    suffix: str
    """Of extension modules that it loads; empty: not known, as of a Python within another program."""
    folder: str
    """Its working folder, as its own root folder has it."""
    has_own_root: bool
    """Whether its files are others than those of this process, as in a container."""
    uid: int
    began: float
    """When it was started, in seconds since the epoch."""

    @property
    def root(self) -> Path:
        """Where this process finds the program's root folder."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def python(self) -> str:
        """Its Python, in words."""
        return f"Python {'.'.join(map(str, self.version))}"

    def has_own_numbers(self) -> bool:
        """Return whether it knows itself by another PID, as in a container."""
        return len(process_numbers(self.pid)) > 1

    def finds(self, path: Path) -> bool:
        """Return whether the program finds the same file or folder by its absolute path."""
        try:
            return path.samefile(f"{self.root}{path}")
        except OSError:
            return False

    def read_source(self, file: str) -> str | None:
        """Return the text of a source file of the program; None: it is not there, or newer than the program."""
        path = Path(self.folder, file)
        path = Path(f"{self.root}{path}") if self.has_own_root else path
        try:
            return (
                path.read_text(encoding="utf-8") if path.stat().st_mtime <= self.began + TOLERANCE_S else None
            )
        except (OSError, ValueError):
            return None

    @contextmanager
    def exit_of(self) -> Iterator[int]:
        """Give a descriptor that becomes readable when the process ends."""
        try:
            end = os.pidfd_open(self.pid)
        except ProcessLookupError:
            raise gone(self.pid) from None
        try:
            yield end
        finally:
            os.close(end)

    def run_python(self, code: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run code in a new process of the same interpreter, whatever the version of this one, without any package."""
        return _run_python(self.pid, self.executable, code, *words)


def running_program(pid: int) -> RunningProgram:
    """Return a running Python program.

    Raises:
        InvalidInputError: There is no such process, it is this one, it is no Python, or it is another user's.
        WorkbenchError: This is not Linux.
    """
    if not Path("/proc/self/exe").exists():
        raise WorkbenchError("attaching needs Linux and its /proc: start the program with workbench profile")
    if pid == os.getpid():
        raise InvalidInputError(f"PID {pid} is this command itself: name the process of a Python program")
    try:
        facts = Path(f"/proc/{pid}").stat()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        executable = str(Path(f"/proc/{pid}/exe").readlink())
        folder = str(Path(f"/proc/{pid}/cwd").readlink())
        root = str(Path(f"/proc/{pid}/root").readlink()).rstrip("/")
        has_own_root = not _shares_root(pid)
        maps = _maps(pid)
    except PermissionError:
        owner = _user(facts.st_uid)
        if facts.st_uid == os.geteuid():
            text = f"PID {pid} may not be read, though it is of {owner}: a container needs the SYS_PTRACE capability"
        else:
            text = f"PID {pid} belongs to {owner}: run this command as that user, or as root"
        raise InvalidInputError(text) from None
    except (FileNotFoundError, ProcessLookupError):
        if runs(pid):
            raise _no_python(pid) from None  # a thread of the kernel
        raise gone(pid) from None
    executable, folder = executable.removeprefix(root).removesuffix(" (deleted)"), folder.removeprefix(root)
    library = next((match for path in maps if (match := _LIBRARY.search(path))), None)
    command = tuple(os.fsdecode(word) for word in words[1:])
    version, suffix = (3, int(library[1]) if library is not None else 0), ""
    if _INTERPRETER.fullmatch(Path(executable).name):
        version, suffix = _ask(pid, executable)
    elif library is None:
        raise _no_python(pid)
    began = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - _started(pid))
    return RunningProgram(
        pid, command, executable, version, suffix, folder, has_own_root, facts.st_uid, began
    )


def _maps(pid: int) -> Sequence[str]:
    """Return the paths of the files that a process has mapped."""
    text = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return [words[5] for line in text.splitlines() if len(words := line.split(maxsplit=5)) == 6]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _started(pid: int) -> float:
    """Return when a process was started, in seconds since the machine was."""
    words = _read(pid, "stat").rpartition(")")[2].split()
    return int(words[19]) / os.sysconf("SC_CLK_TCK") if len(words) > 19 else 0.0


def _ask(pid: int, executable: str) -> tuple[tuple[int, int], str]:
    """Return the version of an interpreter, and the suffix of extension modules that it loads."""
    code = "import sys, _imp; print(*sys.version_info[:2], _imp.extension_suffixes()[0])"
    try:
        major, minor, suffix = _run_python(pid, executable, code).stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        raise InvalidInputError(
            f"PID {pid} runs {executable}, which does not say its version: is it a Python?"
        ) from None
    return (int(major), int(minor)), suffix


def _run_python(pid: int, executable: str, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    root = f"/proc/{pid}/root"
    is_ours = _shares_root(pid)

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    return subprocess.run(
        [executable, "-I", "-S", "-c", code, *words],
        executable=f"/proc/{pid}/exe" if is_ours else executable,
        preexec_fn=None if is_ours else enter,
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=ANSWER_SECONDS,
        check=False,
    )


def _shares_root(pid: int) -> bool:
    return Path(f"/proc/{pid}/root").samefile("/")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


class GoneError(InvalidInputError):
    """There is no such process, or not any more."""


def gone(pid: int) -> GoneError:
    """Return the error for a number that no process has."""
    return GoneError(f"no process has PID {pid}: `ps -e` lists those that run")


def _no_python(pid: int) -> InvalidInputError:
    name = _read(pid, "comm").strip()
    return InvalidInputError(f"PID {pid} ({name}) is not a Python program: name the process of one")
