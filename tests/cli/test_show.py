"""`workbench show`, and the summary at the end of `workbench profile`."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
from importlib import resources

import jsonschema
import pytest

import workbench
from tests.helpers.commands import run_workbench
from tests.helpers.page_profiles import merged
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.run import run_of_profile

PROGRAM = """
import time
from workbench import scope

def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        sum(range(100))

with scope("fit"):
    for _ in range(3):
        with scope("compute jacobian"):
            busy(0.1)
    with scope("solve"):
        busy(0.05)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a profile."""
    place = tmp_path_factory.mktemp("show")
    (place / "p.py").write_text(PROGRAM)
    done = run_workbench("profile", "--rate", "500", "-o", "out", "--summary", "p.py", cwd=place, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    (place / "summary.txt").write_text(done.stderr)
    return place


def show(folder, *arguments):
    return run_workbench("show", *arguments, cwd=folder, text=True)


def schema():
    return json.loads(resources.files("workbench.report.profile").joinpath("show.schema.json").read_text())


def test_the_answer_is_in_the_text(folder):
    """Each scope has a row with its times and calls, below it what was sampled, and the hottest line its source."""
    done = show(folder, "out")
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert re.match(r"p\.py: took \d", text)
    row = re.search(r"^ *(\d+) ms +\1 ms +3 +compute jacobian$", text, re.MULTILINE)
    assert row
    assert 300 <= int(row[1]) < 3000
    assert text.index("fit\n") < text.index("compute jacobian\n") < text.index("solve\n")
    assert re.search(r"% ± [\d.]+ +█+ ", text)
    assert re.search(r"% ± [\d.]+ +[\d %.–]+ +p\.py:\d+ +(sum\(range|while time)", text)


def test_names_are_whole_in_a_narrow_terminal():
    """Where names would not fit beside them, bars and all times but the first give way."""
    shown = overview_of(run_of_profile(merged()))
    wide, narrow = as_text(shown, 80), as_text(shown, 50)
    assert any("█" in line for line in wide)
    assert not any("█" in line or "…" in line for line in narrow)
    assert "        400 ms    activation" in narrow
    assert "      25 % ± 8      tanh" in narrow


def test_the_summary_is_what_show_prints(folder):
    """What `profile --summary` printed is what `show` prints of the folder, and then the page's path."""
    printed = (folder / "summary.txt").read_text()
    rows = [line for line in show(folder, "out").stdout.splitlines() if "warning" not in line]
    assert [line for line in rows if line and line not in printed] == []
    assert printed.endswith("workbench: open out/index.html in a browser\n")


def test_a_terminal_gets_the_summary(folder):
    """On a terminal the summary is printed without asking."""
    main, terminal = pty.openpty()
    run_workbench("profile", "-o", "typed", "p.py", cwd=folder, stderr=terminal)
    os.close(terminal)
    seen = b""
    while chunk := _read(main):
        seen += chunk
    os.close(main)
    assert b"compute jacobian" in seen
    assert b"open typed/index.html in a browser" in seen


def _read(descriptor):
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # the terminal is closed
        return b""


@pytest.mark.parametrize(
    "what", ["out", "out/recording", "out/profile.speedscope.json", "out/scopes.speedscope.json"]
)
def test_whatever_holds_a_profile_can_be_shown(folder, what):
    """A folder, a recording and files of a profile all have its scopes with the same calls."""
    if what == "out/profile.speedscope.json":
        run_workbench("convert", "out/recording", what, cwd=folder, text=True)
    found = json.loads(show(folder, what, "--json").stdout)
    calls = {tuple(each["path"]): each["calls"] for each in found["scopes"]}
    assert calls == {("fit",): 1, ("fit", "compute jacobian"): 3, ("fit", "solve"): 1}


def test_json_is_what_its_schema_says(folder):
    """JSON follows the published schema, is bounded by --top, and its intervals hold the shares."""
    for arguments in ([], ["--top", "1"], ["--scope", "solve"]):
        found = json.loads(show(folder, "out", "--json", *arguments).stdout)
        jsonschema.Draft202012Validator(schema()).validate(found)
    for file in ("samples.folded", "samples.speedscope.json"):
        found = json.loads(show(folder, f"out/{file}", "--json").stdout)
        jsonschema.Draft202012Validator(schema()).validate(found)
        assert (found["samples"] is None) == (file == "samples.folded")
    found = json.loads(show(folder, "out", "--json", "--top", "1").stdout)
    assert [each["path"] for each in found["scopes"]] == [["fit"]]
    assert len(found["lines"]) <= 1
    assert [each["name"] for each in found["scope_resources"]] == ["fit"][: len(found["scope_resources"])]
    assert len(found["processes"]) <= 1
    for line in found["lines"]:
        assert line["low"] <= line["share"] <= line["high"]
    profile = workbench.load(folder / "out")
    assert found["samples"] <= sum(len(t.samples) for t in profile.tracks if t.samples) * 500


def test_sources_that_a_file_names_are_not_read(folder):
    """A profile that anybody may have written shows its lines without their text."""
    foreign = {"name": "f", "file": str(folder / "p.py"), "line": 6}
    shared = {"frames": [foreign]}
    samples = {
        "type": "sampled",
        "name": "t",
        "unit": "seconds",
        "startValue": 0,
        "endValue": 1,
        "samples": [[0]],
    }
    schema = "https://www.speedscope.app/file-format-schema.json"
    content = {"$schema": schema, "shared": shared, "profiles": [samples | {"weights": [1]}]}
    (folder / "foreign.speedscope.json").write_text(json.dumps(content))
    (line,) = json.loads(show(folder, "foreign.speedscope.json", "--json").stdout)["lines"]
    assert (line["file"], line["line"], line["source"]) == (foreign["file"], 6, None)
    ours = json.loads(show(folder, "out", "--json").stdout)["lines"]
    assert all(line["source"] for line in ours)


def test_sources_are_those_of_the_run(folder):
    """Source was copied with the profile; of a recording alone, a file that was changed since is not shown."""
    file = folder / "p.py"
    before = file.stat()
    os.utime(file, (before.st_atime, before.st_mtime + 3600))
    copied, read = (
        json.loads(show(folder, path, "--json").stdout)["lines"] for path in ("out", "out/recording")
    )
    os.utime(file, (before.st_atime, before.st_mtime))
    assert copied
    assert all(line["source"] for line in copied)
    assert all(line["source"] is None for line in read)


def test_no_source(folder):
    """With --no-source no file of the profile has the program's source."""
    done = run_workbench("profile", "--no-source", "-o", "secret", "p.py", cwd=folder, text=True)
    assert done.returncode == 0
    assert not (folder / "secret" / "sources.json").exists()
    written = [path for path in (folder / "secret").rglob("*") if path.is_file()]
    assert not [path for path in written if b"time.perf_counter() + seconds" in path.read_bytes()]
    lines = json.loads(show(folder, "secret", "--json").stdout)["lines"]
    assert all(line["source"] is None for line in lines)


def test_one_scope(folder):
    """--scope shows what ran inside it; a name that is not there is one line with the nearest."""
    text = show(folder, "out", "--scope", "solve").stdout
    assert "compute jacobian" not in text
    assert "solve" in text
    wrong = show(folder, "out", "--scope", "solv")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert "did you mean 'solve'" in wrong.stderr


def test_markdown_is_a_table(folder):
    """Markdown has a table with as many cells in each row, whatever is in the names."""
    tables = [
        [line for line in part.splitlines() if line.startswith("|")]
        for part in show(folder, "out", "--markdown").stdout.split("\n\n")
    ]
    assert any(tables)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "nothing"),
        (["p.py"], "p.py"),
        (["out", "--top", "0"], "--top"),
        (["out", "--top", "x"], "--top"),
        (["out", "--scope", "solv"], "unknown scope 'solv': did you mean 'solve'? choose one of"),
        (["out/samples.folded", "--scope", "fit"], "unknown scope 'fit': there is no scope, so leave it out"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, message):
    """What cannot be shown is named, with exit code 2."""
    done = show(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_profile_in_which_nothing_was_recorded(tmp_path):
    """It is shown as it was when it was made."""
    (tmp_path / "profile.json").write_text(
        '{"schema": 2, "program": ["p.py"], "seconds": 0.1, "samples": 0, "scopes": 0}'
    )
    (tmp_path / "index.html").write_text("")
    done = run_workbench("show", tmp_path.name, cwd=tmp_path.parent, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("p.py: took 100 ms")
    assert "Nothing was recorded" in done.stdout


def test_the_page_of_a_profile_that_was_killed(folder, tmp_path):
    """`report` writes the page into the folder of the recording, as `profile` would have."""
    shutil.copytree(folder / "out" / "recording", tmp_path / "killed" / "recording")
    done = run_workbench("report", "killed", cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "killed" / "index.html").is_file()
