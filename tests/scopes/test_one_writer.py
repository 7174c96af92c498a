"""One writer of a folder at a time, and a recording that could not be made leaves nothing."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.commands import run_workbench, start_workbench
from workbench import RecordingError, record, scope
from workbench.eventlog import read_recording

HOLDS = """
import os, sys, time
from workbench import record, scope
with record(sys.argv[1], replace=True), scope("held"):
    print("held", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def is_refused_elsewhere(folder: Path) -> bool:
    """Return whether an unrelated process is refused there."""
    program = "import sys; from workbench import record; record(sys.argv[1], replace=True).__enter__()"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    command = [sys.executable, "-c", program, folder]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.returncode == 1 and "another process is writing there" in done.stderr


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that records into r."""
    command = [sys.executable, "-c", HOLDS, tmp_path / "r"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """Whoever else would record there is refused, by any path to the folder, and the first one's data stay."""
    (tmp_path / "link").symlink_to("r")
    for folder in (tmp_path / "r", tmp_path / "link"):
        with pytest.raises(RecordingError, match="another process is writing there"):
            record(folder, replace=True).__enter__()
    holder.communicate()
    assert holder.returncode == 0
    assert [frame.name for frame in read_recording(tmp_path / "r").frames] == ["held"]
    assert ".workbench.lock" not in names(tmp_path / "r")


def test_the_end_of_a_process_gives_its_folder_up(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    """However a process ends, its folder is free then; what a kill left of its lock is taken over and removed."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert ".workbench.lock" in names(tmp_path / "r")
    with record(tmp_path / "r", replace=True), scope("next"):
        pass
    assert ".workbench.lock" not in names(tmp_path / "r")


def test_one_process_excludes_itself(tmp_path: Path) -> None:
    """A second block for the folder is refused within a process, too, from any thread; others are not."""
    refused: list[str] = []

    def other() -> None:
        try:
            record(tmp_path / "r", replace=True).__enter__()
        except RecordingError as error:
            refused.append(str(error))

    with record(tmp_path / "r"):
        other()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with record(tmp_path / "other"):
            pass
        assert is_refused_elsewhere(tmp_path / "r")  # no descriptor that was closed gave it up
    assert len(refused) == 2
    assert all("this process is writing there already" in text for text in refused)
    with record(tmp_path / "r", replace=True):
        pass


def test_a_forked_child_does_not_give_the_folder_up(tmp_path: Path) -> None:
    """A child that is forked in the block, and ends, leaves the folder to its parent."""
    with record(tmp_path / "r"):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert is_refused_elsewhere(tmp_path / "r")


def test_descriptors_stay_the_programs(tmp_path: Path) -> None:
    """The lock's descriptor is a high one, is not handed on, and may be closed by the program, whose own stay."""
    program = """
        import os, subprocess, sys
        from workbench import record
        before = os.listdir("/proc/self/fd")
        with record("r"):
            assert max(int(fd) for fd in set(os.listdir("/proc/self/fd")) - set(before)) >= 64
            child = "import os; print(len(os.listdir('/proc/self/fd')))"
            print(subprocess.check_output([sys.executable, "-c", child], close_fds=False, text=True).strip())
            os.closerange(3, 1000)
            own = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
        assert all(os.fstat(fd) for fd in own if fd >= 64)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) <= 4


@pytest.fixture
def no_room() -> Iterator[None]:
    """Files of this process cannot become larger than a manifest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failed_recording_leaves_nothing(tmp_path: Path, no_room: None) -> None:
    """A recording that could not be made leaves no files, folders or lock."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    before = names(tmp_path)
    for folder in ("new/deep/r", "mine", "mine/r"):
        for _ in range(2):
            with pytest.raises(RecordingError, match="cannot record into"):
                record(tmp_path / folder, replace=True).__enter__()
    assert names(tmp_path) == before
    assert "WORKBENCH_RECORD" not in os.environ


def test_a_failed_recording_leaves_the_one_before(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """What was to be replaced is there, and can be read, where its successor could not be made."""
    with record(tmp_path / "r"), scope("before"):
        pass
    before = {path: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    request.getfixturevalue("no_room")
    with pytest.raises(RecordingError):
        record(tmp_path / "r", replace=True).__enter__()
    assert {path: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


@pytest.mark.parametrize("action", ["report", "profile", "bench"])
def test_two_commands_on_one_folder(tmp_path: Path, action: str) -> None:
    """While a profile is made, no other command writes into its folder; it is refused with code 2 and one line."""
    (tmp_path / "p.py").write_text(
        "import pathlib, sys, time\npathlib.Path('began').touch()\n"
        "while not pathlib.Path('end').exists(): time.sleep(0.01)\n"
    )
    (tmp_path / "q.py").write_text("open('ran', 'w')")
    (tmp_path / "a.folded").write_text("a 1\n")
    one = start_workbench("profile", "--sampler", "none", "-o", "out", "p.py", cwd=tmp_path)
    while not (tmp_path / "began").exists():
        assert one.poll() is None
    command = {
        "report": ["report", "a.folded", "-o", "out"],
        "profile": ["profile", "--sampler", "none", "-o", "out", "q.py"],
        "bench": ["bench", "-o", "out", "--rounds", "1"],
    }[action]
    done = run_workbench(*command, cwd=tmp_path, text=True)
    (tmp_path / "end").touch()
    assert one.wait(60) == 0
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "another process is writing there" in done.stderr
    assert not (tmp_path / "ran").exists()
