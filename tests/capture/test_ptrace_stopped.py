"""A killed process that its tracer does not let go is found, and the tracer is ended for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.processes import is_gone, wait_until
from workbench.capture.samplers import Sampling, _ptrace_stopped
from workbench.capture.samplers._ptrace_stopped import PtraceStopWatch, ptrace_stopped
from workbench.capture.samplers._py_spy_process import PySpyProcess
from workbench.capture.samplers.base import ProgramRun, Request
from workbench.capture.samplers.py_spy import PySpy
from workbench.capture.warnings import warning_text

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")

TRACER = """
import ctypes, os, signal, subprocess, sys, time

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, STOP_AT_EXIT, KILL_WITH_TRACER = 0x4206, 0x40, 0x100000

child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
for task in os.listdir(f"/proc/{child.pid}/task"):
    if libc.ptrace(SEIZE, int(task), None, STOP_AT_EXIT | KILL_WITH_TRACER):
        sys.exit(f"ptrace: errno {ctypes.get_errno()}")
if sys.argv[2] == "kill":
    child.kill()
print(child.pid, flush=True)
time.sleep(600)
"""
ALONE = "import time; print(flush=True); time.sleep(600)"
THREADS = """
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def tracer():
    """Return a function that starts a process which traces a child of its own: (that process, the child's pid)."""
    started = []

    def start(child, deed):
        process = subprocess.Popen(
            [sys.executable, "-c", TRACER, child, deed], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("child", [ALONE, THREADS], ids=["one thread", "four threads"])
def test_a_killed_process_that_is_held_is_found(tracer, child):
    """It is found while its tracer lives, among the descendants of a process, and by that tracer alone."""
    process, pid = tracer(child, "kill")
    assert wait_until(lambda: ptrace_stopped(process.pid, process.pid) == {pid})
    another, _ = tracer(ALONE, "leave")
    assert ptrace_stopped(process.pid, another.pid) == set()
    assert ptrace_stopped(another.pid, process.pid) == set()
    process.kill()
    wait_until(lambda: is_gone(pid))
    assert ptrace_stopped(process.pid, process.pid) == set()


def test_a_process_that_lives_is_not_ptrace_stopped(tracer):
    """Tracing by itself is nothing to end a tracer for, nor is a process that is no more."""
    process, _ = tracer(ALONE, "leave")
    assert ptrace_stopped(process.pid, process.pid) == set()
    process.kill()
    process.wait()
    assert ptrace_stopped(process.pid, process.pid) == set()


def test_the_tracer_is_asked_to_end_and_the_process_is_let_go(tracer, monkeypatch):
    """After two checks the tracer gets SIGINT; the one line says what that costs."""
    monkeypatch.setattr(_ptrace_stopped, "CHECK_SECONDS", 0.05)
    process, pid = tracer(ALONE, "kill")
    spy = PySpyProcess(process, Path("trace.json"), native=True)
    with PtraceStopWatch(spy, process.pid):
        assert wait_until(lambda: process.poll() is not None)
    assert spy.released_a_process
    wait_until(lambda: is_gone(pid))
    spy.ended_at = 10.0
    request = Request("", Path(), Sampling(native=True))
    run = ProgramRun(request, 1, 0.0, 13.0, began=True, scopes=None)
    (warning,) = PySpy(request).missing(spy, run, 100, 0)
    assert "traced it: py-spy was stopped 3.0 s before the program's end" in warning_text(warning)


def test_nothing_is_done_where_nothing_is_ptrace_stopped(tracer, monkeypatch):
    """The watch ends with its context and leaves the tracer alone."""
    monkeypatch.setattr(_ptrace_stopped, "CHECK_SECONDS", 0.01)
    process, _ = tracer(ALONE, "leave")
    asked = []
    with PtraceStopWatch(SimpleNamespace(process=process, let_go=lambda: asked.append(1)), process.pid):
        time.sleep(0.2)
    assert asked == []
    assert process.poll() is None
