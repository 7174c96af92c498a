"""Recordings with samples: several in one process, the files that they keep open, and the ticks of short threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from workbench.eventlog import read_recording
from workbench.scopes import sampler

pytestmark = pytest.mark.skipif(
    sampler.why_not() is not None, reason=f"no in-process sampler here: {sampler.why_not()}"
)
FULL = """
import time
from workbench import record, scope

with record("first", max_bytes=1 << 20, when_full={when_full!r}):
    for i in range(200):
        with scope(str(i) + " " * 8000): pass  # texts are not given up
with record("second", when_full={when_full!r}):
    with scope("work"):
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end: sum(range(100))
"""


@pytest.mark.parametrize("when_full", ["stop", "newest"])
def test_a_recording_after_one_that_was_full(run, tmp_path, when_full):
    """It is sampled, too."""
    done = run(FULL.format(when_full=when_full), WORKBENCH_SAMPLE="200")
    assert done.returncode == 0
    assert "the recording has reached max_bytes=1048576" in done.stderr
    (main,) = [track for track in read_recording(tmp_path / "second").tracks if track.name == "MainThread"]
    assert main.samples is not None
    assert main.samples.weight_ns.sum() >= 0.1e9


NEWEST = """
import os, threading, time
from workbench import record, scope

def asleep():
    with scope("sleep"):
        done.wait()

for name in "abc":
    done = threading.Event()
    with record(name, max_bytes=1 << 21, when_full="newest"):
        thread = threading.Thread(target=asleep, name="asleep")
        thread.start()
        end, gone = time.perf_counter() + 20, []
        while len(gone) < 2 and time.perf_counter() < end:
            for _ in range(10_000):
                with scope("step"): pass
            gone = [line.split() for line in open("/proc/self/maps") if "(deleted)" in line and "-s" in line]
        print(sum(os.stat(f"/proc/self/map_files/{each[0]}").st_blocks for each in gone), len(gone))
        done.set()
        thread.join()
"""


@pytest.mark.proof
def test_the_newest_is_kept(run, tmp_path):
    """Other segments take all the room, and yet samples and readings go on to the end, also of a thread that sleeps."""
    done = run(NEWEST, WORKBENCH_SAMPLE="4000,native")
    assert (done.returncode, done.stderr) == (0, "")
    for line in done.stdout.splitlines():
        taken, deleted = map(int, line.split())
        assert deleted > 1
        assert taken <= 64  # of 512 bytes: what is deleted takes no room on the disk
    asleep = readings = 0
    for name in "abc":
        profile = read_recording(tmp_path / name)
        tracks = {track.name: track for track in profile.tracks}
        spans, end = tracks["MainThread"].spans, tracks["MainThread"].spans.end_ns[-1]
        assert len(spans) < 100_000  # others have been deleted
        assert goes_on(tracks["MainThread"].samples, end)
        asleep += goes_on(tracks["asleep"].samples, end)
        readings += any(counted.at_ns[-1] >= end - 0.2e9 for counted in profile.resources)
    assert min(asleep, readings) > 0  # the last segment to begin may delete what there was


def goes_on(samples, end_ns):
    """Return whether there are samples until the end."""
    return samples is not None and samples.at_ns[-1] + samples.weight_ns[-1] >= end_ns - 0.2e9


CLOSED = """
import json, os, time
from workbench import record, scope

def own():
    links = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            links[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass  # the listing's own
    # A folder that is being listed cannot be written to.
    return {number: link for number, link in links.items() if ".wblog" in link or ".workbench" in link}

written, seen = 0, {}
with record("recording"):
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        with scope(f"name {written}"): pass  # more and more segments
        try:
            written += os.write(2, b"x")
        except OSError:
            pass
        seen |= own()
with open("seen.json", "w") as file:
    json.dump({"written": written, "low": {number: link for number, link in seen.items() if number < 3}}, file)
"""


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)])
def test_closed_standard_streams_are_no_files_of_a_recording(tmp_path, closed):
    """What a program writes to a stream that is closed fails, as it did before, and damages nothing."""
    closing = " ".join(f"{number}>&-" for number in closed)
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-c", CLOSED]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"WORKBENCH_SAMPLE": "1000"}, check=True)
    assert json.loads((tmp_path / "seen.json").read_text()) == {"written": 0, "low": {}}
    assert read_recording(tmp_path / "recording").tracks


RELAY = """
import glob, json, os, struct, sys, threading, time
from workbench import scope

FOLDER = "recording"
lives = []

def ticks():
    # What the sampler says of itself at the end of each tick: docs/event-log.md, "State of the sampler".
    found = [(0,)]
    for path in glob.glob(FOLDER + "/*-s*.wblog"):
        with open(path, "rb") as file:
            file.seek(4096 + 24 + 24)
            found += struct.iter_unpack("<Q", file.read(8))
    return max(found)[0]

def live(others, begin, before):
    # Until eight ticks have passed; then another thread begins at once, so that there are as many as before.
    with scope("life"):
        while os.path.exists(f"/proc/self/task/{before}"):
            time.sleep(0.0005)
        gone = first = last = ticks()
        while first == gone:
            time.sleep(0.0005)
            first = ticks()
        while last < first + 8:
            time.sleep(0.0005)
            last = ticks()
    lives.append((threading.current_thread().name, begin, first, last))
    if others:
        arguments = (others - 1, ticks(), threading.get_native_id())
        started.append(threading.Thread(target=live, args=arguments, name=f"{others} to come"))
        started[-1].start()

while not ticks():
    time.sleep(0.001)
started = [threading.Thread(target=live, args=(15, ticks(), 0), name="the first")]
started[0].start()
for thread in started: thread.join()
print(json.dumps(lives))
"""


@pytest.mark.parametrize("rate", [100, 1000])
def test_a_thread_in_the_place_of_another(run, tmp_path, rate):
    """Threads that begin as others end have a sample for every tick while they run."""
    done = run(RELAY, WORKBENCH_RECORD="recording", WORKBENCH_SAMPLE=str(rate))
    assert (done.returncode, done.stderr) == (0, "")
    lives = json.loads(done.stdout)
    tracks = read_recording(tmp_path / "recording").tracks
    counted = {track.name: int(track.samples.count.sum()) for track in tracks if track.samples is not None}
    assert len(lives) == 16
    for (name, begin, first, last), following in zip(lives, [*lives[1:], None], strict=True):
        # Ticks after `first` began in its life. It was gone before the tick that the next thread met first had ended.
        assert counted[name] >= last - first
        assert following is None or counted[name] <= following[2] - begin
