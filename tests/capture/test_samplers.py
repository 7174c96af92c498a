"""py-spy missing, refused, dying or losing the program: one line with the remedy, and the right exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers.processes import children
from tests.helpers.profiled import ours
from workbench.capture.pyinstrument_session import NEWEST, not_installed
from workbench.capture.samplers import Sampling, make_sampler, py_spy
from workbench.capture.samplers.base import Request
from workbench.capture.warnings import Cause
from workbench.errors import Remedy

PROGRAM = """
import time
from workbench import scope

def busy():
    until = time.perf_counter() + {seconds}
    while time.perf_counter() < until:
        sum(range(500))

with scope("work"):
    busy()
{then}
"""


def write(place, seconds=0.3, then=""):
    place.write("p.py", PROGRAM.format(seconds=seconds, then=then))


def real_py_spy() -> str:
    return shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy") or "py-spy"


def wrapper(place, text: str) -> dict[str, str]:
    """Return an environment in which a shell script stands for py-spy; `$SPY` in it is the real one."""
    path = place.write("fake-py-spy", "#!/bin/sh\n" + text.replace("$SPY", real_py_spy()))
    path.chmod(0o755)
    return {"WORKBENCH_PY_SPY": str(path)}


def test_in_process(workbench_profile):
    """Samples under scopes of one run, as files and a flame graph; the streams have the program's output alone."""
    place = workbench_profile
    write(place, 0.5, "print('done')")
    done = place.profile("p.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert place.files >= {
        *("scopes.speedscope.json", "samples.speedscope.json", "samples.svg"),
        *("profile.json", "recording"),
    }
    assert place.frames("scopes.speedscope.json") == {"work"}
    assert {"<module>", "work", "busy"} <= place.frames("samples.speedscope.json")
    summary = place.summary
    assert summary["sampler"] == "in-process with native frames"
    assert 30 < summary["samples"] < 80
    assert (summary["scopes"], summary["sampling_failed"]) == (1, False)
    assert summary["attribution"]["not_attributable"] == 0


def test_py_spy(workbench_profile, needs_py_spy):
    """py-spy's own file stays, with a flame graph of it, and its samples are under the scopes that lines show."""
    place = workbench_profile
    write(place, 0.5, "print('done')")
    done = place.profile("--sampler", "py-spy", "p.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    assert place.files >= {"py-spy.speedscope.json", "py-spy.svg", "samples.speedscope.json", "samples.svg"}
    assert place.read("py-spy.speedscope.json")["exporter"].startswith("py-spy@")
    assert place.frames("scopes.speedscope.json") == {"work"}
    assert {"busy", "work"} <= place.frames("samples.speedscope.json")
    assert "autostart" not in str(place.read("samples.speedscope.json")["shared"])
    summary = place.summary
    assert (summary["sampler"], summary["sampling_failed"]) == ("py-spy", False)
    assert summary["samples"] == summary["attribution"]["samples"] > 5


@pytest.mark.parametrize("sampler", ["none", "pyinstrument"])
def test_other_samplers(workbench_profile, sampler):
    """`none` records scopes alone and is no failure; `pyinstrument` samples in the process."""
    write(workbench_profile)
    done = workbench_profile.profile("--sampler", sampler, "p.py")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert workbench_profile.frames("scopes.speedscope.json") == {"work"}
    assert workbench_profile.summary["sampler"] == sampler
    has_samples = "samples.speedscope.json" in workbench_profile.files
    assert has_samples == (sampler == "pyinstrument")
    if has_samples:
        assert workbench_profile.frames("samples.speedscope.json") >= {"<module>", "busy"}


def test_pyinstrument_and_ends(workbench_profile):
    """What pyinstrument saw is kept when the program raises, exits or forks; where it is killed a line says so."""
    place = workbench_profile
    for then, code, kept in (
        ("raise ValueError", 1, True),
        ("raise SystemExit(3)", 3, True),
        ("import os\nif os.fork() == 0: raise SystemExit(9)\nos.wait()", 0, True),
        ("import os; os._exit(0)", 75, False),
        ("import os; os.kill(os.getpid(), 9)", 137, False),
    ):
        write(place, 0.1, then)
        done = place.profile("--sampler", "pyinstrument", "p.py")
        assert done.returncode == code
        assert ("samples.speedscope.json" in place.files) == kept
        assert ["pyinstrument saved no session" in line for line in ours(done.stderr)] == [True] * (not kept)
        assert place.frames("scopes.speedscope.json") == {"work"}


def missing(place):
    return {"WORKBENCH_PY_SPY": str(place.folder / "nowhere")}


def refused(place):
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("a real refusal is arranged as root, with setpriv")
    return wrapper(place, 'exec setpriv --bounding-set=-all --inh-caps=-all "$SPY" "$@"')


def failing(place):
    return wrapper(place, "echo 'Error: something strange'; exit 1")


def silent(place):
    return wrapper(place, "exit 0")


def not_a_program(place):
    path = place.write("fake-py-spy", "this is no program")
    path.chmod(0o755)
    return {"WORKBENCH_PY_SPY": str(path)}


PYTHON_RECORDER = {"WORKBENCH_RECORDER": "python"}
"""With it the in-process sampler cannot run."""
CANNOT = {
    missing: "is not a program that can be run: correct or unset it",
    refused: "run as root, or set kernel.yama.ptrace_scope to 0",
    failing: "Error: something strange); try another --rate",
    silent: "try another --rate, or use --sampler pyinstrument",
    not_a_program: "reinstall it with pip install py-spy",
}


@pytest.mark.parametrize("why", CANNOT, ids=lambda why: why.__name__)
def test_py_spy_cannot_be_used(workbench_profile, why):
    """Without the in-process sampler `auto` ends at pyinstrument and succeeds; `py-spy` says why and gives 75."""
    place = workbench_profile
    write(place, 0.2)
    environment = why(place)
    done = place.profile_anew("p.py", env=environment | PYTHON_RECORDER)
    first, *more = ours(done.stderr)
    assert "the in-process sampler needs the compiled recorder" in first
    assert CANNOT[why] in " ".join([first, *more])
    assert "sampling with pyinstrument instead" in [first, *more][-1]
    assert done.returncode == 0
    assert place.summary["sampler"] == "pyinstrument"
    assert "busy" in place.frames("samples.speedscope.json")

    done = place.profile("--sampler", "py-spy", "p.py", env=environment)
    (line,) = ours(done.stderr)
    assert CANNOT[why] in line
    assert done.returncode == 75
    assert place.summary["sampling_failed"]
    assert place.files >= {"scopes.speedscope.json", "profile.json"}
    assert not place.files & {"samples.speedscope.json", "samples.svg"}


def test_the_programs_own_code_wins(workbench_profile):
    """A program's own failure is the exit code, whatever became of the samples."""
    place = workbench_profile
    write(place, 0.0, "raise SystemExit(3)")
    assert place.profile("--sampler", "py-spy", "p.py", env=missing(place)).returncode == 3
    write(place, 0.0, "import os; os.kill(os.getpid(), 9)")
    assert place.profile("--sampler", "py-spy", "p.py", env=missing(place)).returncode == 137


def test_py_spy_is_not_installed(workbench_profile, tmp_path):
    """Where py-spy is neither beside Python nor on PATH, the line says how to install it."""
    place = workbench_profile
    write(place, 0.1)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(os.path.realpath(sys.executable))
    packages = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    environment = place.environment | {
        "PATH": str(folder),
        "PYTHONPATH": place.environment["PYTHONPATH"] + os.pathsep + packages,
    }
    code = "from workbench.cli import main; main()"
    command = [str(folder / "python"), "-c", code, "profile", "-o", "out", "--sampler", "py-spy", "p.py"]
    if (Path(os.path.realpath(sys.executable)).parent / "py-spy").exists():
        pytest.skip("py-spy stands beside the interpreter itself")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    (line,) = ours(done.stderr)
    assert "py-spy is not installed: pip install py-spy" in line
    assert done.returncode == 75


def test_py_spy_dies(workbench_profile, needs_py_spy):
    """When py-spy is killed in mid-run the program runs on unharmed, scopes are kept, and the code is 75."""
    place = workbench_profile
    write(place, 0.2, "print('ready', flush=True); input(); print('done', flush=True)")
    process = place.start("--sampler", "py-spy", "p.py", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    (spy,) = (pid for pid, command in children(process.pid).items() if " record " in command)
    os.kill(spy, 9)
    out, err = process.communicate("go on\n", timeout=60)
    assert out == "done\n"
    (line,) = ours(err)
    assert "py-spy was killed by SIGKILL: profile again" in line
    assert process.returncode == 75
    assert place.frames("scopes.speedscope.json") == {"work"}


def test_py_spy_stops_early(workbench_profile, needs_py_spy):
    """When py-spy ends before the program what it saw is kept, and a line says how much is missing."""
    place = workbench_profile
    write(place, 2.5)
    environment = wrapper(place, 'exec "$SPY" "$@" --duration 1')
    done = place.profile("--sampler", "py-spy", "p.py", env=environment)
    (line,) = ours(done.stderr)
    assert "before its end: samples stop there" in line
    assert done.returncode == 0
    assert "busy" in place.frames("samples.speedscope.json")


def test_a_program_that_becomes_another(workbench_profile, needs_py_spy):
    """A program that replaces itself is waited for, gives its own exit code, and keeps its scopes."""
    place = workbench_profile
    write(place, 0.3, "import os; os.execv('/bin/sh', ['sh', '-c', 'sleep 0.5; echo other; exit 0'])")
    done = place.profile("--sampler", "py-spy", "p.py")
    assert done.stdout == "other\n"
    assert done.returncode in (0, 75)
    assert len(ours(done.stderr)) <= 1
    assert (done.returncode == 75) == ("samples.speedscope.json" not in place.files)
    assert place.frames("scopes.speedscope.json") == {"work"}


@pytest.mark.parametrize("content", ["", "{}", "[{}]"])
def test_py_spy_writes_nonsense(workbench_profile, content):
    """A file of py-spy that cannot be read is one line that names it, and 75."""
    place = workbench_profile
    write(place, 0.0)
    script = f"""
    while [ "$1" != "--output" ]; do shift; done
    echo 'py-spy> Sampling process 100 times a second. Press Control-C to exit.'
    printf '%s' '{content}' > "$2"
    echo 'py-spy> Wrote file. Samples: 3 Errors: 0'
    """
    done = place.profile("--sampler", "py-spy", "p.py", env=wrapper(place, script))
    (line,) = ours(done.stderr)
    assert "py-spy.speedscope.json" in line
    assert "the scopes are recorded" in line
    assert done.returncode == 75
    assert "scopes.speedscope.json" in place.files


def test_a_child_that_outlives_the_program(workbench_profile, needs_py_spy):
    """A Python process left behind does not keep us, and py-spy does not stay with it."""
    place = workbench_profile
    place.write(
        "p.py",
        """
        import subprocess, sys
        null = subprocess.DEVNULL
        code = "import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], stdin=null, stdout=null, stderr=null)
        print(child.pid)
        import time; time.sleep(0.5)
        """,
    )
    earlier = set(children(os.getpid()))
    done = place.profile("--sampler", "py-spy", "p.py")
    assert done.returncode == 0
    pid = int(done.stdout)
    status = Path(f"/proc/{pid}/status").read_text()
    os.kill(pid, 9)
    assert "TracerPid:\t0" in status
    assert set(children(os.getpid())) <= earlier


def test_a_short_program(workbench_profile):
    """A program of an instant is profiled without complaint, samples or not."""
    write(workbench_profile, 0.0)
    done = workbench_profile.profile("p.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert workbench_profile.frames("scopes.speedscope.json") == {"work"}


def test_an_earlier_run_leaves_nothing(workbench_profile):
    """A folder is of one run: what the last run has nothing for is removed, other files stay."""
    place = workbench_profile
    write(place, 0.1)
    place.profile("--sampler", "pyinstrument", "p.py")
    (place.folder / "out" / "notes.txt").write_text("mine")
    place.write("p.py", "pass")
    assert place.profile("--sampler", "none", "p.py").returncode == 0
    assert place.files == {".workbench.json", "index.html", "profile.json", "notes.txt"}
    assert "pyinstrument" not in (place.folder / "out" / "index.html").read_text()


def test_pyinstrument_on_newer_pythons(monkeypatch, tmp_path):
    """It is a dependency up to the newest Python that it supports; on others one line says so where it is asked for."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert make_sampler("pyinstrument", Request("", tmp_path, Sampling())).why_not() == Cause(not_installed())
    assert not_installed((3, 14)) == "pyinstrument is not installed: pip install pyinstrument"
    line = not_installed((3, 15))
    assert line == "pyinstrument is not installed: it supports Python up to 3.14, and this is 3.15"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    profile = project["optional-dependencies"]["profile"]
    (needed,) = [each for each in profile if each.startswith("pyinstrument")]
    major, minor = NEWEST
    assert needed.endswith(f"; python_version < '{major}.{minor + 1}'")


def test_native_frames_of_py_spy_are_refused_where_they_are_wrong(tmp_path, monkeypatch):
    """From Python 3.14 on py-spy misplaces C frames: one line says what to use; without them it serves."""
    monkeypatch.setattr(py_spy, "MISPLACED_FROM", sys.version_info[:2])
    refused = make_sampler("py-spy", Request("", tmp_path, Sampling(native=True))).why_not()
    assert refused is not None
    assert refused.remedies == (Remedy.NO_NATIVE, Remedy.SAMPLE_IN_PROCESS)
    assert make_sampler("py-spy", Request("", tmp_path, Sampling(native=False))).why_not() is None
