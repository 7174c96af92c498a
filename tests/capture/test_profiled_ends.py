"""However a program ends, its profile is there, with samples under scopes; what is missing is one line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.ended import BUSY, Ends
from tests.helpers.processes import children, wait_until
from workbench.capture.load import load


@pytest.fixture
def ends(workbench_profile):
    return Ends(workbench_profile)


HOW = {
    "exception": ("raise ValueError", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "os._exit": ("os._exit(4)", 4),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    "descriptors": ("os.closerange(0, 1000)\n    with scope('then'):\n        busy(0.2)", 0),
    "folder": ("os.chdir('/')\n    with scope('then'):\n        busy(0.2)", 0),
    "bytes": ("sys.stdout.buffer.write(bytes(range(256)))", 0),
}


OTHERS = [("exception", "py-spy"), ("killed", "py-spy"), ("descriptors", "py-spy")]
OTHERS += [("exception", "pyinstrument"), ("sys.exit", "pyinstrument"), ("folder", "pyinstrument")]


@pytest.mark.parametrize(("how", "sampler"), [*((how, "auto") for how in HOW), *OTHERS])
def test_ends(ends, request, how, sampler):
    """Whatever a program does last, within an open scope, code, scopes and the samples under them are there."""
    if sampler == "py-spy":
        request.getfixturevalue("needs_py_spy")
    text, code = HOW[how]
    with (ends.place.folder / "out.bin").open("wb") as out:
        done = ends.run(
            f"with scope('work'):\n    busy(0.4)\n    {text}\n",
            *("--sampler", sampler),
            stdout=out,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == ends.place.summary["returncode"] == code
    assert ends.complaints(done.stderr) == []
    assert ends.scope_s("work") >= 0.4
    assert ends.sampled_s("work", "busy") > 0.1
    if "then" in text:
        assert ends.scope_s("then") >= 0.2
        assert ends.sampled_s("work", "then", "busy") > 0.05
    written = (ends.place.folder / "out.bin").read_bytes()
    assert written == (bytes(range(256)) if how == "bytes" else b"")


@pytest.mark.parametrize("seconds", [0.05, 0.005])
def test_a_short_program(ends, seconds):
    """A program of an instant has its scope recorded, and no samples of what is not the program."""
    done = ends.run(f"with scope('work'):\n    busy({seconds})\n")
    assert (done.returncode, ends.complaints(done.stderr)) == (0, [])
    assert seconds <= ends.scope_s("work")
    assert ends.place.summary["samples"] * 0.01 < 10 * ends.place.summary["seconds"]
    if not ends.place.summary["samples"]:
        assert not ends.place.files & {"samples.svg", "samples.folded", "samples.speedscope.json"}


def test_output_that_nobody_reads(ends):
    """Behind `head` the program has its own broken pipe, and the profile is there."""
    process = ends.start("with scope('work'):\n    busy(0.3)\n    while True:\n        print('line')\n")
    head = subprocess.run(["head", "-n", "2"], stdin=process.stdout, capture_output=True, text=True)
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate(timeout=60)
    assert head.stdout == "line\nline\n"
    assert process.returncode == 1
    assert "BrokenPipeError" in error
    assert ends.complaints(error) == []
    ends.is_whole()
    assert ends.sampled_s("work", "busy") > 0.1


def test_another_program_in_its_place(ends):
    """Behind exec no sample is made up, and what was seen until then is kept."""
    done = ends.run(
        "with scope('work'):\n    busy(0.4)\nos.execv('/bin/sh', ['sh', '-c', 'sleep 1.5; exit 3'])\n"
    )
    assert (done.returncode, ends.complaints(done.stderr)) == (3, [])
    assert 0.3 < ends.sampled_s("work", "busy") < 0.6
    assert ends.sampled_s() < ends.place.summary["seconds"] - 1.0


def test_the_folder_is_deleted(ends):
    """A program that deletes its own output folder loses what was recorded, and a line says so."""
    done = ends.run(
        """
import shutil
busy(0.4)
while os.path.exists("out"):  # the sampler may add a file meanwhile
    shutil.rmtree("out", ignore_errors=True)
busy(0.2)
"""
    )
    line, *more = ends.complaints(done.stderr)
    assert "the program deleted it; choose another folder" in line
    assert (done.returncode, len(more)) == (75, 1)


def test_a_worker_is_killed(ends):
    """What a worker did until it was killed is in the profile of its parent, which goes on."""
    done = ends.run(
        """
import multiprocessing

def job():
    with scope("part"):
        busy(0.6)
    with scope("lost"):
        os.kill(os.getpid(), signal.SIGKILL)

with scope("parent"):
    worker = multiprocessing.get_context("fork").Process(target=job)
    worker.start()
    worker.join()
    print(worker.exitcode)
    busy(0.3)
"""
    )
    assert (done.returncode, done.stdout, ends.complaints(done.stderr)) == (0, "-9\n", [])
    assert ends.place.frames("scopes.speedscope.json") == {"parent", "part", "lost"}
    assert ends.sampled_s("part", "busy") > 0.1
    assert ends.sampled_s("parent", "busy") > 0.1


def test_a_process_that_never_imports_workbench(ends):
    """A Python that the program starts is sampled from its start, and so is what that becomes by exec."""
    ends.place.write(
        "other.py",
        BUSY.replace("from workbench import carry, scope", "") + "def elsewhere():\n    busy(0.4)\n"
        "elsewhere()\nif len(sys.argv) == 1: os.execv(sys.executable, [sys.executable, 'other.py', 'again'])\n",
    )
    done = ends.run("with scope('work'):\n    subprocess.run([sys.executable, 'other.py'])\n    busy(0.2)\n")
    assert (done.returncode, ends.complaints(done.stderr)) == (0, [])
    assert 0.6 < ends.sampled_s("elsewhere", "busy") < 1.2
    assert ends.sampled_s("work", "busy") > 0.05


def test_a_daemon(ends):
    """A child that outlives the program is not waited for; a line says where to find the rest."""
    place = ends.place
    place.write(
        "p.py",
        BUSY
        + """
with scope("before"):
    busy(0.3)
if os.fork():
    while not os.path.exists("up"):
        time.sleep(0.01)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
null = os.open(os.devnull, os.O_RDWR)
for descriptor in range(3):
    os.dup2(null, descriptor)
with scope("early"):
    pass
open("up", "w").close()
for _ in range(600):
    if os.path.exists("stop"):
        break
    time.sleep(0.05)
with scope("late"):
    pass
""",
    )
    done = place.profile("p.py", env=ends.mark)
    assert done.returncode == 0
    (line,) = ends.complaints(done.stderr)
    assert f"run on, and the profile ends here: `workbench report {place.folder / 'out'}`" in line
    (daemon,) = ends.left()
    assert daemon.status() != psutil.STATUS_TRACING_STOP
    assert "TracerPid:\t0" in Path(f"/proc/{daemon.pid}/status").read_text()
    (place.folder / "stop").touch()
    daemon.wait(20)
    ends.is_whole()
    names = {frame.name for frame in load(place.folder / "out" / "recording").frames}
    assert names >= {"before", "early", "late"}


def test_stopped_for_a_while(ends, needs_py_spy):
    """A program that is stopped and goes on is profiled on both sides of it, with one line at most."""
    text = "print('ready', flush=True)\nwith scope('work'):\n    busy(2.0)\n    busy(0.5)\n"
    process = ends.start(text, "--sampler", "py-spy")
    assert process.stdout.readline() == "ready\n"
    (pid,) = (pid for pid, command in children(process.pid).items() if command.endswith("p.py"))
    time.sleep(0.5)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(pid, signal.SIGCONT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0
    lines = [line for line in ends.complaints(error) if "behind" not in line]
    assert len(lines) <= 1  # how long py-spy waits for it to go on depends on where it was stopped
    assert all("or was it stopped?): samples are of the rest" in line for line in lines)
    ends.is_whole()
    assert ends.scope_s("work") >= 2.0
    assert 0.5 < ends.sampled_s("work", "busy") <= ends.scope_s("work") + 0.2


def test_interrupted_twice(ends):
    """A second Ctrl-C, while results are being written, ends that too: what was recorded can be read."""
    process = ends.start("print('ready', flush=True)\nwith scope('work'):\n    busy(60)\n")
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.4)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert error.count("Traceback") == error.count("KeyboardInterrupt") <= 1  # the program's
    assert ends.complaints(error) in ([], ["workbench: interrupted; what was finished is kept"])
    wait_until(lambda: not ends.left())
    assert "work" in {frame.name for frame in load(ends.place.folder / "out" / "recording").frames}


def test_py_spy_is_ended(ends, needs_py_spy):
    """py-spy that SIGTERM ends in mid-run takes its samples with it: one line, the scopes, and 75."""
    text = "with scope('work'):\n    print('ready', flush=True)\n    busy(1.5)\n"
    process = ends.start(text, "--sampler", "py-spy")
    assert process.stdout.readline() == "ready\n"
    (spy,) = (pid for pid, command in children(process.pid).items() if " record " in command)
    os.kill(spy, signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    (line,) = ends.complaints(error)
    assert line.endswith("py-spy was killed by SIGTERM: profile again; the scopes are recorded")
    assert process.returncode == 75
    ends.is_whole()
    assert ends.scope_s("work") >= 1.5
