"""How many samples a thread has: one for each tick of its life, however short, whatever comes after it."""

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
RELAY = """
import glob, json, os, struct, sys, threading, time
from workbench import scope

FOLDER = sys.argv[1]
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
def test_a_thread_in_the_place_of_another(tmp_path, rate):
    """Threads that begin as others end, so that their number stays the same, have all ticks of their lives."""
    folder = tmp_path / "recording"
    variables = {"WORKBENCH_RECORD": str(folder), "WORKBENCH_SAMPLE": f"{rate}"}
    done = subprocess.run(
        [sys.executable, "-c", RELAY, str(folder)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    lives = json.loads(done.stdout)
    tracks = read_recording(folder).tracks
    counted = {track.name: int(track.samples.count.sum()) for track in tracks if track.samples is not None}
    assert len(lives) == 16
    for (name, begin, first, last), following in zip(lives, [*lives[1:], None], strict=True):
        # Ticks after `first` began in its life. It was gone before the tick that the next thread met first had ended.
        assert counted[name] >= last - first
        assert following is None or counted[name] <= following[2] - begin
