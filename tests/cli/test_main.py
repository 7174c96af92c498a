"""The command line as a whole: help, one line for each error, and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench import cli
from workbench.cli import group
from workbench.errors import InvalidInputError, WorkbenchError

WORKBENCH = [sys.executable, "-m", "workbench"]


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WORKBENCH, *arguments], capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.parametrize("command", ["", *group.COMMANDS])
def test_help_is_instant(command: str) -> None:
    """The overview and the help of each command load no library of numbers, pages or tables."""
    arguments = [*filter(None, [command]), "--help"]
    program = (
        f"import sys; sys.argv = ['workbench', *{arguments}]\n"
        "from workbench.cli import main\n"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'jinja2', 'rich', 'msgspec', 'joblib', 'workbench.trainer'}\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("[]\n"), done


def test_the_overview_leads_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It lists all commands and says where to begin."""
    assert main(monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    assert all(f"  {command}" in text for command in group.COMMANDS)
    assert "Begin with: workbench profile" in text


@pytest.mark.parametrize("command", group.COMMANDS)
def test_help_of_every_command_has_examples(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command shows how it is called, with -h and with --help."""
    assert main(monkeypatch, command, "--help") == 0
    text = capsys.readouterr().out
    assert f"Usage: workbench {command}" in text
    assert "Example" in text
    assert text.count(f"  workbench {command}") >= 1
    assert main(monkeypatch, command, "-h") == 0
    assert capsys.readouterr().out == text


def test_version_is_the_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints one line."""
    assert main(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"workbench, version {workbench.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["trian"], "unknown command 'trian': did you mean 'train'?"),
        (["xyzzy"], "unknown command 'xyzzy': choose one of agent-guide, "),
        (["--bogus"], "No such option '--bogus' (see workbench --help)"),
        (["train", "--bogus"], "No such option '--bogus' (see workbench train --help)"),
        (["train", "--epoch"], "'--epoch'"),
        (["train", "--epochs", "many"], "'many' is not a valid integer"),
        (["train", "--epochs"], "requires an argument"),
        (["train", "stray"], "unexpected extra argument (stray)"),
        (["bench", "--budget", "soon"], "'soon' is not a time: write 90s, 5m or 1h"),
        (["bench", "--budget", "0s"], "'0s' is not a time"),
        (["bench", "--budget", "9" * 400], "is not a time"),
        (["report"], "Missing argument 'PROFILE|EXPERIMENT...'"),
        (["report", "/no/such/folder"], "/no/such/folder does not exist: name a profile"),
    ],
)
def test_wrong_calls_are_one_line(
    arguments: list[str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake in the call is one line on standard error, with what to do, and exit code 2."""
    assert main(monkeypatch, *arguments) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("workbench: ")
    assert error.count("\n") == 1
    assert complaint in error


def test_without_a_command_there_is_the_overview(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called without anything, it says what can be called."""
    assert main(monkeypatch) == 2
    assert "Commands:\n  agent-guide" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidInputError("a\nb"), 2, "a b"),
        (WorkbenchError("disk"), 1, "disk"),
        (KeyboardInterrupt(), 130, "interrupted; what was finished is kept"),
        (MemoryError(), 1, "there is not enough memory for this: choose a smaller problem"),
        (OSError(28, "No space left on device"), 1, "cannot write the output: No space left on device"),
    ],
)
def test_one_place_maps_errors_to_exit_codes(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """2 is bad input, 1 a failure, 130 an interrupt; each is one line, without a traceback."""
    monkeypatch.setattr(os, "dup2", lambda *ends: None)

    def fail() -> list[dict[str, object]]:
        raise error

    monkeypatch.setattr("workbench.cli.doctor.findings", fail)
    assert main(monkeypatch, "doctor") == code
    assert capfd.readouterr().err == f"workbench: {line}\n"


def test_an_accident_inside_shows_where_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected keeps its traceback: that is what a report of it needs."""
    monkeypatch.setattr(sys, "argv", ["workbench", "doctor"])
    monkeypatch.setattr("workbench.cli.doctor.findings", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cli.main()
    monkeypatch.setattr("workbench.cli.doctor.findings", lambda: Path("/no/such").read_text())
    with pytest.raises(FileNotFoundError):
        cli.main()


@pytest.mark.parametrize("arguments", [["doctor", "--json"], ["--help"], ["train", "--help"]])
def test_a_reader_that_goes_away_is_no_error(arguments: list[str]) -> None:
    """`workbench … | head -0` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [*WORKBENCH, *arguments], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_one_line() -> None:
    """A full disk under standard output is said, once."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*WORKBENCH, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (
        1,
        "workbench: cannot write the output: No space left on device\n",
    )


def test_ctrl_c_is_one_line_and_130(tmp_path: Path) -> None:
    """A real interrupt, at a place that does not expect it, leaves one line and the shell's code."""
    program = (
        "import sys, time; sys.argv = ['workbench', 'doctor']\n"
        "import workbench.cli, workbench.cli.doctor as doctor\n"
        "def wait():\n    print('waiting', flush=True)\n    time.sleep(60)\n"
        "doctor.findings = wait\nworkbench.cli.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "workbench: interrupted; what was finished is kept\n")


@pytest.mark.parametrize("twice", [False, True])
def test_ctrl_c_while_a_command_is_loaded_waits_for_its_end(twice: bool, tmp_path: Path) -> None:
    """Inside a class body an interrupt would come out as a RuntimeError: it waits for the import, a second does not."""
    (tmp_path / "slow.py").write_text(
        "import signal\n"
        "class Named:\n    def __set_name__(self, owner, name): signal.raise_signal(signal.SIGINT)\n"
        "class Owner:\n    named = Named()\n"
        "print('loaded', flush=True)\ncommand = None\n"
        f"{'signal.raise_signal(signal.SIGINT)' if twice else ''}\nprint('ended', flush=True)\n"
    )
    program = (
        "import importlib, sys; sys.argv = ['workbench', 'doctor']\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import workbench.cli\nload = importlib.import_module\n"
        "importlib.import_module = lambda name: load('slow')\nworkbench.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (130, "loaded\n" if twice else "loaded\nended\n")
    assert done.stderr == "workbench: interrupted; what was finished is kept\n"
