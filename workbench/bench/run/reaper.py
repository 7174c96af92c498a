"""Runs a program and ends with it all that it has started: `python reaper.py PROGRAM ARGUMENT …`.

On Linux it is the subreaper (prctl(2)) of whatever the program starts, so that also a process in a session of its own,
or one whose parent has ended, is found below it. Standard library alone; it measures nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

SET_DEATH_SIGNAL, SET_SUBREAPER = 1, 36
"""PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of prctl(2)."""


def main() -> None:
    """Run the program of the arguments; end as it ends."""
    signal.signal(signal.SIGTERM, _end)
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            control = ctypes.CDLL(None).prctl
            control(SET_SUBREAPER, 1, 0, 0, 0)
            control(SET_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0)  # whoever measures may be killed
    code = 1
    try:
        code = subprocess.Popen(sys.argv[1:]).wait()
    finally:
        end_children()
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # SIGKILL and SIGSTOP have no handler to take back
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(1)


def end_children() -> None:
    """Kill this process's children, and theirs, which become its own, until there are none."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while found := children(os.getpid()):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def children(parent: int) -> list[int]:
    """Return the processes whose parent this is, by /proc; none on other systems."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name, in brackets, may hold anything; the state and the parent follow.
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(folder.name))
    return found


if __name__ == "__main__":
    main()
