"""`workbench profile --repeat`: several profiles of one program, kept, resumed, and refused where they would mix."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import run_workbench
from tests.helpers.profile_sets import write_profile

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def repeat(tmp_path: Path) -> Run:
    """Return a function that makes so many profiles of p.py in the folder `set`, without samples."""
    (tmp_path / "p.py").write_text(
        "import os, sys\nfrom workbench import scope\nwith scope('work'):\n    print('ran', sys.argv[1:])\n"
        "sys.exit(os.path.exists('fail'))\n"
    )
    os.utime(tmp_path / "p.py", (1, 1))

    def repeat(count: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = ("profile", "--repeat", str(count), "--sampler", "none", "-o", "set", "p.py", *arguments)
        return run_workbench(*words, cwd=tmp_path, text=True)

    return repeat


def ended(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the messages of a command that ended with this code."""
    assert done.returncode == code, done.stderr
    return done.stderr


def test_profiles_are_made_and_resumed(repeat: Run, tmp_path: Path) -> None:
    """Each profile has a folder and a page; the same command makes what is missing; all of them are refused."""
    first = repeat(2)
    assert first.stdout.count("ran") == 2
    assert "2 profiles are in set; compare them with workbench diff set OTHER" in ended(first, 0)
    pages = [tmp_path / "set" / number / "index.html" for number in ("1", "2")]
    before = [page.stat().st_mtime_ns for page in pages]
    more = repeat(3)
    assert more.stdout.count("ran") == 1
    assert "set has 2 of 3 profiles: making the others" in ended(more, 0)
    assert [page.stat().st_mtime_ns for page in pages] == before
    assert "set has all 3 profiles already; choose another folder with -o" in ended(repeat(3), 2)


def test_a_failure_ends_the_series(repeat: Run, tmp_path: Path) -> None:
    """At the first run that fails it ends with its code; those before are kept, and it is made again later."""
    ended(repeat(1), 0)
    (tmp_path / "fail").touch()
    failed = repeat(3)
    assert failed.stdout.count("ran") == 1
    assert "profile 2 of 3 ended with exit code 1; those before it are kept" in ended(failed, 1)
    (tmp_path / "fail").unlink()
    assert repeat(3).stdout.count("ran") == 2
    codes = [json.loads((tmp_path / "set" / n / "profile.json").read_text())["returncode"] for n in "123"]
    assert codes == [0, 0, 0]


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    """Ctrl-C ends the run and the series; finished profiles are kept, and the same command makes the others."""
    (tmp_path / "p.py").write_text(
        "import pathlib, time\npathlib.Path(f'began {time.time_ns()}').touch()\n"
        "if len(list(pathlib.Path().glob('began *'))) == 2:\n    time.sleep(60)\n"
    )
    words = ["profile", "--repeat", "3", "--sampler", "none", "-o", "set", "p.py"]
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", *words], cwd=tmp_path, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("began *"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) == 130
    assert json.loads((tmp_path / "set/1/profile.json").read_text())["returncode"] == 0
    assert "set has 1 of 3 profiles: making the others" in ended(
        run_workbench(*words, cwd=tmp_path, text=True), 0
    )


def test_profiles_of_other_programs_are_not_mixed(repeat: Run, tmp_path: Path) -> None:
    """Other arguments, a script that has changed since, and the folder of one profile are each refused in one line."""
    ended(repeat(1), 0)
    assert "set/1 is a profile of p.py; choose another folder with -o" in ended(repeat(2, "more"), 2)
    os.utime(tmp_path / "p.py")
    assert "set/1 is a profile of an earlier p.py, which has changed since" in ended(repeat(2), 2)
    write_profile(tmp_path / "one", {"work": 1.0})
    (tmp_path / "set").rename(tmp_path / "earlier")
    (tmp_path / "one").rename(tmp_path / "set")
    assert "set is one profile, not a folder of several" in ended(repeat(2), 2)


@pytest.mark.parametrize("other", [["--cost"], ["--suite", "reference"], ["--summary"]])
def test_what_does_not_go_together(tmp_path: Path, other: list[str]) -> None:
    """With options of something else it is one line, and nothing runs."""
    program = [] if "--suite" in other else ["p.py"]
    done = run_workbench("profile", "--repeat", "3", *other, *program, cwd=tmp_path, text=True)
    assert "--repeat 3 is of profiles of one program: leave out " + other[0] in ended(done, 2)
    assert list(tmp_path.iterdir()) == []
