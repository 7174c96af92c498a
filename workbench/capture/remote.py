"""Calling a function of `workbench.scopes.attached` inside a running Python 3.14 or later, by `sys.remote_exec`.

The interpreter of the program itself asks for it, in a process of its own: both must have the same version, and this
command may have another. A script that the program comes to when nobody waits any more begins nothing, and deletes
itself.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workbench.capture.running import GoneError, RunningProgram
from workbench.capture.samplers.base import SamplerError

SINCE = (3, 14)
"""The first Python with `sys.remote_exec`."""
PACKAGES = Path(__file__).resolve().parents[2]
"""The folder from which this workbench is imported."""
PATIENCE_SECONDS = 30.0
"""For the main thread to come to where Python runs the script."""
QUIET_SECONDS = 2.0
"""After which a line says what is being waited for."""
POLL_SECONDS = 0.01
"""At first; a tenth of what it has waited for later."""
TRIES = 10
"""A program that is just importing what the recorder imports, too, is asked again."""
RETRY_SECONDS = 0.3

_ASK = """\
import sys
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except BaseException as error:
    print(type(error).__name__, error)
"""
_SCRIPT = """\
def run(folder, call, words, needs_claim, packages):
    import os, sys
    if needs_claim:
        try:
            os.rename(f"{folder}/waits", f"{folder}/runs")
        except OSError:  # nobody waits any more
            return clear(folder)
    kind = text = ""
    known = set(sys.path_importer_cache)
    try:
        try:
            from workbench.scopes import attached
        except ModuleNotFoundError:
            if not packages:
                raise
            sys.path.insert(0, packages)
            try:
                from workbench.scopes import attached
            finally:
                sys.path.remove(packages)
        getattr(attached, call)(*words)
    except BaseException as error:
        kind, text = type(error).__name__, str(error)
        if isinstance(error, KeyboardInterrupt):  # the program's
            import _thread
            _thread.interrupt_main()
    for each in sys.path_importer_cache.keys() - known:
        del sys.path_importer_cache[each]
    try:
        with open(f"{folder}/unfinished", "w") as file:
            file.write(f"{kind}\\n{text}")
        os.rename(f"{folder}/unfinished", f"{folder}/answer")
    except OSError:
        pass
    if not needs_claim and not os.path.exists(f"{folder}/waits"):
        clear(folder)

def clear(folder):
    import os
    try:
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)
    except OSError:
        pass

"""


class LateError(SamplerError):
    """The program's main thread did not come to it."""


class Remote:
    """Calls functions inside one program, one after the other."""

    def __init__(self, program: RunningProgram, tell: Callable[[str], None]) -> None:
        self._program, self._tell = program, tell

    def why_not(self, *folders: Path) -> str | None:
        """Return in one line why functions cannot be called in the program, with files in folders; None: they can."""
        program = self._program
        if program.version < SINCE:
            return f"the program's {program.python} has no sys.remote_exec, which came with 3.14"
        if not program.suffix:
            return f"{program.executable} contains {program.python} and cannot run as one"
        if program.uid != os.geteuid():
            return "the program is another user's, and cannot write here: run workbench as that user"
        if program.has_own_numbers():
            return "the program runs in a container with process numbers of its own: run workbench in there"
        lost = [each for each in (*folders, Path(tempfile.gettempdir())) if not program.finds(each)]
        if lost:
            return (
                f"the program does not find {lost[0]}, as it has files of its own (a container, chroot): "
                "run workbench in there"
            )
        return None

    def begin(self, folder: str, sampling: str) -> None:
        """Call `attached.begin` in the program, and return when it has.

        Raises:
            GoneError: The program has ended.
            SamplerError: It is refused, or not done in 30 seconds; then it will not be done.
        """
        for left in reversed(range(TRIES)):
            kind, text = self._call("begin", (folder, sampling), needs_claim=True)
            if kind in ("ImportError", "AttributeError", "KeyboardInterrupt") and left:
                time.sleep(RETRY_SECONDS)
                continue
            break
        if kind == "ModuleNotFoundError":
            version = self._program.python
            raise SamplerError(
                f"the program's {version} finds no workbench that can be attached, and this command's is not built "
                f"for it: install scopebench for {version}"
            )
        if kind:
            raise SamplerError(text if kind == "RecordingError" else f"{kind}: {text}")

    def end(self, identity: str) -> None:
        """Call `attached.end` in the program, and return when it has; later it will be done without anybody waiting.

        Raises:
            GoneError: The program has ended.
            SamplerError: It is refused, or not done in 30 seconds.
        """
        kind, text = self._call("end", (identity,), needs_claim=False)
        if kind:
            raise SamplerError(f"{kind}: {text}")

    def _call(self, call: str, words: tuple[str, ...], *, needs_claim: bool) -> tuple[str, str]:
        """Run the script in the program; return the kind of the error that it met, and its text."""
        folder = Path(tempfile.mkdtemp(prefix="workbench-attach-"))
        script, waits, answer = folder / "script.py", folder / "waits", folder / "answer"
        is_fit = (PACKAGES / "workbench" / "scopes" / f"_native{self._program.suffix}").is_file()
        packages = str(PACKAGES) if is_fit and self._program.finds(PACKAGES) else ""
        arguments = (str(folder), call, words, needs_claim, packages)
        script.write_text(f"{_SCRIPT}run{arguments!r}\n", encoding="utf-8")
        waits.touch()
        is_over = True
        try:
            with self._program.exit_of() as end:
                self._ask(script, end)
                is_over = False
                try:
                    self._wait(answer, end)
                except BaseException:
                    with suppress(FileNotFoundError):
                        waits.unlink()
                        is_over = answer.exists()
                        raise
                    self._wait(answer, end)  # it has just begun
            is_over = True
            kind, _, text = answer.read_text(encoding="utf-8").partition("\n")
            return kind, text
        except GoneError:
            is_over = True
            raise
        finally:
            if is_over:  # else the script deletes it
                shutil.rmtree(folder, ignore_errors=True)

    def _ask(self, script: Path, end: int) -> None:
        """Make the program run a script at the next place where its main thread can."""
        try:
            done = self._program.run_python(_ASK, str(self._program.pid), str(script))
            kind, _, text = done.stdout.strip().partition(" ")
        except (OSError, subprocess.SubprocessError) as error:
            kind, text = type(error).__name__, f"{self._program.executable} cannot be run: {error}"
        if kind and has_ended(end):
            raise GoneError(f"PID {self._program.pid} has ended")
        if kind == "PermissionError":
            raise SamplerError(
                "this process may not trace the program: run as root, or set kernel.yama.ptrace_scope to 0; a "
                "container needs the SYS_PTRACE capability"
            )
        if kind:
            raise SamplerError(
                f"the program does not accept sys.remote_exec ({text}): "
                "was it started with PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug?"
            )

    def _wait(self, answer: Path, end: int) -> None:
        """Wait until the script has answered."""
        began = time.monotonic()
        told = False
        while not answer.exists():
            waited = time.monotonic() - began
            if has_ended(end, max(POLL_SECONDS, min(waited / 10, 1.0))):
                raise GoneError(f"PID {self._program.pid} has ended")
            if waited > PATIENCE_SECONDS:
                raise LateError(
                    f"the program's main thread has run no Python code for {PATIENCE_SECONDS:.0f} s, as in one long "
                    "call of C code: attach again later"
                )
            if waited > QUIET_SECONDS and not told:
                told = True
                self._tell(
                    f"waiting for the main thread of PID {self._program.pid} to run Python code, for up to "
                    f"{PATIENCE_SECONDS:.0f} s"
                )


def has_ended(end: int, seconds: float = 0.0) -> bool:
    """Return whether the process of `RunningProgram.exit_of` has ended, or does so within some seconds."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(1000 * seconds))
