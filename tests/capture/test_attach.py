"""`workbench profile --pid`: a program that runs already is measured, goes on, and is as it was before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.attached import PROGRAMS, PYTHONS, Running, pythons, state_of
from tests.helpers.commands import run_workbench, start_workbench
from tests.helpers.other_pythons import make_environment, others
from tests.helpers.processes import wait_until
from workbench.capture import remote
from workbench.capture.running import running_program
from workbench.capture.samplers.base import SamplerError
from workbench.capture.source_scopes import COMPUTED, scopes_of_sources
from workbench.errors import InvalidInputError
from workbench.eventlog import read_recording
from workbench.eventlog.live_processes import recorded_into
from workbench.profile import Frame, FrameKind, ProfileBuilder
from workbench.scopes import recording_folder

BLOCKS = """
os.mkdir("ready")
pipe = os.open("pipe", os.O_RDONLY)
os.read(pipe, 1)
os.close(pipe)
open("ran", "w").close()
while goes_on():
    work()
"""
RECORDS = """
from workbench import record
with record("recording"):
    os.mkdir("ready")
    while goes_on():
        work()
"""
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="attaching needs Linux"),
    pytest.mark.usefixtures("needs_py_spy"),
]
NEWER = [version for version in others() if int(version.partition(".")[2]) >= remote.SINCE[1]]


@pytest.fixture(scope="module")
def found_pythons(tmp_path_factory):
    """Return the Pythons to attach to, by name, and make the environments of the newer ones."""
    made = {
        version: (str(make_environment(others()[version], tmp_path_factory.mktemp("environment"))),)
        for version in NEWER
    }
    return pythons() | made


@pytest.fixture(params=[*pythons(), *NEWER])
def python(request, found_pythons):
    return found_pythons[request.param]


@pytest.fixture
def newer(found_pythons):
    """Return a Python that takes functions from outside."""
    name = next((name for name, words in found_pythons.items() if takes_functions(words)), None)
    if name is None:
        pytest.skip(f"there is no Python 3.14 or later here, and {PYTHONS} names none")
    return found_pythons[name]


def takes_functions(python):
    return (
        subprocess.check_output([*python, "-c", "import sys; print(hasattr(sys, 'remote_exec'))"])
        == b"True\n"
    )


def attach(pid, folder, *options, **more):
    """Run `workbench profile --pid`, and return how that ended and what `profile.json` says."""
    done = run_workbench("profile", "--pid", str(pid), "-o", str(folder), *options, text=True, **more)
    facts = json.loads((folder / "profile.json").read_text()) if done.returncode == 0 else {}
    return done, facts


def recorded_of(program):
    return [pid for pid in program.processes() if Path(f"/proc/{pid}/exe").exists() and recorded_into(pid)]


@pytest.mark.parametrize(
    "text", [pytest.param(text, marks=[] if text == "threads" else [pytest.mark.proof]) for text in PROGRAMS]
)
def test_three_attaches_change_nothing(python, text, tmp_path):
    """Each sees samples under the program's scopes; threads, files, signals, environment and result are the same."""
    if (
        text == "NumPy"
        and subprocess.run([*python, "-c", "import numpy"], stderr=subprocess.DEVNULL).returncode
    ):
        pytest.skip("no NumPy in that environment")
    with Running(tmp_path / "program", PROGRAMS[text], python) as program:
        before = state_of(program.pid)
        for _ in range(3):
            done, facts = attach(program.pid, tmp_path / "out", "--seconds", "1", "--rate", "200")
            assert done.returncode == 0, done.stderr
            assert (facts["attached"], facts["returncode"]) == (program.pid, None)
            assert facts["seconds"] >= 1
            assert facts["samples"] > 0
            assert facts["attribution"]["attributed"] > 0
            if takes_functions(python):
                assert facts["sampler"].startswith("in-process")
                assert {row["name"] for row in facts["scope_totals"]} >= {"work", "main loop"}
            wait_until(lambda: not recorded_of(program))
            # A forked child of the moment is of the program.
            wait_until(lambda: state_of(program.pid) == before)
        assert program.end() == ("done\n", "", 7)
    shown = run_workbench("show", str(tmp_path / "out"), text=True).stdout
    assert f"attached to PID {program.pid} for " in shown


def test_the_page_says_what_was_measured(python, tmp_path):
    """The page names the PID and the time, by whatever way, also when it is made again; `py-spy` may be chosen."""
    with Running(tmp_path / "program", PROGRAMS["threads"], python) as program:
        done, facts = attach(program.pid, tmp_path / "out", "--seconds", "1", "--sampler", "py-spy")
        assert (done.returncode, facts["sampler"]) == (0, "py-spy"), done.stderr
        page = (tmp_path / "out" / "index.html").read_text()
        assert f"attached to PID {program.pid} for 1" in page
        assert program.end() == ("done\n", "", 7)
    counted = facts["attribution"]
    assert run_workbench("report", str(tmp_path / "out")).returncode == 0
    again = run_workbench("show", str(tmp_path / "out"), text=True).stdout
    assert "main loop" in again
    assert f"attached to PID {program.pid} for 1" in (tmp_path / "out" / "index.html").read_text()
    assert counted["by"] == "line"
    assert counted["attributed"] > 0


def started(pid, folder, *options):
    """Start `workbench profile --pid`, and return it when it measures."""
    process = start_workbench(
        "profile", "--pid", str(pid), "-o", str(folder), *options, stderr=subprocess.PIPE, text=True
    )
    said = ""
    while "attached to PID" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    return process


def test_ctrl_c_ends_the_measurement_alone(python, tmp_path):
    """The page is written, the exit code is 0, and the program goes on."""
    with Running(tmp_path / "program", PROGRAMS["threads"], python) as program:
        before = state_of(program.pid)
        process = started(program.pid, tmp_path / "out")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert (tmp_path / "out" / "index.html").is_file()
        wait_until(lambda: state_of(program.pid) == before)
        assert program.end() == ("done\n", "", 7)


def test_a_killed_measurement_is_ended_by_the_next(newer, tmp_path):
    """What was recorded until then is a recording; the program can be measured again, and is then as it was."""
    with Running(tmp_path / "program", PROGRAMS["threads"], newer) as program:
        before = state_of(program.pid)
        process = started(program.pid, tmp_path / "killed")
        process.kill()
        process.communicate(timeout=60)
        done, facts = attach(program.pid, tmp_path / "out", "--seconds", "0.5")
        assert done.returncode == 0, done.stderr
        assert "killed/recording, whose workbench profile was killed" in done.stderr
        assert facts["attribution"]["attributed"] > 0
        wait_until(lambda: state_of(program.pid) == before)
        assert program.end() == ("done\n", "", 7)
    assert "main loop" in run_workbench("show", str(tmp_path / "killed" / "recording"), text=True).stdout


def test_a_program_that_is_killed_meanwhile(python, tmp_path):
    """What was seen until then is a profile, and a line says that the program ended."""
    with Running(tmp_path / "program", PROGRAMS["threads"], python) as program:
        process = started(program.pid, tmp_path / "out", "--rate", "200")
        wait_until(lambda: program.process.poll() is None)
        program.process.kill()
        _, error = process.communicate(timeout=120)
    assert process.returncode in (0, 75), error
    assert "the program ended while it was measured" in error
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_program_whose_main_thread_does_not_come_to_it(newer, tmp_path, monkeypatch):
    """One line says so after a while; what the program comes to later begins nothing and leaves nothing."""
    monkeypatch.setattr(remote, "PATIENCE_SECONDS", 2.5)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    text = BLOCKS
    (tmp_path / "program").mkdir()
    os.mkfifo(tmp_path / "program" / "pipe")
    told = []
    with Running(tmp_path / "program", text, newer) as program:
        before = state_of(program.pid)
        pipe = os.open(tmp_path / "program" / "pipe", os.O_WRONLY)
        recording = recording_folder.begin(str(tmp_path / "recording"))
        with pytest.raises(SamplerError, match="has run no Python code"):
            remote.Remote(running_program(program.pid), told.append).begin(recording.folder, "100")
        assert "waiting for the main thread" in told[0]
        assert list(tmp_path.glob("workbench-attach-*"))
        os.write(pipe, b"x")
        os.close(pipe)
        wait_until((tmp_path / "program" / "ran").exists)
        wait_until(lambda: not list(tmp_path.glob("workbench-attach-*")))
        assert state_of(program.pid) == before
        assert not list((tmp_path / "recording").glob("*.wblog"))
        recording.undo()
        assert program.end() == ("done\n", "", 7)


def test_what_is_refused(tmp_path):
    """One line each, exit code 2, and nothing is written."""
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        over = subprocess.Popen(["true"])
        over.wait()
        for words, complaint in (
            ((str(over.pid),), f"no process has PID {over.pid}: `ps -e` lists those that run"),
            ((str(sleeping.pid),), f"PID {sleeping.pid} (sleep) is not a Python program"),
            ((str(os.getpid()), "--sampler", "pyinstrument"), "pyinstrument cannot attach to a program"),
            ((str(os.getpid()), "p.py"), "is of a program that runs already: leave out p.py"),
            ((str(os.getpid()), "--cost"), "is of a program that runs already: leave out --cost"),
        ):
            done = run_workbench("profile", "--pid", *words, cwd=tmp_path, text=True)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            (line,) = done.stderr.splitlines()
            assert complaint in line
        sleeping.kill()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInputError, match="is this command itself"):
        running_program(os.getpid())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_another_users_program(tmp_path):
    """Who may not look at a program is told whose it is, and what to do."""
    text = "import os, sys; from workbench.capture.running import running_program; os.setuid(65534)\n"
    text += "try:\n    running_program(int(sys.argv[1]))\nexcept Exception as error:\n    print(error)"
    said = subprocess.check_output([sys.executable, "-c", text, str(os.getpid())], text=True)
    assert said == f"PID {os.getpid()} belongs to root: run this command as that user, or as root\n"


def test_a_program_that_is_being_recorded(tmp_path):
    """It is refused in one line that names its recording."""
    text = RECORDS
    with Running(tmp_path / "program", text) as program:
        done, _ = attach(program.pid, tmp_path / "out")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"is being recorded into {tmp_path}/program/recording" in done.stderr
        assert program.end() == ("done\n", "", 7)


def test_a_refused_attach_leaves_the_earlier_profile(tmp_path):
    """What is in the folder stays where no sampler can attach."""
    with Running(tmp_path / "program", PROGRAMS["threads"]) as program:
        assert attach(program.pid, tmp_path / "out", "--seconds", "1")[0].returncode == 0
        before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
        environment = os.environ | {"WORKBENCH_PY_SPY": "/nowhere/py-spy"}
        done, _ = attach(program.pid, tmp_path / "out", "--sampler", "py-spy", env=environment)
        assert done.returncode == 1
        assert "is not a program that can be run" in done.stderr
        assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


SITES = """\
import workbench as wb
from workbench import record
from workbench.scopes import scope as named

class Model:
    @named("decorated")
    def fit(self):
        with wb.scope("in a method"):
            len("x")

@wb.scope("function")
def outer():
    def inner():
        with named(
            "long header",
            flops=3,
        ):
            return 1
    with named("first"), named("second"):
        inner()
    for i in range(2):
        with named(f"computed {i}"):
            len("x")
        with named("one line"): pass

with record(FOLDER):
    with named("module"):
        Model().fit()
        outer()
"""


def test_scopes_of_sources_are_those_that_the_recorder_sees(tmp_path):
    """Names, lines, functions and use of scopes that are read from a file are those that are recorded of it."""
    file = tmp_path / "program.py"
    file.write_text(SITES.replace("FOLDER", repr(str(tmp_path / "r"))))
    subprocess.run([sys.executable, str(file)], check=True)
    recorded = {site for site in read_recording(tmp_path / "r").recording.sites if site.file == str(file)}
    builder = ProfileBuilder("sampled")
    builder.stack_of([Frame("outer", str(file), 1, FrameKind.PYTHON)])
    read = set(scopes_of_sources(builder.build(), lambda path: Path(path).read_text()).recording.sites)
    assert {site for site in read if site.name != COMPUTED} == {
        each for each in recorded if each.use != "some"
    }
    computed = {site[1:] for site in recorded if site.use == "some"}
    assert {site[1:] for site in read if site.name == COMPUTED} == computed
