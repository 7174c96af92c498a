"""SIGINT and SIGTERM to `workbench profile`: both end, the files are there, the code is a shell's."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.processes import children, is_gone, wait_until
from tests.helpers.profiled import ours
from workbench.capture.samplers._py_spy_process import attach
from workbench.capture.signals import Signals

PROGRAM = """
import time
from workbench import scope

def busy():
    while True:
        sum(range(500))

with scope("finished"):
    pass
with scope("interrupted"):
    print("ready", flush=True)
    busy()
"""


@pytest.mark.parametrize(
    ("sampler", "number", "to_group"),
    [
        ("in-process", signal.SIGINT, False),
        ("in-process", signal.SIGINT, True),
        ("in-process", signal.SIGTERM, False),
        ("py-spy", signal.SIGINT, True),
        ("py-spy", signal.SIGTERM, False),
        ("none", signal.SIGTERM, True),
    ],
)
def test_stopped(workbench_profile, request, sampler, number, to_group):
    """Sent to us alone or to the whole group, a signal ends program and sampler, and usable files are left."""
    if sampler == "py-spy":
        request.getfixturevalue("needs_py_spy")
    place = workbench_profile
    place.write("p.py", PROGRAM)
    process = place.start("--sampler", sampler, "--no-native", "p.py")
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    started = children(process.pid)
    assert len(started) == (2 if sampler == "py-spy" else 1)
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    wait_until(lambda: all(is_gone(pid) for pid in started))
    assert ours(err) == []
    assert err.count("Traceback") == (number == signal.SIGINT)
    assert err.count("KeyboardInterrupt") == (number == signal.SIGINT)
    assert place.frames("scopes.speedscope.json") == {"finished", "interrupted"}
    if sampler != "none":
        assert "busy" in place.frames("samples.speedscope.json")
        assert place.summary["samples"] > 0
    assert place.summary["returncode"] == 128 + number


def test_a_group_signal_arrives_once(workbench_profile):
    """A signal that reached the program by itself is not passed on while the program ends."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import time
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(0.2)
            print("cleaned up", flush=True)
        """,
    )
    process = place.start("--sampler", "none", "p.py")
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, ours(err)) == (0, "cleaned up\n", [])


def test_a_program_that_handles_the_signal(workbench_profile):
    """A program that ends in its own way on SIGTERM gives its own exit code."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
        print("ready", flush=True)
        time.sleep(60)
        """,
    )
    process = place.start("--sampler", "none", "p.py")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, ours(err)) == (9, "", [])


def test_a_program_that_does_not_end(workbench_profile):
    """A program that ignores SIGTERM is killed after the time that it is given."""
    place = workbench_profile
    place.write(
        "p.py",
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)",
    )
    place.write(
        "impatient.py",
        "import workbench.capture.signals as s; s.GRACE_SECONDS = 1.0\nfrom workbench.cli import main; main()",
    )
    process = subprocess.Popen(
        [sys.executable, "impatient.py", "profile", "-o", "out", "--sampler", "none", "p.py"],
        cwd=place.folder,
        env=place.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 137


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_before_the_program_began(workbench_profile, number, code):
    """A signal while py-spy attaches ends everything, and the program never runs."""
    place = workbench_profile
    place.write("p.py", "print('ran')")
    slow = place.write("slow-py-spy", "#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    process = place.start("--sampler", "py-spy", "p.py", env={"WORKBENCH_PY_SPY": str(slow)})
    wait_until(lambda: any("sleep" in command for command in children(process.pid).values()))
    started = children(process.pid)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    wait_until(lambda: all(is_gone(pid) for pid in started))


def test_a_signal_as_py_spy_starts(tmp_path, monkeypatch):
    """Whenever the signal comes, py-spy is ended: nothing is interrupted before we can end it."""
    slow = tmp_path / "slow-py-spy"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("WORKBENCH_PY_SPY", str(slow))
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with Signals() as signals, pytest.raises(KeyboardInterrupt):
        attach(os.getpid(), tmp_path / "trace.json", signals.stopping, rate=100, native=False)
    (process,) = started
    assert process.poll() is not None


def test_py_spy_is_asked_when_it_handles_that(tmp_path, monkeypatch):
    """It says that it samples before it handles SIGINT: until then the signal would kill it, and nothing be written."""
    slow = tmp_path / "slow-py-spy"
    slow.write_text(
        f"""#!{sys.executable} -S
import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("Sampling process", flush=True)
time.sleep(0.3)
signal.signal(signal.SIGINT, lambda *_: sys.exit(print("Samples: 5 Errors: 0")))
time.sleep(60)
"""
    )
    slow.chmod(0o755)
    monkeypatch.setenv("WORKBENCH_PY_SPY", str(slow))
    with Signals() as signals:
        spy = attach(os.getpid(), tmp_path / "trace.json", signals.stopping, rate=100, native=False)
    spy.finish(program_goes_on=True)
    assert (spy.process.returncode, spy.counts()) == (0, (5, 0))


@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_killed_before_the_program_began(workbench_profile, number):
    """When we are killed while the program waits to begin, it ends and does not run."""
    place = workbench_profile
    place.write("p.py", "open('ran', 'w')")
    slow = place.write("slow-py-spy", "#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    process = place.start("--sampler", "py-spy", "p.py", env={"WORKBENCH_PY_SPY": str(slow)})
    wait_until(lambda: any("sleep" in command for command in children(process.pid).values()))
    started = children(process.pid)
    process.send_signal(number)
    process.communicate(timeout=30)
    (program,) = (pid for pid, command in started.items() if command.endswith("p.py"))
    wait_until(lambda: is_gone(program))
    assert not (place.folder / "ran").exists()
    for pid in started.keys() - {program}:
        os.kill(pid, 9)


def test_ignored_signals_stay_ignored(workbench_profile):
    """Under `nohup`, which ignores SIGHUP, the signal neither ends us nor the program."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import os, signal, time
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        os.kill(os.getppid(), signal.SIGHUP)
        time.sleep(1.0)
        print("done")
        """,
    )
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = place.profile("--sampler", "none", "p.py")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_ctrl_c_in_a_terminal(workbench_profile):
    """Ctrl-C in a terminal reaches the program once, however long it takes to clean up."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import time
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            time.sleep(1.5)
            print("cleaned up", flush=True)
        """,
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.folder)
        arguments = ["-m", "workbench", "profile", "-o", "out", "--sampler", "none", "p.py"]
        os.execve(sys.executable, [sys.executable, *arguments], place.environment)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    try:
        while data := os.read(terminal, 1000):
            seen += data
    except OSError:  # Linux says so when the last one on the terminal is gone
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"cleaned up" in seen
    assert b"KeyboardInterrupt" not in seen
