"""Where recordings may be made: `record()` and the environment."""

from __future__ import annotations

import json
import shutil

import pytest

from workbench import RecordingError, record, scope
from workbench.capture.event_log import read_recording

SIMPLE = """
import os
from workbench import scope
with scope("work"):
    pass
print("done", os.environ.get("WORKBENCH_RECORD"))
"""


def one_line(text: str) -> str:
    """Return the line that was said, which must be one, and ours."""
    (line,) = text.splitlines()
    assert line.startswith("workbench: ")
    return line


def test_a_recording_is_not_overwritten(tmp_path, read):
    """A folder that holds a recording is refused and left alone, unless `replace=True` is given."""
    with record(tmp_path / "r"), scope("first"):
        pass
    with pytest.raises(RecordingError, match=r"already holds a recording.*replace=True"):
        record(tmp_path / "r").__enter__()
    assert read(tmp_path / "r").paths == ["first"]
    (tmp_path / "r" / "notes.txt").write_text("kept")
    with record(tmp_path / "r", replace=True), scope("second"):
        pass
    assert read(tmp_path / "r").paths == ["second"]
    assert (tmp_path / "r" / "notes.txt").read_text() == "kept"


def test_a_recording_in_a_recording_is_refused(tmp_path, read):
    """A second `record` raises, and the first goes on and keeps everything."""
    with record(tmp_path / "r") as recording:
        assert recording.path == str(tmp_path / "r")
        with pytest.raises(RecordingError, match="already recording into"):
            record(tmp_path / "other").__enter__()
        with scope("still recorded"):
            pass
    assert not (tmp_path / "other").exists()
    assert read(tmp_path / "r").paths == ["still recorded"]


def test_one_after_the_other(tmp_path, read):
    """A program may record several times; guards between the recordings are in none of them."""
    for name in ("a", "b"):
        with record(tmp_path / name), scope(name):
            pass
        with scope("between"):
            pass
    assert [read(tmp_path / name).paths for name in ("a", "b")] == [["a"], ["b"]]


def test_an_exception_ends_the_recording(tmp_path, read):
    """A body that raises ends its recording, which is whole; the exception goes on."""
    with pytest.raises(KeyError), record(tmp_path / "r"), scope("work"):
        raise KeyError
    with scope("after"):
        pass
    assert [(i.path, i.unfinished) for i in read(tmp_path / "r")] == [("work", False)]


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere", "nul\0character"])
def test_a_folder_that_cannot_be_written(tmp_path, where):
    """A folder that cannot be made is a RecordingError that names it, and nothing records after it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot record into"):
        record(tmp_path / where).__enter__()
    with record(tmp_path / "fine"), scope("work"):
        pass


def test_the_environment_records(run, tmp_path, read):
    """`WORKBENCH_RECORD=DIR` records a program without a change to it, and says nothing."""
    done = run(SIMPLE, WORKBENCH_RECORD="r")
    assert (done.returncode, done.stderr) == (0, "")
    assert read(tmp_path / "r").paths == ["work"]
    assert json.loads((tmp_path / "r" / "recording.json").read_text())["format"] == "workbench recording"


def test_the_environment_wins(run, tmp_path, read):
    """Where the environment records, `record()` says so in one line and changes nothing, however often."""
    done = run(
        """
        from workbench import record, scope
        with record("other") as recording, scope("first"):
            print(recording.path)
        with scope("second"):
            pass
        """,
        WORKBENCH_RECORD="r",
    )
    assert done.returncode == 0
    assert "already recording" in one_line(done.stderr)
    assert done.stdout.strip() == str(tmp_path / "r")
    assert read(tmp_path / "r").paths == ["first", "second"]
    assert not (tmp_path / "other").exists()


def test_an_unrelated_process_is_refused(run, tmp_path, read):
    """A second process with the same variable is refused in one line and runs on, and so do its children."""
    run(SIMPLE, WORKBENCH_RECORD="r")
    done = run(
        SIMPLE
        + "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import workbench'], check=True)\n",
        WORKBENCH_RECORD="r",
    )
    assert (done.returncode, done.stdout) == (0, "done None\n")
    assert "already holds a recording" in one_line(done.stderr)
    assert read(tmp_path / "r").paths == ["work"]


@pytest.mark.parametrize("where", ["program.py", "program.py/x", "/proc/nowhere", "/dev/full"])
def test_an_environment_that_cannot_be_used(run, where):
    """A folder that cannot be written is one line on standard error, and the program runs as without."""
    done = run(SIMPLE, WORKBENCH_RECORD=where)
    assert (done.returncode, done.stdout) == (0, "done None\n")
    assert "not recording: cannot record into" in one_line(done.stderr)


def test_a_strange_tracer_in_the_environment(run):
    """A variable of ours with nonsense in it is one line at most, never an error of the program."""
    done = run(SIMPLE, WORKBENCH_RECORD="r", WORKBENCH_TRACER="nonsense", WORKBENCH_RECORD_ID="x")
    assert done.returncode == 0
    one_line(done.stderr)


def test_the_folder_is_removed_while_recording(run):
    """When the folder goes away the program runs on; recording stops with one line when it needs room."""
    done = run(
        """
        import shutil
        from workbench import record, scope
        with record("r"):
            with scope("outer"):
                shutil.rmtree("r")
                for i in range(40000):
                    with scope("work"):
                        pass
        with record("r2"), scope("works again"):
            pass
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "recording stopped" in one_line(done.stderr)


def test_nobody_listens_on_standard_error(run):
    """A line that cannot be said is not an error of the program's guard."""
    done = run(
        """
        import os, shutil, sys
        from workbench import record, scope
        with record("r"):
            shutil.rmtree("r")
            reading, writing = os.pipe()
            os.close(reading)
            sys.stderr = os.fdopen(writing, "w", buffering=1)
            for i in range(40000):
                with scope("work"):
                    pass
        sys.stderr = None
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_disk_without_room(tmp_path, monkeypatch, capsys, read):
    """A full disk stops the recording with one line; what was recorded until then is there."""
    with record(tmp_path / "r"):
        with scope("recorded"):
            pass

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("workbench.scopes._log._allocate", full)
        for i in range(20000):
            with scope(f"many {i}"):
                pass
    assert "recording stopped: [Errno 28] No space left" in one_line(capsys.readouterr().err)
    assert read(tmp_path / "r").paths[0] == "recorded"


def test_what_a_recording_says_of_its_process(tmp_path):
    """The profile of a recording says how many processes there were and ties its clock to wall time."""
    with record(tmp_path / "r"), scope("work"):
        pass
    facts = read_recording(tmp_path / "r").facts
    assert (facts["processes"], facts["damaged"], facts["misnested"]) == (1, 0, 0)
    assert facts["wall_minus_monotonic_ns"] > 0
    shutil.rmtree(tmp_path / "r")
