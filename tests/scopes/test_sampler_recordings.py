"""Recordings with samples, one after the other in one process, and the files that they keep open."""

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
import sys, time
from workbench import record, scope

with record("first", max_bytes=1 << 20, when_full=sys.argv[1]):
    for i in range(200):
        with scope(f"{i} " * 4000): pass  # texts are not given up
with record("second", when_full=sys.argv[1]):
    with scope("work"):
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end: sum(range(100))
"""


@pytest.mark.parametrize("when_full", ["stop", "newest"])
def test_a_recording_after_one_that_was_full(tmp_path, when_full):
    """It is sampled, too."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, when_full],
        cwd=tmp_path,
        env=os.environ | {"WORKBENCH_SAMPLE": "200"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the recording has reached max_bytes=1048576" in done.stderr
    (main,) = [track for track in read_recording(tmp_path / "second").tracks if track.name == "MainThread"]
    assert main.samples is not None
    assert main.samples.weight_ns.sum() >= 0.1e9


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
