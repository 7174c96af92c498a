"""`workbench view`: what it says, what it opens, how it ends, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench
from tests.helpers.commands import start_workbench
from tests.helpers.page_profiles import training
from tests.helpers.processes import wait_until
from workbench import record, scope
from workbench.formats.speedscope import write_speedscope

ROOT = Path(workbench.__file__).parents[1]


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts `workbench view` in `tmp_path`, with a temporary folder and no viewer."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "tmp").mkdir()

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("WORKBENCH_", "DISPLAY", "BROWSER", "NPM_"))
        }
        process = start_workbench(
            "view",
            *arguments,
            cwd=tmp_path,
            env=kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def opened(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what `--json` printed."""
    assert process.stdout is not None
    facts: dict[str, Any] = json.loads(process.stdout.readline())
    return facts


def body(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize(
    ("ends", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_one_line_and_a_quiet_end(
    view: Callable[..., Any], tmp_path: Path, ends: signal.Signals, code: int
) -> None:
    """It prints one line with the address, serves it, and ends quietly on Ctrl-C, SIGTERM and SIGHUP."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello")
    process = view("site")
    line = process.stdout.readline()
    url = line.split()[1]
    assert line == f"open {url} in a browser; Ctrl-C ends it\n"
    assert body(url) == "hello"
    process.send_signal(ends)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == code


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_page_for_the_moment(view: Callable[..., Any], tmp_path: Path, ends: signal.Signals) -> None:
    """A recording gets its page in a temporary folder, which is gone afterwards; nothing is written beside it."""
    with record(tmp_path / "recording"), scope("compute jacobian"):
        pass
    before = sorted((tmp_path / "recording").iterdir())
    process = view("recording", "--no-browser", "--json")
    facts = opened(process)
    assert "compute jacobian" in body(facts["url"])
    assert "compute jacobian" in body(facts["url"] + "scopes.speedscope.json")
    assert list((tmp_path / "tmp").iterdir())
    process.send_signal(ends)
    process.communicate(timeout=20)
    assert not list((tmp_path / "tmp").iterdir())
    assert sorted((tmp_path / "recording").iterdir()) == before


def test_a_speedscope_file_without_the_viewer(view: Callable[..., Any], tmp_path: Path) -> None:
    """One line says how to get the viewer, and the profile's own page is shown."""
    if (Path("/usr/local/lib/node_modules/speedscope")).exists() or Path(
        "/usr/lib/node_modules/speedscope"
    ).exists():
        pytest.skip("speedscope is installed for the whole machine")
    write_speedscope(training(), tmp_path / "run.speedscope.json")
    process = view("run.speedscope.json", "--no-browser", "--json", HOME=str(tmp_path))
    facts = opened(process)
    assert facts["speedscope"] is False
    assert "epoch" in body(facts["url"])
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    (line,) = error.splitlines()
    assert "npm install speedscope" in line


def test_a_speedscope_file_with_the_viewer(view: Callable[..., Any], tmp_path: Path) -> None:
    """The address is of the viewer, with the file; its folder is served with it."""
    viewer = tmp_path / "viewer"
    viewer.mkdir()
    (viewer / "index.html").write_text("the viewer")
    write_speedscope(training(), tmp_path / "run.speedscope.json")
    facts = opened(view("run.speedscope.json", "--json", WORKBENCH_SPEEDSCOPE=str(viewer)))
    assert facts["speedscope"] is True
    url, _, fragment = facts["url"].partition("#")
    assert body(url) == "the viewer"
    assert fragment.startswith("profileURL=%2F")


@pytest.mark.parametrize("name", ["page.html", "image.svg"])
def test_a_file_is_opened_in_its_folder(view: Callable[..., Any], tmp_path: Path, name: str) -> None:
    """A page or an image is opened itself, with what stands beside it."""
    (tmp_path / name).write_text("<svg/>")
    (tmp_path / "beside.txt").write_text("beside")
    facts = opened(view(name, "--json"))
    assert facts["url"].endswith(f"/{name}")
    assert body(facts["url"]) == "<svg/>"
    assert body(facts["url"].replace(name, "beside.txt")) == "beside"


WRONG = {
    "nothing there": (("nowhere",), "nowhere does not exist: name a folder, a page or a profile", 2),
    "no path": ((), "Missing argument 'PATH'", 2),
    "no such port": ((".", "--port", "70000"), "port 70000: choose 1 to 65535", 2),
    "a port that is no number": ((".", "--port", "x"), "'x' is not a valid integer", 2),
    "no profile": (("bad.folded",), "bad.folded", 2),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use(view: Callable[..., Any], tmp_path: Path, what: str) -> None:
    """What cannot be shown is one line on standard error, and nothing is served."""
    (tmp_path / "bad.folded").write_bytes(b"\xff\xfe no stacks here")
    arguments, message, code = WRONG[what]
    process = view(*arguments)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, len(error.splitlines())) == (code, "", 1), error
    assert message in error
    assert error.startswith("workbench: ")


def test_a_port_in_use(view: Callable[..., Any], tmp_path: Path) -> None:
    """A port in use is one line that names it and the option."""
    (tmp_path / "site").mkdir()
    facts = opened(view("site", "--json"))
    process = view("site", "--port", str(facts["port"]))
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    (line,) = error.splitlines()
    assert f"port {facts['port']}" in line
    assert line.endswith("choose another port")


def test_the_browser_is_opened(view: Callable[..., Any], tmp_path: Path) -> None:
    """The browser of `BROWSER` is given the address; with --no-browser none is."""
    (tmp_path / "site").mkdir()
    seen = tmp_path / "seen"
    (tmp_path / "browser").write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part; mv {seen}.part {seen}\n')
    (tmp_path / "browser").chmod(0o755)
    facts = opened(view("site", "--json", BROWSER=str(tmp_path / "browser")))
    wait_until(seen.exists)
    assert seen.read_text() == facts["url"]
    seen.unlink()
    quiet = view("site", "--json", "--no-browser", BROWSER=str(tmp_path / "browser"))
    body(opened(quiet)["url"])
    assert not seen.exists()
