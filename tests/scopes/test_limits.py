"""How large a recording may become: `max_bytes`, and what happens when it is reached."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from workbench import RecordingError, record, scope
from workbench.eventlog import read_process_logs, read_recording
from workbench.scopes import _log, layout
from workbench.scopes.manifests import RecordingLimits

PROGRAM = """
import os, sys
from workbench import record, scope

def work(name, count):
    for i in range(count):
        with scope(name):
            pass

if __name__ == "__main__":
    with record("r", max_bytes=1 << 20, when_full={when_full!r}):
        work("first", 1000)
        children = []
        for n in range({children}):
            pid = os.fork()
            if pid == 0:
                work(f"child {{n}}", 60000)
                os._exit(0)
            children.append(pid)
        work("parent", 100000)
        work("last", 10)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
    print("done")
"""


def size(folder):
    return sum(path.stat().st_size for path in folder.glob("*.wblog"))


@pytest.mark.parametrize("children", [0, 3])
def test_stop(run, tmp_path, read, children):
    """`when_full="stop"`: each process stops with one line; the first events are there; the profile says it."""
    done = run(PROGRAM.format(when_full="stop", children=children))
    assert (done.returncode, done.stdout) == (0, "done\n")
    lines = done.stderr.splitlines()
    assert 1 <= len(lines) <= 1 + children
    for line in lines:
        assert line.startswith("workbench: recording stopped: the recording has reached max_bytes=1048576")
    found = read(tmp_path / "r")
    assert found.paths.count("first") == 1000
    assert "last" not in found.paths
    assert size(tmp_path / "r") <= (1 << 20) + children * (1 << 16)
    facts = read_recording(tmp_path / "r").recording
    assert facts.stopped_full
    assert facts.given_up_bytes == 0


def test_full_is_not_damaged(tmp_path):
    """Threads that add names while the recording becomes full leave no damage."""

    def work(first):
        for i in range(first, first + 3000):
            with scope(f"name {i}"):
                pass

    for turn in range(4):
        with record(tmp_path / "r", max_bytes=1 << 20, replace=True):
            threads = [threading.Thread(target=work, args=(3000 * (6 * turn + n),)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        facts = read_recording(tmp_path / "r").recording
        assert facts.stopped_full
        assert facts.damaged == 0


def test_what_comes_after_the_end_is_refused(tmp_path):
    """Where one thread has ended the log no other gets an id for a name that is not in it any more."""
    log = _log.LogWriter(str(tmp_path), "id")
    log.end()
    with pytest.raises(_log.EndedError):
        log.text(layout.TEXT_NAME, 1, "late")


@pytest.mark.parametrize("children", [0, 3])
def test_newest(run, tmp_path, read, children):
    """`when_full="newest"`: what was written last is there, nothing is said, and the profile says what is not."""
    done = run(PROGRAM.format(when_full="newest", children=children))
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
    found = read(tmp_path / "r")
    assert found.paths.count("last") == 10
    assert "first" not in found.paths
    # Two processes may make a segment at the same moment.
    assert size(tmp_path / "r") <= (1 << 20) + children * (1 << 16)
    profile = read_recording(tmp_path / "r")
    assert not profile.recording.stopped_full
    written = 24 * (101_010 + children * 60_000)
    kept = 24 * len(found)
    assert profile.recording.given_up_bytes >= written - kept
    assert not any(interval.unfinished for interval in found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_bytes": 1000}, "max_bytes=1000 is too little"),
        ({"when_full": "later"}, "choose one of stop, newest"),
    ],
)
def test_limits_that_cannot_be_used(tmp_path, options, said):
    """A limit without sense is a RecordingError that says what to give instead, and no recording is begun."""
    with pytest.raises(RecordingError, match=said):
        record(tmp_path / "r", **options).__enter__()
    assert not (tmp_path / "r").exists()
    with scope("not recorded"):
        pass


def test_names_outlive_events_whenever_it_began(tmp_path, monkeypatch):
    """Names are never given up for room: not even where the time in the names of files begins with an e."""
    clock = SimpleNamespace(perf_counter_ns=lambda: 0xE0A3E260570, time_ns=time.time_ns)
    monkeypatch.setattr(_log, "time", clock)
    log = _log.LogWriter(str(tmp_path), "id", RecordingLimits(1 << 20, "newest"))
    for number in range(1, 6000):
        log.text(layout.TEXT_NAME, number, f"name {number}")
        if number % 10 == 0:
            log.chunk(layout.CHUNK_EVENTS, 1, 1 << 13)
    log.end()
    (found,) = read_process_logs(tmp_path)
    assert sorted(found.names) == list(range(1, 6000))
    assert found.given_up > 1 << 20
