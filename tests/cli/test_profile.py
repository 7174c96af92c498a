"""`workbench profile`: its own options and what it says when they are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from tests.helpers.commands import run_workbench
from tests.helpers.profiled import ours
from workbench import __version__

ROOT = Path(workbench.__file__).parents[1]


@pytest.fixture
def profile(tmp_path):
    """Return a function that runs `workbench profile` with these arguments in `tmp_path`."""

    def profile(*arguments, **environment):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
        environment = kept | {"PYTHONPATH": str(ROOT)} | environment
        return run_workbench("profile", *arguments, cwd=tmp_path, env=environment, text=True)

    (tmp_path / "p.py").write_text("import sys\nprint(sys.argv)")
    (tmp_path / "folder").mkdir()
    return profile


WRONG = {
    "nothing": ((), "nothing to profile: name a script, or -m and a module"),
    "no module": (("-m",), "nothing to profile: name a script, or -m and a module"),
    "rate 0": (("--rate", "0", "p.py"), "--rate 0: choose 1 to 1000 samples a second"),
    "rate too high": (("--rate", "5000", "p.py"), "--rate 5000: choose 1 to 1000"),
    "rate is text": (("--rate", "fast", "p.py"), "'fast' is not a valid integer"),
    "no such sampler": (("--sampler", "perf", "p.py"), "'perf' is not one of"),
    "no such option": (("--rats", "5", "p.py"), "No such option"),
    "no such script": (("q.py",), "script q.py does not exist: name a Python file, or use -m MODULE"),
    "a folder": (("folder",), "script folder is a folder"),
    "no seconds": (("--pid", "1", "--seconds", "nan"), "--seconds nan with --pid 1: give more than 0"),
    "suite and program": (("--suite", "reference", "p.py"), "leave out p.py"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use(profile, tmp_path, what):
    """What cannot be meant is one line that says what to do, exit code 2, and nothing is run or written."""
    arguments, message = WRONG[what]
    done = profile(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("workbench: ")
    assert message in line
    assert not (tmp_path / "profiles").exists()


@pytest.mark.parametrize(
    ("where", "code"), [("p.py", 2), ("p.py/below", 2), ("/proc/nowhere", 1), ("/dev/null", 2)]
)
def test_a_folder_that_cannot_be_written(profile, where, code):
    """An output folder that cannot be made is one line that names it and the option; nothing is run."""
    done = profile("-o", where, "p.py")
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"workbench: cannot write to {where}: ")
    assert line.endswith("choose another folder with -o")


@pytest.mark.parametrize(
    ("own", "folder"),
    [
        ((), "profiles/p"),
        (("-o", "out"), "out"),
        (("-oout", "--rate=20", "--no-native"), "out"),
        (("--output", "-m", "--rate", "50"), "-m"),
        (("--sampler", "none", "--"), "profiles/p"),
    ],
)
def test_options_end_at_the_program(profile, tmp_path, own, folder):
    """Options before the program are ours, everything after it is the program's, whatever it looks like."""
    rest = ["-o", "x", "--rate", "0", "--", "-m", "--help", "--sampler=no", ""]
    done = profile(*own, *([] if "--sampler" in own else ["--sampler", "none"]), "p.py", *rest)
    assert (done.returncode, done.stderr) == (0, f"workbench: open {folder}/index.html in a browser\n")
    assert done.stdout == f"{['p.py', *rest]}\n"
    assert (tmp_path / folder / "profile.json").is_file()


def test_a_module_has_its_folder(profile, tmp_path):
    """`-m package.module` is written to the folder of the module's name, and its options are its own."""
    done = profile("--sampler", "none", "-m", "p", "--rate", "0")
    assert (done.returncode, ours(done.stderr)) == (0, [])
    assert done.stdout.endswith("'--rate', '0']\n")
    summary = json.loads((tmp_path / "profiles" / "p" / "profile.json").read_text())
    assert summary["program"] == ["-m", "p", "--rate", "0"]


def test_help_shows_how(profile):
    """`--help` shows examples and each option."""
    done = profile("--help")
    assert done.returncode == 0
    assert "workbench profile -m mypackage.train -q" in done.stdout
    assert all(option in done.stdout for option in ("--output", "--rate", "--native", "--sampler", "--suite"))


def test_the_summary_is_for_machines(profile, tmp_path):
    """profile.json says what was run and how it went."""
    profile("-o", "out", "--sampler", "none", "--rate", "50", "p.py", "x")
    summary = json.loads((tmp_path / "out" / "profile.json").read_text())
    assert summary.pop("seconds") > 0
    assert summary == {
        "schema": 2,
        "program": ["p.py", "x"],
        "attached": None,
        "returncode": 0,
        "sampler": "none",
        "rate": 50,
        "samples": 0,
        "sampling_failed": False,
        "scopes": 0,
        "warnings": [],
        "profiling_cost": "what profiling costs this program is unknown: measure it with workbench profile --cost",
        "workbench": __version__,
        "attribution": None,
        "sampler_runs": [],
        "one_clock": False,
        "source": True,
        "memory": None,
        "scope_totals": [],
        "counters": [],
        "scopes_cost_s": None,
    }


DELETES = {
    "the recording": ("shutil.rmtree('out/recording')", 0, "is gone: the program deleted it"),
    "the folder": ("shutil.rmtree('out')", 0, "is gone: the program deleted it"),
    "the folder, and fails": ("shutil.rmtree('out'); sys.exit(6)", 6, "is gone: the program deleted it"),
    "puts a folder in the way": (
        "import os; os.mkdir('out/profile.json')",
        2,
        "out/profile.json is in the way",
    ),
    "damages the log": (
        "[open(p, 'r+b').write(b'garbage!') for p in glob.glob('out/recording/*.wblog')]",
        0,
        "1 damaged places in out/recording were left out",
    ),
    "another version": (
        "[open(p, 'r+b').write(b'WBEVLOG\\x01\\x09') for p in glob.glob('out/recording/*.wblog')]",
        0,
        "the recording cannot be read: ",
    ),
}


@pytest.mark.parametrize("what", DELETES)
def test_a_program_that_meddles(profile, tmp_path, what):
    """A program that deletes or damages what we write costs one line, and keeps its own exit code."""
    action, code, message = DELETES[what]
    (tmp_path / "p.py").write_text(
        f"import shutil, sys, glob\nfrom workbench import scope\n{action}\nprint('ran')"
    )
    done = profile("-o", "out", "--sampler", "none", "p.py")
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert any(message in line for line in lines), lines
    assert all(line.startswith("workbench: ") for line in lines)
    assert done.returncode == code


def test_the_program_loads_nothing_heavy(profile, tmp_path):
    """What starts the program brings no NumPy into it, nor what Python alone would not have loaded."""
    (tmp_path / "p.py").write_text("import sys\nprint(sorted(sys.modules))")
    loaded = set(eval(profile("--sampler", "none", "p.py").stdout))
    alone = set(eval(subprocess.check_output([sys.executable, "p.py"], cwd=tmp_path, text=True)))
    brought = {name.partition(".")[0] for name in loaded - alone}
    assert not brought & {
        "numpy",
        "threading",
        "inspect",
        "asyncio",
        "pathlib",
        "subprocess",
        "signal",
        "ctypes",
    }
