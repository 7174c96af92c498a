"""Killed processes that py-spy holds: they stop on their way out for a tracer that does not know of it.

This is so with native frames alone: without, py-spy reads the memory of processes that run.

A process that is killed at the moment when py-spy has it stopped waits at its end to be let go (ptrace's exit event).
py-spy takes it for one that it cannot read, and goes on. Whoever waits for the process, such as the pool whose worker
it was, waits for good. All that helps is that py-spy ends: asked to, it writes what it has seen, and lets all go.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from workbench.capture.samplers._py_spy_process import PySpyProcess

CHECK_SECONDS = 2.0
"""Between two checks. What is held at both is held for good: py-spy's own stops take milliseconds."""
_SIGKILL = 1 << 8
_STATE = re.compile(r"^State:\s+(\S)", re.MULTILINE)
_TRACER = re.compile(r"^TracerPid:\s+(\d+)", re.MULTILINE)
_PENDING = re.compile(r"^(?:SigPnd|ShdPnd):\s+([0-9a-f]+)", re.MULTILINE)


class Release:
    """As long as the context is open, ends py-spy when it holds a killed process of a program."""

    def __init__(self, spy: PySpyProcess, pid: int) -> None:
        self._spy = spy
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="held processes", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before: set[int] = set()
        while not self._over.wait(CHECK_SECONDS):
            now = held(self._pid, self._spy.process.pid)
            if now & before:
                self._spy.let_go()
                return
            before = now


def held(root: int, tracer: int) -> set[int]:
    """Return those of a process and its descendants that were killed and are stopped by a tracer; Linux alone knows."""
    found, left = set(), [root]
    threads = {int(path.name) for path in _tasks(tracer)}
    while left:
        pid = left.pop()
        tasks = _tasks(pid)
        for task in tasks:
            left += map(int, _read(task / "children").split())
        # The first thread says of the whole process whether each is worth reading.
        if _is_ending(_read(Path(f"/proc/{pid}/status"))) and any(
            _is_held(_read(task / "status"), threads) for task in tasks
        ):
            found.add(pid)
    return found


def _is_ending(status: str) -> bool:
    state = _STATE.search(status)
    killed = any(int(bits, 16) & _SIGKILL for bits in _PENDING.findall(status))
    return killed or (state is not None and state[1] == "Z")


def _is_held(status: str, tracers: set[int]) -> bool:
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
