"""Files that are not ours: whatever a folder holds, no command changes or deletes what it did not write."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench
from workbench import cli
from workbench.errors import WorkbenchError

PROGRAM = "from workbench import scope\nwith scope('a'):\n    sum(range(1000))\n"
SUITE = """
import pathlib
from workbench import scope
from workbench.bench import Case, Suite
suite = Suite("tiny", baseline="one", variants={"one": {"how": 1}, "two": {"how": 2}},
              draw=lambda folder, title: (folder / "fit.png").write_text(title))
@suite.workload
def workload(how, *, seed):
    def run():
        with scope("work"):
            return sum(range(20_000))
    return Case(run=run, quality=lambda r: {"error": 1.0},
                keep=lambda r, folder: (folder / "history.json").write_text("{}"))
"""
PAGE = (
    "index.html",
    "scopes.svg",
    "samples.svg",
    "scopes.speedscope.json",
    "samples.folded",
    "scopes.trace.json",
)
RECORDED = ("recording", "recording/recording.json", "recording/mine.wblog", "recording/1-a-t0000.wblog")
OTHERS = (".workbench.json", ".workbench.lock", "notes.txt", "sub/notes.txt", "recording.json", "Index.html")


@dataclass(frozen=True)
class Command:
    """A command that writes, and the names that it writes in its folder."""

    arguments: tuple[str, ...]
    names: tuple[str, ...]
    certain: frozenset[str]
    """Names that it cannot do without: a file there is refused."""
    prepare: Callable[[Path], None] = field(default=lambda folder: None)
    examples: int = 8


def _profile(folder: Path) -> None:
    (folder / "p.py").write_text(PROGRAM)


def _inputs(folder: Path) -> None:
    (folder / "a.folded").write_text("main;work 3\n")
    (folder / "b.folded").write_text("main;work 5\n")


def _suite(folder: Path) -> None:
    (folder / "suite.py").write_text(SUITE)


def _run(folder: Path) -> None:
    shutil.copytree(_stored_run(), folder / "run")


_RUNS: list[Path] = []


def _stored_run() -> Path:
    if not _RUNS:
        folder = Path(tempfile.mkdtemp())
        _suite(folder)
        assert run_in(folder, "bench", "suite.py", "-o", "run", "--rounds", "1", "--no-profile") == 0
        _RUNS.append(folder / "run")
    return _RUNS[0]


PROFILED = (
    *PAGE,
    *RECORDED,
    "profile.json",
    "py-spy.chrometrace.json",
    "pyinstrument.json",
    "ranks/0/profile.json",
)
COMMANDS = {
    "profile": Command(
        ("profile", "--sampler", "none", "-o", "out", "p.py"), PROFILED, frozenset(PROFILED), _profile, 12
    ),
    "profile --cost": Command(
        ("profile", "--cost", "-o", "out", "p.py"), ("cost.json",), frozenset({"cost.json"}), _profile
    ),
    "profile --suite": Command(
        ("profile", "--suite", "suite.py", "--seconds", "0", "--sampler", "none", "-o", "out"),
        ("index.html", "one/index.html", "two/difference.html", "one/recording/x"),
        frozenset({"index.html", "one/index.html", "two/difference.html"}),
        _suite,
        5,
    ),
    "report": Command(("report", "a.folded", "-o", "out"), PAGE, frozenset(PAGE), _inputs, 20),
    "report of runs": Command(
        ("report", "run", "run2", "-o", "out"),
        ("index.html", "results.jsonl"),
        frozenset({"index.html", "results.jsonl"}),
        lambda folder: (_run(folder), shutil.copytree(folder / "run", folder / "run2"), None)[2],
    ),
    "bench": Command(
        ("bench", "suite.py", "-o", "out", "--rounds", "1"),
        ("index.html", "results.jsonl", "fits/one/fit.png", "recordings/one/x.wblog", "samples/one.speedscope.json.gz"),
        frozenset({"index.html", "results.jsonl", "fits/one/fit.png", "samples/one.speedscope.json.gz"}),
        _suite,
        4,
    ),
    "compare": Command(
        ("compare", "--base-python", sys.executable, "--new-python", sys.executable, "suite.py", "-o", "out",
         "--rounds", "1"),
        ("index.html", "results.jsonl", "fits/one/fit.png"),
        frozenset({"index.html", "results.jsonl", "fits/one/fit.png"}),
        _suite,
        3,
    ),
    "diff": Command(
        ("diff", "a.folded", "b.folded", "-o", "out/d.svg"), ("d.svg",), frozenset({"d.svg"}), _inputs, 15
    ),
    "convert": Command(
        ("convert", "a.folded", "out/c.speedscope.json"), ("c.speedscope.json",), frozenset({"c.speedscope.json"}),
        _inputs, 15,
    ),
    "export": Command(
        ("export", "run", "--to", "csv", "-o", "out/runs.csv"), ("runs.csv",), frozenset({"runs.csv"}), _run, 15
    ),
    "train": Command(
        ("train", "--epochs", "1", "--layers", "2", "--json", "out/h.json", "--plot", "out/f.png", "--save",
         "out/m.npz", "--checkpoint", "out/c.npz"),
        ("h.json", "f.png", "m.npz", "c.npz"),
        frozenset({"h.json", "f.png", "m.npz", "c.npz"}),
        examples=6,
    ),
}  # fmt: skip
SINGLE = {"diff", "convert", "export", "train"}


@contextmanager
def within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run_in(folder: Path, *arguments: str) -> int:
    """Run `workbench` in a folder, in this process; return its exit code."""
    arguments_ = mock.patch.object(sys, "argv", ["workbench", *arguments])
    with within(folder), arguments_, pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


Tree = dict[str, tuple[str, bytes | str, int]]


def tree(folder: Path) -> Tree:
    """Return what is in a folder: kinds, contents and modes; not the byte code that Python writes."""
    found: Tree = {}
    for path in sorted(each for each in folder.rglob("*") if "__pycache__" not in each.parts):
        name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
        if path.is_symlink():
            found[name] = ("link", os.readlink(path), mode)  # noqa: PTH115
        elif path.is_dir():
            found[name] = ("folder", "", mode)
        else:
            found[name] = ("file", path.read_bytes(), mode)
    return found


KINDS = (
    "file",
    "file",
    "file",
    "link",
    "dangling link",
    "link to a folder",
    "folder",
    "full folder",
    "empty file",
)


def put(folder: Path, name: str, kind: str, content: bytes) -> bool:
    """Put something foreign into a folder; return whether there was room for it."""
    path = folder / name
    if os.path.lexists(path) or any(each.exists() and not each.is_dir() for each in path.parents):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    outside = folder.parent / "outside"
    if kind == "file":
        path.write_bytes(content)
    elif kind == "empty file":
        path.touch()
    elif kind == "link":
        path.symlink_to(outside / "mine")
    elif kind == "dangling link":
        path.symlink_to(outside / "nowhere")
    elif kind == "link to a folder":
        path.symlink_to(outside)
    else:
        path.mkdir()
        if kind == "full folder":
            (path / "mine").write_bytes(content)
    return True


def foreign(names: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, str, bytes]]]:
    name = st.one_of(st.sampled_from(names), st.sampled_from((*names, *OTHERS, *PAGE, *RECORDED)))
    content = st.sampled_from(
        [b"MINE", b"", b'{"format": "mine"}', b"<html>", b"WBEVLOG", b"\0" * 9, b"[]\n"]
    )
    return st.lists(st.tuples(name, st.sampled_from(KINDS), content), min_size=1, max_size=3)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_not_ours_stays_as_it_is(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each foreign file, link and folder is unchanged, byte for byte; what is in the way is refused with code 2."""
    command = COMMANDS[name]

    @settings(
        max_examples=command.examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(foreign(command.names))
    def check(entries: list[tuple[str, str, bytes]]) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "outside").mkdir()
            (folder / "outside" / "mine").write_bytes(b"MINE")
            (folder / "out").mkdir()
            command.prepare(folder)
            here = [each for each in entries if put(folder / "out", *each)]
            if name == "profile --cost" and not os.path.lexists(folder / "out" / "cost.json"):
                put(folder / "out", "cost.json", "file", b"MINE")  # it would be measured by many runs
                here.append(("cost.json", "file", b"MINE"))
            before = tree(folder)
            capfd.readouterr()
            code = run_in(folder, *command.arguments)
            said = capfd.readouterr().err
            after = tree(folder)
            event = (code, here, said)
            assert {path: after.get(path) for path in before} == before, event
            assert code in ((0, 2, 3) if name == "compare" else (0, 1, 2)), event
            in_the_way = [
                each for each, kind, _ in here
                if each in command.certain and (kind.endswith("file") or (name not in SINGLE and "link" in kind))
            ]  # fmt: skip
            if in_the_way:
                assert code == 2, event
            if code == 2:
                assert "Traceback" not in said
                assert said.startswith("workbench: "), event
                assert after == before, event  # nothing of ours is left behind

    check()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    foreign(("r/recording.json", "r/mine.wblog", "r/12-ab-t0000.wblog", "r/12-ab-x1.wblog", "r/notes", "r"))
)
def test_a_recording_replaces_recordings_alone(entries: list[tuple[str, str, bytes]]) -> None:
    """`record(replace=True)` deletes files of a recording, known by their content, and nothing else."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "out")
        folder.mkdir()
        (folder.parent / "outside").mkdir()
        (folder.parent / "outside" / "mine").write_bytes(b"MINE")
        for entry in entries:
            put(folder, *entry)
        # A segment that is empty, or zeros alone, is what a kill leaves: ours by its name.
        before = {
            path: what
            for path, what in tree(folder.parent).items()
            if not path.endswith("12-ab-t0000.wblog") or what[0] != "file" or what[1] not in (b"", b"\0" * 9)
        }
        try:
            with workbench.record(folder / "r", replace=True):
                pass
            with workbench.record(folder / "r", replace=True):
                pass
        except workbench.RecordingError:
            after = tree(folder.parent)
            assert {path: after.get(path) for path in before} == before
            assert not [path for path in after if path not in before and "12-ab" not in path]
        else:
            after = tree(folder.parent)
            assert {path: after.get(path) for path in before} == before


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(foreign(PROFILED))
def test_a_block_that_is_profiled_replaces_profiles_alone(entries: list[tuple[str, str, bytes]]) -> None:
    """`profiled` refuses a folder in which something else is in the way, before its block begins."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "out")
        folder.mkdir()
        (folder.parent / "outside").mkdir()
        (folder.parent / "outside" / "mine").write_bytes(b"MINE")
        placed = [entry for entry in entries if put(folder, *entry)]
        before = tree(folder.parent)
        try:
            with workbench.profiled(folder):
                assert not any(each in PROFILED and kind == "file" for each, kind, _ in placed)
        except WorkbenchError:
            assert tree(folder.parent) == before
        else:
            after = tree(folder.parent)
            assert {path: after.get(path) for path in before} == before


AGAIN: dict[str, Any] = {
    name: command for name, command in COMMANDS.items() if name not in ("bench", "compare", "profile --cost")
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_we_wrote_is_replaced_until_it_is_changed(name: str, tmp_path: Path) -> None:
    """A command may be run again over its own files; one that somebody has changed since is refused and stays."""
    command = COMMANDS[name]
    (tmp_path / "out").mkdir()
    command.prepare(tmp_path)
    assert run_in(tmp_path, *command.arguments) == 0
    assert run_in(tmp_path, *command.arguments) == 0
    target = next(tmp_path / "out" / each for each in command.names if (tmp_path / "out" / each).is_file())
    target.write_bytes(target.read_bytes() + b"MINE")
    before = tree(tmp_path)
    assert run_in(tmp_path, *command.arguments) == 2
    assert tree(tmp_path) == before


LEGACY = '<html><head><meta name="generator" content="workbench 0.1.0"></head></html>'


def test_a_folder_of_the_version_before(tmp_path: Path) -> None:
    """Without a manifest, fixed names beside a page that bears our mark are ours, unless changed since then."""
    _profile(tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    for name in ("samples.svg", "py-spy.chrometrace.json", "notes.txt"):
        (folder / name).write_text("earlier")
    (folder / "index.html").write_text(LEGACY)
    os.utime(folder / "samples.svg", ns=(0, (folder / "index.html").stat().st_mtime_ns + 1))
    arguments = COMMANDS["profile"].arguments
    before = tree(folder)
    assert run_in(tmp_path, *arguments) == 2
    assert tree(folder) == before
    os.utime(folder / "samples.svg", ns=(0, 0))
    assert run_in(tmp_path, *arguments) == 0
    assert not (folder / "samples.svg").exists()
    assert (folder / "notes.txt").read_text() == "earlier"
    assert run_in(tmp_path, *arguments) == 0


def test_a_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    """A manifest that somebody made cannot have a file outside of its folder replaced or deleted."""
    _profile(tmp_path)
    (tmp_path / "mine").write_bytes(b"MINE")
    (tmp_path / "out" / "ranks").mkdir(parents=True)
    digest = hashlib.sha256(b"MINE").hexdigest()
    names = {name: [digest] for name in ("ranks/../../mine", str(tmp_path / "mine"), "../mine")}
    facts = {"format": "workbench outputs", "version": 1, "files": names, "folders": ["ranks/..", "../mine"]}
    (tmp_path / "out" / ".workbench.json").write_text(json.dumps(facts))
    assert run_in(tmp_path, *COMMANDS["profile"].arguments) == 0
    assert (tmp_path / "mine").read_bytes() == b"MINE"


def test_modes(tmp_path: Path) -> None:
    """Profiles are for their user alone, in a folder that is new; what a user names follows the umask."""
    _profile(tmp_path)
    _inputs(tmp_path)
    before = os.umask(0o022)
    try:
        assert run_in(tmp_path, "profile", "--sampler", "none", "-o", "new/out", "p.py") == 0
        (tmp_path / "old").mkdir(0o755)
        assert run_in(tmp_path, "profile", "--sampler", "none", "-o", "old", "p.py") == 0
        assert run_in(tmp_path, "convert", "a.folded", "a.speedscope.json") == 0
    finally:
        os.umask(before)
    modes = {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes[tmp_path / "new"] == modes[tmp_path / "new" / "out"] == 0o700
    assert modes[tmp_path / "old"] == 0o755
    assert modes[tmp_path / "a.speedscope.json"] == 0o644
    for path, mode in modes.items():
        if path.is_relative_to(tmp_path / "new") or path.parent == tmp_path / "old":
            assert mode == (0o700 if path.is_dir() else 0o600), path
