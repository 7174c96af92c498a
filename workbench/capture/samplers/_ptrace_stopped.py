"""Killed processes that stay stopped by ptrace, because py-spy does not resume them.

This happens with native frames alone: without them py-spy reads the memory of running processes.

A process that is killed while py-spy has it stopped waits in ptrace's exit event until its tracer resumes it. py-spy
takes it for one that it cannot read. Whoever waits for the process, such as its pool, then waits forever. The only
remedy is to end py-spy: on SIGINT it writes its samples and resumes all processes.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from workbench.capture.samplers._py_spy_process import PySpyProcess

CHECK_SECONDS = 2.0
"""Between two checks. What is stopped at both stays stopped: py-spy's own stops take milliseconds."""
_SIGKILL = 1 << 8
_STATE = re.compile(r"^State:\s+(\S)", re.MULTILINE)
_TRACER = re.compile(r"^TracerPid:\s+(\d+)", re.MULTILINE)
_PENDING = re.compile(r"^(?:SigPnd|ShdPnd):\s+([0-9a-f]+)", re.MULTILINE)


class PtraceStopWatch:
    """While the context is open, ends py-spy when a killed process of the program stays stopped by it."""

    def __init__(self, spy: PySpyProcess, pid: int) -> None:
        self._spy = spy
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ptrace stops", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before: set[int] = set()
        while not self._over.wait(CHECK_SECONDS):
            now = ptrace_stopped(self._pid, self._spy.process.pid)
            if now & before:
                self._spy.let_go()
                return
            before = now


def ptrace_stopped(root: int, tracer: int) -> set[int]:
    """Return the killed processes, of one and its descendants, that a tracer has stopped; Linux only."""
    found, left = set(), [root]
    threads = {int(path.name) for path in _tasks(tracer)}
    while left:
        pid = left.pop()
        tasks = _tasks(pid)
        for task in tasks:
            left += map(int, _read(task / "children").split())
        # The first thread says of the whole process whether each is worth reading.
        if _is_ending(_read(Path(f"/proc/{pid}/status"))) and any(
            _is_stopped(_read(task / "status"), threads) for task in tasks
        ):
            found.add(pid)
    return found


def _is_ending(status: str) -> bool:
    state = _STATE.search(status)
    killed = any(int(bits, 16) & _SIGKILL for bits in _PENDING.findall(status))
    return killed or (state is not None and state[1] == "Z")


def _is_stopped(status: str, tracers: set[int]) -> bool:
    state, tracer = _STATE.search(status), _TRACER.search(status)
    return state is not None and state[1] == "t" and tracer is not None and int(tracer[1]) in tracers


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended, or there is no such folder on this system
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
