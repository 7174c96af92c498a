"""`workbench watch` and `workbench dump`: real programs, seen from outside, in a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyte
import pytest

from tests.helpers.commands import run_workbench
from tests.helpers.processes import is_gone, wait_until
from tests.helpers.running_programs import running
from workbench import record, scope

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("WORKBENCH_")}


class Watching:
    """`workbench watch` in a pseudo-terminal, and what is on its screen."""

    def __init__(self, *arguments: str, terminal: str) -> None:
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        self.resize(80, 24)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "watch", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=PLAIN | {"TERM": terminal},
            start_new_session=True,
        )
        os.close(slave)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def lines(self) -> list[str]:
        """Return what is on the screen, after what has been written meanwhile."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                written = os.read(self._master, 1 << 16)
            except OSError:  # nobody has the terminal any more
                break
            if not written:
                break
            self._stream.feed(written)
        return [line.rstrip() for line in self._screen.display]

    def wait_for(self, *words: str) -> list[str]:
        """Return the screen as soon as it has some words."""

        def shown() -> list[str]:
            lines = self.lines()
            return lines if all(any(word in line for line in lines) for word in words) else []

        return wait_until(shown)

    def end(self) -> int:
        """Wait for its end, and return the exit code."""

        def code() -> tuple[int] | None:
            self.lines()  # else it may wait for us to read
            return None if self.process.poll() is None else (self.process.returncode,)

        return wait_until(code)[0]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextmanager
def watching(*arguments: str, terminal: str = "xterm-256color") -> Iterator[Watching]:
    watch = Watching(*arguments, terminal=terminal)
    try:
        yield watch
    finally:
        watch.close()


def test_the_screen_follows_the_program_and_the_terminal(tmp_path: Path) -> None:
    """Open scopes, rates, counters and marks are on 80×24 and on any other size; q ends it, the program continues."""
    with running(tmp_path, record=tmp_path / "r") as program, watching(str(program.pid)) as watch:
        lines = watch.wait_for("OPEN SCOPES", "  fit", "    epoch", "request", "SCOPES CLOSED, last ", "item")
        assert lines[0].startswith("python program.py · pid")
        assert lines[0].endswith("q quits")
        assert any(line.split() == ["MainThread"] for line in lines)
        assert any(line.startswith("error") and line.endswith("0.5") for line in lines)
        assert any(line.startswith("begun") and "1 time" in line for line in lines)
        watch.resize(44, 12)
        wait_until(
            lambda: (shown := watch.lines())[0].endswith("q quits") and all(len(line) <= 44 for line in shown)
        )
        watch.wait_for("background: background loop › item")
        watch.resize(40, 8)
        watch.wait_for("OPEN SCOPES", "background: ", "item ")
        assert not any("COUNTERS" in line for line in watch.lines())
        watch.resize(120, 40)
        watch.wait_for("    epoch")
        watch.type("q")
        assert watch.end() == 0
        assert "the program continues" in "\n".join(watch.lines())
        assert program.poll() is None


def test_samples_show_lines_and_what_threads_do(tmp_path: Path) -> None:
    """With the in-process sampler, the hottest line is that which runs, with its source."""
    with running(tmp_path, record=tmp_path / "r", sample=True), watching(str(tmp_path / "r")) as watch:
        try:
            lines = watch.wait_for("HOTTEST LINES", "spin (program.py:6)")
        except AssertionError:
            pytest.skip("no in-process sampler here")
        assert any("return sum(i * i" in line and line.endswith("%") for line in lines)
        assert any(line.startswith("background: ") and " in spin" in line for line in lines)


def test_a_program_that_is_killed_leaves_its_last_state(tmp_path: Path) -> None:
    """When the program is killed, watch prints the last state, says so, and exits with 0, the terminal as it was."""
    with running(tmp_path, record=tmp_path / "r") as program, watching(str(tmp_path / "r")) as watch:
        watch.wait_for("  fit")
        os.kill(program.pid, signal.SIGKILL)
        assert watch.end() == 0
        text = "\n".join(watch.lines())
        assert "was killed, or left without ending its log" in text
        assert "    epoch" in text
        assert f"workbench show {tmp_path}" in text.replace("\n", "")


def test_workers_that_were_killed_have_one_line(tmp_path: Path) -> None:
    """However many children ended without their log, they have one line, and the open scopes are there."""
    (tmp_path / "pool.py").write_text(
        "import os, time\nfrom workbench import record, scope\n"
        "with record('r'), scope('all'):\n"
        "    for _ in range(6):\n"
        "        if (pid := os.fork()) == 0:\n"
        "            with scope('child'): pass\n"
        "            os._exit(0)\n"
        "        os.waitpid(pid, 0)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "pool.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            done = run_workbench("watch", "--once", "r", cwd=tmp_path, text=True)
        finally:
            process.kill()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("without ending their log") == 1
    assert "6 other processes were killed, or left without ending their log\n" in done.stdout
    assert any(line.strip().startswith("all") for line in done.stdout.splitlines())


def test_ctrl_c_ends_it_alone(tmp_path: Path) -> None:
    """Ctrl-C ends watch with 0; the program goes on."""
    with running(tmp_path, record=tmp_path / "r") as program, watching(str(tmp_path / "r")) as watch:
        watch.wait_for("  fit")
        os.kill(watch.process.pid, signal.SIGINT)
        assert watch.end() == 0
        assert program.poll() is None


def test_once_is_text_and_json_is_for_programs(tmp_path: Path) -> None:
    """`--once`, a pipe and TERM=dumb print the state once as text; `--json` prints it as JSON."""
    with running(tmp_path, record=tmp_path / "r") as program:
        done = run_workbench("watch", str(program.pid), "--once", text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
        assert "    epoch" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
        found = json.loads(run_workbench("watch", str(tmp_path / "r"), "--json", text=True).stdout)
        assert not found["ended"]
        threads = {each["task"] or each["name"]: each for each in found["processes"][0]["threads"]}
        assert [each["name"] for each in threads["Task-1"]["scopes"]] == ["request"]
        assert found["counters"] == [{"name": "error", "last": 0.5, "values": [0.5]}]
        piped = run_workbench("watch", str(program.pid), text=True)
        assert "    epoch" in piped.stdout
        with watching(str(program.pid), terminal="dumb") as watch:
            assert watch.end() == 0
            assert any(line.endswith("running") for line in watch.lines())


def test_an_ended_recording_shows_its_end_and_names_show(tmp_path: Path) -> None:
    """A recording that has ended has its final state, and the line names the command for the whole."""
    with record(tmp_path / "r"):
        for _ in range(10):
            with scope("work"):
                pass
    done = run_workbench("watch", str(tmp_path / "r"), text=True)
    assert done.returncode == 0
    assert "ended" in done.stdout.splitlines()[0]
    assert done.stderr.count("\n") == 1
    assert f"the recording has ended: workbench show {tmp_path / 'r'} says" in done.stderr


@pytest.mark.parametrize("command", ["watch", "dump"])
def test_what_is_not_there_is_one_line(command: str, tmp_path: Path) -> None:
    """What is no process, no Python or no recording is refused in one line, with a remedy."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _refused(command, str(ended.pid), f"no process has PID {ended.pid}: `ps -e` lists those that run")
    if command == "watch":
        _refused(command, str(tmp_path), f"{tmp_path} holds no recording: name the folder")
        _refused(command, str(tmp_path / "x"), "there is no such folder")
        with running(tmp_path) as program:
            _refused(
                command, str(program.pid), f"is not being recorded: run workbench profile --pid {program.pid}"
            )
    else:
        _refused(command, "0", "0 is not in the range")
        sleep = subprocess.Popen(["sleep", "60"])
        try:
            wait_until(lambda: Path(f"/proc/{sleep.pid}/comm").read_text() == "sleep\n")
            _refused(command, str(sleep.pid), f"PID {sleep.pid} (sleep) is not a Python program")
        finally:
            sleep.kill()
            sleep.wait()


def _refused(command: str, target: str, words: str) -> None:
    done = run_workbench(command, target, text=True)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_workers_are_below_their_program(tmp_path: Path) -> None:
    """Of a program with joblib workers its own process is first; the workers' scopes are in the sender's."""
    source = """
import sys, joblib
from workbench import carry, record, scope

def column(i):
    import os, time
    with scope("column"):
        open(f"{sys.argv[0]}.{os.getpid()}", "w").close()
        while True:
            time.sleep(0.05)

print("ready", flush=True)
with record(sys.argv[0] + ".r"), scope("fit"):
    joblib.Parallel(n_jobs=2)(joblib.delayed(carry(column))(i) for i in range(2))
"""
    with running(tmp_path, source.replace("sys.argv[0]", repr(str(tmp_path / "p")))) as program:
        wait_until(lambda: len(list(tmp_path.glob("p.[0-9]*"))) == 2)
        found = json.loads(run_workbench("watch", str(tmp_path / "p.r"), "--json", text=True).stdout)
        workers = [int(path.suffix[1:]) for path in tmp_path.glob("p.[0-9]*")]
        assert found["processes"][0]["pid"] == program.pid
        paths = {
            process["pid"]: [[each["name"] for each in thread["scopes"]] for thread in process["threads"]]
            for process in found["processes"]
        }
        assert ["fit"] in paths[program.pid]
        for worker in workers:
            assert ["fit", "column"] in paths[worker]
        for worker in workers:
            with suppress(ProcessLookupError):  # joblib ends the others as one is killed
                os.kill(worker, signal.SIGKILL)
        wait_until(lambda: all(map(is_gone, workers)))


def test_a_fit_says_how_far_it_is(tmp_path: Path) -> None:
    """Of a training run, the epoch, the most there may be, and the error are in the second line."""
    command = ["train", "--epochs", "100000", "--target-mse", "0"]
    environment = PLAIN | {"WORKBENCH_RECORD": str(tmp_path / "r")}
    with subprocess.Popen(
        [sys.executable, "-m", "workbench", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env=environment,
    ) as training:
        try:

            def second() -> str:
                assert training.poll() is None, training.returncode
                done = run_workbench("watch", str(training.pid), "--once", text=True)
                return next((line for line in done.stdout.splitlines() if line.startswith("fit: epoch")), "")

            line = wait_until(second)
            assert " of at most 100,000 · train mse " in line
        finally:
            training.kill()


def dumped(pid: int) -> Any:
    done = run_workbench("dump", str(pid), "--json", text=True)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


@pytest.mark.parametrize("sample", [False, True])
def test_a_dump_has_scopes_and_stacks(tmp_path: Path, sample: bool) -> None:
    """Each thread has its open scopes with their age, and the lines of its stack, from samples or py-spy."""
    with running(tmp_path, record=tmp_path / "r", sample=sample) as program:

        def found() -> Any:
            dump = dumped(program.pid)
            threads = {(each["name"], each["task"]): each for each in dump["threads"]}
            stacks = threads["background", None]["stack"], threads["MainThread", None]["stack"]
            return (dump, threads) if all(stacks) else None

        dump, threads = wait_until(found)
        if sample and dump["stacks_from"] != "samples":
            pytest.skip("no in-process sampler here")
        assert dump["stacks_from"] == ("samples" if sample else "py-spy")
        main = threads["MainThread", None]
        assert [each["name"] for each in main["scopes"]] == ["fit", "epoch"]
        assert all(each["age_ns"] > 0 for each in main["scopes"])
        assert main["stack"][0]["function"] == "<module>"
        assert [each["name"] for each in threads["MainThread", "Task-1"]["scopes"]] == ["request"]
        assert ("background", 12) in [
            (frame["function"], frame["line"]) for frame in threads["background", None]["stack"]
        ]
        text = run_workbench("dump", str(program.pid), text=True).stdout
        assert "  in fit " in text
        assert "    <module> (program.py:" in text


def test_a_program_that_is_not_recorded_is_dumped_by_py_spy(tmp_path: Path) -> None:
    """Without a recording the stacks are py-spy's, and scopes are those whose lines are on them, without an age."""
    with running(tmp_path) as program:

        def at_work() -> Any:
            dump = dumped(program.pid)
            threads = {each["name"]: each for each in dump["threads"]}
            names = [each["name"] for each in threads["background"]["scopes"]]
            return (dump, threads) if names == ["background loop", "item"] else None

        dump, threads = wait_until(at_work)
        assert (dump["folder"], dump["scopes_from"], dump["stacks_from"]) == (None, "lines", "py-spy")
        assert {each["age_ns"] for each in threads["background"]["scopes"]} == {None}
        assert threads["MainThread"]["stack"][0]["function"] == "<module>"
