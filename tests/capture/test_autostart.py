"""What every Python of the environment calls as it starts: idle unless a program is profiled, and seen by nobody."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import timeit
from pathlib import Path

import pytest

from workbench.capture import autostart
from workbench.capture.autostart import PTH, why_not_installed

FOLDER = Path(autostart.__file__).parent / "startup"
LINE = (FOLDER / PTH).read_text()
VARIABLES = ("WORKBENCH_SAMPLE", "WORKBENCH_START", "WORKBENCH_TRACER")
LIST = "import sys; print(sorted(name for name in sys.modules if 'workbench' in name and not name.startswith('__')))"


def python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, timeout=60)


def test_it_is_installed() -> None:
    """The file is in the site-packages of the interpreter that runs the tests, as it is in the source."""
    assert why_not_installed() is None
    (installed,) = {path for folder in site.getsitepackages() if (path := Path(folder, PTH)).is_file()}
    assert installed.read_text() == LINE
    assert LINE.count("\n") == 1
    assert LINE.startswith("import ")
    assert (FOLDER / "workbench-autostart.start").read_text() == "_workbench_autostart:start\n"


def test_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An interpreter without the file is named with the remedy."""
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(site, "ENABLE_USER_SITE", False)
    why = why_not_installed()
    assert why is not None
    assert f"{sys.executable} has no {PTH} in its site-packages: install workbench" in why


def test_it_does_nothing_of_its_own() -> None:
    """Without a variable nothing of ours is imported."""
    assert python("-c", LIST).stdout == "[]\n"


@pytest.mark.proof
def test_it_costs_a_start_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable a start takes less than a tenth of a millisecond longer."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert min(timeit.repeat(lambda: exec(LINE), number=100, repeat=5)) / 100 < 1e-4


@pytest.mark.parametrize("options", [(), ("-I",), ("-E",), ("-s",), ("-P",)], ids=str)
def test_it_starts_where_it_is_asked_to(options: tuple[str, ...], tmp_path: Path) -> None:
    """A variable starts the recorder, whatever the interpreter is told of environment and folders; `-S` nothing."""
    variables = {"WORKBENCH_SAMPLE": "100", "WORKBENCH_RECORD": str(tmp_path / "r")}
    done = python(*options, "-c", "pass", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "r").glob("*-t0000.wblog"))) == 1
    assert python("-S", "-c", LIST, **variables).stdout == "[]\n"


def test_a_process_records_once(tmp_path: Path) -> None:
    """Though a virtual environment reads the file twice, there is one log, and children have one each."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'])"
    python("-c", code, WORKBENCH_SAMPLE="100", WORKBENCH_RECORD=str(tmp_path / "r"))
    logs = {path.name.rpartition("-")[0] for path in (tmp_path / "r").glob("*.wblog")}
    assert len(logs) == 2


@pytest.mark.parametrize("order", ["", "nonsense", "wait:0", "wait:97:98", "pyinstrument:x:y", "wait:a:b"])
def test_orders_that_mean_nothing(order: str) -> None:
    """An order of another process, or none that is known, leaves the program as it is, and is not handed on."""
    done = python("-c", "import os; print('WORKBENCH_START' in os.environ)", WORKBENCH_START=order)
    assert (done.returncode, done.stdout) == (0, "False\n")
    assert "Traceback" not in done.stderr


def test_workbench_cannot_be_imported(tmp_path: Path) -> None:
    """Where the package is gone the program runs, one line says so, and its children say nothing."""
    (tmp_path / "workbench").mkdir()
    (tmp_path / "workbench" / "__init__.py").write_text("raise ImportError('gone')")
    code = "import subprocess, sys; print('ran'); subprocess.run([sys.executable, '-c', 'pass'])"
    done = python("-c", code, WORKBENCH_SAMPLE="100", PYTHONPATH=str(tmp_path))
    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert done.stderr == "workbench: nothing is recorded: workbench cannot be imported (gone)\n"
