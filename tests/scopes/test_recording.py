"""Where recordings may be made: `record()` and the environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench import RecordingError, carry, record, scope
from workbench.eventlog import read_recording

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


def test_a_recording_in_a_recording(tmp_path, read):
    """The inner recording receives all scopes of its block, from any thread; the outer resumes afterwards."""

    def elsewhere(name):
        def body():
            with scope(name):
                pass

        thread = threading.Thread(target=body, name=name)
        thread.start()
        thread.join()

    with record(tmp_path / "outer") as recording:
        assert recording.path == str(tmp_path / "outer")
        with scope("open"):
            with scope("before"):
                pass
            for name in ("inner", "again"):
                with record(tmp_path / name), scope(f"in {name}"):
                    elsewhere(f"thread in {name}")
            with scope("after"):
                elsewhere("thread after")
    assert sorted(read(tmp_path / "outer").paths) == ["open", "open/after", "open/before", "thread after"]
    for name in ("inner", "again"):
        assert sorted(read(tmp_path / name).paths) == [f"in {name}", f"thread in {name}"]
    assert not any(i.unfinished for i in read(tmp_path / "outer"))


def test_recordings_of_threads_that_overlap(tmp_path, read):
    """Recordings of threads may begin and end in any order; each ends at its own end."""
    first, second, third = (record(tmp_path / name) for name in ("first", "second", "third"))
    first.__enter__()
    second.__enter__()
    with scope("in second"):
        pass
    first.__exit__(None, None, None)
    third.__enter__()
    with scope("in third"):
        pass
    second.__exit__(None, None, None)
    with scope("in third, too"):
        pass
    third.__exit__(None, None, None)
    with scope("in none"):
        pass
    found = {name: read(tmp_path / name).paths for name in ("first", "second", "third")}
    assert found == {"first": [], "second": ["in second"], "third": ["in third", "in third, too"]}
    assert "WORKBENCH_RECORD" not in os.environ


def test_many_threads_record(tmp_path, read):
    """`record()` in several threads at once neither raises nor mixes recordings, and leaves nothing behind."""

    def work(n):
        for turn in range(5):
            with record(tmp_path / f"{n} {turn}"), scope(f"work {n}"):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert carry(work) is work, "nothing records"
    paths = [path for n in range(4) for turn in range(5) for path in read(tmp_path / f"{n} {turn}").paths]
    assert set(paths) <= {f"work {n}" for n in range(4)}


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


def test_the_environment_wins(run, tmp_path, read):
    """If the environment records, `record()` prints one line and changes nothing."""
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
    """A program records without a change to it; another one with the same variable runs on, refused in one line."""
    done = run(SIMPLE, WORKBENCH_RECORD="r")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "r" / "recording.json").read_text())["format"] == "workbench recording"
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
    """A folder that cannot be written is one line on standard error, and the program runs unrecorded."""
    done = run(SIMPLE, WORKBENCH_RECORD=where)
    assert (done.returncode, done.stdout) == (0, "done None\n")
    assert "not recording: cannot record into" in one_line(done.stderr)


def test_a_strange_tracer_in_the_environment(run):
    """A variable of ours with nonsense in it is one line at most, never an error of the program."""
    done = run(SIMPLE, WORKBENCH_RECORD="r", WORKBENCH_TRACER="nonsense", WORKBENCH_RECORD_ID="x")
    assert done.returncode == 0
    one_line(done.stderr)


LIMITED = """
import resource, sys
from workbench import record, scope
with record("r"):
    with scope("recorded"):
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
    with scope("outer"):
        for i in range(60000):
            with scope("many"):
                pass
    open("own", "w").write("the program's own files")
print("done")
"""


@pytest.mark.parametrize("limit", [1 << 18, 1 << 20])
def test_a_limit_on_file_sizes(run, tmp_path, read, limit):
    """A limit on the size of files ends recording with one line, never the program; the rest can be read."""
    done = run(LIMITED.format(limit=limit))
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "recording stopped: [Errno 27] File too large" in one_line(done.stderr)
    found = read(tmp_path / "r")
    assert found.paths[0] == "recorded"
    assert found.paths.count("outer/many") > 5000


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_file_system(run, tmp_path, read):
    """On a file system that is full the program goes on, with one line; what was written is readable."""
    (tmp_path / "small").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(tmp_path / "small")])
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = run(LIMITED.format(limit="resource.RLIM_INFINITY").replace('"r"', '"small/r"'))
        assert (done.returncode, done.stdout) == (0, "done\n")
        assert "recording stopped: [Errno 28]" in one_line(done.stderr)
        assert read(tmp_path / "small" / "r").paths.count("outer/many") > 5000
    finally:
        subprocess.run(["umount", str(tmp_path / "small")], check=True)


BROKEN = {
    "removed": ("shutil.rmtree('r')", r"recording stopped: "),
    "unwritable": ("os.rename('r', 'elsewhere'); open('r', 'w').close()", r"recording stopped: \[Errno 20\]"),
    "nobody reads standard error": (
        "shutil.rmtree('r'); sys.stderr = os.fdopen(os.open('/dev/full', os.O_WRONLY), 'w', buffering=1)",
        None,
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_folder_that_is_lost_while_recording(run, tmp_path, read, how):
    """The program continues, recording stops with one line, another recording works, and the log is readable."""
    breaks, message = BROKEN[how]
    done = run(
        f"""
        import os, shutil, sys
        from workbench import record, scope
        with record("r"), scope("outer"):
            for i in range(6000):
                with scope("work"): pass
            {breaks}
            for i in range(40000):
                with scope("work"): pass
        with record("r2"), scope("works again"): pass
        sys.stderr = None
        print("done")
        """
    )
    assert (done.returncode, done.stdout) == (0, "done\n")
    if message is not None:
        assert re.search(message, one_line(done.stderr))
    assert read(tmp_path / "r2").paths == ["works again"]
    if how == "unwritable":
        found = read(tmp_path / "elsewhere")
        assert found[0].unfinished
        assert found.paths.count("outer/work") >= 6000
        assert read_recording(tmp_path / "elsewhere").recording.stopped_by_error


def test_exceptions_that_other_threads_send_do_not_end_it(run, tmp_path, read):
    """An exception that another thread sends propagates, even from the recorder's own code, and recording continues."""
    done = run(
        """
        import ctypes, threading, time
        from workbench import record, scope
        class Sent(Exception): pass
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        done, inside, caught = False, False, 0
        def work():
            global inside, caught
            while not done:
                try:
                    while True:
                        inside = True
                        with scope(f"name {time.perf_counter_ns()}"): pass
                except Sent:
                    inside = False
                    caught += 1
        with record("r"):
            thread = threading.Thread(target=work)
            thread.start()
            for i in range(40):
                while not inside: time.sleep(0.001)
                done = i == 39
                raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(Sent))
                while caught <= i: time.sleep(0.001)
            thread.join()
            with scope("after"): pass
        print(caught)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "40\n", "")
    assert "after" in read(tmp_path / "r").paths
