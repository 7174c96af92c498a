"""`%profile`, `%%profile` and `%%bench`, in a real kernel and in IPython in a terminal."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import workbench
from tests.helpers.notebooks import printed, run_notebook, shown, traceback
from workbench.bench.results.results import read_results
from workbench.report.profile.notebook import MAX_BYTES
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.run import read_run

pytest.importorskip("IPython")

SETUP = """
%load_ext workbench
import os, signal, time
from workbench import scope

def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
"""
PROFILED = """%%profile --rate 1000
with scope("<load>"):
    busy(0.3)
for step in range(3):
    with scope("step"):
        sum(i * i for i in range(300_000))
step
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebook."""
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def cells(folder: Path) -> list:
    """The cells of a notebook, run one after another; each of the later ones is refused or fails."""
    return run_notebook(
        folder,
        SETUP,
        PROFILED,
        "%profile --rate 1000 -o 'one statement' busy(0.1)  ;  'a  b'",
        "%%profile fails\nbusy(0.1)\n1 / 0",
        "%%profile interrupted\nbusy(0.1)\nos.kill(os.getpid(), signal.SIGINT)\nbusy(60)",
        "%%profile outer\nbusy(0.1)\n%profile busy(0.1)",
        "%%profile --rate 5000\nbusy(0.1)",
        "%%profile a/b\nbusy(0.1)",
        "%%profile\nawait busy",
        "%profile",
        "%profile --help",
        "%%profile ends\nraise SystemExit(3)",
        "%%profile clicks\nimport click\nraise click.exceptions.Exit(3)",
        allow_errors=True,
    ).cells


def test_a_cell(cells: list, folder: Path) -> None:
    """A cell displays its value, and its profile as the terminal's summary of the stored profile."""
    value, text = shown(cells[1], "text/plain")
    assert value == "2"
    run = read_run(folder / "profiles" / "cell-2")
    loaded = workbench.load(folder / "profiles" / "cell-2").check()
    assert {"In [1]", "In [2]"} <= {frame.file for frame in (*loaded.frames, *loaded.lines.places)}
    assert text.splitlines() == as_text(overview_of(run), 79)
    assert "In [1]:7" in text
    assert "In [2]:5  sum(" in text  # how much of a line there is depends on the other columns
    assert {"<load>", "step"} <= {frame.name for frame in run.scopes.frames}


def test_the_output_of_a_cell(cells: list) -> None:
    """It is text and an image, in which no script runs: scopes, the cell's frames, and lines with shares."""
    (html,) = shown(cells[1])
    assert len(html.encode()) <= MAX_BYTES
    assert not re.search(r"<script|<style|<load>|run_cell_magic", html)
    image = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    labels = [each.text for each in ET.fromstring(base64.b64decode(image[1])).iter() if each.text]
    assert {"<module> In [2]", "<load>", "step", "busy"} <= set(labels)
    assert re.search(r"self +total +line +In \[2\]\n", html)
    assert re.search(r'<span style="[^"]+">[ \d.]+ % ± [\d.]+ +[\d.]+ % +7 +while', html)
    assert re.search(r" +[\d.]+ % +2 +busy\(0\.3\)", html)
    assert 'href="profiles/cell-2/index.html"' in html


def test_a_statement(cells: list, folder: Path) -> None:
    """A statement is taken as it stands, and -o names the folder."""
    assert "'a  b'" in shown(cells[2], "text/plain")
    assert (folder / "one statement" / "index.html").is_file()


@pytest.mark.parametrize(("number", "error"), [(3, "ZeroDivisionError"), (4, "KeyboardInterrupt")])
def test_a_cell_that_fails(cells: list, number: int, error: str) -> None:
    """The traceback is that of the cell alone, and what ran until then is shown."""
    assert "busy" in shown(cells[number], "text/plain")[0]
    text = traceback(cells[number])
    assert error in text
    assert "cli/notebook.py" not in text
    assert "1 / 0" in text or "busy(60)" in text


def test_a_profile_inside_another(cells: list) -> None:
    """It is refused in one line, and the outer one is shown."""
    assert re.fullmatch(
        r"UsageError: .*is inside .*outer.*: end that first, or use scope\(\)\n", printed(cells[5])
    )
    assert shown(cells[5])


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (6, "--rate 5000: choose 1 to 1000"),
        (7, "a/b is no name of a profile"),
        (8, "awaits outside a function: profile it by"),
        (9, "nothing to profile: write %profile STATEMENT"),
    ],
)
def test_what_cannot_be_profiled(cells: list, number: int, line: str) -> None:
    """One line has the value and the remedy; nothing is run."""
    text = printed(cells[number])
    assert text.startswith("UsageError: ")
    assert line in text
    assert text.count("\n") == 1
    assert not shown(cells[number])


def test_help(cells: list) -> None:
    """--help prints the options and examples."""
    assert "--rate" in printed(cells[10])
    assert "%%profile fit" in printed(cells[10])


def test_a_cell_that_ends_the_program(cells: list) -> None:
    """What ends a command, such as SystemExit, does what it does in any cell."""
    assert "SystemExit: 3" in traceback(cells[11])
    assert "raise click.exceptions.Exit(3)" in traceback(cells[12])


def ipython(folder: Path, *lines: str, **environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    root = Path(workbench.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"],
        input="\n".join([*lines, ""]),
        cwd=folder,
        env=kept | {"PYTHONPATH": str(root), "IPYTHONDIR": str(folder / "ipython")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_in_a_terminal(tmp_path: Path) -> None:
    """IPython in a terminal shows the text, with the lines of its cells, which have no files."""
    text = ipython(
        tmp_path,
        "%load_ext workbench",
        "def f(): return sum(i * i for i in range(2_000_000))",
        "",
        "%profile --rate 1000 f()",
    )
    assert "cell-3: took" in text
    assert re.search(r"In \[2\]:1 +def f", text)


def test_without_the_extra(tmp_path: Path) -> None:
    """Where a package is missing one line says what to install."""
    text = ipython(tmp_path, "import sys", "sys.modules['click'] = None", "%load_ext workbench")
    assert (
        "UsageError: %load_ext workbench: click is not installed: pip install 'scopebench[profile]'" in text
    )
    assert "Traceback" not in text


def test_a_kernel_that_is_recorded(tmp_path: Path) -> None:
    """Where the program is recorded from outside the statement runs, and one line says why there is no profile."""
    text = ipython(
        tmp_path,
        "%load_ext workbench",
        "%profile print('it', 'runs')",
        WORKBENCH_RECORD=str(tmp_path / "outer"),
    )
    assert "it runs" in text
    assert len(re.findall("already recording into", text)) == 1
    assert not (tmp_path / "profiles").exists()


def test_bench(tmp_path: Path) -> None:
    """The variants of a cell are measured in fresh processes, and stored as any experiment."""
    _, bench, other = run_notebook(
        tmp_path,
        "%load_ext workbench\nimport os\nlimit = 10\npath = list(__import__('sys').path)",
        textwrap.dedent("""\
            %%bench sums --rounds 2 -o out --no-profile
            import os
            values = range(seed % 7 + 100_000)
            assert "limit" not in globals()
            # %% loop
            total = 0
            for value in values:
                total += value
            # %% built in
            total = sum(values)
            """),
        "assert path == __import__('sys').path\n%bench 'open",
        allow_errors=True,
    ).cells
    results = read_results(tmp_path / "out")
    assert (results.head.suite, list(results.variants), results.baseline) == (
        "sums",
        ["loop", "built in"],
        "loop",
    )
    assert len(results.complete_rounds()) == 2
    (text,), (html,) = shown(bench, "text/plain"), shown(bench)
    assert "built in" in text
    assert "out/index.html" in text
    assert 'href="out/index.html"' in html
    assert printed(other).startswith("UsageError: the cell has no variants")
