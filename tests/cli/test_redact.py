"""`--redact`: no name of a user, home, host or value is in any output of convert, show and report."""

from __future__ import annotations

import gzip
import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest

from tests.helpers.commands import run_workbench
from workbench.formats.registry import FORMATS

PROGRAM = """
import sys, time, workbench
def inner_work():
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until:
        sum(range(500))  # a comment of the author
with workbench.scope("load " + sys.argv[2]):
    workbench.mark("key " + sys.argv[3].partition("=")[2])
    workbench.counter("loss of annamaria", 0.5)
    inner_work()
"""
SECRETS = ("annamaria", "c4-customers", "s3cret-key", "a comment of the author")
HOST = re.compile(rb"(?<![\w+/])" + re.escape(os.uname().nodename.encode()) + rb"(?![\w+/=])")
"""A short name of a host is also somewhere in base64."""


def run(*words: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run workbench with paths and words."""
    return run_workbench(*map(str, words), **options)


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a profile of a program in somebody's home, and the home."""
    home = tmp_path_factory.mktemp("tree") / "home" / "annamaria"
    home.mkdir(parents=True)
    (home / "fit.py").write_text(PROGRAM)
    words = ["fit.py", "--data", "/srv/c4-customers.csv", "--key=s3cret-key"]
    done = run("profile", "-o", "profiles/fit", *words, cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "profiles" / "fit", home


def clean(data: bytes, home: Path) -> None:
    """Assert that nothing of the author is in an output."""
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    for secret in (*SECRETS, str(home)):
        assert secret.encode() not in text, secret
    assert not HOST.search(text)


@pytest.fixture
def author(profiled: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, of a user who runs the commands."""
    monkeypatch.setenv("HOME", str(profiled[1]))
    monkeypatch.setenv("LOGNAME", "annamaria")
    return profiled[1]


@pytest.mark.parametrize(
    "name", [each.name for each in FORMATS.values() if each.write] + ["flamegraph", "timeline"]
)
def test_convert(profiled: tuple[Path, Path], author: Path, tmp_path: Path, name: str) -> None:
    """Each format and chart has names in their place, the same for the same text."""
    target = tmp_path / "out"
    done = run("convert", "--redact", "--to", name, profiled[0], target)
    assert (done.returncode, done.stderr) == (0, b"")
    data = target.read_bytes()
    clean(data, author)
    assert b"value-1" in data
    assert b"inner_work" in data


@pytest.mark.parametrize("form", ["--text", "--markdown", "--json"])
def test_show(profiled: tuple[Path, Path], author: Path, form: str) -> None:
    """The summary has names in their place and no source lines; a scope may be given by its own name."""
    for more in ([], ["--scope", "load /srv/c4-customers.csv"]):
        done = run("show", "--redact", form, *more, profiled[0])
        assert done.returncode == 0, done.stderr
        clean(done.stdout + done.stderr, author)
        assert b"load value-1" in done.stdout


def test_report(profiled: tuple[Path, Path], author: Path, tmp_path: Path) -> None:
    """No file of the page's folder has anything of the author; the folder of the profile itself is refused."""
    done = run("report", "--redact", profiled[0], "-o", tmp_path / "public")
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / "public").rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        clean(path.read_bytes(), author)
    assert "load value-1" in (tmp_path / "public" / "index.html").read_text()
    for more in ([], ["-o", profiled[0]]):
        done = run("report", "--redact", profiled[0], *more)
        assert done.returncode == 2
        assert done.stderr.decode().endswith(
            "holds what is to be redacted: name another folder with -o DIR\n"
        )


def test_this_machine(tmp_path: Path) -> None:
    """Without variables the user's entry tells the home."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    (tmp_path / "a.folded").write_text(f"main ({home}/fit.py:3) 7\n")
    done = run("convert", "--redact", tmp_path / "a.folded", "-", "--to", "folded")
    assert done.stdout == b"main (/home/user-1/fit.py:3) 7\n"


def test_experiments(tmp_path: Path) -> None:
    """An experiment is refused by one line."""
    (tmp_path / "results.jsonl").write_text("")
    for command in ("show", "report"):
        done = run(command, "--redact", tmp_path)
        assert done.returncode == 2
        assert b"is an experiment, and only profiles are redacted: leave --redact out" in done.stderr
