"""`workbench convert`, as a user runs it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

import workbench
from tests.helpers.commands import run_workbench


def convert(*arguments, **options):
    return run_workbench("convert", *map(str, arguments), **options)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    with workbench.record(str(tmp_path / "recording")), workbench.scope("fit"):
        for _ in range(3):
            with workbench.scope("solve", flops=8.0):
                sum(range(100_000))
    return tmp_path / "recording"


def test_between_any_two(recording: Path, tmp_path: Path) -> None:
    """A recording becomes each format, and each becomes each other; the scopes stay what they are."""
    endings = (".speedscope.json", ".trace.json", ".folded", ".speedscope.json.gz", ".trace.json.gz")
    for ending in endings:
        done = convert(recording, tmp_path / f"a{ending}")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    for ending in endings:
        done = convert(tmp_path / f"a{ending}", tmp_path / "b.trace.json")
        assert (done.returncode, done.stderr) == (0, b"")
        names = {e["name"] for e in json.loads((tmp_path / "b.trace.json").read_text())["traceEvents"]}
        assert {"fit", "solve"} <= names


def test_a_chart(recording: Path, tmp_path: Path) -> None:
    """A name that ends in .svg is a flame graph, or a timeline where it says so."""
    for name, kind in {"timeline.svg": "wt-", "a.svg": "wf-"}.items():
        done = convert(recording, tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert kind in (tmp_path / name).read_text(encoding="utf-8")
    piped = convert(recording, "-", "--to", "timeline")
    assert piped.stdout == (tmp_path / "timeline.svg").read_bytes()


def test_pipes(recording: Path, tmp_path: Path) -> None:
    """- is a pipe on either side; the content tells what comes in."""
    out = convert(recording, "-", "--to", "speedscope")
    assert out.returncode == 0
    assert json.loads(out.stdout)["profiles"]
    again = convert("-", "-", "--to", "folded", input=out.stdout)
    assert (again.returncode, again.stderr) == (0, b"")
    assert again.stdout.decode().splitlines()[-1].startswith("fit;solve ")
    back = convert("-", tmp_path / "x.json", "--from", "folded", "--to", "chrome", input=again.stdout)
    assert back.returncode == 0
    assert json.loads((tmp_path / "x.json").read_text())["traceEvents"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a.folded", "b.json"], "the format of b.json is not known from its name: give one of speedscope, chrome"),
        (["a.folded", "b.prof"], "the format pstats cannot be written: choose one of speedscope, chrome, folded"),
        (["a.folded", "-"], "a pipe has no name to tell its format: give one with --to, such as --to folded"),
        (["a.folded", "b.folded", "--from", "foldet"], "unknown format 'foldet': did you mean 'folded'?"),
        (["gone.folded", "b.folded"], "gone.folded cannot be read: No such file or directory"),
        (["bad.folded", "b.folded"], "bad.folded is not a file of folded stacks: line 1"),
        (["a.folded", "missing/b.folded"], "cannot write missing/b.folded: No such file or directory"),
        (["a.folded", "folder", "--to", "folded"], "cannot write folder: Is a directory"),
    ],
)  # fmt: skip
def test_one_line_for_what_cannot_be_done(tmp_path: Path, arguments: list[str], line: str) -> None:
    """Whatever is wrong is one line that names it, and nothing is written."""
    (tmp_path / "a.folded").write_text("a;b 3\n")
    (tmp_path / "bad.folded").write_text("nonsense\n")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    done = convert(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr.decode().startswith(f"workbench: {line}")
    assert done.stderr.count(b"\n") == 1
    assert sorted(tmp_path.iterdir()) == before


TRACE = '[{"name":"f","ph":"X","ts":0,"dur":5,"pid":1,"tid":1},{"ph":"s","ts":0,"id":1}]'
LEFT_OUT = "events that are neither slices, counters nor marks were left out: 1 of kind 's'"


def test_what_is_left_out_is_a_line(tmp_path: Path) -> None:
    """What a reader leaves out is a line on standard error, of every command that reads a file, and on the page."""
    (tmp_path / "a.trace.json").write_text(TRACE)
    (tmp_path / "b.folded").write_text("f 3\n")
    done = convert("a.trace.json", "-", "--to", "folded", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (0, b"f 5\n", f"workbench: {LEFT_OUT}\n")
    run = run_workbench
    done = run("report", "a.trace.json", "-o", "out", cwd=tmp_path)
    assert (done.returncode, done.stderr.decode()) == (0, f"workbench: {LEFT_OUT}\n")
    assert "1 of kind" in (tmp_path / "out" / "index.html").read_text()
    done = run("diff", "a.trace.json", "a.trace.json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.decode().startswith(f"workbench: a.trace.json: {LEFT_OUT}\n" * 2)


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    """A named pipe, by every command that reads a file, is one line that says what to do, and is not waited for."""
    os.mkfifo(tmp_path / "p.folded")
    line = "workbench: p.folded is a pipe or a device, which may never end: copy it to a file, or give it on standard"
    run = run_workbench
    for words in (
        ["convert", "p.folded", "x.folded"],
        ["report", "p.folded", "-o", "o"],
        ["diff", "p.folded", "p.folded"],
    ):
        done = run(*words, cwd=tmp_path)
        assert (done.returncode, done.stderr.decode()[: len(line)]) == (2, line)
        assert done.stderr.count(b"\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["p.folded"]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A file of ours may be converted onto itself, and a link stays a link; of a failure nothing is seen."""
    (tmp_path / "b.folded").write_text("b 3\na 2\n")
    (tmp_path / "link.folded").symlink_to("a.folded")
    assert convert("b.folded", "a.folded", cwd=tmp_path).returncode == 0
    assert convert("link.folded", "link.folded", cwd=tmp_path).returncode == 0
    assert (tmp_path / "link.folded").is_symlink()
    assert (tmp_path / "a.folded").read_text() == "a 2\nb 3\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".workbench.json",
        "a.folded",
        "b.folded",
        "link.folded",
    ]
    assert stat.S_IMODE((tmp_path / "a.folded").stat().st_mode) & 0o600 == 0o600


def test_help_has_examples() -> None:
    """The help shows how it is used, and which formats there are."""
    text = convert("--help").stdout.decode()
    assert "workbench convert profiles/fit fit.trace.json" in text
    from workbench.formats.registry import FORMATS

    for name, each in FORMATS.items():
        assert text.count(name) >= (1 if each.write is None else 2)
